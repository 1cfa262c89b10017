//! How findings look: the compiler's own layout for people, objects for programs.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::source::Place;

/// Columns that a message may fill.
const WIDTH: usize = 80;

/// Whether escape codes for colour are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    /// The caller's stream drops the codes where they do not belong.
    Colour,
}

/// Every finding, one blank line between two.
#[must_use]
pub fn text(found: &Diagnostics, paint: Paint) -> String {
    let renderer = match paint {
        Paint::Plain => Renderer::plain(),
        Paint::Colour => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in found.iter() {
        out.push_str(&one(&diagnostic.discreet(), &renderer, paint));
        out.push_str("\n\n");
    }
    out
}

fn one(found: &Diagnostic, renderer: &Renderer, paint: Paint) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let head = found.severity.name().len() + found.code.len() + 4;
    let title = level.primary_title(wrapped(&found.message, head)).id(found.code);
    let Some(place) = &found.place else {
        return renderer.render(&[Group::with_title(title)]) + &footer(found, paint);
    };
    // The gutter is as wide as the line number below.
    let indent = place.line_column().0.to_string().len() + " = note: ".len();
    let label = (!found.label.is_empty()).then_some(found.label.as_str());
    let (lines, first_line, span) = lines_around(place);
    let caret = AnnotationKind::Primary.span(span).label(label);
    let snippet = Snippet::source(lines).line_start(first_line).path(place.source.name.as_str()).annotation(caret);
    let mut group = title.element(snippet);
    for note in &found.notes {
        group = group.element(Level::NOTE.message(wrapped(&note.to_string(), indent)));
    }
    if let Some(hint) = &found.hint {
        group = group.element(Level::HELP.with_name("hint").message(wrapped(hint, indent)));
    }
    renderer.render(&[group])
}

/// The lines a place touches, the number of the first, and the span within them: the renderer reads all it is given, and a
/// document may have a hundred findings.
fn lines_around(place: &Place) -> (String, usize, Range<usize>) {
    let text = place.source.shown();
    let start = text[..place.span.start].rfind('\n').map_or(0, |n| n + 1);
    let end = text[place.span.end..].find('\n').map_or(text.len(), |n| place.span.end + n);
    // The renderer would draw a carriage return that ends the line.
    let end = if end > place.span.end && text[..end].ends_with('\r') { end - 1 } else { end };
    (text[start..end].to_owned(), place.line_column().0, place.span.start - start..place.span.end - start)
}

/// Notes and hint of a finding without a place; the renderer would draw a gutter beside nothing.
fn footer(found: &Diagnostic, paint: Paint) -> String {
    let bold = if paint == Paint::Colour { anstyle::Style::new().bold() } else { anstyle::Style::new() };
    let notes = found.notes.iter().map(|note| ("note", note.to_string()));
    let mut out = String::new();
    for (name, text) in notes.chain(found.hint.iter().map(|hint| ("hint", hint.clone()))) {
        let indent = "  = note: ".len();
        let text = wrapped(&text, indent).replace('\n', &format!("\n{:indent$}", ""));
        out.push_str(&format!("\n  = {bold}{name}{bold:#}: {text}"));
    }
    out
}

/// Breaks at blanks so that a line of `WIDTH` columns suffices behind `indent`.
#[must_use]
pub fn wrapped(text: &str, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent).max(20);
    let mut out = String::with_capacity(text.len() + 4);
    let mut used = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > room {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += len;
    }
    out
}

/// The same for a program: one object each.
#[must_use]
pub fn json(found: &Diagnostics) -> Value {
    let objects = found.iter().map(Diagnostic::discreet).map(|d| {
        let at = d.place.as_ref().map(Place::line_column);
        json!({
            "code": d.code,
            "severity": d.severity.name(),
            "file": d.place.as_ref().map(|p| p.source.name.as_str()),
            "line": at.map(|(line, _)| line),
            "column": at.map(|(_, column)| column),
            "key": d.shown_key(),
            "message": d.message,
            "label": d.label,
            "notes": d.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "hint": d.hint,
        })
    });
    Value::Array(objects.collect())
}
