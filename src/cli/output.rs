//! How results leave the program: one JSON envelope, or text; failures once, with their causes.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use crate::profile::render::{self, Paint};
use crate::profile::{Diagnostics, Severity};

pub const RED: Style = AnsiColor::Red.on_default().bold();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
pub const DIM: Style = Style::new().dimmed();
pub const BOLD: Style = Style::new().bold();

/// A verb's result, for people and for programs.
#[derive(Debug, Default)]
pub struct Report {
    pub verb: &'static str,
    pub profile: Option<String>,
    pub mode: Option<String>,
    /// What a program reads.
    pub data: Value,
    /// What a person reads, already laid out; may hold ANSI colours, which are dropped where they do not belong.
    pub text: String,
    pub warnings: Vec<String>,
    /// Commands that make sense now.
    pub next: Vec<String>,
}

impl Report {
    /// Prints the report as `context` wants it and gives back `exit`.
    #[must_use]
    pub fn print(self, context: &Context, exit: Exit) -> Exit {
        if context.json {
            print_out(&format!("{:#}\n", self.document(context, exit)));
            return exit;
        }
        print_out(&self.text);
        if !context.quiet {
            for warning in &self.warnings {
                print_err(&format!("{YELLOW}warning{YELLOW:#}: {warning}\n"));
            }
            for next in &self.next {
                print_err(&format!("{DIM}next:{DIM:#} {next}\n"));
            }
        }
        exit
    }

    /// The envelope that a program reads.
    #[must_use]
    pub fn document(&self, context: &Context, exit: Exit) -> Value {
        json!({
            "schema": format!("tidegate/{}/1", self.verb),
            "ok": exit == Exit::Done,
            "exit_code": exit.code(),
            "profile": self.profile,
            "mode": self.mode,
            "at": context.clock.now().to_string(),
            "data": self.data,
            "warnings": self.warnings,
            "next": self.next,
        })
    }
}

/// Prints a failure with its chain of causes, and gives back its exit code.
pub fn print_failure(context: &Context, failure: &Failure) -> Exit {
    if let Some(found) = failure.error.downcast_ref::<Diagnostics>() {
        return print_diagnostics(context, found, failure.exit);
    }
    if context.json {
        let causes: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
        let document = json!({
            "schema": "tidegate/error/1",
            "ok": false,
            "exit_code": failure.exit.code(),
            "at": context.clock.now().to_string(),
            "data": { "error": causes.first(), "causes": causes.get(1..) },
            "warnings": [],
            "next": failure.hints,
        });
        print_out(&format!("{document:#}\n"));
        return failure.exit;
    }
    print_err(&format!("{RED}error{RED:#}: {}\n", failure.error));
    for cause in failure.error.chain().skip(1) {
        print_err(&format!("  because: {cause}\n"));
    }
    for hint in &failure.hints {
        print_err(&format!("  {DIM}hint:{DIM:#} {hint}\n"));
    }
    failure.exit
}

/// Prints what is wrong with documents, whole, and gives back `exit`.
fn print_diagnostics(context: &Context, found: &Diagnostics, exit: Exit) -> Exit {
    if context.json {
        let document = json!({
            "schema": "tidegate/error/1",
            "ok": false,
            "exit_code": exit.code(),
            "at": context.clock.now().to_string(),
            "data": { "error": found.to_string(), "diagnostics": render::json(found) },
            "warnings": [],
            "next": ["fix the documents, then run the same command again"],
        });
        print_out(&format!("{document:#}\n"));
        return exit;
    }
    let mut errors = Diagnostics::default();
    errors.extend(found.iter().filter(|d| d.severity == Severity::Error).cloned());
    print_err(&render::text(&errors, Paint::Colour));
    let count = errors.errors();
    let plural = if count == 1 { "" } else { "s" };
    print_err(&format!("{RED}{count} error{plural}{RED:#}. Nothing was contacted.\n"));
    exit
}

/// Writes to stdout. A reader that went away (`| head`) is no failure of ours.
pub fn print_out(text: &str) {
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
}

/// Writes to stderr.
pub fn print_err(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
