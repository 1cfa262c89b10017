//! Writing one series of a bucket: what takes the place of the lock and of the renames of a folder.

use std::path::Path;
use std::sync::Arc;

use super::{Bucket, LakeError, Object, Trouble, Unless, Version};
use crate::clock::{Clock, SystemClock};
use crate::domain::{Series, Span, Time};
use crate::store::manifest::{self, Manifest};

/// A manifest names two thousand imports and a part for each year.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Names for one content are tried up to here; a second one is needed only where a leftover is about to be swept up.
const NAMES_MAX: u32 = 8;
/// An object that nobody reads, to learn whether the service keeps its word.
const PROBE: &str = "_probe";

/// The version of the manifest that a writer goes by. It can be replaced only while it is the one that is there. LAKE-7.
#[derive(Debug)]
pub(in crate::store) struct Claim {
    bucket: Arc<Bucket>,
    version: Version,
    /// When the first part was put.
    begun: Option<Time>,
}

impl Bucket {
    pub(in crate::store) fn manifest(&self, folder: &Path) -> Result<Option<Manifest>, LakeError> {
        let found = self.manifest_object(folder)?;
        found.map(|object| Manifest::parse(&folder.join(manifest::FILE), &object.content)).transpose()
    }

    fn manifest_object(&self, folder: &Path) -> Result<Option<Object>, LakeError> {
        self.get(&folder.join(manifest::FILE), MANIFEST_BYTES_MAX)
    }

    /// A writer that takes longer from its first part to its commit gives up.
    fn patience(&self) -> Span {
        Span::from_micros(self.grace.micros() / 2)
    }

    /// The first manifest of a series: ours, or that of another writer who was quicker. Parts without one mean that it was lost.
    fn begin(&self, folder: &Path) -> Result<Object, LakeError> {
        let path = folder.join(manifest::FILE);
        let damaged = |why: &str| LakeError::Damaged { path: path.clone(), why: why.to_owned() };
        if self.list_below(folder)?.iter().any(|object| is_part(&object.name)) {
            // They may have come this moment, and a manifest before them.
            return self.manifest_object(folder)?.ok_or_else(|| damaged("it is gone, and there are bars beside it"));
        }
        self.probe()?;
        self.put(&path, Manifest::default().to_json(), Unless::There)?;
        self.manifest_object(folder)?.ok_or_else(|| damaged("it was written and is not there"))
    }

    /// Fails where the service writes although it was told not to: two writers would lose bars there.
    fn probe(&self) -> Result<(), LakeError> {
        let path = self.root().join(PROBE);
        self.replace(&path, "{}\n")?;
        let other = Version(Some("\"00000000000000000000000000000000\"".to_owned()));
        for unless in [Unless::There, Unless::Changed(other)] {
            if self.put(&path, "{}\n", unless)? {
                return Err(LakeError::Bucket { doing: "write", path, source: Trouble::Unconditional });
            }
        }
        Ok(())
    }

    /// Removes parts that the manifest does not list and that are too old to be of use to anybody. Only times of the service are held
    /// against each other: the manifest was written in the past, so what is that much older than it is old indeed.
    fn sweep(&self, folder: &Path, seen: &Object) -> Result<(), LakeError> {
        let is_old = |written: Time| seen.written - written >= self.grace;
        let mut old = self.list_below(folder)?;
        old.retain(|part| is_part(&part.name) && is_old(part.written));
        let manifest = Manifest::parse(&folder.join(manifest::FILE), &seen.content)?;
        old.retain(|part| !manifest.lists(&part.name));
        if old.is_empty() {
            return Ok(());
        }
        // Someone may have committed since.
        let manifest = self.manifest(folder)?.unwrap_or_default();
        for part in old.iter().filter(|part| !manifest.lists(&part.name)) {
            self.remove(&folder.join(&part.name))?;
        }
        Ok(())
    }
}

impl Claim {
    /// The manifest to go by, written first if the series is new.
    pub(in crate::store) fn take(bucket: &Arc<Bucket>, folder: &Path) -> Result<(Self, Manifest), LakeError> {
        let object = match bucket.manifest_object(folder)? {
            Some(object) => object,
            None => bucket.begin(folder)?,
        };
        let manifest = Manifest::parse(&folder.join(manifest::FILE), &object.content)?;
        bucket.sweep(folder, &object)?;
        Ok((Self { bucket: bucket.clone(), version: object.version, begun: None }, manifest))
    }

    /// Puts a part, and says under which of the names that `name` makes.
    pub(in crate::store) fn put_part(
        &mut self,
        folder: &Path,
        content: Vec<u8>,
        name: impl Fn(u32) -> String,
    ) -> Result<String, LakeError> {
        self.begun.get_or_insert_with(|| SystemClock.now());
        let content = bytes::Bytes::from(content);
        for nth in 0..NAMES_MAX {
            let name = name(nth);
            let path = folder.join(&name);
            if self.bucket.put(&path, content.clone(), Unless::There)? || self.renew(&path, &content)? {
                return Ok(name);
            }
        }
        let why = format!("{NAMES_MAX} names for it are leftovers of other writers");
        Err(LakeError::Damaged { path: folder.join(name(0)), why })
    }

    /// Makes a leftover of the same content young again; false where it was so old that a writer may be sweeping it up this moment.
    fn renew(&self, path: &Path, content: &bytes::Bytes) -> Result<bool, LakeError> {
        let before = self.bucket.written(path)?;
        self.bucket.replace(path, content.clone())?;
        let after = self.bucket.written(path)?;
        Ok(before.zip(after).is_some_and(|(before, after)| after - before < self.bucket.patience()))
    }

    /// Replaces the manifest if it is still the one that `before` was read from.
    pub(in crate::store) fn commit(
        &self,
        series: &Series,
        folder: &Path,
        before: &Manifest,
        next: &Manifest,
    ) -> Result<(), LakeError> {
        let patience = self.bucket.patience();
        if self.begun.is_some_and(|begun| SystemClock.now() - begun > patience) {
            return Err(LakeError::TooSlow { series: series.clone(), max: patience });
        }
        self.let_go(folder, before, next)?;
        let (path, content) = (folder.join(manifest::FILE), next.to_json());
        if self.bucket.put(&path, content.clone(), Unless::Changed(self.version.clone()))? {
            return Ok(());
        }
        // A request whose answer was lost is sent again, and then finds its own work.
        match self.bucket.manifest_object(folder)? {
            Some(found) if found.content == content => Ok(()),
            _ => Err(LakeError::Overtaken { series: series.clone() }),
        }
    }

    /// Makes the parts young that will not be listed any more: from now on counts how long they stay for those who read them.
    fn let_go(&self, folder: &Path, before: &Manifest, next: &Manifest) -> Result<(), LakeError> {
        for part in before.parts.iter().filter(|part| !next.lists(&part.file)) {
            let path = folder.join(&part.file);
            if let Some(object) = self.bucket.get(&path, part.bytes)? {
                self.bucket.replace(&path, object.content)?;
            }
        }
        Ok(())
    }
}

fn is_part(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(year, part)| year.starts_with("year=") && part.starts_with("part-") && part.ends_with(".parquet"))
}
