//! `tidegate replay`: a back-test over the lake, in isolated state.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::output::Report;
use super::select::Select;
use super::summary::Told;
use super::table::short_time;
use super::work::{self, Workplace, ingest_failure, lake_failure};
use crate::domain::{Columns, Time};
use crate::feed::binance::Reach;
use crate::pipeline::Plan;
use crate::pipeline::graph::StageKind;
use crate::runner::folder::{Figures, Recording, Stamp, short_hash};
use crate::runner::replay::{Outcome, replay};
use crate::runner::setup;
use crate::stage::ingest::task::ingest;
use crate::store::LakeError;
use crate::telemetry::record::Records;

/// Back-test a pipeline over the lake, in isolated state.
///
/// Takes the same steps as `run` on the paper venue, whatever the profile's mode, and leaves the profile's account and watermark
/// alone. The same inputs give the same record, byte for byte.
#[derive(Debug, Args)]
pub struct Replay {
    /// The pipeline: the name of a file in pipelines/, without .toml [default: the one the profile names].
    #[arg(value_name = "PIPELINE", add = names::pipelines())]
    name: Option<String>,
    #[command(flatten)]
    select: Select,
    /// First open time to trade, UTC. Bars before it only warm the model.
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Trade bars that open before this, UTC.
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// Write no record, only the summary.
    #[arg(long)]
    no_record: bool,
}

impl Replay {
    /// # Errors
    /// When a document is wrong, the range holds no bars, or the record cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Failure::new(Exit::Usage, anyhow!("--from {from} is not before --to {to}")));
        }
        // A replay never leaves the paper venue, so what a live profile forbids on the command line is allowed here.
        let mut select = self.select.clone();
        select.paper = true;
        let named = self.name.as_deref().or(select.pipeline.as_deref()).map(str::to_owned);
        let (profile, plan, _) = select.load_pipeline(context, named.as_deref())?;
        refuse_disabled(&plan)?;
        let place = Workplace::at_start(context, profile, plan)?;
        let stop = work::stop_on_signal()?;
        self.fill_empty_lake(context, &place, &stop)?;
        let columns = place.read(None, self.to)?;
        self.refuse_nothing(&place, &columns)?;
        let whole = columns.iter().map(Columns::len).sum::<usize>() as u64;
        let bar = work::progress(context, "replay", whole);
        let (data, reads) = place.reads(None, self.to)?;
        let mut recording = Recording::new(Stamp { reads, ..self.stamp(&place, data) })?;
        let mut taken = Ok(());
        let sink = |records: &mut Records, done| {
            bar.set_position(done);
            if self.no_record {
                records.clear();
            } else if taken.is_ok() {
                taken = recording.take(records);
            }
        };
        let outcome = replay(place.trader.clone(), &columns, self.from, &stop, sink)?;
        bar.finish_and_clear();
        taken?;
        drop(columns);
        self.report(context, &place, outcome, recording)
    }

    /// On a lake without any bars of the pipeline, takes them from its source first: a new user's first command works.
    fn fill_empty_lake(&self, context: &Context, place: &Workplace, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
        for series in &place.series {
            match place.lake.last_open_time(series) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) | Err(LakeError::NoSeries { .. }) => {}
                Err(error) => return Err(lake_failure(error)),
            }
        }
        let reach = Reach::new(context.clock.clone(), stop.clone());
        ingest(place.plan.ingest(), &place.lake, &context.root, &reach, None, &mut |_| {}).map(drop).map_err(ingest_failure)
    }

    fn refuse_nothing(&self, place: &Workplace, columns: &[Columns]) -> Result<(), Failure> {
        let from = self.from.unwrap_or(Time::MIN);
        let missing: Vec<String> = place
            .series
            .iter()
            .zip(columns)
            .filter(|(_, column)| column.lower_bound(from) == column.len())
            .map(|(series, _)| series.to_string())
            .collect();
        if missing.len() < columns.len() {
            return Ok(());
        }
        let range = match (self.from, self.to) {
            (None, None) => String::new(),
            (from, to) => {
                let word = |time: Option<Time>, open: &str| time.map_or_else(|| open.to_owned(), short_time);
                format!(" from {} to {}", word(from, "the first"), word(to, "the last"))
            }
        };
        let failure = Failure::new(Exit::Failed, anyhow!("there are no bars of {}{range}", missing.join(", ")));
        Err(failure.hint("`tidegate data ls` shows what is there; `tidegate data import FILE` adds bars"))
    }

    fn report(
        &self,
        context: &Context,
        place: &Workplace,
        mut outcome: Outcome,
        mut recording: Recording,
    ) -> Result<Exit, Failure> {
        let folder = place.runs.join(&recording.stamp().run);
        if !self.no_record {
            recording.take(&mut outcome.records)?;
            recording.write(&folder, &figures(&outcome))?;
        }
        let told = Told {
            title: format!("replay of {} under {} on the paper venue", place.plan.name(), place.profile.name()),
            symbols: place.symbols(),
            interval: place.plan.interval().to_string(),
            currency: place.profile.currency(),
            bars: outcome.bars,
            tally: &outcome.tally,
            kills: outcome.kills,
            halted: outcome.halted,
            summary: outcome.summary.as_ref(),
            exposure_max: place.profile.limits().max_total_notional,
            record: (!self.no_record).then(|| place.shown(context, &folder)),
        };
        let mut report = Report {
            verb: "replay",
            profile: Some(place.profile.name().to_owned()),
            mode: Some("replay".to_owned()),
            data: told.json(),
            text: told.text(),
            ..Report::default()
        };
        if outcome.interrupted {
            report.warnings.push("interrupted: the record holds the bars up to there".to_owned());
        }
        let exit = if outcome.interrupted { Exit::Interrupted } else { Exit::Done };
        Ok(report.print(context, exit))
    }

    /// The same inputs have the same name.
    fn stamp(&self, place: &Workplace, data: String) -> Stamp {
        let stamp = setup::stamp(&place.profile, &place.plan, &place.trader, "replay", data);
        let range = format!("{:?} {:?}", self.from, self.to);
        let prints = &stamp.fingerprints;
        let hash = short_hash([&prints.profile, &prints.pipeline, &prints.data, &prints.binary, &range].map(String::as_str));
        Stamp { run: format!("replay-{}-{}", stamp.pipeline, &hash[..12]), mode: "replay".to_owned(), ..stamp }
    }
}

/// A replay without a model or without orders would be an empty record that looks like a result.
fn refuse_disabled(plan: &Plan) -> Result<(), Failure> {
    for (kind, name) in [(StageKind::Model, "model"), (StageKind::Oms, "oms")] {
        if !plan.is_enabled(kind) {
            let error = anyhow!("the {name} stage of {} is disabled, so there is nothing to replay", plan.name());
            return Err(
                Failure::new(Exit::Configuration, error).hint(format!("`tidegate explain stages.{name}.enabled` says where"))
            );
        }
    }
    Ok(())
}

fn figures(outcome: &Outcome) -> Figures {
    Figures {
        state: if outcome.interrupted { "interrupted" } else { "done" }.to_owned(),
        from: outcome.summary.as_ref().map(|s| s.from.to_string()),
        to: outcome.summary.as_ref().map(|s| s.to.to_string()),
        bars: outcome.bars,
        kills: outcome.kills,
        tally: outcome.tally.clone(),
        summary: outcome.summary.clone(),
    }
}
