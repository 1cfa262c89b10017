//! The page about bars: a heat map a series, and the same in words for who cannot see it.

use std::fmt::Write;

use super::heat_map::{self, Chart, said};
use super::markup::escaped;

/// Rows of a table up to here; the picture has all.
const ROWS_MAX: usize = 500;

/// What a page says about a series. All of it may be foreign text.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    pub chart: Chart<'a>,
    /// `ok` or `broken`.
    pub verdict: &'a str,
    pub is_kept: bool,
    /// Sentences: figures, what breaks the contract, what is worth knowing.
    pub notes: &'a [String],
}

const STYLE: &str = "\
:root{color-scheme:light dark}body{margin:0 auto;padding:1rem;max-width:60rem;font:15px/1.5 system-ui,sans-serif;color:#1b1f24;\
background:#fff}h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.6rem 0 .2rem;overflow-wrap:anywhere}\
.v{font-weight:600;border:1px solid;border-radius:4px;padding:0 .4em;font-size:.9em}.ok{color:#1a6b35}.broken{color:#a31621}\
ul{margin:.3rem 0 .6rem;padding-left:1.2rem}li{overflow-wrap:anywhere}.scroll{overflow-x:auto}.scroll svg{display:block;width:100%;\
min-width:36rem;height:auto}table{border-collapse:collapse;font-size:.9em}th,td{text-align:left;padding:.1rem .8rem .1rem 0;\
vertical-align:top}summary{cursor:pointer}footer{margin-top:2rem;font-size:.85em;color:#59636e}\
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.ok{color:#7ee2a0}.broken{color:#ff9a8f}footer{color:#9aa4af}}";

/// The page. `title` and `at` say what was looked at, and when.
#[must_use]
pub fn html(title: &str, at: &str, sections: &[Section<'_>]) -> String {
    let (title, at) = (escaped(title), escaped(at));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        heat_map::STYLE
    );
    if sections.is_empty() {
        out.push_str("<p>The lake is empty.</p>\n");
    } else {
        let _ = writeln!(out, "<div class=\"scroll\">{}</div>", heat_map::inline_legend());
    }
    for section in sections {
        push_section(&mut out, section);
    }
    let _ = write!(out, "<footer>Days are UTC. Looked at {at}.</footer>\n</body>\n</html>\n");
    out
}

fn push_section(out: &mut String, section: &Section<'_>) {
    let name = escaped(section.chart.name);
    let (class, verdict) = (if section.is_kept { "ok" } else { "broken" }, escaped(section.verdict));
    let _ = writeln!(out, "<section>\n<h2>{name} <span class=\"v {class}\">{verdict}</span></h2>\n<ul>");
    for note in section.notes {
        let _ = writeln!(out, "<li>{}</li>", escaped(note));
    }
    let _ = writeln!(out, "</ul>\n<div class=\"scroll\">{}</div>", heat_map::inline(&section.chart));
    push_table(out, section);
    out.push_str("</section>\n");
}

fn push_table(out: &mut String, section: &Section<'_>) {
    let told: Vec<_> = section.chart.calendar.told().collect();
    if told.is_empty() {
        out.push_str("<p>Every day is whole.</p>\n");
        return;
    }
    let days = if told.len() == 1 { "day is" } else { "days are" };
    let _ = writeln!(out, "<details><summary>{} {days} not whole</summary>\n<table>\n<tr><th>day<th>bars</tr>", told.len());
    for day in told.iter().take(ROWS_MAX) {
        let _ = writeln!(out, "<tr><td>{}<td>{}</tr>", &day.start.to_string()[..10], said(day));
    }
    out.push_str("</table>\n");
    if told.len() > ROWS_MAX {
        let _ = writeln!(out, "<p>{} more are in the picture only.</p>", told.len() - ROWS_MAX);
    }
    out.push_str("</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::ingest::Calendar;

    /// WEB-1, WEB-2: nothing but text comes from outside, and nothing is asked for.
    #[test]
    fn a_page_stands_alone() {
        let calendar = Calendar::default();
        let notes = ["<img src=x onerror=y>".to_owned()];
        let chart = Chart { name: "a\"><b", calendar: &calendar };
        let section = Section { chart, verdict: "ok", is_kept: true, notes: &notes };
        let page = html("bars & <more>", "2026-01-01", &[section]);
        for wrong in ["<img", "http://", "https://", "<script", "<link", "url(http", "\"><b"] {
            assert!(!page.contains(wrong), "{wrong}: {page}");
        }
        assert!(page.contains("<h1>bars &amp; &lt;more&gt;</h1>") && page.contains("a&quot;&gt;&lt;b"), "{page}");
    }
}
