//! No bar is missing of the last while.

use super::{Scene, Seen};
use crate::cli::table::grouped;
use crate::domain::{Projection, Series, Span, Time};
use crate::stage::ingest::Calendar;
use crate::store::LakeError;

pub(super) fn whole(scene: &Scene<'_>, lookback: Span, missing_max: u64) -> Seen {
    let place = scene.place;
    let now = scene.context.clock.now();
    let fix = "tidegate data fetch, then `tidegate data check` names what is still missing";
    let (mut due, mut there, mut lacking) = (0, 0, Vec::new());
    for series in &place.series {
        match count(scene, series, lookback, now) {
            Ok((of, found, absent)) => {
                (due, there) = (due + of, there + found);
                if absent > missing_max {
                    lacking.push(format!("{} lacks {}", series.symbol(), grouped(absent)));
                }
            }
            Err(error) => return Seen::fail(format!("{series}: {error}"), "tidegate data check"),
        }
    }
    let symbols = place.series.len();
    let plural = if symbols == 1 { "" } else { "s" };
    let said = format!("{symbols} symbol{plural}, {lookback}, {} of {} bars", grouped(there), grouped(due));
    if lacking.is_empty() {
        Seen::ok(said)
    } else {
        Seen::fail(format!("{said}; {} (allowed {missing_max})", lacking.join(", ")), fix)
    }
}

/// How many bars are due up to the last that has closed, are there, and are neither there nor accepted as missing.
fn count(scene: &Scene<'_>, series: &Series, lookback: Span, now: Time) -> Result<(u64, u64, u64), LakeError> {
    let step = series.interval().span().micros();
    let closed = Time::from_micros(now.micros().div_euclid(step) * step);
    let from = closed - lookback;
    let lake = &scene.place.lake;
    let times = match lake.read(series, Some(from), Some(closed), Projection::TIME) {
        Err(LakeError::NoSeries { .. }) => Vec::new(),
        other => other?.open_time,
    };
    let excused = lake.manifest(series)?.map(|manifest| manifest.excused()).unwrap_or_default();
    let total = Calendar::new(series.interval(), from..closed, &times, &excused, &[]).total();
    Ok((total.due, total.there, total.missing + total.late))
}
