//! `man`: the manual, made from the same words as `--help`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::completions::PROGRAM;
use super::exit::{Exit, Failure};
use super::output::Report;
use super::{Cli, Context};
use crate::profile::overlay;
use crate::store::disk::Disk;
use crate::telemetry::logging;

/// Print the manual page; with --out, write it and one page for each verb.
#[derive(Debug, Args)]
pub struct Man {
    /// Write the pages into this folder, tidegate.1 and tidegate-VERB.1: read one with man -l, or put them in a man1 folder of
    /// MANPATH.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    /// # Errors
    /// The folder cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        // The verb help has no page: --help says the same of every verb.
        let mut program = Cli::command().disable_help_subcommand(true);
        program.build();
        let report = match &self.out {
            Some(folder) => written(folder, &program)?,
            None => {
                let page = page(&program)?;
                Report { data: json!({ "page": page }), text: page, ..Report::default() }
            }
        };
        Ok(Report { verb: "man", ..report }.print(context, Exit::Done))
    }
}

fn written(folder: &Path, program: &Command) -> Result<Report, Failure> {
    let mut pages = vec![("tidegate.1".to_owned(), page(program)?)];
    add_verbs(program, &mut pages)?;
    let mut text = String::new();
    for (name, page) in &pages {
        let cannot = |error| anyhow::Error::new(error).context(format!("failed to write {}", folder.join(name).display()));
        Disk::default().replace(folder, name, page.as_bytes()).map_err(cannot)?;
        let _ = writeln!(text, "{}", folder.join(name).display());
    }
    let files: Vec<PathBuf> = pages.iter().map(|(name, _)| folder.join(name)).collect();
    let next = vec![format!("man -l {}", folder.join("tidegate.1").display())];
    Ok(Report { text, data: json!({ "written": files }), next, ..Report::default() })
}

/// The pages of the verbs below `parent`, and of theirs.
fn add_verbs(parent: &Command, pages: &mut Vec<(String, String)>) -> Result<(), Failure> {
    for verb in parent.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_display_name().unwrap_or_else(|| verb.get_name());
        pages.push((format!("{name}.1"), page(verb)?));
        add_verbs(verb, pages)?;
    }
    Ok(())
}

/// One page, of the program or of a verb.
fn page(command: &Command) -> Result<String, Failure> {
    let page = Page::new(command.clone());
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    // No date: the page is that of a version, and the same each time it is made.
    let mut out = format!(".TH {name} 1 \"\" \"{PROGRAM} {}\" \"{PROGRAM}\"\n", env!("CARGO_PKG_VERSION")).into_bytes();
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    if let Some(text) = command.get_after_long_help() {
        notes(&text.to_string()).to_writer(&mut out)?;
    }
    if command.get_name() == PROGRAM {
        section("EXIT STATUS", &exit_status()).to_writer(&mut out)?;
        section("ENVIRONMENT", &environment()).to_writer(&mut out)?;
        section("FILES", &files()).to_writer(&mut out)?;
    } else {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("tidegate"), roman("(1), for exit codes, environment and files")]);
        roff.to_writer(&mut out)?;
    }
    Ok(String::from_utf8(out)?)
}

/// What stands below the help, line by line: it is laid out by its indents.
fn notes(text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]).control("na", []);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match line.trim() {
            "" => roff.control("PP", []),
            said if indent == 0 => roff.control("br", []).text([roman(said)]),
            said => {
                let step = format!("+{indent}n");
                roff.control("br", []).control("in", [step.as_str()]).text([roman(said)]).control("br", []).control("in", [])
            }
        };
    }
    roff.control("ad", []);
    roff
}

/// A section of terms, each with its meaning.
fn section(title: &str, terms: &[(String, String)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", []);
        roff.text([bold(term.as_str())]);
        roff.text([roman(meaning.as_str())]);
    }
    roff
}

fn exit_status() -> Vec<(String, String)> {
    Exit::ALL.map(|exit| (exit.code().to_string(), exit.meaning().to_owned())).into()
}

fn owned<const N: usize>(terms: [(&str, &str); N]) -> Vec<(String, String)> {
    terms.map(|(term, meaning)| (term.to_owned(), meaning.to_owned())).into()
}

fn environment() -> Vec<(String, String)> {
    let key = format!("{}SECTION__KEY", overlay::PREFIX);
    owned([
        (
            &key,
            "Sets one key of the profile or the pipeline. Never limits, caps, floors, risk, escalation or the mode: those are ignored, and reported.",
        ),
        (logging::FILTER_VARIABLE, "Which log lines go to stderr, like \"info\" or \"tidegate=debug\"."),
        ("NO_COLOR", "Set to anything: no colour, as with --color never."),
        (
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL",
            "The way to a bucket that --lake of a data command names. A profile says it in [storage.s3].",
        ),
        (
            "NAME of env:NAME",
            "Secrets are read from the variables, files and keyrings that documents refer to; no document holds one.",
        ),
    ])
}

fn files() -> Vec<(String, String)> {
    owned([
        ("profiles/<name>.toml", "What is allowed: limits, caps, risk, where alerts go."),
        ("pipelines/<name>.toml", "What is done: stages and their parameters."),
        ("tests/cases/<name>/case.toml", "Golden cases for tidegate test."),
        ("data/lake/", "Bars as Parquet; refused rows in _quarantine."),
        ("runs/_local/", "What belongs to one machine where the lake is in a bucket: bans by a venue, downloads."),
        ("runs/<profile>/state.db", "The profile's journal: watermark, account, halts, a log of everything."),
        ("runs/<profile>/HALT", "The kill latch: while it is there, nothing adds exposure."),
        ("runs/<profile>/<run>/", "What one run did, as Parquet, with its manifest."),
    ])
}
