//! Features and performance figures against values computed by other programs.

use std::path::Path;

use tidegate::domain::{Bar, Interval, Money, Time};
use tidegate::perf::{Curve, Period, PeriodTable, Summary, ratios};
use tidegate::stage::model::config::EmaSeed;
use tidegate::stage::model::features::{
    Atr, Bollinger, Ema, LogReturn, Macd, Return, Rsi, Sma, TrueRange, Volatility, ZScore, volatility,
};

use crate::shared;

/// A table of text cells with named columns.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let head = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        Self { head, rows }
    }

    fn text(&self, row: usize, column: &str) -> &str {
        let at = self.head.iter().position(|name| name == column).unwrap_or_else(|| panic!("no column {column}"));
        &self.rows[row][at]
    }

    fn number(&self, row: usize, column: &str) -> Option<f64> {
        let text = self.text(row, column);
        (!text.is_empty()).then(|| text.parse().unwrap())
    }
}

fn agree(what: &str, seen: Option<f64>, wanted: Option<f64>, tolerance: f64) {
    let same = match (seen, wanted) {
        (Some(seen), Some(wanted)) => (seen - wanted).abs() <= tolerance * wanted.abs(),
        (None, None) => true,
        _ => false,
    };
    assert!(same, "{what}: {seen:?}, the reference says {wanted:?}");
}

/// Every feature, driven side by side.
struct Features {
    change: Return,
    log_change: LogReturn,
    sma: Sma,
    emas: [(&'static str, Ema); 4],
    rsi: Rsi,
    range: TrueRange,
    atr: Atr,
    bands: Bollinger,
    macd: Macd,
    score: ZScore,
    volatility: Volatility,
}

impl Features {
    fn new() -> Self {
        Self {
            change: Return::new(1),
            log_change: LogReturn::default(),
            sma: Sma::new(20),
            emas: [
                ("ema_12", Ema::new(12, EmaSeed::Sma)),
                ("ema_26", Ema::new(26, EmaSeed::Sma)),
                ("ema_12_first", Ema::new(12, EmaSeed::First)),
                ("ema_26_first", Ema::new(26, EmaSeed::First)),
            ],
            rsi: Rsi::new(14),
            range: TrueRange::default(),
            atr: Atr::new(14),
            bands: Bollinger::new(20, 2.0),
            macd: Macd::new(12, 26, 9),
            score: ZScore::new(20),
            volatility: Volatility::new(24),
        }
    }

    fn push(&mut self, bar: &Bar) -> Vec<(&'static str, Option<f64>)> {
        let hour: Interval = "1h".parse().unwrap();
        let close = bar.close;
        let (bands, macd, per_bar) = (self.bands.push(close), self.macd.push(close), self.volatility.push(close));
        let mut values: Vec<_> = self.emas.iter_mut().map(|(name, ema)| (*name, ema.push(close))).collect();
        values.extend([
            ("ret_1", self.change.push(close)),
            ("logret_1", self.log_change.push(close)),
            ("sma_20", self.sma.push(close)),
            ("rsi_14", self.rsi.push(close)),
            ("tr", self.range.push(bar)),
            ("atr_14", self.atr.push(bar)),
            ("bb_mid", bands.map(|b| b.mid)),
            ("bb_upper", bands.map(|b| b.upper)),
            ("bb_lower", bands.map(|b| b.lower)),
            ("macd", macd.map(|m| m.line)),
            ("macd_signal", macd.and_then(|m| m.signal)),
            ("macd_hist", macd.and_then(|m| m.histogram())),
            ("zscore_20", self.score.push(close)),
            ("vol_24", per_bar),
            ("vol_24_ann", per_bar.map(|v| v * volatility::annualisation(hour))),
        ]);
        values
    }
}

#[test]
fn features_agree_with_the_reference() {
    let Some(path) = shared::path("oracles/indicators.csv") else { return };
    let table = Table::read(&path);
    assert_eq!(table.rows.len(), 1000);
    let mut features = Features::new();
    let mut compared = 0;
    for row in 0..table.rows.len() {
        let field = |name| table.number(row, name).unwrap();
        let bar = Bar {
            open_time: Time::from_millis(table.text(row, "open_time").parse().unwrap()),
            open: field("open"),
            high: field("high"),
            low: field("low"),
            close: field("close"),
            volume: field("volume"),
        };
        for (name, value) in features.push(&bar) {
            agree(&format!("{name} in row {row}"), value, table.number(row, name), 1e-8);
            compared += 1;
        }
    }
    assert_eq!(compared, 19 * 1000);
}

/// The marks of the reference's fixed curve.
fn marks(path: &Path) -> Vec<(Time, Money)> {
    let table = Table::read(path);
    let mark = |row| (Time::from_millis(table.text(row, "time_ms").parse().unwrap()), table.text(row, "equity").parse().unwrap());
    (0..table.rows.len()).map(mark).collect()
}

fn curve(marks: &[(Time, Money)]) -> Curve {
    let mut curve = Curve::new(marks[0].0, marks[0].1);
    marks[1..].iter().for_each(|(time, equity)| curve.mark(*time, *equity));
    curve
}

#[test]
fn the_summary_agrees_with_the_reference() {
    let (Some(marks_path), Some(wanted)) = (shared::path("oracles/equity.csv"), shared::path("oracles/performance.json")) else {
        return;
    };
    let wanted: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(wanted).unwrap()).unwrap();
    let curve = curve(&marks(&marks_path));
    let summary = Summary::of(&curve);
    let number = |key: &str| wanted[key].as_f64();
    let worst = summary.max_drawdown.unwrap();
    let daily = summary.max_drawdown_daily_close.unwrap();
    let returns: Vec<f64> = curve.daily_returns().into_iter().map(|(_, r)| r).collect();
    for (key, seen) in [
        ("total_return", summary.total_return),
        ("cagr", summary.cagr),
        ("annualised_volatility", summary.volatility),
        ("sharpe", summary.sharpe.map(|s| s.value)),
        ("sortino", summary.sortino),
        ("calmar", summary.calmar),
        ("max_drawdown", Some(-worst.depth)),
        ("daily_close_max_drawdown", Some(-daily.depth)),
        ("rolling_30d_sharpe_last", summary.sharpe_30d.map(|s| s.value)),
        ("start_equity", Some(summary.start_equity.to_f64())),
        ("end_equity", Some(summary.end_equity.to_f64())),
    ] {
        agree(key, seen, number(key), 1e-9);
    }
    for (key, seen) in [
        ("marks", summary.marks),
        ("days", u64::from(summary.days)),
        ("daily_returns", returns.len() as u64),
        ("daily_returns", u64::from(summary.sharpe.unwrap().n)),
    ] {
        assert_eq!(wanted[key].as_u64(), Some(seen), "{key}");
    }
    let longest = summary.longest_underwater.unwrap();
    let daily_longest = curve.daily_underwater().longest().unwrap();
    for (key, seen) in [
        ("first_mark", Some(summary.from)),
        ("last_mark", Some(summary.to)),
        ("max_drawdown_peak", Some(worst.peak)),
        ("max_drawdown_trough", Some(worst.trough)),
        ("max_drawdown_recovered", worst.recovered),
        ("longest_underwater_from", Some(longest.peak)),
        ("longest_underwater_to", longest.recovered),
        ("daily_close_max_drawdown_peak", Some(daily.peak)),
        ("daily_close_max_drawdown_trough", Some(daily.trough)),
        ("daily_close_max_drawdown_recovered", daily.recovered),
        ("daily_close_longest_underwater_from", Some(daily_longest.peak)),
        ("daily_close_longest_underwater_to", daily_longest.recovered),
    ] {
        assert_eq!(wanted[key].as_str().map(str::to_owned), seen.map(|time| time.to_string()), "{key}");
    }
    for (key, seen) in [
        ("max_drawdown_duration_s", worst.duration),
        ("longest_underwater_s", longest.duration),
        ("daily_close_max_drawdown_duration_s", daily.duration),
        ("daily_close_longest_underwater_s", daily_longest.duration),
    ] {
        assert_eq!(number(key), Some(seen.as_secs_f64()), "{key}");
    }
}

#[test]
fn the_rolling_sharpe_ratio_agrees_with_the_reference() {
    let (Some(marks_path), Some(wanted)) = (shared::path("oracles/equity.csv"), shared::path("oracles/rolling_sharpe_30d.csv"))
    else {
        return;
    };
    let table = Table::read(&wanted);
    let (days, returns): (Vec<i64>, Vec<f64>) = curve(&marks(&marks_path)).daily_returns().into_iter().unzip();
    let seen: Vec<_> = days[29..].iter().zip(ratios::rolling_sharpe(&returns, 30)).collect();
    assert_eq!((seen.len(), table.rows.len()), (701, 701));
    for (row, (day, ratio)) in seen.into_iter().enumerate() {
        let name = Period::Day.name(*day);
        assert_eq!(name, table.text(row, "day"));
        agree(&name, ratio, table.number(row, "sharpe_30d"), 1e-9);
    }
}

fn period_rows_agree(period: Period, file: &str, rows: usize) -> Option<PeriodTable> {
    let (marks_path, wanted) = (shared::path("oracles/equity.csv")?, shared::path(file)?);
    let reference = Table::read(&wanted);
    let mut table = PeriodTable::new(period);
    marks(&marks_path).iter().for_each(|(time, equity)| table.mark(*time, equity.to_f64()));
    assert_eq!((table.rows().len(), reference.rows.len()), (rows, rows));
    for (at, row) in table.rows().iter().enumerate() {
        let name = period.name(row.number);
        assert_eq!(name, reference.text(at, "period"));
        assert_eq!(row.marks.to_string(), reference.text(at, "marks"), "{name}");
        assert_eq!(
            row.max_drawdown_at.map(|t| t.to_string()).unwrap_or_default(),
            reference.text(at, "max_drawdown_at"),
            "{name}"
        );
        for (column, seen) in [
            ("start_equity", row.start_equity),
            ("high_water_mark", row.high_water_mark),
            ("min_equity", row.min_equity),
            ("end_equity", row.end_equity),
            ("max_drawdown_from_running_hwm", row.max_drawdown),
            ("end_drawdown_from_hwm", row.end_drawdown),
            ("max_loss_from_start", row.max_loss_from_start),
        ] {
            agree(&format!("{column} of {name}"), Some(seen), reference.number(at, column), 1e-9);
        }
    }
    Some(table)
}

#[test]
fn daily_and_weekly_drawdowns_agree_with_the_reference() {
    let Some(days) = period_rows_agree(Period::Day, "oracles/daily_drawdown.csv", 731) else { return };
    let Some(weeks) = period_rows_agree(Period::Week, "oracles/weekly_drawdown.csv", 105) else { return };
    assert_eq!([0.02, 0.03, 0.05].map(|limit| days.count_at_least(limit)), [185, 76, 11]);
    assert_eq!([0.05, 0.1].map(|limit| weeks.count_at_least(limit)), [39, 8]);
    assert_eq!(days.worst().map(|row| Period::Day.name(row.number)).as_deref(), Some("2024-08-05"));
    assert_eq!(weeks.worst().map(|row| Period::Week.name(row.number)).as_deref(), Some("2025-W09"));
}
