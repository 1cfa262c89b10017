//! `tidegate status`: what runs, where it stands, what is next; on one screen.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::live::mode_of;
use super::output::Report;
use super::select::Select;
use super::start::outcome::Outcome;
use super::table::{Table, short_time, to_second};
use super::work::Workplace;
use crate::domain::Time;
use crate::runner::control;
use crate::runner::trader::TraderState;
use crate::stage::oms::DeskState;
use crate::store::glance::Glance;
use crate::store::latch::Latch;

/// Show what a profile is doing: the program that runs, its accounts, what is due.
///
/// Asks the running program for its state and reads the journal beside it; changes nothing.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    select: Select,
}

impl Status {
    /// # Errors
    /// When the profile is wrong or its journal cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (profile, plan, _) = self.select.load(context)?;
        let place = Workplace::new(context, profile, plan)?;
        let running = control::status(&place.runs)?;
        let latch = Latch::read(&place.runs).map(|latched| {
            latched.map(|latched| format!("{} by {} at {}: {}", latched.cause, latched.by, to_second(latched.at), latched.reason))
        });
        let latch = latch.unwrap_or_else(|_| Some("it is set, and cannot be read".to_owned()));
        let accounts = accounts(&place)?;
        let mut text = format!("{} on {}\n", place.profile.name(), mode_of(&place.profile));
        text.push_str(&program(running.as_ref()));
        if let Some(latch) = &latch {
            text.push_str(&format!("  halted    {latch}\n"));
        }
        if !accounts.is_empty() {
            let mut table = Table::new(&["account", "equity#", "held#", "day#", "week#", "state", "last bar (UTC)"]);
            for account in &accounts {
                table.row(account.row(place.profile.currency()));
            }
            text.push_str(&format!("\n{}", table.render()));
        }
        let next = match (&running, &latch) {
            (_, Some(_)) => format!("tidegate resume -p {} --reason \"...\"", place.profile.name()),
            (None, None) => format!("tidegate start -p {}", place.profile.name()),
            (Some(_), None) => format!("tidegate positions -p {}", place.profile.name()),
        };
        let report = Report {
            verb: "status",
            profile: Some(place.profile.name().to_owned()),
            mode: Some(mode_of(&place.profile).to_owned()),
            data: json!({
                "program": running,
                "latched": latch,
                "accounts": accounts.iter().map(Row::json).collect::<Vec<_>>(),
            }),
            text,
            next: vec![next],
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }
}

/// One account as the journal has it.
struct Row {
    account: String,
    watermark: Time,
    state: TraderState,
}

impl Row {
    fn desk(&self) -> &DeskState {
        self.state.desk()
    }

    fn held(&self) -> crate::domain::Money {
        self.desk().held().map(|held| held.value).sum()
    }

    fn trading(&self) -> String {
        match (self.desk().halt(), self.desk().paused_until()) {
            (Some(halt), _) => format!("halted by {}", halt.cause.name()),
            (None, Some(until)) if self.watermark < until => format!("paused until {}", to_second(until)),
            (None, _) => "active".to_owned(),
        }
    }

    fn row(&self, currency: &str) -> [String; 7] {
        let (day, week) = self.desk().drawdowns();
        [
            self.account.clone(),
            format!("{:.2} {currency}", self.desk().equity()),
            format!("{:.2}", self.held()),
            loss(day),
            loss(week),
            self.trading(),
            short_time(self.watermark),
        ]
    }

    fn json(&self) -> Value {
        let (day, week) = self.desk().drawdowns();
        json!({
            "account": self.account,
            "equity": self.desk().equity().to_string(),
            "cash": self.desk().cash().to_string(),
            "held": self.held().to_string(),
            "drawdown_daily": day,
            "drawdown_weekly": week,
            "halted": self.desk().halt().map(|halt| json!({ "cause": halt.cause.name(), "at": halt.at.to_string() })),
            "paused_until": self.desk().paused_until().map(|until| until.to_string()),
            "watermark": self.watermark.to_string(),
        })
    }
}

fn accounts(place: &Workplace) -> Result<Vec<Row>, Failure> {
    let Some(glance) = Glance::at(&place.runs)? else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for account in glance.accounts()? {
        if let Some(standing) = glance.standing::<TraderState>(&account)? {
            rows.push(Row { account, watermark: standing.watermark, state: standing.snapshot });
        }
    }
    Ok(rows)
}

/// A fall from the high-water mark.
fn loss(ratio: f64) -> String {
    let percent = (ratio * 100.0 * 100.0).round() / 100.0;
    if percent > 0.0 { format!("-{percent:.2} %") } else { "0.00 %".to_owned() }
}

/// A time as the running program says it.
fn told(value: &Value) -> String {
    let time = value.as_str().and_then(|text| text.parse::<Time>().ok());
    time.map_or_else(|| "-".to_owned(), to_second)
}

/// The program that runs, in a few lines.
fn program(running: Option<&Value>) -> String {
    let Some(running) = running else { return "  program   none runs\n".to_owned() };
    let text = |name: &str| running[name].as_str().unwrap_or("-").to_owned();
    let mut lines = format!("  program   {}, process {} since {}\n", text("state"), running["pid"], told(&running["began"]));
    if let Some(why) = running["why"].as_str().or_else(|| running["verb"].as_str()) {
        lines.push_str(&format!("            {why}\n"));
    }
    lines.push_str(&format!("  metrics   {}\n", text("metrics")));
    if let Some(venue) = running["venue"].as_object() {
        let says = |name: &str, yes: &str, no: &str| if venue[name] == true { yes.to_owned() } else { no.to_owned() };
        lines.push_str(&format!(
            "  venue     {}, {}, {}, {}\n",
            venue["address"].as_str().unwrap_or("-"),
            says("answers", "answers", "DOES NOT ANSWER"),
            says("listening", "listened to", "not listened to"),
            says("reconciled", "account compared", "account NOT COMPARED"),
        ));
    }
    for pipeline in running["pipelines"].as_array().into_iter().flatten() {
        let next = if pipeline["next"].is_null() { "no time".to_owned() } else { told(&pipeline["next"]) };
        lines.push_str(&format!("  next      {} at {next}", pipeline["pipeline"].as_str().unwrap_or("-")));
        if let Some(paused) = pipeline["paused"].as_str() {
            lines.push_str(&format!(", PAUSED {paused}"));
        }
        lines.push('\n');
        if let Ok(last) = serde_json::from_value::<Outcome>(pipeline["last"].clone()) {
            lines.push_str(&format!("  last      {}", last.line()));
        }
    }
    lines
}
