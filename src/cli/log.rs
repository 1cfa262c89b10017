//! `tidegate log`: what happened under a profile, and whether the log of it is whole.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::of_profile::{OfProfile, unsound};
use super::output::Report;
use super::table::{Table, grouped, short_time};
use super::work;
use crate::domain::Time;
use crate::store::journal::{LogQuery, LogRow};

/// Rows that are shown unless more are asked for.
const ROWS: u32 = 50;
/// Digits behind the point that are shown of an amount below one, and of any other; the rest is cut off.
const DIGITS: [usize; 2] = [8, 4];
const SECOND: i64 = 1_000_000;
/// Columns of the screen.
const WIDTH: usize = 80;
/// What of a row's content is shown, by its kind: where it stands, and the word before it. Rows of other kinds show what there is.
const SHOWN: [(&str, &[(&str, &str)]); 16] = [
    ("decision", &[("/symbol", "symbol "), ("/prediction", "prediction "), ("/close", "close "), ("/state", "")]),
    ("order", &[("/intent/side", ""), ("/filled_qty", ""), ("/state", ""), ("/intent/id", "")]),
    ("refusal", &[("/refusal/code", ""), ("/order", "")]),
    ("fill", &[("/fill/side", ""), ("/fill/qty", ""), ("/fill/price", "@ "), ("/fill/order", "")]),
    ("equity", &[("/equity", "equity "), ("/exposure", "exposure "), ("/state", "")]),
    ("standing", &[("/account", ""), ("/watermark", "up to ")]),
    ("intent", &[("/id", ""), ("/account", "")]),
    ("order-state", &[("/id", ""), ("/state", "")]),
    ("venue-fill", &[("/symbol", ""), ("/trade", "trade "), ("/order", "")]),
    ("resume", &[("/reason", ""), ("/what", "")]),
    ("halt", &[("/reason", ""), ("/what", "")]),
    ("alarm", &[("/alarm", ""), ("/cause", ""), ("/id", ""), ("/why", ""), ("/what", "")]),
    ("recovered", &[("/reason", ""), ("/what", "")]),
    ("unlatched", &[("/reason", ""), ("/latched/cause", "it was ")]),
    ("ladder-step", &[("/cause", ""), ("/step", "step "), ("/why", "")]),
    ("lease-claimed", &[("/account", ""), ("/token", "token "), ("/host", "by ")]),
];

/// Show what happened under a profile, the newest last: decisions, orders, fills, halts, notes.
///
/// Every row carries a hash over all rows before it; `log verify` checks them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LogArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    profile: OfProfile,
    /// Only rows of this kind, like order, fill, refusal, notice, intent, resume.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only rows that name this order, by its client order id.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Only rows of this UTC time and later, like 2025-03-01T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    /// Only rows of this run.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// How many rows, the newest.
    #[arg(short = 'n', long, default_value_t = ROWS, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Verify(Verify),
}

/// Check every page of the journal, every row of its log, and that its tables say what the log says.
#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    profile: OfProfile,
}

/// # Errors
/// When there is no journal or it cannot be read; when it is not what was written.
pub fn run(args: &LogArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.verb {
        Some(Verb::Verify(verb)) => verify(&verb.profile, context),
        None => show(args, context),
    }
}

fn show(args: &LogArgs, context: &Context) -> Result<Exit, Failure> {
    let place = args.profile.place(context)?;
    let glance = place.look()?;
    let query = LogQuery {
        kind: args.kind.clone(),
        run: args.run.clone(),
        order: args.order.clone(),
        since: args.since,
        limit: args.count,
    };
    let rows = glance.log(&query)?;
    let all = glance.log_rows()?;
    let mut text = if rows.is_empty() { String::new() } else { table(&rows) };
    let shown = rows.len() as u64;
    text.push_str(&match shown {
        0 => format!("no such row among {}\n", grouped(all)),
        _ if shown < u64::from(args.count) || shown == all => format!("\n{} of {} rows\n", grouped(shown), grouped(all)),
        _ => format!("\nthe newest {} of those asked for, among {} rows; -n shows more\n", grouped(shown), grouped(all)),
    });
    let report = Report {
        verb: "log",
        profile: Some(place.name),
        mode: place.mode,
        data: json!({ "rows": rows.iter().map(in_full).collect::<Vec<_>>(), "all": all }),
        text,
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

fn body(row: &LogRow) -> Value {
    serde_json::from_str(&row.body).unwrap_or_else(|_| Value::String(row.body.clone()))
}

fn in_full(row: &LogRow) -> Value {
    json!({
        "sequence": row.sequence,
        "at": row.at.to_string(),
        "kind": row.kind,
        "run": row.run,
        "body": body(row),
        "hash": row.hash.to_string(),
    })
}

fn table(rows: &[LogRow]) -> String {
    let cells = rows.iter().map(|row| [row.sequence.to_string(), told(row.at), row.kind.clone()]);
    let cells: Vec<[String; 3]> = cells.collect();
    let widest = |at: usize| cells.iter().map(|cells| cells[at].chars().count()).max().unwrap_or(0).max(8);
    let left = WIDTH.saturating_sub((0..3).map(|at| widest(at) + 2).sum());
    let mut table = Table::new(&["row#", "at (UTC)", "kind", "content"]);
    for (row, [sequence, at, kind]) in rows.iter().zip(cells) {
        table.row([sequence, at, kind, content(row, left)]);
    }
    table.render()
}

/// A row's content in few words; `--json` has all of it.
fn content(row: &LogRow, width: usize) -> String {
    let body = body(row);
    let mut words = Vec::new();
    match SHOWN.iter().find(|(kind, _)| *kind == row.kind) {
        Some((_, shown)) => {
            let there = shown.iter().filter_map(|(place, word)| Some((body.pointer(place)?, word)));
            words.extend(there.map(|(value, word)| format!("{word}{}", plain(value))));
        }
        None => gather("", &body, &mut words),
    }
    let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    if text.chars().count() <= width {
        return text;
    }
    let short: String = text.chars().take(width - 1).collect();
    format!("{}…", short.trim_end())
}

/// A value without the quotes of JSON; amounts of money with as many digits as a person reads.
fn plain(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let Some((whole, rest)) = text.split_once('.') else { return text.clone() };
    let Ok(amount) = whole.parse::<i64>() else { return text.clone() };
    let digits = DIGITS[usize::from(amount != 0)];
    if rest.len() > digits && rest.bytes().all(|b| b.is_ascii_digit()) {
        return format!("{whole}.{}", &rest[..digits]);
    }
    text.clone()
}

/// To the second: what lies between two rows of one second is their order.
fn told(at: Time) -> String {
    short_time(Time::from_micros(at.micros() - at.micros().rem_euclid(SECOND)))
}

fn gather(name: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "at");
            fields.for_each(|(name, value)| gather(name, value, words));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(name, item, words)),
        Value::Null => {}
        other => words.push(format!("{name} {}", plain(other)).trim_start().to_owned()),
    }
}

fn verify(profile: &OfProfile, context: &Context) -> Result<Exit, Failure> {
    let place = profile.place(context)?;
    let glance = place.look().map_err(again_unsound)?;
    let bar = work::progress(context, "verify", glance.log_rows().map_err(unsound)?);
    let verified = glance.verify(|rows| bar.set_position(rows)).map_err(unsound);
    bar.finish_and_clear();
    let verified = verified?;
    let report = Report {
        verb: "log-verify",
        profile: Some(place.name),
        mode: place.mode,
        data: json!({
            "rows": verified.rows,
            "head": verified.head.hash.to_string(),
            "intents": verified.intents,
            "fills": verified.fills,
        }),
        text: format!("whole: {} rows, the last hash is {}\n", grouped(verified.rows), verified.head.hash),
        ..Report::default()
    };
    Ok(report.print(context, Exit::Done))
}

/// A journal that cannot even be opened for its content has failed the check too.
fn again_unsound(failure: Failure) -> Failure {
    match failure.error.downcast() {
        Ok(error) => unsound(error),
        Err(error) => Failure { error, ..failure },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::journal::{Hash, Head};

    #[test]
    fn content_is_short_and_harmless() {
        let row = |body: &str| LogRow {
            sequence: 1,
            at: Time::from_micros(0),
            run: None,
            kind: "note".to_owned(),
            body: body.to_owned(),
            hash: Hash(Head::START.hash.0),
        };
        assert_eq!(content(&row(r#"{"at":"x","n":1,"deep":{"text":"a","none":null}}"#), 34), "text a n 1");
        assert_eq!(content(&row("{\"t\":\"a\\u001b[31mb\"}"), 34), "t a[31mb");
        let long = content(&row(&format!("{{\"t\":\"{}\"}}", "é".repeat(90))), 34);
        assert_eq!(long.chars().count(), 34);
        assert!(long.ends_with('…'));
        assert_eq!(content(&row("no json"), 34), "no json");
    }

    #[test]
    fn amounts_are_cut_and_nothing_else() {
        let shown = |text: &str| plain(&Value::String(text.to_owned()));
        assert_eq!((shown("-0.123456789123"), shown("12.345678")), ("-0.12345678".to_owned(), "12.3456".to_owned()));
        assert_eq!((shown("0.00082"), shown("1.5")), ("0.00082".to_owned(), "1.5".to_owned()));
        assert_eq!(
            (shown("1.2.3.4567890123"), shown("v.1234567890")),
            ("1.2.3.4567890123".to_owned(), "v.1234567890".to_owned())
        );
    }
}
