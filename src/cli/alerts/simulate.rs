//! `tidegate alerts simulate`: recorded figures through the rules of a profile, and what people would have been told.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueHint};
use serde_json::{Value as Json, json};

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::output::Report;
use super::super::select::Select;
use super::super::table::short_time;
use crate::domain::{Span, Time};
use crate::stage::alert::AlertConfig;
use crate::stage::alert::planner::{self, GROUP_INTERVAL, View};
use crate::stage::alert::rules::{Reading, RuleBook};
use crate::store::outbox::{Outbox, OutboxError, Word};
use crate::telemetry::metrics;

/// Between two readings the time passes in steps of this.
const STEP: Span = Span::from_secs(5);
/// Behind the last reading, for what still waits.
const AFTER: Span = Span::from_secs(600);
/// More steps than a month has are a mistake in the times.
const STEPS_MAX: i64 = 31 * 86_400 / 5;

const EXAMPLES: &str = "\
The file is CSV with the header time,metric,labels,value; labels stand in the
catalogue's order with / between them:
  2026-03-02T10:00:00Z,venue_up,binance,0

Examples:
  tidegate alerts simulate figures.csv -p canary";

/// Put recorded figures through the rules of a profile, and show what would have been raised and told.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Simulate {
    /// Figures as CSV: time,metric,labels,value.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    select: Select,
}

impl Simulate {
    /// # Errors
    /// When the profile is wrong or has no rules, or the file is none of figures.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selected = self.select.resolve(context, None)?;
        let config = selected.plan.alert();
        let name = selected.profile.name().to_owned();
        if config.rules.is_empty() {
            let error = anyhow!("profile {name} has no rule");
            return Err(Failure::new(Exit::Configuration, error).hint("add an [alerts.rule.NAME] table"));
        }
        let figures = read(&self.file)?;
        let story = Story::play(config, &figures).map_err(outbox_failure)?;
        let text: String = story.lines.iter().map(|(at, line)| format!("{}  {line}\n", short_time(*at))).collect();
        let count = figures.len();
        let report = Report {
            verb: "alerts-simulate",
            profile: Some(name),
            mode: Some(selected.profile.mode().name().to_owned()),
            text: format!("{text}{count} figures, {} raised, {} messages\n", story.raised, story.messages),
            data: json!({ "figures": count, "raised": story.raised, "messages": story.messages, "events": story.events }),
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

/// The figures of a file, in the order of their times.
fn read(path: &Path) -> Result<Vec<(Time, Reading)>, anyhow::Error> {
    let shown = path.display();
    let mut reader = csv::ReaderBuilder::new().from_path(path).with_context(|| format!("cannot read {shown}"))?;
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    if header != ["time", "metric", "labels", "value"] {
        bail!("{shown}:1: the header is {}, not time,metric,labels,value", header.join(","));
    }
    let mut figures: Vec<(Time, Reading)> = Vec::new();
    for (at, row) in reader.records().enumerate() {
        let line = at + 2;
        let row = row.with_context(|| format!("{shown}:{line}"))?;
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let time: Time = cell(0).parse().with_context(|| format!("{shown}:{line}"))?;
        let metric = metrics::find(cell(1)).ok_or_else(|| anyhow!("{shown}:{line}: there is no metric {}", cell(1)))?;
        let labels: Vec<String> = cell(2).split('/').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        let value: f64 = cell(3).parse().with_context(|| format!("{shown}:{line}: {} is no number", cell(3)))?;
        if figures.last().is_some_and(|(last, _)| time < *last) {
            bail!("{shown}:{line}: its time is before the one above");
        }
        figures.push((time, Reading { metric: metric.name.to_owned(), labels, value }));
    }
    let span = figures.first().zip(figures.last()).map_or(Span::ZERO, |((first, _), (last, _))| *last - *first);
    if span.micros() / STEP.micros() > STEPS_MAX {
        bail!("{shown} covers more than a month; cut it");
    }
    Ok(figures)
}

/// What happened, line by line.
struct Story<'a> {
    config: &'a AlertConfig,
    outbox: Outbox,
    book: RuleBook,
    lines: Vec<(Time, String)>,
    events: Vec<Json>,
    raised: usize,
    messages: usize,
}

impl<'a> Story<'a> {
    fn play(config: &'a AlertConfig, figures: &[(Time, Reading)]) -> Result<Self, OutboxError> {
        let mut story = Self {
            config,
            outbox: Outbox::in_memory()?,
            book: RuleBook::default(),
            lines: Vec::new(),
            events: Vec::new(),
            raised: 0,
            messages: 0,
        };
        let (Some((first, _)), Some((last, _))) = (figures.first(), figures.last()) else { return Ok(story) };
        let (mut now, end) = (*first, *last + AFTER);
        let mut rest = figures;
        while now <= end {
            let here = rest.partition_point(|(time, _)| *time <= now);
            for (time, reading) in &rest[..here] {
                story.look(*time, reading)?;
            }
            rest = &rest[here..];
            story.tell(now)?;
            now = now + STEP;
        }
        Ok(story)
    }

    fn look(&mut self, time: Time, reading: &Reading) -> Result<(), OutboxError> {
        let words = self.book.observe(&self.config.rules, std::slice::from_ref(reading), time);
        for word in &words {
            match word {
                Word::Raise(raise) => {
                    self.raised += 1;
                    self.event(time, "raised", &raise.title);
                }
                Word::Settle { key, .. } => self.event(time, "over", key),
                Word::SettleAll { .. } => {}
            }
        }
        self.outbox.take(&words, None, self.config.repeat_every, false, time)
    }

    /// The messages that are due, and rollbacks that would be.
    fn tell(&mut self, now: Time) -> Result<(), OutboxError> {
        let alerts = self.outbox.standing()?;
        let told = self.outbox.told_since(now - GROUP_INTERVAL)?;
        let plan = planner::plan(View { alerts: &alerts, silences: &[], told: &told }, self.config, now, false);
        self.outbox.queue(&plan.tellings, now)?;
        for telling in &plan.tellings {
            self.messages += telling.receivers.len();
            self.event(now, "told", &format!("{} to {}", telling.title, telling.receivers.join(", ")));
        }
        for alert in self.outbox.due_rollbacks(now)? {
            self.outbox.take_up(alert.id, now)?;
            self.event(now, "rollback", &format!("of {}: it has stood since {}", alert.title, alert.since));
        }
        Ok(())
    }

    fn event(&mut self, at: Time, what: &'static str, text: &str) {
        self.lines.push((at, format!("{what:<10}{text}")));
        self.events.push(json!({ "at": at.to_string(), "what": what, "text": text }));
    }
}
