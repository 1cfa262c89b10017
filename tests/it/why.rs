//! `why`: the card of a decision says what the records say.

use serde_json::Value;

use crate::project::Project;

#[test]
fn a_card_says_what_was_recorded() {
    let project = Project::new();
    project.run("2025-03-02");
    let records = project.records();
    let json = |code, subject: &str| -> Value {
        serde_json::from_str(&project.expect(code, &["why", subject, "-p", "busy", "--json"]).0).unwrap()
    };
    let filled = records.orders.iter().find(|row| row.filled_qty.is_positive() && row.denied.is_none()).unwrap();
    let card = json(0, &filled.intent.id.to_string());
    let fill = records.fills.iter().find(|row| row.fill.order == filled.intent.id).unwrap();
    assert_eq!(card["data"]["fills"][0]["price"], fill.fill.price.to_string());
    assert_eq!(card["data"]["order"]["reference"], filled.intent.reference.to_string());
    let decision =
        records.decisions.iter().find(|d| d.at == filled.intent.decided_at && d.symbol == filled.intent.symbol).unwrap();
    assert_eq!(card["data"]["decision"]["prediction"], decision.prediction);
    assert!(card["data"]["decision"]["features"].as_object().unwrap().len() > 1, "{card}");
    assert_eq!(card["data"]["refusals"], serde_json::json!([]));
    let denied = records.orders.iter().find(|row| row.denied.is_some()).unwrap();
    let card = json(0, &denied.intent.id.to_string());
    let refusals = records.refusals.iter().filter(|row| row.order == denied.intent.id).count();
    assert!(refusals > 0);
    assert_eq!(card["data"]["refusals"].as_array().unwrap().len(), refusals, "every check that refused, with its numbers");
    let bar = json(0, &filled.intent.decided_at.to_string());
    let orders = records.orders.iter().filter(|row| row.intent.decided_at == filled.intent.decided_at).count();
    assert_eq!(bar["data"]["orders"].as_array().unwrap().len(), orders);
    let run = json(0, bar_run(&project).as_str());
    assert_eq!(run["data"]["fills"], records.fills.len());
    json(2, "no-such-thing");
    json(2, "2020-01-01T00:00:00Z");
    let (text, _) = project.expect(0, &["why", &denied.intent.id.to_string(), "-p", "busy"]);
    assert!(text.contains("denied") && text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

fn bar_run(project: &Project) -> String {
    tidegate::store::journal::Journal::open(&project.runs()).unwrap().last_run().unwrap().unwrap()
}
