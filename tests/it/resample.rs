//! Longer bars of shorter ones: as pandas makes them, except where one is missing.

use std::collections::BTreeSet;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tidegate::domain::{Columns, Projection, Series};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{IngestError, Intake, ResampleReport};
use tidegate::store::Lake;

use crate::{python, shared};

/// Groups a kline file; prints for each length the bars that are whole, and how many are not. Volumes are added as decimals.
const PANDAS: &str = "
import sys, json, decimal, pandas as pd
exact = lambda texts: float(sum((decimal.Decimal(t) for t in texts), decimal.Decimal(0)))
d = pd.read_csv(sys.argv[1], header=None, usecols=range(6), names=list('tohlcv'), dtype={'v': str}, float_precision='round_trip')
step = d.t.diff().min()
out = []
for minutes in json.loads(sys.argv[2]):
    span = minutes * 60000
    g = d.groupby(d.t // span * span)
    b = g.agg(o=('o', 'first'), h=('h', 'max'), l=('l', 'min'), c=('c', 'last'), v=('v', exact), n=('t', 'count')).reset_index()
    w = b[b.n == span // step]
    out.append({'bars': [w[k].tolist() for k in 'tohlcv'], 'partial': int((b.n != span // step).sum())})
print(json.dumps(out))
";

fn contract() -> Contract {
    Contract { max_return: f64::INFINITY, ..Contract::default() }
}

fn resample(lake: &Lake, source: &Series, to: &str) -> ResampleReport {
    let contract = contract();
    let intake = Intake::new(lake, &contract, "2026-11-01".parse().unwrap());
    intake.resample(source, to.parse().unwrap(), &mut |_| {}).unwrap()
}

fn lake_with(folder: &Path, file: &Path, source: &Series) -> Lake {
    let lake = Lake::open(folder.join("lake")).unwrap();
    let contract = contract();
    Intake::new(&lake, &contract, "2026-11-01".parse().unwrap()).import(source, file, &mut |_| {}).unwrap();
    lake
}

fn columns(bars: &Columns) -> [Vec<f64>; 6] {
    let times = bars.open_time.iter().map(|time| (time / 1000) as f64).collect();
    [times, bars.open.clone(), bars.high.clone(), bars.low.clone(), bars.close.clone(), bars.volume.clone()]
}

#[test]
fn longer_bars_equal_those_of_pandas() {
    let files = [
        (
            "data/klines/BTCUSDT_US-1m-20230301-20230321.csv.gz",
            "us/BTC-USDT/1m",
            vec![("5m", 5), ("15m", 15), ("1h", 60), ("1d", 1440)],
        ),
        ("data/klines/SRMUSDT-1h-20210404-20221128.csv", "test/SRM-USDT/1h", vec![("4h", 240), ("1d", 1440), ("3d", 4320)]),
    ];
    for (file, source, lengths) in files {
        let Some(path) = shared::path(file) else { return };
        let minutes: Vec<i64> = lengths.iter().map(|(_, minutes)| *minutes).collect();
        let minutes = serde_json::to_string(&minutes).unwrap();
        let Some(output) = python::run(PANDAS, &[&path, Path::new(&minutes)]) else { return };
        let wanted: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let source: Series = source.parse().unwrap();
        let lake = lake_with(folder.path(), &path, &source);
        for ((to, _), wanted) in lengths.iter().zip(&wanted) {
            let report = resample(&lake, &source, to);
            let bars: [Vec<f64>; 6] = serde_json::from_value(wanted["bars"].clone()).unwrap();
            let found = columns(&lake.read(&report.target, None, None, Projection::BAR).unwrap());
            for (at, name) in ["time", "open", "high", "low", "close", "volume"].iter().enumerate() {
                assert!(found[at] == bars[at], "{file} {to}: {name}");
            }
            let refused = report.bars.refused.get("partial").copied().unwrap_or(0);
            assert_eq!(refused, wanted["partial"].as_u64().unwrap(), "{file} {to}");
            assert_eq!(resample(&lake, &source, to).bars.added, 0, "{file} {to}");
        }
    }
}

fn rows(hours: impl IntoIterator<Item = i64>) -> String {
    let row = |hour: i64| {
        let time = 1_704_067_200_000 + hour * 3_600_000;
        format!("{time},100,{},99,100.5,1.1,{},0,0,0,0,0\n", 101 + hour % 7, time + 3_599_999)
    };
    hours.into_iter().map(row).collect()
}

/// INGEST-2 and INGEST-3.
#[test]
fn a_bar_is_made_once_its_hole_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bars.csv");
    std::fs::write(&file, rows((5..30).chain(31..80))).unwrap();
    let source: Series = "test/A-B/1h".parse().unwrap();
    let lake = lake_with(folder.path(), &file, &source);
    let report = resample(&lake, &source, "1d");
    let partial: Vec<(String, u64)> = report.partial.iter().map(|bar| (bar.open_time.to_string(), bar.present)).collect();
    let named = [("2024-01-01T00:00:00Z", 19), ("2024-01-02T00:00:00Z", 23), ("2024-01-04T00:00:00Z", 8)];
    assert_eq!(partial, named.map(|(time, present)| (time.to_owned(), present)));
    assert_eq!(report.bars.added, 1);
    let quarantine = std::fs::read_to_string(report.bars.quarantine.unwrap()).unwrap();
    assert!(quarantine.contains("23 of 24 bars of test/A-B/1h are there"), "{quarantine}");
    std::fs::write(&file, rows(30..31)).unwrap();
    lake_with(folder.path(), &file, &source);
    let filled = resample(&lake, &source, "1d");
    assert_eq!((filled.bars.added, filled.bars.already_there, filled.partial.len()), (1, 1, 2));
}

/// INGEST-4: Ctrl-C between two windows leaves nothing of the longer bars.
#[test]
fn a_resample_that_was_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bars.csv");
    std::fs::write(&file, rows(0..80)).unwrap();
    let source: Series = "test/A-B/1h".parse().unwrap();
    let lake = lake_with(folder.path(), &file, &source);
    let (contract, stop) = (contract(), std::sync::atomic::AtomicBool::new(true));
    let intake = Intake::new(&lake, &contract, "2026-11-01".parse().unwrap()).until(&stop);
    let stopped = intake.resample(&source, "1d".parse().unwrap(), &mut |_| {});
    assert!(matches!(stopped, Err(IngestError::Interrupted)), "{stopped:?}");
    let target: Series = "test/A-B/1d".parse().unwrap();
    assert!(lake.info(&target).unwrap().is_none_or(|info| info.rows == 0), "something counts");
    assert_eq!(resample(&lake, &source, "1d").bars.added, 3);
}

#[test]
fn the_verb_says_what_it_made_and_what_it_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("AAAUSDT-1h.csv"), rows((0..30).chain(31..80))).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("tidegate").unwrap();
        command.current_dir(&folder).args(args).output().unwrap()
    };
    assert!(run(&["data", "import", "AAAUSDT-1h.csv"]).status.success());
    let output = run(&["data", "resample", "--symbol", "AAA/USDT", "--from", "1h", "--to", "1d,2h", "--json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), value["schema"].as_str()), (Some(0), Some("tidegate/data-resample/1")));
    assert_eq!(value["data"]["added"], 2 + 39);
    let warnings: BTreeSet<&str> = value["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert!(
        warnings
            .contains("binance/AAA-USDT/1d: 2 bars lack a bar of 1h: 2024-01-02 00:00 (23 of 24), 2024-01-04 00:00 (8 of 24)"),
        "{warnings:?}"
    );
    let wrong = run(&["data", "resample", "--from", "1h", "--to", "15m"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("bars of 15m are not made of whole bars of 1h"), "{said}");
    assert_eq!(run(&["data", "resample", "--symbol", "BBB/USDT", "--from", "1h", "--to", "1d"]).status.code(), Some(1));
}
