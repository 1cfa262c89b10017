//! `limits`: every limit with what it is counted on, what is used of it, and how far the trip is; and lowering one.

use std::fmt::Write;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::live::{borrow, mode_of};
use super::names;
use super::output::{BOLD, DIM, Report};
use super::run::journal_failure;
use super::select::Select;
use super::standing::{Standing, footing_failure, stand};
use crate::domain::Time;
use crate::profile::fault::nearest;
use crate::risk::{Amount, LimitKey};
use crate::runner::footing::{granted, settle};
use crate::runner::trader::TraderState;
use crate::stage::oms::Usage;
use crate::store::glance::Glance;
use crate::store::wish::{self, Wish};

const EXAMPLES: &str = "\
Examples:
  tidegate limits -p canary
  tidegate limits lower max_notional_per_order 25 -p canary

Lowering needs no plan. What was lowered comes back by a plan only:
`tidegate escalate plan -p PROFILE --lift`.";

/// Show every limit that holds now: what it counts, its value, what is used, how far the trip is.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = EXAMPLES)]
pub struct Limits {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Lower(Lower),
}

/// Which profile. The limits are those of the account that it declares.
#[derive(Debug, Clone, Args)]
struct Of {
    /// The profile: the name of a file in profiles/, without .toml.
    #[arg(short, long, value_name = "PROFILE", add = names::profiles())]
    profile: Option<String>,
    /// The pipeline whose account is looked at [default: the one the profile names].
    #[arg(long, value_name = "NAME", add = names::pipelines())]
    pipeline: Option<String>,
}

impl Of {
    fn select(&self) -> Select {
        Select { profile: self.profile.clone(), pipeline: self.pipeline.clone(), set: Vec::new(), paper: false }
    }
}

/// Lower a limit at once. Only downward; a plan gives it back.
///
/// It is on the disk when this ends, and works beside a program that runs: that hears of it with its next run of the pipeline.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct Lower {
    /// The limit, like max_notional_per_order.
    #[arg(value_name = "KEY", add = names::limits())]
    key: String,
    /// Its new value, like 25, 0.02 or 300ms.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    of: Of,
    /// Why; written into the log.
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
}

impl Limits {
    /// # Errors
    /// When the documents are wrong, the journal cannot be read, or a limit is not lowered by what was asked.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.verb {
            Some(Verb::Lower(lower)) => lower.run(context),
            None => show(context, &self.of),
        }
    }
}

fn show(context: &Context, of: &Of) -> Result<Exit, Failure> {
    let standing = Standing::of(context, &of.select())?;
    let (profile, now) = (&standing.profile, context.clock.now());
    let usage = usage(&standing, now)?;
    let mut report = report("limits", &standing);
    let last = profile.schedule().map_or(0, crate::escalation::Schedule::last_step);
    let mut text = format!("{BOLD}{}  {}  step {} of {last}{BOLD:#}\n\n", profile.name(), standing.account, profile.step());
    let _ = writeln!(text, "{:<23} {:>12} {:>14} {:>14}  then", "limit", "value", "used", "left");
    let mut rows = Vec::new();
    for key in LimitKey::ALL {
        let value = key.get(profile.limits());
        let used = usage.as_ref().and_then(|usage| usage.used(key));
        let left = used.map(|used| distance(value, used));
        let lowered = if profile.footing().lowered.contains_key(key.name()) { ", lowered" } else { "" };
        let _ = writeln!(
            text,
            "{:<23} {:>12} {:>14} {:>14}  {}{lowered}",
            key.name(),
            value.to_string(),
            used.map_or_else(|| "-".to_owned(), short),
            left.map_or_else(|| "-".to_owned(), |left| format!("{:.0} %", left * 100.0)),
            key.consequence(),
        );
        let _ = writeln!(text, "  {DIM}{}{DIM:#}", key.basis());
        rows.push(row(key, value, used, left, !lowered.is_empty()));
    }
    if usage.is_none() {
        text.push_str("\nThe account has seen no bar yet: nothing is used.\n");
    }
    report.text = text;
    report.data = json!({
        "account": standing.account, "step": profile.step(), "currency": profile.currency(), "limits": rows,
        "equity": usage.map(|usage| usage.equity.to_string()),
    });
    Ok(report.print(context, Exit::Done))
}

fn report(verb: &'static str, standing: &Standing) -> Report {
    let (profile, mode) = (standing.profile.name().to_owned(), mode_of(&standing.profile).to_owned());
    Report { verb, profile: Some(profile), mode: Some(mode), ..Report::default() }
}

fn row(key: LimitKey, value: Amount, used: Option<Amount>, left: Option<f64>, lowered: bool) -> Json {
    json!({
        "key": key.name(), "basis": key.basis(), "then": key.consequence(), "value": value.to_string(),
        "used": used.map(|used| used.to_string()), "left": left, "lowered": lowered,
    })
}

fn usage(standing: &Standing, now: Time) -> Result<Option<Usage>, Failure> {
    let Some(glance) = Glance::at(&standing.folder).map_err(journal_failure)? else { return Ok(None) };
    let state = glance.standing::<TraderState>(&standing.account).map_err(journal_failure)?;
    Ok(state.map(|state| state.snapshot.desk().usage(now)))
}

/// The share of a limit that is left; nothing is left of zero.
fn distance(value: Amount, used: Amount) -> f64 {
    let (value, used) = (value.to_f64(), used.to_f64());
    if value > 0.0 { ((value - used) / value).max(0.0) } else { 0.0 }
}

/// An amount with as many digits as a person reads.
fn short(amount: Amount) -> String {
    match amount {
        Amount::Money(amount) => format!("{amount:.2}"),
        Amount::Fraction(part) => format!("{:.4}", part.to_f64()),
        other => other.to_string(),
    }
}

impl Lower {
    fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut standing = Standing::of(context, &self.of.select())?;
        let key = self.key.strip_prefix("limits.").unwrap_or(&self.key);
        let limit = LimitKey::of(key).ok_or_else(|| unknown(key))?;
        let wanted = limit.parse(&self.value).map_err(|error| Failure::new(Exit::Usage, error))?;
        let mut lowered = standing.profile.limits().clone();
        let before = limit.get(&lowered);
        limit.lower(&mut lowered, wanted).map_err(|error| {
            Failure::new(Exit::Refused, error).hint("raising a limit takes an edit of the profile, or `tidegate escalate plan`")
        })?;
        let (now, reason) = (context.clock.now(), self.reason.trim().to_owned());
        let wish = Wish::Lower { key: key.to_owned(), value: wanted.to_string(), at: now, reason };
        wish::file(&standing.folder, &wish)?;
        let is_logged = self.logged(context, &mut standing, &wish)?;
        let name = standing.profile.name();
        let mut report = report("limits-lower", &standing);
        report.text = format!("limits.{key} is {wanted} now; it was {before}\n");
        if !is_logged {
            report.text.push_str("A program works on the profile: it hears of it with its next run of the pipeline.\n");
        }
        report.data = json!({ "key": key, "before": before.to_string(), "now": wanted.to_string(), "logged": is_logged });
        report.next.push(format!("tidegate escalate plan -p {name} --lift   (to give it back)"));
        Ok(report.print(context, Exit::Done))
    }

    /// Writes it into the log where the journal is free; what is filed counts anyway.
    fn logged(&self, context: &Context, standing: &mut Standing, wish: &Wish) -> Result<bool, Failure> {
        match borrow(&standing.folder, standing.profile.name(), "limits lower", Duration::ZERO) {
            Err(failure) if failure.exit == Exit::Locked => {
                let footing = granted(standing.profile.footing().clone(), wish);
                standing.profile.stand(footing);
                Ok(false)
            }
            Err(failure) => Err(failure),
            Ok(mut journal) => {
                let now = context.clock.now();
                settle(&mut journal, &standing.folder, &mut standing.profile, now).map_err(footing_failure)?;
                journal.seal().map_err(journal_failure)?;
                stand(context, &mut standing.profile)?;
                Ok(true)
            }
        }
    }
}

fn unknown(key: &str) -> Failure {
    let known = LimitKey::ALL.into_iter().map(LimitKey::name);
    let hint = match nearest(key, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "`tidegate limits -p PROFILE` lists them".to_owned(),
    };
    Failure::new(Exit::Usage, anyhow!("there is no limit {key} that can be lowered")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_a_share_and_never_below_nothing() {
        let money = |text: &str| Amount::Money(text.parse().unwrap());
        assert_eq!(distance(money("200"), money("50")), 0.75);
        assert_eq!(distance(money("200"), money("500")), 0.0);
        assert_eq!(distance(money("0"), money("0")), 0.0);
        assert_eq!(short(money("50.123456")), "50.12");
    }
}
