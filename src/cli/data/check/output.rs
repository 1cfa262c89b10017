//! The result as files: a page, a picture, metrics.

use std::path::Path;

use super::subject::Checked;
use super::text::{notes, range};
use crate::cli::exit::{Exit, Failure};
use crate::cli::table::short_time;
use crate::domain::Time;
use crate::store::disk::Disk;
use crate::telemetry::exposition::Exposition;
use crate::web::data_page::{Section, html};
use crate::web::heat_map::{Chart, svg};

pub fn page(done: &[Checked], at: Time) -> String {
    let told: Vec<(String, Vec<String>)> = done
        .iter()
        .map(|checked| {
            let figures = std::iter::once(range(&checked.report.quality));
            (checked.subject.to_string(), figures.chain(notes(checked)).collect())
        })
        .collect();
    let sections: Vec<Section<'_>> = done
        .iter()
        .zip(&told)
        .map(|(checked, (name, notes))| {
            let chart = Chart { name, calendar: &checked.calendar };
            Section { chart, verdict: checked.verdict(), is_kept: checked.is_kept(), notes }
        })
        .collect();
    html("Bars of the lake", &format!("{} UTC", short_time(Time::from_micros(at.micros() / 1_000_000 * 1_000_000))), &sections)
}

pub fn picture(done: &[Checked]) -> String {
    let names: Vec<String> = done.iter().map(|checked| checked.subject.to_string()).collect();
    let charts: Vec<Chart<'_>> =
        done.iter().zip(&names).map(|(checked, name)| Chart { name, calendar: &checked.calendar }).collect();
    svg(&charts)
}

/// The figures by the names of the catalogue. Where venues share a symbol and interval, the worst of each figure stands.
pub fn metrics(done: &[Checked]) -> String {
    let mut exposition = Exposition::default();
    for checked in done {
        let (symbol, interval) = (checked.series().symbol().to_string(), checked.series().interval().to_string());
        let labels = [symbol.as_str(), interval.as_str()];
        let (total, sources) = (checked.calendar.total(), checked.sources);
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        exposition.raise("data_missing_bars_ratio", &labels, share(total.missing + total.late, total.due));
        exposition.raise("data_dup_ratio", &labels, share(sources.duplicates, sources.rows));
        exposition.raise("data_outliers_count", &labels, (sources.refused + checked.report.quality.bad_prints) as f64);
        if let Some(last) = checked.report.quality.last {
            let close = last + checked.series().interval().span();
            exposition.raise("data_last_close_timestamp_seconds", &labels, close.micros() as f64 / 1e6);
        }
    }
    exposition.encode()
}

/// Writes a file whole or not at all: a reader that comes by sees the old or the new one.
pub fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Disk::default().replace(folder, &name, content.as_bytes()).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("failed to write {}", path.display()));
        Failure::new(Exit::Failed, error).hint("name a file in a folder that you may write to")
    })
}
