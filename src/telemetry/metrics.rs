//! The catalogue of metrics: every name that rules may watch and that is exported, once.
//!
//! Names and units follow the conventions of Prometheus: base units, `_total` for what only grows. `data check --metrics` exports what it
//! knows; a rule on a name that is not here could never fire, and is refused.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Only grows, until the program starts again.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub moves: Moves,
    pub labels: &'static [&'static str],
    /// One sentence for a person, with the unit.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, moves: Moves::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, moves: Moves::Gauge, labels, help }
}

const BARS: &[&str] = &["symbol", "interval"];

/// Every metric, by what it is about.
#[rustfmt::skip] // A table.
pub const METRICS: &[Metric] = &[
    gauge("data_missing_bars_ratio", BARS, "Bars missing of those that the contract's window should hold, 0 to 1."),
    gauge("data_dup_ratio", BARS, "Rows that repeated a bar, of the rows taken in, 0 to 1."),
    gauge("data_outliers_count", BARS, "Rows in quarantine for their values, and bars with a bad print."),
    gauge("data_last_close_timestamp_seconds", BARS, "Close time of the newest bar, Unix seconds."),
    counter("stage_timeouts_total", &["pipeline", "stage"], "Stages that took longer than their timeout."),
    counter("stage_failures_total", &["pipeline", "stage"], "Stages that failed for any cause."),
    gauge("stage_duration_seconds", &["pipeline", "stage"], "How long the stage took in the last run, seconds."),
    counter("runs_skipped_total", &["pipeline", "reason"], "Runs that were due and did not happen."),
    gauge("venue_up", &["venue"], "1 while the venue answers, else 0."),
    gauge("venue_clock_skew_seconds", &["venue"], "Our clock minus the venue's, seconds."),
    counter("risk_fetch_failures_total", &["venue"], "Times that balances or positions could not be fetched."),
    counter("orders_sent_total", &["pipeline"], "Orders sent to the venue."),
    counter("orders_refused_total", &["pipeline", "check"], "Orders that the gate refused, by the check."),
    counter("orders_rejected_total", &["pipeline"], "Orders that the venue rejected."),
    counter("fills_total", &["pipeline"], "Fills, partial ones included."),
    gauge("order_round_trip_seconds", &["venue"], "The last order's round trip, seconds."),
    gauge("slippage_bps", &["symbol"], "The last fill against its reference, basis points; positive is worse."),
    gauge("limit_used_ratio", &["limit"], "Use of a limit, 0 to 1."),
    gauge("exposure_notional", &["symbol"], "Position plus open orders at worst case, in the limits' currency."),
    gauge("equity", &["pipeline"], "Cash plus positions at the last close, in the limits' currency."),
    gauge("drawdown_daily_ratio", &["pipeline"], "Fall of equity from the day's high-water mark, 0 to 1."),
    gauge("drawdown_weekly_ratio", &["pipeline"], "Fall of equity from the week's high-water mark, 0 to 1."),
    gauge("sharpe_ratio", &["window"], "Annualised Sharpe ratio of the window."),
    gauge("halted", &["pipeline"], "1 while trading is halted, else 0."),
    counter("kill_events_total", &["cause"], "Times that trading was halted."),
    gauge("ladder_step", &[], "The applied step of the escalation ladder; 0 is its start."),
    gauge("model_age_seconds", &["model"], "Time since the model was trained, seconds."),
    counter("alerts_total", &["severity"], "Alerts raised."),
    gauge("alerts_unresolved", &["severity"], "Alerts that stand unresolved."),
    gauge("reconciled", &["pipeline"], "1 while the account was compared with the venue's and fits, else 0."),
    gauge("open_orders", &["pipeline"], "Orders that have not ended."),
    gauge("schedule_next_timestamp_seconds", &["pipeline"], "When the pipeline is due next, Unix seconds."),
    gauge("build_info", &["version", "profile", "mode"], "1; its labels say what runs."),
    gauge("heartbeat_timestamp_seconds", &[], "The loop's last turn, Unix seconds."),
];

/// Their names.
pub const NAMES: [&str; METRICS.len()] = {
    let mut names = [""; METRICS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = METRICS[at].name;
        at += 1;
    }
    names
};

/// The metric of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        for (at, metric) in METRICS.iter().enumerate() {
            let name = metric.name;
            assert!(METRICS[..at].iter().all(|other| other.name != name), "{name} is written twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.moves == Moves::Counter, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }
}
