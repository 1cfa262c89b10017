//! A lake in a bucket keeps what a lake in a folder keeps: writers that meet, writers that die, readers beside them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate::domain::{Bar, Columns, Projection, Rows, Series, Span, Time};
use tidegate::store::bucket::GRACE;
use tidegate::store::{Appended, Bucket, Lake, LakeError};

const HOUR: i64 = 3_600_000_000;

fn series() -> Series {
    "test/BTC-USDT/1h".parse().unwrap()
}

fn rows(hours: impl IntoIterator<Item = i64>) -> Rows {
    let bar = |hour: i64| {
        let close = 100.0 + (hour % 17) as f64;
        let open_time = Time::from_micros(hour * HOUR);
        Bar { open_time, open: 100.0, high: close + 5.0, low: 90.0, close, volume: hour as f64 / 7.0 }
    };
    hours.into_iter().map(bar).collect::<Columns>().into()
}

/// Hours around the turn of a year, so that an append makes two parts.
fn turn_of_year() -> i64 {
    Time::start_of_year(2025).micros() / HOUR
}

fn lake_on(store: &Arc<InMemory>, grace: Span) -> Lake {
    let bucket = Bucket::on(store.clone(), "s3://bars/some/lake".parse().unwrap()).unwrap();
    Lake::in_bucket(bucket.with_grace(grace), "nowhere")
}

fn lake(store: &Arc<InMemory>) -> Lake {
    lake_on(store, GRACE)
}

fn hours(lake: &Lake) -> Vec<i64> {
    match lake.read(&series(), None, None, Projection::BAR) {
        Ok(columns) => columns.open_time.iter().map(|time| time / HOUR).collect(),
        Err(LakeError::NoSeries { .. }) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Every part below the series, listed by its manifest or not, by its path below the series.
fn parts(store: &Arc<InMemory>) -> Vec<String> {
    let folder = "some/lake/ohlcv/venue=test/symbol=BTC-USDT/interval=1h";
    let mut found = Vec::new();
    for year in wait(store.list_with_delimiter(Some(&Key::from(folder)))).unwrap().common_prefixes {
        for object in wait(store.list_with_delimiter(Some(&year))).unwrap().objects {
            found.push(object.location.as_ref().strip_prefix(folder).unwrap().trim_start_matches('/').to_owned());
        }
    }
    found.sort();
    found
}

fn listed(lake: &Lake) -> Vec<String> {
    let mut files: Vec<String> = lake.manifest(&series()).unwrap().unwrap().parts.into_iter().map(|part| part.file).collect();
    files.sort();
    files
}

/// LAKE-5.
#[test]
fn a_bucket_holds_what_a_folder_holds() {
    let (store, folder) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap());
    let (there, here) = (lake(&store), Lake::open(folder.path()).unwrap());
    let start = turn_of_year() - 50;
    for (from, to) in [(0, 100), (20, 30), (90, 9000)] {
        let append = |lake: &Lake| lake.append(&series(), &rows(start + from..start + to)).unwrap();
        assert_eq!(append(&there), append(&here));
    }
    assert_eq!(there.manifest(&series()).unwrap(), here.manifest(&series()).unwrap());
    assert_eq!(hours(&there), hours(&here));
    assert_eq!(there.fingerprint(&series(), None, None).unwrap(), here.fingerprint(&series(), None, None).unwrap());
    assert_eq!(there.series().unwrap(), here.series().unwrap());
    for part in here.manifest(&series()).unwrap().unwrap().parts {
        let key = Key::parse(format!("some/lake/ohlcv/venue=test/symbol=BTC-USDT/interval=1h/{}", part.file)).unwrap();
        let object = wait(async { store.get(&key).await.unwrap().bytes().await.unwrap() });
        assert_eq!(object, std::fs::read(here.folder(&series()).join(&part.file)).unwrap(), "{}", part.file);
    }
}

/// Compaction, retention and repair on a bucket are those on a folder; what they take away stays for those who read it.
#[test]
fn a_bucket_is_made_over_as_a_folder_is() {
    let (store, folder) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap());
    let (there, here) = (lake(&store), Lake::open(folder.path()).unwrap());
    let series: Series = "test/BTC-USDT/1m".parse().unwrap();
    let minutes = |range: std::ops::Range<i64>| {
        let mut rows = rows(range);
        rows.bars.open_time.iter_mut().for_each(|time| *time /= 60);
        rows
    };
    for lake in [&there, &here] {
        lake.append(&series, &minutes(0..9000)).unwrap();
        lake.append(&series, &minutes(9000..18_000)).unwrap();
        assert_eq!(lake.info(&series).unwrap().unwrap().parts, 2, "the test wants two parts");
        let mut writer = lake.writer(&series).unwrap();
        writer.compact(&AtomicBool::new(false), &mut |_| {}).unwrap();
        writer.commit().unwrap();
        assert_eq!(lake.info(&series).unwrap().unwrap().parts, 1);
        let mut wrong = minutes(8300..8301);
        wrong.bars.close[0] += 1.0;
        let mut writer = lake.writer(&series).unwrap();
        assert_eq!(writer.replace(&wrong).unwrap().after.len(), 1);
        writer.retire(minutes(100..101).bars.time(0), Time::from_millis(5)).unwrap().unwrap();
        writer.commit().unwrap();
        assert_eq!(lake.info(&series).unwrap().unwrap().rows, 17_900);
        assert_eq!(lake.read(&series, None, None, Projection::BAR).unwrap().close[8200], wrong.bars.close[0]);
    }
    assert_eq!(there.manifest(&series).unwrap(), here.manifest(&series).unwrap());
}

/// LAKE-7.
#[test]
fn the_second_of_two_writers_is_told_and_both_bars_are_there_in_the_end() {
    let store = Arc::new(InMemory::new());
    let (one, other) = (lake(&store), lake(&store));
    one.append(&series(), &rows(0..10)).unwrap();
    let mut slow = one.writer(&series()).unwrap();
    slow.stage(&rows(10..20)).unwrap();
    assert_eq!(other.append(&series(), &rows(15..30)).unwrap(), Appended { added: 15, already_there: 0, conflicting: 0 });
    let error = slow.commit().unwrap_err();
    assert!(matches!(error, LakeError::Overtaken { .. }), "{error}");
    assert!(error.hint().unwrap().contains("run the same command again"));
    assert_eq!(hours(&one), (0..10).chain(15..30).collect::<Vec<_>>());
    assert_eq!(one.append(&series(), &rows(10..20)).unwrap(), Appended { added: 5, already_there: 5, conflicting: 0 });
    assert_eq!(hours(&other), (0..30).collect::<Vec<_>>());
}

/// LAKE-7.
#[test]
fn two_writers_that_begin_a_series_at_once_both_count() {
    let store = Arc::new(InMemory::new());
    let (one, other) = (lake(&store), lake(&store));
    let mut first = one.writer(&series()).unwrap();
    let mut second = other.writer(&series()).unwrap();
    first.stage(&rows(0..5)).unwrap();
    second.stage(&rows(5..9)).unwrap();
    second.commit().unwrap();
    assert!(matches!(first.commit().unwrap_err(), LakeError::Overtaken { .. }));
    one.append(&series(), &rows(0..5)).unwrap();
    assert_eq!(hours(&one), (0..9).collect::<Vec<_>>());
}

/// LAKE-7.
#[test]
fn many_writers_at_once_lose_nothing() {
    const WRITERS: i64 = 4;
    const BARS: i64 = 12;
    let store = Arc::new(InMemory::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let lake = lake(&store);
            scope.spawn(move || {
                for nth in 0..BARS {
                    // Each failure is another's success, so that this ends.
                    let hour = nth * WRITERS + writer;
                    while let Err(error) = lake.append(&series(), &rows([hour])) {
                        assert!(matches!(error, LakeError::Overtaken { .. }), "{error}");
                    }
                }
            });
        }
    });
    assert_eq!(hours(&lake(&store)), (0..WRITERS * BARS).collect::<Vec<_>>());
}

/// LAKE-1.
#[test]
fn what_a_writer_left_that_died_before_its_manifest_does_not_count_and_is_of_use_again() {
    let (store, whole) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
    let start = turn_of_year() - 5;
    for store in [&store, &whole] {
        lake(store).append(&series(), &rows(start..start + 3)).unwrap();
    }
    lake(&whole).append(&series(), &rows(start + 3..start + 10)).unwrap();
    let dying = lake(&store);
    let mut writer = dying.writer(&series()).unwrap();
    writer.stage(&rows(start + 3..start + 10)).unwrap();
    drop(writer);
    assert_eq!(parts(&store).len(), 3, "the parts lie there");
    assert_eq!(hours(&lake(&store)), (start..start + 3).collect::<Vec<_>>());
    lake(&store).append(&series(), &rows(start + 3..start + 10)).unwrap();
    assert_eq!(lake(&store).manifest(&series()).unwrap(), lake(&whole).manifest(&series()).unwrap());
    assert_eq!(parts(&store), parts(&whole));
}

/// LAKE-8.
#[test]
fn what_nobody_lists_stays_for_a_day_and_then_goes() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    lake.append(&series(), &rows(0..3)).unwrap();
    let merged_away = listed(&lake);
    let key = Key::parse(format!("some/lake/ohlcv/venue=test/symbol=BTC-USDT/interval=1h/{}", merged_away[0])).unwrap();
    let born = wait(store.head(&key)).unwrap().last_modified;
    let mut other = lake.writer(&series()).unwrap();
    other.stage(&rows(5..6)).unwrap();
    lake.append(&series(), &rows(3..5)).unwrap();
    assert!(wait(store.head(&key)).unwrap().last_modified > born, "its last day begins when it is let go");
    assert_eq!(parts(&store).len(), 3, "one merged away, one of another writer, one that counts");
    drop(lake.writer(&series()).unwrap());
    assert!(parts(&store).contains(&merged_away[0]), "a reader may be at it");
    // The same with a day that is over at once: the manifest is younger than what lies about.
    drop(lake_on(&store, Span::from_micros(0)).writer(&series()).unwrap());
    assert_eq!(parts(&store), listed(&lake));
    assert_eq!(hours(&lake), (0..5).collect::<Vec<_>>());
}

/// LAKE-8.
#[test]
fn a_writer_that_took_too_long_gives_up() {
    let store = Arc::new(InMemory::new());
    lake(&store).append(&series(), &rows(0..3)).unwrap();
    let error = lake_on(&store, Span::from_micros(1)).append(&series(), &rows(3..5)).unwrap_err();
    assert!(matches!(error, LakeError::TooSlow { .. }), "{error}");
    assert_eq!(hours(&lake(&store)), [0, 1, 2]);
}

/// LAKE-8.
#[test]
fn a_leftover_that_may_be_swept_up_this_moment_is_not_counted_on() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    lake.append(&series(), &rows(0..3)).unwrap();
    let mut dying = lake.writer(&series()).unwrap();
    dying.stage(&rows(3..5)).unwrap();
    drop(dying);
    let before = parts(&store);
    let hasty = lake_on(&store, Span::from_micros(2));
    let mut writer = hasty.writer(&series()).unwrap();
    writer.stage(&rows(3..5)).unwrap();
    let new: Vec<String> = parts(&store).into_iter().filter(|part| !before.contains(part)).collect();
    assert!(matches!(new.as_slice(), [one] if one.ends_with("-1.parquet")), "{new:?}");
}

/// LAKE-1.
#[test]
fn a_reader_beside_a_writer_sees_whole_states() {
    let store = Arc::new(InMemory::new());
    lake(&store).append(&series(), &rows(0..1)).unwrap();
    std::thread::scope(|scope| {
        let theirs = lake(&store);
        let writer =
            scope.spawn(move || (1..40).for_each(|hour| assert_eq!(theirs.append(&series(), &rows([hour])).unwrap().added, 1)));
        let ours = lake(&store);
        while !writer.is_finished() {
            let seen = hours(&ours);
            assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
        }
    });
    assert_eq!(hours(&lake(&store)).len(), 40);
}

/// LAKE-3.
#[test]
fn a_damaged_or_missing_object_is_refused_by_name() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    lake.append(&series(), &rows(0..100)).unwrap();
    let file = listed(&lake).remove(0);
    let key = Key::parse(format!("some/lake/ohlcv/venue=test/symbol=BTC-USDT/interval=1h/{file}")).unwrap();
    let mut content = wait(async { store.get(&key).await.unwrap().bytes().await.unwrap() }).to_vec();
    let error = || lake.read(&series(), None, None, Projection::BAR).unwrap_err().to_string();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    wait(store.put(&key, content.clone().into())).unwrap();
    assert!(error().contains(&file) && error().contains("SHA-256") && error().contains("s3://bars/some/lake"), "{}", error());
    wait(store.put(&key, content[..middle].to_vec().into())).unwrap();
    assert!(error().contains("bytes, the manifest says"), "{}", error());
    content.extend_from_slice(b"more");
    wait(store.put(&key, content.into())).unwrap();
    assert!(error().contains("are expected"), "{}", error());
    wait(store.delete(&key)).unwrap();
    assert!(error().contains("not there"), "{}", error());
}

#[test]
fn without_its_manifest_nothing_is_written() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    lake.append(&series(), &rows(0..3)).unwrap();
    let key = Key::parse("some/lake/ohlcv/venue=test/symbol=BTC-USDT/interval=1h/_manifest.json").unwrap();
    wait(store.delete(&key)).unwrap();
    let error = lake.append(&series(), &rows(3..5)).unwrap_err().to_string();
    assert!(error.contains("_manifest.json") && error.contains("gone"), "{error}");
    assert_eq!(parts(&store).len(), 1);
}

#[test]
fn refused_rows_go_to_the_bucket_too() {
    let store = Arc::new(InMemory::new());
    let row = tidegate::store::RefusedRow {
        place: 7,
        open_time: None,
        reason: "not_closed",
        detail: "later".to_owned(),
        row: "1,2,3".to_owned(),
    };
    let path = lake(&store).quarantine(&series(), "a file.csv", &[row]).unwrap();
    assert!(path.starts_with(Path::new("s3://bars/some/lake/_quarantine")), "{}", path.display());
    let key = Key::parse("some/lake/_quarantine/venue=test/symbol=BTC-USDT/interval=1h/a_file.csv.jsonl").unwrap();
    let content = wait(async { store.get(&key).await.unwrap().bytes().await.unwrap() });
    assert!(String::from_utf8(content.to_vec()).unwrap().contains("\"place\":7"));
}
