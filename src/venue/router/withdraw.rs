//! How orders are withdrawn: asked for until the venue says that they are gone.

use super::doubt::Doubt;
use super::fact::Alarm;
use super::machine::{Asked, CLOSED_MARGIN, Router};
use super::order::{CancelCause, Withdrawal};
use crate::domain::{ClientOrderId, Span, Time};
use crate::venue::wire::{Answer, Failure, Request};

/// Withdrawals are asked for so often before somebody is told; they go on after that.
const CANCELS_QUIET: u8 = 5;
const CANCEL_AGAIN_AFTER: Span = Span::from_secs(1);
const CANCEL_AGAIN_MAX: Span = Span::from_secs(30);

impl Router {
    pub(super) fn withdraw(&mut self, id: ClientOrderId, now: Time, cause: CancelCause) {
        if let Some(place) = self.waiting.iter().position(|(waiting, _, _)| *waiting == id) {
            self.waiting.remove(place);
            return self.give_up(id, now, "it was not wanted any more");
        }
        let Some(order) = self.state.orders.get_mut(&id).filter(|order| order.is_out()) else { return };
        let fresh = Withdrawal { cause, tries: 0, next: now };
        let withdrawal = order.withdrawal.get_or_insert(fresh);
        if cause == CancelCause::Wanted {
            withdrawal.cause = cause;
        }
        self.ask_to_cancel(id, now);
    }

    /// Also of an order that nobody knows of: if it is there, it goes.
    pub(super) fn ask_to_cancel(&mut self, id: ClientOrderId, now: Time) {
        let order = self.order_mut(id);
        let symbol = order.intent.symbol;
        let Some(withdrawal) = order.withdrawal.as_mut().filter(|withdrawal| withdrawal.next <= now) else { return };
        let pause = CANCEL_AGAIN_AFTER.micros().saturating_mul(1 << withdrawal.tries.min(5));
        withdrawal.tries = withdrawal.tries.saturating_add(1);
        withdrawal.next = now + Span::from_micros(pause.min(CANCEL_AGAIN_MAX.micros()));
        if withdrawal.tries == CANCELS_QUIET {
            let why = format!("asked {CANCELS_QUIET} times");
            self.out.alarms.push(Alarm::CancelFailed { id, why });
        }
        self.moved(id);
        if !self.is_asked(Asked::Cancel(id)) {
            self.ask(Asked::Cancel(id), Request::Cancel { symbol, id });
        }
    }

    pub(super) fn on_canceled(&mut self, id: ClientOrderId, result: Result<Answer, Failure>, now: Time) {
        match result {
            Ok(Answer::Order(order)) => return self.absorb(id, &order, now),
            Err(failure @ (Failure::Throttled { until } | Failure::Banned { until })) => {
                self.throttle(&failure, until);
                if let Some(withdrawal) = &mut self.order_mut(id).withdrawal {
                    withdrawal.next = withdrawal.next.max(until + CLOSED_MARGIN);
                }
                return;
            }
            Err(Failure::Key { text, .. }) => self.out.alarms.push(Alarm::Key { text }),
            Err(Failure::Protocol(what)) => self.out.alarms.push(Alarm::Protocol { what }),
            Err(Failure::Rejected { text, .. }) => self.out.alarms.push(Alarm::CancelFailed { id, why: text }),
            Ok(_) | Err(_) => {}
        }
        // Not open, or nobody knows: the venue is asked what it is.
        let order = self.order_mut(id);
        if order.is_out() {
            match &mut order.doubt {
                Some(doubt) => doubt.next = doubt.next.min(now),
                doubt @ None => *doubt = Some(Doubt::at_once(now)),
            }
        }
    }
}
