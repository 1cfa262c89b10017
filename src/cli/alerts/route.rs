//! `tidegate alerts route`: who would be told of an alert, and why.

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::Context;
use super::super::exit::{Exit, Failure};
use super::super::output::Report;
use super::super::select::Select;
use crate::pipeline::Plan;
use crate::stage::alert::{Route, routing};
use crate::telemetry::Severity;

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Grave {
    Info,
    Warning,
    Critical,
}

impl Grave {
    const fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Critical => Severity::Critical,
        }
    }
}

/// Say who would be told of an alert, by which route, and why.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// How grave it is [default: what the rule says].
    #[arg(long, value_enum, value_name = "SEVERITY", required_unless_present = "rule")]
    severity: Option<Grave>,
    /// The rule that raises it.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    select: Select,
}

impl RouteArgs {
    /// # Errors
    /// When the profile is wrong or has no such rule.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selected = self.select.resolve(context, None)?;
        let severity = self.of(&selected.plan)?;
        let (plan, name) = (&selected.plan, selected.profile.name());
        let config = plan.alert();
        let taken = routing::route(&config.routes, severity);
        let mut text = format!("an alert that is {severity}, under {name}\n");
        for route in &config.routes {
            text.push_str(&format!("  {:<12}{}\n", route.name, why(route, severity, taken)));
            if Some(route) == taken {
                break;
            }
        }
        match taken {
            None => text.push_str("  nobody is told: no route takes it\n"),
            Some(route) => {
                text.push_str(&format!("  told        {}\n", route.receivers.join(", ")));
                let silence = if route.silenceable { "may be silenced" } else { "cannot be silenced" };
                text.push_str(&format!("  silence     {silence}\n"));
                if let Some(fallback) = &config.fallback {
                    let within = config.receipt_within;
                    text.push_str(&format!("  fallback    {fallback}, when a receiver has not confirmed it within {within}\n"));
                }
            }
        }
        let report = Report {
            verb: "alerts-route",
            profile: Some(name.to_owned()),
            mode: Some(selected.profile.mode().name().to_owned()),
            text,
            data: json!({
                "severity": severity.name(),
                "route": taken.map(|route| &route.name),
                "receivers": taken.map(|route| &route.receivers),
                "silenceable": taken.map(|route| route.silenceable),
                "fallback": config.fallback,
            }),
            ..Report::default()
        };
        Ok(report.print(context, Exit::Done))
    }

    fn of(&self, plan: &Plan) -> Result<Severity, Failure> {
        let Some(name) = &self.rule else {
            return Ok(self.severity.expect("the command line asks for one of both").severity());
        };
        let rules = &plan.alert().rules;
        match rules.iter().find(|rule| rule.name == *name) {
            Some(rule) => Ok(self.severity.map_or(rule.severity, Grave::severity)),
            None => {
                let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
                let error = anyhow!("there is no rule called {name}");
                Err(Failure::new(Exit::Usage, error).hint(format!("rules: {}", names.join(", "))))
            }
        }
    }
}

fn why(route: &Route, severity: Severity, taken: Option<&Route>) -> String {
    match route.severity {
        _ if Some(route) == taken && route.severity.is_none() => "takes it: it takes everything".to_owned(),
        _ if Some(route) == taken => format!("takes it: it takes what is {severity}"),
        Some(wanted) => format!("passes it on: it takes what is {wanted} only"),
        None => "stands behind one that takes it".to_owned(),
    }
}
