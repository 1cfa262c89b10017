//! Series are made over: compacted, cut off, repaired. Whatever dies when, everybody sees the old bars or the new ones, each once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use tidegate::domain::{Bar, Columns, Projection, Rows, Series, Time};
use tidegate::store::disk::{Disk, Lack};
use tidegate::store::{Compacted, Lake, LakeError, Writer};

const MINUTE: i64 = 60_000_000;
/// More disk steps than these mean a step that never comes.
const STEPS_MAX: u32 = 600;
/// Every so many steps are tried.
const STRIDE: usize = if cfg!(debug_assertions) { 3 } else { 1 };

fn series() -> Series {
    "test/BTC-USDT/1m".parse().unwrap()
}

/// Minutes around the turn of a year, so that everything touches two folders.
fn turn_of_year() -> i64 {
    Time::start_of_year(2025).micros() / MINUTE
}

fn bar(minute: i64) -> Bar {
    let close = 100.0 + (minute % 17) as f64;
    let open_time = Time::from_micros(minute * MINUTE);
    Bar { open_time, open: 100.0, high: close + 5.0, low: 90.0, close, volume: minute as f64 / 7.0 }
}

fn rows(minutes: impl IntoIterator<Item = i64>) -> Rows {
    minutes.into_iter().map(bar).collect::<Columns>().into()
}

/// What a program that knows nothing of us finds: times and closes of all bars in files of a glob, sorted.
pub fn glob(root: &Path) -> Vec<(i64, u64)> {
    let mut found = Vec::new();
    let mut left = vec![root.join("ohlcv")];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|ending| ending == "parquet") {
                found.extend(bars_of(&path));
            }
        }
    }
    found.sort_unstable();
    found
}

fn bars_of(path: &Path) -> Vec<(i64, u64)> {
    let file = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = file.get_row_iter(None).unwrap().map(Result::unwrap);
    rows.map(|row| (row.get_timestamp_micros(0).unwrap(), row.get_double(4).unwrap().to_bits())).collect()
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A lake whose parts lie across and among each other: a hundred bars are missing.
fn scattered(root: &Path) -> Lake {
    let lake = Lake::open(root).unwrap();
    let turn = turn_of_year();
    // Large enough not to be merged as they come.
    for parity in 0..2 {
        lake.append(&series(), &rows((turn - 17_000..turn + 17_000).filter(|minute| minute % 2 == parity))).unwrap();
    }
    lake.append(&series(), &rows(turn + 17_100..turn + 17_200)).unwrap();
    assert_eq!(lake.info(&series()).unwrap().unwrap().parts, 5);
    lake
}

type Act = fn(&mut Writer<'_>) -> Result<(), LakeError>;

fn compact(writer: &mut Writer<'_>) -> Result<(), LakeError> {
    writer.compact(&AtomicBool::new(false), &mut |_| {}).map(drop)
}

fn retire(writer: &mut Writer<'_>) -> Result<(), LakeError> {
    writer.retire(bar(turn_of_year() - 100).open_time, "2026-01-01".parse().unwrap()).map(drop)
}

fn replace(writer: &mut Writer<'_>) -> Result<(), LakeError> {
    let turn = turn_of_year();
    let mut right = rows(turn - 5..turn + 5);
    right.bars.close.iter_mut().for_each(|close| *close += 0.5);
    writer.replace(&right).map(drop)
}

fn append(writer: &mut Writer<'_>) -> Result<(), LakeError> {
    writer.stage(&rows(turn_of_year() + 16_990..turn_of_year() + 17_150)).map(drop)
}

fn done(lake: &Lake, act: Act) -> Result<(), LakeError> {
    let mut writer = lake.writer(&series())?;
    act(&mut writer)?;
    writer.commit()
}

/// What a glob finds: names are made of content, so that the same files hold the same bars.
fn parts(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = files(&root.join("ohlcv"));
    found.retain(|(path, _)| path.extension().is_some_and(|ending| ending == "parquet"));
    found
}

fn copy(from: &Path, to: &Path) {
    for (path, content) in files(from) {
        fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        fs::write(to.join(path), content).unwrap();
    }
}

/// Does it once whole, and once on a disk that ends at each step.
fn at_every_step(act: Act, disk: impl Fn(u32) -> Disk, sees_exactly: bool) {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    scattered(before.path());
    copy(before.path(), after.path());
    done(&Lake::open(after.path()).unwrap(), act).unwrap();
    let (old, new) = (parts(before.path()), parts(after.path()));
    assert!(old != new);
    let ended_at = |step: &u32| {
        let folder = tempfile::tempdir().unwrap();
        copy(before.path(), folder.path());
        let disk = disk(*step);
        let end = done(&Lake::on(folder.path(), disk.clone()).unwrap(), act);
        if !disk.has_failed() {
            end.unwrap();
            return false;
        }
        let seen = parts(folder.path());
        assert!(!sees_exactly || seen == old || seen == new, "step {step}: {} files are seen", seen.len());
        let lake = Lake::open(folder.path()).unwrap();
        let listed = lake.manifest(&series()).unwrap().unwrap().parts;
        assert!(listed.iter().all(|part| lake.folder(&series()).join(&part.file).is_file()), "step {step}");
        done(&lake, act).unwrap();
        assert!(parts(folder.path()) == new, "done again after step {step}");
        let left = files(&folder.path().join("_writing"));
        assert!(left.is_empty(), "step {step}: {left:?}");
        true
    };
    let count = (0..STEPS_MAX).step_by(STRIDE).take_while(ended_at).count();
    println!("killed at {count} steps");
    assert!((5..STEPS_MAX as usize / STRIDE).contains(&count), "{count} steps");
}

/// LAKE-6, A28.
#[test]
fn a_compaction_killed_at_any_step_is_all_or_nothing() {
    at_every_step(compact, Disk::killed_after, true);
}

/// LAKE-6.
#[test]
fn a_retention_killed_at_any_step_is_all_or_nothing() {
    at_every_step(retire, Disk::killed_after, true);
}

/// LAKE-6.
#[test]
fn a_replacement_killed_at_any_step_is_all_or_nothing() {
    at_every_step(replace, Disk::killed_after, true);
}

/// LAKE-6.
#[test]
fn an_append_killed_at_any_step_is_all_or_nothing() {
    at_every_step(append, Disk::killed_after, true);
}

/// Where a file system knows no links or cannot exchange folders, our own readers are safe all the same.
#[test]
fn without_links_or_exchange_the_manifest_still_decides() {
    for lack in [Lack::Links, Lack::Exchange] {
        at_every_step(compact, |step| Disk::killed_after(step).lacking(lack), false);
        at_every_step(append, |step| Disk::killed_after(step).lacking(lack), false);
    }
}

#[test]
fn compaction_makes_one_part_a_year_and_changes_no_bar() {
    let folder = tempfile::tempdir().unwrap();
    let lake = scattered(folder.path());
    let (name, seen) = (lake.fingerprint(&series(), None, None).unwrap(), glob(folder.path()));
    let manifest = lake.manifest(&series()).unwrap().unwrap();
    let planned = Compacted::planned(&manifest, series().interval());
    let mut writer = lake.writer(&series()).unwrap();
    let report = writer.compact(&AtomicBool::new(false), &mut |_| {}).unwrap().unwrap();
    writer.commit().unwrap();
    assert_eq!((report.parts_after, planned.parts_after, report.rows), (2, 2, planned.rows));
    assert_eq!(lake.fingerprint(&series(), None, None).unwrap(), name, "the bars are the same");
    assert_eq!(glob(folder.path()), seen);
    let before = files(folder.path());
    let mut writer = lake.writer(&series()).unwrap();
    assert!(!writer.compact(&AtomicBool::new(false), &mut |_| {}).unwrap().unwrap().is_needed());
    writer.commit().unwrap();
    assert!(files(folder.path()) == before, "a second time there is nothing to do");
}

#[test]
fn a_compaction_that_is_stopped_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = scattered(folder.path());
    let before = files(folder.path());
    let stop = AtomicBool::new(false);
    let mut writer = lake.writer(&series()).unwrap();
    let done = writer.compact(&stop, &mut |_| stop.store(true, Ordering::Relaxed)).unwrap();
    drop(writer);
    assert_eq!(done, None, "it was stopped behind its first part");
    assert!(files(folder.path()) == before);
}

#[test]
fn a_part_covers_a_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let seconds: Series = "test/BTC-USDT/1s".parse().unwrap();
    let window = 1 << 20;
    let bars = |range: std::ops::Range<i64>| -> Rows {
        let start = Time::start_of_year(2024).micros();
        range.map(|at| Bar { open_time: Time::from_micros(start + at * 1_000_000), ..bar(at) }).collect::<Columns>().into()
    };
    lake.append(&seconds, &bars(window - 10_000..window + 10_000)).unwrap();
    let mut writer = lake.writer(&seconds).unwrap();
    writer.compact(&AtomicBool::new(false), &mut |_| {}).unwrap();
    writer.commit().unwrap();
    let parts = lake.manifest(&seconds).unwrap().unwrap().parts;
    assert_eq!(parts.iter().map(|part| part.rows).collect::<Vec<_>>(), [10_000, 10_000]);
}

#[test]
fn what_went_is_remembered_and_what_was_wrong_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let lake = scattered(folder.path());
    let turn = turn_of_year();
    let before = lake.read(&series(), None, Some(bar(turn).open_time), Projection::BAR).unwrap();
    let mut writer = lake.writer(&series()).unwrap();
    let retired = writer.retire(Time::start_of_year(2025), "2026-01-01".parse().unwrap()).unwrap().unwrap();
    assert_eq!(writer.retire(Time::start_of_year(2025), "2026-01-01".parse().unwrap()).unwrap(), None, "there is nothing older");
    let mut wrong = rows([turn + 3, turn + 4, turn + 100_000]);
    wrong.bars.close[0] += 1.0;
    let replaced = writer.replace(&wrong).unwrap();
    writer.commit().unwrap();
    assert_eq!((retired.rows, retired.to), (before.len() as u64, bar(turn).open_time));
    assert_eq!((replaced.before.bars.close.as_slice(), replaced.same), ([bar(turn + 3).close].as_slice(), 1));
    let manifest = lake.manifest(&series()).unwrap().unwrap();
    assert_eq!((manifest.first(), manifest.retired), (Some(bar(turn).open_time), vec![retired]));
    let now = lake.read(&series(), None, Some(bar(turn + 5).open_time), Projection::CLOSE).unwrap();
    assert_eq!(now.close[2..5], [bar(turn + 2).close, bar(turn + 3).close + 1.0, bar(turn + 4).close]);
}

/// What somebody else put there goes with the series.
#[test]
fn files_of_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let lake = scattered(folder.path());
    let notes = lake.folder(&series()).join("year=2025/notes.txt");
    fs::write(&notes, "mine").unwrap();
    done(&lake, compact).unwrap();
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
}

/// A27, A29.
#[test]
fn a_damaged_or_missing_part_is_not_compacted_away() {
    let folder = tempfile::tempdir().unwrap();
    let lake = scattered(folder.path());
    let part = lake.folder(&series()).join(&lake.manifest(&series()).unwrap().unwrap().parts[0].file);
    let mut content = fs::read(&part).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&part, &content).unwrap();
    let before = files(folder.path());
    let error = done(&lake, compact).unwrap_err().to_string();
    assert!(error.contains("SHA-256"), "{error}");
    assert!(files(folder.path()) == before);
    fs::remove_file(&part).unwrap();
    let error = done(&lake, compact).unwrap_err().to_string();
    assert!(error.contains(part.file_name().unwrap().to_str().unwrap()), "{error}");
}
