//! Trades become bars: the same as another program made of the same trades, and nothing that is not known to be whole.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate::domain::{Columns, Projection, Series, Time};
use tidegate::stage::ingest::TradeTerms;
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{IngestError, Intake, TradeReport};
use tidegate::store::Lake;

use crate::{python, shared};

const MINUTE: i64 = 60_000;

/// A folder with a lake, and the series that trades are made into.
struct Desk {
    folder: tempfile::TempDir,
    lake: Lake,
    series: Series,
}

impl Desk {
    fn new(series: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().join("lake")).unwrap();
        Self { folder, lake, series: series.parse().unwrap() }
    }

    fn terms(&self) -> TradeTerms {
        TradeTerms {
            interval: self.series.interval(),
            complete_from: None,
            complete_to: None,
            whole_days: false,
            consecutive_ids: true,
        }
    }

    fn import(&self, path: &Path, terms: TradeTerms) -> TradeReport {
        let contract = Contract { max_return: f64::INFINITY, ..Contract::default() };
        let intake = Intake::new(&self.lake, &contract, "2026-11-01".parse().unwrap());
        intake.import_trades(&self.series, path, terms, &mut |_| {}).unwrap()
    }

    fn import_text(&self, rows: &str, terms: TradeTerms) -> TradeReport {
        let path = self.folder.path().join("trades.csv");
        fs::write(&path, format!("timestamp,id,side,price,amount\n{rows}")).unwrap();
        self.import(&path, terms)
    }

    fn bars(&self) -> Columns {
        self.lake.read(&self.series, None, None, Projection::BAR).unwrap()
    }
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// A trade a minute, from `from` to `to`, all on one day.
fn rows(from: i64, to: i64) -> String {
    let start = at("2024-05-05").millis();
    (from..to).map(|n| format!("{},{n},buy,{}.5,2\n", start + n * MINUTE, 100 + n)).collect()
}

/// The file of bars was made of the file of trades by another program. Every price and volume is equal bit for bit: both are
/// the floats nearest to decimals, and these volumes are whole numbers, so that summing floats has lost nothing there either.
#[test]
fn bars_of_trades_equal_those_of_another_program() {
    let trades = shared::path("data/original/freqtrade_XRP_ETH-trades.json.gz");
    let (Some(trades), Some(bars)) = (trades, shared::path("data/original/freqtrade_XRP_ETH-1m.feather")) else { return };
    let script = "import sys, json, pyarrow.feather as f\n\
                  t = f.read_table(sys.argv[1]).to_pandas()\n\
                  ms = [int(x.timestamp() * 1000) for x in t['date']]\n\
                  print(json.dumps([ms] + [t[c].tolist() for c in ('open', 'high', 'low', 'close', 'volume')]))";
    let Some(output) = python::run(script, &[&bars]) else { return };
    let wanted: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
    let desk = Desk::new("binance/XRP-ETH/1m");
    let by_default = desk.import(&trades, desk.terms());
    assert_eq!((by_default.bars.added, by_default.bars.refused["partial"]), (2467, 2), "both ends are not known to be whole");
    // That program kept the last minute, which has 28 s of trades, and left out the minutes without a trade.
    let (from, to) = (Some(at("2019-10-11")), Some(at("2019-10-13T11:20")));
    let vouched = desk.import(&trades, TradeTerms { complete_from: from, complete_to: to, ..desk.terms() });
    assert_eq!((vouched.bars.added, vouched.bars.already_there), (2, 2467));
    let found = desk.bars();
    let times: Vec<f64> = found.open_time.iter().map(|time| (time / 1000) as f64).collect();
    let found = [times, found.open, found.high, found.low, found.close, found.volume];
    for (name, (found, wanted)) in ["time", "open", "high", "low", "close", "volume"].iter().zip(found.iter().zip(&wanted)) {
        assert_eq!(found.len(), 2469);
        let differing = found.iter().zip(wanted).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!(differing, 0, "{name}");
    }
}

#[test]
fn figures_of_trades_equal_those_computed_elsewhere() {
    let (Some(data), Some(truth)) = (shared::path("data"), shared::path("data/TRUTH.json")) else { return };
    let truth: Value = serde_json::from_slice(&fs::read(truth).unwrap()).unwrap();
    for file in ["original/freqtrade_XRP_ETH-trades.json.gz", "original/freqtrade_public_trades_list.csv"] {
        let (desk, truth) = (Desk::new("test/A-B/1m"), &truth[file]);
        let report = desk.import(&data.join(file), TradeTerms { whole_days: true, ..desk.terms() });
        let figures = &report.trades;
        let counts = [figures.trades, figures.out_of_order, figures.duplicates_same + figures.duplicates_different];
        let wanted = ["rows", "out_of_order_rows", "duplicate_ids"].map(|key| truth[key].as_u64().unwrap());
        assert_eq!((counts, figures.missing_trades), (wanted, 0), "{file}");
        // There, times stand in whole seconds.
        let seconds = |time: Option<Time>| Time::from_millis(time.unwrap().millis() / 1000 * 1000).to_string();
        assert_eq!((seconds(figures.first), seconds(figures.last)), (said(truth, "first"), said(truth, "last")), "{file}");
        let bars = desk.bars();
        let (high, low) = (bars.high.iter().copied().fold(f64::MIN, f64::max), bars.low.iter().copied().fold(f64::MAX, f64::min));
        assert_eq!((high, low), (truth["price_max"].as_f64().unwrap(), truth["price_min"].as_f64().unwrap()), "{file}");
        // Adding up floats here loses less than this; the bars themselves are exact.
        let sum: f64 = bars.volume.iter().sum();
        assert!((sum - truth["sum_amount"].as_f64().unwrap()).abs() < 1e-6, "{file}: {sum}");
    }
}

fn said(truth: &Value, key: &str) -> String {
    truth[key].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_grows_makes_its_last_bar_whole() {
    let desk = Desk::new("test/A-B/1m");
    let first = desk.import_text(&rows(0, 5), desk.terms());
    assert_eq!((first.bars.added, first.bars.refused["partial"], first.bars.faulty_rows()), (3, 2, 0));
    let second = desk.import_text(&rows(0, 8), desk.terms());
    assert_eq!((second.bars.added, second.bars.already_there), (3, 3));
    let whole = desk.import_text(&rows(0, 8), TradeTerms { whole_days: true, ..desk.terms() });
    assert_eq!((whole.bars.added, whole.bars.already_there), (2, 6));
    let again = desk.import_text(&rows(0, 8), TradeTerms { whole_days: true, ..desk.terms() });
    assert_eq!((again.bars.added, again.bars.already_there), (0, 8));
    assert_eq!(desk.bars().len(), 8);
}

#[test]
fn what_is_doubtful_is_refused_and_lies_in_the_quarantine() {
    let desk = Desk::new("test/A-B/1m");
    let start = at("2024-05-05").millis();
    // Trades 3 and 4 are missing; trade 6 is told twice, differently; trade 7 stands before trade 6.
    let more = [(7, 107, 2), (6, 106, 2), (6, 106, 3), (8, 108, 2), (9, 109, 2)];
    let more: String = more.iter().map(|(n, price, qty)| format!("{},{n},buy,{price}.5,{qty}\n", start + n * MINUTE)).collect();
    let text = format!("{}{}{more}", rows(0, 3), rows(5, 6));
    let report = desk.import_text(&text, TradeTerms { whole_days: true, ..desk.terms() });
    let refused: Vec<(&str, u64)> = report.bars.refused.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(refused, [("conflict", 1), ("trades-missing", 2)]);
    let figures = &report.trades;
    assert_eq!((figures.missing_trades, figures.out_of_order, figures.duplicates_different), (2, 1, 1));
    let hours = desk.bars().open_time.iter().map(|time| (time / 1000 - start) / MINUTE).collect::<Vec<_>>();
    assert_eq!(hours, [0, 1, 7, 8, 9], "minutes 3 and 4 are absent");
    let quarantine = fs::read_to_string(report.bars.quarantine.unwrap()).unwrap();
    assert!(quarantine.contains("2 trades are missing") && quarantine.contains("disagree"), "{quarantine}");
}

/// INGEST-4: Ctrl-C between two steps leaves nothing of the bars.
#[test]
fn an_import_of_trades_that_was_stopped_leaves_nothing() {
    let desk = Desk::new("test/A-B/1m");
    let path = desk.folder.path().join("trades.csv");
    fs::write(&path, format!("timestamp,id,side,price,amount\n{}", rows(0, 20))).unwrap();
    let (contract, stop) = (Contract::default(), std::sync::atomic::AtomicBool::new(true));
    let intake = Intake::new(&desk.lake, &contract, "2026-11-01".parse().unwrap()).until(&stop);
    let stopped = intake.import_trades(&desk.series, &path, desk.terms(), &mut |_| {});
    assert!(matches!(stopped, Err(IngestError::Interrupted)), "{stopped:?}");
    assert!(desk.lake.info(&desk.series).unwrap().is_none_or(|info| info.rows == 0), "something counts");
    assert!(desk.import(&path, desk.terms()).bars.added > 0);
}

#[test]
fn an_import_of_trades_is_not_taken_for_one_of_bars() {
    let desk = Desk::new("test/A-B/1m");
    desk.import_text(&rows(0, 5), desk.terms());
    let contract = Contract::default();
    let intake = Intake::new(&desk.lake, &contract, "2026-11-01".parse().unwrap());
    let error = intake.import(&desk.series, &desk.folder.path().join("trades.csv"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no column for the open") && error.hint().unwrap().contains("--trades"), "{error}");
}
