//! Tables and figures as people read them.

use std::fmt::Write;

use crate::domain::{Span, Time};

/// Columns of text: the first ones to the left, figures to the right.
#[derive(Debug)]
pub struct Table {
    /// Title of each column, and whether it holds figures.
    columns: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A title that ends with `#` is over figures.
    #[must_use]
    pub fn new(titles: &[&'static str]) -> Self {
        let column = |title: &&'static str| match title.strip_suffix('#') {
            Some(title) => (title, true),
            None => (*title, false),
        };
        Self { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.into());
    }

    /// The table with its titles, two blanks between columns, none at the ends of lines.
    #[must_use]
    pub fn render(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&titles).chain(&self.rows).collect();
        let widths: Vec<usize> =
            (0..titles.len()).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines {
            let mut out = String::new();
            for ((cell, width), (_, is_figure)) in line.iter().zip(&widths).zip(&self.columns) {
                let _ = if *is_figure { write!(out, "{cell:>width$}  ") } else { write!(out, "{cell:<width$}  ") };
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Words in lines of at most `width` characters; a longer word has a line of its own.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// 1234567 as `1,234,567`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that fits.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// `2026-03-29 00:55`, with seconds only where there are some.
#[must_use]
pub fn short_time(time: Time) -> String {
    let text = time.to_string().replace('T', " ");
    let text = text.strip_suffix('Z').unwrap_or(&text);
    text.strip_suffix(":00").unwrap_or(text).to_owned()
}

/// The same to the second: what finer there is says nothing to a person.
#[must_use]
pub fn to_second(time: Time) -> String {
    short_time(Time::from_micros(time.micros().div_euclid(1_000_000) * 1_000_000))
}

/// How long in one unit: `0.4 s`, `45 s`, `12 min`, `7.5 h`, `3.2 d`.
#[must_use]
pub fn about(span: Span) -> String {
    let secs = span.as_secs_f64();
    match secs.abs() {
        s if s < 10.0 => format!("{secs:.1} s"),
        s if s < 120.0 => format!("{secs:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", secs / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", secs / 3600.0),
        _ => format!("{:.1} d", secs / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let mut table = Table::new(&["series", "bars#"]);
        table.row(["a/B-C/1h".to_owned(), grouped(1_234_567)]);
        table.row(["a/B-C/15m".to_owned(), grouped(12)]);
        assert_eq!(table.render(), "series          bars\na/B-C/1h   1,234,567\na/B-C/15m         12\n");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!((grouped(999).as_str(), grouped(1000).as_str()), ("999", "1,000"));
        assert_eq!((size(1023).as_str(), size(1536).as_str(), size(3 << 20).as_str()), ("1023 B", "1.5 KiB", "3.0 MiB"));
        assert_eq!(short_time("2026-03-29T00:55:00Z".parse().unwrap()), "2026-03-29 00:55");
        assert_eq!(short_time("2026-03-29T00:55:03Z".parse().unwrap()), "2026-03-29 00:55:03");
    }
}
