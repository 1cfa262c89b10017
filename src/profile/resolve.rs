//! From documents to a profile: the one fallible step between what is written and what runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::domain::Symbol;
use crate::escalation::Footing;
use crate::notify::ReceiverConfig;
use crate::notify::config::SmtpConfig;
use crate::risk::rules::{BarAge, DataGap, DrawdownAction, OnDrawdown, OnLatency};
use crate::risk::{Limits, Rules};
use crate::store::bucket::endpoint;
use crate::telemetry::Severity;
use crate::telemetry::watch::{Op, Rule, Then};

use super::chain::{Chain, chain, is_abstract};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::documents::{Documents, Folder};
use super::keys::{DEFAULTS, SCHEMA};
use super::layer::{Layer, Level};
use super::merge::Effective;
use super::overlay::{Ignored, Overlay, Overrides};
use super::path::KeyPath;
use super::resolved::{
    Alerts, BinanceConfig, Compression, Mode, PaperSettings, Profile, Route, S3, Stages, Storage, TradingRules, VenueKind,
};
use super::source::Source;
use super::stand::Stand;
use super::{bounds, rules};

/// Resolves the profile `name`. `None` when anything in its chain or its overlay is wrong; the findings say what.
pub fn resolve(
    documents: &mut Documents,
    name: &str,
    overlay: Overlay,
    overrides: &Overrides,
    ignored: Vec<Ignored>,
    found: &mut Diagnostics,
) -> Option<Profile> {
    let before = found.errors();
    let chain = chain(documents, name, found);
    found.extend(documents.take_found());
    let Chain { files, whole } = chain?;
    refuse_abstract(documents, &files[0], found);
    let names = files.iter().map(|layer| layer.name.clone()).collect();
    let mut layers = vec![Arc::clone(&DEFAULTS)];
    layers.extend(files.iter().rev().cloned());
    layers.push(Arc::new(overlay.environment));
    layers.push(Arc::new(overlay.flags));
    if overrides.paper {
        layers.push(Arc::new(forced_paper(found)));
    }
    let picked = Arc::clone(&files[0]);
    let hides = |layer: &Layer, path: &KeyPath| {
        layer.level == Level::File && layer.name != picked.name && path.first() == "profile" && path.last() != "pipeline"
    };
    let effective = Effective::merge(&SCHEMA, layers, &hides);
    if whole {
        effective.check_presence(found);
    }
    bounds::check_tightening(&effective, found);
    bounds::check_limits(&effective, found);
    rules::check(&effective, overrides, found);
    // A parent that several profiles share tells of its faults once, and is unsound for all of them.
    let sound = found.errors() == before && whole && effective.layers().iter().all(|layer| layer.sound);
    sound.then(|| build(name, names, effective, ignored))
}

/// The profile that a run went by, from what the run wrote down. Its bounds were checked then.
pub fn recorded(name: &str, source: Arc<Source>, found: &mut Diagnostics) -> Option<Profile> {
    let layer = Layer::parse(name, source, &SCHEMA, found).filter(|layer| layer.sound)?;
    let effective = Effective::merge(&SCHEMA, vec![Arc::clone(&DEFAULTS), Arc::new(layer)], &|_, _| false);
    let before = found.errors();
    effective.check_presence(found);
    (found.errors() == before).then(|| build(name, vec![name.to_owned()], effective, Vec::new()))
}

fn refuse_abstract(documents: &Documents, layer: &Layer, found: &mut Diagnostics) {
    if !is_abstract(layer) {
        return;
    }
    let key = KeyPath::dotted("profile.abstract");
    let others: Vec<String> = documents.names(Folder::Profiles).into_iter().filter(|name| *name != layer.name).collect();
    let error =
        Diagnostic::error("abstract-profile", format!("{} is abstract: it is inherited and cannot be picked", layer.name));
    let hint = if others.is_empty() {
        "write a profile that inherits it".to_owned()
    } else {
        format!("pick one of {}", others.join(", "))
    };
    found.push(error.at(layer.written[&key].place.clone()).key(&key).hint(hint));
}

/// The layer of `--paper`, above all others.
fn forced_paper(found: &mut Diagnostics) -> Layer {
    let mut layer = Layer::empty(Level::Flag, "--paper");
    let source = Source::new("--paper", "--paper");
    for (key, word) in [("profile.mode", "paper"), ("stages.oms.venue", "paper")] {
        layer.add_text(&KeyPath::dotted(key), word, &source, (0..7, 0..7), &SCHEMA, found);
    }
    layer
}

fn build(name: &str, chain: Vec<String>, effective: Effective, ignored: Vec<Ignored>) -> Profile {
    let read = Read { effective: &effective };
    let start = limits(&read);
    Profile {
        name: name.to_owned(),
        chain,
        mode: if read.text("profile.mode") == "live" { Mode::Live } else { Mode::Paper },
        pipeline: read.text("profile.pipeline"),
        currency: read.text("limits.currency"),
        stand: Stand::of(Footing::default(), &effective, &start),
        start,
        rules: risk_rules(&read),
        storage: storage(&read),
        stages: Stages {
            ingest: read.bool("stages.ingest.enabled"),
            model: read.bool("stages.model.enabled"),
            oms: read.bool("stages.oms.enabled"),
            alert: read.bool("stages.alert.enabled"),
        },
        venue: if read.text("stages.oms.venue") == "binance" { VenueKind::Binance } else { VenueKind::Paper },
        paper: paper(&read),
        binance: binance(&read),
        alerts: alerts(&read),
        fingerprint: OnceLock::new(),
        ignored,
        effective,
    }
}

/// Reads values that the checks before have proven to be there.
struct Read<'a> {
    effective: &'a Effective,
}

macro_rules! readers {
    ($($name:ident: $getter:ident => $type:ty),* $(,)?) => {
        impl Read<'_> {
            $(fn $name(&self, key: &str) -> $type {
                self.effective.$getter(&path(key)).unwrap_or_else(|| panic!("{key} has a default or is required, and was checked"))
            })*
        }
    };
}

readers! {
    bool: bool_at => bool,
    count: count_at => u64,
    fraction: fraction_at => crate::domain::Fraction,
    bps: bps_at => crate::domain::Bps,
    money: money_at => crate::domain::Money,
    price: price_at => crate::domain::Price,
    qty: qty_at => crate::domain::Qty,
    span: span_at => crate::domain::Span,
    secret: secret_at => crate::domain::SecretRef,
    symbols: symbols_at => Vec<Symbol>,
    bar_age: bar_age_at => BarAge,
    pause_for: pause_for_at => crate::risk::rules::PauseFor,
}

impl Read<'_> {
    fn text(&self, key: &str) -> String {
        self.optional(key).unwrap_or_else(|| panic!("{key} has a default or is required, and was checked"))
    }

    fn maybe_secret(&self, key: &str) -> Option<crate::domain::SecretRef> {
        self.effective.secret_at(&path(key))
    }

    fn optional(&self, key: &str) -> Option<String> {
        self.effective.text_at(&path(key)).map(str::to_owned)
    }

    fn texts(&self, key: &str) -> Vec<String> {
        self.effective.texts_at(&path(key)).map(<[String]>::to_vec).unwrap_or_default()
    }

    fn small(&self, key: &str) -> u32 {
        u32::try_from(self.count(key)).expect("the schema bounds counts to 32 bits")
    }
}

/// Keys here hold at most a name or a symbol, and neither holds a point.
fn path(key: &str) -> KeyPath {
    KeyPath::dotted(key)
}

fn limits(read: &Read<'_>) -> Limits {
    Limits {
        max_notional_per_order: read.money("limits.max_notional_per_order"),
        max_position_notional: read.money("limits.max_position_notional"),
        max_total_notional: read.money("limits.max_total_notional"),
        max_daily_turnover: read.money("limits.max_daily_turnover"),
        max_dd_daily: read.fraction("limits.max_dd_daily"),
        max_dd_weekly: read.fraction("limits.max_dd_weekly"),
        latency_threshold: read.span("limits.latency_threshold"),
        max_orders_per_minute: read.small("limits.max_orders_per_minute"),
        max_orders_per_day: read.small("limits.max_orders_per_day"),
        max_open_orders: read.small("limits.max_open_orders"),
        max_participation: read.fraction("limits.max_participation"),
        price_collar: read.fraction("limits.price_collar"),
    }
}

fn risk_rules(read: &Read<'_>) -> Rules {
    Rules {
        symbols: read.symbols("risk.symbols"),
        duplicate_window: read.span("risk.duplicate_window"),
        max_bar_age: read.bar_age("risk.max_bar_age"),
        data_gap: if read.text("risk.data_gap") == "warn" { DataGap::Warn } else { DataGap::Deny },
        max_reference_move: read.fraction("risk.max_reference_move"),
        max_repeated_orders: read.small("risk.max_repeated_orders"),
        on_drawdown: OnDrawdown {
            action: match read.text("risk.on_drawdown.action").as_str() {
                "pause" => DrawdownAction::Pause(read.pause_for("risk.on_drawdown.pause_for")),
                _ => DrawdownAction::Halt,
            },
            flatten: read.bool("risk.on_drawdown.flatten"),
        },
        on_latency: OnLatency { window: read.small("risk.on_latency.window"), pause_for: read.span("risk.on_latency.pause_for") },
    }
}

fn storage(read: &Read<'_>) -> Storage {
    Storage {
        root: read.text("storage.root"),
        runs: PathBuf::from(read.text("storage.runs")),
        compression: if read.text("storage.compression") == "none" { Compression::None } else { Compression::Zstd },
        s3: S3 {
            // Checked, and kept as it is used.
            endpoint: read.optional("storage.s3.endpoint").and_then(|text| endpoint(&text).ok()),
            region: read.text("storage.s3.region"),
            access_key: read.effective.secret_at(&path("storage.s3.access_key")),
            secret_key: read.effective.secret_at(&path("storage.s3.secret_key")),
            token: read.effective.secret_at(&path("storage.s3.token")),
        },
    }
}

fn binance(read: &Read<'_>) -> Option<BinanceConfig> {
    let path = KeyPath::dotted;
    Some(BinanceConfig {
        base_url: read.text("venue.binance.base_url"),
        api_key: read.effective.secret_at(&path("venue.binance.api_key"))?,
        api_secret: read.effective.secret_at(&path("venue.binance.api_secret"))?,
        order_timeout: read.span("venue.binance.order_timeout"),
    })
}

fn paper(read: &Read<'_>) -> PaperSettings {
    let rules = TradingRules {
        price_tick: read.price("venue.paper.price_tick"),
        qty_step: read.qty("venue.paper.qty_step"),
        min_notional: read.money("venue.paper.min_notional"),
    };
    let table = "venue.paper.instrument";
    let one = |name: String| {
        let at = KeyPath::dotted(table).child(&name);
        let own = TradingRules {
            price_tick: read.effective.price_at(&at.child("price_tick")).unwrap_or(rules.price_tick),
            qty_step: read.effective.qty_at(&at.child("qty_step")).unwrap_or(rules.qty_step),
            min_notional: read.effective.money_at(&at.child("min_notional")).unwrap_or(rules.min_notional),
        };
        (name.parse::<Symbol>().expect("names of instruments were checked as symbols"), own)
    };
    PaperSettings {
        equity: read.money("venue.paper.equity"),
        maker: read.bps("venue.paper.maker_bps"),
        taker: read.bps("venue.paper.taker_bps"),
        slippage: read.bps("venue.paper.slippage_bps"),
        max_participation: read.fraction("limits.max_participation"),
        rules,
        by_symbol: read.effective.names_below(table).into_iter().map(one).collect::<BTreeMap<_, _>>(),
    }
}

fn alerts(read: &Read<'_>) -> Alerts {
    let receivers = read.effective.names_below("alerts.receiver").into_iter().map(|name| {
        let receiver = receiver(read, &format!("alerts.receiver.{name}"));
        (name, receiver)
    });
    let mut routes: Vec<(u64, Route)> = read
        .effective
        .names_below("alerts.route")
        .into_iter()
        .map(|name| {
            let key = |last: &str| format!("alerts.route.{name}.{last}");
            let severity = read.optional(&key("match.severity"));
            let receivers = read.texts(&key("receivers"));
            (read.count(&key("order")), Route { severity, receivers, silenceable: read.bool(&key("silenceable")), name })
        })
        .collect();
    routes.sort_by_key(|(order, _)| *order);
    Alerts {
        repeat_every: read.span("alerts.repeat_every"),
        receivers: receivers.collect(),
        routes: routes.into_iter().map(|(_, route)| route).collect(),
        fallback: read.optional("alerts.fallback"),
        receipt_within: read.span("alerts.receipt_within"),
        deadman: read.maybe_secret("alerts.deadman.url"),
        rules: read.effective.names_below("alerts.rule").into_iter().map(|name| alert_rule(read, name)).collect(),
    }
}

fn alert_rule(read: &Read<'_>, name: String) -> Rule {
    let key = |last: &str| format!("alerts.rule.{name}.{last}");
    let span = |last: &str| read.effective.span_at(&path(&key(last)));
    let checked = "the schema takes no other word";
    Rule {
        severity: Severity::named(&read.text(&key("severity"))).expect(checked),
        metric: read.text(&key("when.metric")),
        op: Op::named(&read.text(&key("when.op"))).expect(checked),
        value: read.effective.float_at(&path(&key("when.value"))).expect("it is required, and was checked"),
        hold_for: span("when.for").unwrap_or_default(),
        window: span("when.window").unwrap_or_default(),
        diagnose: read.texts(&key("diagnose")),
        retry: read.small(&key("retry")),
        unresolved: span("unresolved_after").zip(Then::named(&read.text(&key("then")))),
        name,
    }
}

fn receiver(read: &Read<'_>, table: &str) -> ReceiverConfig {
    let key = |last: &str| format!("{table}.{last}");
    match read.text(&key("kind")).as_str() {
        "slack" => ReceiverConfig::Slack { url: read.secret(&key("url")) },
        "webhook" => ReceiverConfig::Webhook { url: read.secret(&key("url")), key: read.maybe_secret(&key("key")) },
        _ => ReceiverConfig::Smtp(SmtpConfig {
            host: read.text(&key("host")),
            port: u16::try_from(read.count(&key("port"))).expect("the schema bounds ports"),
            from: read.text(&key("from")),
            to: read.texts(&key("to")),
            user: read.secret(&key("user")),
            password: read.secret(&key("password")),
        }),
    }
}
