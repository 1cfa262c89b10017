//! The archive: which files hold a range, and bringing them here whole.
//!
//! A file lies in the lake's `_archive` folder from when its checksum was found right until its bars are in the lake, so that a
//! download that was cut off goes on with the next file.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::ToSpan;
use jiff::civil::Date;

use super::answer::{Answer, Meaning};
use super::client::Wire;
use super::http::Saved;
use super::{BinanceError, Http, RestClient};
use crate::domain::{Interval, Symbol, Time};
use crate::feed::{self, HashKind};

/// Files that are downloaded side by side.
const DOWNLOADS_MAX: usize = 4;
/// A file whose bytes do not match its checksum is downloaded again, this often in all.
const CHECKSUM_ATTEMPTS_MAX: u32 = 2;
/// The file of a month comes on the first Monday after it, and a little later.
const MONTH_LATENESS_DAYS: i64 = 9;
/// Up to here a month without a file is late; beyond, binance did not trade the symbol then, or lost it.
const MONTH_MISSED_DAYS: i64 = 45;
/// A day's file comes on the next day, most often.
const DAY_LATENESS_DAYS: i64 = 2;
/// So few days of a month are cheaper one by one.
const DAYS_FEW: i64 = 3;
const FOLDER: &str = "_archive";
const PART: &str = ".part";
const CHECKSUM: &str = ".CHECKSUM";

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// `BTCUSDT-1h-2024-11`.
    name: String,
    path: String,
    first_day: i64,
    /// The day behind its last.
    end_day: i64,
    /// The days of it that are wanted, where it is a month.
    days: Option<Vec<i64>>,
}

/// The files that hold every bar of `ranges` which the archive may have at `now`, by time.
#[must_use]
pub fn plan(symbol: &Symbol, interval: Interval, ranges: &[Range<Time>], now: Time) -> Vec<File> {
    let today = now.utc_day();
    let mut days: Vec<i64> = Vec::new();
    for range in ranges.iter().filter(|range| range.start < range.end) {
        let last = Time::from_micros(range.end.micros() - 1).utc_day().min(today - 1);
        let first = days.last().map_or(range.start.utc_day(), |last| range.start.utc_day().max(last + 1));
        days.extend(first..=last);
    }
    let mut files = Vec::new();
    for month in days.chunk_by(|a, b| date(*a).first_of_month() == date(*b).first_of_month()) {
        let first = date(month[0]).first_of_month();
        let end = day(first.saturating_add(1.month()));
        if month.len() as i64 > DAYS_FEW && end + MONTH_LATENESS_DAYS <= today {
            let file = File::new(symbol, interval, "monthly", &first.to_string()[..7], day(first)..end);
            files.push(File { days: Some(month.to_vec()), ..file });
        } else {
            files.extend(month.iter().map(|day| File::of_day(symbol, interval, *day)));
        }
    }
    files
}

fn date(day: i64) -> Date {
    Date::constant(1970, 1, 1).saturating_add(day.days())
}

fn day(date: Date) -> i64 {
    let since = date.since((jiff::Unit::Day, Date::constant(1970, 1, 1)));
    since.map_or(0, |span| i64::from(span.get_days()))
}

impl File {
    fn of_day(symbol: &Symbol, interval: Interval, day: i64) -> Self {
        Self::new(symbol, interval, "daily", &date(day).to_string(), day..day + 1)
    }

    fn new(symbol: &Symbol, interval: Interval, kind: &str, date: &str, days: Range<i64>) -> Self {
        let symbol = symbol.joined();
        let name = format!("{symbol}-{interval}-{date}");
        let path = format!("/data/spot/{kind}/klines/{symbol}/{interval}/{name}.zip");
        Self { name, path, first_day: days.start, end_day: days.end, days: None }
    }

    /// The file with this name, if it is one of the series.
    #[must_use]
    pub fn named(symbol: &Symbol, interval: Interval, zip_name: &str) -> Option<Self> {
        let start = format!("{}-{interval}-", symbol.joined());
        let text = zip_name.strip_suffix(".zip")?.strip_prefix(&start)?;
        match text.len() {
            7 => {
                let first: Date = format!("{text}-01").parse().ok()?;
                Some(Self::new(symbol, interval, "monthly", text, day(first)..day(first.saturating_add(1.month()))))
            }
            10 => Some(Self::of_day(symbol, interval, day(text.parse().ok()?))),
            _ => None,
        }
    }

    /// May it have bars of this range?
    #[must_use]
    pub fn overlaps(&self, range: &Range<Time>) -> bool {
        Time::start_of_day(self.first_day) < range.end && range.start < Time::start_of_day(self.end_day)
    }

    /// `BTCUSDT-1h-2024-11.zip`.
    #[must_use]
    pub fn zip_name(&self) -> String {
        format!("{}.zip", self.name)
    }
}

/// Files on their way here, in the order of time.
pub struct Archive<'a> {
    http: &'a Http,
    client: RestClient<'a>,
    folder: PathBuf,
    symbol: Symbol,
    interval: Interval,
    left: VecDeque<File>,
    /// Downloaded and found right.
    here: VecDeque<File>,
    /// Is anything of the series known to exist before what is left?
    has_begun: bool,
    today: i64,
    absent: Vec<String>,
}

impl<'a> Archive<'a> {
    /// The files of one series. `has_begun`: are there bars of it before them?
    ///
    /// # Errors
    /// When the venue wants no request.
    pub fn open(
        http: &'a Http,
        lake: &Path,
        symbol: &Symbol,
        interval: Interval,
        files: Vec<File>,
        has_begun: bool,
    ) -> Result<Self, BinanceError> {
        let client = RestClient::of_files(http, lake)?;
        let folder = lake.join(FOLDER);
        let today = http.now().utc_day();
        let (symbol, left, here) = (symbol.clone(), files.into(), VecDeque::new());
        Ok(Self { http, client, folder, symbol, interval, left, here, has_begun, today, absent: Vec::new() })
    }

    /// The next file, here and whole; none when there are no more. What was given before is done with.
    ///
    /// # Errors
    /// When the venue gives no file, or one that is not what its checksum says.
    pub fn next_file(&mut self) -> Result<Option<PathBuf>, BinanceError> {
        while self.here.is_empty() && !self.left.is_empty() {
            self.fetch_some()?;
        }
        Ok(self.here.pop_front().map(|file| self.folder.join(file.zip_name())))
    }

    /// What the venue says today that the file's hash is; none where there is no such file any more.
    ///
    /// # Errors
    /// When the venue gives no answer.
    pub fn published_checksum(&mut self, file: &File) -> Result<Option<String>, BinanceError> {
        self.checksum(file)
    }

    /// Removes a download of this name that is here and has another hash: the file was replaced since.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn drop_stale(&self, zip_name: &str, sha256: &str) -> Result<(), BinanceError> {
        let path = self.folder.join(zip_name);
        match feed::hash(&path, HashKind::Sha256) {
            Ok(found) if found.hash == sha256 => Ok(()),
            _ => self.done_with(&path),
        }
    }

    /// Removes a file whose bars are in the lake.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn done_with(&self, path: &Path) -> Result<(), BinanceError> {
        for path in [path.to_owned(), beside(path, CHECKSUM)] {
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BinanceError::Write { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files that should be there and are not: holes with a name.
    #[must_use]
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Brings the next few files here.
    fn fetch_some(&mut self) -> Result<(), BinanceError> {
        let failed = |source| BinanceError::Write { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let count = self.left.len().min(DOWNLOADS_MAX);
        let mut some: Vec<(File, String)> = Vec::new();
        let mut fetched: Vec<File> = Vec::new();
        for file in self.left.drain(..count).collect::<Vec<_>>() {
            if self.is_here(&file) {
                self.has_begun = true;
                fetched.push(file);
                continue;
            }
            match self.checksum(&file)? {
                Some(sum) => {
                    self.has_begun = true;
                    fetched.push(file.clone());
                    some.push((file, sum));
                }
                None => {
                    // What stands behind it in this batch comes after its days.
                    let days = self.without(&file);
                    fetched.extend(self.fetch_days(days, &mut some)?);
                }
            }
        }
        for batch in some.chunks(DOWNLOADS_MAX) {
            self.download(batch)?;
        }
        self.here.extend(fetched);
        Ok(())
    }

    /// The days of a month that has no file, each with its checksum.
    fn fetch_days(&mut self, days: Vec<File>, some: &mut Vec<(File, String)>) -> Result<Vec<File>, BinanceError> {
        let mut found = Vec::new();
        for file in days {
            if self.is_here(&file) {
                found.push(file);
            } else if let Some(sum) = self.checksum(&file)? {
                found.push(file.clone());
                some.push((file, sum));
            } else {
                self.without(&file);
            }
            self.has_begun |= !found.is_empty();
        }
        Ok(found)
    }

    /// What to do about a file that is not there: a month may be there by its days, a day is a hole or not published yet.
    fn without(&mut self, file: &File) -> Vec<File> {
        let is_late = file.end_day + MONTH_MISSED_DAYS > self.today;
        match &file.days {
            Some(days) if self.has_begun || is_late => {
                days.iter().map(|day| File::of_day(&self.symbol, self.interval, *day)).collect()
            }
            Some(_) => Vec::new(),
            None => {
                if self.has_begun && file.first_day + DAY_LATENESS_DAYS < self.today {
                    self.absent.push(file.zip_name());
                }
                Vec::new()
            }
        }
    }

    /// Did an earlier download leave it whole?
    fn is_here(&self, file: &File) -> bool {
        let path = self.folder.join(file.zip_name());
        let stated = std::fs::read_to_string(beside(&path, CHECKSUM)).ok().and_then(|text| sum_in(&text, &file.zip_name()));
        stated.is_some_and(|stated| feed::hash(&path, HashKind::Sha256).is_ok_and(|found| found.hash == stated))
    }

    /// What the venue says the file's hash is; none where there is no such file.
    fn checksum(&mut self, file: &File) -> Result<Option<String>, BinanceError> {
        let what = format!("the checksum of {}", file.zip_name());
        let mut attempts = 0;
        loop {
            attempts += 1;
            let said = match self.http.get(&format!("{}{CHECKSUM}", file.path)) {
                Ok(answer) => match answer.meaning(self.http.now()) {
                    Meaning::Absent => return self.refuse_unsummed(file),
                    meaning => match self.client.act_on(meaning, answer.status, &what)? {
                        None => match std::str::from_utf8(&answer.body).ok().and_then(|text| sum_in(text, &file.zip_name())) {
                            Some(sum) => return Ok(Some(sum)),
                            None => "a body that is no checksum of it".to_owned(),
                        },
                        Some(said) => said,
                    },
                },
                Err(why) => why,
            };
            self.client.go_on_after(attempts, &what, said)?;
        }
    }

    /// A file without a checksum is not taken. BINANCE-5. Where there is no file either, there is nothing to take.
    fn refuse_unsummed(&mut self, file: &File) -> Result<Option<String>, BinanceError> {
        let to = self.folder.join(format!("{}{PART}", file.zip_name()));
        let saved = self.http.save_all(&[(file.path.clone(), &to)]).pop();
        let _leftover = std::fs::remove_file(&to);
        match saved {
            Some(Ok(saved)) if saved.answer.status == 200 => Err(BinanceError::NoChecksum { name: file.zip_name() }),
            _ => Ok(None),
        }
    }

    /// Downloads files side by side until each is here and right.
    fn download(&mut self, batch: &[(File, String)]) -> Result<(), BinanceError> {
        let (mut attempts, mut mismatches) = (0, 0);
        let mut left: Vec<&(File, String)> = batch.iter().collect();
        loop {
            attempts += 1;
            let targets: Vec<PathBuf> =
                left.iter().map(|(file, _)| self.folder.join(format!("{}{PART}", file.zip_name()))).collect();
            let jobs: Vec<(String, &Path)> =
                left.iter().zip(&targets).map(|((file, _), to)| (file.path.clone(), to.as_path())).collect();
            let mut again = Vec::new();
            let mut last = String::new();
            for ((job, to), saved) in left.iter().zip(&targets).zip(self.http.save_all(&jobs)) {
                match self.settle(job, to, saved) {
                    Ok(None) => {}
                    Ok(Some(said)) => {
                        last = said;
                        again.push(*job);
                    }
                    Err(BinanceError::Checksum { found, .. }) if mismatches + 1 < CHECKSUM_ATTEMPTS_MAX => {
                        mismatches += 1;
                        last = format!("bytes with the SHA-256 {found}");
                        again.push(*job);
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some((file, _)) = again.first() else { return Ok(()) };
            self.client.go_on_after(attempts, &file.zip_name(), last)?;
            left = again;
        }
    }

    /// Gives a downloaded file its name if it is right; what was said if it may come yet.
    fn settle(
        &mut self,
        (file, sum): &(File, String),
        to: &Path,
        saved: Result<Saved, String>,
    ) -> Result<Option<String>, BinanceError> {
        let name = file.zip_name();
        let Saved { answer, sha256 } = match saved {
            Ok(saved) => saved,
            Err(why) => return Ok(Some(why)),
        };
        let found = Answer { status: answer.status, retry_after: answer.retry_after, ..Answer::default() };
        let meaning = if found.status == 200 { Meaning::Body } else { found.meaning(self.http.now()) };
        if let Some(said) = self.client.act_on(meaning, found.status, &name)? {
            return Ok(Some(said));
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BinanceError::Write { path, source }
        };
        if sha256 != *sum {
            std::fs::remove_file(to).map_err(failed(to))?;
            return Err(BinanceError::Checksum { name, found: sha256, stated: sum.clone() });
        }
        check_member(to, file)?;
        let path = self.folder.join(&name);
        let sums = beside(&path, CHECKSUM);
        std::fs::write(&sums, format!("{sum}  {name}\n")).map_err(failed(&sums))?;
        std::fs::rename(to, &path).map_err(failed(&path))?;
        Ok(None)
    }
}

/// One member, with the name that belongs to the file: no path leads out of an archive that holds `x.csv` only.
fn check_member(path: &Path, file: &File) -> Result<(), BinanceError> {
    let expected = format!("{}.csv", file.name);
    let wrong = |why: String| BinanceError::Member { name: file.zip_name(), expected: expected.clone(), why };
    let archive = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let archive = zip::ZipArchive::new(archive).map_err(|error| wrong(error.to_string()))?;
    let names: Vec<_> = archive.file_names().collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if matches!(names.as_slice(), [only] if *only == expected.as_str()) {
        return Ok(());
    }
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("{name:?}")).collect();
    Err(wrong(format!("it holds {}", shown.join(", "))))
}

/// The hash in a line of `sha256sum`, if it speaks of this file.
fn sum_in(text: &str, name: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (sum, of) = (words.next()?, words.next()?);
    let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_sum && of.trim_start_matches('*') == name).then(|| sum.to_ascii_lowercase())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ranges: &[(&str, &str)], now: &str) -> Vec<String> {
        let ranges: Vec<Range<Time>> = ranges.iter().map(|(a, b)| a.parse().unwrap()..b.parse().unwrap()).collect();
        let files = plan(&"BTC/USDT".parse().unwrap(), "1h".parse().unwrap(), &ranges, now.parse().unwrap());
        files.into_iter().map(|file| file.name["BTCUSDT-1h-".len()..].to_owned()).collect()
    }

    #[test]
    fn whole_months_and_single_days() {
        assert_eq!(names(&[("2024-11-01", "2025-01-01")], "2025-03-01"), ["2024-11", "2024-12"]);
        assert_eq!(names(&[("2024-02-28T12:00", "2024-03-01T01:00")], "2025-03-01"), ["2024-02-28", "2024-02-29", "2024-03-01"]);
        // A bar of one day twice is one file, and today has none.
        let twice = [("2025-02-27T01:00", "2025-02-27T02:00"), ("2025-02-27T05:00", "2025-03-02")];
        assert_eq!(names(&twice, "2025-03-01T09:00"), ["2025-02-27", "2025-02-28"]);
        // The file of a month comes some days after it.
        assert_eq!(names(&[("2025-02-01", "2025-03-01")], "2025-03-05").len(), 28);
        assert_eq!(names(&[("2025-02-01", "2025-03-01")], "2025-03-10"), ["2025-02"]);
        assert_eq!(names(&[("2025-02-01", "2025-02-01")], "2025-03-10"), [""; 0]);
    }

    #[test]
    fn paths_are_those_of_the_archive() {
        let files = plan(
            &"BTC/USDT".parse().unwrap(),
            "1m".parse().unwrap(),
            &["2024-11-01".parse().unwrap().."2024-12-01".parse().unwrap()],
            "2025-01-01".parse().unwrap(),
        );
        assert_eq!(files[0].path, "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-11.zip");
        let day = File::of_day(&"BTC/USDT".parse().unwrap(), "1m".parse().unwrap(), date(0).day().into());
        assert_eq!(day.path, "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-1970-01-02.zip");
    }

    #[test]
    fn names_read_back() {
        let (symbol, hour) = ("BTC/USDT".parse().unwrap(), "1h".parse().unwrap());
        let at = |text: &str| text.parse::<Time>().unwrap();
        for name in ["BTCUSDT-1h-2024-11.zip", "BTCUSDT-1h-2024-11-30.zip"] {
            let file = File::named(&symbol, hour, name).unwrap();
            assert_eq!(file.zip_name(), name);
            assert!(file.overlaps(&(at("2024-11-30T23:00")..at("2025-01-01"))), "{name}");
            assert!(!file.overlaps(&(at("2024-12-01")..at("2025-01-01"))), "{name}");
        }
        for other in ["ETHUSDT-1h-2024-11.zip", "BTCUSDT-1m-2024-11.zip", "BTCUSDT-1h-2024.zip", "BTCUSDT-1h-2024-1x.zip"] {
            assert_eq!(File::named(&symbol, hour, other), None, "{other}");
        }
    }

    #[test]
    fn a_checksum_speaks_of_one_file() {
        let sum = "ab".repeat(32);
        assert_eq!(sum_in(&format!("{sum}  a.zip\n"), "a.zip"), Some(sum.clone()));
        assert_eq!(sum_in(&format!("{sum}  b.zip\n"), "a.zip"), None);
        for wrong in ["", "ab  a.zip", "<html> a.zip"] {
            assert_eq!(sum_in(wrong, "a.zip"), None, "{wrong}");
        }
    }
}
