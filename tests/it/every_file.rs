//! Every file of the reference data: it is taken in with the rows that another program counts, or refused for the true reason. A
//! file that no table names fails the test, so that none is forgotten.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate::domain::Series;
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{IngestError, Intake, SourceReport};
use tidegate::stage::ingest::{FileOrder, Finding, TradeTerms};
use tidegate::store::Lake;

use crate::shared;
use crate::truth::assert_figures;

/// What should come of a file of bars.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// Every row is a bar.
    Whole,
    /// So many rows are refused, and no bar is made of them.
    Refuses(u64),
    /// Nothing is taken: the message has these words, and the hint those.
    No(&'static str, &'static str),
}
use Outcome::{No, Refuses, Whole};

const NO_ARRAY: Outcome = No("an object where an array of klines should be", "a file of klines is [[open time");

/// File, series, outcome. The figures of each that is taken are those of TRUTH.json.
const DATA: [(&str, &str, Outcome); 38] = [
    ("archive/BTCUSDT-1h-2024-11.zip", "BTC-USDT/1h", Whole),
    ("archive/BTCUSDT-1h-2024-12.zip", "BTC-USDT/1h", Whole),
    ("archive/BTCUSDT-1h-2025-01.zip", "BTC-USDT/1h", Whole),
    ("archive/BTCUSDT-1h-2025-02.zip", "BTC-USDT/1h", Whole),
    ("faulty/ETHUSDT-1h-faulty.csv", "ETH-USDT/1h", Refuses(13)),
    ("klines/BTCUSDT-1h-20210404-20231230.csv.gz", "BTC-USDT/1h", Whole),
    ("klines/BTCUSDT-1h-20240416-20260416.csv", "BTC-USDT/1h", Whole),
    ("klines/BTCUSDT_US-1m-20230301-20230321.csv.gz", "BTC-USDT/1m", Whole),
    ("klines/ETHUSDT-1h-20240416-20260416.csv", "ETH-USDT/1h", Whole),
    ("klines/SOLUSDT-1h-20240416-20260416.csv", "SOL-USDT/1h", Whole),
    ("klines/SRMUSDT-1h-20210404-20221128.csv", "SRM-USDT/1h", Whole),
    ("original/azmath_BTCUSDT_1h.csv", "BTC-USDT/1h", Whole),
    ("original/azmath_ETHUSDT_1h.csv", "ETH-USDT/1h", Whole),
    ("original/azmath_SOLUSDT_1h.csv", "SOL-USDT/1h", Whole),
    ("original/backtestingpy_EURUSD.csv", "EUR-USD/1h", Whole),
    ("original/backtestingpy_GOOG.csv", "GOOG-USD/1d", Whole),
    ("original/daru_BTCUSDT_1h_jan_feb_2024.csv", "BTC-USDT/1h", No("line 1: the header has no column for the volume", "volume")),
    ("original/freqtrade_ADA_BTC-5m.feather", "ADA-BTC/5m", Whole),
    ("original/freqtrade_UNITTEST_BTC-1m.json", "UNITTEST-BTC/1m", Whole),
    ("original/freqtrade_XRP_ETH-1m.feather", "XRP-ETH/1m", Whole),
    ("original/freqtrade_XRP_ETH-trades.json.gz", "XRP-ETH/1m", No("row 1: 7 columns, and no header", "data import --trades")),
    ("original/freqtrade_public_trades_list.csv", "ETH-USDT/1m", No("no column for the open; it names", "data import --trades")),
    ("original/gwak_BTCUSDT_1m.csv", "BTC-USDT/1m", Whole),
    ("original/iaqf_binanceus_BTCUSDT_1m.csv", "BTC-USDT/1m", Whole),
    ("original/intabyu_BTCUSDT-1h-2023-01.csv", "BTC-USDT/1h", Whole),
    ("original/intabyu_BTCUSDT-1h-2023-02.csv", "BTC-USDT/1h", Whole),
    ("original/intabyu_BTCUSDT-1h-2023-03.csv", "BTC-USDT/1h", Whole),
    ("original/intabyu_BTCUSDT-1h-2023-04.csv", "BTC-USDT/1h", Whole),
    ("original/intabyu_BTCUSDT-1h-2023-05.csv", "BTC-USDT/1h", Whole),
    ("original/lean_coinbase_btcusd_daily_trade.zip", "BTC-USD/1d", Whole),
    ("original/lean_coinbase_btcusd_second_20161007_trade.zip", "BTC-USD/1s", Whole),
    ("original/misrori_BTCUSDT_1h.csv", "BTC-USDT/1h", Whole),
    ("original/misrori_SRMUSDT_1h.csv", "SRM-USDT/1h", Whole),
    ("original/misrori_SUSDUSDT_1h.csv", "SUSD-USDT/1h", Whole),
    ("original/nautilus_ADABTC-1m-2021-11-27.csv", "ADA-BTC/1m", Whole),
    ("original/nautilus_ADABTC-1m-2021-11-28.csv", "ADA-BTC/1m", Whole),
    ("original/nautilus_btc-perp-20211231-20220201_1m.csv", "BTC-USD/1m", Whole),
    ("original/vican_SOLUSDT_1h.csv", "SOL-USDT/1h", Whole),
];

/// The findings of those files; the others have none. What each is: see `tests/it/findings.rs`.
const FINDINGS: [(&str, &str, u64); 4] = [
    ("original/nautilus_btc-perp-20211231-20220201_1m.csv", "straight-line", 14),
    ("original/misrori_SUSDUSDT_1h.csv", "zero-volume", 30),
    ("original/iaqf_binanceus_BTCUSDT_1m.csv", "zero-volume", 45),
    ("klines/BTCUSDT_US-1m-20230301-20230321.csv.gz", "zero-volume", 45),
];

/// Klines among the recorded payloads: file, series, rows, outcome.
const KLINES: [(&str, &str, u64, Outcome); 8] = [
    ("archive/DOGEUSDT-1s-2025-01-01.first3.csv", "DOGE-USDT/1s", 3, Whole),
    (
        "binance-net/Endpoints/Spot/ExchangeData/GetKlines.json",
        "ETH-BTC/1d",
        0,
        No("row 1: the bar lasts 7d, not 1d", "no bars of that length"),
    ),
    ("binance-rs/market/get_klines.json", "ETH-BTC/1d", 0, No("row 1: the bar lasts 7d, not 1d", "no bars of that length")),
    ("lean/btcbusd-minute-2022-12-13.csv", "BTC-BUSD/1m", 1440, Whole),
    ("nautilus-lgpl/archive/ADABTC-1m-2021-11-27.csv", "ADA-BTC/1m", 10, Whole),
    ("nautilus-lgpl/http_spot_market_klines.json", "BTC-USDT/1m", 10, Whole),
    ("python-binance/klines_1d.testnet.outlier-low.json", "BTC-USDT/1d", 13, Whole),
    (
        "archive/known_irregularities.csv",
        "BTC-USDT/1h",
        0,
        No("line 1: the header has no column for the open time", "names its columns"),
    ),
];

/// Everything else among the payloads is JSON of another kind.
const NOT_KLINES: [(&str, Outcome); 3] = [
    // Arrays of objects: the first row is told.
    ("GetOrderRateLimitStatus.json", No("after row 0: an object where an array of klines should be", "[[open time")),
    ("GetRecentTrades.json", No("after row 0: an object where an array of klines should be", "[[open time")),
    ("", NO_ARRAY),
];

struct Desk {
    _folder: tempfile::TempDir,
    lake: Lake,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake")).unwrap();
        Self { _folder: folder, lake }
    }

    /// Takes a file in; what a look at it says must be the same.
    fn import(&self, series: &str, path: &Path) -> Result<SourceReport, IngestError> {
        let series: Series = format!("test/{series}").parse().unwrap();
        let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
        let intake = Intake::new(&self.lake, &contract, "2026-11-01".parse().unwrap());
        let seen = intake.inspect_file(&series, path, &mut |_| {});
        let report = intake.import(&series, path, &mut |_| {});
        match (&seen, &report) {
            (Ok(seen), Ok(report)) => assert_eq!(seen.quality, report.quality, "{}", path.display()),
            (Err(_), Err(_)) => {}
            other => panic!("{}: {other:?}", path.display()),
        }
        report
    }
}

fn assert_outcome(name: &str, outcome: Outcome, result: Result<SourceReport, IngestError>) -> Option<SourceReport> {
    let told = |error: &IngestError| format!("{error} / {}", error.hint().unwrap_or_default());
    let (report, refused) = match (outcome, result) {
        (No(words, hint), Err(error)) => {
            let said = told(&error);
            assert!(said.contains(name.rsplit('/').next().unwrap()), "{name}: the file is not named in: {said}");
            assert!(said.contains(words) && said.contains(hint), "{name}: {said}");
            return None;
        }
        (Whole, Ok(report)) => (report, 0),
        (Refuses(refused), Ok(report)) => (report, refused),
        (outcome, Err(error)) => panic!("{name}: {outcome:?}, but {}", told(&error)),
        (outcome, Ok(report)) => panic!("{name}: {outcome:?}, but {report:?}"),
    };
    assert_eq!(report.refused.values().sum::<u64>(), refused, "{name}: {:?}", report.refused);
    assert_eq!(report.added + report.quality.duplicates_same + refused, report.quality.rows, "{name}");
    Some(report)
}

/// Files below a folder, by their paths there.
fn files_below(folder: &Path) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(here) = open.pop() {
        for entry in std::fs::read_dir(here).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_file_of_bars_is_taken_or_refused_with_the_true_reason() {
    let (Some(data), Some(truth)) = (shared::path("data"), shared::path("data/TRUTH.json")) else { return };
    let truth: Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    let about = |name: &String| !name.contains('/') || name.ends_with(".CHECKSUM");
    for name in files_below(&data).iter().filter(|name| !about(name)) {
        let (_, series, outcome) = DATA.iter().find(|(file, ..)| file == name).unwrap_or_else(|| panic!("{name} is not tested"));
        let report = assert_outcome(name, *outcome, Desk::new().import(series, &data.join(name)));
        if let Some(report) = report {
            assert_figures(&report, &truth[name], name);
            let found: Vec<(&str, u64)> = report.quality.findings.iter().map(|found| (found.code(), bars_of(found))).collect();
            let wanted: Vec<(&str, u64)> =
                FINDINGS.iter().filter(|(file, ..)| file == name).map(|(_, code, bars)| (*code, *bars)).collect();
            assert_eq!(found, wanted, "{name}");
            if found.iter().any(|(code, _)| *code == "straight-line") {
                assert_eq!(truth[name]["linear_fill_bars"], found[0].1, "{name}");
            }
        }
    }
}

fn bars_of(finding: &Finding) -> u64 {
    match finding {
        Finding::StraightLine(runs) | Finding::ZeroVolume(runs) | Finding::Repeated(runs) => runs.bars,
        _ => 0,
    }
}

/// A real file turned round: the same bars and figures, and the one finding that says so. With one row out of place there is none.
#[test]
fn the_newest_first_is_turned_round_and_told() {
    let Some(path) = shared::path("data/original/azmath_SOLUSDT_1h.csv") else { return };
    let text = std::fs::read_to_string(&path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    let import = |rows: &[&str]| {
        let desk = Desk::new();
        let file = desk._folder.path().join("turned.csv");
        std::fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        let report = desk.import("SOL-USDT/1h", &file).unwrap();
        let bars = desk.lake.fingerprint(&"test/SOL-USDT/1h".parse().unwrap(), None, None).unwrap();
        (report.quality, bars)
    };
    let (straight, bars) = import(&rows.lines().collect::<Vec<_>>());
    let (quality, same_bars) = import(&turned);
    assert_eq!((straight.findings, &quality.findings), (vec![], &vec![Finding::NewestFirst]));
    assert_eq!((bars, straight.gaps, straight.out_of_order), (same_bars, quality.gaps, quality.out_of_order));
    let mut mixed = turned;
    mixed.swap(100, 200);
    let (quality, _) = import(&mixed);
    assert_eq!(quality.findings, []);
    assert!(quality.out_of_order > 0 && quality.file_order == FileOrder::Mixed);
}

/// The futures file, as a person checks it beside hours that are right: its minutes are named by their end.
#[test]
fn end_labels_are_told_on_the_command_line() {
    let (Some(hours), Some(minutes)) = (
        shared::path("data/original/misrori_BTCUSDT_1h.csv"),
        shared::path("data/original/nautilus_btc-perp-20211231-20220201_1m.csv"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(&folder).args(args).output().unwrap()
    };
    let [hours, minutes] = [hours, minutes].map(|path| path.to_str().unwrap().to_owned());
    assert!(run(&["data", "import", &hours, "--symbol", "BTC/USDT", "--interval", "1h"]).status.success());
    let against = ["--symbol", "BTC/USD", "--interval", "1m", "--against", "binance/BTC-USDT/1h"];
    let output = run(&[&["data", "check", &minutes], against.as_slice()].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("end-labelled: each bar is named by its end; shifted by -1m"), "{said}");
}

/// B13: bars without a trade are bars. B16: seconds, milliseconds, microseconds are told by their size.
#[test]
fn every_recorded_payload_is_taken_or_refused_with_the_true_reason() {
    let Some(payloads) = shared::path("fixtures/binance") else { return };
    for name in files_below(&payloads).iter().filter(|name| *name != "SOURCES.md") {
        let path = payloads.join(name);
        match KLINES.iter().find(|(file, ..)| file == name) {
            Some((_, series, rows, outcome)) => {
                let report = assert_outcome(name, *outcome, Desk::new().import(series, &path));
                assert_eq!(report.map_or(0, |report| report.quality.rows), *rows, "{name}");
            }
            None => {
                let (_, outcome) = NOT_KLINES.iter().find(|(end, _)| name.ends_with(end)).unwrap();
                assert_outcome(name, *outcome, Desk::new().import("BTC-USDT/1m", &path));
            }
        }
    }
}

#[test]
fn files_of_trades_have_the_rows_that_another_program_counts() {
    let (Some(data), Some(truth)) = (shared::path("data/original"), shared::path("data/TRUTH.json")) else { return };
    let truth: Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    for (name, series) in
        [("freqtrade_XRP_ETH-trades.json.gz", "test/XRP-ETH/1m"), ("freqtrade_public_trades_list.csv", "test/ETH-USDT/1m")]
    {
        let (desk, series) = (Desk::new(), series.parse::<Series>().unwrap());
        let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
        let intake = Intake::new(&desk.lake, &contract, "2026-11-01".parse().unwrap());
        let interval = series.interval();
        let terms = TradeTerms { interval, complete_from: None, complete_to: None, whole_days: false, consecutive_ids: false };
        let report = intake.import_trades(&series, &data.join(name), terms, &mut |_| {}).unwrap();
        let figures = serde_json::to_value(report.trades).unwrap();
        assert_eq!(figures["trades"], truth[format!("original/{name}")]["rows"], "{name}: {figures}");
    }
}
