//! The ladder by its commands: a plan is applied once, what changed voids it, a kill takes it back, lowering needs nobody.

use serde_json::Value;
use tidegate::domain::{Money, Span, Time};
use tidegate::risk::{HaltCause, Trip};
use tidegate::runner::trader::TraderState;
use tidegate::store::journal::Journal;
use tidegate::store::outbox::{Outbox, Word};
use tidegate::telemetry::record::{Notice, Records};

use crate::preflight::critical;
use crate::project::Project;

const PROFILE: &str = r#"
[profile]
inherits = "base"
pipeline = "climb"
[limits]
max_notional_per_order = "50"
max_position_notional = "100"
max_total_notional = "200"
max_daily_turnover = "100000"
max_dd_daily = 0.05
max_dd_weekly = 0.10
max_participation = 0.5
[risk]
max_reference_move = 1.0
max_repeated_orders = 1000
data_gap = "warn"
[escalation]
enabled = true
raise = "max_notional_per_order"
multiply = 2
target = "500"
scale_with = ["max_position_notional", "max_total_notional", "max_daily_turnover"]
[escalation.gate.sharpe]
metric = "sharpe"
window = "30d"
op = ">"
value = -100.0
min_samples = 30
[escalation.gate.quiet]
metric = "kill_events"
window = "7d"
op = "=="
value = 0
[escalation.gate.alerts]
metric = "alerts_unresolved_critical"
op = "=="
value = 0
"#;

/// Orders of 90: more than the first step allows, less than the second one does.
const PIPELINE: &str = r#"
[pipeline]
summary = "one symbol of generated hours"
[stage.ingest]
kind = "ingest"
source = "synthetic"
seed = 7
start = "2025-03-01"
bars = 2400
symbols = ["AAA/USDT"]
interval = "1h"
[stage.ingest.contract]
missing_bars = 0
max_return = 0.9
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 3, slow = 8, signal = "state" }
[stage.model.sizing]
kind = "fixed-notional"
notional = "45"
[stage.oms]
kind = "oms"
needs = ["model"]
order = "market"
[stage.alert]
kind = "alert"
needs = ["oms"]
when = "always"
"#;

/// A Monday at its slot, behind 37 days of bars.
const SLOT: &str = "2025-04-07T09:00:00Z";
const SOON: &str = "2025-04-07T09:30:00Z";
/// 23 hours late.
const LATE: &str = "2025-04-08T08:00:00Z";
const NEXT: &str = "2025-04-14T09:00:00Z";

fn project() -> Project {
    let project = Project::new();
    std::fs::write(project.path().join("profiles/climb.toml"), PROFILE).unwrap();
    std::fs::write(project.path().join("pipelines/climb.toml"), PIPELINE).unwrap();
    project
}

#[track_caller]
fn json(project: &Project, code: i32, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["-p", "climb", "--json"]).collect();
    let (out, _) = project.expect(code, &args);
    serde_json::from_str(&out).unwrap()
}

#[track_caller]
fn run(project: &Project, at: &str) {
    project.expect(0, &["run", "-p", "climb", "--at", at]);
}

/// Makes a plan and gives its name.
#[track_caller]
fn plan(project: &Project, at: &str, more: &[&str]) -> String {
    let args: Vec<&str> = ["escalate", "plan", "--at", at].iter().copied().chain(more.iter().copied()).collect();
    json(project, 0, &args)["data"]["plan"]["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn apply(project: &Project, code: i32, plan: &str, at: &str) -> Value {
    json(project, code, &["escalate", "apply", plan, "--confirm", "climb", "--at", at])
}

#[track_caller]
fn error(document: &Value) -> &str {
    document["data"]["error"].as_str().unwrap()
}

#[track_caller]
fn limit(project: &Project, key: &str, at: &str) -> String {
    let document = json(project, 0, &["limits", "--at", at]);
    let rows = document["data"]["limits"].as_array().unwrap();
    rows.iter().find(|row| row["key"] == key).unwrap()["value"].as_str().unwrap().to_owned()
}

/// What a tripped drawdown leaves in the journal, at the last bar.
fn trip(project: &Project, at: &str) {
    let mut journal = Journal::open(&project.path().join("runs/climb")).unwrap();
    let standing = journal.standing::<TraderState>("climb@paper").unwrap().unwrap();
    let money = |text: &str| text.parse::<Money>().unwrap();
    let trip = Trip {
        cause: HaltCause::DrawdownWeekly,
        at: at.parse().unwrap(),
        equity: money("900"),
        high_water_mark: money("1000"),
        flatten: true,
        paused_until: None,
    };
    let records = Records { notices: vec![Notice::Killed { trip, had_position: true }], ..Records::default() };
    let run = journal.last_run().unwrap().unwrap();
    journal.commit(&run, "climb@paper", &standing, &records).unwrap();
}

#[test]
fn a_plan_is_applied_once_late_and_costs_no_week() {
    let project = project();
    run(&project, SLOT);
    let first = plan(&project, SOON, &[]);
    assert_eq!(limit(&project, "max_notional_per_order", SOON), "50", "a plan raises nothing");
    let unasked = json(&project, 2, &["escalate", "apply", &first, "--at", SOON]);
    assert!(error(&unasked).contains("nobody is there to confirm it"), "{unasked}");
    assert_eq!(json(&project, 6, &["escalate", "apply", &first, "--confirm", "canary", "--at", SOON])["exit_code"], 6);
    assert_eq!(apply(&project, 0, &first, LATE)["data"]["step"], 1);
    let used = apply(&project, 7, &first, LATE);
    assert!(error(&used).ends_with("was used before"), "{used}");
    assert_eq!(limit(&project, "max_total_notional", LATE), "400");
    let explained = json(&project, 0, &["explain", "limits.max_notional_per_order", "--at", LATE]);
    assert_eq!((&explained["data"]["in_force"], &explained["data"]["value"]), (&"100".into(), &"50".into()));
    assert_eq!(explained["data"]["state"]["ladder_step"], 1);
    assert_eq!(json(&project, 5, &["escalate", "status", "--exit-code", "--at", LATE])["data"]["held_by"][0], "spacing");
    run(&project, NEXT);
    let second = plan(&project, NEXT, &["--exit-code"]);
    assert_eq!(apply(&project, 0, &second, NEXT)["data"]["step"], 2);
    assert_eq!(limit(&project, "max_notional_per_order", NEXT), "200");
    let history = json(&project, 0, &["escalate", "history"]);
    let steps: Vec<i64> = history["data"]["changes"].as_array().unwrap().iter().map(|c| c["step"].as_i64().unwrap()).collect();
    assert_eq!(steps, [0, 1, 2]);
}

#[test]
fn a_run_trades_with_the_step_that_was_applied() {
    let project = project();
    let pipeline = PIPELINE.replace("\"45\"", "\"90\"");
    std::fs::write(project.path().join("pipelines/climb.toml"), pipeline).unwrap();
    run(&project, SLOT);
    let folder = project.path().join("runs/climb");
    let denied = |journal: &Journal| journal.records(None).unwrap().refusals.len();
    let before = denied(&Journal::open(&folder).unwrap());
    assert!(before > 0, "step 0 denies orders of 90");
    // Nothing was traded, so equity never moved: nobody knows the ratio, and the ladder holds.
    let held = json(&project, 5, &["escalate", "plan", "--exit-code", "--at", SOON]);
    assert_eq!(held["data"]["plan"]["readings"][2]["measured"], "equity did not move");
    let relaxed = PROFILE.replace("[escalation.gate.sharpe]", "[escalation.gate.sharpe]\nenabled = false");
    let project = self::project();
    std::fs::write(project.path().join("profiles/climb.toml"), relaxed).unwrap();
    std::fs::write(project.path().join("pipelines/climb.toml"), PIPELINE.replace("\"45\"", "\"90\"")).unwrap();
    run(&project, SLOT);
    let id = plan(&project, SOON, &[]);
    apply(&project, 0, &id, SOON);
    run(&project, NEXT);
    let records = Journal::open(&project.path().join("runs/climb")).unwrap().records(None).unwrap();
    let since: Time = SOON.parse().unwrap();
    let filled = records.orders.iter().filter(|row| row.filled_qty.is_positive());
    assert!(filled.clone().count() > 0, "step 1 lets orders of 90 pass");
    assert!(filled.into_iter().all(|row| row.intent.decided_at > since));
}

#[test]
fn a_plan_is_voided_by_a_drawdown_and_the_next_run_takes_the_ladder_back() {
    let project = project();
    run(&project, SLOT);
    let first = plan(&project, SOON, &[]);
    apply(&project, 0, &first, SOON);
    run(&project, NEXT);
    let second = plan(&project, NEXT, &[]);
    // Stamped with a close that lies before the plan: it was written down since.
    trip(&project, "2025-04-14T09:00:00Z");
    let voided = apply(&project, 7, &second, "2025-04-14T09:10:00Z");
    assert!(error(&voided).contains("was voided by a kill (drawdown-weekly) at 2025-04-14T09:00:00Z"), "{voided}");
    assert_eq!(json(&project, 0, &["escalate", "status", "--at", "2025-04-14T09:20:00Z"])["data"]["decision"], "restart");
    let (_, told) = project.expect(0, &["run", "-p", "climb", "--at", "2025-04-14T10:01:00Z"]);
    assert!(told.contains("the ladder stands at step 0 again: it was at step 1, killed by drawdown-weekly"), "{told}");
    assert_eq!(limit(&project, "max_notional_per_order", "2025-04-14T10:02:00Z"), "50");
    run(&project, "2025-04-21T08:00:00Z");
    let at = |text: &str| json(&project, 0, &["escalate", "status", "--at", text])["data"]["held_by"].clone();
    // 6 days and 23 hours behind the kill, and 7 days and a second.
    assert_eq!(at("2025-04-21T08:00:00Z"), serde_json::json!(["alerts", "quiet", "slot"]));
    // The alert of a kill stands until a person resumes, which is what ends it here.
    let over = Word::SettleAll { prefix: "kill/" };
    let mut outbox = Outbox::open(&project.path().join("runs/climb")).unwrap();
    outbox.take(&[over], None, Span::ZERO, false, "2025-04-21T08:01:00Z".parse().unwrap()).unwrap();
    assert_eq!(at("2025-04-21T09:00:01Z"), serde_json::json!([]));
}

#[test]
fn a_critical_alert_holds_the_ladder_and_voids_the_plan_made_before() {
    let project = project();
    run(&project, SLOT);
    let first = plan(&project, SOON, &[]);
    let mut outbox = Outbox::open(&project.path().join("runs/climb")).unwrap();
    critical(&mut outbox, "rule/venue-down", "2025-04-07T09:40:00Z".parse().unwrap());
    let held = |at: &str| json(&project, 0, &["escalate", "status", "--at", at])["data"]["held_by"].clone();
    assert_eq!(held("2025-04-07T09:39:00Z"), serde_json::json!([]), "it is raised later");
    assert_eq!(held("2025-04-07T09:41:00Z"), serde_json::json!(["alerts"]));
    let id = outbox.unresolved_critical(Time::MAX).unwrap()[0].id.to_string();
    json(&project, 0, &["alerts", "ack", &id, "--at", "2025-04-07T09:42:00Z"]);
    assert_eq!(held("2025-04-07T09:43:00Z"), serde_json::json!([]));
    // It is over, and whoever made the plan had not seen it.
    let voided = apply(&project, 7, &first, "2025-04-07T09:43:00Z");
    assert!(error(&voided).contains("was voided by a critical alert (rule/venue-down) at 2025-04-07T09:40:00Z"), "{voided}");
    let second = plan(&project, "2025-04-07T09:44:00Z", &[]);
    assert_eq!(apply(&project, 0, &second, "2025-04-07T09:45:00Z")["data"]["step"], 1);
}

#[test]
fn a_plan_that_does_not_fit_any_more_is_refused() {
    let project = project();
    run(&project, SLOT);
    let plans = project.path().join("runs/climb/plans");
    let id = plan(&project, SOON, &[]);
    let file = plans.join(format!("{id}.json"));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"planned\": \"100\"", "\"planned\": \"500\"")).unwrap();
    let edited = apply(&project, 7, &id, SOON);
    assert!(error(&edited).ends_with("its file was edited"), "{edited}");
    std::fs::write(&file, text).unwrap();
    let expired = apply(&project, 7, &id, "2025-04-08T09:00:00Z");
    assert!(error(&expired).contains("expired at 2025-04-08T09:00:00Z"), "{expired}");
    let profile = project.path().join("profiles/climb.toml");
    std::fs::write(&profile, PROFILE.replace("max_dd_daily = 0.05", "max_dd_daily = 0.04")).unwrap();
    let stale = apply(&project, 7, &id, SOON);
    assert!(error(&stale).contains("the profile's documents changed"), "{stale}");
    let absent = json(&project, 2, &["escalate", "apply", "beefbeef", "--at", SOON]);
    assert!(error(&absent).contains("there is no plan beefbeef"), "{absent}");
    json(&project, 5, &["escalate", "plan", "--at", "2025-04-08T09:00:00Z"]);
}

#[test]
fn a_limit_is_lowered_at_once_and_only_a_plan_gives_it_back() {
    let project = project();
    run(&project, SLOT);
    let lower = |code, value: &str| json(&project, code, &["limits", "lower", "max_notional_per_order", value, "--at", SOON]);
    assert_eq!(error(&lower(6, "60")), "max_notional_per_order is 50, and 60 is not below it");
    assert_eq!(lower(0, "40")["data"]["before"], "50");
    assert_eq!(error(&lower(6, "45")), "max_notional_per_order is 40, and 45 is not below it");
    assert!(error(&lower(2, "-1")).contains("is no value of max_notional_per_order"));
    assert_eq!(limit(&project, "max_notional_per_order", SOON), "40");
    // Beside a program that holds the journal it counts as well, and is written down by whoever comes next.
    let held = Journal::open(&project.path().join("runs/climb")).unwrap();
    assert_eq!(lower(0, "30")["data"]["logged"], false);
    assert_eq!(limit(&project, "max_notional_per_order", SOON), "30");
    drop(held);
    run(&project, "2025-04-07T10:01:00Z");
    assert_eq!(
        Journal::open(&project.path().join("runs/climb")).unwrap().footing().unwrap().lowered["max_notional_per_order"],
        "30"
    );
    assert_eq!(std::fs::read_dir(project.path().join("runs/climb/wishes")).unwrap().count(), 0);
    let id = plan(&project, "2025-04-07T10:02:00Z", &["--lift"]);
    apply(&project, 0, &id, "2025-04-07T10:03:00Z");
    assert_eq!(limit(&project, "max_notional_per_order", "2025-04-07T10:04:00Z"), "50");
}

#[test]
fn a_schedule_that_raises_waits_for_a_plan_and_one_that_lowers_counts_at_once() {
    let project = project();
    let profile = project.path().join("profiles/climb.toml");
    run(&project, SLOT);
    std::fs::write(&profile, PROFILE.replace("\"500\"", "\"800\"").replace("window = \"7d\"", "window = \"14d\"")).unwrap();
    let status = json(&project, 0, &["escalate", "status", "--at", SOON]);
    assert_eq!(status["data"]["pending"], serde_json::json!(["escalation.target \"500\" -> \"800\""]));
    let (_, told) = project.expect(0, &["run", "-p", "climb", "--at", "2025-04-07T10:01:00Z"]);
    assert!(told.contains("the schedule was lowered: escalation.gate.quiet.window"), "{told}");
    let id = plan(&project, "2025-04-07T10:02:00Z", &[]);
    apply(&project, 0, &id, "2025-04-07T10:03:00Z");
    let status = json(&project, 0, &["escalate", "status", "--at", "2025-04-07T10:04:00Z"]);
    assert_eq!((&status["data"]["pending"], &status["data"]["step"]), (&serde_json::json!([]), &0.into()));
    std::fs::write(&profile, PROFILE.replace("enabled = true", "enabled = false")).unwrap();
    run(&project, "2025-04-07T11:01:00Z");
    assert_eq!(Journal::open(&project.path().join("runs/climb")).unwrap().footing().unwrap().terms.len(), 0);
}

#[test]
fn a_hold_holds_until_it_is_released() {
    let project = project();
    run(&project, SLOT);
    json(&project, 0, &["escalate", "hold", "--reason", "a release", "--at", SOON]);
    let id = plan(&project, SOON, &[]);
    let held = apply(&project, 5, &id, SOON);
    assert!(error(&held).ends_with("is not applied: hold fails"), "{held}");
    json(&project, 0, &["escalate", "hold", "--release", "--reason", "over", "--at", SOON]);
    let id = plan(&project, SOON, &[]);
    assert_eq!(apply(&project, 0, &id, SOON)["data"]["step"], 1);
}

/// The gate, `perf` and the manifest of a run say one figure.
#[test]
fn one_figure_wherever_it_is_asked_for() {
    let project = project();
    run(&project, "2025-04-07T00:00:00Z");
    let perf = json(&project, 0, &["perf", "--at", "2025-04-07T00:00:00Z"]);
    let figure = &perf["data"]["figures"]["sharpe"]["Ok"];
    assert_eq!(figure["n"], 30, "{perf}");
    let status = json(&project, 0, &["escalate", "status", "--at", "2025-04-07T00:00:00Z"]);
    let readings = status["data"]["readings"].as_array().unwrap();
    let said = readings.iter().find(|reading| reading["gate"] == "sharpe").unwrap()["measured"].as_str().unwrap();
    assert!(said.starts_with(&format!("{:.2} ", figure["value"].as_f64().unwrap())), "{said}");
    let state =
        Journal::open(&project.path().join("runs/climb")).unwrap().standing::<TraderState>("climb@paper").unwrap().unwrap();
    let summary = tidegate::perf::Summary::of(state.snapshot.curve().unwrap());
    assert_eq!(summary.sharpe_30d.unwrap().value, figure["value"].as_f64().unwrap());
    assert!(perf["data"]["slippage_bps"].as_f64().unwrap() > 0.0);
    assert!(perf["data"]["slippage_paper_bps"].as_f64().unwrap().abs() < 0.5, "paper costs what paper costs: {perf}");
}

#[test]
fn a_history_is_walked_with_its_reasons() {
    let project = project();
    run(&project, "2025-05-01T00:00:00Z");
    let svg = project.path().join("steps.svg");
    let document = json(&project, 0, &["escalate", "simulate", "--at", "2025-05-01T00:00:00Z", "--svg", svg.to_str().unwrap()]);
    let weeks = document["data"]["weeks"].as_array().unwrap();
    assert_eq!((weeks.len(), &document["data"]["held"]), (9, &4.into()), "{document}");
    assert_eq!(weeks[8]["after"], 4);
    assert!(std::fs::read_to_string(svg).unwrap().contains("a step up"));
    let replayed = json(&project, 0, &["escalate", "simulate", "--replay", "--to", "2025-05-01T00:00:00Z"]);
    let steps =
        |document: &Value| document["data"]["weeks"].as_array().unwrap().iter().map(|w| w["after"].clone()).collect::<Vec<_>>();
    assert_eq!(steps(&replayed), steps(&document), "replay and record are one history");
}
