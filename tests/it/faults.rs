//! Faults of time and data that no other test meets by the way: each by its number in `docs/faults.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tidegate::domain::{Interval, Projection, Series};
use tidegate::stage::ingest::Calendar;
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{Intake, SourceReport};
use tidegate::store::Lake;

use crate::shared;

const HOUR_MS: i64 = 3_600_000;

struct Desk {
    folder: tempfile::TempDir,
    lake: Lake,
    contract: Contract,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { lake: Lake::open(folder.path().join("lake")).unwrap(), folder, contract: Contract::default() }
    }

    fn intake(&self) -> Intake<'_> {
        Intake::new(&self.lake, &self.contract, "2026-11-01".parse().unwrap())
    }

    fn import(&self, series: &Series, path: &Path) -> SourceReport {
        self.intake().import(series, path, &mut |_| {}).unwrap()
    }

    fn import_text(&self, series: &Series, rows: &str) -> SourceReport {
        let path = self.folder.path().join("rows.csv");
        fs::write(&path, rows).unwrap();
        self.import(series, &path)
    }
}

fn hours() -> Series {
    "test/BTC-USDT/1h".parse().unwrap()
}

fn row(open: i64, close_time: i64) -> String {
    let price = 100 + open / HOUR_MS % 7;
    format!("{open},{price},{},{},{price},{},{close_time},1300,7,6,640,0\n", price + 1, price - 1, 10 + open / HOUR_MS % 11)
}

/// B12: prices that contradict each other, and more bought than traded. `rows_that_are_no_bars` has the first kinds.
#[test]
fn more_bought_than_traded_is_no_bar() {
    let (desk, series) = (Desk::new(), hours());
    let good = row(1_704_067_200_000, 1_704_070_799_999);
    let bad = "1704070800000,100,101,99,100,5,1704074399999,500,7,5.5,550,0\n";
    let edge = "1704074400000,100,101,99,100,5,1704077999999,500,7,5,500,0\n";
    let report = desk.import_text(&series, &format!("{good}{bad}{edge}"));
    assert_eq!((report.added, report.refused["taker-volume"]), (2, 1), "{:?}", report.refused);
    let quarantine = fs::read_to_string(report.quarantine.unwrap()).unwrap();
    assert!(quarantine.contains("5.5 was bought of a volume of 5"), "{quarantine}");
}

/// B14: the low of 802 on a market of 67,000, as recorded. The contract of a pipeline refuses the bar, and the hole breaks the contract, so
/// that nothing trades on it; a person who imports without such a contract is told.
#[test]
fn a_recorded_bad_print_is_flagged_and_no_bar_for_a_pipeline() {
    let Some(path) = shared::path("fixtures/binance/python-binance/klines_1d.testnet.outlier-low.json") else { return };
    let series: Series = "test/BTC-USDT/1d".parse().unwrap();
    let desk = Desk::new();
    let report = desk.import(&series, &path);
    assert_eq!((report.added, report.refused["bad-print"], report.quality.bad_prints), (12, 1, 1), "{:?}", report.refused);
    let found = desk.intake().judge(series.clone(), vec![report], Some("2026-06-03".parse().unwrap())).unwrap();
    assert!(!found.verdict.is_kept(), "the day of the print is a hole: {:?}", found.verdict);
    let lenient = Desk { contract: Contract { max_return: f64::INFINITY, ..Contract::default() }, ..Desk::new() };
    let report = lenient.import(&series, &path);
    assert_eq!((report.added, report.quality.bad_prints), (13, 1));
}

/// B14: a minute that closes 13.8 % lower and the next that is back: the one minute is refused where a contract allows less.
#[test]
fn a_minute_that_falls_and_recovers_is_refused_alone() {
    let desk = Desk { contract: Contract { max_return: 0.10, ..Contract::default() }, ..Desk::new() };
    let series: Series = "test/BTC-USDT/1m".parse().unwrap();
    let rows: String = [67_000.0, 67_010.0, 57_763.0, 67_005.0, 67_020.0]
        .iter()
        .zip(0_i64..)
        .map(|(close, at)| {
            let time = 1_704_067_200_000 + at * 60_000;
            format!("{time},67000,67100,57000,{close},{at}.5,{},0,0,0,0,0\n", time + 59_999)
        })
        .collect();
    let report = desk.import_text(&series, &rows);
    assert_eq!((report.added, report.refused["outlier"]), (4, 1), "{:?}", report.refused);
    let closes = desk.lake.read(&series, None, None, Projection::CLOSE).unwrap().close;
    assert_eq!(closes, [67_000.0, 67_010.0, 67_005.0, 67_020.0]);
}

/// B18: the exchange's archive of early 2018 as it was reported: bars that closed early are kept and told, rows off the grid are refused,
/// and every hole shows in the calendar.
#[test]
fn the_archive_of_2018_shows_its_holes() {
    let Some(path) = shared::path("fixtures/binance/archive/known_irregularities.csv") else { return };
    let text = fs::read_to_string(path).unwrap();
    let facts: Vec<Vec<&str>> =
        text.lines().filter(|line| line.starts_with("BTCUSDT,1h,")).map(|line| line.split(',').collect()).collect();
    let of_kind = |kind: &'static str| facts.iter().filter(move |fact| fact[2] == kind).map(|fact| (number(fact[3]), fact[4]));
    let behind = |detail: &str, word: &str| number(detail.split(word).nth(1).unwrap().split([' ', ':', ';']).next().unwrap());
    let (off_grid, _) = of_kind("off_grid").next().unwrap();
    let (overlap, overlap_detail) = of_kind("overlap").next().unwrap();
    let on_grid_again = behind(overlap_detail, "next open ");
    let is_missing = |open: i64| {
        // The time in the list is now the bar before the hole, now the first in it; the next open and the count are sure.
        let holes = of_kind("missing").any(|(_, detail)| {
            let (next, bars) = (behind(detail, "next open "), if detail.contains("ten bars") { 10 } else { 1 });
            (next - bars * HOUR_MS..next).contains(&open)
        });
        holes || (of_kind("short_close").nth(1).unwrap().0 + 1..on_grid_again).contains(&open)
    };
    let mut rows = String::new();
    let mut stray = 0;
    for open in (1_514_764_800_000..1_530_748_800_000).step_by(3_600_000) {
        if open == on_grid_again {
            for open in (off_grid..=overlap).step_by(3_600_000) {
                let close = if open == overlap { behind(overlap_detail, "close ") } else { open + HOUR_MS - 1 };
                rows.push_str(&row(open, close));
                stray += 1;
            }
        }
        if !is_missing(open) {
            let short = of_kind("short_close").find(|(at, _)| *at == open);
            let _ = write!(rows, "{}", row(open, short.map_or(open + HOUR_MS - 1, |(_, detail)| behind(detail, "close time "))));
        }
    }
    let desk = Desk::new();
    let report = desk.import_text(&hours(), &rows);
    assert_eq!(report.refused.iter().map(|(code, count)| (code.as_str(), *count)).collect::<Vec<_>>(), [("off-grid", stray)]);
    assert_eq!((stray, report.quality.odd_close_times), (43, 4), "three closed early, one overlapped the next");
    let inspected = desk.intake().inspect_series(&hours(), None, None).unwrap();
    assert_eq!(inspected.calendar.total().missing, 1 + 75 + 10 + 1);
    let february = told(&inspected.calendar, "2018-02-09");
    assert_eq!((february.0, february.1), (0, 24), "a day without a bar, and with refused rows: {february:?}");
    assert!(february.2 > 0 && told(&inspected.calendar, "2018-06-26").1 == 10);
    assert!(!desk.intake().breaches_of_series(&inspected).is_empty());
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

/// Bars there, missing, refused rows of a day.
fn told(calendar: &Calendar, day: &str) -> (u64, u64, u64) {
    let day = calendar.days.iter().find(|found| found.start.to_string().starts_with(day)).unwrap();
    (day.there, day.missing, day.refused)
}

/// B19: a member that climbs out of its archive. Two members, a bomb and a wrong name have tests of their own.
#[test]
fn a_member_that_climbs_out_is_refused() {
    let desk = Desk::new();
    for name in ["../BTCUSDT-1h.csv", "/etc/BTCUSDT-1h.csv", "a/../../b.csv", "..\\b.csv"] {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, row(1_704_067_200_000, 1_704_070_799_999).as_bytes()).unwrap();
        let path = desk.folder.path().join("BTCUSDT-1h.zip");
        fs::write(&path, archive.finish().unwrap().into_inner()).unwrap();
        let error = desk.intake().import(&hours(), &path, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("names its file") && error.contains("outside"), "{name}: {error}");
        assert!(desk.lake.info(&hours()).unwrap().is_none());
    }
}

/// B21: bars of another length than the pipeline's are refused whole, by close times or by how the rows stand.
#[test]
fn bars_of_another_length_are_refused_by_every_reader() {
    let minute: Interval = "1m".parse().unwrap();
    let at = |n: i64| 1_704_067_200_000 + n * 60_000;
    let klines: String = (0..5).map(|n| row(at(n), at(n) + 59_999)).collect();
    let header: String = std::iter::once("time,open,high,low,close,volume\n".to_owned())
        .chain((0..5).map(|n| format!("{},1,1,1,1,{n}\n", at(n))))
        .collect();
    let arrays = format!("[{}]", (0..5).map(|n| format!("[{},1,1,1,1,{n}]", at(n))).collect::<Vec<_>>().join(","));
    for content in [klines, header, arrays] {
        let desk = Desk::new();
        let path = desk.folder.path().join("rows");
        fs::write(&path, &content).unwrap();
        let error = desk.intake().import(&hours(), &path, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("lasts 1m, not 1h"), "{content}: {error}");
        assert_eq!(error.hint().unwrap(), format!("pass --interval {minute}"));
    }
}
