//! Bars from the venue's archive, over real HTTP with a venue of ours: checked before they are decoded, each file once.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate::domain::{Columns, Projection, Series, Span, Time};
use tidegate::feed::FeedError;
use tidegate::feed::binance::{Address, BinanceError, Http, Service};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::{IngestError, Intake, SourceReport};
use tidegate::store::Lake;

use crate::venue::{Act, Ticks, Venue, path_of};

const HOUR: i64 = 3_600_000_000;

/// A venue with files from November 2024 to the 4th of March 2025, and a lake that takes them.
struct Desk {
    folder: tempfile::TempDir,
    lake: Lake,
    clock: Arc<Ticks>,
    venue: Venue,
}

impl Desk {
    fn new() -> Self {
        let clock = Ticks::at("2025-03-05T10:00:00Z");
        let venue = Venue::new(clock.clone());
        venue.with(|book| {
            for month in ["2024-11", "2024-12", "2025-01"] {
                book.publish("BTCUSDT", month);
            }
            for day in (1..=28).map(|day| format!("2025-02-{day:02}")).chain((1..=4).map(|day| format!("2025-03-{day:02}"))) {
                book.publish("BTCUSDT", &day);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        Self { lake: Lake::open(folder.path().join("lake")).unwrap(), folder, clock, venue }
    }

    fn fetch(&self, from: &str, to: &str) -> Result<(Vec<SourceReport>, Vec<String>), IngestError> {
        let reach = self.clock.reach();
        let address = Address::new(Service::Archive, &self.venue.url()).unwrap();
        let http = Http::open(&address, &reach).unwrap();
        let contract = Contract::default();
        let range = from.parse().unwrap()..to.parse().unwrap();
        Intake::new(&self.lake, &contract, reach.now()).fetch_files(&http, &series(), range, &mut |_| {})
    }

    fn fails(&self, from: &str, to: &str) -> BinanceError {
        match self.fetch(from, to) {
            Err(IngestError::Feed(FeedError::Binance(error))) => error,
            other => panic!("{other:?}"),
        }
    }

    fn bars(&self) -> Columns {
        self.lake.read(&series(), None, None, Projection::BAR).unwrap()
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("lake/_archive");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn series() -> Series {
    "binance/BTC-USDT/1h".parse().unwrap()
}

fn hours(from: &str, to: &str) -> Vec<i64> {
    let hour = |text: &str| text.parse::<Time>().unwrap().micros() / HOUR;
    (hour(from)..hour(to)).map(|nth| nth * HOUR).collect()
}

#[test]
fn months_and_days_in_both_units_are_one_series() {
    let desk = Desk::new();
    let (reports, absent) = desk.fetch("2024-11-01", "2025-03-05T09:00").unwrap();
    assert_eq!((reports.len(), absent.len()), (3 + 28 + 4, 0));
    assert_eq!(desk.bars().open_time, hours("2024-11-01", "2025-03-05"));
    assert!(desk.left_behind().is_empty(), "{:?}", desk.left_behind());
    assert_eq!(desk.venue.calls(".zip"), 2 * 35, "each file and its checksum once");
    assert!(desk.fetch("2024-11-01", "2025-03-05").unwrap().0.is_empty());
    assert_eq!(desk.venue.calls(""), 0);
}

#[test]
fn the_file_of_today_is_not_missed_and_one_in_the_middle_is() {
    let desk = Desk::new();
    desk.venue.with(|book| {
        for date in ["2025-02-10", "2025-03-04"] {
            book.files.remove(&path_of("BTCUSDT", date).0);
            book.files.remove(&format!("{}.CHECKSUM", path_of("BTCUSDT", date).0));
        }
    });
    let (_, absent) = desk.fetch("2025-01-01", "2025-03-05T09:00").unwrap();
    assert_eq!(absent, ["BTCUSDT-1h-2025-02-10.zip"]);
    assert_eq!(desk.bars().len(), hours("2025-01-01", "2025-03-04").len() - 24);
    // It comes late, and is fetched alone.
    desk.venue.calls("");
    desk.venue.with(|book| book.publish("BTCUSDT", "2025-02-10"));
    assert_eq!(desk.fetch("2025-01-01", "2025-03-04").unwrap().0.len(), 1);
    assert_eq!(desk.bars().open_time, hours("2025-01-01", "2025-03-04"));
    assert_eq!(desk.venue.calls(".zip"), 2);
}

#[test]
fn what_was_before_the_first_file_is_not_missed() {
    let desk = Desk::new();
    let (_, absent) = desk.fetch("2024-05-10", "2025-01-01").unwrap();
    assert_eq!(absent, [""; 0]);
    assert_eq!(desk.bars().open_time, hours("2024-11-01", "2025-01-01"));
    assert!(desk.venue.calls(".zip") < 2 * 2 + 2 * 6 + 1, "a month that is not there is not asked for by its days");
}

#[test]
fn a_month_that_is_missing_is_taken_by_its_days() {
    let desk = Desk::new();
    desk.venue.with(|book| {
        book.files.retain(|path, _| !path.contains("2024-12"));
        (1..=31).for_each(|day| book.publish("BTCUSDT", &format!("2024-12-{day:02}")));
    });
    desk.fetch("2024-11-01", "2025-02-01").unwrap();
    assert_eq!(desk.bars().open_time, hours("2024-11-01", "2025-02-01"));
}

/// BINANCE-5.
#[test]
fn a_file_that_is_not_what_its_checksum_says_is_not_taken() {
    let desk = Desk::new();
    let (path, name) = path_of("BTCUSDT", "2024-12");
    desk.venue.with(|book| {
        let sum = "0".repeat(64);
        book.files.insert(format!("{path}.CHECKSUM"), format!("{sum}  {name}\n").into_bytes());
    });
    let error = desk.fails("2024-12-01", "2025-02-01");
    assert!(matches!(error, BinanceError::Checksum { .. }) && error.to_string().contains(&name), "{error}");
    assert!(desk.lake.info(&series()).unwrap().is_none());
    assert_eq!(desk.venue.calls("2024-12.zip"), 3, "the checksum, and the file twice");
    desk.venue.with(|book| book.files.remove(&format!("{path}.CHECKSUM")));
    assert!(matches!(desk.fails("2024-12-01", "2025-01-01"), BinanceError::NoChecksum { .. }));
}

#[test]
fn archives_that_are_not_one_file_of_klines_are_refused() {
    let row = b"1733011200000,1,1,1,1,1,1733014799999,1,1,1,1,0\n".as_slice();
    let name = "BTCUSDT-1h-2024-12.csv";
    for members in [
        vec![("../BTCUSDT-1h-2024-12.csv", row)],
        vec![(name, row), ("more.csv", row)],
        vec![("ETHUSDT-1h-2024-12.csv", row)],
        vec![],
    ] {
        let desk = Desk::new();
        desk.venue.with(|book| book.publish_as("BTCUSDT", "2024-12", &members));
        let error = desk.fails("2024-12-01", "2025-01-01");
        assert!(matches!(error, BinanceError::Member { .. }), "{members:?}: {error}");
        assert!(desk.lake.info(&series()).unwrap().is_none());
    }
    let desk = Desk::new();
    desk.venue.with(|book| {
        let bomb = vec![b'1'; 24 << 20];
        book.publish_as("BTCUSDT", "2024-12", &[(name, &bomb)]);
    });
    assert!(desk.fetch("2024-12-01", "2025-01-01").is_err());
}

#[test]
fn downloads_that_fail_are_tried_again_and_whole_ones_are_kept() {
    for act in
        [Act::Cut, Act::Closed, Act::Status(503, None, ""), Act::Body("<html>".to_owned()), Act::Status(429, Some("20"), "")]
    {
        let desk = Desk::new();
        desk.venue.plays([Act::Honest, act.clone()]);
        desk.fetch("2024-11-01", "2025-02-01").unwrap_or_else(|error| panic!("{act:?}: {error}"));
        assert_eq!(desk.bars().open_time, hours("2024-11-01", "2025-02-01"), "{act:?}");
    }
    let desk = Desk::new();
    // Two come whole; the third does not, however often it is asked for.
    desk.venue.plays([Act::Honest, Act::Honest].into_iter().chain(vec![Act::Cut; 4]));
    assert!(matches!(desk.fails("2024-11-01", "2025-02-01"), BinanceError::Exhausted { .. }));
    desk.venue.calls("");
    desk.fetch("2024-11-01", "2025-02-01").unwrap();
    assert_eq!(desk.venue.calls(".zip"), 2, "what lies here whole is not fetched again");
    assert_eq!(desk.bars().open_time, hours("2024-11-01", "2025-02-01"));
}

#[test]
fn a_ban_is_obeyed_here_too() {
    let desk = Desk::new();
    desk.venue.plays([Act::Status(418, Some("600"), "")]);
    assert!(matches!(desk.fails("2024-12-01", "2025-01-01"), BinanceError::Closed { .. }));
    desk.venue.calls("");
    assert!(matches!(desk.fails("2024-12-01", "2025-01-01"), BinanceError::Closed { .. }));
    assert_eq!(desk.venue.calls(""), 0);
    desk.clock.pass(Span::from_secs(601));
    desk.fetch("2024-12-01", "2025-01-01").unwrap();
}
