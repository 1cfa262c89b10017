//! Rules on the parameters of stages that look at more than one value.

use crate::feed::binance::{Address, Service};
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::merge::Effective;

use super::graph::{Joint, StageKind};
use super::keys::stage_table;

/// Runs every rule.
pub(super) fn check(effective: &Effective, stages: &[Joint], found: &mut Diagnostics) {
    for stage in stages {
        match stage.kind {
            StageKind::Ingest => {
                symbols_given(effective, stage, found);
                address_known(effective, stage, found);
            }
            StageKind::Model => {
                fast_below_slow(effective, stage, found);
                warm_before_signal(effective, stage, found);
                exit_above_entry(effective, stage, found);
            }
            StageKind::Oms | StageKind::Alert => {}
        }
    }
}

fn symbols_given(effective: &Effective, stage: &Joint, found: &mut Diagnostics) {
    let key = stage_table(&stage.name).child("symbols");
    if effective.symbols_at(&key).is_some_and(|symbols| symbols.is_empty()) {
        let error = Diagnostic::error("no-symbols", format!("stage.{} takes in no symbol", stage.name)).at(effective.place(&key));
        found.push(error.label("empty").key(&key).hint("write at least one, like [\"BTC/USDT\"]"));
    }
    if effective.symbols_at(&key).is_some_and(|symbols| symbols.len() > usize::from(u16::MAX)) {
        let error = Diagnostic::error("too-many-symbols", "a pipeline takes at most 65535 symbols").at(effective.place(&key));
        found.push(error.key(&key).hint("split it into several pipelines"));
    }
}

/// A document must not send the program to hosts that nobody has heard of.
fn address_known(effective: &Effective, stage: &Joint, found: &mut Diagnostics) {
    let source = stage_table(&stage.name).child("source");
    let addresses: &[(&str, Service)] = match effective.text_at(&source) {
        Some("binance") => &[("base_url", Service::Market)],
        Some("binance-ws") => &[("base_url", Service::Market), ("stream_url", Service::Stream)],
        Some("binance-archive") => &[("base_url", Service::Archive)],
        _ => return,
    };
    for (name, service) in addresses {
        let key = stage_table(&stage.name).child(name);
        let Some(url) = effective.text_at(&key) else { continue };
        if Address::new(*service, url).is_err() {
            let error = Diagnostic::error("base-url", format!("stage.{} must not take bars from this address", stage.name))
                .at(effective.place(&key))
                .label("not on the list")
                .key(&key);
            found.push(error.hint(format!("allowed here: {} or loopback", service.hosts().join(", "))));
        }
    }
}

fn fast_below_slow(effective: &Effective, stage: &Joint, found: &mut Diagnostics) {
    let (fast, slow) = (stage_table(&stage.name).join("params.fast"), stage_table(&stage.name).join("params.slow"));
    let (Some(f), Some(s)) = (effective.count_at(&fast), effective.count_at(&slow)) else { return };
    if f >= s {
        let error = Diagnostic::error("fast-not-below-slow", "the fast mean must be shorter than the slow one")
            .at(effective.place(&fast))
            .label(format!("{f} is not below {s}"))
            .key(&fast)
            .note_at(format!("{slow} = {s}"), effective.place(&slow));
        found.push(error.hint(format!("lower fast below {s}, or raise slow")));
    }
}

/// With the SMA seed the slow mean does not exist before its period is over.
fn warm_before_signal(effective: &Effective, stage: &Joint, found: &mut Diagnostics) {
    let (warmup, slow) = (stage_table(&stage.name).join("params.warmup"), stage_table(&stage.name).join("params.slow"));
    let (Some(w), Some(s)) = (effective.count_at(&warmup), effective.count_at(&slow)) else { return };
    let seeded = effective.text_at(&stage_table(&stage.name).join("params.seed")) != Some("first");
    if seeded && w < s {
        let error = Diagnostic::error("warmup-too-short", format!("warmup is shorter than the slow mean needs: {w} < {s}"))
            .at(effective.place(&warmup))
            .key(&warmup)
            .note_at(format!("{slow} = {s}"), effective.place(&slow));
        found.push(error.hint(format!("write at least {s}, or remove the line")));
    }
}

/// A position opened at the entry must not be closed by the same bar.
fn exit_above_entry(effective: &Effective, stage: &Joint, found: &mut Diagnostics) {
    let (entry, exit) = (stage_table(&stage.name).join("params.entry"), stage_table(&stage.name).join("params.exit"));
    let (Some(low), Some(high)) = (effective.float_at(&entry), effective.float_at(&exit)) else { return };
    if high <= -low {
        let error =
            Diagnostic::error("exit-below-entry", format!("exit must be above the entry, which is at a z-score of {}", -low))
                .at(effective.place(&exit))
                .label(format!("{high} is not above {}", -low))
                .key(&exit)
                .note_at(format!("{entry} = {low}"), effective.place(&entry));
        found.push(error.hint("raise exit; 0.0 is back at the mean"));
    }
}
