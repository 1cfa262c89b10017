//! Rules for a Prometheus of one's own: those of a profile in its language, and those that only somebody outside can see.

use std::fmt::Write;

use serde_json::Value;

use crate::domain::Span;
use crate::telemetry::metrics;

/// A rule of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: String,
    pub severity: String,
    pub metric: String,
    /// As the profile writes it: a comparison, or one of the increase over the window.
    pub op: String,
    pub value: f64,
    pub for_: Option<Span>,
    pub window: Option<Span>,
}

/// What a program that has died cannot tell, and what everybody wants to be told twice.
const ALWAYS: [(&str, &str, &str, &str, &str); 3] = [
    ("TidegateSilent", "time() - heartbeat_timestamp_seconds > 60", "0s", "critical", "The loop has not turned for a minute."),
    ("TidegateGone", "up{job=~\"tidegate.*\"} == 0", "1m", "critical", "Nobody answers at the program's address."),
    ("TidegateHalted", "halted == 1", "0s", "critical", "Trading is halted; only `tidegate resume` clears it."),
];

/// The file that `promtool check rules` takes.
#[must_use]
pub fn rules(profile: &str, rules: &[Rule]) -> String {
    let mut text = format!("# Made from the catalogue of metrics and profile {profile}; make it anew when either changes.\n");
    text.push_str("groups:\n  - name: tidegate\n    rules:\n");
    for (name, query, for_, severity, summary) in ALWAYS {
        rule(&mut text, name, query, for_, severity, summary);
    }
    for of in rules {
        let for_ = of.for_.map_or_else(|| "0s".to_owned(), duration);
        rule(
            &mut text,
            &camel(&of.name),
            &query(of),
            &for_,
            &of.severity,
            metrics::find(&of.metric).map_or("", |metric| metric.help),
        );
    }
    text
}

fn rule(text: &mut String, name: &str, query: &str, for_: &str, severity: &str, summary: &str) {
    let quoted = |word: &str| Value::from(word).to_string();
    let _ = write!(
        text,
        "      - alert: {name}\n        expr: {}\n        for: {for_}\n        labels:\n          severity: {severity}\n        annotations:\n          summary: {}\n",
        quoted(query),
        quoted(summary),
    );
}

fn query(rule: &Rule) -> String {
    match rule.op.strip_prefix("increase") {
        Some(op) => {
            let window = rule.window.map_or_else(|| "5m".to_owned(), duration);
            format!("increase({}[{window}]) {op} {}", rule.metric, rule.value)
        }
        None => format!("{} {} {}", rule.metric, rule.op, rule.value),
    }
}

/// As Prometheus writes it.
fn duration(span: Span) -> String {
    format!("{}ms", span.micros() / 1000)
}

/// `missing-bars` as Prometheus users name alerts: `MissingBars`.
fn camel(name: &str) -> String {
    let word = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split(['-', '_']).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_a_profile_is_one_of_prometheus() {
        let increase = Rule {
            name: "risk-fetch".to_owned(),
            severity: "critical".to_owned(),
            metric: "risk_fetch_failures_total".to_owned(),
            op: "increase>=".to_owned(),
            value: 3.0,
            for_: None,
            window: Some(Span::from_secs(300)),
        };
        let above = Rule {
            name: "missing-bars".to_owned(),
            metric: "data_missing_bars_ratio".to_owned(),
            op: ">".to_owned(),
            value: 0.0,
            for_: Some(Span::from_secs(600)),
            window: None,
            ..increase.clone()
        };
        let text = rules("canary", &[increase, above]);
        assert!(
            text.contains("alert: RiskFetch\n        expr: \"increase(risk_fetch_failures_total[300000ms]) >= 3\"\n"),
            "{text}"
        );
        assert!(
            text.contains("alert: MissingBars\n        expr: \"data_missing_bars_ratio > 0\"\n        for: 600000ms\n"),
            "{text}"
        );
        assert_eq!(text.matches("- alert:").count(), 5);
    }
}
