//! What a profile means: the shape the program runs on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::domain::{Bps, Fraction, Instrument, Money, Price, Qty, SecretRef, Span, Symbol};
use crate::notify::ReceiverConfig;
use crate::risk::{Limits, Rules};
use crate::telemetry::watch::Rule;
use crate::venue::paper::PaperConfig;

use super::fingerprint::sha256;
use super::merge::Effective;
use super::overlay::Ignored;
use super::path::KeyPath;
use super::stand::Stand;

/// A resolved profile. Every value has been checked against every bound of its chain.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(super) name: String,
    pub(super) chain: Vec<String>,
    pub(super) mode: Mode,
    pub(super) pipeline: String,
    pub(super) currency: String,
    /// The limits of the documents.
    pub(super) start: Limits,
    pub(super) rules: Rules,
    pub(super) storage: Storage,
    pub(super) stages: Stages,
    pub(super) venue: VenueKind,
    pub(super) binance: Option<BinanceConfig>,
    pub(super) paper: PaperSettings,
    pub(super) alerts: Alerts,
    pub(super) stand: Stand,
    pub(super) effective: Effective,
    pub(super) ignored: Vec<Ignored>,
    /// Worked out when somebody asks.
    pub(super) fingerprint: OnceLock<String>,
}

/// Whether orders reach a real venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Paper,
    Live,
}

impl Mode {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

/// Where things are kept. Relative paths are relative to the project's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The lake: a folder, or a bucket's address.
    pub root: String,
    pub runs: PathBuf,
    pub compression: Compression,
    pub s3: S3,
}

/// How a bucket is asked. Both keys are there where the lake is in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key: Option<SecretRef>,
    pub secret_key: Option<SecretRef>,
    pub token: Option<SecretRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Zstd,
    None,
}

/// Which stages of the pipeline the profile lets run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    pub ingest: bool,
    pub model: bool,
    pub oms: bool,
    pub alert: bool,
}

/// Where orders go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VenueKind {
    Paper,
    Binance,
}

impl VenueKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Binance => "binance",
        }
    }
}

/// The `[venue.binance]` table: where orders go, and under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinanceConfig {
    pub base_url: String,
    pub api_key: SecretRef,
    pub api_secret: SecretRef,
    pub order_timeout: Span,
}

/// `[venue.paper]` before it is known which symbols are traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaperSettings {
    pub equity: Money,
    pub maker: Bps,
    pub taker: Bps,
    pub slippage: Bps,
    pub max_participation: Fraction,
    pub rules: TradingRules,
    pub by_symbol: BTreeMap<Symbol, TradingRules>,
}

/// What the paper venue asks of a price and a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TradingRules {
    pub price_tick: Price,
    pub qty_step: Qty,
    pub min_notional: Money,
}

/// Who is told what.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// The same alert is not sent again before this has passed.
    pub repeat_every: Span,
    pub receivers: BTreeMap<String, ReceiverConfig>,
    /// In the order in which they are asked.
    pub routes: Vec<Route>,
    /// Takes what another receiver could not deliver.
    pub fallback: Option<String>,
    /// A message without receipt after this goes to the fallback.
    pub receipt_within: Span,
    /// Where the dead man's switch is pinged.
    pub deadman: Option<SecretRef>,
    /// By name.
    pub rules: Vec<Rule>,
}

/// The first route that matches takes the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    /// One of info, warning, critical; `None` matches all.
    pub severity: Option<String>,
    /// Names among [`Alerts::receivers`].
    pub receivers: Vec<String>,
    /// Whether a person may silence what goes this way.
    pub silenceable: bool,
}

impl Profile {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The profile and those it inherits from, its root last.
    #[must_use]
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The pipeline that runs when none is named.
    #[must_use]
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    /// The currency of all money in the profile.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    #[must_use]
    pub fn stages(&self) -> Stages {
        self.stages
    }

    #[must_use]
    pub fn venue(&self) -> VenueKind {
        self.venue
    }

    #[must_use]
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Every value with its origin: for `config` and `explain`.
    #[must_use]
    pub fn effective(&self) -> &Effective {
        &self.effective
    }

    /// Variables of the environment that were set and do not count.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// SHA-256 over the resolved values, references to secrets only by name.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| sha256(&self.effective.canonical()))
    }

    /// Where metrics are served.
    #[must_use]
    pub fn listen(&self) -> std::net::SocketAddr {
        let text = self.effective.text_at(&KeyPath::dotted("metrics.listen")).expect("has a default");
        text.parse().expect("an address: a rule of the profile looks")
    }

    /// `None` where the key or its secret is not named.
    #[must_use]
    pub const fn binance(&self) -> Option<&BinanceConfig> {
        self.binance.as_ref()
    }

    /// The paper venue's settings for `symbols`, in their order.
    #[must_use]
    pub fn paper(&self, symbols: &[Symbol]) -> PaperConfig {
        let paper = &self.paper;
        let instrument = |symbol: &Symbol| {
            let rules = paper.by_symbol.get(symbol).unwrap_or(&paper.rules);
            Instrument {
                symbol: symbol.clone(),
                price_tick: rules.price_tick,
                qty_step: rules.qty_step,
                min_notional: rules.min_notional,
            }
        };
        PaperConfig {
            equity: paper.equity,
            maker: paper.maker,
            taker: paper.taker,
            slippage: paper.slippage,
            max_participation: paper.max_participation,
            instruments: symbols.iter().map(instrument).collect(),
        }
    }
}
