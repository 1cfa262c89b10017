//! Bad input to `tidegate data`: each a clear error and exit code, and the lake unharmed.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

const GOOD: [&str; 3] = [
    "1704067200000,100,110,90,105,12.5,1704070799999,1300,7,6,640,0",
    "1704070800000,105,111,95,100,10.5,1704074399999,1100,6,5,540,0",
    "1704074400000,100,112,99,110,11.5,1704077999999,1200,8,7,740,0",
];

/// A folder with a lake of three bars.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap() };
        case.write("BTCUSDT-1h-good.csv", GOOD.join("\n").as_bytes());
        let output = case.import("BTCUSDT-1h-good.csv");
        assert_eq!(code(&output), 0, "{}", text(&output));
        case
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(args).arg("--lake").arg(self.path("lake")).args(["--at", "2026-11-01"]).output().unwrap()
    }

    fn import(&self, name: &str) -> Output {
        self.run(&["data", "import", self.path(name).to_str().unwrap()])
    }

    /// The file is refused with this exit code and these words, and the three bars are as before.
    fn refuses(&self, name: &str, exit: i32, words: &[&str]) {
        let before = listing(&self.path("lake"));
        let output = self.import(name);
        let said = text(&output);
        assert_eq!(code(&output), exit, "{said}");
        for word in words {
            assert!(said.contains(word), "no \"{word}\" in: {said}");
        }
        assert_eq!(listing(&self.path("lake")), before, "the lake is unharmed");
        assert_eq!(self.bars(), 3);
    }

    fn bars(&self) -> u64 {
        let output = self.run(&["data", "ls", "--json"]);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        document["data"]["series"][0]["bars"].as_u64().unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every file with its content.
fn listing(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.append(&mut listing(&path)) } else { found.push((path.clone(), fs::read(&path).unwrap())) }
    }
    found.sort();
    found
}

/// The good rows with a fourth.
fn with_row(row: &str) -> Vec<u8> {
    format!("{}\n{row}\n", GOOD.join("\n")).into_bytes()
}

#[test]
fn a_missing_file() {
    Case::new().refuses("BTCUSDT-1h-none.csv", 1, &["there is no file", "BTCUSDT-1h-none.csv"]);
}

#[test]
fn a_folder_without_klines() {
    let case = Case::new();
    fs::create_dir(case.path("empty")).unwrap();
    case.refuses("empty", 1, &["empty holds no kline files", "hint:"]);
}

#[test]
fn an_empty_file() {
    let case = Case::new();
    case.write("BTCUSDT-1h-x.csv", b"");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["BTCUSDT-1h-x.csv is empty"]);
    case.write("BTCUSDT-1h-x.csv", b"open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["BTCUSDT-1h-x.csv is empty"]);
    case.write("BTCUSDT-1h-x.json", b"[]\n[]\n");
    case.refuses("BTCUSDT-1h-x.json", 1, &["BTCUSDT-1h-x.json is empty"]);
}

/// FEED-2.
#[test]
fn eleven_columns() {
    let case = Case::new();
    case.write("BTCUSDT-1h-x.csv", &with_row("1704078000000,100,110,90,105,12.5,1704081599999,1300,7,6,640"));
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 4", "11 columns", "12"]);
    case.write("BTCUSDT-1h-x.json", b"[[1704078000000,\"1\",\"1\",\"1\",\"1\",\"1\",1704081599999,\"1\",1,\"1\",\"1\"]]");
    case.refuses("BTCUSDT-1h-x.json", 1, &["row 1", "11 columns", "12"]);
}

#[test]
fn a_date_in_the_year_57000() {
    let case = Case::new();
    let row = |time: &str| with_row(&format!("{time},100,110,90,105,12.5,0,1300,7,6,640,0"));
    // Nanoseconds, where microseconds are meant.
    case.write("BTCUSDT-1h-x.csv", b"1736509999999999999,1,1,1,1,1,0,0,0,0,0,0\n");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 1", "would be in the year 5699"]);
    case.write("BTCUSDT-1h-x.csv", &row("2500000000000"));
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 4", "would be in the year 2049"]);
    case.write("BTCUSDT-1h-x.csv", &row("1704078000"));
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 4", "looks like seconds"]);
    case.write("BTCUSDT-1h-x.csv", &row("1704078000000000"));
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 4", "is in microseconds, the rows before it are in milliseconds"]);
    case.write("BTCUSDT-1h-x.csv", b"2024-01-01,1,1,1,1,1,0,0,0,0,0,0\n");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 1", "\"2024-01-01\" is no whole number"]);
}

#[test]
fn rows_that_are_no_bars() {
    let cases = [
        ("1704078000000,NaN,110,90,105,12.5,1704081599999,1300,7,6,640,0", "unparsable"),
        ("1704078000000,100,inf,90,105,12.5,1704081599999,1300,7,6,640,0", "unparsable"),
        ("1704078000000,100,110,0x5a,105,12.5,1704081599999,1300,7,6,640,0", "unparsable"),
        ("1704078000000,100,110,90,105,,1704081599999,1300,7,6,640,0", "unparsable"),
        (",100,110,90,105,12.5,1704081599999,1300,7,6,640,0", "unparsable"),
        ("1704078000000,100,110,0,105,12.5,1704081599999,1300,7,6,640,0", "non-positive"),
        ("1704078000000,100,110,-90,105,12.5,1704081599999,1300,7,6,640,0", "non-positive"),
        ("1704078000000,100,104,90,105,12.5,1704081599999,1300,7,6,640,0", "ohlc"),
        ("1704078000000,100,110,90,105,-1,1704081599999,1300,7,6,640,0", "negative-volume"),
        ("1704078060000,100,110,90,105,12.5,1704081659999,1300,7,6,640,0", "off-grid"),
        ("1704074400000,100,112,99,111,11.5,1704077999999,1200,8,7,740,0", "conflict"),
    ];
    for (row, reason) in cases {
        let case = Case::new();
        case.write("BTCUSDT-1h-x.csv", &with_row(row));
        let output = case.import("BTCUSDT-1h-x.csv");
        let said = text(&output);
        assert_eq!(code(&output), 4, "{row}: {said}");
        assert!(said.contains(reason) && said.contains("_quarantine"), "{row}: {said}");
        assert_eq!(case.bars(), 3, "{row}");
        // Once more: nothing is read again, and it is still no success.
        assert_eq!(code(&case.import("BTCUSDT-1h-x.csv")), 4, "{row}");
    }
}

#[test]
fn a_conflict_within_one_file_takes_neither_row() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case { folder };
    case.write("BTCUSDT-1h-x.csv", &with_row("1704074400000,100,112,99,111,11.5,1704077999999,1200,8,7,740,0"));
    let output = case.import("BTCUSDT-1h-x.csv");
    assert!(text(&output).contains("2 conflict"), "{}", text(&output));
    assert_eq!(case.bars(), 2);
}

#[test]
fn a_bar_that_is_still_open_is_left_for_later() {
    let case = Case::new();
    case.write("BTCUSDT-1h-x.csv", &with_row("1793491200000,100,110,90,105,12.5,1793494799999,1300,7,6,640,0"));
    let path = case.path("BTCUSDT-1h-x.csv");
    let at = |time: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["data", "import"]).arg(&path).arg("--lake").arg(case.path("lake")).args(["--at", time]).output().unwrap()
    };
    let output = at("2026-11-01T00:30:00Z");
    assert_eq!((code(&output), case.bars()), (0, 3), "{}", text(&output));
    assert!(text(&output).contains("1 not-closed"), "{}", text(&output));
    let output = at("2026-11-01T01:00:00Z");
    assert_eq!((code(&output), case.bars()), (0, 4), "{}", text(&output));
}

/// FEED-2.
#[test]
fn bars_of_another_length() {
    let case = Case::new();
    case.write("BTCUSDT-1h-x.csv", b"1704078000000,1,1,1,1,1,1704078059999,1,1,1,1,0\n");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["lasts 1m, not 1h", "--interval 1m"]);
}

#[test]
fn names_that_say_nothing() {
    let case = Case::new();
    case.write("bars.csv", &with_row(""));
    case.refuses("bars.csv", 2, &["bars.csv does not say its symbol", "--symbol"]);
    case.write("BTCUSDT.csv", &with_row(""));
    case.refuses("BTCUSDT.csv", 2, &["does not say its interval", "--interval"]);
}

#[test]
fn columns_in_another_order_are_read_by_their_names() {
    let case = Case::new();
    case.write("BTCUSDT-1h-x.csv", b"Date,Close,High,Low,Price,Volume,a,b,c,d,e,f\n");
    case.refuses("BTCUSDT-1h-x.csv", 1, &["line 1", "no column for the open", "date, close, high, low, price", "in any order"]);
    // The third good row, which is in the lake, and the one behind it.
    let rows = "Date,Close,High,Low,Open,Volume,ticker\n2024-01-01 02:00,110,112,99,100,11.5,X\n2024-01-01 03:00,105,110,90,100,12.5,X\n";
    case.write("BTCUSDT-1h-x.csv", rows.as_bytes());
    let output = case.import("BTCUSDT-1h-x.csv");
    assert_eq!((code(&output), case.bars()), (0, 4), "{}", text(&output));
}

#[test]
fn archives_that_lie() {
    let case = Case::new();
    let content = with_row("");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, &content).unwrap();
    let gzip = gzip.finish().unwrap();
    case.write("BTCUSDT-1h-x.csv.gz", &gzip[..gzip.len() / 2]);
    case.refuses("BTCUSDT-1h-x.csv.gz", 1, &["is no archive of one kline file", "ends too early"]);
    case.write("BTCUSDT-1h-x.zip", &zip(&[("a.csv", &content), ("b.csv", &content)]));
    case.refuses("BTCUSDT-1h-x.zip", 1, &["it has 2 files"]);
    let mut damaged = zip(&[("a.csv", &content)]);
    let data = damaged.len() / 2;
    damaged.truncate(data);
    case.write("BTCUSDT-1h-x.zip", &damaged);
    case.refuses("BTCUSDT-1h-x.zip", 1, &["is no archive of one kline file"]);
}

/// FEED-3.
#[test]
fn an_archive_that_unpacks_without_end() {
    let case = Case::new();
    let row = format!("{}\n", GOOD[0]);
    case.write("BTCUSDT-1h-x.zip", &zip(&[("a.csv", row.repeat((24 << 20) / row.len()).as_bytes())]));
    case.refuses("BTCUSDT-1h-x.zip", 1, &["unpacks to more than 100 times its size"]);
}

#[test]
fn a_checksum_that_does_not_match() {
    let case = Case::new();
    case.write(
        "BTCUSDT-1h-x.zip",
        &zip(&[("a.csv", &with_row("1704078000000,100,110,90,105,12.5,1704081599999,1300,7,6,640,0"))]),
    );
    case.write("BTCUSDT-1h-x.zip.CHECKSUM", b"00ff  BTCUSDT-1h-x.zip\n");
    case.refuses("BTCUSDT-1h-x.zip", 1, &["its .CHECKSUM file says 00ff"]);
}

#[test]
fn json_that_is_no_page() {
    let case = Case::new();
    for (content, word) in [
        ("{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", "Invalid symbol."),
        ("[[1704078000000,\"1\",\"1\"", "ends within a page"),
        ("[1,2,3]", "unexpected '1'"),
        ("[[1,[2]]]", "unexpected '['"),
    ] {
        case.write("BTCUSDT-1h-x.json", content.as_bytes());
        case.refuses("BTCUSDT-1h-x.json", 1, &[word]);
    }
}

#[test]
fn a_half_written_part() {
    let case = Case::new();
    let (part, content) =
        listing(&case.path("lake")).into_iter().find(|(path, _)| path.extension().is_some_and(|e| e == "parquet")).unwrap();
    fs::write(&part, &content[..content.len() / 2]).unwrap();
    let output = case.run(&["data", "check"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains(part.to_str().unwrap()) && text(&output).contains("is damaged"), "{}", text(&output));
}

#[test]
fn a_lake_that_cannot_be_written() {
    let case = Case::new();
    // Modes do not stop the superuser; a file in the way stops everybody.
    case.write("in-the-way", b"");
    let good = case.path("BTCUSDT-1h-good.csv");
    for lake in [case.path("in-the-way"), case.path("in-the-way/lake")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = command.args(["data", "import"]).arg(&good).arg("--lake").arg(&lake).output().unwrap();
        assert_eq!(code(&output), 1, "{}", text(&output));
        assert!(text(&output).contains("is not a folder") && text(&output).contains("--lake"), "{}", text(&output));
    }
}

#[test]
fn two_imports_at_once() {
    let case = Case::new();
    let lake = tidegate::store::Lake::open(case.path("lake")).unwrap();
    let writer = lake.writer(&"binance/BTC-USDT/1h".parse().unwrap()).unwrap();
    case.write("BTCUSDT-1h-x.csv", &with_row("1704078000000,100,110,90,105,12.5,1704081599999,1300,7,6,640,0"));
    case.refuses("BTCUSDT-1h-x.csv", 8, &["another program is writing binance/BTC-USDT/1h", "hint: wait"]);
    drop(writer);
    assert_eq!(code(&case.import("BTCUSDT-1h-x.csv")), 0);
    assert_eq!(case.bars(), 4);
}

/// INGEST-4.
#[test]
fn a_full_disk() {
    let case = Case::new();
    let small = case.path("small");
    fs::create_dir(&small).unwrap();
    let mount = |verb: &str, args: &[&str]| {
        std::process::Command::new(verb).args(args).arg(&small).output().is_ok_and(|o| o.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
        println!("skipped: no small file system can be mounted here");
        return;
    }
    let rows: String = (0..20_000_u64)
        .map(|at| {
            let (time, noise) = (1_600_000_020_000 + at * 60_000, at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
            format!("{time},{noise}.5,{noise}.5,{noise}.5,{noise}.5,{noise}.{at},{},0,0,0,0,0\n", time + 59_999)
        })
        .collect();
    case.write("BTCUSDT-1m-x.csv", rows.as_bytes());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command
        .args(["data", "import"])
        .arg(case.path("BTCUSDT-1m-x.csv"))
        .arg("--lake")
        .arg(small.join("lake"))
        .output()
        .unwrap();
    let left: Vec<_> =
        listing(&small).into_iter().map(|(path, _)| path).filter(|path| path.to_string_lossy().contains("part-")).collect();
    assert!(mount("umount", &[]), "the small file system can be unmounted");
    assert_eq!(code(&output), 1, "{}", text(&output));
    assert!(text(&output).contains("failed to write") && text(&output).contains("free some space"), "{}", text(&output));
    assert!(left.is_empty(), "{left:?}");
}

/// An archive of these members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
