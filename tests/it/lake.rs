//! The lake survives what can happen to it: kills, full disks, two writers, damaged files.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tidegate::domain::{Bar, Columns, Projection, Rows, Series, Time};
use tidegate::store::disk::Disk;
use tidegate::store::{Appended, Lake, LakeError};

const HOUR: i64 = 3_600_000_000;
/// A kill or a full disk is tried at each step of an append; more steps than these mean a step that never comes.
const STEPS_MAX: u32 = 400;

fn series() -> Series {
    "test/BTC-USDT/1h".parse().unwrap()
}

fn bar(hour: i64) -> Bar {
    let close = 100.0 + (hour % 17) as f64;
    let open_time = Time::from_micros(hour * HOUR);
    Bar { open_time, open: 100.0, high: close + 5.0, low: 90.0, close, volume: hour as f64 / 7.0 }
}

fn rows(hours: impl IntoIterator<Item = i64>) -> Rows {
    hours.into_iter().map(bar).collect::<Columns>().into()
}

/// Hours around the turn of a year, so that an append touches two folders.
fn turn_of_year() -> i64 {
    Time::start_of_year(2025).micros() / HOUR
}

fn hours(lake: &Lake) -> Vec<i64> {
    match lake.read(&series(), None, None, Projection::BAR) {
        Ok(columns) => columns.open_time.iter().map(|time| time / HOUR).collect(),
        Err(LakeError::NoSeries { .. }) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// Nothing lies about that the manifest does not list.
fn assert_tidy(lake: &Lake) {
    let folder = lake.folder(&series());
    let listed: BTreeSet<PathBuf> =
        lake.manifest(&series()).unwrap().unwrap_or_default().parts.iter().map(|part| folder.join(&part.file)).collect();
    let mut there = files(&folder);
    there.retain(|path| !path.ends_with("_manifest.json") && !path.ends_with(".lock"));
    assert_eq!(there, listed);
}

/// Appends to a lake that already has bars, on a disk that fails at `step`. None once the step lies behind the end.
fn append_on(step: u32, disk: impl Fn(u32) -> Disk, check: impl Fn(&Lake, &Result<Appended, LakeError>)) -> Option<()> {
    let folder = tempfile::tempdir().unwrap();
    let start = turn_of_year() - 5;
    let sound = Lake::open(folder.path()).unwrap();
    sound.append(&series(), &rows(start..start + 3)).unwrap();
    let disk = disk(step);
    let failing = Lake::on(folder.path(), disk.clone()).unwrap();
    let end = failing.append(&series(), &rows(start + 2..start + 10));
    if !disk.has_failed() {
        end.unwrap();
        return None;
    }
    check(&sound, &end);
    let old: Vec<i64> = (start..start + 3).collect();
    let new: Vec<i64> = (start..start + 10).collect();
    let left = hours(&sound);
    assert!(left == old || left == new, "step {step} left {left:?}");
    sound.append(&series(), &rows(start + 2..start + 10)).unwrap();
    assert_eq!(hours(&sound), new, "done again after step {step}");
    assert_tidy(&sound);
    Some(())
}

/// LAKE-1.
#[test]
fn killed_at_any_step_the_lake_recovers() {
    let count = (0..STEPS_MAX).take_while(|step| append_on(*step, Disk::killed_after, |_, _| {}).is_some()).count();
    assert!((10..STEPS_MAX as usize).contains(&count), "{count} steps");
}

#[test]
fn a_full_disk_harms_nothing() {
    let full = |step| Disk::failing_after(step, ErrorKind::StorageFull);
    let count = (0..STEPS_MAX)
        .take_while(|step| {
            append_on(*step, full, |lake, end| match end {
                Err(LakeError::Write { source, .. }) => {
                    assert_eq!(source.kind(), ErrorKind::StorageFull);
                    assert!(end.as_ref().unwrap_err().hint().unwrap().contains("free some space"));
                    // All of it counts where only the sync after the manifest's rename failed.
                    assert!([3, 10].contains(&hours(lake).len()), "a failed append adds nothing");
                    assert_tidy(lake);
                }
                other => panic!("step {step}: {other:?}"),
            })
            .is_some()
        })
        .count();
    assert!((10..STEPS_MAX as usize).contains(&count), "{count} steps");
}

/// LAKE-4.
#[test]
fn a_second_writer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let writer = lake.writer(&series()).unwrap();
    let error = lake.append(&series(), &rows(0..3)).unwrap_err();
    assert!(matches!(error, LakeError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("test/BTC-USDT/1h"), "{error}");
    drop(writer);
    assert_eq!(lake.append(&series(), &rows(0..3)).unwrap().added, 3);
}

#[test]
fn appending_again_or_overlapping_adds_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let append = |range: std::ops::Range<i64>| lake.append(&series(), &rows(range)).unwrap();
    assert_eq!(append(0..10), Appended { added: 10, already_there: 0, conflicting: 0 });
    assert_eq!(append(0..10), Appended { added: 0, already_there: 10, conflicting: 0 });
    assert_eq!(append(5..15), Appended { added: 5, already_there: 5, conflicting: 0 });
    assert_eq!(hours(&lake), (0..15).collect::<Vec<_>>());
    let mut other = rows(3..5);
    other.bars.close[0] += 1.0;
    assert_eq!(lake.append(&series(), &other).unwrap(), Appended { added: 0, already_there: 1, conflicting: 1 });
    let kept = lake.read(&series(), None, None, Projection::CLOSE).unwrap();
    assert_eq!(kept.close[3], bar(3).close, "LAKE-2: an append changes no bar");
}

#[test]
fn a_backfill_is_merged_by_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    // Parts large enough not to be merged into one file: only the year keeps them apart otherwise.
    let even = |hours: std::ops::Range<i64>| hours.filter(|hour| hour % 2 == 0);
    let odd = |hours: std::ops::Range<i64>| hours.filter(|hour| hour % 2 == 1);
    lake.append(&series(), &rows(even(0..8000))).unwrap();
    lake.append(&series(), &rows(odd(0..8000))).unwrap();
    assert_eq!(hours(&lake), (0..8000).collect::<Vec<_>>());
    let range = lake.read(&series(), Some(bar(17).open_time), Some(bar(21).open_time), Projection::VOLUME).unwrap();
    assert_eq!(range.volume, [17, 18, 19, 20].map(|hour| bar(hour).volume));
    assert!(range.close.is_empty());
    assert_eq!(lake.last_open_time(&series()).unwrap(), Some(bar(7999).open_time));
}

#[test]
fn large_parts_that_interleave_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let minutes: Series = "test/BTC-USDT/1m".parse().unwrap();
    let rows = |parity: usize| -> Rows {
        let bars = (0..20_000_i64)
            .filter(|at| at % 2 == parity as i64)
            .map(|at| Bar { open_time: Time::from_micros(at * 60_000_000), ..bar(at) });
        bars.collect::<Columns>().into()
    };
    lake.append(&minutes, &rows(0)).unwrap();
    lake.append(&minutes, &rows(1)).unwrap();
    assert_eq!(lake.info(&minutes).unwrap().unwrap().parts, 2, "the test wants two parts");
    let read = lake.read(&minutes, None, None, Projection::BAR).unwrap();
    let expected: Columns = (0..20_000).map(|at| Bar { open_time: Time::from_micros(at * 60_000_000), ..bar(at) }).collect();
    assert_eq!(read, expected);
}

#[test]
fn a_bar_at_a_time_stays_a_few_files() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    for hour in 0..60 {
        lake.append(&series(), &rows([hour])).unwrap();
    }
    let info = lake.info(&series()).unwrap().unwrap();
    assert_eq!((info.rows, info.parts), (60, 1));
    assert_eq!(hours(&lake), (0..60).collect::<Vec<_>>());
    assert_tidy(&lake);
}

#[test]
fn the_fingerprint_is_of_the_bars_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (Lake::open(one.path()).unwrap(), Lake::open(other.path()).unwrap());
    let start = turn_of_year() - 50;
    one.append(&series(), &rows(start..start + 100)).unwrap();
    for chunk in [80..100, 0..30, 30..80] {
        other.append(&series(), &rows(start + chunk.start..start + chunk.end)).unwrap();
    }
    let name =
        |lake: &Lake, to: Option<i64>| lake.fingerprint(&series(), None, to.map(|hour| bar(start + hour).open_time)).unwrap();
    assert_eq!(name(&one, None), name(&other, None));
    assert_eq!(name(&one, Some(70)), name(&other, Some(70)));
    assert_ne!(name(&one, Some(70)), name(&one, Some(71)));
    assert_eq!(name(&one, None), name(&one, Some(100)));
}

/// LAKE-4.
#[test]
fn a_reader_beside_a_writer_sees_whole_states() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    lake.append(&series(), &rows(0..1)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..80).for_each(|hour| assert_eq!(lake.append(&series(), &rows([hour])).unwrap().added, 1)));
        while !writer.is_finished() {
            let seen = hours(&lake);
            assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
        }
    });
    assert_eq!(hours(&lake).len(), 80);
}

/// A lake of one part, that part, and the manifest.
fn one_part() -> (tempfile::TempDir, Lake, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    lake.append(&series(), &rows(0..100)).unwrap();
    let part = lake.folder(&series()).join(&lake.manifest(&series()).unwrap().unwrap().parts[0].file);
    let manifest = lake.folder(&series()).join("_manifest.json");
    (folder, lake, part, manifest)
}

fn read_error(lake: &Lake) -> String {
    lake.read(&series(), None, None, Projection::BAR).unwrap_err().to_string()
}

/// LAKE-3.
#[test]
fn a_half_written_part_is_refused_by_name() {
    let (_folder, lake, part, _) = one_part();
    let content = fs::read(&part).unwrap();
    fs::write(&part, &content[..content.len() / 2]).unwrap();
    let error = read_error(&lake);
    assert!(error.contains(part.to_str().unwrap()) && error.contains("is damaged"), "{error}");
}

/// LAKE-3.
#[test]
fn a_changed_part_is_refused_by_name() {
    let (_folder, lake, part, _) = one_part();
    let mut content = fs::read(&part).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&part, &content).unwrap();
    let error = read_error(&lake);
    assert!(error.contains(part.to_str().unwrap()) && error.contains("SHA-256"), "{error}");
}

#[test]
fn a_missing_part_is_said_to_be_missing() {
    let (_folder, lake, part, _) = one_part();
    fs::remove_file(&part).unwrap();
    let error = read_error(&lake);
    assert!(error.contains(part.to_str().unwrap()) && error.contains("not there"), "{error}");
}

/// LAKE-1.
#[test]
fn a_part_that_nobody_lists_is_not_read_and_goes_away() {
    let (_folder, lake, part, _) = one_part();
    fs::copy(&part, part.with_file_name("part-19700101T000000Z-0000000000000000.parquet")).unwrap();
    fs::write(part.with_file_name(".writing-1"), "half").unwrap();
    assert_eq!(hours(&lake).len(), 100);
    lake.append(&series(), &rows(100..101)).unwrap();
    assert_tidy(&lake);
    assert_eq!(hours(&lake).len(), 101);
}

#[test]
fn a_manifest_of_a_newer_program_is_left_alone() {
    let (_folder, lake, _, manifest) = one_part();
    let text = fs::read_to_string(&manifest).unwrap().replace("\"schema\": 3", "\"schema\": 9");
    fs::write(&manifest, &text).unwrap();
    let error = lake.append(&series(), &rows(100..101)).unwrap_err();
    assert!(matches!(error, LakeError::Schema { found: 9, .. }), "{error}");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), text);
    fs::write(&manifest, "{").unwrap();
    assert!(matches!(lake.append(&series(), &rows(100..101)).unwrap_err(), LakeError::Manifest { .. }));
}

#[test]
fn without_its_manifest_nothing_is_swept_away() {
    let (_folder, lake, part, manifest) = one_part();
    fs::remove_file(&manifest).unwrap();
    let error = lake.append(&series(), &rows(100..101)).unwrap_err().to_string();
    assert!(error.contains("_manifest.json") && error.contains("gone"), "{error}");
    assert!(part.exists());
}

#[test]
fn bars_must_ascend() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    assert!(matches!(lake.append(&series(), &rows([3, 2])).unwrap_err(), LakeError::NotAscending));
    assert!(matches!(lake.append(&series(), &rows([2, 2])).unwrap_err(), LakeError::NotAscending));
    assert!(hours(&lake).is_empty());
}
