//! Live trading is let in by a record that is whole, fresh and of exactly this, and by a person who names the account.

use std::io::{IsTerminal, Write};

use anyhow::anyhow;

use super::{bound, built_in, record_failure};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::work::Workplace;
use crate::clock::{Clock, SystemClock};
use crate::runner::preflight::{self, Lack, Record};

/// Lacks that are named one by one.
const NAMED_MAX: usize = 6;

/// Lets real money in, or says what is missing. `confirmed` is the end of the account's name, where it was given.
///
/// # Errors
/// [`Exit::CheckFailed`] with every check that is missing; [`Exit::Refused`] where nobody named the account.
pub fn admit(context: &Context, place: &Workplace, confirmed: Option<&str>) -> Result<(), Failure> {
    let name = place.profile.name();
    let record = preflight::read(&place.runs).map_err(record_failure)?;
    let (names, mut lacks) = preflight::asked(&place.profile.preflight_checks(), &built_in());
    let record = match record {
        None => return Err(nothing_seen(place)),
        Some(record) => record,
    };
    lacks.extend(record.lacks(&names, &bound::of(context, place)?, SystemClock.now()));
    if !lacks.is_empty() {
        return Err(missing(place, &lacks));
    }
    match confirmed {
        Some("") => Err(refused(name, "a yes does not say whose account it is")),
        Some(typed) if typed == record.suffix => Ok(()),
        Some(typed) => Err(refused(name, &format!("the account does not end with {typed}"))),
        None => ask(context, name, &record),
    }
}

fn nothing_seen(place: &Workplace) -> Failure {
    let name = place.profile.name();
    let error = anyhow!("profile {name} trades with real money, and nobody has made its preflight");
    Failure::new(Exit::CheckFailed, error)
        .hint(format!("tidegate preflight -p {name}{}", pipeline(place)))
        .hint(format!("or trade on paper: `tidegate run -p {name} --paper`"))
}

fn missing(place: &Workplace, lacks: &[Lack]) -> Failure {
    let name = place.profile.name();
    let mut said: Vec<String> = lacks.iter().take(NAMED_MAX).map(|lack| format!("{} ({})", lack.check, lack.why)).collect();
    if lacks.len() > NAMED_MAX {
        said.push(format!("{} more", lacks.len() - NAMED_MAX));
    }
    let error = anyhow!("NO-GO: the preflight of {name} lacks {}", said.join(", "));
    let only = match lacks {
        [one] if matches!(one.why, preflight::Why::NotMade | preflight::Why::NotGood { .. } | preflight::Why::Expired(_)) => {
            format!(" --only {}", one.check)
        }
        _ => String::new(),
    };
    Failure::new(Exit::CheckFailed, error)
        .hint(format!("tidegate preflight -p {name}{}{only}", pipeline(place)))
        .hint(format!("or trade on paper: `tidegate run -p {name} --paper`"))
}

/// Named where it is not the profile's own.
fn pipeline(place: &Workplace) -> String {
    if place.plan.name() == place.profile.pipeline() { String::new() } else { format!(" {}", place.plan.name()) }
}

fn refused(name: &str, why: &str) -> Failure {
    let error = anyhow!("profile {name} trades with real money: {why}");
    Failure::new(Exit::Refused, error).hint(format!("tidegate run -p {name} --confirm SUFFIX, where the account's name ends so"))
}

/// J5: a person types how the account's name ends. It is not told here.
fn ask(context: &Context, name: &str, record: &Record) -> Result<(), Failure> {
    if context.json || context.no_input || !std::io::stdin().is_terminal() {
        return Err(refused(name, "nobody can be asked whose account it is"));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{name} trades with REAL MONEY. Type the last characters of the account's name: ");
    let _ = stderr.flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.trim() == record.suffix && !record.suffix.is_empty() {
        Ok(())
    } else {
        Err(refused(name, "another account was typed"))
    }
}
