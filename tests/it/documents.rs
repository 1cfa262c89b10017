//! The shipped documents mean what they say.

use std::path::Path;

use tidegate::domain::{Fraction, Money, Span, Symbol};
use tidegate::pipeline::{self, ModelChoice, Plan, Record, StageKind};
use tidegate::profile::{Environment, Mode, Overrides, Profile, VenueKind};
use tidegate::stage::model::config::{CrossSignal, EmaSeed, Rule, Sizing};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(profile: &str, pipeline: Option<&str>, overrides: &Overrides, variables: &[(&str, &str)]) -> (Profile, Plan) {
    let environment = Environment::new(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    match pipeline::load(root(), profile, pipeline, overrides, &environment) {
        Ok((profile, plan, _)) => (profile, plan),
        Err(found) => panic!("{}", tidegate::profile::render::text(&found, tidegate::profile::render::Paint::Plain)),
    }
}

fn paper() -> Overrides {
    Overrides { paper: true, ..Overrides::default() }
}

fn money(text: &str) -> Money {
    text.parse().expect("a test writes money right")
}

#[test]
fn the_canary_carries_the_numbers_of_its_script() {
    let (profile, plan) = load("canary", None, &Overrides::default(), &[]);
    assert_eq!(profile.chain(), ["canary", "base"]);
    assert_eq!((profile.mode(), profile.venue()), (Mode::Live, VenueKind::Binance));
    let limits = profile.limits();
    assert_eq!(limits.max_notional_per_order, money("50"));
    assert_eq!(limits.max_total_notional, money("200"));
    assert_eq!(limits.max_dd_daily, Fraction::from_f64(0.03).unwrap());
    assert_eq!(limits.max_dd_weekly, Fraction::from_f64(0.05).unwrap());
    assert_eq!(limits.latency_threshold, Span::from_millis(500));
    assert_eq!(profile.rules().on_latency.window, 3);
    assert_eq!(plan.name(), "trend");
}

#[test]
fn the_demo_runs_on_paper_and_needs_no_network() {
    let (profile, plan) = load("canary", Some("demo"), &paper(), &[]);
    assert_eq!((profile.mode(), profile.venue()), (Mode::Paper, VenueKind::Paper));
    let kinds: Vec<StageKind> = plan.stages().iter().map(|stage| stage.kind).collect();
    assert_eq!(kinds, [StageKind::Ingest, StageKind::Model, StageKind::Oms, StageKind::Alert]);
    assert!(plan.stages().iter().all(|stage| stage.enabled));
    assert_eq!(plan.record(), Record::Changes);
    let model = plan.model().unwrap();
    let Rule::EmaCross(cross) = model.rule else { panic!("{:?}", model.rule) };
    assert_eq!((cross.fast, cross.slow, cross.warmup), (12, 26, 26));
    assert_eq!((cross.signal, cross.seed), (CrossSignal::Cross, EmaSeed::Sma));
    assert_eq!(model.sizing, Sizing::FixedNotional { notional: money("50") });
    let paper = profile.paper(plan.symbols());
    assert_eq!(paper.instruments.len(), 2);
    assert_eq!(paper.instruments[1].symbol, "ETH/USDT".parse::<Symbol>().unwrap());
    assert_eq!(paper.instruments[1].qty_step, "0.00001".parse().unwrap());
    assert_eq!(paper.equity, money("1000"));
}

#[test]
fn layers_win_in_their_order() {
    let set = |text: &str| Overrides { set: vec![text.to_owned()], paper: true, ..Overrides::default() };
    let variables = [("TIDEGATE__STORAGE__RUNS", "from-env"), ("TIDEGATE__LIMITS__MAX_NOTIONAL_PER_ORDER", "9000")];
    let (profile, _) = load("canary", None, &paper(), &variables);
    assert_eq!(profile.storage().runs, Path::new("from-env"));
    assert_eq!(profile.limits().max_notional_per_order, money("50"), "the environment never sets limits");
    assert_eq!(profile.ignored().len(), 1);
    let (profile, _) = load("canary", None, &set("storage.runs=from-flag"), &variables);
    assert_eq!(profile.storage().runs, Path::new("from-flag"));
    let (_, plan) = load("canary", None, &set("stage.model.params.fast=5"), &[]);
    let ModelChoice::Rule(model) = plan.model_choice() else { panic!("a rule") };
    assert!(matches!(model.rule, Rule::EmaCross(cross) if cross.fast == 5));
}

#[test]
fn fingerprints_tell_meanings_apart() {
    let (one, plan) = load("canary", Some("demo"), &paper(), &[]);
    let (two, other) = load("canary", Some("demo"), &paper(), &[]);
    assert_eq!((one.fingerprint(), plan.fingerprint()), (two.fingerprint(), other.fingerprint()));
    assert_eq!(one.fingerprint().len(), 64);
    let changed = Overrides { set: vec!["venue.paper.equity=2000".to_owned()], paper: true, ..Overrides::default() };
    let (three, _) = load("canary", Some("demo"), &changed, &[]);
    assert_ne!(one.fingerprint(), three.fingerprint());
    let narrowed = Overrides { set: vec!["risk.symbols=BTC/USDT".to_owned()], paper: true, ..Overrides::default() };
    let (_, fewer) = load("canary", Some("demo"), &narrowed, &[]);
    assert_eq!(fewer.symbols().len(), 1);
    assert_ne!(plan.fingerprint(), fewer.fingerprint());
}

#[test]
fn every_shipped_profile_resolves() {
    for name in ["canary", "production"] {
        for pipeline in [None, Some("demo"), Some("trend")] {
            load(name, pipeline, &Overrides::default(), &[]);
            load(name, pipeline, &paper(), &[]);
        }
    }
}

#[test]
fn a_stage_runs_only_when_both_documents_let_it() {
    let set = |text: &str| Overrides { set: vec![text.to_owned()], paper: true, ..Overrides::default() };
    for text in ["stage.oms.enabled=false", "stages.oms.enabled=false"] {
        let (_, plan) = load("canary", Some("demo"), &set(text), &[]);
        assert!(!plan.is_enabled(StageKind::Oms) && plan.is_enabled(StageKind::Model), "{text}");
        assert_eq!(plan.stages().len(), 4, "{text}");
    }
}

#[test]
fn a_registered_model_is_sound_and_cannot_run_yet() {
    let root = tempfile::tempdir().expect("a scratch folder can be made");
    let case = self::root().join("tests/cases/diagnostics");
    let files = [
        ("profiles/base.toml", case.join("_common/profiles/base.toml")),
        ("profiles/good.toml", case.join("_common/profiles/good.toml")),
        ("pipelines/trend.toml", case.join("registered_model_later/pipelines/trend.toml")),
    ];
    for (to, from) in files {
        let to = root.path().join(to);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a scratch folder can be made");
        std::fs::copy(from, to).expect("a case's file can be copied");
    }
    let loaded = pipeline::load(root.path(), "good", None, &Overrides::default(), &Environment::default());
    let (_, plan, warnings) = loaded.expect("the documents are sound");
    assert!(warnings.iter().all(|warning| warning.code == "not-in-effect"), "{warnings:?}");
    assert!(plan.model().unwrap_err().to_string().contains("not in effect yet"));
}
