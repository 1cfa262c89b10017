//! From a sound document to a plan under a profile.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::domain::{Money, Span, Symbol, TimeInForce};
use crate::feed::binance::{Address, Service};
use crate::profile::Profile;
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::merge::Effective;
use crate::profile::path::KeyPath;
use crate::stage::alert::config::{AlertConfig, Route, Severity};
use crate::stage::ingest::config::{Contract, IngestConfig, Remote, Source, Synthetic};
use crate::stage::model::config::{CrossSignal, EmaCross, EmaSeed, ModelConfig, Rule, Sizing};
use crate::stage::oms::config::{OmsConfig, OrderStyle, SizedIn};

use super::document::Document;
use super::graph::StageKind;
use super::keys::stage_table;
use super::plan::{ModelChoice, Plan, Record, Retry, StagePlan};
use super::schedule;

/// Compiles `document` for `profile`. `None` when the two do not fit; the findings say why.
pub fn compile(profile: &Profile, document: &Document, found: &mut Diagnostics) -> Option<Plan> {
    let effective = &document.effective;
    let stage = |kind: StageKind| {
        let joint = document.stages.iter().find(|joint| joint.kind == kind)?;
        Some(Read { effective, table: stage_table(&joint.name) })
    };
    let [ingest, model, oms] = [StageKind::Ingest, StageKind::Model, StageKind::Oms]
        .map(|kind| stage(kind).expect("a sound document has a stage of each kind but alert"));
    let before = found.errors();
    let symbols = allowed_symbols(profile, &ingest, found);
    quoted_in_currency(profile, &ingest, &symbols, found);
    if found.errors() > before {
        return None;
    }
    let sizing = sizing(&model);
    sizing_fits(profile, &model, &sizing, found);
    let ingest = ingest_config(&ingest, symbols);
    Some(Plan {
        name: document.name.clone(),
        summary: effective.text_at(&KeyPath::dotted("pipeline.summary")).unwrap_or_default().to_owned(),
        stages: stages(profile, document),
        model: model_choice(&model, sizing),
        oms: oms_config(&oms),
        alert: alert_config(profile),
        record: if effective.text_at(&KeyPath::dotted("pipeline.record")) == Some("all") { Record::All } else { Record::Changes },
        schedule: schedule::build(effective, ingest.interval),
        ingest,
        effective: Arc::clone(&document.effective),
        fingerprint: OnceLock::new(),
    })
}

/// Reads keys of one stage that the checks before have proven to be there.
struct Read<'a> {
    effective: &'a Effective,
    table: KeyPath,
}

macro_rules! readers {
    ($($name:ident: $getter:ident => $type:ty),* $(,)?) => {
        impl Read<'_> {
            $(fn $name(&self, key: &str) -> $type {
                let path = self.table.join(key);
                self.effective.$getter(&path).unwrap_or_else(|| panic!("{path} has a default or is required, and was checked"))
            })*
        }
    };
}

readers! {
    bool: bool_at => bool,
    count: count_at => u64,
    float: float_at => f64,
    fraction: fraction_at => crate::domain::Fraction,
    bps: bps_at => crate::domain::Bps,
    money: money_at => Money,
    span: span_at => Span,
    time: time_at => crate::domain::Time,
    interval: interval_at => crate::domain::Interval,
    symbols: symbols_at => Vec<Symbol>,
}

impl Read<'_> {
    fn text(&self, key: &str) -> &str {
        self.effective.text_at(&self.table.join(key)).unwrap_or_default()
    }

    fn small(&self, key: &str) -> u32 {
        u32::try_from(self.count(key)).expect("the schema bounds counts to 32 bits")
    }
}

/// The pipeline's symbols that the profile's allow-list leaves, in the pipeline's order.
fn allowed_symbols(profile: &Profile, ingest: &Read<'_>, found: &mut Diagnostics) -> Vec<Symbol> {
    let own = ingest.symbols("symbols");
    let allowed = &profile.rules().symbols;
    if allowed.is_empty() {
        return own;
    }
    let kept: Vec<Symbol> = own.into_iter().filter(|symbol| allowed.contains(symbol)).collect();
    if kept.is_empty() {
        let (key, list) = (ingest.table.child("symbols"), KeyPath::dotted("risk.symbols"));
        let names: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let error = Diagnostic::error("no-symbols", format!("profile {} allows none of the pipeline's symbols", profile.name()))
            .at(ingest.effective.place(&key))
            .label("none of these is allowed")
            .key(&key)
            .note_at(format!("risk.symbols allows {}", names.join(", ")), profile.effective().place(&list));
        found.push(error.hint("allow one of these symbols in the profile, or take in one that it allows"));
    }
    kept
}

/// Limits count one currency; a symbol quoted in another would be compared with them as if it were the same.
fn quoted_in_currency(profile: &Profile, ingest: &Read<'_>, symbols: &[Symbol], found: &mut Diagnostics) {
    let key = ingest.table.child("symbols");
    for symbol in symbols.iter().filter(|symbol| symbol.quote() != profile.currency()) {
        let currency = KeyPath::dotted("limits.currency");
        let error = Diagnostic::error(
            "currency-mismatch",
            format!("{symbol} is quoted in {}, limits count {}", symbol.quote(), profile.currency()),
        )
        .at(ingest.effective.place(&key))
        .key(&key)
        .note_at(
            format!("limits.currency = \"{}\" in profile {}", profile.currency(), profile.name()),
            profile.effective().place(&currency),
        );
        found.push(error.hint(format!("take in symbols quoted in {}, or use a profile of that currency", profile.currency())));
    }
}

/// An order that the gate will always deny is worth a word before the first bar.
fn sizing_fits(profile: &Profile, model: &Read<'_>, sizing: &Sizing, found: &mut Diagnostics) {
    let (name, wanted) = match sizing {
        Sizing::FixedNotional { notional } => ("notional", *notional),
        Sizing::VolatilityTarget { notional_max, .. } | Sizing::Kelly { notional_max, .. } => ("max_notional", *notional_max),
    };
    let limit = profile.limits().max_notional_per_order;
    if wanted > limit {
        let key = model.table.join("sizing").child(name);
        let limit_key = KeyPath::dotted("limits.max_notional_per_order");
        let warning = Diagnostic::warning("sizing-above-limit", "the gate will deny orders of this size")
            .at(model.effective.place(&key))
            .label(format!("{wanted} > {limit}"))
            .key(&key)
            .note_at(format!("{limit_key} = \"{limit}\" in profile {}", profile.name()), profile.effective().place(&limit_key));
        found.push(warning.hint(if limit.is_zero() {
            format!("set {limit_key} in profile {}: zero allows nothing", profile.name())
        } else {
            format!("lower {name} to at most \"{limit}\"")
        }));
    }
}

fn ingest_config(read: &Read<'_>, symbols: Vec<Symbol>) -> IngestConfig {
    IngestConfig {
        source: match read.text("source") {
            "file" => Source::File { path: PathBuf::from(read.text("path")) },
            "synthetic" => {
                Source::Synthetic(Synthetic { seed: read.count("seed"), start: read.time("start"), bars: read.small("bars") })
            }
            "binance" => Source::Binance(remote(read, Service::Market)),
            "binance-ws" => {
                Source::BinanceWs { rest: remote(read, Service::Market), stream: address(read, "stream_url", Service::Stream) }
            }
            _ => Source::BinanceArchive(remote(read, Service::Archive)),
        },
        symbols,
        interval: read.interval("interval"),
        contract: Contract {
            missing_bars: read.count("contract.missing_bars"),
            max_return: read.float("contract.max_return"),
            monotonic_time: read.bool("contract.monotonic_time"),
            non_negative_volume: read.bool("contract.non_negative_volume"),
            last_bar_closed: read.bool("contract.last_bar_closed"),
        },
        timeout: read.span("timeout"),
    }
}

fn remote(read: &Read<'_>, service: Service) -> Remote {
    Remote { address: address(read, "base_url", service), history: read.span("history") }
}

fn address(read: &Read<'_>, name: &str, service: Service) -> Address {
    match read.text(name) {
        "" => Address::default_of(service),
        url => Address::new(service, url).expect("the address was checked with the document"),
    }
}

fn model_choice(read: &Read<'_>, sizing: Sizing) -> ModelChoice {
    let rule = match read.text("model") {
        "ema-cross" => {
            let slow = read.small("params.slow");
            let warmup = read.effective.count_at(&read.table.join("params.warmup"));
            Rule::EmaCross(EmaCross {
                fast: read.small("params.fast"),
                slow,
                signal: if read.text("params.signal") == "state" { CrossSignal::State } else { CrossSignal::Cross },
                seed: if read.text("params.seed") == "first" { EmaSeed::First } else { EmaSeed::Sma },
                warmup: warmup.map_or(slow, |n| u32::try_from(n).expect("the schema bounds counts to 32 bits")),
            })
        }
        "momentum" => Rule::Momentum { lookback: read.small("params.lookback"), threshold: read.float("params.threshold") },
        "mean-reversion" => Rule::MeanReversion {
            window: read.small("params.window"),
            entry: read.float("params.entry"),
            exit: read.float("params.exit"),
        },
        _ => return ModelChoice::Registered { name: read.text("registry").to_owned(), sizing },
    };
    ModelChoice::Rule(ModelConfig { rule, sizing })
}

fn sizing(read: &Read<'_>) -> Sizing {
    match read.text("sizing.kind") {
        "volatility-target" => Sizing::VolatilityTarget {
            target: read.float("sizing.target"),
            window: read.small("sizing.window"),
            notional_max: read.money("sizing.max_notional"),
        },
        "kelly" => Sizing::Kelly {
            fraction: read.fraction("sizing.fraction").to_f64(),
            window: read.small("sizing.window"),
            notional_max: read.money("sizing.max_notional"),
        },
        _ => Sizing::FixedNotional { notional: read.money("sizing.notional") },
    }
}

fn oms_config(read: &Read<'_>) -> OmsConfig {
    OmsConfig {
        order: match read.text("order") {
            "limit" => {
                let tif = match read.text("time_in_force") {
                    "ioc" => TimeInForce::Ioc,
                    "post-only" => TimeInForce::PostOnly,
                    _ => TimeInForce::Gtc,
                };
                OrderStyle::Limit { offset: read.bps("offset_bps"), expire_after: read.span("expire_after"), tif }
            }
            _ => OrderStyle::Market,
        },
        sized_in: if read.text("sized_in") == "base" { SizedIn::Base } else { SizedIn::Quote },
        stop_loss_atr: read.float("on_exit.stop_loss_atr"),
        take_profit_atr: read.float("on_exit.take_profit_atr"),
        atr_period: read.small("on_exit.atr_period"),
    }
}

fn alert_config(profile: &Profile) -> AlertConfig {
    let routes = profile.alerts().routes.iter().map(|route| Route {
        name: route.name.clone(),
        severity: route.severity.as_deref().and_then(Severity::named),
        receivers: route.receivers.clone(),
        silenceable: route.silenceable,
    });
    let alerts = profile.alerts();
    AlertConfig {
        repeat_every: alerts.repeat_every,
        routes: routes.collect(),
        fallback: alerts.fallback.clone(),
        receipt_within: alerts.receipt_within,
        rules: alerts.rules.clone(),
    }
}

fn stages(profile: &Profile, document: &Document) -> Vec<StagePlan> {
    let allowed = profile.stages();
    let plan = |joint: &super::graph::Joint| {
        let read = Read { effective: &document.effective, table: stage_table(&joint.name) };
        let causes = document.effective.texts_at(&read.table.join("retry.on")).unwrap_or_default();
        let on = |cause: &str| causes.iter().any(|c| c == cause);
        let by_profile = match joint.kind {
            StageKind::Ingest => allowed.ingest,
            StageKind::Model => allowed.model,
            StageKind::Oms => allowed.oms,
            StageKind::Alert => allowed.alert,
        };
        StagePlan {
            name: joint.name.clone(),
            kind: joint.kind,
            needs: joint.needs.clone(),
            enabled: by_profile && read.bool("enabled"),
            timeout: read.span("timeout"),
            retry: Retry { count: read.small("retry.count"), on_timeout: on("timeout"), on_connection: on("connection") },
        }
    };
    document.stages.iter().map(plan).collect()
}
