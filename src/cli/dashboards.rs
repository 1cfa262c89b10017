//! `dashboards export`: a dashboard for Grafana and rules for Prometheus, made from the catalogue of metrics.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::mode_of;
use super::output::Report;
use super::select::Select;
use crate::profile::{KeyPath, Profile};
use crate::store::disk::Disk;
use crate::web::{grafana, prometheus};

/// Make dashboards and rules for other programs.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Export(Export),
}

const EXAMPLES: &str = "\
Examples:
  tidegate dashboards export -p production --out ops

Writes grafana.json (import it in Grafana), rules.yml (rule_files of Prometheus)
and scrape.yml (an entry of its scrape_configs).";

/// Write a dashboard for Grafana, rules for Prometheus and what it has to scrape.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct Export {
    #[command(flatten)]
    select: Select,
    /// The folder; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "dashboards")]
    out: PathBuf,
}

/// # Errors
/// The documents are wrong, or the folder cannot be written.
pub fn run(args: &DashboardsArgs, context: &Context) -> Result<Exit, Failure> {
    let Verb::Export(export) = &args.verb;
    let (profile, _, _) = export.select.load(context)?;
    let folder = context.root.join(&export.out);
    std::fs::create_dir_all(&folder)?;
    let dashboard = format!("{:#}\n", grafana::dashboard());
    let rules = prometheus::rules(profile.name(), &rules(&profile));
    let scrape = scrape(&profile);
    for (name, text) in [("grafana.json", &dashboard), ("rules.yml", &rules), ("scrape.yml", &scrape)] {
        let mut draft = Disk::default().draft(&folder)?;
        draft.write_all(text.as_bytes())?;
        draft.publish(|_| name.to_owned())?;
    }
    let shown = folder.strip_prefix(&context.root).unwrap_or(&folder).display().to_string();
    let report = Report {
        verb: "dashboards-export",
        profile: Some(profile.name().to_owned()),
        mode: Some(mode_of(&profile).to_owned()),
        data: json!({ "folder": shown, "files": ["grafana.json", "rules.yml", "scrape.yml"] }),
        text: format!("{shown}: grafana.json, rules.yml, scrape.yml\n"),
        next: vec![format!("promtool check rules {shown}/rules.yml")],
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

/// The profile's rules that are not taken away.
fn rules(profile: &Profile) -> Vec<prometheus::Rule> {
    let effective = profile.effective();
    let key = |name: &str, rest: &str| KeyPath::dotted(&format!("alerts.rule.{name}.{rest}"));
    let names = effective.names_below("alerts.rule").into_iter();
    let is_there = |name: &String| effective.bool_at(&key(name, "enabled")).unwrap_or(true);
    let rule = |name: String| {
        let text = |rest: &str| effective.text_at(&key(&name, rest)).map(str::to_owned);
        Some(prometheus::Rule {
            severity: text("severity")?,
            metric: text("when.metric")?,
            op: text("when.op")?,
            value: effective.float_at(&key(&name, "when.value"))?,
            for_: effective.span_at(&key(&name, "when.for")),
            window: effective.span_at(&key(&name, "when.window")),
            name,
        })
    };
    names.filter(is_there).filter_map(rule).collect()
}

fn scrape(profile: &Profile) -> String {
    format!(
        "# An entry of scrape_configs in prometheus.yml.\n- job_name: tidegate-{}\n  scrape_interval: 15s\n  static_configs:\n    - targets: [\"{}\"]\n",
        profile.name(),
        profile.listen()
    )
}
