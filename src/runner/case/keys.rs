//! Every key of a `case.toml`: where it stands, what it holds, what it means.

use std::fmt::Write;
use std::sync::LazyLock;

use crate::profile::kind::Kind;
use crate::profile::schema::{Key, Schema, key};
use crate::profile::word::Words;

/// The schema of cases.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(KEYS, |_| None, false));

macro_rules! ends {
    ($name:ident, $stage:literal, $known:expr) => {
        static $name: Words =
            Words { code: "unknown-end", what: concat!("an end of the ", $stage, " stage"), known: &$known, later: &[] };
    };
}

ends!(INGEST, "ingest", ["ok", "failed", "skipped"]);
ends!(MODEL, "model", ["ok", "blocked", "skipped"]);
ends!(OMS, "oms", ["ok", "blocked", "skipped", "halted"]);
ends!(ALERT, "alert", ["ok", "skipped"]);

const ROWS: Kind = Kind::Count(0, 1_000_000_000);

#[rustfmt::skip] // One row a key reads better than rustfmt's blocks.
pub static KEYS: &[Key] = &[
    key("clock", Kind::Time, "", "What time it is. The clock stands still until a step moves it.").required(),
    key("profile", Kind::Name, "", "The profile, always on the paper venue.").required(),
    key("pipeline", Kind::Name, "", "The pipeline; the profile names one when this does not."),
    key("set", Kind::Settings, "", "Values for keys of both, like --set: { \"limits.max_total_notional\" = \"100\" }."),

    key("step.#.name", Kind::Text, "", "What the step shows, as a sentence.").required(),
    key("step.#.clock", Kind::Time, "", "Moves the clock, for this step and those after it."),
    key("step.#.bars", Kind::Text, "", "A kline file whose bars come in with this step."),
    key("step.#.bars.@", Kind::Text, "", "The same by symbol: { \"BTC/USDT\" = \"btc.csv\" }."),
    key("step.#.signals", Kind::Text, "", "A CSV that takes the model's place: time,symbol,target[,notional]; time is a close."),
    key("step.#.expect.ingest", Kind::Word(&INGEST), "", "How ingest must end: ok; failed, the bars cannot be read or break the contract; skipped."),
    key("step.#.expect.model", Kind::Word(&MODEL), "", "How the model must end: ok; blocked, ingest failed; skipped, it is disabled or nothing is new."),
    key("step.#.expect.oms", Kind::Word(&OMS), "", "How the OMS must end: the same, or halted, the kill switch is latched."),
    key("step.#.expect.alert", Kind::Word(&ALERT), "", "How alerts must end: ok, or skipped."),
    key("step.#.golden.alerts", Kind::Text, "", "Alerts that go out, one a line."),
    key("step.#.golden.orders", Kind::Text, "", "Orders that ended in the step or are open at its end."),
    key("step.#.golden.refusals", Kind::Text, "", "What the risk gate refused, with its numbers."),
    key("step.#.golden.fills", Kind::Text, "", "Fills."),
    key("step.#.golden.equity", Kind::Text, "", "The account at each recorded close."),
    key("step.#.golden.decisions", Kind::Text, "", "What the model said."),
    key("step.#.golden.quarantine", Kind::Text, "", "Rows that ingest refused."),
    key("step.#.golden.summary", Kind::Text, "", "The account's figures after the step."),
    key("step.#.exact", Kind::Texts, "", "Columns compared as decimals: 50 is 50.00, and nothing else."),
    key("step.#.tolerance.?", Kind::Float(0.0, 1e9), "", "By column: how far off a number may be, times the golden's size above 1."),
    key("step.#.min_rows", ROWS, "", "Rows that each output must have; 1 when not written."),
    key("step.#.min_rows.alerts", ROWS, "", "The same for one output."),
    key("step.#.min_rows.orders", ROWS, "", "The same for one output."),
    key("step.#.min_rows.refusals", ROWS, "", "The same for one output."),
    key("step.#.min_rows.fills", ROWS, "", "The same for one output."),
    key("step.#.min_rows.equity", ROWS, "", "The same for one output."),
    key("step.#.min_rows.decisions", ROWS, "", "The same for one output."),
    key("step.#.min_rows.quarantine", ROWS, "", "The same for one output."),
    key("step.#.min_rows.summary", ROWS, "", "The same for one output."),
];

/// The keys with their meanings, as `--help` shows them.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for key in KEYS.iter().filter(|key| !key.path.starts_with("step.#.min_rows.")) {
        let name = key.path.replace("step.#.", "").replace(".@", ".\"BTC/USDT\"").replace(".?", ".<column>");
        let place = if key.path.starts_with("step.#.") { "  " } else { "" };
        if key.path == "step.#.name" {
            text.push_str("[[step]]\n");
        }
        let _ = writeln!(text, "{place}{name}\n{place}    {}", key.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::case::Output;

    #[test]
    fn every_output_can_be_a_golden_and_have_a_count_of_its_own() {
        for output in Output::ALL {
            for path in [format!("step.#.golden.{}", output.name()), format!("step.#.min_rows.{}", output.name())] {
                assert!(KEYS.iter().any(|key| key.path == path), "{path}");
            }
        }
        assert!(reference().contains("[[step]]\n  name\n"));
    }
}
