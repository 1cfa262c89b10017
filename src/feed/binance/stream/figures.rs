//! What has come over the streams, counted.

use serde::Serialize;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Messages of any kind.
    pub frames: u64,
    /// Bars of the streams that are in the lake now.
    pub bars: u64,
    /// Times that bars were asked for because the streams did not bring them.
    pub gaps: u64,
    /// Bars that came by asking.
    pub filled: u64,
    /// Bars that the venue has not, after it was asked several times.
    pub holes: u64,
    /// Bars that came again with the same values.
    pub duplicates: u64,
    /// Bars that came again with other values; the first stays, or none before the venue was asked.
    pub conflicts: u64,
    /// Bars that came after a later one.
    pub late: u64,
    /// Bars marked closed long before their time.
    pub early: u64,
    /// Bars that the rules of the lake refuse.
    pub refused: u64,
    /// Messages that were no bar of what was asked for, or could not be read.
    pub wrong_frames: u64,
    /// Connections that came up.
    pub connections: u64,
    /// Of these, the ones that took over from one that had ended.
    pub reconnects: u64,
    /// Connections that were ended for what came over them, or for silence.
    pub ended: u64,
    /// Jobs that failed and were done again.
    pub retries: u64,
}
