//! From a profile and a plan to what the runner works on.

use crate::domain::{Projection, Symbol};
use crate::pipeline::Plan;
use crate::pipeline::plan::{PlanError, Record};
use crate::profile::{Profile, text};
use crate::risk::Gate;
use crate::stage::model::{BarField, Model};
use crate::stage::oms::DeskConfig;
use crate::telemetry::record::RecordMode;

use super::folder::{BUILD, Fingerprints, Stamp, Written, order_scope};
use super::trader::TraderConfig;

/// What the core needs to trade `plan` under `profile` on the paper venue.
///
/// # Errors
/// When the plan asks for what has no engine yet.
pub fn trader(profile: &Profile, plan: &Plan) -> Result<TraderConfig, PlanError> {
    let model = plan.model()?.clone();
    let symbols = plan.symbols();
    let paper = profile.paper(symbols);
    let scope = |symbol: &Symbol| order_scope(profile.name(), plan.name(), profile.mode().name(), symbol);
    Ok(TraderConfig {
        desk: DeskConfig {
            oms: plan.oms().clone(),
            gate: Gate::new(profile.limits().clone(), profile.rules().clone()),
            interval: plan.interval(),
            instruments: paper.instruments.clone(),
            allowed: symbols.iter().map(|s| profile.rules().symbols.is_empty() || profile.rules().symbols.contains(s)).collect(),
            scopes: symbols.iter().map(scope).collect(),
            model_window: Model::new(&model, plan.interval()).window(),
            fee: paper.taker.max(paper.maker),
            record: match plan.record() {
                Record::Changes => RecordMode::Changes,
                Record::All => RecordMode::All,
            },
        },
        model,
        paper,
    })
}

/// The columns of the lake that a trader reads.
#[must_use]
pub fn projection(config: &TraderConfig) -> Projection {
    let column = |field| match field {
        BarField::Open => Projection::OPEN,
        BarField::High => Projection::HIGH,
        BarField::Low => Projection::LOW,
        BarField::Close => Projection::CLOSE,
        BarField::Volume => Projection::VOLUME,
    };
    config.fields().into_iter().map(column).fold(Projection::TIME, |all, one| all | one)
}

/// What a run of `plan` under `profile` is stamped with. `data` names the bars it reads.
#[must_use]
pub fn stamp(profile: &Profile, plan: &Plan, config: &TraderConfig, kind: &str, data: String) -> Stamp {
    let seed = match plan.ingest().source {
        crate::stage::ingest::config::Source::Synthetic(synthetic) => Some(synthetic.seed),
        _ => None,
    };
    let features = Model::new(&config.model, plan.interval()).feature_names().into_iter().flatten();
    Stamp {
        run: String::new(),
        kind: kind.to_owned(),
        profile: profile.name().to_owned(),
        mode: profile.mode().name().to_owned(),
        pipeline: plan.name().to_owned(),
        interval: plan.interval().to_string(),
        symbols: plan.symbols().to_vec(),
        features: features.map(str::to_owned).collect(),
        fingerprints: Fingerprints {
            profile: profile.standing_fingerprint(),
            pipeline: plan.fingerprint().to_owned(),
            data,
            binary: BUILD.to_owned(),
            seed,
        },
        reads: Vec::new(),
        written: Written {
            profile: text::toml(profile.effective(), &|_| None),
            pipeline: text::toml(plan.effective(), &|_| None),
        },
    }
}
