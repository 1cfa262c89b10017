//! `escalate history`: every change of the ladder, by the log.

use clap::Args;
use serde_json::{Value, json};

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::run::journal_failure;
use super::super::standing::Standing;
use super::super::table::{Table, short_time};
use super::{Of, words};
use crate::domain::Time;
use crate::store::glance::Glance;
use crate::store::journal::{LogQuery, LogRow};

/// Rows that are shown.
const ROWS: u32 = 1000;
const KIND: &str = "ladder-step";
const SECOND: i64 = 1_000_000;

/// List every change of the ladder, the newest last: steps, kills, what was lowered, held and released, and why.
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    of: Of,
}

impl History {
    /// # Errors
    /// When the documents are wrong or the journal cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let standing = Standing::of(context, &self.of.select())?;
        let query = LogQuery { kind: Some(KIND.to_owned()), limit: ROWS, ..LogQuery::default() };
        let rows = match Glance::at(&standing.folder).map_err(journal_failure)? {
            Some(glance) => glance.log(&query).map_err(journal_failure)?,
            None => Vec::new(),
        };
        let mut table = Table::new(&["at (UTC)", "step#", "by", "why"]);
        let mut changes = Vec::new();
        for row in &rows {
            let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            table.row([to_the_second(row), body["step"].to_string(), text("cause"), text("why")]);
            changes.push(json!({
                "at": row.at.to_string(), "row": row.sequence, "step": body["step"], "cause": body["cause"], "why": body["why"],
                "evidence": body["evidence"],
            }));
        }
        let mut report = words::report("escalate-history", &standing);
        report.text = if rows.is_empty() { "the ladder has never moved\n".to_owned() } else { table.render() };
        report.data = json!({ "changes": changes });
        Ok(report.print(context, Exit::Done))
    }
}

fn to_the_second(row: &LogRow) -> String {
    short_time(Time::from_micros(row.at.micros() - row.at.micros().rem_euclid(SECOND)))
}
