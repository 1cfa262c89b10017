//! What real series are like: each file with its true finding, and sound files with none.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidegate::domain::{Bar, Columns, Interval, Span, Time};
use tidegate::stage::ingest::{Detector, Finding, lag};

use crate::{python, shared};

/// Reads every file of bars in a folder, whatever its form; prints for each the columns, times in microseconds.
const READ: &str = r"
import sys, json, os, zipfile, pandas as pd, pyarrow.feather as feather
def rows(path):
    if path.endswith('.feather'): d = feather.read_table(path).to_pandas()
    elif path.endswith('.json'): d = pd.DataFrame(json.load(open(path)))
    elif path.endswith('.zip'):
        z = zipfile.ZipFile(path); d = pd.read_csv(z.open(z.namelist()[0]), header=None)
    else: d = pd.read_csv(path, header=None if open(path).read(1).isdigit() else 'infer', float_precision='round_trip')
    t = d.iloc[:, 0]
    if t.dtype == 'int64': t = t * (1000000 if 1e8 < t.iloc[0] < 1e11 else 1000)
    else: t = pd.to_datetime(t, utc=True).astype('datetime64[us, UTC]').astype('int64')
    v = d.iloc[:, 5] if d.shape[1] > 5 else [None] * len(d)
    return [t.tolist()] + [d.iloc[:, k].tolist() for k in range(1, 5)] + [list(v)]
print(json.dumps({n: rows(os.path.join(sys.argv[1], n)) for n in sorted(os.listdir(sys.argv[1])) if 'trades' not in n}))
";

fn bars(columns: &Value) -> Vec<Bar> {
    let columns: Vec<Vec<Option<f64>>> = serde_json::from_value(columns.clone()).unwrap();
    let value = |column: usize, at: usize| columns[column][at].unwrap_or(f64::NAN);
    let bar = |at: usize| Bar {
        open_time: Time::from_micros(value(0, at) as i64),
        open: value(1, at),
        high: value(2, at),
        low: value(3, at),
        close: value(4, at),
        volume: value(5, at),
    };
    (0..columns[0].len()).map(bar).collect()
}

fn findings(bars: &[Bar], interval: Interval) -> Vec<Finding> {
    let mut detector = Detector::new(interval);
    bars.iter().for_each(|bar| detector.push(bar));
    detector.findings()
}

/// `straight-line 14 in 2, 7 from 2022-01-01T03:04:00Z`.
fn told(finding: &Finding) -> String {
    match finding {
        Finding::StraightLine(runs) | Finding::ZeroVolume(runs) | Finding::Repeated(runs) => {
            format!("{} {} in {}, {} from {}", finding.code(), runs.bars, runs.runs, runs.longest, runs.from)
        }
        other => other.to_string(),
    }
}

/// The files with a finding, and what it is. Straight lines: minutes 03:03 to 03:09 of two days of the futures file stand in equal
/// steps in all five columns. Quiet runs: one thinly traded coin, and minutes of a small venue; notes, not faults.
const TOLD: [(&str, &str); 3] = [
    ("nautilus_btc-perp-20211231-20220201_1m.csv", "straight-line 14 in 2, 7 from 2022-01-01T03:04:00Z"),
    ("misrori_SUSDUSDT_1h.csv", "zero-volume"),
    ("iaqf_binanceus_BTCUSDT_1m.csv", "zero-volume"),
];

fn interval_of(name: &str, truth: &Value) -> Interval {
    let seconds = truth[format!("original/{name}")]["interval_s"].as_u64().unwrap();
    let names = [(1, "1s"), (60, "1m"), (300, "5m"), (3600, "1h"), (86_400, "1d")];
    names.iter().find(|(length, _)| *length == seconds).unwrap().1.parse().unwrap()
}

#[test]
fn each_real_file_has_its_true_finding_and_sound_ones_none() {
    let (Some(folder), Some(truth)) = (shared::path("data/original"), shared::path("data/TRUTH.json")) else { return };
    let Some(output) = python::run(READ, &[&folder]) else { return };
    let truth: Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    let files: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(files.len() >= 24, "{} files were read", files.len());
    for (name, columns) in &files {
        let found: Vec<String> = findings(&bars(columns), interval_of(name, &truth)).iter().map(told).collect();
        match TOLD.iter().find(|(file, _)| file == name) {
            Some((_, wanted)) => {
                assert!(found.len() == 1 && found[0].starts_with(wanted), "{name}: {found:?}");
            }
            None => assert_eq!(found, [""; 0], "{name}"),
        }
    }
}

fn columns(bars: &[Bar], shift: Span) -> Columns {
    bars.iter().map(|bar| Bar { open_time: bar.open_time + shift, ..*bar }).collect()
}

/// The futures file names its minutes by their end: it agrees with another venue's hours only when put one minute back. The
/// same file put right, or held against itself in hours, gives no finding; moved by half an hour or five, it is told.
#[test]
fn labels_show_beside_a_series_that_is_right() {
    let Some(folder) = shared::path("data/original") else { return };
    let Some(output) = python::run(READ, &[&folder]) else { return };
    let files: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    let [minute, hour] = ["1m", "1h"].map(|name| name.parse::<Interval>().unwrap());
    let right = columns(&bars(&files["misrori_BTCUSDT_1h.csv"]), Span::ZERO);
    let futures = bars(&files["nautilus_btc-perp-20211231-20220201_1m.csv"]);
    let judge = |shift: Span| lag(&columns(&futures, shift), minute, &right, hour).unwrap();
    let found = judge(Span::ZERO);
    assert!(found.is_end_labelled && found.shift == Span::from_secs(-60), "{found:?}");
    assert!(found.shifted > 0.999 && found.as_it_stands < 0.99, "{found:?}");
    let put_right = judge(Span::from_secs(-60));
    assert!(!put_right.is_certain && put_right.shift == Span::ZERO, "{put_right:?}");
    let late = judge(Span::from_secs(5 * 3600 + 1800 - 60));
    assert!(late.is_certain && !late.is_end_labelled && late.shift == Span::from_secs(-5 * 3600 - 1800), "{late:?}");
    for sound in ["intabyu_BTCUSDT-1h-2023-01.csv", "vican_SOLUSDT_1h.csv"] {
        let found = lag(&columns(&bars(&files[sound]), Span::ZERO), hour, &right, hour).unwrap();
        assert!(!found.is_certain, "{sound}: {found:?}");
    }
}

/// None of the real files has these; real rows are put together so that they do.
#[test]
fn an_offset_and_an_asset_replaced_are_found_in_real_rows() {
    let read = |name: &str| shared::path(&format!("data/klines/{name}")).map(|path| klines(&path));
    let (Some(srm), Some(sol)) = (read("SRMUSDT-1h-20210404-20221128.csv"), read("SOLUSDT-1h-20240416-20260416.csv")) else {
        return;
    };
    let hour: Interval = "1h".parse().unwrap();
    assert_eq!(findings(&srm, hour), [], "a collapse and a delisting are no break");
    let replaced: Vec<Bar> = srm.iter().chain(&sol).copied().collect();
    let found = findings(&replaced, hour);
    let [Finding::Break { after, before, ratio }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((after.to_string().as_str(), before.to_string().as_str()), ("2022-11-28T02:00:00Z", "2024-04-16T01:00:00Z"));
    assert!(*ratio > 300.0, "{ratio}");
    let half: Vec<Bar> = sol.iter().map(|bar| Bar { open_time: bar.open_time + Span::from_secs(1800), ..*bar }).collect();
    assert_eq!(findings(&half, hour), [Finding::WrongOffset { rows: 17_520, offset: Span::from_secs(1800) }]);
}

fn klines(path: &Path) -> Vec<Bar> {
    let text = std::fs::read_to_string(path).unwrap();
    let bar = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        let open_time = Time::from_millis(fields[0].parse().unwrap());
        Bar { open_time, open: number(1), high: number(2), low: number(3), close: number(4), volume: number(5) }
    };
    text.lines().map(bar).collect()
}
