//! What this machine and the documents are like.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Scene, Seen};
use crate::cli::secrets::NamedSecrets;
use crate::domain::Money;
use crate::secret::Secrets;

/// Nothing starts with less: the journal must always have room for a rollback.
pub const DISK_FLOOR: u64 = 1 << 30;
const OTHERS_MAY_WRITE: u32 = 0o022;
const GIB: f64 = (1_u64 << 30) as f64;

/// Bytes that this user may still write below `path`, or below the nearest folder above it.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let nearest = path.ancestors().find(|path| path.exists())?;
    let nearest = if nearest.as_os_str().is_empty() { Path::new(".") } else { nearest };
    let found = rustix::fs::statvfs(nearest).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

pub(super) fn disk(scene: &Scene<'_>) -> Seen {
    let runs = &scene.place.runs;
    let Some(free) = free_bytes(runs) else {
        return Seen::fail(format!("{} cannot be asked for its room", runs.display()), "look at the disk");
    };
    let said = format!("{:.1} GiB free, at least {:.0} GiB", free as f64 / GIB, DISK_FLOOR as f64 / GIB);
    if free >= DISK_FLOOR { Seen::ok(said) } else { Seen::fail(said, "make room where runs are kept") }
}

pub(super) fn secrets(scene: &Scene<'_>) -> Seen {
    let mut named = NamedSecrets::new(Secrets::of_this_process(&scene.context.root));
    named.add(&scene.place.profile);
    let (found, lacking) = named.in_effect();
    match lacking.first() {
        None => Seen::ok(format!("{found} of {found} resolve")),
        Some(first) => Seen::fail(
            format!("{} of {found} do not resolve, the first is {first}", lacking.len()),
            format!("tidegate check -p {} --verbose", scene.place.profile.name()),
        ),
    }
}

/// Who else may write a file or a folder, in words. Root may use what belongs to others.
#[must_use]
pub fn complaint(found: &std::fs::Metadata, ours: u32) -> Option<String> {
    if found.mode() & OTHERS_MAY_WRITE != 0 {
        return Some(format!("others may write it (mode {:04o})", found.mode() & 0o7777));
    }
    (found.uid() != ours && ours != 0).then(|| format!("it belongs to user {}", found.uid()))
}

/// Whoever may write there may move money.
pub(super) fn private(scene: &Scene<'_>) -> Seen {
    let root = &scene.context.root;
    let ours = rustix::process::geteuid().as_raw();
    let runs = &scene.place.runs;
    let paths = [root.join("profiles"), root.join("pipelines"), runs.clone(), runs.join(crate::store::journal::FILE)];
    let mut open = Vec::new();
    let mut count = 0;
    for path in &paths {
        let Ok(found) = std::fs::metadata(path) else { continue };
        count += 1;
        open.extend(complaint(&found, ours).map(|why| format!("{}: {why}", scene.place.shown(scene.context, path))));
    }
    match open.first() {
        None => Seen::ok(format!("{count} places that only this user may write")),
        Some(first) => Seen::fail(first.clone(), "chmod go-w, or chown"),
    }
}

/// A profile that grants nothing cannot trade.
pub(super) fn limits(scene: &Scene<'_>) -> Seen {
    let limits = scene.place.profile.limits();
    let currency = scene.place.profile.currency();
    let (order, total) = (limits.max_notional_per_order, limits.max_total_notional);
    let daily = limits.max_dd_daily.to_f64() * 100.0;
    let said = format!("{order} {currency} an order, {total} in all, {daily:.1} % down in a day");
    if order > Money::ZERO && total > Money::ZERO {
        Seen::ok(said)
    } else {
        Seen::fail(format!("{said}: nothing may be traded"), "tidegate explain limits.max_notional_per_order")
    }
}

pub(super) fn model(scene: &Scene<'_>) -> Seen {
    match scene.place.plan.model() {
        Ok(_) => {
            let hash = scene.place.trader.fingerprint();
            let short = hash.get(..12).unwrap_or(&hash);
            Seen::ok(format!("the rule of {}, {short}", scene.place.plan.name()))
        }
        Err(error) => Seen::fail(error.to_string(), "name a rule in [stage.model]"),
    }
}
