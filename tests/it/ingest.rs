//! Taking bars in: the same whatever the chunks, nothing twice, and a verdict that does not change by asking again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tidegate::clock::ManualClock;
use tidegate::domain::{Columns, Interval, Projection, Series, Span, Time};
use tidegate::feed::binance::Reach;
use tidegate::feed::sample;
use tidegate::stage::ingest::config::{Contract, IngestConfig, Source, Synthetic};
use tidegate::stage::ingest::task::{IngestError, Ingested, Intake, SourceReport, ingest, series_of};
use tidegate::store::Lake;

const HOUR: i64 = 3_600_000_000;
const START: i64 = 473_328 * HOUR;

fn now() -> Time {
    "2026-11-01".parse().unwrap()
}

fn reach(now: Time) -> Reach {
    Reach::new(Arc::new(ManualClock(now)), Arc::default())
}

fn hour() -> Interval {
    "1h".parse().unwrap()
}

fn row(hour: i64, close: f64) -> String {
    let time = (START + hour * HOUR) / 1000;
    let (high, low) = (close.max(100.0) + 1.0, close.min(100.0) - 1.0);
    format!("{time},100,{high},{low},{close},{},{},0,0,0,0,0\n", hour % 3, time + 3_599_999)
}

fn rows(hours: impl IntoIterator<Item = i64>) -> String {
    hours.into_iter().map(|hour| row(hour, 100.0 + (hour % 7) as f64)).collect()
}

/// A folder with a lake and a pipeline's files.
struct Desk {
    folder: tempfile::TempDir,
    lake: Lake,
    config: IngestConfig,
}

impl Desk {
    fn new(source: Source) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake")).unwrap();
        let symbols = vec!["BTC/USDT".parse().unwrap()];
        let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
        let config = IngestConfig { source, symbols, interval: hour(), contract, timeout: Span::from_secs(8) };
        Self { folder, lake, config }
    }

    fn of_files() -> Self {
        Self::new(Source::File { path: "bars".into() })
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn ingest(&self, watermark: Option<Time>) -> Ingested {
        ingest(&self.config, &self.lake, self.folder.path(), &reach(now()), watermark, &mut |_| {}).unwrap()
    }

    fn series(&self) -> Series {
        series_of(&self.config, self.folder.path()).unwrap().remove(0)
    }

    fn bars(&self) -> Columns {
        self.lake.read(&self.series(), None, None, Projection::BAR).unwrap()
    }
}

fn at(hour: i64) -> Time {
    Time::from_micros(START + hour * HOUR)
}

#[test]
fn a_folder_is_taken_in_once() {
    let desk = Desk::of_files();
    desk.write("bars/BTCUSDT-1h-a.csv", &rows(0..10));
    desk.write("bars/BTCUSDT-1h-b.csv", &rows(8..20));
    desk.write("bars/ETHUSDT-1h-a.csv", "of another symbol");
    desk.write("bars/BTCUSDT-1m-a.csv", "of another interval");
    let first = desk.ingest(None);
    assert!(first.is_kept());
    assert_eq!((first.added(), first.series[0].new_bars, first.series[0].last), (20, 20, Some(at(19))));
    assert_eq!(first.series[0].sources[1].already_there, 2);
    let manifest = fs::read(desk.lake.folder(&desk.series()).join("_manifest.json")).unwrap();
    let again = desk.ingest(Some(at(20)));
    assert!(again.series[0].sources.iter().all(|source| source.is_unchanged));
    assert_eq!((again.added(), again.series[0].new_bars), (0, 0));
    assert_eq!(fs::read(desk.lake.folder(&desk.series()).join("_manifest.json")).unwrap(), manifest, "INGEST-3");
    desk.write("bars/BTCUSDT-1h-b.csv", &rows(8..25));
    let grown = desk.ingest(Some(at(20)));
    assert_eq!((grown.added(), grown.series[0].new_bars), (5, 5));
}

#[test]
fn a_touched_file_is_known_by_its_bytes() {
    let desk = Desk::of_files();
    desk.write("bars/BTCUSDT-1h-a.csv", &rows(0..10));
    desk.ingest(None);
    let path = desk.folder.path().join("bars/BTCUSDT-1h-a.csv");
    File::options().write(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(desk.ingest(None).series[0].sources[0].is_unchanged);
    // The same size and time, other bytes: a file is only trusted by its time if that was old when it was read.
    let other = rows(0..10).replacen("100,", "101,", 1);
    assert_eq!(other.len(), rows(0..10).len());
    fs::write(&path, other).unwrap();
    assert!(!desk.ingest(None).series[0].sources[0].is_unchanged);
}

/// Lakes of schema 2 know every file by its SHA-256.
#[test]
fn a_file_that_an_older_program_took_in_is_known_by_its_bytes() {
    let desk = Desk::of_files();
    desk.write("bars/BTCUSDT-1h-a.csv", &rows(0..10));
    desk.ingest(None);
    let path = desk.lake.folder(&desk.series()).join("_manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let import = manifest["imports"][0].as_object_mut().unwrap();
    assert!(import.remove("hash").unwrap().as_str().unwrap().starts_with("blake3:"));
    let sum = Sha256::digest(rows(0..10)).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    import.insert("sha256".to_owned(), sum.into());
    manifest["schema"] = 2.into();
    fs::write(&path, manifest.to_string()).unwrap();
    let file = desk.folder.path().join("bars/BTCUSDT-1h-a.csv");
    File::options().write(true).open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(desk.ingest(None).series[0].sources[0].is_unchanged);
    fs::write(&file, rows(0..10).replacen("100,", "101,", 1)).unwrap();
    assert!(!desk.ingest(None).series[0].sources[0].is_unchanged);
}

#[test]
fn holes_break_the_contract_until_the_watermark_has_passed() {
    let desk = Desk::of_files();
    desk.write("bars/BTCUSDT-1h-a.csv", &rows((0..10).chain(13..20)));
    for _ in 0..2 {
        let found = desk.ingest(None);
        assert!(!found.is_kept());
        assert_eq!(found.series[0].verdict.missing_bars, 3);
        assert_eq!(found.series[0].verdict.breaches[0].code(), "missing-bars");
    }
    assert!(!desk.ingest(Some(at(10))).is_kept(), "the hole lies behind the watermark");
    assert!(desk.ingest(Some(at(14))).is_kept());
    desk.write("bars/BTCUSDT-1h-b.csv", &rows(10..13));
    assert!(desk.ingest(None).is_kept(), "the hole was filled");
}

#[test]
fn rows_out_of_order_are_sorted_in_and_told() {
    let desk = Desk::of_files();
    desk.write("bars/BTCUSDT-1h-a.csv", &rows([0, 1, 3, 2, 4]));
    for _ in 0..2 {
        let found = desk.ingest(None);
        assert_eq!(found.series[0].verdict.breaches[0].code(), "out-of-order");
    }
    assert_eq!(desk.bars().open_time, [0, 1, 2, 3, 4].map(|hour| at(hour).micros()));
    assert!(desk.ingest(Some(at(5))).is_kept(), "what is behind the watermark was judged");
}

#[test]
fn a_spike_is_refused_and_a_new_level_is_not() {
    let mut desk = Desk::of_files();
    desk.config.contract.max_return = 0.2;
    let spike: String = [100.0, 101.0, 1010.0, 101.0, 100.0].iter().enumerate().map(|(h, c)| row(h as i64, *c)).collect();
    desk.write("bars/BTCUSDT-1h-a.csv", &spike);
    let found = desk.ingest(None);
    assert_eq!(found.series[0].sources[0].refused["outlier"], 1);
    assert_eq!(desk.bars().close, [100.0, 101.0, 101.0, 100.0]);
    // The last bar of the lake is what the next file is held against.
    let crash: String = [60.0, 61.0, 60.0].iter().enumerate().map(|(h, c)| row(h as i64 + 5, *c)).collect();
    desk.write("bars/BTCUSDT-1h-b.csv", &crash);
    assert_eq!(desk.ingest(None).series[0].sources[1].refused["outlier"], 1);
    assert_eq!(desk.bars().close, [100.0, 101.0, 101.0, 100.0, 61.0, 60.0]);
    // A contract that allows more reads the files again.
    desk.config.contract.max_return = f64::INFINITY;
    assert_eq!(desk.ingest(None).added(), 2);
}

#[test]
fn the_path_may_hold_symbol_and_interval() {
    let desk = Desk::new(Source::File { path: "in/{symbol}/{interval}.csv".into() });
    desk.write("in/BTCUSDT/1h.csv", &rows(0..4));
    assert_eq!(desk.ingest(None).added(), 4);
    assert_eq!(desk.series().venue(), "binance");
}

#[test]
fn a_file_of_another_symbol_is_refused() {
    let desk = Desk::new(Source::File { path: "ETHUSDT-1h.csv".into() });
    desk.write("ETHUSDT-1h.csv", &rows(0..4));
    let error = ingest(&desk.config, &desk.lake, desk.folder.path(), &reach(now()), None, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("is named for ETHUSDT 1h, not for BTCUSDT 1h"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn synthetic_bars_come_as_they_close() {
    let synthetic = Synthetic { seed: 5, start: at(0), bars: 300 };
    let (bit_by_bit, at_once) = (Desk::new(Source::Synthetic(synthetic)), Desk::new(Source::Synthetic(synthetic)));
    let run =
        |desk: &Desk, now: Time| ingest(&desk.config, &desk.lake, desk.folder.path(), &reach(now), None, &mut |_| {}).unwrap();
    for (hours, minutes, bars) in [(0, 59, 0), (1, 0, 1), (100, 30, 100), (100, 31, 100), (250, 0, 250), (9999, 0, 300)] {
        run(&bit_by_bit, at(hours) + Span::from_secs(minutes * 60));
        let there = bit_by_bit.lake.info(&bit_by_bit.series()).unwrap().map_or(0, |info| info.rows);
        assert_eq!(there, bars, "after {hours}:{minutes}");
    }
    assert!(run(&at_once, at(9999)).is_kept());
    assert_eq!(bit_by_bit.bars(), at_once.bars());
    assert_eq!(at_once.series().venue(), "synthetic");
}

#[test]
fn the_sample_is_what_the_generator_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample");
    let mut bytes = 0;
    for file in sample::files() {
        let found = fs::read(folder.join(&file.name)).unwrap();
        assert!(found == file.content, "{} differs: run `tidegate data sample`", file.name);
        bytes += found.len();
    }
    assert!(bytes < 1_500_000, "{bytes}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), sample::files().len(), "nothing else lies there");
}

#[test]
fn the_sample_keeps_the_contract_under_a_venue_of_its_own() {
    let mut desk = Desk::new(Source::File { path: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample") });
    desk.config.symbols.push("ETH/USDT".parse().unwrap());
    desk.config.contract = Contract::default();
    let found = desk.ingest(None);
    assert!(found.is_kept());
    assert_eq!(found.added(), 8736);
    assert!(found.series.iter().all(|series| series.series.venue() == "sample" && series.new_bars == 4368));
    for source in found.series.iter().flat_map(|series| &series.sources) {
        assert!(source.refused.is_empty() && source.quality.odd_close_times == 0, "{source:?}");
    }
}

/// Imports `content` with chunks of some rows.
fn import_in_chunks(content: &str, chunk_rows: usize) -> (SourceReport, Columns) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("BTCUSDT-1h.csv");
    fs::write(&path, content).unwrap();
    let lake = Lake::open(folder.path().join("lake")).unwrap();
    let series: Series = "test/BTC-USDT/1h".parse().unwrap();
    let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
    let mut report = Intake::new(&lake, &contract, now()).in_chunks_of(chunk_rows).import(&series, &path, &mut |_| {}).unwrap();
    report.source.clear();
    report.quarantine = None;
    (report, lake.read(&series, None, None, Projection::BAR).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Rows in any order, with gaps and exact duplicates, in chunks of any size: the same bars, the same figures.
    #[test]
    fn chunks_make_no_difference(hours in proptest::collection::vec(0_i64..40, 1..40), chunk_rows in 1_usize..12) {
        let content = rows(hours);
        let (whole, bars) = import_in_chunks(&content, 1 << 20);
        let (chunked, same_bars) = import_in_chunks(&content, chunk_rows);
        prop_assert_eq!(bars, same_bars);
        prop_assert_eq!(whole, chunked);
    }
}

/// INGEST-4: stopped anywhere, a source is not taken at all, and the same call later takes it whole.
#[test]
fn an_import_that_was_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("BTCUSDT-1h.csv");
    fs::write(&path, rows(0..50)).unwrap();
    let lake = Lake::open(folder.path().join("lake")).unwrap();
    let series: Series = "test/BTC-USDT/1h".parse().unwrap();
    let (contract, stop) = (Contract::default(), AtomicBool::new(false));
    let intake = Intake::new(&lake, &contract, now()).in_chunks_of(10).until(&stop);
    let mut steps = 0;
    let stopped = intake.import(&series, &path, &mut |_| {
        steps += 1;
        stop.store(steps == 3, Ordering::Relaxed);
    });
    assert!(matches!(stopped, Err(IngestError::Interrupted)), "{stopped:?}");
    let manifest = lake.manifest(&series).unwrap();
    assert!(manifest.as_ref().is_none_or(|m| m.parts.is_empty() && m.imports.is_empty()), "something counts: {manifest:?}");
    stop.store(false, Ordering::Relaxed);
    assert_eq!(intake.import(&series, &path, &mut |_| {}).unwrap().added, 50);
}
