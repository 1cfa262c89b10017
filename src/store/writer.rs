//! Adding bars to a series: parts first, in a shadow of it, then the manifest that makes them count.

use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::bucket::Claim;
use super::disk::{Published, TEMPORARY, hex};
use super::fingerprint::Content;
use super::lake::{Lake, overlapping};
use super::lock::Lock;
use super::manifest::{self, Import, Manifest, Part};
use super::{LakeError, parquet, shadow};
use crate::domain::{Projection, Rows, Series, Time};

/// A part with fewer rows is merged with what comes next for its year, so that a bar a minute does not become a file a minute.
const SMALL_PART_ROWS: u64 = 8192;
const LOCK: &str = ".lock";

/// What an append did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    pub added: u64,
    /// Bars that were there with the same values.
    pub already_there: u64,
    /// Bars that were there with other values; what was there stays.
    pub conflicting: u64,
}

/// What staging found out about each row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    pub added: u64,
    /// Indices of rows that were there with the same values.
    pub same: Vec<u32>,
    /// Indices of rows that were there with other values.
    pub different: Vec<u32>,
}

/// The right to write one series, held until it is dropped.
#[derive(Debug)]
pub struct Writer<'a> {
    lake: &'a Lake,
    pub(super) series: Series,
    folder: PathBuf,
    shadow: PathBuf,
    /// Where parts come and go.
    work: Work,
    /// As on the disk.
    manifest: Manifest,
    /// As it will be.
    pub(super) next: Manifest,
    right: Right,
}

/// What makes a writer the one whose manifest counts.
#[derive(Debug)]
enum Right {
    /// No other begins while it is held.
    Lock(#[expect(dead_code, reason = "held for what its end does")] Lock),
    /// Others may begin, and the first to commit is right.
    Claim(Claim),
}

/// Where parts come and go until they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// No part has come or gone.
    None,
    /// In the shadow, which has every other file too.
    Shadow,
    /// In the series itself: in a bucket, and where the file system knows no second names.
    InPlace,
}

impl Lake {
    /// Takes the lock of a series and clears away what an interrupted writer left.
    ///
    /// # Errors
    /// [`LakeError::Locked`] when another program writes this series; else when the folder cannot be read or written.
    pub fn writer(&self, series: &Series) -> Result<Writer<'_>, LakeError> {
        let folder = self.folder(series);
        let (right, manifest) = match &self.bucket {
            None => self.lock(series, &folder)?,
            Some(bucket) => Claim::take(bucket, &folder).map(|(claim, manifest)| (Right::Claim(claim), manifest))?,
        };
        let writer = Writer {
            lake: self,
            series: series.clone(),
            folder,
            shadow: self.shadow_path(series),
            work: Work::None,
            next: manifest.clone(),
            manifest,
            right,
        };
        writer.sweep()?;
        Ok(writer)
    }

    fn lock(&self, series: &Series, folder: &Path) -> Result<(Right, Manifest), LakeError> {
        let cannot_write = |source| LakeError::Write { path: folder.to_owned(), source };
        self.disk.create_folder(folder).map_err(cannot_write)?;
        let lock = folder.join(LOCK);
        let held = Lock::take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => LakeError::Locked { series: series.clone(), lock },
            TryLockError::Error(source) => LakeError::Write { path: lock, source },
        })?;
        let manifest = match Manifest::load(folder)? {
            Some(manifest) => manifest,
            None => self.begin(folder)?,
        };
        Ok((Right::Lock(held), manifest))
    }

    /// Writes the first manifest of a series. From then on parts without one mean that it was lost, and are left alone.
    fn begin(&self, folder: &Path) -> Result<Manifest, LakeError> {
        let path = folder.join(manifest::FILE);
        if names(folder)?.iter().any(|name| name.starts_with("year=")) {
            return Err(LakeError::Damaged { path, why: "it is gone, and there are bars beside it".to_owned() });
        }
        let manifest = Manifest::default();
        self.disk.replace(folder, manifest::FILE, &manifest.to_json()).map_err(|source| LakeError::Write { path, source })?;
        Ok(manifest)
    }

    /// Adds the bars that are new; `rows` are ascending.
    ///
    /// # Errors
    /// When they are not ascending, the series is locked, or the disk fails; the lake is then as before.
    pub fn append(&self, series: &Series, rows: &Rows) -> Result<Appended, LakeError> {
        if rows.is_empty() {
            return Ok(Appended::default());
        }
        let mut writer = self.writer(series)?;
        let staged = writer.stage(rows)?;
        writer.commit()?;
        let (already_there, conflicting) = (staged.same.len() as u64, staged.different.len() as u64);
        Ok(Appended { added: staged.added, already_there, conflicting })
    }
}

impl Writer<'_> {
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The manifest as it is on the disk.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Open time of the last bar before `time`, staged ones included, with its close.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub fn close_before(&self, time: Time) -> Result<Option<(Time, f64)>, LakeError> {
        let before = i64::MIN..time.micros();
        let last = |part: &&Part| part.last.min(time);
        let Some(part) = overlapping(&self.next.parts, &before).max_by_key(last) else { return Ok(None) };
        // A part that ends before `time` ends with the bar we want; one that reaches past it may have a hole there which
        // another part fills, so all are read from where it begins.
        let from = if part.last < time { part.last.micros() } else { part.first.micros() };
        let rows = self.read(&(from..time.micros()), Projection::CLOSE)?;
        Ok(rows.bars.close.last().map(|close| (rows.bars.time(rows.len() - 1), *close)))
    }

    /// Writes the rows that are new as parts, which do not count before [`Self::commit`].
    ///
    /// # Errors
    /// When `rows` are not ascending or the disk fails.
    pub fn stage(&mut self, rows: &Rows) -> Result<Staged, LakeError> {
        if !rows.is_ascending() {
            return Err(LakeError::NotAscending);
        }
        let (Some(&first), Some(&last)) = (rows.bars.open_time.first(), rows.bars.open_time.last()) else {
            return Ok(Staged::default());
        };
        let times = first..last + 1;
        if overlapping(&self.next.parts, &times).next().is_none() {
            self.stage_new(rows)?;
            return Ok(Staged { added: rows.len() as u64, ..Staged::default() });
        }
        let there = self.read(&times, Projection::BAR)?;
        let (staged, fresh) = compare(rows, &there);
        drop(there);
        if fresh.len() == rows.len() {
            self.stage_new(rows)?;
        } else if !fresh.is_empty() {
            self.stage_new(&rows.take(&fresh))?;
        }
        Ok(staged)
    }

    /// Remembers, with the next commit, where bars came from.
    pub fn record(&mut self, import: Import) {
        self.next.record(import);
    }

    /// Makes the staged parts count, and what was recorded.
    ///
    /// # Errors
    /// When the disk fails; the series is then as before, or as after if only the last sync failed.
    pub fn commit(mut self) -> Result<(), LakeError> {
        self.next.parts.sort_by(|a, b| (a.first, &a.file).cmp(&(b.first, &b.file)));
        if self.next == self.manifest {
            return Ok(());
        }
        if let Right::Claim(claim) = &self.right {
            return claim.commit(&self.series, &self.folder, &self.manifest, &self.next);
        }
        if self.work == Work::Shadow {
            self.sweep_in(&self.shadow, &self.next)?;
            self.put_manifest(&self.shadow)?;
            let swapped = shadow::swap(&self.lake.disk, &self.folder, &self.shadow).map_err(|e| self.cannot_write(e))?;
            if swapped {
                // What the series was lies where the shadow was. If it stays, the next writer sweeps it up.
                return self.sweep();
            }
            let old: BTreeSet<&str> = self.manifest.parts.iter().map(|part| part.file.as_str()).collect();
            let new: BTreeSet<&str> =
                self.next.parts.iter().map(|part| part.file.as_str()).filter(|f| !old.contains(f)).collect();
            shadow::move_in(&self.lake.disk, &self.folder, &self.shadow, &new).map_err(|e| self.cannot_write(e))?;
        }
        self.put_manifest(&self.folder)?;
        self.sweep()
    }

    fn put_manifest(&self, folder: &Path) -> Result<(), LakeError> {
        let path = folder.join(manifest::FILE);
        let put = self.lake.disk.replace(folder, manifest::FILE, &self.next.to_json());
        put.map_err(|source| LakeError::Write { path, source })
    }

    fn cannot_write(&self, source: std::io::Error) -> LakeError {
        LakeError::Write { path: self.folder.clone(), source }
    }

    /// From here on parts come and go.
    pub(super) fn begin(&mut self) -> Result<(), LakeError> {
        if matches!(self.right, Right::Claim(_)) {
            self.work = Work::InPlace;
        }
        if self.work == Work::None {
            let cast = shadow::cast(&self.lake.disk, &self.folder, &self.shadow);
            let has_shadow = cast.map_err(|source| LakeError::Write { path: self.shadow.clone(), source })?;
            self.work = if has_shadow { Work::Shadow } else { Work::InPlace };
        }
        Ok(())
    }

    /// Where the parts lie that will be.
    pub(super) fn place(&self) -> &Path {
        if self.work == Work::Shadow { &self.shadow } else { &self.folder }
    }

    /// The bars that will be.
    pub(super) fn read(&self, times: &Range<i64>, columns: Projection) -> Result<Rows, LakeError> {
        self.read_of(&self.next.parts, times, columns)
    }

    /// The bars of these parts.
    pub(super) fn read_of(&self, parts: &[Part], times: &Range<i64>, columns: Projection) -> Result<Rows, LakeError> {
        self.lake.read_parts(self.place(), parts, times, columns)
    }

    /// Takes a part away. In the shadow it goes at once; in the series it stays until the manifest lists it no more.
    pub(super) fn drop_part(&mut self, file: &str) -> Result<(), LakeError> {
        self.next.parts.retain(|part| part.file != file);
        if self.work == Work::Shadow { self.remove(&self.shadow.join(file)) } else { Ok(()) }
    }

    fn stage_new(&mut self, rows: &Rows) -> Result<(), LakeError> {
        self.begin()?;
        let mut start = 0;
        while start < rows.len() {
            let year = rows.bars.time(start).year();
            let end = rows.bars.lower_bound(Time::start_of_year(year.saturating_add(1)));
            let folder = format!("year={year}/");
            let is_small = |part: &&Part| part.rows < SMALL_PART_ROWS && part.file.starts_with(&folder);
            match self.next.parts.iter().find(is_small).cloned() {
                Some(small) => {
                    let merged = self.merge(&small, rows, start..end)?;
                    self.add_part(&merged, 0..merged.len())?;
                    self.drop_part(&small.file)?;
                }
                None => self.add_part(rows, start..end)?,
            }
            start = end;
        }
        Ok(())
    }

    /// The bars of a small part and new ones, in order.
    fn merge(&self, small: &Part, rows: &Rows, range: Range<usize>) -> Result<Rows, LakeError> {
        let small = std::slice::from_ref(small);
        let mut all = self.read_of(small, &(i64::MIN..i64::MAX), Projection::ALL)?;
        let order: Vec<u32> = range.map(|at| at as u32).collect();
        all.append(&mut rows.take(&order));
        if all.is_ascending() {
            return Ok(all);
        }
        let mut order: Vec<u32> = (0..all.len() as u32).collect();
        order.sort_by_key(|&at| all.bars.open_time[at as usize]);
        Ok(all.take(&order))
    }

    /// Writes a part with the bars of `range`, which lie in one year.
    pub(super) fn add_part(&mut self, rows: &Rows, range: Range<usize>) -> Result<(), LakeError> {
        let (first, last) = (rows.bars.time(range.start), rows.bars.time(range.end - 1));
        let folder = format!("year={}", first.year());
        let path = self.place().join(&folder);
        let published = match &mut self.right {
            Right::Lock(_) => self.write_file(&path, rows, range.clone())?,
            Right::Claim(claim) => put_object(claim, &path, rows, range.clone())?,
        };
        self.next.parts.push(Part {
            file: format!("{folder}/{}", published.name),
            rows: range.len() as u64,
            first,
            last,
            bytes: published.bytes,
            sha256: published.sha256,
            content: Content::of(&rows.bars, range).to_hex(),
        });
        Ok(())
    }

    fn write_file(&self, folder: &Path, rows: &Rows, range: Range<usize>) -> Result<Published, LakeError> {
        let failed = |source| LakeError::Write { path: folder.to_owned(), source };
        let first = rows.bars.time(range.start);
        let mut draft = self.lake.disk.draft(folder).map_err(failed)?;
        if let Err(error) = parquet::write(&mut draft, rows, range) {
            return Err(failed(draft.take_failure().unwrap_or_else(|| std::io::Error::other(error))));
        }
        draft.publish(|sha256| part_name(first, sha256)).map_err(failed)
    }

    /// Removes files that the manifest does not list: drafts, the shadow, and parts of a writer that died before its manifest or after
    /// it. The manifest is the one on the disk at this moment, not the one remembered: a commit may have failed after it counted.
    fn sweep(&self) -> Result<(), LakeError> {
        if matches!(self.right, Right::Claim(_)) {
            // What lies about there may be another's: only what is old goes, when a writer begins.
            return Ok(());
        }
        let gone = self.lake.disk.remove_folder(&self.shadow);
        gone.map_err(|source| LakeError::Write { path: self.shadow.clone(), source })?;
        match Manifest::load(&self.folder)? {
            Some(manifest) => self.sweep_in(&self.folder, &manifest),
            None => Ok(()),
        }
    }

    fn sweep_in(&self, folder: &Path, manifest: &Manifest) -> Result<(), LakeError> {
        let listed = |file: &str| manifest.parts.iter().any(|part| part.file == file);
        for name in names(folder)? {
            if name.starts_with(TEMPORARY) {
                self.remove(&folder.join(&name))?;
            }
            if !name.starts_with("year=") {
                continue;
            }
            for inner in names(&folder.join(&name))? {
                let file = format!("{name}/{inner}");
                let is_part = inner.starts_with("part-") && inner.ends_with(".parquet");
                if inner.starts_with(TEMPORARY) || is_part && !listed(&file) {
                    self.remove(&folder.join(&file))?;
                }
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), LakeError> {
        self.lake.disk.remove(path).map_err(|source| LakeError::Write { path: path.to_owned(), source })
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        // Staged and not committed: the next writer would sweep them up too, this one spares readers by glob the sight.
        let _ = self.sweep();
    }
}

/// Sorts out which rows are new. Both are ascending.
fn compare(rows: &Rows, there: &Rows) -> (Staged, Vec<u32>) {
    let (mut staged, mut fresh) = (Staged::default(), Vec::with_capacity(rows.len()));
    let mut old = 0;
    for (at, &time) in rows.bars.open_time.iter().enumerate() {
        while there.bars.open_time.get(old).is_some_and(|&t| t < time) {
            old += 1;
        }
        match there.bars.open_time.get(old) {
            Some(&t) if t == time && rows.same_values(at, there, old) => staged.same.push(at as u32),
            Some(&t) if t == time => staged.different.push(at as u32),
            _ => fresh.push(at as u32),
        }
    }
    staged.added = fresh.len() as u64;
    (staged, fresh)
}

fn part_name(first: Time, sha256: &str) -> String {
    let first: String = first.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("part-{first}-{}.parquet", &sha256[..16])
}

/// Encodes a part in memory, whose content must be known before its name.
fn put_object(claim: &mut Claim, folder: &Path, rows: &Rows, range: Range<usize>) -> Result<Published, LakeError> {
    let first = rows.bars.time(range.start);
    let cannot_write = |error| LakeError::Write { path: folder.to_owned(), source: std::io::Error::other(error) };
    let content = parquet::write(Vec::new(), rows, range).map_err(cannot_write)?;
    let (sha256, bytes) = (hex(&Sha256::digest(&content)), content.len() as u64);
    let name = claim.put_part(folder, content, |nth| match nth {
        0 => part_name(first, &sha256),
        nth => part_name(first, &sha256).replace(".parquet", &format!("-{nth}.parquet")),
    })?;
    Ok(Published { name, sha256, bytes })
}

fn names(folder: &Path) -> Result<Vec<String>, LakeError> {
    let failed = |source| LakeError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}
