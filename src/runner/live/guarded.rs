//! A model that panics takes nobody with it: it says nothing, trading halts, and orders are looked after.

use std::any::Any;

use super::machine::{Live, Step};
use crate::domain::{Bar, SymbolIndex, Time};
use crate::risk::HaltCause;
use crate::stage::model::{Model, Signal};
use crate::stage::oms::{DeskError, Outbox};
use crate::venue::router::Alarm;

/// How a model is asked; a test asks in another way.
pub(super) type Ask = fn(&mut Model, &Bar) -> Signal;

/// Characters of a panic's message that are told.
const WORDS_MAX: usize = 200;

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a word").chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

impl Live {
    /// LIVE-4, LIVE-5.
    pub(super) fn on_moment(
        &mut self,
        open_time: Time,
        bars: &[(SymbolIndex, Bar)],
        now: Time,
        step: &mut Step,
        out: &mut Outbox,
    ) -> Result<(), DeskError> {
        step.watermark = Some(open_time);
        let close_time = open_time + self.config.trader.desk.interval.span();
        let asked = self.trader.ask_models(bars, self.ask).map_err(|payload| words(&*payload));
        // What a model says that knows nothing: stops and exits go on.
        let signals = asked.as_ref().map_or_else(|_| vec![Signal::NONE; bars.len()], Clone::clone);
        let stepped = if now - close_time > self.config.max_lateness {
            self.trader.catch_up_with(open_time, bars, out)
        } else {
            self.trader.step_with(open_time, bars, &signals, out)
        };
        if let Err(what) = asked {
            step.alarms.push(Alarm::Model { what });
            self.halt(HaltCause::Model, now, step, out);
        }
        stepped
    }
}
