//! Every key of a pipeline: where it stands, what it holds, what it means.

use std::sync::{Arc, LazyLock};

use crate::profile::KeyPath;
use crate::profile::fault::Fault;
use crate::profile::kind::Kind;
use crate::profile::layer::Layer;
use crate::profile::schema::{Key, Schema, key};
use crate::profile::word::Words;

use super::wall_clock;

/// The schema of pipelines.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(KEYS, bypass, false));

/// The lowest layer of every pipeline.
pub static DEFAULTS: LazyLock<Arc<Layer>> = LazyLock::new(|| Arc::new(Layer::defaults(&SCHEMA)));

/// Tables of a profile. A pipeline that could write them could set its own limits.
const OF_PROFILES: [&str; 15] = [
    "profile",
    "caps",
    "floors",
    "limits",
    "risk",
    "storage",
    "models",
    "metrics",
    "clock",
    "stages",
    "venue",
    "escalation",
    "preflight",
    "rollback",
    "alerts",
];

macro_rules! words {
    ($name:ident, $code:literal, $what:literal, $known:expr, $later:expr) => {
        static $name: Words = Words { code: $code, what: $what, known: &$known, later: &$later };
    };
}

words!(RECORDS, "unknown-word", "a way to record decisions", ["changes", "all"], []);
words!(TIMES_IN_FORCE, "unknown-word", "a time in force", ["gtc", "ioc", "post-only"], []);
words!(ALIGNMENTS, "unknown-word", "an alignment", ["bar-close"], []);
words!(WEEKDAYS, "unknown-weekday", "a weekday", wall_clock::WEEKDAYS, []);
words!(MISFIRES, "unknown-word", "an answer to a misfire", ["skip", "run-once"], []);
words!(DST_GAPS, "unknown-word", "an answer to a gap", ["skip", "after"], []);
words!(DST_FOLDS, "unknown-word", "an answer to a fold", ["first", "second", "both"], []);
words!(OVERLAPS, "unknown-word", "an answer to an overlap", ["skip"], []);
words!(STAGE_KINDS, "unknown-stage-kind", "a stage kind", ["ingest", "model", "oms", "alert"], []);
words!(SOURCES, "unknown-source", "a source", ["file", "synthetic", "binance", "binance-ws", "binance-archive"], []);
words!(RETRY_CAUSES, "unknown-word", "a cause of a retry", ["timeout", "connection"], []);
words!(MODELS, "unknown-model", "a model", ["ema-cross", "momentum", "mean-reversion"], []);
words!(SIGNALS, "unknown-signal", "a signal", ["cross", "state"], []);
words!(SEEDS, "unknown-seed", "a seed of a mean", ["sma", "first"], []);
words!(SIZINGS, "unknown-sizing", "a sizing kind", ["fixed-notional", "volatility-target", "kelly"], []);
words!(ORDERS, "unknown-order", "an order kind", ["market", "limit"], []);
words!(SIZED_IN, "unknown-word", "what a size counts", ["quote", "base"], []);
words!(WHENS, "unknown-word", "a moment", ["always", "failure", "success"], []);

const PERIOD: Kind = Kind::Count(1, 100_000);
const KIND: &str = "stage.*.kind";
const SOURCE: &str = "stage.*.source";
const MODEL: &str = "stage.*.model";
const SIZING: &str = "stage.*.sizing.kind";
const ORDER: &str = "stage.*.order";
const INGEST: [&str; 1] = ["ingest"];
const SYNTHETIC: [&str; 1] = ["synthetic"];
const REMOTE: [&str; 3] = ["binance", "binance-ws", "binance-archive"];
const STREAM: [&str; 1] = ["binance-ws"];
const MODEL_STAGE: [&str; 1] = ["model"];
const OMS: [&str; 1] = ["oms"];
const EMA_CROSS: [&str; 1] = ["ema-cross"];
const REVERSION: [&str; 1] = ["mean-reversion"];
const BY_WINDOW: [&str; 2] = ["volatility-target", "kelly"];

#[rustfmt::skip] // One row a key reads better than rustfmt's blocks.
pub static KEYS: &[Key] = &[
    key("pipeline.summary", Kind::Text, "", "What the pipeline does, in one sentence."),
    key("pipeline.record", Kind::Word(&RECORDS), "changes", "Which decisions are recorded."),

    key("schedule.every", Kind::Span, "", "How often it runs; the interval of its bars when not written."),
    key("schedule.align", Kind::Word(&ALIGNMENTS), "bar-close", "What the runs are aligned to."),
    key("schedule.settle", Kind::SpanOrZero, "3s", "Waits this long after the close: venues publish a little late."),
    key("schedule.max_lateness", Kind::Span, "60s", "A later run sends no orders, and says why."),
    key("schedule.overlap", Kind::Word(&OVERLAPS), "skip", "What a run does that finds the last one still going."),
    key("schedule.cron", Kind::Text, "", "Minute, hour, day, month, weekday by the wall clock, like \"30 2 * * Mon-Fri\"."),
    key("schedule.at", Kind::Text, "", "A time of day by the wall clock, like \"02:30\"."),
    key("schedule.days", Kind::WordList(&WEEKDAYS), "", "The days of that time; every day when not written."),
    key("schedule.tz", Kind::Text, "", "The time zone of the wall clock, like \"UTC\" or \"Europe/Berlin\"."),
    key("schedule.dst_gap", Kind::Word(&DST_GAPS), "", "A time that the clock jumps over: not at all, or right after the jump."),
    key("schedule.dst_fold", Kind::Word(&DST_FOLDS), "", "A time that comes twice as the clock goes back: which of the two."),
    key("schedule.misfire", Kind::Word(&MISFIRES), "", "A time at which nobody was there: never, or once when back."),
    key("schedule.jitter", Kind::SpanOrZero, "0s", "A run begins up to this much later, drawn anew for each."),

    key("stage.*.kind", Kind::Word(&STAGE_KINDS), "", "What the stage does.").required(),
    key("stage.*.needs", Kind::Names, "[]", "Stages that must have succeeded before."),
    key("stage.*.enabled", Kind::Bool, "true", "false leaves the stage out."),
    key("stage.*.timeout", Kind::Span, "30s", "The longest that ingest may take in `start`, while it keeps up with the closes."),
    key("stage.*.retry.count", Kind::Count(0, 10), "0", "How often `start` tries a failed ingest again."),
    key("stage.*.retry.on", Kind::WordList(&RETRY_CAUSES), "timeout", "Failures that are worth another try."),

    key("stage.*.source", Kind::Word(&SOURCES), "", "Where bars come from.").required().only(KIND, &INGEST),
    key("stage.*.symbols", Kind::Symbols, "", "What is traded.").required().only(KIND, &INGEST),
    key("stage.*.interval", Kind::Interval, "", "The length of a bar.").required().only(KIND, &INGEST),
    key("stage.*.path", Kind::Text, "", "A file or folder of klines; {symbol} and {interval} stand for BTCUSDT and 1h.").required().only(SOURCE, &["file"]),
    key("stage.*.seed", Kind::Count(0, i64::MAX as u64), "1", "What the generator begins with.").only(SOURCE, &SYNTHETIC),
    key("stage.*.start", Kind::Time, "2025-01-01", "Open time of the first bar.").only(SOURCE, &SYNTHETIC),
    key("stage.*.bars", Kind::Count(1, 100_000_000), "1000", "How many bars the generator makes.").only(SOURCE, &SYNTHETIC),
    key("stage.*.base_url", Kind::Text, "", "The address of the source, from a list; binance's public one when not written.").only(SOURCE, &REMOTE),
    key("stage.*.stream_url", Kind::Text, "", "The address of the streams, from a list; binance's public one when not written.").only(SOURCE, &STREAM),
    key("stage.*.history", Kind::Span, "30d", "How far back the first run goes.").only(SOURCE, &REMOTE),
    key("stage.*.contract.missing_bars", Kind::Count(0, 1_000_000_000), "0", "Holes allowed among the bars of one run.").only(KIND, &INGEST),
    key("stage.*.contract.max_return", Kind::Float(0.0, 1000.0), "0.20", "The greatest move between two closes.").only(KIND, &INGEST),
    key("stage.*.contract.monotonic_time", Kind::Bool, "true", "Bars come in the order of time.").only(KIND, &INGEST),
    key("stage.*.contract.non_negative_volume", Kind::Bool, "true", "No volume is below zero.").only(KIND, &INGEST),
    key("stage.*.contract.last_bar_closed", Kind::Bool, "true", "The last bar is complete.").only(KIND, &INGEST),

    key("stage.*.model", Kind::Word(&MODELS), "", "A rule; or registry for a registered model.").only(KIND, &MODEL_STAGE),
    key("stage.*.registry", Kind::Name, "", "The name of a registered model.").only(KIND, &MODEL_STAGE).later(),
    key("stage.*.params.fast", PERIOD, "", "Period of the fast mean.").required().only(MODEL, &EMA_CROSS),
    key("stage.*.params.slow", PERIOD, "", "Period of the slow mean.").required().only(MODEL, &EMA_CROSS),
    key("stage.*.params.signal", Kind::Word(&SIGNALS), "cross", "Act where the means cross, or hold while one is above.").only(MODEL, &EMA_CROSS),
    key("stage.*.params.seed", Kind::Word(&SEEDS), "sma", "What a mean begins with.").only(MODEL, &EMA_CROSS),
    key("stage.*.params.warmup", Kind::Count(0, 100_000), "", "Closes before the first signal; slow when not written.").only(MODEL, &EMA_CROSS),
    key("stage.*.params.lookback", PERIOD, "", "Bars over which the return is taken.").required().only(MODEL, &["momentum"]),
    key("stage.*.params.threshold", Kind::Float(0.0, 1000.0), "0.0", "Long above it, flat below its negative.").only(MODEL, &["momentum"]),
    key("stage.*.params.window", Kind::Count(2, 100_000), "", "Bars of the z-score.").required().only(MODEL, &REVERSION),
    key("stage.*.params.entry", Kind::Float(0.0, 1000.0), "", "Long when the z-score falls to its negative.").required().only(MODEL, &REVERSION),
    key("stage.*.params.exit", Kind::Float(-1000.0, 1000.0), "", "Flat when the z-score is back at it.").required().only(MODEL, &REVERSION),
    key("stage.*.sizing.kind", Kind::Word(&SIZINGS), "", "How a signal is sized.").required().only(KIND, &MODEL_STAGE),
    key("stage.*.sizing.notional", Kind::Money, "", "What a signal asks for.").required().only(SIZING, &["fixed-notional"]),
    key("stage.*.sizing.target", Kind::Float(0.0, 100.0), "", "Annualised volatility that is aimed at.").required().only(SIZING, &["volatility-target"]),
    key("stage.*.sizing.fraction", Kind::Fraction, "", "Part of the full Kelly size.").required().only(SIZING, &["kelly"]),
    key("stage.*.sizing.window", Kind::Count(2, 100_000), "", "Bars over which it is measured.").required().only(SIZING, &BY_WINDOW),
    key("stage.*.sizing.max_notional", Kind::Money, "", "The most a signal asks for.").required().only(SIZING, &BY_WINDOW),

    key("stage.*.order", Kind::Word(&ORDERS), "market", "How orders meet the market.").only(KIND, &OMS),
    key("stage.*.offset_bps", Kind::Bps, "", "How far from the reference a limit order rests.").required().only(ORDER, &["limit"]),
    key("stage.*.expire_after", Kind::Span, "", "How long a limit order rests.").required().only(ORDER, &["limit"]),
    key("stage.*.time_in_force", Kind::Word(&TIMES_IN_FORCE), "gtc", "What a limit order does when it cannot rest, or cannot fill at once.").only(ORDER, &["limit"]),
    key("stage.*.sized_in", Kind::Word(&SIZED_IN), "quote", "Is the amount fixed at the decision, or the quantity?").only(KIND, &OMS),
    key("stage.*.on_exit.stop_loss_atr", Kind::Float(0.0, 1000.0), "0.0", "Exit this many ATR below the entry; 0 is never.").only(KIND, &OMS),
    key("stage.*.on_exit.take_profit_atr", Kind::Float(0.0, 1000.0), "0.0", "Exit this many ATR above the entry; 0 is never.").only(KIND, &OMS),
    key("stage.*.on_exit.atr_period", PERIOD, "14", "Period of the ATR.").only(KIND, &OMS),

    key("stage.*.when", Kind::Word(&WHENS), "always", "After which end of the run alerts go out.").only(KIND, &["alert"]).later(),
];

/// Keys that would let a pipeline choose its venue or its limits get their own message.
fn bypass(path: &KeyPath) -> Option<Fault> {
    let name = path.last();
    let is_limit =
        crate::profile::keys::KEYS.iter().any(|key| key.path.strip_prefix("limits.").is_some_and(|limit| limit == name));
    if !OF_PROFILES.contains(&name) && !is_limit {
        return None;
    }
    let home = if is_limit { "[limits]".to_owned() } else { format!("[{name}]") };
    Some(Fault {
        code: "gate-bypass",
        message: format!("a pipeline cannot set {}: that would bypass the risk gate", path),
        label: "belongs to the profile".to_owned(),
        hint: format!("remove it here and set {home} in the profile"),
        span: None,
        more: Vec::new(),
    })
}

/// The path of a stage's table.
pub(super) fn stage_table(stage: &str) -> KeyPath {
    KeyPath::dotted("stage").child(stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_kind() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            assert!(key.kind.check_text(key.default).is_ok(), "{}", key.path);
        }
    }

    #[test]
    fn every_guard_is_a_key() {
        for key in KEYS {
            if let Some(only) = key.only {
                assert!(KEYS.iter().any(|other| other.path == only.key), "{}", key.path);
            }
        }
    }
}
