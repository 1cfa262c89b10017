//! The flags that choose a profile and a pipeline, and what they resolve to.

use anyhow::anyhow;
use clap::Args;

use super::Context;
use super::exit::{Exit, Failure};
use super::names;
use super::output::print_err;
use crate::pipeline::{self, Plan};
use crate::profile::render::{self, Paint};
use crate::profile::{Diagnostic, Diagnostics, Documents, Environment, Folder, Overrides, Profile, Severity, effect};

/// Which profile, which pipeline, and what the command line changes in them.
#[derive(Debug, Clone, Args)]
pub struct Select {
    /// The profile: the name of a file in profiles/, without .toml.
    #[arg(short, long, value_name = "PROFILE", add = names::profiles())]
    pub profile: Option<String>,
    /// The pipeline: the name of a file in pipelines/ [default: the one the profile names].
    #[arg(long, value_name = "NAME", add = names::pipelines())]
    pub pipeline: Option<String>,
    /// Set one value over the documents, like stage.model.params.fast=5. A live profile's limits stay as they are written.
    #[arg(long, value_name = "KEY=VALUE", add = names::settings())]
    pub set: Vec<String>,
    /// Trade on the paper venue, whatever the profile says.
    #[arg(long)]
    pub paper: bool,
}

/// What the flags resolve to.
#[derive(Debug)]
pub struct Selected {
    pub profile: Profile,
    pub plan: Plan,
    pub warnings: Diagnostics,
}

impl Select {
    /// Resolves the profile and compiles its pipeline. Warnings that matter to a run go to stderr.
    ///
    /// # Errors
    /// [`Exit::Configuration`] with everything that is wrong; [`Exit::Usage`] when no profile is named.
    pub fn load(&self, context: &Context) -> Result<(Profile, Plan, Vec<Diagnostic>), Failure> {
        self.load_pipeline(context, self.pipeline.as_deref())
    }

    /// The same for a verb that takes the pipeline in another way.
    ///
    /// # Errors
    /// As in [`Select::load`].
    pub fn load_pipeline(&self, context: &Context, pipeline: Option<&str>) -> Result<(Profile, Plan, Vec<Diagnostic>), Failure> {
        let selected = self.resolve(context, pipeline)?;
        // What is not in effect yet, and what is only worth a note, is a matter for `check`; a run has enough to say.
        let mut spoken = Diagnostics::default();
        spoken.extend(selected.warnings.iter().filter(|d| d.code != effect::CODE && d.severity != Severity::Note).cloned());
        if !context.quiet && !context.json {
            print_err(&render::text(&spoken, Paint::Colour));
        }
        Ok((selected.profile, selected.plan, selected.warnings.into_iter().collect()))
    }

    /// The same without a word.
    ///
    /// # Errors
    /// As in [`Select::load`].
    pub fn resolve(&self, context: &Context, pipeline: Option<&str>) -> Result<Selected, Failure> {
        let name = self.profile.as_deref().ok_or_else(|| no_profile(context))?;
        let loaded = pipeline::load(&context.root, name, pipeline, &self.overrides(), &environment());
        let (profile, plan, warnings) = loaded.map_err(|found| Failure::new(Exit::Configuration, found))?;
        let mut all = Diagnostics::default();
        all.extend(warnings);
        Ok(Selected { profile, plan, warnings: all })
    }

    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides { set: self.set.clone(), paper: self.paper, ..Overrides::default() }
    }
}

fn no_profile(context: &Context) -> Failure {
    let names = Documents::new(&context.root).names(Folder::Profiles);
    let there = if names.is_empty() {
        format!("{} holds no profile: is --root right?", context.root.join(Folder::Profiles.name()).display())
    } else {
        format!("there are: {}", names.join(", "))
    };
    Failure::new(Exit::Usage, anyhow!("no profile was named")).hint(format!("name one with -p; {there}"))
}

/// The variables of this process that may mean us.
#[must_use]
pub fn environment() -> Environment {
    let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    Environment::new(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))))
}
