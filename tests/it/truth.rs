//! Import and quality figures of real files against figures computed elsewhere.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tidegate::domain::{Projection, Series, Time};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{Intake, SourceReport};
use tidegate::store::Lake;

use crate::shared;

fn now() -> Time {
    "2026-11-01".parse().unwrap()
}

/// Files are checked as they are: nothing is refused for moving much.
fn contract() -> Contract {
    Contract { max_return: f64::INFINITY, ..Contract::default() }
}

fn import(lake: &Lake, series: &str, path: &Path) -> SourceReport {
    let series: Series = series.parse().unwrap();
    Intake::new(lake, &contract(), now()).import(&series, path, &mut |_| {}).unwrap()
}

/// The figures of a file equal those computed elsewhere.
pub fn assert_figures(report: &SourceReport, truth: &Value, name: &str) {
    let quality = &report.quality;
    let number = |key: &str| truth[key].as_u64().unwrap_or_else(|| panic!("{name} has no {key}"));
    let pairs = [
        ("rows", quality.rows),
        ("out_of_order_rows", quality.out_of_order),
        ("distinct_timestamps", quality.distinct_times),
        ("exact_duplicate_bars", quality.duplicates_same),
        ("duplicate_timestamp_rows", quality.duplicates_same + quality.duplicates_different),
        ("off_grid_timestamps", quality.off_grid),
        ("gaps", quality.gaps),
        ("missing_bars", quality.missing_bars),
        ("rows_with_blank_ohlcv", quality.unparsable),
        ("zero_volume_bars", quality.zero_volume),
        ("ohlc_violations", quality.ohlc_violations),
        ("nonpositive_price_rows", quality.non_positive),
        ("bars_with_abs_return_over_10pct", quality.large_returns),
    ];
    for (key, found) in pairs {
        // A file without a volume column has no count of empty bars.
        if !truth[key].is_null() {
            assert_eq!(found, number(key), "{name}: {key}");
        }
    }
    let text = |key: &str| truth[key].as_str().unwrap().to_owned();
    assert_eq!(quality.first.unwrap().to_string(), text("first"), "{name}");
    assert_eq!(quality.last.unwrap().to_string(), text("last"), "{name}");
    assert_eq!(serde_json::to_value(quality.file_order).unwrap(), truth["file_order"], "{name}");
    let gaps = serde_json::to_value(&quality.largest_gaps).unwrap();
    assert_eq!(gaps, truth["largest_gaps"], "{name}");
}

/// INGEST-1 and INGEST-3.
#[test]
fn figures_equal_those_computed_elsewhere() {
    let (Some(data), Some(truth)) = (shared::path("data"), shared::path("data/TRUTH.json")) else { return };
    let truth: Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    let files = [
        ("klines/BTCUSDT-1h-20210404-20231230.csv.gz", "BTC-USDT/1h"),
        ("klines/BTCUSDT-1h-20240416-20260416.csv", "BTC-USDT/1h"),
        ("klines/BTCUSDT_US-1m-20230301-20230321.csv.gz", "BTC-USDT/1m"),
        ("klines/ETHUSDT-1h-20240416-20260416.csv", "ETH-USDT/1h"),
        ("klines/SOLUSDT-1h-20240416-20260416.csv", "SOL-USDT/1h"),
        ("klines/SRMUSDT-1h-20210404-20221128.csv", "SRM-USDT/1h"),
        ("original/intabyu_BTCUSDT-1h-2023-03.csv", "BTC-USDT/1h"),
        ("original/nautilus_ADABTC-1m-2021-11-27.csv", "ADA-BTC/1m"),
        ("archive/BTCUSDT-1h-2024-11.zip", "BTC-USDT/1h"),
        ("archive/BTCUSDT-1h-2024-12.zip", "BTC-USDT/1h"),
        ("archive/BTCUSDT-1h-2025-01.zip", "BTC-USDT/1h"),
        ("archive/BTCUSDT-1h-2025-02.zip", "BTC-USDT/1h"),
        ("faulty/ETHUSDT-1h-faulty.csv", "ETH-USDT/1h"),
    ];
    let listed: BTreeSet<&str> = files.iter().map(|(file, _)| *file).collect();
    for name in truth.as_object().unwrap().keys().filter(|name| name.starts_with("klines/") || name.starts_with("faulty/")) {
        assert!(listed.contains(name.as_str()), "{name} is not tested");
    }
    for (file, series) in files {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake")).unwrap();
        let series = format!("test/{series}");
        let report = import(&lake, &series, &data.join(file));
        assert_figures(&report, &truth[file], file);
        let refused: u64 = report.refused.values().sum();
        let key: Series = series.parse().unwrap();
        let bars = lake.read(&key, None, None, Projection::BAR).unwrap();
        assert_eq!(bars.len() as u64, report.added, "{file}");
        assert_eq!(report.added + report.quality.duplicates_same + refused, report.quality.rows, "INGEST-1: {file}");
        let again = import(&lake, &series, &data.join(file));
        assert_eq!((again.added, again.is_unchanged), (0, true), "{file}");
        assert_eq!(again.quality, report.quality, "{file}");
    }
}

/// INGEST-2.
#[test]
fn a_faulty_file_gives_only_its_sound_bars() {
    let Some(file) = shared::path("data/faulty/ETHUSDT-1h-faulty.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().join("lake")).unwrap();
    let report = import(&lake, "test/ETH-USDT/1h", &file);
    let refused: Vec<(&str, u64)> = report.refused.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(refused, [("conflict", 8), ("non-positive", 1), ("ohlc", 3), ("unparsable", 1)]);
    assert_eq!(report.added, 1506 - 8 - 13);
    let quarantine = std::fs::read_to_string(report.quarantine.unwrap()).unwrap();
    assert_eq!(quarantine.lines().count(), 13);
    assert!(quarantine.contains("-2461.6"), "{quarantine}");
}
