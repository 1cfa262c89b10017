//! A test message with a code to real receivers: whoever types the code back has read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::alerting::{labels, outbox_failure};
use super::exit::Failure;
use crate::notify::{Message, NotifyError, Receiver};
use crate::profile::Profile;
use crate::store::outbox::{Outbox, Outcome, Telling};
use crate::telemetry::Severity;

/// What each receiver answered.
pub type Answers = BTreeMap<String, Result<(), NotifyError>>;

/// Sends one new code to these receivers, now, and waits for what they answer. Each bounds its own time.
///
/// # Errors
/// When the outbox cannot be written.
pub fn send(
    context: &Context,
    profile: &Profile,
    outbox: &mut Outbox,
    receivers: &BTreeMap<String, Arc<dyn Receiver>>,
) -> Result<Answers, Failure> {
    let now = context.clock.now();
    let code = outbox.issue_code(now).map_err(outbox_failure)?;
    let name = profile.name();
    let message = Message {
        id: format!("test-{code}"),
        severity: Severity::Info,
        // The outbox knows by the title which code a receiver took.
        title: format!("test alert of {name}, code {code}"),
        text: format!("This is a test. Type: tidegate alerts ack {code} -p {name}"),
        fields: labels(profile),
        at: now,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut answers = Answers::new();
    for (receiver, engine) in receivers {
        let answer = runtime.block_on(engine.send(&message));
        let telling = Telling {
            route: "test".to_owned(),
            receivers: vec![receiver.clone()],
            kind: "test",
            severity: message.severity,
            title: message.title.clone(),
            text: message.text.clone(),
            fields: Vec::new(),
            at: now,
            alerts: Vec::new(),
        };
        outbox.note_sent(&telling, &outcome(&answer), context.clock.now()).map_err(outbox_failure)?;
        answers.insert(receiver.clone(), answer);
    }
    runtime.shutdown_background();
    Ok(answers)
}

fn outcome(answer: &Result<(), NotifyError>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Delivered,
        Err(error) => Outcome::Failed { why: error.to_string() },
    }
}
