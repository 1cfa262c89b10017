//! What a pipeline means under a profile: the shape the runner works on.

use std::sync::{Arc, OnceLock};

use crate::domain::{Interval, Span, Symbol};
use crate::profile::fingerprint::sha256;
use crate::profile::merge::Effective;
use crate::stage::alert::config::AlertConfig;
use crate::stage::ingest::config::IngestConfig;
use crate::stage::model::config::{ModelConfig, Sizing};
use crate::stage::oms::config::OmsConfig;

use super::graph::StageKind;
use super::schedule::Schedule;

/// A compiled pipeline, valid under the profile it was compiled for.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) stages: Vec<StagePlan>,
    pub(super) ingest: IngestConfig,
    pub(super) model: ModelChoice,
    pub(super) oms: OmsConfig,
    pub(super) alert: AlertConfig,
    pub(super) record: Record,
    pub(super) schedule: Schedule,
    pub(super) effective: Arc<Effective>,
    /// Worked out when somebody asks.
    pub(super) fingerprint: OnceLock<String>,
}

/// One stage as the runner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePlan {
    pub name: String,
    pub kind: StageKind,
    /// Names of stages that must have succeeded before.
    pub needs: Vec<String>,
    /// By the pipeline and by the profile.
    pub enabled: bool,
    pub timeout: Span,
    pub retry: Retry,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    pub count: u32,
    pub on_timeout: bool,
    pub on_connection: bool,
}

/// What decides.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelChoice {
    /// A rule with its parameters.
    Rule(ModelConfig),
    /// A model of the registry.
    Registered { name: String, sizing: Sizing },
}

/// Which decisions are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    Changes,
    All,
}

/// Why a valid plan cannot run yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("pipeline {pipeline} uses the registered model \"{model}\", and registered models are not in effect yet")]
    RegisteredModel { pipeline: String, model: String },
}

impl Plan {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// In the order in which they run.
    #[must_use]
    pub fn stages(&self) -> &[StagePlan] {
        &self.stages
    }

    /// Does the stage of that kind run?
    #[must_use]
    pub fn is_enabled(&self, kind: StageKind) -> bool {
        self.stages.iter().any(|stage| stage.kind == kind && stage.enabled)
    }

    /// Its symbols are those that the profile allows; a relative path is relative to the project's root.
    #[must_use]
    pub fn ingest(&self) -> &IngestConfig {
        &self.ingest
    }

    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.ingest.symbols
    }

    #[must_use]
    pub fn interval(&self) -> Interval {
        self.ingest.interval
    }

    /// What decides, registered models included.
    #[must_use]
    pub fn model_choice(&self) -> &ModelChoice {
        &self.model
    }

    /// The rule that decides: what a runner asks for.
    ///
    /// # Errors
    /// The plan names a registered model, which nothing can load yet.
    pub fn model(&self) -> Result<&ModelConfig, PlanError> {
        match &self.model {
            ModelChoice::Rule(config) => Ok(config),
            ModelChoice::Registered { name, .. } => {
                Err(PlanError::RegisteredModel { pipeline: self.name.clone(), model: name.clone() })
            }
        }
    }

    #[must_use]
    pub fn oms(&self) -> &OmsConfig {
        &self.oms
    }

    #[must_use]
    pub fn alert(&self) -> &AlertConfig {
        &self.alert
    }

    #[must_use]
    pub fn record(&self) -> Record {
        self.record
    }

    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Every value with its origin: for `config` and `explain`.
    #[must_use]
    pub fn effective(&self) -> &Effective {
        &self.effective
    }

    /// SHA-256 over the pipeline's resolved values and the symbols that the profile leaves.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let names: Vec<String> = self.ingest.symbols.iter().map(ToString::to_string).collect();
            sha256(&format!("{}symbols = {}\n", self.effective.canonical(), names.join(",")))
        })
    }
}
