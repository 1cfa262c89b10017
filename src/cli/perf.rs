//! `perf`: how an account has done, by the figures that the gates go by.

use std::fmt::Write;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::live::mode_of;
use super::output::{BOLD, DIM, Report};
use super::run::journal_failure;
use super::select::Select;
use super::standing::{folder_of, stand};
use super::table::{grouped, short_time};
use super::work::Workplace;
use crate::domain::{Columns, Money, Span, SymbolIndex, Time};
use crate::escalation::Metric;
use crate::perf::rolling::Window;
use crate::perf::{Curve, Unknown};
use crate::profile::Profile;
use crate::runner::performance::{Paper, Performance};
use crate::runner::trader::TraderState;
use crate::store::glance::Glance;
use crate::telemetry::record::{EquityRow, Records};

const METHOD: &str = "\
The ratio is made of daily returns of equity at 00:00 UTC, fees paid, of
complete days; a risk-free rate of zero; 365 days a year unless the gate says
otherwise. Its 95 % interval takes returns as independent and alike: Andrew W.
Lo, \"The Statistics of Sharpe Ratios\", Financial Analysts Journal 58 (2002).
A day without a mark makes it unknown until the window has left that day behind.

Slippage is weighed by notional; a cost is positive. Against the reference: the
close that decided. Against paper: the next open of the lake, made worse by
venue.paper.slippage_bps.";

/// Show how an account has done: rolling Sharpe ratio with its interval, drawdowns, slippage, turnover, fees.
///
/// The ratio is the one that the ladder's gate sees, by the same function.
#[derive(Debug, Args)]
#[command(after_long_help = METHOD)]
pub struct Perf {
    #[command(flatten)]
    select: Select,
    /// How far back [default: as the Sharpe gate says, or 30d].
    #[arg(long, value_name = "SPAN")]
    window: Option<Span>,
    /// One run of the profile alone, by its id.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

impl Perf {
    /// # Errors
    /// When the documents are wrong, nothing was traded, or the journal cannot be read.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selected = self.select.resolve(context, self.select.pipeline.as_deref())?;
        let (mut profile, plan) = (selected.profile, selected.plan);
        stand(context, &mut profile)?;
        let (folder, now) = (folder_of(context, &profile), context.clock.now());
        let account = format!("{}@{}", plan.name(), mode_of(&profile));
        let window = self.window(&profile)?;
        let hint = format!("tidegate run -p {} trades the bars that have closed", profile.name());
        let none = || {
            let error = anyhow!("account {account} has seen no bar yet: there are no figures");
            Failure::new(Exit::Failed, error).hint(hint.clone())
        };
        let glance = Glance::at(&folder).map_err(journal_failure)?.ok_or_else(none)?;
        let state = glance.standing::<TraderState>(&account).map_err(journal_failure)?.ok_or_else(none)?.snapshot;
        let records = glance.journal().records(self.run.as_deref()).map_err(journal_failure)?;
        let slippage_bps = f64::from(profile.paper(plan.symbols()).slippage.0);
        let place = Workplace::at_start(context, profile, plan)?;
        let opens = Opens::of(&place, &records)?;
        let paper = Paper { open: &|symbol, at| opens.at(symbol, at), slippage_bps };
        let figures = match &self.run {
            None => Performance::of(&state, &records, window, &paper, now).ok_or_else(none)?,
            Some(run) => of_run(run, &records, window, &paper)?,
        };
        let mut report = Report {
            verb: "perf",
            profile: Some(place.profile.name().to_owned()),
            mode: Some(mode_of(&place.profile).to_owned()),
            ..Report::default()
        };
        let title = self.run.as_ref().map_or_else(|| account.clone(), |run| format!("{account}, run {run}"));
        report.text = text(&format!("{}  {title}", place.profile.name()), place.profile.currency(), &figures);
        report.data = json!({
            "account": account, "run": self.run, "currency": place.profile.currency(), "figures": figures,
            "slippage_bps": figures.slippage.bps(), "slippage_paper_bps": figures.slippage_paper.bps(),
        });
        Ok(report.print(context, Exit::Done))
    }

    /// The gate's own window, unless another is asked for.
    fn window(&self, profile: &Profile) -> Result<Window, Failure> {
        let gates = profile.schedule().map(|schedule| schedule.gates.as_slice()).unwrap_or_default();
        let of_gate = gates.iter().find_map(|gate| match gate.metric {
            Metric::Sharpe(window) => Some(window),
            _ => None,
        });
        let usual = of_gate.unwrap_or(Window::MONTH);
        let Some(span) = self.window else { return Ok(usual) };
        let days = span.micros() / Span::from_days(1).micros();
        match u32::try_from(days) {
            Ok(days @ 2..=3660) => Ok(Window { days, min_samples: days, ..usual }),
            _ => Err(Failure::new(Exit::Usage, anyhow!("--window {span} is not between 2d and 3660d"))),
        }
    }
}

/// The figures of one run, at its end.
fn of_run(run: &str, records: &Records, window: Window, paper: &Paper<'_>) -> Result<Performance, Failure> {
    let Some(curve) = curve_of(&records.equity) else {
        let error = anyhow!("the journal has no equity of run {run}");
        return Err(Failure::new(Exit::Failed, error).hint("`tidegate log --kind equity` shows rows with their runs"));
    };
    let end = curve.last().0;
    Ok(Performance::on(&curve, records, window, paper, end))
}

fn curve_of(rows: &[EquityRow]) -> Option<Curve> {
    let (first, rest) = rows.split_first()?;
    let mut curve = Curve::new(first.at, first.equity);
    rest.iter().for_each(|row| curve.mark(row.at, row.equity));
    Some(curve)
}

/// Opens of the bars behind decisions.
struct Opens(Vec<Columns>);

impl Opens {
    /// Of the bars that the orders need, as far as the lake has them.
    fn of(place: &Workplace, records: &Records) -> Result<Self, Failure> {
        let filled = || records.orders.iter().filter(|row| row.filled_qty.is_positive()).map(|row| row.intent.decided_at);
        match (filled().min(), filled().max()) {
            (Some(first), Some(last)) => Ok(Self(place.read(Some(first), Some(last + Span::from_micros(1)))?)),
            _ => Ok(Self(Vec::new())),
        }
    }

    fn at(&self, symbol: SymbolIndex, at: Time) -> Option<f64> {
        let columns = self.0.get(symbol.at())?;
        let row = columns.lower_bound(at);
        (columns.open_time.get(row).copied() == Some(at.micros())).then(|| columns.bar(row).open)
    }
}

fn text(title: &str, currency: &str, figures: &Performance) -> String {
    let mut text = format!("{BOLD}{title}{BOLD:#}\n");
    let mut line = |name: &str, rest: String| {
        let _ = writeln!(text, "  {DIM}{name:<16}{DIM:#} {rest}");
    };
    let money = |amount: Money| format!("{amount:.2} {currency}");
    let days = figures.window.days;
    line("equity", format!("{} at {} UTC", money(figures.equity), short_time(figures.marked_at)));
    line(&format!("sharpe {days}d"), sharpe(&figures.sharpe));
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0));
    let parts = [("today", figures.drawdown_daily), ("this week", figures.drawdown_weekly)];
    let now: Vec<String> = parts
        .into_iter()
        .filter(|(_, share)| share.is_some())
        .map(|(name, share)| format!("{name} {}", percent(share)))
        .collect();
    let most = match &figures.drawdown_max {
        Some(worst) => format!("max {:.2} % at {} UTC", worst.depth * 100.0, short_time(worst.trough)),
        None => "max none".to_owned(),
    };
    line("drawdown", now.into_iter().chain([most]).collect::<Vec<_>>().join(", "));
    line("fills", format!("{} in {days}d, turnover {}", grouped(figures.fills), money(figures.turnover)));
    line("fees", money(figures.fees));
    let bps = |slippage: &crate::perf::Slippage, against: &str| match slippage.bps() {
        Some(bps) => format!("{bps:+.2} bps against {against}, n={}", grouped(slippage.orders)),
        None => format!("- against {against}: nothing to measure"),
    };
    line("slippage", bps(&figures.slippage, "the reference"));
    line("", bps(&figures.slippage_paper, "paper"));
    text
}

fn sharpe(figure: &Result<crate::perf::Sharpe, Unknown>) -> String {
    match figure {
        Ok(s) => format!("{:.2}  (95 %: {:.2} .. {:.2}, n={})", s.value, s.low, s.high, s.n),
        Err(unknown) => format!("unknown: {unknown}"),
    }
}
