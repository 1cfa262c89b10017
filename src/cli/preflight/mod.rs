//! `tidegate preflight`: everything that has to be seen before money is risked, seen, timed and written down.

mod admit;
mod bars;
mod bound;
mod drill;
mod machine;
mod metrics;
mod roundtrip;
mod standing;
mod told;
mod venue;

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::select::Select;
use super::work::Workplace;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Span, Time};
use crate::profile::{Check, CheckKind};
use crate::runner::preflight::{self, Finding, Record, RecordError, Verdict};

pub use admit::admit;
pub use machine::{DISK_FLOOR, complaint, free_bytes};

const EXAMPLES: &str = "\
Examples:
  tidegate preflight -p canary
  tidegate preflight -p canary --only kill
  tidegate preflight -p canary --status

Exit 0: GO. Exit 4: NO-GO, with what is missing and the command for it.
What was seen counts for this binary, profile, pipeline, model and account, until
its time is over; a live `run` asks for all of it.";

/// Look at everything that has to be right before live trading, and write down what was seen.
///
/// The checks of [preflight.check.*], then those that are built in. Nothing is traded: orders go to the venue's test endpoint, and the
/// kill drill to a venue of its own on this machine.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Preflight {
    /// The pipeline: the name of a file in pipelines/, without .toml [default: the one the profile names].
    #[arg(value_name = "PIPELINE", add = names::pipelines())]
    name: Option<String>,
    #[command(flatten)]
    select: Select,
    /// Make this check only, by its name.
    #[arg(long, value_name = "CHECK", conflicts_with = "status")]
    only: Option<String>,
    /// Show what was seen before, and make no check.
    #[arg(long)]
    status: bool,
}

/// What one check saw.
pub(super) struct Seen {
    verdict: Verdict,
    said: String,
    fix: Option<String>,
    /// When it was so, where that was before the check: what counts for a while counts from then on.
    since: Option<Time>,
}

impl Seen {
    fn ok(said: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, said: said.into(), fix: None, since: None }
    }

    fn warn(said: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, ..Self::ok(said) }
    }

    fn fail(said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, said: said.into(), fix: Some(fix.into()), since: None }
    }

    fn skip(said: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, ..Self::ok(said) }
    }
}

/// What the checks look at.
pub(super) struct Scene<'a> {
    context: &'a Context,
    place: &'a Workplace,
    venue: venue::Visit,
}

/// A check that every profile has.
struct BuiltIn {
    name: &'static str,
    valid_for: Span,
    look: fn(&Scene<'_>) -> Seen,
}

const HOUR: Span = Span::from_secs(3600);
const DAY: Span = Span::from_days(1);

const BUILT_IN: [BuiltIn; 10] = [
    BuiltIn { name: "clock", valid_for: HOUR, look: venue::clock },
    BuiltIn { name: "key", valid_for: DAY, look: venue::key },
    BuiltIn { name: "secrets", valid_for: DAY, look: machine::secrets },
    BuiltIn { name: "private", valid_for: DAY, look: machine::private },
    BuiltIn { name: "disk", valid_for: HOUR, look: machine::disk },
    BuiltIn { name: "limits", valid_for: DAY, look: machine::limits },
    BuiltIn { name: "model", valid_for: DAY, look: machine::model },
    BuiltIn { name: "journal", valid_for: DAY, look: standing::journal },
    BuiltIn { name: "standing", valid_for: HOUR, look: standing::standing },
    BuiltIn { name: "restore", valid_for: preflight::VALID_MAX, look: standing::restore },
];

/// The names of the checks that every profile has.
fn built_in() -> Vec<&'static str> {
    BUILT_IN.iter().map(|check| check.name).collect()
}

impl Preflight {
    /// # Errors
    /// When a document is wrong, no check has the name, or the record cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        // What is looked at is there now.
        let context = &context.in_real_time();
        let named = self.name.as_deref().or(self.select.pipeline.as_deref()).map(str::to_owned);
        let (profile, plan, _) = self.select.load_pipeline(context, named.as_deref())?;
        // A journal that cannot be read is for its check to name: everything else is looked at all the same.
        let place = Workplace::new(context, profile.clone(), plan.clone());
        let place = place.or_else(|_| Workplace::at_start(context, profile, plan))?;
        let declared = place.profile.preflight_checks();
        let (names, undeclared) = preflight::asked(&declared, &built_in());
        if let Some(only) = self.only.as_ref().filter(|only| !names.contains(only)) {
            let error = anyhow!("{} has no check called {only}", place.profile.name());
            return Err(Failure::new(Exit::Usage, error).hint(format!("there are: {}", names.join(", "))));
        }
        let bound = bound::of(context, &place)?;
        let (kept, why_not) = match preflight::read(&place.runs) {
            Ok(kept) => (kept, None),
            Err(error) => (None, Some(error)),
        };
        if self.status {
            return Ok(told::status(context, &place, kept.as_ref(), why_not.as_ref(), &names, undeclared, &bound));
        }
        let scene = Scene { context, place: &place, venue: venue::Visit::new(context, &place)? };
        let suffix = scene.venue.suffix();
        let mut record = kept.filter(|kept| kept.bound == bound).unwrap_or_else(|| Record::new(bound.clone(), suffix.clone()));
        record.suffix = suffix;
        let wanted: Vec<&String> = names.iter().filter(|name| self.only.as_ref().is_none_or(|only| only == *name)).collect();
        for name in &wanted {
            let (valid_for, finding) = look(&scene, &declared, name);
            let finding = Finding { valid_until: finding.at.saturating_add(valid_for), ..finding };
            record.take(name, finding);
            // A check may take long, and what was seen before is not to be lost with it.
            preflight::write(&place.runs, &record).map_err(record_failure)?;
        }
        Ok(told::made(context, &place, &record, &wanted, &names, undeclared))
    }
}

/// Makes one check.
fn look(scene: &Scene<'_>, declared: &[Check], name: &str) -> (Span, Finding) {
    let clock = SystemClock;
    let began = clock.now();
    if !scene.context.quiet && !scene.context.json {
        super::output::print_err(&format!("checking {name}\n"));
    }
    let (valid_for, seen) = match declared.iter().find(|check| check.name == name) {
        Some(check) => (check.valid_for, of_kind(scene, check)),
        None => {
            let check = BUILT_IN.iter().find(|check| check.name == name).expect("a name is declared or built in");
            (check.valid_for, (check.look)(scene))
        }
    };
    let ended = clock.now();
    let at = seen.since.map_or(ended, |since| since.min(ended));
    (valid_for, Finding { verdict: seen.verdict, said: seen.said, fix: seen.fix, at, took: ended - began, valid_until: at })
}

fn of_kind(scene: &Scene<'_>, check: &Check) -> Seen {
    match &check.kind {
        CheckKind::Bars { lookback, missing_max } => bars::whole(scene, *lookback, *missing_max),
        CheckKind::Http { timeout } => metrics::answers(scene, *timeout),
        CheckKind::AlertRoundtrip { receivers, ack_within } => roundtrip::roundtrip(scene, check, receivers, *ack_within),
        CheckKind::OmsDryRun { notional, timeout } => venue::dry_run(scene, *notional, *timeout),
        CheckKind::KillDrill { quiet_within } => drill::kill(*quiet_within),
    }
}

/// A record that cannot be used, with the way out.
fn record_failure(error: RecordError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::CheckFailed, error).hint(hint)
}
