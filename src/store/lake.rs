//! The lake: which series there are, and reading them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::disk::{Disk, hex};
use super::fingerprint::Content;
use super::manifest::{self, Manifest, Part};
use super::{Bucket, LakeError, parquet};
use crate::domain::{Columns, Projection, Rows, Series, Symbol, Time};

/// A reader whose part was merged away under its hands looks at the manifest again, this often.
const READ_ATTEMPTS_MAX: u32 = 4;
/// What is hashed at once.
const HASH_BYTES: usize = 128 << 10;

/// A folder of bars, or a bucket of them.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    pub(super) disk: Disk,
    pub(super) bucket: Option<Arc<Bucket>>,
    local: PathBuf,
}

/// What the lake has of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesInfo {
    pub series: Series,
    pub rows: u64,
    pub first: Time,
    /// Open time of the last bar.
    pub last: Time,
    pub parts: usize,
    pub bytes: u64,
}

impl Lake {
    /// A lake that is not there yet is empty; the first append makes it.
    ///
    /// # Errors
    /// When `root` is something else than a folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, LakeError> {
        Self::on(root, Disk::default())
    }

    /// The same on a disk of the test's choice.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn on(root: impl Into<PathBuf>, disk: Disk) -> Result<Self, LakeError> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if !found.is_dir() => Err(LakeError::NotFolder(root)),
            Err(error) if error.kind() == ErrorKind::NotADirectory => Err(LakeError::NotFolder(root)),
            Err(source) if source.kind() != ErrorKind::NotFound => Err(LakeError::Read { path: root, source }),
            _ => Ok(Self { local: root.clone(), root, disk, bucket: None }),
        }
    }

    /// A lake in a bucket. What only this machine needs, like files on their way into the lake, lies in the folder `local`.
    #[must_use]
    pub fn in_bucket(bucket: Bucket, local: impl Into<PathBuf>) -> Self {
        let root = bucket.root().to_owned();
        Self { root, disk: Disk::default(), bucket: Some(Arc::new(bucket)), local: local.into() }
    }

    /// Where the lake is, as it is shown: of a bucket, its address.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder of this machine for what belongs to it and not to the lake.
    #[must_use]
    pub fn local(&self) -> &Path {
        &self.local
    }

    /// The folder of a series.
    #[must_use]
    pub fn folder(&self, series: &Series) -> PathBuf {
        self.root
            .join("ohlcv")
            .join(format!("venue={}", series.venue()))
            .join(format!("symbol={}", series.symbol().dashed()))
            .join(format!("interval={}", series.interval()))
    }

    /// Every series with bars, by name.
    ///
    /// # Errors
    /// When a folder or manifest cannot be read.
    pub fn series(&self) -> Result<Vec<SeriesInfo>, LakeError> {
        let mut found = Vec::new();
        for (venue, venue_folder) in self.named_folders(&self.root.join("ohlcv"), "venue=")? {
            for (symbol, symbol_folder) in self.named_folders(&venue_folder, "symbol=")? {
                for (interval, _) in self.named_folders(&symbol_folder, "interval=")? {
                    // Folders that we would not have made are none of ours.
                    let (Ok(symbol), Ok(interval)) = (symbol.parse::<Symbol>(), interval.parse()) else { continue };
                    let Ok(series) = Series::new(&venue, symbol, interval) else { continue };
                    found.extend(self.info(&series)?);
                }
            }
        }
        found.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(found)
    }

    /// What there is of one series; none if there is no bar.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn info(&self, series: &Series) -> Result<Option<SeriesInfo>, LakeError> {
        let Some(manifest) = self.manifest(series)? else { return Ok(None) };
        let (Some(first), Some(last)) = (manifest.first(), manifest.last()) else { return Ok(None) };
        Ok(Some(SeriesInfo {
            series: series.clone(),
            rows: manifest.rows(),
            first,
            last,
            parts: manifest.parts.len(),
            bytes: manifest.parts.iter().map(|part| part.bytes).sum(),
        }))
    }

    /// # Errors
    /// When it is there and cannot be read.
    pub fn manifest(&self, series: &Series) -> Result<Option<Manifest>, LakeError> {
        match &self.bucket {
            None => Manifest::load(&self.folder(series)),
            Some(bucket) => bucket.manifest(&self.folder(series)),
        }
    }

    /// Open time of the last bar.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn last_open_time(&self, series: &Series) -> Result<Option<Time>, LakeError> {
        Ok(self.manifest(series)?.and_then(|manifest| manifest.last()))
    }

    /// The bars with `from <= open_time < to`, ascending. Columns not asked for stay empty.
    ///
    /// # Errors
    /// When the series is not there, or a part of it is missing or damaged.
    pub fn read(&self, series: &Series, from: Option<Time>, to: Option<Time>, columns: Projection) -> Result<Columns, LakeError> {
        Ok(self.read_rows(series, from, to, columns)?.bars)
    }

    /// The same with what the venue says beyond prices and volume, if `columns` asks for it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_rows(
        &self,
        series: &Series,
        from: Option<Time>,
        to: Option<Time>,
        columns: Projection,
    ) -> Result<Rows, LakeError> {
        let times = from.unwrap_or(Time::MIN).micros()..to.unwrap_or(Time::MAX).micros();
        let folder = self.folder(series);
        self.with_manifest(series, |manifest| self.read_parts(&folder, &manifest.parts, &times, columns))
    }

    /// A name for the bars with `from <= open_time < to` that depends on what they say and on nothing else.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn fingerprint(&self, series: &Series, from: Option<Time>, to: Option<Time>) -> Result<String, LakeError> {
        let times = from.unwrap_or(Time::MIN).micros()..to.unwrap_or(Time::MAX).micros();
        let folder = self.folder(series);
        self.with_manifest(series, |manifest| {
            let (mut content, mut rows) = (Content::default(), 0);
            for part in overlapping(&manifest.parts, &times) {
                let is_whole = times.start <= part.first.micros() && part.last.micros() < times.end;
                let stated = Content::from_hex(&part.content).filter(|_| is_whole);
                let (sum, count) = match stated {
                    Some(sum) => (sum, part.rows),
                    None => {
                        let read = self.read_parts(&folder, std::slice::from_ref(part), &times, Projection::BAR)?.bars;
                        (Content::of(&read, 0..read.len()), read.len() as u64)
                    }
                };
                content = content.and(sum);
                rows += count;
            }
            Ok(content.name(series, rows))
        })
    }

    /// Reads with the manifest, and once more if a writer replaced it and a part meanwhile.
    fn with_manifest<T>(&self, series: &Series, read: impl Fn(&Manifest) -> Result<T, LakeError>) -> Result<T, LakeError> {
        let load = || {
            let found = self.manifest(series)?.filter(|manifest| !manifest.parts.is_empty());
            found.ok_or_else(|| LakeError::NoSeries { series: series.clone(), lake: self.root.clone() })
        };
        let mut manifest = load()?;
        for _ in 1..READ_ATTEMPTS_MAX {
            match read(&manifest) {
                Err(LakeError::Read { path, source }) if source.kind() == ErrorKind::NotFound => {
                    let newer = load()?;
                    if newer.parts == manifest.parts {
                        return Err(LakeError::Damaged { path, why: "the manifest lists it and it is not there".to_owned() });
                    }
                    manifest = newer;
                }
                other => return other,
            }
        }
        read(&manifest)
    }

    /// The bars of `parts`, which lie below `folder`, that lie in `times`, ascending.
    pub(super) fn read_parts(
        &self,
        folder: &Path,
        parts: &[Part],
        times: &Range<i64>,
        columns: Projection,
    ) -> Result<Rows, LakeError> {
        let mut wanted: Vec<&Part> = overlapping(parts, times).collect();
        wanted.sort_by_key(|part| part.first);
        let mut rows = room_for(wanted.iter().map(|part| part.rows).sum(), columns);
        for part in wanted {
            let path = folder.join(&part.file);
            let read = match &self.bucket {
                None => parquet::read(open_verified(&path, part)?, columns, times, &mut rows),
                Some(bucket) => parquet::read(get_verified(bucket, &path, part)?, columns, times, &mut rows),
            };
            read.map_err(|error| LakeError::Damaged { path, why: error.to_string() })?;
        }
        if rows.is_ascending() {
            return Ok(rows);
        }
        let merged = merge(&rows, columns);
        if merged.is_ascending() {
            return Ok(merged);
        }
        Err(LakeError::Damaged { path: folder.join(manifest::FILE), why: "it lists parts that hold the same times".to_owned() })
    }

    fn named_folders(&self, folder: &Path, prefix: &str) -> Result<Vec<(String, PathBuf)>, LakeError> {
        let Some(bucket) = &self.bucket else { return named_folders(folder, prefix) };
        let names = bucket.folders(folder)?;
        let named = |name: &String| Some((name.strip_prefix(prefix)?.to_owned(), folder.join(name)));
        Ok(names.iter().filter_map(named).collect())
    }
}

/// The parts that may hold bars of `times`.
pub(super) fn overlapping<'a>(parts: &'a [Part], times: &Range<i64>) -> impl Iterator<Item = &'a Part> {
    let times = times.clone();
    parts.iter().filter(move |part| part.first.micros() < times.end && times.start <= part.last.micros())
}

/// Opens a part once its bytes are known to be those that the manifest lists. They are hashed through a small buffer and read
/// again column by column: both times they come from memory, and a buffer for the whole file would cost more than that.
fn open_verified(path: &Path, part: &Part) -> Result<File, LakeError> {
    let failed = |source| LakeError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let hash = if bytes == part.bytes { hash_of(&mut file).map_err(failed)? } else { String::new() };
    verify(path, part, bytes, &hash)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

/// The same from a bucket, where it comes into memory whole.
fn get_verified(bucket: &Bucket, path: &Path, part: &Part) -> Result<Bytes, LakeError> {
    let absent = || LakeError::Read { path: path.to_owned(), source: ErrorKind::NotFound.into() };
    let content = bucket.get(path, part.bytes)?.ok_or_else(absent)?.content;
    verify(path, part, content.len() as u64, &hex(&Sha256::digest(&content)))?;
    Ok(content)
}

/// LAKE-3.
fn verify(path: &Path, part: &Part, bytes: u64, hash: &str) -> Result<(), LakeError> {
    let damaged = |why: String| Err(LakeError::Damaged { path: path.to_owned(), why });
    if bytes != part.bytes {
        return damaged(format!("it has {bytes} bytes, the manifest says {}", part.bytes));
    }
    if hash != part.sha256 {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        return damaged(format!("its SHA-256 begins {}, the manifest says {}", short(hash), short(&part.sha256)));
    }
    Ok(())
}

fn hash_of(file: &mut File) -> std::io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; HASH_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Rows with room in the columns that will be read, and no memory in the others.
fn room_for(rows: u64, columns: Projection) -> Rows {
    let len = usize::try_from(rows).unwrap_or(0);
    if columns == Projection::ALL {
        return Rows::with_capacity(len);
    }
    let mut room = Rows::default();
    room.bars.open_time.reserve_exact(len);
    for (wanted, column) in [
        (Projection::OPEN, &mut room.bars.open),
        (Projection::HIGH, &mut room.bars.high),
        (Projection::LOW, &mut room.bars.low),
        (Projection::CLOSE, &mut room.bars.close),
        (Projection::VOLUME, &mut room.bars.volume),
    ] {
        if columns.has(wanted) {
            column.reserve_exact(len);
        }
    }
    room
}

/// Sorts rows of parts whose times interleave: a later import filled a hole of an earlier one.
fn merge(rows: &Rows, columns: Projection) -> Rows {
    let times = &rows.bars.open_time;
    let mut order: Vec<u32> = (0..u32::try_from(times.len()).expect("a series has fewer than 2^32 bars")).collect();
    order.sort_by_key(|&at| times[at as usize]);
    rows.take_projected(&order, columns)
}

fn named_folders(folder: &Path, prefix: &str) -> Result<Vec<(String, PathBuf)>, LakeError> {
    let failed = |source| LakeError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str().and_then(|name| name.strip_prefix(prefix)) {
            found.push((name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
