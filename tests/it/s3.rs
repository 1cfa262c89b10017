//! The program on a bucket of a service that is not ours.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};

use serde_json::Value;
use tidegate::clock::ManualClock;

use crate::project::Project;
use crate::python;
use crate::service::{ACCESS_KEY, Act, SECRET_KEY, Service};
use crate::venue::{self, Venue};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");
const LAKE: &str = "s3://bars/some/lake";
const SERIES: &str = "ohlcv/venue=sample/symbol=BTC-USDT/interval=1h";

fn file(name: &str) -> String {
    format!("{SAMPLE}/{name}")
}

fn import<'a>(file: &'a str, lake: &'a str) -> Vec<&'a str> {
    vec!["data", "import", file, "--at", "2025-06-01", "--lake", lake]
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn expect(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains(SECRET_KEY) && !said.contains(ACCESS_KEY), "a key was shown:\n{said}");
    said
}

fn manifest(lake: &Path) -> Value {
    let path = lake.join(SERIES).join("_manifest.json");
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// Every file and its content, but what a folder needs and a bucket does not.
fn objects(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                left.push(path);
            } else if !name.ends_with(".lock") && !name.ends_with("_probe") {
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_bucket_is_a_lake_like_a_folder() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let call = |args: &[&str], code: i32| expect(&mut service.command(folder.path(), args), code);
    let files = ["BTCUSDT-1h-2024Q4.csv", "BTCUSDT-1h-2025Q1.csv", "ETHUSDT-1h-2024Q4.csv"].map(file);
    for name in &files {
        assert_eq!(call(&import(name, LAKE), 0), call(&import(name, "here"), 0));
    }
    assert_eq!(objects(&service.objects().join("some/lake")), objects(&folder.path().join("here")));
    let before = objects(&service.objects());
    assert_eq!(call(&import(&files[0], LAKE), 0), call(&import(&files[0], "here"), 0));
    assert_eq!(objects(&service.objects()), before, "the same file again changes nothing");
    assert_eq!(call(&["data", "ls", "--lake", LAKE], 0), call(&["data", "ls", "--lake", "here"], 0));
    let check = |lake| call(&["data", "check", "--at", "2025-06-01", "--lake", lake], 0);
    assert_eq!(check(LAKE), check("here"));
    for (lake, out) in [(LAKE, "one.csv"), ("here", "other.csv")] {
        call(&["data", "export", "--symbol", "BTC/USDT", "--interval", "1h", "--out", out, "--lake", lake], 0);
    }
    let exported = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(exported("one.csv").len() > 100_000 && exported("one.csv") == exported("other.csv"));
    let said = call(&["data", "ls", "--lake", "s3://bars/elsewhere"], 0);
    assert!(said.contains("The lake s3://bars/elsewhere is empty."), "{said}");
    let resampled = call(&["data", "resample", "--from", "1h", "--to", "4h", "--lake", LAKE, "--at", "2025-06-01"], 0);
    assert!(resampled.contains("4h"), "{resampled}");
}

/// LAKE-7: one import begins and ends between another's parts and its manifest.
#[test]
fn two_imports_at_once_both_count() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let (one, other) = (file("BTCUSDT-1h-2024Q4.csv"), file("BTCUSDT-1h-2025Q1.csv"));
    let mut second = service.command(folder.path(), &import(&other, LAKE));
    let act = Act::First(Box::new(move || assert!(second.output().unwrap().status.success())));
    service.plan("PUT", "_manifest.json", Some("if-match"), act);
    expect(&mut service.command(folder.path(), &import(&one, LAKE)), 0);
    assert!(service.is_spent());
    for name in [&one, &other] {
        expect(&mut service.command(folder.path(), &import(name, "here")), 0);
    }
    let bars =
        |manifest: &Value| manifest["parts"].as_array().unwrap().iter().map(|part| part["rows"].as_u64().unwrap()).sum::<u64>();
    let (there, here) = (manifest(&service.objects().join("some/lake")), manifest(&folder.path().join("here")));
    assert_eq!(bars(&there), bars(&here));
    assert_eq!(there["imports"].as_array().unwrap().len(), 2);
    let verdict = expect(&mut service.command(folder.path(), &["data", "check", "--at", "2025-06-01", "--lake", LAKE]), 0);
    assert_eq!(
        verdict,
        expect(&mut service.command(folder.path(), &["data", "check", "--at", "2025-06-01", "--lake", "here"]), 0)
    );
}

/// One import looks for the manifest of a new series, finds none, and then another begins and ends.
#[test]
fn a_series_that_another_begins_this_moment_is_not_taken_for_a_damaged_one() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let (one, other) = (file("BTCUSDT-1h-2024Q4.csv"), file("BTCUSDT-1h-2025Q1.csv"));
    let mut second = service.command(folder.path(), &import(&other, LAKE));
    // The first look is for imports of the same file, the second is that of the writer.
    service.plan("GET", "_manifest.json", None, Act::First(Box::new(|| {})));
    service.plan("GET", "_manifest.json", None, Act::Then(Box::new(move || assert!(second.output().unwrap().status.success()))));
    expect(&mut service.command(folder.path(), &import(&one, LAKE)), 0);
    assert!(service.is_spent());
    assert_eq!(manifest(&service.objects().join("some/lake"))["imports"].as_array().unwrap().len(), 2);
}

/// LAKE-1: killed between its parts and its manifest.
#[test]
fn a_killed_import_leaves_nothing_that_counts_and_is_done_again() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let name = file("BTCUSDT-1h-2024Q4.csv");
    let (send, pid) = mpsc::channel::<u32>();
    let kill = move || {
        let pid = pid.recv().unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    };
    service.plan("PUT", "_manifest.json", Some("if-match"), Act::Instead(Box::new(kill)));
    let mut child = service.command(folder.path(), &import(&name, LAKE)).spawn().unwrap();
    send.send(child.id()).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(service.is_spent());
    let lake = service.objects().join("some/lake");
    assert!(objects(&lake).iter().any(|(name, _)| name.ends_with(".parquet")), "its part lies there");
    let empty = expect(&mut service.command(folder.path(), &["data", "ls", "--lake", LAKE]), 0);
    assert!(empty.contains("is empty"), "{empty}");
    expect(&mut service.command(folder.path(), &import(&name, LAKE)), 0);
    expect(&mut service.command(folder.path(), &import(&name, "here")), 0);
    assert_eq!(objects(&lake), objects(&folder.path().join("here")));
}

/// LAKE-7: the manifest was replaced, and the answer that says so was lost.
#[test]
fn a_commit_whose_answer_was_lost_counts_once() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let name = file("BTCUSDT-1h-2024Q4.csv");
    service.plan("PUT", "_manifest.json", Some("if-match"), Act::LoseAnswer);
    let there = expect(&mut service.command(folder.path(), &import(&name, LAKE)), 0);
    assert!(service.is_spent());
    assert_eq!(there, expect(&mut service.command(folder.path(), &import(&name, "here")), 0));
    assert_eq!(objects(&service.objects().join("some/lake")), objects(&folder.path().join("here")));
}

#[test]
fn others_that_are_always_quicker_end_it_with_a_word() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    service.always("PUT", "_manifest.json", 412, "<Error><Code>PreconditionFailed</Code></Error>");
    let said = expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2024Q4.csv"), "s3://bars")), 1);
    // The first put of the series was told the same, and nothing is there.
    assert!(said.contains("it was written and is not there"), "{said}");
    service.forgive();
    expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2024Q4.csv"), LAKE)), 0);
    service.always("PUT", "_manifest.json", 412, "<Error><Code>PreconditionFailed</Code></Error>");
    let said = expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2025Q1.csv"), LAKE)), 1);
    assert!(said.contains("another program wrote sample/BTC-USDT/1h at the same time"), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
}

#[test]
fn a_service_that_ignores_conditions_is_not_written_to() {
    for header in ["if-none-match", "if-match"] {
        let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
        service.plan("PUT", "_probe", Some(header), Act::Answer(200, String::new()));
        let said = expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2024Q4.csv"), LAKE)), 1);
        assert!(said.contains("does not honour conditional writes"), "{said}");
        assert!(!service.objects().join("some/lake").join(SERIES).exists());
    }
}

#[test]
fn each_trouble_says_what_to_do() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let list = |lake: &str| service.command(folder.path(), &["data", "ls", "--lake", lake]);
    let told = |command: &mut Command, code: i32, words: &[&str]| {
        let said = expect(command, code);
        for word in words {
            assert!(said.contains(word), "{word}:\n{said}");
        }
        assert!(said.lines().all(|line| line.chars().count() <= 90), "{said}");
    };
    told(&mut list("s3://no-such-bucket/x"), 1, &["no such bucket", "make the bucket"]);
    let mut wrong = list(LAKE);
    told(
        wrong.env("AWS_SECRET_ACCESS_KEY", "hunter3"),
        1,
        &["does not accept the key (SignatureDoesNotMatch)", "AWS_SECRET_ACCESS_KEY"],
    );
    let error = |code: &str| format!("<Error><Code>{code}</Code><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId></Error>");
    for (status, code, words) in [
        (403, "AccessDenied", ["does not allow it (AccessDenied)", "let the key list, read, write"]),
        (301, "PermanentRedirect", ["in another region", "AWS_REGION"]),
        (400, "AuthorizationHeaderMalformed", ["in another region", "AWS_REGION"]),
        (403, "RequestTimeTooSkewed", ["clock is too far", "NTP"]),
        (503, "SlowDown", ["is busy (SlowDown)", "run the same command again later"]),
    ] {
        service.always("GET", "", status, &error(code));
        told(&mut list(LAKE), 1, &words);
        service.forgive();
    }
    let mut down = list(LAKE);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    told(down.env("AWS_ENDPOINT_URL", format!("http://{nobody}")), 1, &["cannot be reached", "refused", "AWS_ENDPOINT_URL"]);
    told(list(LAKE).env_remove("AWS_ACCESS_KEY_ID"), 3, &["env:AWS_ACCESS_KEY_ID is not set"]);
    told(
        list(LAKE).env("AWS_ENDPOINT_URL", "http://s3.example.org"),
        2,
        &["AWS_ENDPOINT_URL is neither an https:// address", "https://"],
    );
    told(&mut list("gs://bars"), 2, &["does not begin with s3://", "s3://bucket/prefix"]);
    told(&mut list("s3://Bars/x"), 2, &["names no bucket"]);
}

/// LAKE-3.
#[test]
fn a_damaged_object_is_refused() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2024Q4.csv"), LAKE)), 0);
    let lake = service.objects().join("some/lake");
    let part = lake.join(SERIES).join(manifest(&lake)["parts"][0]["file"].as_str().unwrap());
    let mut content = std::fs::read(&part).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&part, content).unwrap();
    let said = expect(&mut service.command(folder.path(), &["data", "check", "--lake", LAKE]), 1);
    assert!(said.contains("is damaged") && said.contains("SHA-256") && said.contains(LAKE), "{said}");
}

/// A project whose lake is in the bucket.
fn project(service: &Service) -> Project {
    let project = Project::new();
    let storage = format!(
        "[storage]\nroot = \"{LAKE}\"\n[storage.s3]\nendpoint = \"{}\"\naccess_key = \"env:BARS_KEY\"\nsecret_key = \"env:BARS_SECRET\"\n",
        service.url()
    );
    let path = project.path().join("profiles/busy.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}{storage}")).unwrap();
    project
}

#[test]
fn a_run_on_a_bucket_is_a_run_on_a_folder() {
    let (service, here) = (Service::start(), Project::new());
    let there = project(&service);
    let args = ["run", "-p", "busy", "--at", "2025-03-05", "--json"];
    let mut command = there.command(&args);
    let output = command.env("BARS_KEY", ACCESS_KEY).env("BARS_SECRET", SECRET_KEY).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let (out, _) = here.expect(0, &args);
    let figures = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap()["data"]["summary"].clone();
    assert_eq!(figures(&output.stdout), figures(out.as_bytes()));
    assert!(!there.path().join("data/lake").exists() && service.objects().join("some/lake/ohlcv/venue=synthetic").is_dir());
    let (_, said) = there.expect(3, &args[..5]);
    assert!(said.contains("env:BARS_KEY is not set"), "{said}");
    let (said, _) = there.expect(0, &["check", "-p", "busy"]);
    assert!(said.contains("storage.s3.secret_key = \"env:BARS_SECRET\"") && said.contains("missing"), "{said}");
}

const READ: &str = r#"
import sys
import pyarrow.dataset, pyarrow.fs
endpoint, access_key, secret_key, path = open(sys.argv[1]).read().split()
service = pyarrow.fs.S3FileSystem(endpoint_override=endpoint, access_key=access_key, secret_key=secret_key, scheme="http", region="us-east-1")
below = service.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
files = [info.path for info in below if info.path.endswith(".parquet")]
found = pyarrow.dataset.dataset(files, filesystem=service, format="parquet", partitioning="hive").to_table()
assert found.num_rows == 2208, found.num_rows
assert set(found["symbol"].to_pylist()) == {"BTC-USDT"}
"#;

#[test]
fn another_program_reads_the_bucket() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    expect(&mut service.command(folder.path(), &import(&file("BTCUSDT-1h-2024Q4.csv"), LAKE)), 0);
    let about = folder.path().join("about.txt");
    let endpoint = service.url().replace("http://", "");
    std::fs::write(&about, format!("{endpoint} {ACCESS_KEY} {SECRET_KEY} bars/some/lake/ohlcv")).unwrap();
    python::run(READ, &[&about]);
}

/// What a venue said to this machine is no business of a lake that several share.
#[test]
fn a_ban_stays_on_this_machine() {
    let (service, folder) = (Service::start(), tempfile::tempdir().unwrap());
    let venue = Venue::new(Arc::new(ManualClock("2025-03-05T10:00:30Z".parse().unwrap())));
    let (url, at) = (venue.url(), ["--at", "2025-03-05T10:00:30Z", "--lake", LAKE]);
    let fetch =
        [&["data", "fetch", "BTC/USDT", "--interval", "1h", "--from", "2025-03-01", "--base-url", &url], &at[..]].concat();
    let said = expect(&mut service.command(folder.path(), &fetch), 0);
    assert!(said.contains("106 bars added"), "{said}");
    venue.plays([venue::Act::Status(418, Some("3600"), "{\"code\":-1003}")]);
    let later = [&fetch[..6], &["2025-01-01"], &fetch[7..]].concat();
    for _ in 0..2 {
        let said = expect(&mut service.command(folder.path(), &later), 1);
        assert!(said.contains("2025-03-05T11:00:30Z"), "{said}");
    }
    assert!(folder.path().join("runs/_local/_venue/binance.json").is_file());
    assert!(!service.objects().join("some/lake/_venue").exists());
}
