//! What a record is made for: the bytes that run, what profile and pipeline resolve to, what decides, and whose account it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::ExposeSecret;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::work::Workplace;
use crate::profile::VenueKind;
use crate::runner::preflight::Bound;
use crate::secret::Secrets;

/// The program itself, also after its file was replaced.
pub(super) fn ourselves() -> PathBuf {
    let kept = Path::new("/proc/self/exe");
    let other = || std::env::current_exe().unwrap_or_else(|_| kept.to_owned());
    if kept.exists() { kept.to_owned() } else { other() }
}

pub(super) fn of(context: &Context, place: &Workplace) -> Result<Bound, Failure> {
    Ok(Bound {
        binary: binary()?,
        profile: place.profile.fingerprint().to_owned(),
        pipeline: place.plan.fingerprint().to_owned(),
        model: place.trader.fingerprint(),
        account: account(context, place)?,
    })
}

/// The hash of the bytes that run.
fn binary() -> Result<String, Failure> {
    let mut hasher = blake3::Hasher::new();
    let path = ourselves();
    let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    hasher.update_reader(file).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// A name for the account that no key can be read from.
fn account(context: &Context, place: &Workplace) -> Result<String, Failure> {
    let profile = &place.profile;
    let Some(venue) = profile.binance().filter(|_| profile.venue() == VenueKind::Binance) else {
        return Ok("paper".to_owned());
    };
    let key = Secrets::of_this_process(&context.root).resolve(&venue.api_key).map_err(|error| {
        let hint = error.hint();
        let error = anyhow::Error::new(error).context("cannot use venue.binance.api_key");
        Failure::new(Exit::Configuration, error).hint(hint)
    })?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(venue.base_url.trim_end_matches('/').as_bytes()).update(b"\n").update(key.expose_secret().trim().as_bytes());
    Ok(hasher.finalize().to_hex().to_string())
}
