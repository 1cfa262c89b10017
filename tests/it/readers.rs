//! Other programs read the lake: pyarrow, DuckDB and Polars, by one glob, to the last bit.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use tidegate::domain::{Bar, Columns, Projection, Rows, Series, Time};
use tidegate::feed::SyntheticFeed;
use tidegate::feed::{BarSource, Batch};
use tidegate::store::Lake;

use crate::{python, shared};

/// A lake of several series, years and parts: generated minutes, floats at their limits, interleaving parts, and real files
/// where there are some.
fn fill(lake: &Lake) {
    let minutes: Series = "test/ETH-USDT/1m".parse().unwrap();
    let start: Time = "2024-12-20".parse().unwrap();
    let mut batch = Batch::default();
    SyntheticFeed::new(3, minutes.symbol(), minutes.interval(), start, 40_000).read(40_000, &mut batch).unwrap();
    lake.append(&minutes, &batch.rows).unwrap();

    let hours: Series = "test/BTC-USDT/1h".parse().unwrap();
    let odd = [f64::MIN_POSITIVE, 5e-324, 1.0 / 3.0, f64::MAX, 1e15 + 0.3, 0.1 + 0.2];
    let bar = |at: usize| {
        let value = odd[at % odd.len()];
        let open_time = Time::from_millis(at as i64 * 3_600_000);
        Bar { open_time, open: value, high: value, low: value, close: value, volume: at as f64 * 0.1 }
    };
    for parity in 0..2 {
        let rows: Rows = (0..20_000).filter(|at| at % 2 == parity).map(bar).collect::<Columns>().into();
        lake.append(&hours, &rows).unwrap();
    }
    let klines = ["data/klines/BTCUSDT-1h-20210404-20231230.csv.gz", "data/faulty/ETHUSDT-1h-faulty.csv"];
    for path in klines.into_iter().filter_map(shared::path) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["--quiet", "data", "import"]).arg(path).arg("--lake").arg(lake.root()).output().unwrap();
    }
}

/// The bars as we read them: floats as bits, so that equal means equal.
fn export(lake: &Lake, path: &Path) -> u64 {
    let (mut text, mut count) = (String::new(), 0);
    for info in lake.series().unwrap() {
        let series = &info.series;
        let bars = lake.read(series, None, None, Projection::BAR).unwrap();
        for at in 0..bars.len() {
            let _ = write!(text, "{},{},{},{}", series.venue(), series.symbol().dashed(), series.interval(), bars.open_time[at]);
            for value in [bars.open[at], bars.high[at], bars.low[at], bars.close[at], bars.volume[at]] {
                let _ = write!(text, ",{:016x}", value.to_bits());
            }
            text.push('\n');
            count += 1;
        }
    }
    std::fs::write(path, text).unwrap();
    count
}

#[test]
fn three_other_programs_read_the_same_bars() {
    let Some(python) = python::interpreter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().join("lake")).unwrap();
    fill(&lake);
    let expected = folder.path().join("bars.csv");
    let count = export(&lake, &expected);
    assert!(count >= 60_000);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_lake.py");
    let glob = lake.root().join("ohlcv/**/*.parquet");
    let output = Command::new(python).arg(script).arg(glob).arg(expected).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said.matches(&format!(" {count} rows equal")).count(), 3, "{said}");
}
