//! Preflight: what has to be seen before money is risked, and the record of what was seen.
//!
//! Enter at [`Record::lacks`], which says what keeps a profile from going live. Checks are performed elsewhere (`cli`); what each came
//! to is a [`Finding`], and the findings of exactly one binary, profile, pipeline, model and account are a [`Record`]. It lies here and
//! not further left because it binds what profile and pipeline resolved to; and it is a file beside the journal, so that checks can be
//! made again while a program holds that.
//!
//! PREFLIGHT-1  A record counts for exactly the hashes it was made with; another binary, profile, pipeline, model or account has none.
//! PREFLIGHT-2  A record that was changed by hand, or made on another machine, is refused: it is signed with a key that stays here.
//! PREFLIGHT-3  Each check that is asked for blocks by itself: not made, failed, skipped, too old, or of the future.
//! PREFLIGHT-4  Nothing that was seen counts for longer than seven days.

mod record;
mod signed;

pub use record::{Bound, Finding, KINDS, Lack, Record, VALID_MAX, Verdict, Why, asked};
pub use signed::{FILE, RecordError, read, write};
