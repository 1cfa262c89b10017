//! `check`: is every document sound? Nothing is contacted and nothing is written.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::output::{BOLD, GREEN, RED, Report, YELLOW};
use super::secrets::NamedSecrets;
use super::select::{Select, environment};
use super::standing::applied_step;
use crate::pipeline::load::{Sound, load_from, read_alone};
use crate::pipeline::{Plan, StageKind};
use crate::profile::documents::Asked;
use crate::profile::render::{self, Paint};
use crate::profile::{Diagnostics, Documents, Environment, Folder, Profile, chain, effect, keys};
use crate::secret::Secrets;

/// Check profiles and pipelines, and say everything that is wrong.
///
/// Secrets that a run would not find are listed and are no errors: they are kept where the run is, not where documents are
/// checked. Variables, files and the kernel's keyring are looked at; a keyring that may ask a person is not, and its secrets are
/// listed as unknown.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    select: Select,
    /// List every setting that is not in effect yet.
    #[arg(short, long)]
    verbose: bool,
}

/// One document's result.
struct Checked {
    name: String,
    kind: &'static str,
    sound: bool,
    facts: String,
    /// Of a sound profile. A folder may hold a thousand of them, so what they resolve to is not kept.
    resolved: Option<Resolved>,
}

struct Resolved {
    mode: &'static str,
    json: serde_json::Value,
}

impl Check {
    /// # Errors
    /// None of its own; what is wrong with the documents is the report.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut pass = Pass::new(context);
        let checked = match &self.select.profile {
            Some(name) => vec![self.one(name, &mut pass)],
            None => self.all(&mut pass),
        };
        let found = pass.found.sorted();
        let exit = if found.errors() == 0 { Exit::Done } else { Exit::Configuration };
        Ok(self.report(&checked, &pass.secrets, found).print(context, exit))
    }

    fn one(&self, name: &str, pass: &mut Pass) -> Checked {
        let mut own = Diagnostics::default();
        let (pipeline, overrides) = (self.select.pipeline.as_deref(), self.select.overrides());
        let loaded = load_from(&mut pass.documents, &mut pass.sound, name, pipeline, &overrides, &pass.environment, &mut own);
        let sound = own.errors() == 0 && loaded.is_some();
        pass.found.extend(own);
        let facts = loaded.as_ref().map(|(profile, plan)| facts(profile, plan, &pass.root)).unwrap_or_default();
        let resolved = loaded.filter(|_| sound).map(|(profile, plan)| {
            pass.secrets.add(&profile);
            let json = if pass.for_programs { Resolved::json(&profile, &plan) } else { serde_json::Value::Null };
            Resolved { mode: profile.mode().name(), json }
        });
        Checked { name: name.to_owned(), kind: "profile", sound, facts, resolved }
    }

    /// Every profile that can be picked with its pipeline, and every other pipeline by itself.
    fn all(&self, pass: &mut Pass) -> Vec<Checked> {
        let mut checked = Vec::new();
        let names = pass.documents.names(Folder::Profiles);
        if names.is_empty() && self.select.pipeline.is_none() {
            pass.found.push(pass.documents.none_at_all(Folder::Profiles));
        }
        for name in names {
            let asked = Asked { code: "missing-profile", by: None };
            let layer = pass.documents.open(Folder::Profiles, &name, &keys::SCHEMA, &asked);
            if layer.is_some_and(|layer| chain::is_abstract(&layer)) {
                pass.found.extend(pass.documents.take_found());
            } else {
                checked.push(self.one(&name, pass));
            }
        }
        let mut pipelines = pass.documents.names(Folder::Pipelines);
        if let Some(one) = &self.select.pipeline {
            pipelines.retain(|name| name == one);
        }
        for name in pipelines {
            let overrides = self.select.overrides();
            let sound = read_alone(&mut pass.documents, &name, &overrides, &pass.environment, &mut pass.found);
            checked.push(Checked { name, kind: "pipeline", sound, facts: String::new(), resolved: None });
        }
        checked
    }

    /// What is worth a line: while something is wrong, nobody asks what comes later.
    fn shown(&self, found: Diagnostics) -> Diagnostics {
        if self.verbose {
            return found;
        }
        let wrong = found.errors() > 0;
        let mut shown = Diagnostics::default();
        shown.extend(effect::summarised(found).into_iter().filter(|d| !wrong || d.code != effect::CODE));
        shown
    }

    fn report(&self, checked: &[Checked], secrets: &NamedSecrets, found: Diagnostics) -> Report {
        let mut report = Report { verb: "check", ..Report::default() };
        report.data = json!({
            "diagnostics": render::json(&found),
            "documents": checked.iter().map(Checked::json).collect::<Vec<_>>(),
            "secrets": secrets.json(),
        });
        if let [Checked { name, resolved: Some(resolved), .. }] = checked {
            report.profile = Some(name.clone());
            report.mode = Some(resolved.mode.to_owned());
        }
        let shown = self.shown(found);
        let (errors, warnings) = (shown.errors(), shown.warnings());
        report.text = render::text(&shown, Paint::Colour);
        let wide = checked.iter().map(|one| one.name.len()).max().unwrap_or(0);
        for one in checked {
            let (style, word) = if one.sound { (GREEN, "ok") } else { (RED, "wrong") };
            let facts = if one.facts.is_empty() { String::new() } else { format!("     {}", one.facts) };
            let _ = writeln!(report.text, "{:<8}  {:<wide$}  {style}{word}{style:#}{facts}", one.kind, one.name);
        }
        report.text.push_str(&secrets.text(self.verbose));
        let style = if errors > 0 {
            RED
        } else if warnings > 0 {
            YELLOW
        } else {
            BOLD
        };
        let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
        let total = format!("{}, {}", count(errors, "error"), count(warnings, "warning"));
        let _ = writeln!(report.text, "{style}{total}{style:#}. Nothing was contacted.");
        if errors > 0 {
            report.next.push("fix what is named above, then run the same command again".to_owned());
        }
        report
    }
}

/// One walk over documents that profiles share: each is read once, and each finding told once.
struct Pass {
    root: PathBuf,
    documents: Documents,
    sound: Sound,
    environment: Environment,
    secrets: NamedSecrets,
    found: Diagnostics,
    /// A fingerprint costs more than all checks of a profile, and only programs read it.
    for_programs: bool,
}

impl Pass {
    fn new(context: &Context) -> Self {
        Self {
            root: context.root.clone(),
            documents: Documents::new(&context.root),
            sound: Sound::default(),
            environment: environment(),
            secrets: NamedSecrets::new(Secrets::of_this_process(&context.root)),
            found: Diagnostics::default(),
            for_programs: context.json,
        }
    }
}

impl Resolved {
    fn json(profile: &Profile, plan: &Plan) -> serde_json::Value {
        json!({
            "chain": profile.chain(),
            "mode": profile.mode().name(),
            "venue": profile.venue().name(),
            "pipeline": plan.name(),
            "fingerprint": profile.fingerprint(),
            "pipeline_fingerprint": plan.fingerprint(),
        })
    }
}

impl Checked {
    fn json(&self) -> serde_json::Value {
        let mut json = json!({ "kind": self.kind, "name": self.name, "ok": self.sound });
        for key in ["chain", "mode", "venue", "pipeline", "fingerprint", "pipeline_fingerprint"] {
            json[key] = self.resolved.as_ref().map_or(serde_json::Value::Null, |resolved| resolved.json[key].clone());
        }
        json
    }
}

fn facts(profile: &Profile, plan: &Plan, root: &Path) -> String {
    let chain: Vec<&str> = profile.chain().iter().rev().map(String::as_str).collect();
    let oms = if plan.is_enabled(StageKind::Oms) { profile.venue().name() } else { "no orders" };
    let step = match applied_step(root, profile) {
        Some(step) => format!(", step {step} of the ladder"),
        None => String::new(),
    };
    format!("{}, {}, {oms}, pipeline {}{step}", chain.join(" > "), profile.mode().name(), plan.name())
}
