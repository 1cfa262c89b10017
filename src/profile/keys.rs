//! Every key of a profile: where it stands, what it holds, what it means.

use std::sync::{Arc, LazyLock};

use super::kind::Kind;
use super::layer::Layer;
use super::schema::{Key, Schema, key};
use super::word::Words;
use crate::telemetry::metrics;

/// The schema of profiles.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(KEYS, |_| None, true));

/// The lowest layer of every profile.
pub static DEFAULTS: LazyLock<Arc<Layer>> = LazyLock::new(|| Arc::new(Layer::defaults(&SCHEMA)));

macro_rules! words {
    ($name:ident, $code:literal, $what:literal, $known:expr, $later:expr) => {
        pub static $name: Words = Words { code: $code, what: $what, known: &$known, later: &$later };
    };
}

words!(MODES, "unknown-word", "a mode", ["paper", "live"], []);
words!(VENUES, "unknown-venue", "a venue", ["paper", "binance"], []);
words!(DENY, "unknown-word", "allowed here", ["deny"], []);
words!(BASES, "unknown-word", "a drawdown basis", ["equity"], []);
words!(DATA_GAPS, "unknown-word", "an answer to a data gap", ["deny", "warn"], []);
words!(DRAWDOWN_ACTIONS, "unknown-word", "an action on drawdown", ["halt", "pause"], []);
words!(LATENCY_ACTIONS, "unknown-word", "an action on latency", ["pause"], []);
words!(COMPRESSIONS, "unknown-word", "a compression", ["zstd", "none"], []);
words!(MODEL_ALIASES, "unknown-word", "a model alias", ["champion", "challenger", "previous"], []);
words!(APPROVALS, "unknown-word", "a kind of approval", ["manual", "auto"], []);
words!(AFTER_KILL, "unknown-word", "an answer to a kill", ["restart", "hold"], []);
words!(OPERATORS, "unknown-operator", "a comparison", [">", ">=", "<", "<=", "==", "!="], []);
words!(RULE_OPERATORS, "unknown-operator", "a comparison", [">", ">=", "<", "<=", "==", "!=", "increase>=", "increase>"], []);
words!(GATE_METRICS, "unknown-metric", "a metric that gates know", ["sharpe", "kill_events", "alerts_unresolved_critical"], []);
words!(METRICS, "unknown-metric", "a metric that is exported", metrics::NAMES, []);
words!(CHECKS, "unknown-check", "a preflight check", ["bars", "http", "alert-roundtrip", "oms-dry-run", "kill-drill"], []);
words!(HTTP_TARGETS, "unknown-word", "a target", ["metrics"], []);
words!(ROLLBACK_CAUSES, "unknown-word", "a cause of a rollback", ["manual", "alert-unresolved"], []);
words!(
    ROLLBACK_STEPS,
    "unknown-step",
    "a rollback step",
    ["pause-loop", "close-all-positions", "restore-previous-champion", "reset-escalation"],
    []
);
words!(RECEIVERS, "unknown-receiver-kind", "a kind of receiver", ["slack", "smtp", "webhook"], []);
words!(SEVERITIES, "unknown-severity", "a severity", ["info", "warning", "critical"], []);
words!(DIAGNOSES, "unknown-diagnosis", "a diagnosis", ["dns", "tcp", "auth", "venue-status", "data", "risk"], []);
words!(THEN, "unknown-word", "a consequence", ["rollback", "halt", "none"], []);
words!(
    RAISABLE,
    "unknown-limit",
    "a limit that a ladder can raise",
    ["max_notional_per_order", "max_position_notional", "max_total_notional", "max_daily_turnover"],
    []
);

const ANY_ORDER: Kind = Kind::Count(0, 1_000_000);
const RECEIVER_KIND: &str = "alerts.receiver.*.kind";
const CHECK_KIND: &str = "preflight.check.*.kind";
const SMTP: [&str; 1] = ["smtp"];

#[rustfmt::skip] // One row a key reads better than rustfmt's blocks.
pub static KEYS: &[Key] = &[
    key("profile.schema", Kind::Count(1, 1), "1", "Version of this language."),
    key("profile.abstract", Kind::Bool, "false", "An abstract profile is inherited and cannot be picked."),
    key("profile.inherits", Kind::Name, "", "The one parent, a file of the same folder."),
    key("profile.mode", Kind::Word(&MODES), "paper", "Whether orders reach a real venue."),
    key("profile.pipeline", Kind::Name, "", "The pipeline that runs when none is named.").required(),

    key("caps.max_notional_per_order", Kind::Money, "10000", "Upper bound of the limit of the same name."),
    key("caps.max_total_notional", Kind::Money, "50000", "Upper bound of the limit of the same name."),
    key("caps.max_dd_daily", Kind::Fraction, "0.10", "Upper bound of the limit of the same name."),
    key("caps.max_dd_weekly", Kind::Fraction, "0.20", "Upper bound of the limit of the same name."),
    key("caps.latency_threshold", Kind::Span, "10s", "Upper bound of the limit of the same name."),
    key("caps.max_orders_per_minute", Kind::Count(0, u32::MAX as u64), "30", "Upper bound of the limit of the same name."),
    key("caps.price_collar", Kind::Fraction, "0.05", "Upper bound of the limit of the same name."),

    key("floors.escalation_every", Kind::Span, "7d", "The shortest time between two steps of the ladder."),
    key("floors.escalation_quiet", Kind::Span, "7d", "The shortest kill-free time before a step."),
    key("floors.sharpe_window", Kind::Span, "30d", "The shortest window of a Sharpe gate."),
    key("floors.sharpe_min_samples", Kind::Count(1, 100_000), "30", "The fewest samples of a Sharpe gate."),

    key("limits.currency", Kind::Text, "", "The currency that all money here is in.").required(),
    key("limits.max_notional_per_order", Kind::Money, "0", "The notional of one order that adds exposure."),
    key("limits.max_position_notional", Kind::Money, "0", "Position plus open orders of one symbol, at worst case."),
    key("limits.max_total_notional", Kind::Money, "0", "Positions plus open orders of all symbols, at worst case."),
    key("limits.max_daily_turnover", Kind::Money, "0", "Notional filled in one UTC day, both sides."),
    key("limits.max_dd_daily", Kind::Fraction, "0.0", "Loss from the day's high-water mark that trips the kill switch."),
    key("limits.max_dd_weekly", Kind::Fraction, "0.0", "Loss from the ISO week's high-water mark that trips the kill switch."),
    key("limits.latency_threshold", Kind::SpanOrZero, "0s", "Order round trips above this count toward the latency pause.").later(),
    key("limits.max_orders_per_minute", Kind::Count(0, u32::MAX as u64), "0", "Orders sent in any minute."),
    key("limits.max_orders_per_day", Kind::Count(0, u32::MAX as u64), "0", "Orders sent in one UTC day."),
    key("limits.max_open_orders", Kind::Count(0, 10_000), "0", "Orders open at the same time."),
    key("limits.max_participation", Kind::Fraction, "0.0", "Share of the last closed bar's volume that one order may ask for."),
    key("limits.price_collar", Kind::Fraction, "0.0", "Distance of an order's price from the reference price."),

    key("risk.symbols", Kind::Symbols, "[]", "Symbols that may be traded; empty means those of the pipeline."),
    key("risk.on_unresolved", Kind::Word(&DENY), "deny", "What happens while a check cannot be answered.").sealed(),
    key("risk.duplicate_window", Kind::SpanOrZero, "2s", "A second order of one symbol and side within this time is a duplicate."),
    key("risk.max_bar_age", Kind::BarAge, "2 bars", "A decision on an older bar is stale."),
    key("risk.data_gap", Kind::Word(&DATA_GAPS), "deny", "What a hole inside the model's window does to new orders."),
    key("risk.drawdown_basis", Kind::Word(&BASES), "equity", "Cash plus positions at the last close, fees paid.").sealed(),
    key("risk.max_reference_move", Kind::Fraction, "0.10", "A move between two closes beyond which the reference is not trusted."),
    key("risk.max_repeated_orders", Kind::Count(1, 10_000), "5", "Orders of one symbol and side in a row."),
    key("risk.on_drawdown.action", Kind::Word(&DRAWDOWN_ACTIONS), "halt", "What a tripped drawdown limit does."),
    key("risk.on_drawdown.pause_for", Kind::PauseFor, "day", "How long a pause lasts; \"day\" is until the next UTC day."),
    key("risk.on_drawdown.flatten", Kind::Bool, "true", "Close positions at the next opportunity."),
    key("risk.on_latency.window", Kind::Count(1, 1000), "3", "Readings in a row above the threshold.").later(),
    key("risk.on_latency.action", Kind::Word(&LATENCY_ACTIONS), "pause", "No new exposure; exits go on.").later(),
    key("risk.on_latency.pause_for", Kind::Span, "5m", "How long the pause lasts.").later(),

    key("storage.root", Kind::Text, "data/lake", "Where bars are kept: a folder, or an object store's URL."),
    key("storage.runs", Kind::Text, "runs", "Where runs write what they did."),
    key("storage.compression", Kind::Word(&COMPRESSIONS), "zstd", "How Parquet pages are compressed.").later(),
    key("storage.s3.endpoint", Kind::Text, "", "The service of a bucket, where it is not Amazon's own."),
    key("storage.s3.region", Kind::Text, "us-east-1", "The region of a bucket."),
    key("storage.s3.access_key", Kind::Secret, "", "The key's name at the service."),
    key("storage.s3.secret_key", Kind::Secret, "", "The key's secret."),
    key("storage.s3.token", Kind::Secret, "", "What a temporary key comes with."),

    key("models.registry", Kind::Text, "runs/models.db", "Where registered models are kept.").later(),
    key("models.use", Kind::Word(&MODEL_ALIASES), "champion", "Which version of a registered model decides.").later(),
    key("models.verify_hash", Kind::Bool, "true", "Refuse an artefact whose hash differs.").later(),
    key("models.max_age", Kind::Span, "30d", "A model trained longer ago makes no signal.").later(),
    key("metrics.listen", Kind::Text, "127.0.0.1:8000", "Where /metrics and the dashboard are served."),
    key("clock.tz", Kind::Text, "UTC", "The time zone of wall-clock schedules."),
    key("clock.max_skew", Kind::Span, "250ms", "The greatest distance of our clock from the venue's."),

    key("stages.ingest.enabled", Kind::Bool, "true", "Whether the pipeline's ingest stage runs."),
    key("stages.model.enabled", Kind::Bool, "true", "Whether the pipeline's model stage runs."),
    key("stages.oms.enabled", Kind::Bool, "true", "Whether the pipeline's OMS stage runs."),
    key("stages.oms.venue", Kind::Word(&VENUES), "paper", "Where orders go."),
    key("stages.alert.enabled", Kind::Bool, "true", "Whether the pipeline's alert stage runs."),

    key("venue.paper.equity", Kind::Money, "1000", "Cash at the start."),
    key("venue.paper.maker_bps", Kind::Bps, "10", "Fee of a fill that rested."),
    key("venue.paper.taker_bps", Kind::Bps, "10", "Fee of a fill that took."),
    key("venue.paper.slippage_bps", Kind::Bps, "5", "How much worse than the open a market order fills."),
    key("venue.paper.price_tick", Kind::Price, "0", "Prices of limit orders are multiples of this; 0 is no rule."),
    key("venue.paper.qty_step", Kind::Qty, "0.00001", "Quantities are multiples of this; 0 is no rule."),
    key("venue.paper.min_notional", Kind::Money, "5", "A smaller order is rejected; 0 is no rule."),
    key("venue.paper.instrument.@.price_tick", Kind::Price, "", "The price tick of one symbol."),
    key("venue.paper.instrument.@.qty_step", Kind::Qty, "", "The quantity step of one symbol."),
    key("venue.paper.instrument.@.min_notional", Kind::Money, "", "The least notional of an order of one symbol."),
    key("venue.binance.base_url", Kind::Text, "https://api.binance.com", "The venue's address, from an allow-list."),
    key("venue.binance.api_key", Kind::Secret, "", "The key's name at the venue."),
    key("venue.binance.api_secret", Kind::Secret, "", "The key's secret."),
    key("venue.binance.order_timeout", Kind::Span, "12s", "After this an order without reply is unknown."),

    key("escalation.enabled", Kind::Bool, "false", "Whether the ladder may raise limits."),
    key("escalation.raise", Kind::Word(&RAISABLE), "", "The limit that each step multiplies."),
    key("escalation.multiply", Kind::Count(1, 1000), "2", "What each step multiplies by."),
    key("escalation.target", Kind::Money, "", "The last step clamps here."),
    key("escalation.scale_with", Kind::WordList(&RAISABLE), "[]", "Limits that follow by the same exact ratio."),
    key("escalation.every", Kind::Span, "7d", "Time between two slots."),
    key("escalation.at", Kind::Text, "Mon 09:00", "Weekday and time of a slot."),
    key("escalation.approval", Kind::Word(&APPROVALS), "manual", "Who approves a step."),
    key("escalation.plan_expires_after", Kind::Span, "24h", "How long a plan can be applied."),
    key("escalation.after_kill", Kind::Word(&AFTER_KILL), "restart", "Where the ladder stands after a kill."),
    key("escalation.gate.*.enabled", Kind::Bool, "true", "false removes an inherited gate."),
    key("escalation.gate.*.metric", Kind::Word(&GATE_METRICS), "", "What is measured.").required(),
    key("escalation.gate.*.window", Kind::Span, "", "Over how long."),
    key("escalation.gate.*.op", Kind::Word(&OPERATORS), "", "How it is compared.").required(),
    key("escalation.gate.*.value", Kind::Float(-1e9, 1e9), "", "With what.").required(),
    key("escalation.gate.*.min_samples", Kind::Count(1, 100_000), "", "Fewer samples are unknown, and unknown holds."),
    key("escalation.gate.*.annualise_days", Kind::Count(1, 366), "365", "Trading days of a year."),

    key("preflight.require_all", Kind::Bool, "true", "Every check must pass before live trading.").sealed(),
    key("preflight.check.*.enabled", Kind::Bool, "true", "false removes an inherited check."),
    key("preflight.check.*.order", ANY_ORDER, "", "Checks run in this order.").required(),
    key("preflight.check.*.kind", Kind::Word(&CHECKS), "", "What is checked.").required(),
    key("preflight.check.*.valid_for", Kind::Span, "", "How long a pass counts.").required(),
    key("preflight.check.*.timeout", Kind::Span, "10s", "The longest a check may take.").only(CHECK_KIND, &["http", "oms-dry-run"]),
    key("preflight.check.*.lookback", Kind::Span, "", "How far back bars must be complete.").required().only(CHECK_KIND, &["bars"]),
    key("preflight.check.*.missing_bars", Kind::Count(0, 1_000_000), "0", "Holes allowed.").only(CHECK_KIND, &["bars"]),
    key("preflight.check.*.target", Kind::Word(&HTTP_TARGETS), "", "What must answer.").required().only(CHECK_KIND, &["http"]),
    key("preflight.check.*.receivers", Kind::Names, "", "Who is sent a code.").required().only(CHECK_KIND, &["alert-roundtrip"]),
    key("preflight.check.*.ack_within", Kind::Span, "", "The code must be typed back within.").required().only(CHECK_KIND, &["alert-roundtrip"]),
    key("preflight.check.*.notional", Kind::Money, "", "The order's size.").required().only(CHECK_KIND, &["oms-dry-run"]),
    key("preflight.check.*.quiet_within", Kind::Span, "", "The kill must be complete within.").required().only(CHECK_KIND, &["kill-drill"]),

    key("rollback.on", Kind::WordList(&ROLLBACK_CAUSES), "manual", "What may start a rollback; a person always may."),
    key("rollback.step.*.enabled", Kind::Bool, "true", "false removes an inherited step."),
    key("rollback.step.*.order", ANY_ORDER, "", "Steps run in this order.").required(),
    key("rollback.step.*.do", Kind::Word(&ROLLBACK_STEPS), "", "What the step does.").required(),
    key("rollback.step.*.timeout", Kind::Span, "1m", "The longest the step may take."),

    key("alerts.repeat_every", Kind::Span, "30m", "The same alert is not sent again before this has passed."),
    key("alerts.fallback", Kind::Name, "", "The receiver that takes what another could not deliver."),
    key("alerts.receipt_within", Kind::Span, "60s", "A message without receipt after this goes to the fallback."),
    key("alerts.receiver.*.enabled", Kind::Bool, "true", "false removes an inherited receiver."),
    key("alerts.receiver.*.kind", Kind::Word(&RECEIVERS), "", "How the receiver is reached.").required(),
    key("alerts.receiver.*.url", Kind::Secret, "", "Where messages are posted.").required().only(RECEIVER_KIND, &["slack", "webhook"]),
    key("alerts.receiver.*.key", Kind::Secret, "", "Signs each message: HMAC-SHA256 in x-tidegate-signature.").only(RECEIVER_KIND, &["webhook"]),
    key("alerts.receiver.*.host", Kind::Text, "", "The mail server.").required().only(RECEIVER_KIND, &SMTP),
    key("alerts.receiver.*.port", Kind::Count(1, 65_535), "587", "Its port.").only(RECEIVER_KIND, &SMTP),
    key("alerts.receiver.*.from", Kind::Text, "", "The sender's address.").required().only(RECEIVER_KIND, &SMTP),
    key("alerts.receiver.*.to", Kind::Texts, "", "Addresses that get the mail.").required().only(RECEIVER_KIND, &SMTP),
    key("alerts.receiver.*.user", Kind::Secret, "", "The account at the mail server.").required().only(RECEIVER_KIND, &SMTP),
    key("alerts.receiver.*.password", Kind::Secret, "", "Its password.").required().only(RECEIVER_KIND, &SMTP),
    key("alerts.route.*.enabled", Kind::Bool, "true", "false removes an inherited route."),
    key("alerts.route.*.order", ANY_ORDER, "", "The first route that matches takes the alert.").required(),
    key("alerts.route.*.match.severity", Kind::Word(&SEVERITIES), "", "Matches this severity only."),
    key("alerts.route.*.receivers", Kind::Names, "", "Who is told.").required(),
    key("alerts.route.*.silenceable", Kind::Bool, "true", "Whether a person may silence it."),
    key("alerts.rule.*.enabled", Kind::Bool, "true", "false removes an inherited rule."),
    key("alerts.rule.*.severity", Kind::Word(&SEVERITIES), "", "How grave it is.").required(),
    key("alerts.rule.*.when.metric", Kind::Word(&METRICS), "", "The metric that is watched.").required(),
    key("alerts.rule.*.when.op", Kind::Word(&RULE_OPERATORS), "", "How it is compared.").required(),
    key("alerts.rule.*.when.value", Kind::Float(-1e18, 1e18), "", "With what.").required(),
    key("alerts.rule.*.when.for", Kind::Span, "", "How long it must hold."),
    key("alerts.rule.*.when.window", Kind::Span, "", "Over how long an increase is counted."),
    key("alerts.rule.*.diagnose", Kind::WordList(&DIAGNOSES), "[]", "Probes that run by themselves.").later(),
    key("alerts.rule.*.retry", Kind::Count(0, 10), "0", "Retries of an idempotent stage.").later(),
    key("alerts.rule.*.unresolved_after", Kind::Span, "", "After this the alert has consequences."),
    key("alerts.rule.*.then", Kind::Word(&THEN), "none", "The consequence."),
    key("alerts.deadman.url", Kind::Secret, "", "Pinged at each run's start, success and failure."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::bounds::CAPPED;
    use crate::risk::limits::hard;

    fn default_of(path: &str) -> String {
        let key = KEYS.iter().find(|key| key.path == path).expect("a key of the table");
        key.kind.check_text(key.default).expect("a default").to_string()
    }

    #[test]
    fn every_default_fits_its_kind() {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            assert!(key.kind.check_text(key.default).is_ok(), "{}", key.path);
        }
    }

    #[test]
    fn every_key_is_written_once_and_every_guard_is_a_key() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|other| other.path != key.path), "{} is written twice", key.path);
            assert!(key.only.is_none_or(|only| KEYS.iter().any(|other| other.path == only.key)), "{}", key.path);
            assert!(key.doc.ends_with('.') && !key.doc.is_empty(), "{}", key.path);
        }
    }

    #[test]
    fn the_compiled_caps_are_the_hard_ones() {
        assert_eq!(default_of("caps.max_notional_per_order"), format!("\"{}\"", hard::MAX_NOTIONAL_PER_ORDER));
        assert_eq!(default_of("caps.max_total_notional"), format!("\"{}\"", hard::MAX_TOTAL_NOTIONAL));
        assert_eq!(default_of("caps.max_orders_per_minute"), hard::MAX_ORDERS_PER_MINUTE.to_string());
        assert_eq!(default_of("caps.price_collar"), format!("{}", hard::PRICE_COLLAR));
        assert_eq!(default_of("caps.max_dd_daily"), format!("{}", hard::MAX_DD_DAILY));
        assert_eq!(default_of("floors.escalation_every"), format!("\"{}\"", hard::LADDER_EVERY));
    }

    #[test]
    fn every_cap_has_its_limit_and_every_limit_grants_nothing_by_default() {
        for name in CAPPED {
            assert!(KEYS.iter().any(|key| key.path == format!("limits.{name}")), "{name}");
        }
        assert_eq!(KEYS.iter().filter(|key| key.path.starts_with("caps.")).count(), CAPPED.len());
        for key in KEYS.iter().filter(|key| key.path.starts_with("limits.") && key.path != "limits.currency") {
            assert!(["0", "0.0", "0s"].contains(&key.default), "{}", key.path);
        }
    }
}
