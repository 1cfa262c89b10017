//! `tidegate alerts test`: a message with a code to real receivers, so that a person can confirm that it came.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Context;
use super::super::alerting::outbox_failure;
use super::super::exit::{Exit, Failure};
use super::super::output::Report;
use super::super::receipt;
use super::super::select::Select;
use crate::notify::{self, Receiver};
use crate::profile::Profile;
use crate::secret::Secrets;
use crate::store::outbox::Outbox;

/// Send a test message with a code to the receivers of a profile, now, and say what each answered.
///
/// Whoever gets it types `tidegate alerts ack CODE`: an accepted message is not yet a message that somebody read.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    select: Select,
    /// Only this receiver [default: all of them].
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
}

impl Test {
    /// # Errors
    /// When the profile has no such receiver, or the outbox cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let profile = self.select.resolve(context, None)?.profile;
        let receivers = self.chosen(context, &profile)?;
        let folder = context.root.join(&profile.storage().runs).join(profile.name());
        let mut outbox = Outbox::open(&folder).map_err(outbox_failure)?;
        let name = profile.name();
        let answers = receipt::send(context, &profile, &mut outbox, &receivers)?;
        let mut report = Report { verb: "alerts-test", profile: Some(name.to_owned()), ..Report::default() };
        report.mode = Some(profile.mode().name().to_owned());
        let (mut rows, mut failed) = (Vec::new(), 0);
        for (receiver, result) in &answers {
            failed += usize::from(result.is_err());
            let said = result.as_ref().map_or_else(ToString::to_string, |()| "it has the message".to_owned());
            report.text.push_str(&format!("  {:<4}  {receiver}: {said}\n", if result.is_ok() { "ok" } else { "fail" }));
            rows.push(json!({ "receiver": receiver, "ok": result.is_ok(), "said": said }));
        }
        report.text.insert_str(0, &format!("test of {name} to {} receivers, with a code\n", receivers.len()));
        report.data = json!({ "sent": rows, "failed": failed });
        if failed < receivers.len() {
            report.next.push(format!("whoever has it types: tidegate alerts ack CODE -p {name}"));
        }
        Ok(report.print(context, if failed == 0 { Exit::Done } else { Exit::Failed }))
    }

    fn chosen(&self, context: &Context, profile: &Profile) -> Result<BTreeMap<String, Arc<dyn Receiver>>, Failure> {
        let configs = &profile.alerts().receivers;
        let names: Vec<&str> = configs.keys().map(String::as_str).collect();
        if names.is_empty() {
            let error = anyhow!("profile {} has no receiver of alerts", profile.name());
            return Err(Failure::new(Exit::Configuration, error).hint("add an [alerts.receiver.NAME] table and a route to it"));
        }
        let secrets = Secrets::of_this_process(&context.root);
        let mut all = notify::open_all(configs, &secrets);
        if let Some(wanted) = &self.receiver {
            if !all.contains_key(wanted) {
                let error = anyhow!("profile {} has no receiver called {wanted}", profile.name());
                return Err(Failure::new(Exit::Usage, error).hint(format!("its receivers: {}", names.join(", "))));
            }
            all.retain(|name, _| name == wanted);
        }
        Ok(all)
    }
}
