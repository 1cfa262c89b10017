//! Writing so that a crash at any moment leaves either the old file or the new one.
//!
//! Every step goes through [`Disk`], so that tests can stop the program or fill the disk at each of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sha2::{Digest, Sha256};

/// Files being written start with this; every glob for `*.parquet` and every reader of folders passes over dot-files.
pub const TEMPORARY: &str = ".writing-";

/// Folders synced side by side.
const SYNCS_MAX: usize = 16;

/// The disk, or a disk that fails when a test says so.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    fault: Option<Arc<Fault>>,
    lack: Option<Lack>,
}

/// What a file system may not know. Writers go another way then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Two names of one file.
    Links,
    /// Exchanging two folders in one step.
    Exchange,
}

/// When and how a disk fails.
#[derive(Debug)]
struct Fault {
    steps_left: AtomicU32,
    failed: AtomicBool,
    kind: io::ErrorKind,
    /// After the fault every step fails, also the tidying up: the program was killed.
    is_final: bool,
}

impl Disk {
    /// A disk on which step `steps + 1` fails with `kind`, as a full disk does; later steps work again.
    #[must_use]
    pub fn failing_after(steps: u32, kind: io::ErrorKind) -> Self {
        Self::with_fault(steps, kind, false)
    }

    /// A disk on which nothing happens any more after `steps`, as when the program is killed there.
    #[must_use]
    pub fn killed_after(steps: u32) -> Self {
        // Any kind but `Interrupted`, after which the standard library tries again.
        Self::with_fault(steps, io::ErrorKind::Other, true)
    }

    fn with_fault(steps: u32, kind: io::ErrorKind, is_final: bool) -> Self {
        let fault = Fault { steps_left: AtomicU32::new(steps), failed: AtomicBool::new(false), kind, is_final };
        Self { fault: Some(Arc::new(fault)), lack: None }
    }

    /// The same disk with a file system that does not know everything.
    #[must_use]
    pub fn lacking(self, lack: Lack) -> Self {
        Self { lack: Some(lack), ..self }
    }

    /// Did the fault happen? A test that asked for a step too far learns it here.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.failed.load(Ordering::SeqCst))
    }

    fn step(&self) -> io::Result<()> {
        let Some(fault) = &self.fault else { return Ok(()) };
        let error = || io::Error::new(fault.kind, "stopped here by a test");
        if fault.failed.load(Ordering::SeqCst) {
            return if fault.is_final { Err(error()) } else { Ok(()) };
        }
        let left = fault.steps_left.load(Ordering::SeqCst);
        if left == 0 {
            fault.failed.store(true, Ordering::SeqCst);
            return Err(error());
        }
        fault.steps_left.store(left - 1, Ordering::SeqCst);
        Ok(())
    }

    /// # Errors
    /// As [`fs::create_dir_all`].
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.create_folder(parent)?;
        self.step()?;
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => return Err(error),
            _ => {}
        }
        File::open(parent)?.sync_all()
    }

    /// Makes one folder whose name is not yet on the disk: [`Self::sync`] of the one around it comes later, once for many.
    ///
    /// # Errors
    /// As [`fs::create_dir`].
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        fs::create_dir(path)
    }

    /// Starts a file in `folder` that nobody sees until [`Draft::publish`].
    ///
    /// # Errors
    /// As [`File::create`].
    pub fn draft(&self, folder: &Path) -> io::Result<Draft> {
        // One writer holds the folder's lock, so that the process id alone keeps names apart.
        self.draft_as(folder, &format!("{TEMPORARY}{}", std::process::id()))
    }

    /// The same under a temporary name that keeps apart writers who hold no lock.
    ///
    /// # Errors
    /// As [`File::create`].
    pub fn draft_as(&self, folder: &Path, name: &str) -> io::Result<Draft> {
        self.create_folder(folder)?;
        self.step()?;
        let path = folder.join(name);
        let file = File::create(&path)?;
        Ok(Draft {
            disk: self.clone(),
            file,
            path,
            folder: folder.to_owned(),
            hash: Sha256::new(),
            bytes: 0,
            is_published: false,
            failure: None,
        })
    }

    /// Writes a small file whole.
    ///
    /// # Errors
    /// Any step may fail; the file is then as it was before.
    pub fn replace(&self, folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
        let mut draft = self.draft(folder)?;
        draft.write_all(content)?;
        draft.publish(|_| name.to_owned()).map(drop)
    }

    /// Writes a small file whole, under a name that nothing has yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something has the name, whatever it is; any step may fail, and the name is then free.
    pub fn create_new(&self, folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
        let mut draft = self.draft(folder)?;
        draft.write_all(content)?;
        draft.publish_new(name).map(drop)
    }

    /// Gives a file a second name.
    ///
    /// # Errors
    /// As [`fs::hard_link`]; see [`is_lack`].
    pub fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        self.step()?;
        if self.lack == Some(Lack::Links) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        fs::hard_link(file, name)
    }

    /// Makes two folders change places in one step: at no moment is one of the names free.
    ///
    /// # Errors
    /// When the file system cannot (see [`is_lack`]), or a folder cannot be written.
    pub fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.step()?;
        if self.lack == Some(Lack::Exchange) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        exchange(one, other)?;
        self.step()?;
        for path in [one, other] {
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }

    /// Renames a file into a folder of the same file system.
    ///
    /// # Errors
    /// As [`fs::rename`].
    pub fn rename(&self, from: &Path, folder: &Path, name: &str) -> io::Result<()> {
        self.create_folder(folder)?;
        self.step()?;
        fs::rename(from, folder.join(name))?;
        self.sync(folder)
    }

    /// Waits until the names in a folder are on the disk.
    ///
    /// # Errors
    /// As [`File::sync_all`].
    pub fn sync(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        File::open(folder)?.sync_all()
    }

    /// The same for many folders and files side by side: a disk that is asked for all of them at once answers hardly later than for one.
    ///
    /// # Errors
    /// The first that any of them says.
    pub fn sync_all(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.step()?;
        let sync = |path: &PathBuf| File::open(path)?.sync_all();
        for some in paths.chunks(SYNCS_MAX) {
            std::thread::scope(|scope| {
                let threads: Vec<_> = some.iter().map(|path| scope.spawn(move || sync(path))).collect();
                threads.into_iter().try_for_each(|thread| thread.join().expect("syncing does not panic"))
            })?;
        }
        Ok(())
    }

    /// Removes a folder with all that is in it; one that is not there is fine.
    ///
    /// # Errors
    /// As [`fs::remove_dir_all`].
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.remove_folder(&entry.path())?;
            } else {
                self.remove(&entry.path())?;
            }
        }
        self.step()?;
        fs::remove_dir(path)
    }

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// As [`fs::remove_file`].
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Does the error say that the file system does not know how? FAT has no links, NFS cannot exchange.
#[must_use]
pub fn is_lack(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), Unsupported | InvalidInput | CrossesDevices | PermissionDenied | TooManyLinks)
}

/// A file being written; dropping it unpublished removes it.
#[derive(Debug)]
pub struct Draft {
    disk: Disk,
    file: File,
    path: PathBuf,
    folder: PathBuf,
    hash: Sha256,
    bytes: u64,
    is_published: bool,
    failure: Option<io::Error>,
}

/// A file that is safely on the disk under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub name: String,
    pub sha256: String,
    pub bytes: u64,
}

impl Draft {
    /// Syncs the file, gives it the name made from its hash, and syncs the folder.
    ///
    /// # Errors
    /// Any step may fail; before the rename the draft is gone, after it the file is there.
    pub fn publish(self, name: impl FnOnce(&str) -> String) -> io::Result<Published> {
        self.disk.step()?;
        self.file.sync_all()?;
        let (disk, folder) = (self.disk.clone(), self.folder.clone());
        let published = self.show(name)?;
        disk.sync(&folder)?;
        Ok(published)
    }

    /// Gives the file its name without syncing anything: for files that count together, when [`Disk::sync_all`] has had them and
    /// their folder.
    ///
    /// # Errors
    /// As [`fs::rename`]; the draft is then gone.
    pub fn show(mut self, name: impl FnOnce(&str) -> String) -> io::Result<Published> {
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        let name = name(&sha256);
        self.disk.step()?;
        fs::rename(&self.path, self.folder.join(&name))?;
        self.is_published = true;
        Ok(Published { name, sha256, bytes: self.bytes })
    }
}

impl Draft {
    /// Syncs the file and gives it a name that must be free: unlike a plain rename this replaces nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something has the name; any step may fail, and the name is then free.
    pub fn publish_new(mut self, name: &str) -> io::Result<Published> {
        self.disk.step()?;
        self.file.sync_all()?;
        self.disk.step()?;
        let draft = tempfile::TempPath::try_from_path(&self.path)?;
        draft.persist_noclobber(self.folder.join(name)).map_err(|error| error.error)?;
        self.is_published = true;
        self.disk.step()?;
        File::open(&self.folder)?.sync_all()?;
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        Ok(Published { name: name.to_owned(), sha256, bytes: self.bytes })
    }

    /// Why writing failed. Encoders wrap the disk's error until nothing but its text is left; this is the error itself.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn try_write(&mut self, content: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.step() {
            // A full disk takes a part of what it is given.
            self.file.write_all(&content[..content.len() / 2])?;
            return Err(error);
        }
        self.file.write(content)
    }
}

impl Write for Draft {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let written = self.try_write(content).map_err(|error| {
            let copy = io::Error::from(error.kind());
            self.failure.get_or_insert(error);
            copy
        })?;
        self.hash.update(&content[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_published {
            // What is left behind is passed over by readers and removed by the next writer.
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
