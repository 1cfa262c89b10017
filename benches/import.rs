//! How fast bars come in and out: `cargo bench --bench import`.
//!
//! The bench makes its own files. Counters are rows a second of wall time on one thread. For the CPU of a whole process, write
//! the files once (`TIDEGATE_BENCH_KEEP=DIR cargo bench --bench import`) and time the program on them:
//!
//! ```text
//! rm -rf /tmp/lake; \time -f '%U user %S system %M KiB' \
//!     target/release/tidegate data import DIR/BTCUSDT-1m-bench.ndjson --lake /tmp/lake
//! ```

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use tidegate::domain::{Interval, Projection, Series, Symbol, Time};
use tidegate::feed::synthetic::{Generator, SyntheticBar};
use tidegate::feed::{self, Batch, Expected};
use tidegate::stage::ingest::config::Contract;
use tidegate::stage::ingest::task::Intake;
use tidegate::store::Lake;

/// Two years of minutes.
const ROWS: u32 = 1_051_200;

fn main() {
    divan::main();
}

struct Files {
    csv: PathBuf,
    json: PathBuf,
    lake: Lake,
    series: Series,
    _folder: Option<tempfile::TempDir>,
}

fn interval() -> Interval {
    "1m".parse().expect("an interval")
}

/// What the benches take for now: long after the last bar.
fn now() -> Time {
    Time::start_of_year(2026)
}

fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let kept = std::env::var_os("TIDEGATE_BENCH_KEEP").map(PathBuf::from);
        let folder = kept.is_none().then(|| tempfile::tempdir().expect("a folder for the bench"));
        let path = kept.unwrap_or_else(|| folder.as_ref().expect("made where none is kept").path().to_owned());
        std::fs::create_dir_all(&path).expect("the folder can be made");
        let (csv, json) = (path.join("BTCUSDT-1m-bench.csv"), path.join("BTCUSDT-1m-bench.ndjson"));
        write_files(&csv, &json);
        let series = Series::new("bench", symbol(), interval()).expect("a series");
        let lake = Lake::open(path.join("lake")).expect("a lake");
        import(&lake, &series, &csv);
        Files { csv, json, lake, series, _folder: folder }
    })
}

fn symbol() -> Symbol {
    "BTC/USDT".parse().expect("a symbol")
}

/// Klines with eight decimals, as the venue writes them; JSON in pages of a thousand.
fn write_files(csv: &Path, json: &Path) {
    let mut generator = Generator::new(7, &symbol(), interval(), Time::start_of_year(2023));
    let (mut lines, mut pages) = (String::new(), String::new());
    for at in 0..ROWS {
        let fields = fields(&generator.next_bar());
        let _ = writeln!(lines, "{}", fields.join(","));
        pages.push_str(if at % 1000 == 0 { "[[" } else { ",[" });
        for (nth, field) in fields.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            let _ = if matches!(nth, 0 | 6 | 8) { write!(pages, "{comma}{field}") } else { write!(pages, "{comma}\"{field}\"") };
        }
        pages.push_str(if at % 1000 == 999 || at + 1 == ROWS { "]]\n" } else { "]" });
    }
    std::fs::write(csv, lines).expect("the CSV can be written");
    std::fs::write(json, pages).expect("the JSON can be written");
}

fn fields(bar: &SyntheticBar) -> [String; 12] {
    let price = |ticks: i64| format!("{}.{:02}000000", ticks / 100, ticks % 100);
    let amount = |units: i64| format!("{}.{:05}000", units / 100_000, units % 100_000);
    let open_time = bar.open_time.millis();
    [
        open_time.to_string(),
        price(bar.open),
        price(bar.high),
        price(bar.low),
        price(bar.close),
        amount(bar.volume),
        (open_time + 59_999).to_string(),
        amount(bar.quote_volume),
        bar.trades.to_string(),
        amount(bar.taker_buy_volume),
        amount(bar.taker_buy_quote_volume),
        "0".to_owned(),
    ]
}

fn import(lake: &Lake, series: &Series, path: &Path) -> u64 {
    let contract = Contract::default();
    let intake = Intake::new(lake, &contract, now());
    intake.import(series, path, &mut |_| {}).expect("the file is klines").added
}

fn parse(path: &Path) -> usize {
    let mut source = feed::open(path, Expected::at(interval(), now())).expect("the file is klines");
    let (mut rows, mut has_more) = (0, true);
    while has_more {
        let mut batch = Batch::default();
        has_more = source.read(1 << 16, &mut batch).expect("the file is klines");
        rows += batch.len();
    }
    rows
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn parse_csv(bencher: Bencher<'_, '_>) {
    let files = files();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| parse(&files.csv));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn parse_json(bencher: Bencher<'_, '_>) {
    let files = files();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| parse(&files.json));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn import_csv(bencher: Bencher<'_, '_>) {
    bench_import(bencher, &files().csv);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn import_json(bencher: Bencher<'_, '_>) {
    bench_import(bencher, &files().json);
}

fn bench_import(bencher: Bencher<'_, '_>, path: &Path) {
    let series = &files().series;
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(|| tempfile::tempdir().expect("a folder")).bench_refs(|folder| {
        let lake = Lake::open(folder.path()).expect("a lake");
        assert_eq!(import(&lake, series, path), u64::from(ROWS));
    });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn read_four_columns(bencher: Bencher<'_, '_>) {
    let files = files();
    let columns = Projection::OPEN | Projection::CLOSE | Projection::VOLUME;
    bencher.counter(ItemsCount::new(ROWS)).bench(|| files.lake.read(&files.series, None, None, columns).expect("the bars").len());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn read_bars(bencher: Bencher<'_, '_>) {
    let files = files();
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench(|| files.lake.read(&files.series, None, None, Projection::BAR).expect("the bars").len());
}
