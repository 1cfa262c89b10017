//! The program dies between what happened and the message about it.

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, WaitOptions, waitpid};
use tidegate::store::outbox::Outbox;
use tidegate::venue::sim::Script;

use super::{Server, say};
use crate::order_kills::Desk;

const RUN: [&str; 15] = [
    "run",
    "-p",
    "steps",
    "--set",
    "stages.alert.enabled=true",
    "--set",
    "alerts.receiver.slack.kind=slack",
    "--set",
    "alerts.receiver.slack.url=env:HOOK",
    "--set",
    "alerts.route.all.order=1",
    "--set",
    "alerts.route.all.receivers=[\"slack\"]",
    "--set",
    "limits.max_notional_per_order=10",
];

/// A8: killed behind the row of the log and before the message. G7. ALERT-6.
#[test]
fn what_the_log_has_is_told_by_the_next_program_marked_late() {
    let server = Server::start(vec![say("200 OK", "ok")]);
    // The order that the model wants is too large: denied, and people are told.
    let desk = Desk::new(Script::new(1));
    let mut command = desk.command(&RUN);
    let mut child = command.env("HOOK", server.url()).env("TIDEGATE_DRILL_STOP", "J8").spawn().unwrap();
    let (_, status) = waitpid(Some(Pid::from_child(&child)), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped(), "it ended before: {status:?}");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(server.heads().is_empty(), "nobody was told");

    let run = || desk.command(&RUN).env("HOOK", server.url()).output().unwrap();
    let output = run();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let again = run();
    assert_eq!(again.status.code(), Some(0));
    let bodies = server.stop();
    assert_eq!(bodies.len(), 1, "told once: {bodies:?}");
    assert!(bodies[0].contains("order denied by the risk gate"), "{bodies:?}");
    assert!(bodies[0].contains("late: happened at") && bodies[0].contains("venue: practice"), "{bodies:?}");
    let outbox = Outbox::look(&desk.folder().join("runs/steps")).unwrap().unwrap();
    let row = outbox.alerts(99).unwrap().into_iter().find(|row| row.key.starts_with("denied/")).unwrap();
    assert!(row.late && row.raised_at < row.queued_at && row.told_at.is_some(), "{row:?}");
}
