//! The voice: what happened, as rows of the record.

pub mod record;
