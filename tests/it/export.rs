//! Bars for other programs: what is written reads back, here and elsewhere, and nothing is written by halves.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use assert_cmd::Command;
use tidegate::domain::{Bar, Columns, Projection, Rows, Series, TRADES_UNKNOWN, Time};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::Intake;
use tidegate::store::export::{Export, Exported, Format};
use tidegate::store::{Lake, LakeError};

use crate::python;

/// More than are written at once: windows are stretches of time.
const MINUTES: i64 = 300_000;

fn rows() -> Rows {
    let bar = |minute: i64| {
        let base = 0.000_012_34 + (minute * 7919 % 977) as f64 / 1e9;
        let volume = (minute * 104_729 % 1_000_003) as f64 / 7.0;
        let open_time = Time::from_micros(1_704_067_200_000_000 + minute * 60_000_000);
        Bar { open_time, open: base, high: base * 1.01, low: base * 0.99, close: base, volume }
    };
    let mut rows = Rows::from((0..MINUTES).filter(|minute| minute % 60 < 10 && minute % 1000 != 7).map(bar).collect::<Columns>());
    rows.extras.trades[0] = 12;
    rows.extras.quote_volume[1] = 1234.5;
    rows
}

fn series() -> Series {
    "test/AAA-USDT/1m".parse().unwrap()
}

fn lake(folder: &Path) -> Lake {
    let lake = Lake::open(folder.join("data/lake")).unwrap();
    lake.append(&series(), &rows()).unwrap();
    lake
}

fn export(lake: &Lake, path: &Path, format: Format) -> Result<Option<Exported>, LakeError> {
    let series = series();
    let export = Export { series: &series, from: None, to: None, format, path, replaces: false };
    lake.export(&export, &AtomicBool::new(false), &mut |_| {})
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn csv_reads_back_to_the_same_bars() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    let path = folder.path().join("out/AAAUSDT-1m.csv");
    let done = export(&lake, &path, Format::Csv).unwrap().unwrap();
    assert_eq!((done.rows as usize, done.first), (rows().len(), Some("2024-01-01".parse().unwrap())));
    let other = Lake::open(folder.path().join("other")).unwrap();
    let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
    let intake = Intake::new(&other, &contract, "2026-11-01".parse().unwrap());
    let report = intake.import(&series(), &path, &mut |_| {}).unwrap();
    assert_eq!((report.added, report.refused.len(), report.quality.odd_close_times), (done.rows, 0, 0));
    let [a, b] = [&lake, &other].map(|lake| lake.read_rows(&series(), None, None, Projection::ALL).unwrap());
    assert!(a.bars == b.bars, "bit for bit");
    assert_eq!(a.extras.trades, b.extras.trades);
    assert_eq!((b.extras.trades[..2].to_vec(), b.extras.quote_volume[1]), (vec![12, TRADES_UNKNOWN], 1234.5));
    assert!(b.extras.quote_volume[0].is_nan(), "unknown is not zero");
}

#[test]
fn arrow_is_read_by_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    let path = folder.path().join("bars.arrow");
    export(&lake, &path, Format::Arrow).unwrap();
    let script = "import sys, json, pyarrow as pa, pyarrow.feather as feather, polars as pl\n\
                  t = feather.read_table(sys.argv[1])\n\
                  assert pl.read_ipc(sys.argv[1]).shape == t.shape\n\
                  ms = t['open_time'].cast(pa.int64()).to_pylist()\n\
                  nulls = [t[c].null_count for c in ('quote_volume', 'trades')]\n\
                  print(json.dumps([str(t.schema.field('open_time').type), nulls, ms] + [t[c].to_pylist() for c in ('open', 'volume')]))";
    let Some(output) = python::run(script, &[&path]) else { return };
    type Read = (String, Vec<u64>, Vec<i64>, Vec<f64>, Vec<f64>);
    let (time, nulls, times, opens, volumes): Read = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((time.as_str(), nulls), ("timestamp[us, tz=UTC]", vec![rows().len() as u64 - 1; 2]));
    let wanted = rows().bars;
    assert!(times == wanted.open_time && opens == wanted.open && volumes == wanted.volume);
}

#[test]
fn what_is_stopped_or_in_the_way_leaves_all_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake(folder.path());
    let out = folder.path().join("out");
    let path = out.join("bars.csv");
    let (series, stop) = (series(), AtomicBool::new(false));
    let all = Export { series: &series, from: None, to: None, format: Format::Csv, path: &path, replaces: false };
    let mut calls = 0;
    let stopped = lake.export(&all, &stop, &mut |_| {
        calls += 1;
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!((stopped.unwrap(), calls, names(&out)), (None, 1, vec![]));
    fs::write(&path, "mine").unwrap();
    let refused = lake.export(&all, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, LakeError::OutputThere(_)), "{refused}");
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(&out).len()), ("mine", 1));
    let (from, to) = (Some("2024-01-01T00:05".parse().unwrap()), Some("2024-01-01T00:10".parse().unwrap()));
    let some = Export { from, to, replaces: true, ..all };
    let done = lake.export(&some, &AtomicBool::new(false), &mut |_| {}).unwrap().unwrap();
    assert_eq!((done.rows, fs::read_to_string(&path).unwrap().lines().count()), (4, 5), "minute 7 is missing");
}

#[test]
fn the_verb_names_the_file_and_never_overwrites_unasked() {
    let folder = tempfile::tempdir().unwrap();
    lake(folder.path());
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("tidegate").unwrap();
        let said = ["data", "export", "--symbol", "AAA/USDT", "--interval"];
        command.current_dir(&folder).args(said).args(args).output().unwrap()
    };
    let output = run(&["1m", "--json", "--to", "2024-01-02"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((value["data"]["file"].as_str(), value["data"]["rows"].as_u64()), (Some("AAAUSDT-1m.csv"), Some(24 * 10 - 1)));
    let again = run(&["1m"]);
    assert_eq!(again.status.code(), Some(6));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("AAAUSDT-1m.csv is there already") && said.contains("--replace"), "{said}");
    let replaced = run(&["1m", "--replace", "--to", "2024-01-02"]);
    assert!(String::from_utf8(replaced.stdout).unwrap().contains("replacing the file that was there"));
    assert_eq!(run(&["1h"]).status.code(), Some(1));
}
