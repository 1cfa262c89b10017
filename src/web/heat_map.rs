//! A calendar as a heat map: a row a month, a cell a day, darker the more bars are absent; what a colour says, a figure says too.

use std::fmt::Write;

use super::markup::escaped;

use crate::stage::ingest::{Calendar, Day};

/// The side of a cell and the space between two.
const CELL: i64 = 18;
const STEP: i64 = 20;
/// Where the first cell stands: behind the month, below the days' numbers.
const LEFT: i64 = 62;
const TOP: i64 = 40;
/// What the name above a chart takes up; a page has its own heading.
const HEADING: i64 = 20;
const DAYS_OF_MONTH_MAX: i64 = 31;
const WIDTH: i64 = LEFT + DAYS_OF_MONTH_MAX * STEP + 8;
const LEGEND_HEIGHT: i64 = 76;
/// The lower ends of the classes of absent shares; each has a colour.
const CLASSES: [(f64, &str); 6] =
    [(0.0, "whole"), (0.0, "up to 2 %"), (0.02, "to 10 %"), (0.10, "to 50 %"), (0.50, "above 50 %"), (1.0, "all absent")];
const LAST_CLASS: usize = CLASSES.len() - 1;

/// One series and its calendar.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    /// Foreign text: it is escaped.
    pub name: &'a str,
    pub calendar: &'a Calendar,
}

/// Colours of both themes, and the patterns. They stand once in a document, however many charts it has.
pub const STYLE: &str = "\
.hm{--ink:#1b1f24;--soft:#59636e;--edge:#8c959f;--c0:#d7e8dc;--c1:#fde3b4;--c2:#fbc26b;--c3:#ee8a3c;--c4:#c9502b;--c5:#7d1f1f;\
--on:#1b1f24;--over:#ffffff;--late:#3f6fb5;--mark:#5b2a86;font-family:system-ui,sans-serif;font-size:11px}\
@media (prefers-color-scheme:dark){.hm{--ink:#e6edf3;--soft:#9aa4af;--edge:#6e7781;--c0:#1f3d2c;--c1:#5c4613;--c2:#8a5a14;\
--c3:#b4621f;--c4:#d9653a;--c5:#f2a08c;--on:#f0f3f6;--over:#1b1f24;--late:#79a8e8;--mark:#d2a8ff}}\
.hm text{fill:var(--ink)}.hm .s{fill:var(--soft)}.hm .n{font-size:9px;text-anchor:middle;fill:var(--on)}\
.hm .o{fill:var(--over)}.hm .w{font-size:7.5px}.hm .h{font-size:13px;font-weight:600}\
.hm .c0{fill:var(--c0)}.hm .c1{fill:var(--c1)}.hm .c2{fill:var(--c2)}.hm .c3{fill:var(--c3)}.hm .c4{fill:var(--c4)}.hm .c5{fill:var(--c5)}\
.hm .l{fill:none;stroke:var(--late);stroke-width:2;stroke-dasharray:3 2}.hm .q{fill:var(--mark)}.hm .a{fill:url(#hm-accepted)}\
.hm .hatch{stroke:var(--edge);stroke-width:2}";

const DEFS: &str = "<defs><pattern id=\"hm-accepted\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V6\"/></pattern></defs>";

/// The charts below each other in one picture that needs nothing else. WEB-1.
#[must_use]
pub fn svg(charts: &[Chart<'_>]) -> String {
    let heights: Vec<i64> = charts.iter().map(|chart| height(chart.calendar)).collect();
    let all = heights.iter().sum::<i64>() + LEGEND_HEIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hm\" viewBox=\"0 0 {WIDTH} {all}\" width=\"{WIDTH}\" height=\"{all}\" \
         role=\"img\" aria-label=\"Calendar of bars\">\n<style>{STYLE}@media (prefers-color-scheme:dark){{svg.hm{{background:#0d1117}}}}\
         </style>\n{DEFS}\n"
    );
    let mut top = 0;
    for (chart, height) in charts.iter().zip(heights) {
        push_chart(&mut out, chart, top);
        top += height;
    }
    push_legend(&mut out, top);
    out.push_str("</svg>\n");
    out
}

/// One chart as an element of a page that has [`STYLE`] in its head.
pub(super) fn inline(chart: &Chart<'_>) -> String {
    let height = height(chart.calendar) - HEADING;
    let name = escaped(chart.name);
    let mut out = format!("<svg class=\"hm\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Calendar of {name}\">\n");
    push_days(&mut out, chart.calendar, -HEADING);
    out.push_str("</svg>\n");
    out
}

/// The legend as an element of a page, with the patterns that its charts use.
pub(super) fn inline_legend() -> String {
    let mut out =
        format!("<svg class=\"hm\" viewBox=\"0 0 {WIDTH} {LEGEND_HEIGHT}\" role=\"img\" aria-label=\"Legend\">\n{DEFS}\n");
    push_legend(&mut out, 0);
    out.push_str("</svg>\n");
    out
}

/// What a day is, in words: its tooltip, and its row in a table.
#[must_use]
pub fn said(day: &Day) -> String {
    let mut said = format!("{} of {} bars", day.there, day.due);
    for (count, what) in [(day.missing, "missing"), (day.late, "late"), (day.accepted, "accepted as absent")] {
        if count > 0 {
            let _ = write!(said, ", {count} {what}");
        }
    }
    if day.refused > 0 {
        let rows = if day.refused == 1 { "row" } else { "rows" };
        let _ = write!(said, ", {} {rows} refused", day.refused);
    }
    said
}

/// The class of a day by its absent share: 0 is whole, the last is nothing there.
#[must_use]
pub fn class_of(day: &Day) -> usize {
    let share = day.absent_share();
    if share <= 0.0 {
        return 0;
    }
    (1..=LAST_CLASS).rev().find(|at| if *at == LAST_CLASS { share >= 1.0 } else { share > CLASSES[*at].0 }).unwrap_or(1)
}

/// Year, month and day of the month.
fn date(day: &Day) -> (String, i64) {
    let text = day.start.to_string();
    (text[..7].to_owned(), text[8..10].parse().unwrap_or(1))
}

/// The months of a calendar with their days; one without a bar due is left out.
fn months(calendar: &Calendar) -> Vec<(String, Vec<(i64, &Day)>)> {
    let mut months: Vec<(String, Vec<(i64, &Day)>)> = Vec::new();
    for day in &calendar.days {
        let (month, number) = date(day);
        match months.last_mut().filter(|(last, _)| *last == month) {
            Some((_, days)) => days.push((number, day)),
            None => months.push((month, vec![(number, day)])),
        }
    }
    months
}

fn height(calendar: &Calendar) -> i64 {
    let months = i64::try_from(months(calendar).len()).unwrap_or(i64::MAX);
    TOP + months.max(1) * STEP + 14
}

fn push_chart(out: &mut String, chart: &Chart<'_>, top: i64) {
    let _ = writeln!(out, "<text class=\"h\" x=\"4\" y=\"{}\">{}</text>", top + 16, escaped(chart.name));
    push_days(out, chart.calendar, top);
}

fn push_days(out: &mut String, calendar: &Calendar, top: i64) {
    let months = months(calendar);
    if months.is_empty() {
        let _ = writeln!(out, "<text class=\"s\" x=\"4\" y=\"{}\">no bar was due</text>", top + TOP + 12);
        return;
    }
    for number in (1..=DAYS_OF_MONTH_MAX).filter(|number| *number == 1 || number % 5 == 0) {
        let x = LEFT + (number - 1) * STEP + CELL / 2;
        let _ = writeln!(out, "<text class=\"s\" text-anchor=\"middle\" x=\"{x}\" y=\"{}\">{number}</text>", top + TOP - 6);
    }
    for (row, (month, days)) in (0_i64..).zip(&months) {
        let y = top + TOP + row * STEP;
        let _ = writeln!(out, "<text x=\"4\" y=\"{}\">{month}</text>", y + 13);
        for (number, day) in days {
            push_day(out, LEFT + (number - 1) * STEP, y, day);
        }
    }
}

fn push_day(out: &mut String, x: i64, y: i64, day: &Day) {
    let class = class_of(day);
    let date = &day.start.to_string()[..10];
    let _ = write!(out, "<g><title>{date}: {}</title>", said(day));
    let _ = write!(out, "<rect class=\"c{class}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" rx=\"3\"/>");
    if day.accepted > 0 {
        let _ = write!(out, "<rect class=\"a\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" rx=\"3\"/>");
    }
    if class > 0 {
        let figure = figure(day);
        let tone = match (class >= 4, figure.len() > 2) {
            (true, true) => "n o w",
            (true, false) => "n o",
            _ => "n",
        };
        let _ = write!(out, "<text class=\"{tone}\" x=\"{}\" y=\"{}\">{figure}</text>", x + CELL / 2, y + 12);
    }
    if day.late > 0 {
        let (x, y, side) = (x + 1, y + 1, CELL - 2);
        let _ = write!(out, "<rect class=\"l\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" rx=\"2\"/>");
    }
    if day.refused > 0 {
        let (x, y) = (x + CELL, y);
        let _ = write!(out, "<path class=\"q\" d=\"M{} {y}H{x}V{}Z\"/>", x - 7, y + 7);
    }
    out.push_str("</g>\n");
}

/// The absent share in percent, rounded up, so that one bar of many is not nothing.
fn figure(day: &Day) -> String {
    let percent = (day.absent_share() * 100.0).ceil();
    if percent >= 100.0 && day.absent_share() < 1.0 { "99".to_owned() } else { format!("{percent:.0}") }
}

fn push_legend(out: &mut String, top: i64) {
    let _ = writeln!(out, "<text class=\"s\" x=\"4\" y=\"{}\">share of bars absent, % in the cell</text>", top + 12);
    let (mut x, y) = (4, top + 22);
    for (class, (_, words)) in CLASSES.iter().enumerate() {
        let _ = writeln!(out, "<rect class=\"c{class}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" rx=\"3\"/>");
        x = push_words(out, x, y, words);
    }
    let (x, y) = (4, y + STEP + 2);
    let (lx, ly, side) = (x + 1, y + 1, CELL - 2);
    let _ = writeln!(out, "<rect class=\"l\" x=\"{lx}\" y=\"{ly}\" width=\"{side}\" height=\"{side}\" rx=\"2\"/>");
    let x = push_words(out, x, y, "late: it may still come");
    let _ = writeln!(out, "<path class=\"q\" d=\"M{} {y}H{}V{}Z\"/>", x + CELL - 7, x + CELL, y + 7);
    let x = push_words(out, x, y, "rows refused");
    let _ = writeln!(out, "<rect class=\"a\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" rx=\"3\"/>");
    push_words(out, x, y, "accepted as absent");
}

/// Words behind a cell of the legend; gives where the next cell stands.
fn push_words(out: &mut String, x: i64, y: i64, words: &str) -> i64 {
    let _ = writeln!(out, "<text x=\"{}\" y=\"{}\">{words}</text>", x + CELL + 4, y + 13);
    let len = i64::try_from(words.len()).unwrap_or(0);
    x + CELL + 4 + len * 6 + 16
}

/// The calendar in letters, a line a month and a letter a day, for a terminal.
#[must_use]
pub fn letters(calendar: &Calendar) -> String {
    let mut out = String::new();
    for (month, days) in months(calendar) {
        let lead = usize::try_from(days.first().map_or(0, |(number, _)| number - 1)).unwrap_or(0);
        let line: String = days.iter().map(|(_, day)| letter(day)).collect();
        let _ = writeln!(out, "{month}  {}{line}", " ".repeat(lead));
    }
    out
}

/// What [`letters`] mean.
pub const LETTERS: &str = ". whole  1-9 tenths absent  # all absent  L late  q rows refused  a accepted";

fn letter(day: &Day) -> char {
    match day {
        Day { late: 1.., .. } => 'L',
        _ if day.absent_share() >= 1.0 => '#',
        _ if day.absent_share() > 0.0 => {
            let tenths = (day.absent_share() * 10.0).ceil().clamp(1.0, 9.0) as u32;
            char::from_digit(tenths, 10).unwrap_or('9')
        }
        Day { refused: 1.., .. } => 'q',
        Day { accepted: 1.., .. } => 'a',
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    fn day(date: &str, there: u64, late: u64, refused: u64) -> Day {
        let start: Time = date.parse().unwrap();
        Day { start, due: 24, there, missing: 24 - there - late, late, accepted: 0, refused }
    }

    fn calendar() -> Calendar {
        let days = vec![
            day("2024-01-30", 24, 0, 0),
            day("2024-01-31", 23, 0, 0),
            day("2024-02-01", 0, 0, 0),
            day("2024-02-02", 12, 12, 0),
            day("2024-02-03", 24, 0, 2),
            Day { accepted: 4, missing: 0, ..day("2024-02-04", 20, 0, 0) },
        ];
        Calendar { days }
    }

    #[test]
    fn classes_and_letters_of_days() {
        let calendar = calendar();
        assert_eq!(calendar.days.iter().map(class_of).collect::<Vec<_>>(), [0, 2, 5, 3, 0, 0]);
        assert_eq!(letters(&calendar), format!("2024-01  {}.1\n2024-02  #Lqa\n", " ".repeat(29)));
        assert_eq!(said(&calendar.days[4]), "24 of 24 bars, 2 rows refused");
        let almost = Day { due: 86_400, there: 1, missing: 86_399, ..calendar.days[0] };
        assert_eq!((class_of(&almost), figure(&almost).as_str(), letter(&almost)), (4, "99", '9'));
        let one = Day { due: 86_400, there: 86_399, missing: 1, ..calendar.days[0] };
        assert_eq!((class_of(&one), figure(&one).as_str(), letter(&one)), (1, "1", '1'));
    }

    /// WEB-2.
    #[test]
    fn names_are_escaped() {
        let calendar = calendar();
        let picture = svg(&[Chart { name: "</text><script>x</script>", calendar: &calendar }]);
        assert!(!picture.contains("<script") && picture.contains("&lt;script&gt;"), "{picture}");
    }
}
