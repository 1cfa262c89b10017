//! How gates, steps and plans read.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::super::output::{GREEN, RED, Report, YELLOW};
use super::super::standing::Standing;
use super::super::table::{Table, short_time};
use crate::escalation::{Change, Raised, Reading, Verdict};
use crate::profile::Profile;

/// A report about a profile, still empty.
pub fn report(verb: &'static str, standing: &Standing) -> Report {
    Report {
        verb,
        profile: Some(standing.profile.name().to_owned()),
        mode: Some(super::super::live::mode_of(&standing.profile).to_owned()),
        ..Report::default()
    }
}

/// What every gate said, a line each, and when the others could.
pub fn gates(readings: &[Reading]) -> String {
    let mut table = Table::new(&["gate", "measured", "needs", "verdict"]);
    for reading in readings {
        let weak = if reading.weak { ", weak" } else { "" };
        let verdict = format!("{}{weak}", reading.verdict.name());
        table.row([reading.gate.clone(), reading.measured.clone(), reading.needs.clone(), verdict]);
    }
    let mut text = table.render();
    for reading in readings {
        if let (Some(earliest), true) = (reading.earliest, reading.verdict != Verdict::Pass) {
            let can = if reading.verdict == Verdict::Unknown { "can be known" } else { "can pass" };
            let _ = writeln!(text, "  {} {can} from {} UTC", reading.gate, short_time(earliest));
        }
    }
    if readings.iter().any(|reading| reading.weak) {
        text.push_str("  weak: chance alone could have made it\n");
    }
    text
}

/// The names of gates that hold, in words, or that none does.
pub fn held(readings: &[Reading]) -> Option<String> {
    let holds: Vec<String> = readings
        .iter()
        .filter(|reading| reading.verdict != Verdict::Pass)
        .map(|reading| {
            let word = if reading.verdict == Verdict::Unknown { "is unknown" } else { "fails" };
            format!("{} {word}", reading.gate)
        })
        .collect();
    (!holds.is_empty()).then(|| holds.join(", "))
}

/// `HOLD` or `DUE`, in the colour of what it means.
pub fn headline(held: Option<&str>) -> String {
    match held {
        Some(held) => format!("{YELLOW}HOLD{YELLOW:#}: {held}"),
        None => format!("{GREEN}DUE{GREEN:#}: every gate passes"),
    }
}

/// The values that rise.
pub fn changes(changes: &[Change]) -> String {
    let mut table = Table::new(&["", "key", "now#", "", "planned", "why"]);
    for change in changes {
        let Change { key, now, planned, note } = change;
        table.row(["▲".to_owned(), key.clone(), now.clone(), "->".to_owned(), planned.clone(), note.clone()]);
    }
    format!("{RED}{RED:#}{}", table.render())
}

/// The steps of the ladder, the one it stands on marked.
pub fn ladder(profile: &Profile) -> String {
    let Some(ladder) = profile.ladder() else { return String::new() };
    let start = profile.start();
    let moves: Vec<Raised> = Raised::ALL
        .into_iter()
        .filter(|raised| raised.get(ladder.top()) != raised.get(start) || *raised == ladder.raise())
        .collect();
    let mut text = String::new();
    let names: Vec<&str> = moves.iter().map(|raised| raised.name().trim_start_matches("max_")).collect();
    let _ = writeln!(text, "     step  {}", names.join("  "));
    for (at, rung) in ladder.rungs().iter().enumerate() {
        let mark = if at == profile.step() as usize { "->" } else { "  " };
        let cells =
            moves.iter().zip(&names).map(|(raised, name)| format!("{:>wide$}", raised.get(rung).to_string(), wide = name.len()));
        let _ = writeln!(text, "  {mark} {at:>4}  {}", cells.collect::<Vec<_>>().join("  "));
    }
    text
}

/// The readings for a program.
pub fn readings_json(readings: &[Reading]) -> Json {
    json!(readings)
}
