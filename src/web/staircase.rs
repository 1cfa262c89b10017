//! A staircase: what a ladder allowed, slot by slot, and what held it or took it back.

use std::fmt::Write;

use super::markup::escaped;
use crate::escalation::{Ladder, Week};
use crate::perf::rolling::date;

const LEFT: usize = 70;
const TOP: usize = 34;
const ROW: usize = 34;
const COLUMN: usize = 14;
const BAR: usize = 12;
const LEGEND: usize = 58;
/// Slots that one label of the time line stands for.
const LABEL_EVERY: usize = 8;

const STYLE: &str = ".st{--ink:#1b1f24;--soft:#59636e;--line:#d0d7de;--up:#2f7d5b;--held:#c98a1b;--kill:#b3261e;\
font-family:system-ui,sans-serif;font-size:11px}@media (prefers-color-scheme:dark){.st{--ink:#e6edf3;--soft:#9aa4af;\
--line:#3d444d;--up:#4fb286;--held:#e0a93f;--kill:#f2796f;background:#0d1117}}.st text{fill:var(--ink)}.st .s{fill:var(--soft)}\
.st .h{font-size:13px;font-weight:600}.st .g{stroke:var(--line)}.st .up{fill:var(--up)}.st .held{fill:var(--held)}\
.st .kill{fill:var(--kill)}.st .n{text-anchor:end}";

/// What a column is, for its colour and for those who see none.
fn kind(week: &Week) -> (&'static str, &'static str) {
    if week.restarted.is_some() {
        ("kill", "taken back by a kill")
    } else if week.held_by.is_empty() {
        ("up", if week.after > week.before { "a step up" } else { "at the top" })
    } else {
        ("held", "held")
    }
}

/// The picture, complete in itself. WEB-1.
#[must_use]
pub fn svg(profile: &str, currency: &str, ladder: &Ladder, weeks: &[Week]) -> String {
    let rungs = ladder.rungs().len();
    let (width, floor) = (LEFT + weeks.len().max(24) * COLUMN + 12, TOP + rungs * ROW);
    let height = floor + LEGEND;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"st\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Steps of the ladder\">\n<style>{STYLE}</style>\n\
         <text class=\"h\" x=\"8\" y=\"18\">{}: {} in {}</text>\n",
        escaped(profile),
        ladder.raise().name(),
        escaped(currency),
    );
    for (at, rung) in ladder.rungs().iter().enumerate() {
        let y = floor - at * ROW - ROW / 2;
        let _ = writeln!(
            out,
            "<path class=\"g\" d=\"M{LEFT} {y}H{}\"/><text class=\"n\" x=\"{}\" y=\"{}\">{}</text>",
            width - 8,
            LEFT - 8,
            y + 4,
            ladder.raise().get(rung)
        );
    }
    for (at, week) in weeks.iter().enumerate() {
        column(&mut out, at, week, floor);
    }
    let legend = [("up", "a step up, or at the top"), ("held", "held by a gate"), ("kill", "taken back by a kill")];
    for (at, (class, words)) in legend.into_iter().enumerate() {
        let (x, y) = (LEFT + at * 170, floor + 38);
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"/><text x=\"{}\" y=\"{}\">{words}</text>",
            x + 16,
            y + 9
        );
    }
    out.push_str("</svg>\n");
    out
}

fn column(out: &mut String, at: usize, week: &Week, floor: usize) {
    let (class, words) = kind(week);
    let (x, height) = (LEFT + at * COLUMN, week.after as usize * ROW + ROW / 2);
    let day = date(week.slot.utc_day());
    let why = if class != "held" { String::new() } else { format!(" by {}", week.held_by.join(", ")) };
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{BAR}\" height=\"{height}\"><title>{day}: step {}, {}, {words}{}</title></rect>",
        floor - height,
        week.after,
        week.limit,
        escaped(&why)
    );
    if at.is_multiple_of(LABEL_EVERY) {
        let _ = writeln!(out, "<text class=\"s\" x=\"{x}\" y=\"{}\">{day}</text>", floor + 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;
    use crate::escalation::Raised;
    use crate::risk::testing::limits;

    fn week(slot: i64, before: u32, after: u32, held_by: &[&str], restarted: Option<Time>) -> Week {
        Week {
            slot: Time::start_of_day(slot),
            before,
            after,
            restarted,
            held_by: held_by.iter().map(|name| (*name).to_owned()).collect(),
            readings: Vec::new(),
            limit: "50".parse().unwrap(),
        }
    }

    /// WEB-2, WEB-3.
    #[test]
    fn a_column_a_slot_with_its_reason_and_no_foreign_markup() {
        let ladder = Ladder::new(Raised::NotionalPerOrder, 2, "500".parse().unwrap(), &[], &limits()).unwrap();
        let weeks = [
            week(20_000, 0, 1, &[], None),
            week(20_007, 1, 1, &["<quiet>"], None),
            week(20_014, 1, 0, &["sharpe"], Some(Time::start_of_day(20_010))),
        ];
        let drawn = svg("<b>x", "USDT", &ladder, &weeks);
        assert_eq!(drawn, svg("<b>x", "USDT", &ladder, &weeks));
        assert!(drawn.contains("&lt;b&gt;x: max_notional_per_order in USDT") && !drawn.contains("<b>"), "{drawn}");
        assert!(drawn.contains("2024-10-11: step 1, 50, held by &lt;quiet&gt;"), "{drawn}");
        for (class, count) in [("up", 2), ("held", 2), ("kill", 2)] {
            assert_eq!(drawn.matches(&format!("<rect class=\"{class}\"")).count(), count, "{class}");
        }
        assert!(drawn.contains("<text class=\"n\" x=\"62\" y=\"55\">"), "the target has its line: {drawn}");
    }
}
