//! Escalation: how limits may grow, step by step, what a step has to prove, and what takes it back.
//!
//! Enter at [`decide::decide`] for what is due now, at [`footing::Footing`] for where a profile stands, at [`plan::Plan`] for a rise
//! that waits for a person. Pure: evidence and the time go in, a decision comes out.
//!
//! ESCALATION-1  Each step is above the one before it, and the last one is the target, exactly.
//! ESCALATION-2  Nothing rises while a gate fails or is unknown, while it is held, or within `every` of the slot of the last step.
//! ESCALATION-3  A step that stands allows no more than was applied, whatever documents say since.
//! ESCALATION-4  A plan is applied once, as it was made, from where it was made, and never after a kill, a critical alert
//!               or its expiry.
//!
//! Not here: caps and the reading of `[escalation]` (`profile`), keeping what stands (`store`), gathering evidence (`runner`).

pub mod decide;
pub mod evidence;
pub mod footing;
pub mod gate;
pub mod ladder;
pub mod plan;
pub mod schedule;
pub mod simulate;
pub mod slots;

pub use decide::{Decision, decide};
pub use evidence::{Critical, Evidence, Kill};
pub use footing::{Footing, Hold};
pub use gate::{Gate, Metric, Op, Reading, Verdict};
pub use ladder::{Ladder, Raised};
pub use plan::{Change, Plan, Void, What};
pub use schedule::{AfterKill, Approval, Schedule};
pub use simulate::{History, Week, simulate};
pub use slots::{Slot, Slots};
