//! Which way each key of a pipeline moves risk. What decides differently is for a person to judge: most keys of a model are unknown.

use crate::profile::direction::Direction::{self, Entries, Greater, Guards, Neutral, Off, Unknown};
use crate::profile::direction::Directions;

/// Every key, and what a stage does by being there.
pub const PIPELINES: Directions = Directions { keys: DIRECTIONS, collections: &[("stage.*", Unknown)] };

#[rustfmt::skip] // A table.
const DIRECTIONS: &[(&str, Direction)] = &[
    ("pipeline.summary", Neutral),
    ("pipeline.record", Neutral),
    ("schedule.every", Unknown),
    ("schedule.align", Unknown),
    ("schedule.settle", Neutral),
    ("schedule.max_lateness", Greater),
    ("schedule.overlap", Unknown),
    ("schedule.cron", Unknown),
    ("schedule.at", Unknown),
    ("schedule.days", Unknown),
    ("schedule.tz", Unknown),
    ("schedule.dst_gap", Unknown),
    ("schedule.dst_fold", Unknown),
    ("schedule.misfire", Unknown),
    ("schedule.jitter", Neutral),
    ("stage.*.kind", Unknown),
    ("stage.*.needs", Guards),
    ("stage.*.enabled", Unknown),
    ("stage.*.timeout", Neutral),
    ("stage.*.retry.count", Neutral),
    ("stage.*.retry.on", Neutral),
    ("stage.*.source", Unknown),
    ("stage.*.symbols", Entries),
    ("stage.*.interval", Unknown),
    ("stage.*.path", Unknown),
    ("stage.*.seed", Unknown),
    ("stage.*.start", Unknown),
    ("stage.*.bars", Unknown),
    ("stage.*.base_url", Unknown),
    ("stage.*.stream_url", Unknown),
    ("stage.*.history", Unknown),
    ("stage.*.contract.missing_bars", Greater),
    ("stage.*.contract.max_return", Greater),
    ("stage.*.contract.monotonic_time", Off),
    ("stage.*.contract.non_negative_volume", Off),
    ("stage.*.contract.last_bar_closed", Off),
    ("stage.*.model", Unknown),
    ("stage.*.registry", Unknown),
    ("stage.*.params.fast", Unknown),
    ("stage.*.params.slow", Unknown),
    ("stage.*.params.signal", Unknown),
    ("stage.*.params.seed", Unknown),
    ("stage.*.params.warmup", Unknown),
    ("stage.*.params.lookback", Unknown),
    ("stage.*.params.threshold", Unknown),
    ("stage.*.params.window", Unknown),
    ("stage.*.params.entry", Unknown),
    ("stage.*.params.exit", Unknown),
    ("stage.*.sizing.kind", Unknown),
    ("stage.*.sizing.notional", Greater),
    ("stage.*.sizing.target", Greater),
    ("stage.*.sizing.fraction", Greater),
    ("stage.*.sizing.window", Unknown),
    ("stage.*.sizing.max_notional", Greater),
    ("stage.*.order", Unknown),
    ("stage.*.offset_bps", Unknown),
    ("stage.*.expire_after", Unknown),
    ("stage.*.time_in_force", Unknown),
    ("stage.*.sized_in", Unknown),
    ("stage.*.on_exit.stop_loss_atr", Unknown),
    ("stage.*.on_exit.take_profit_atr", Unknown),
    ("stage.*.on_exit.atr_period", Unknown),
    ("stage.*.when", Unknown),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::keys::KEYS;

    #[test]
    fn every_key_has_one_direction_and_every_direction_a_key() {
        let declared: Vec<&str> = DIRECTIONS.iter().map(|(path, _)| *path).collect();
        let written: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(declared, written, "the table follows the schema, key by key");
    }
}
