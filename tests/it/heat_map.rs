//! `data check` as pictures, pages and metrics of a small lake.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};

use assert_cmd::Command;
use serde_json::Value;

const HOUR: u64 = 3_600_000;
/// 2024-02-28 00:00 UTC.
const START: u64 = 1_709_078_400_000;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/heat_map.svg");

/// A lake with three days of hours, of which some are absent or refused.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        let row = |hour: u64| {
            let (time, low) = (START + hour * HOUR, if hour == 40 { 200 } else { 90 });
            format!("{time},100,110,{low},105,{},{},1300,7,6,640,0\n", 10 + hour * hour % 7, time + HOUR - 1)
        };
        let absent = |hour: &u64| (24..36).contains(hour) || *hour == 5;
        let rows: String = (0..60).filter(|hour| !absent(hour)).map(row).collect();
        fs::write(desk.path("BTCUSDT-1h-x.csv"), rows).unwrap();
        desk.run(&["data", "import", desk.path("BTCUSDT-1h-x.csv").to_str().unwrap()]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(args).arg("--lake").arg(self.path("lake")).args(["--at", "2026-11-01"]).output().unwrap()
    }

    fn check(&self, args: &[&str]) -> String {
        let output = self.run(&[&["data", "check"], args].concat());
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn written(&self, flag: &str, name: &str) -> String {
        let path = self.path(name);
        self.check(&["--from", "2024-02-28", "--to", "2024-03-02", flag, path.to_str().unwrap()]);
        fs::read_to_string(path).unwrap()
    }
}

/// WEB-3. A picture that is meant to change is written anew by `TIDEGATE_GOLDEN=write`.
#[test]
fn the_same_bars_give_the_same_picture() {
    let picture = Desk::new().written("--svg", "a.svg");
    assert_eq!(picture, Desk::new().written("--svg", "b.svg"));
    if std::env::var("TIDEGATE_GOLDEN").is_ok_and(|value| value == "write") {
        fs::write(GOLDEN, &picture).unwrap();
    }
    assert_eq!(picture, fs::read_to_string(GOLDEN).unwrap(), "see {GOLDEN}");
    assert!(picture.contains("<title>2024-02-29: 11 of 24 bars, 13 missing, 1 row refused</title>"), "{picture}");
    assert!(picture.contains("<title>2024-03-01: 12 of 24 bars, 12 late</title>"), "{picture}");
}

/// WEB-1.
#[test]
fn the_page_stands_alone_and_says_it_in_words() {
    let page = Desk::new().written("--html", "a.html");
    for word in [
        "<h2>binance/BTC-USDT/1h <span class=\"v broken\">broken</span>",
        "<td>2024-02-28<td>23 of 24 bars, 1 missing</tr>",
        "12 late",
    ] {
        assert!(page.contains(word), "no {word}: {page}");
    }
    for word in ["<script", "http://", "https://", "@import", "url(http"] {
        assert!(!page.contains(word), "{word} in {page}");
    }
}

#[test]
fn the_table_has_a_line_a_series_and_the_calendar_a_letter_a_day() {
    let said = Desk::new().check(&["--from", "2024-02-28", "--to", "2024-03-02", "--calendar"]);
    assert!(said.contains("broken  binance/BTC-USDT/1h    46   72       14    12    0     0        1\n"), "{said}");
    assert!(said.contains(&format!("  2024-02  {}16\n  2024-03  L\n", " ".repeat(27))), "{said}");
    assert!(said.contains("12 bars are late: the last is that of 2024-03-01T11:00:00Z"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn a_program_is_told_everything() {
    let said = Desk::new().check(&["--from", "2024-02-28T06:00:00Z", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let checked = &report["data"]["checked"][0];
    let figures = ["due", "there", "missing", "late", "accepted_bars", "refused_rows"].map(|key| checked[key].as_u64().unwrap());
    assert_eq!(figures, [54, 41, 13, 0, 0, 1], "{report:#}");
    assert_eq!(checked["days_not_whole"][0]["start"], "2024-02-29T00:00:00Z", "{report:#}");
    assert_eq!((&report["ok"], &checked["ok"]), (&Value::Bool(false), &Value::Bool(false)));
}

#[test]
fn flags_choose_series_and_a_contract() {
    let desk = Desk::new();
    let output = desk.run(&["data", "check", "--symbol", "ETH/USDT"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("none of the 1 series"), "{output:?}");
    assert!(desk.check(&["--symbol", "BTC/USDT", "--interval", "1h"]).contains("1 checked, it breaks"));
    let file = desk.path("BTCUSDT-1h-x.csv");
    let output = desk.run(&["data", "check", file.to_str().unwrap(), "--from", "2024-01-01"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // Whole days are a sound range.
    let output = desk.run(&["data", "check", "--from", "2024-02-28T06:00:00Z", "--to", "2024-02-29"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// The names are those of the catalogue, of which one ends as promtool would not have it: the runbook's rules say it so.
#[test]
fn promtool_reads_the_metrics() {
    let metrics = Desk::new().written("--metrics", "data.prom");
    assert!(metrics.contains("data_missing_bars_ratio{interval=\"1h\",symbol=\"BTC/USDT\"} 0.3611111111111111\n"), "{metrics}");
    assert!(metrics.contains("data_outliers_count{interval=\"1h\",symbol=\"BTC/USDT\"} 1\n"), "{metrics}");
    if !promtool_is_there() {
        return;
    }
    let mut child =
        Process::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<&str> = said.lines().filter(|line| !line.starts_with("data_outliers_count non-histogram")).collect();
    assert!(complaints.is_empty() && output.status.code().is_some_and(|code| [0, 3].contains(&code)), "{said}");
}

pub fn promtool_is_there() -> bool {
    let is_there =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p: PathBuf| is_file(&p.join("promtool"))));
    if !is_there {
        println!("skipped: there is no promtool here");
    }
    let is_required = std::env::var("TIDEGATE_REQUIRE_PROMTOOL").is_ok_and(|value| value == "1");
    assert!(is_there || !is_required, "promtool is absent and TIDEGATE_REQUIRE_PROMTOOL=1");
    is_there
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
