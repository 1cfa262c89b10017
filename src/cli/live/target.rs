//! Where a profile's orders are: by its documents, or by what its last run kept of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use super::super::Context;
use super::super::of_profile::RUNS;
use super::super::select::Selected;
use crate::domain::{Span, Symbol};
use crate::feed::binance::{Address, BinanceError, Service};
use crate::profile::{BinanceConfig, Mode, VenueKind};
use crate::runner::folder::{PIPELINE, PROFILE, Stamp, Written};
use crate::runner::trader::TraderState;
use crate::store::bucket::BucketAddress;
use crate::store::glance::Glance;

/// Where the lake is when nobody says.
const LAKE: &str = "data/lake";
/// What belongs to this machine where the lake is in a bucket.
const LOCAL: &str = "_local";
/// How long an answer is waited for when nobody says.
const ANSWER_MAX: Span = Span::from_secs(12);

/// A real venue, the key to it, and what may be open there.
#[derive(Debug, Clone)]
pub struct Target {
    pub mode: Mode,
    pub venue: BinanceConfig,
    pub symbols: Vec<Symbol>,
    /// The folder with the venue's closures.
    pub local: PathBuf,
    /// Where this was found, when it was not in the documents.
    pub kept_in: Option<String>,
}

/// What there is to be asked.
pub enum Found {
    Venue(Box<Target>),
    /// No orders leave this program.
    Paper,
    /// Why nobody knows.
    Unknown(String),
}

/// What a run went by, as it was kept.
struct Kept {
    symbols: Vec<Symbol>,
    written: Written,
    place: String,
}

impl Target {
    /// By the documents.
    #[must_use]
    pub fn of_documents(context: &Context, selected: &Selected, folder: &Path) -> Found {
        let profile = &selected.profile;
        if profile.venue() == VenueKind::Paper {
            return Found::Paper;
        }
        let Some(venue) = profile.binance() else {
            return Found::Unknown(format!("profile {} names no key for its venue", profile.name()));
        };
        // What other pipelines trade may be open too, and what this one traded before it had other symbols.
        let before = kept(folder).map(|kept| kept.symbols).unwrap_or_default();
        let mut symbols = selected.plan.symbols().to_vec();
        for symbol in before.into_iter().chain(of_accounts(folder)) {
            if !symbols.contains(&symbol) {
                symbols.push(symbol);
            }
        }
        let local = local(context, &profile.storage().root, &profile.storage().runs);
        Found::Venue(Box::new(Self { mode: profile.mode(), venue: venue.clone(), symbols, local, kept_in: None }))
    }

    /// By what the last run kept, for a profile that does not resolve.
    #[must_use]
    pub fn of_last_run(context: &Context, folder: &Path) -> Found {
        let Some(kept) = kept(folder) else {
            return Found::Unknown("the documents are wrong, and no run has kept any".to_owned());
        };
        let unknown = || Found::Unknown(format!("the documents are wrong, and {} names no venue with a key", kept.place));
        let Some(Read { is_paper, mode, venue, root, runs }) = read(&kept.written.profile) else { return unknown() };
        match venue {
            _ if is_paper => Found::Paper,
            Some(venue) => {
                let local = local(context, &root, Path::new(&runs));
                Found::Venue(Box::new(Self { mode, venue, symbols: kept.symbols, local, kept_in: Some(kept.place) }))
            }
            None => unknown(),
        }
    }

    /// The venue's address. What a run has kept is held to the same list as a document.
    ///
    /// # Errors
    /// When it is not on the list.
    pub fn address(&self) -> Result<Address, BinanceError> {
        let service = if self.mode == Mode::Live { Service::Orders } else { Service::Practice };
        Address::new(service, &self.venue.base_url)
    }

    /// How long one answer is waited for, within `most`.
    #[must_use]
    pub fn patience(&self, most: Duration) -> Duration {
        self.venue.order_timeout.to_std().min(most)
    }
}

fn local(context: &Context, root: &str, runs: &Path) -> PathBuf {
    if BucketAddress::is_meant(root) { context.root.join(runs).join(LOCAL) } else { context.root.join(root) }
}

/// The symbols of every account on a real venue that the journal knows.
fn of_accounts(folder: &Path) -> Vec<Symbol> {
    let Ok(Some(glance)) = Glance::at(folder) else { return Vec::new() };
    let accounts = glance.accounts().unwrap_or_default().into_iter();
    let standings = accounts.filter_map(|account| glance.standing::<TraderState>(&account).ok().flatten());
    let live = standings.filter(|standing| standing.snapshot.is_live());
    live.flat_map(|standing| standing.snapshot.symbols().to_vec()).collect()
}

/// What the newest run kept: the journal has it, and where that is broken the newest folder of a run.
fn kept(folder: &Path) -> Option<Kept> {
    in_journal(folder).or_else(|| in_folder(folder))
}

fn in_journal(folder: &Path) -> Option<Kept> {
    let manifest = Glance::at(folder).ok()??.last_manifest().ok()??;
    let stamp: Stamp = serde_json::from_str(&manifest).ok()?;
    let place = format!("what run {} kept in the journal", stamp.run);
    (!stamp.written.profile.is_empty()).then_some(Kept { symbols: stamp.symbols, written: stamp.written, place })
}

fn in_folder(folder: &Path) -> Option<Kept> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    // A run's name begins with its time.
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.join(PROFILE).is_file()).collect();
    runs.sort();
    let run = runs.pop()?;
    let profile = std::fs::read_to_string(run.join(PROFILE)).ok()?;
    let pipeline = std::fs::read_to_string(run.join(PIPELINE)).ok()?;
    let symbols = symbols(&pipeline, &profile);
    Some(Kept { symbols, written: Written { profile, pipeline }, place: run.join(PROFILE).display().to_string() })
}

fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut keys = path.split('.');
    let first = table.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))
}

/// The symbols that a pipeline takes in, of those that the profile allows.
fn symbols(pipeline: &str, profile: &str) -> Vec<Symbol> {
    let list = |value: Option<&Value>| -> Vec<Symbol> {
        let texts = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        texts.filter_map(|text| text.parse().ok()).collect()
    };
    let allowed = profile.parse().map(|table: Table| list(at(&table, "risk.symbols"))).unwrap_or_default();
    let Ok(table) = pipeline.parse::<Table>() else { return allowed };
    let stages = at(&table, "stage").and_then(Value::as_table);
    let mut found: Vec<Symbol> = stages.into_iter().flatten().flat_map(|(_, stage)| list(stage.get("symbols"))).collect();
    found.retain(|symbol| allowed.is_empty() || allowed.contains(symbol));
    found
}

/// What a profile says of its venue, as it was kept: every layer merged, so that nothing has to be looked up.
struct Read {
    is_paper: bool,
    mode: Mode,
    /// `None`: it names no key.
    venue: Option<BinanceConfig>,
    root: String,
    runs: String,
}

fn read(profile: &str) -> Option<Read> {
    let table: Table = profile.parse().ok()?;
    let text = |path: &str| at(&table, path).and_then(Value::as_str);
    let venue = || {
        Some(BinanceConfig {
            base_url: text("venue.binance.base_url")?.to_owned(),
            api_key: text("venue.binance.api_key")?.parse().ok()?,
            api_secret: text("venue.binance.api_secret")?.parse().ok()?,
            order_timeout: text("venue.binance.order_timeout").and_then(|text| text.parse().ok()).unwrap_or(ANSWER_MAX),
        })
    };
    Some(Read {
        is_paper: text("stages.oms.venue") != Some("binance"),
        mode: if text("profile.mode") == Some("live") { Mode::Live } else { Mode::Paper },
        venue: venue(),
        root: text("storage.root").unwrap_or(LAKE).to_owned(),
        runs: text("storage.runs").unwrap_or(RUNS).to_owned(),
    })
}
