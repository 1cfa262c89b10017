//! A body that comes whole, in part, or a byte a second.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Interval, interval};

const SECOND: Duration = Duration::from_secs(1);

/// The connection is to end here.
#[derive(Debug, thiserror::Error)]
#[error("cut by the script")]
pub(super) struct Cut;

pub(super) struct Paced {
    left: Bytes,
    /// What the head says there will be.
    whole: u64,
    is_cut: bool,
    /// What came before the cut was given time to leave.
    has_left: bool,
    beat: Option<Interval>,
}

impl Paced {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { whole: bytes.len() as u64, left: bytes, is_cut: false, has_left: false, beat: None }
    }

    /// The first so many bytes, at least one fewer than there are.
    pub(super) fn cut(bytes: &Bytes, after: usize) -> Self {
        let whole = bytes.len() as u64;
        Self { left: bytes.slice(..after.min(bytes.len().saturating_sub(1))), whole, is_cut: true, has_left: false, beat: None }
    }

    pub(super) fn slow(bytes: Bytes) -> Self {
        Self { beat: Some(interval(SECOND)), ..Self::whole(bytes) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left.is_empty() && self.is_cut && !self.has_left {
            // An error right behind the bytes would take them along: they are written while this waits.
            self.has_left = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left.is_empty() {
            return Poll::Ready(self.is_cut.then_some(Err(Cut)));
        }
        let part = match &mut self.beat {
            None => self.left.len(),
            Some(beat) => {
                if beat.poll_tick(context).is_pending() {
                    return Poll::Pending;
                }
                1
            }
        };
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}
