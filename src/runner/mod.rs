//! Motion: drives the pure core over bars, keeps its state, writes its record.
//!
//! Enter at [`replay::replay`] for a back-test in isolated state, at [`run::Runner`] to move a profile's watermark, at
//! [`case`] for golden cases.
//!
//! RUN-1  Replay and run step the same [`trader::Trader`]; one range in one go or in many gives the same orders and fills.
//! RUN-2  A run that is cut off anywhere goes on from its last commit to the same end.
//! RUN-3  A run with nothing new changes nothing.
//! RUN-4  A folder with a manifest is complete; the same inputs give the same bytes.
//!
//! Not here: decisions (`stage`, `risk`), how things are kept (`store`), what is printed (`cli`).

pub mod agenda;
pub mod case;
pub mod control;
pub mod drill;
pub mod drive;
pub mod evidence;
pub mod folder;
pub mod footing;
pub mod live;
pub mod moments;
pub mod notices;
pub mod performance;
pub mod preflight;
pub mod replay;
pub mod rollback;
pub mod run;
pub mod setup;
pub mod stale;
pub mod trader;
