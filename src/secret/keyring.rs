//! Secrets in the keyring of the system.
//!
//! On Linux that is the kernel's: it needs no desktop and no daemon, is never on a disk, forgets at the next boot, and what nobody
//! asks for in three days. On macOS it is the keychain of the user, which may ask that person.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyring_core::{CredentialStore, Error};

use super::Why;

/// A keyring answers within this or counts as not answering.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A keyring, or the reason why there is none.
#[derive(Clone)]
pub struct Keyring {
    store: Result<Arc<CredentialStore>, String>,
    is_quick: bool,
    wait_max: Duration,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("is_quick", &self.is_quick).finish_non_exhaustive()
    }
}

impl Keyring {
    /// The keyring that this system has.
    #[must_use]
    pub fn of_this_system() -> Self {
        Self { store: system_store(), is_quick: cfg!(target_os = "linux"), wait_max: WAIT_MAX }
    }

    /// Any other keyring. `is_quick` when it answers by itself and at once.
    #[must_use]
    pub fn of(store: Arc<CredentialStore>, is_quick: bool) -> Self {
        Self { store: Ok(store), is_quick, wait_max: WAIT_MAX }
    }

    /// A system without a keyring.
    #[must_use]
    pub fn none() -> Self {
        Self { store: Err("there is no keyring here".to_owned()), is_quick: true, wait_max: WAIT_MAX }
    }

    /// The same keyring with another bound.
    #[must_use]
    pub fn within(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// Does it answer by itself and at once?
    #[must_use]
    pub const fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// The bytes of the entry. SECRET-3: asked on a thread of its own, which is left behind when it does not come back.
    pub(super) fn read(&self, service: &str, user: &str) -> Result<Vec<u8>, Why> {
        let store = self.store.clone().map_err(|why| Why::NoKeyring { why })?;
        let (service, user) = (service.to_owned(), user.to_owned());
        let (answer, answered) = mpsc::sync_channel(1);
        let ask = move || {
            enter();
            let secret = store.build(&service, &user, None).and_then(|entry| entry.get_secret());
            // Nobody listens any more once the bound has passed.
            let _too_late = answer.send(secret.map_err(why));
        };
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(ask);
        thread.map_err(|error| Why::NoKeyring { why: error.to_string() })?;
        match answered.recv_timeout(self.wait_max) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Why::Slow { seconds: self.wait_max.as_secs() }),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Why::NoKeyring { why: "it failed to answer".to_owned() }),
        }
    }
}

/// Some errors carry what was read; only words of the system are repeated.
fn why(error: Error) -> Why {
    match error {
        Error::NoEntry => Why::NoEntry,
        Error::BadEncoding(_) | Error::BadDataFormat(..) => Why::NotText,
        Error::NoStorageAccess(cause) | Error::PlatformFailure(cause) => Why::NoKeyring { why: cause.to_string() },
        Error::Ambiguous(entries) => Why::NoKeyring { why: format!("{} entries have this name", entries.len()) },
        Error::TooLong(what, max) => Why::NoKeyring { why: format!("its {what} is longer than {max}") },
        Error::Invalid(what, reason) => Why::NoKeyring { why: format!("its {what} is invalid: {reason}") },
        Error::NoDefaultStore | Error::BadStoreFormat(_) | Error::NotSupportedByStore(_) => {
            Why::NoKeyring { why: "the keyring cannot be used".to_owned() }
        }
        _ => Why::NoKeyring { why: "the keyring failed".to_owned() },
    }
}

#[cfg(target_os = "linux")]
fn system_store() -> Result<Arc<CredentialStore>, String> {
    let store: Arc<CredentialStore> = linux_keyutils_keyring_store::Store::new().map_err(|error| error.to_string())?;
    Ok(store)
}

/// Gives this thread a key session of its own where it has none, as in a container: without one the kernel finds the user's
/// keys and lets nobody read them.
#[cfg(target_os = "linux")]
fn enter() {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};
    // Where this is denied, so is what follows, which says why.
    let _denied = KeyRing::from_special_id(KeyRingIdentifier::Session, true);
}

#[cfg(not(target_os = "linux"))]
fn enter() {}

#[cfg(target_os = "macos")]
fn system_store() -> Result<Arc<CredentialStore>, String> {
    let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new().map_err(|error| error.to_string())?;
    Ok(store)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn system_store() -> Result<Arc<CredentialStore>, String> {
    Err("this version reads the keyrings of Linux and macOS only".to_owned())
}

/// The command that makes the entry. It asks for the secret, which so stands on no command line.
pub(super) fn how_to_add(service: &str, user: &str) -> String {
    if cfg!(target_os = "macos") {
        format!("security add-generic-password -s {} -a {} -w", shell(service), shell(user))
    } else {
        let name = shell(&format!("keyring:{user}@{service}"));
        // The persistent keyring is the one that every login and service of a user can read.
        format!("keyctl padd user {name} $(keyctl get_persistent @s), type it, Enter, Ctrl-D")
    }
}

/// As one word of a shell.
fn shell(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyring_core::mock;

    fn with_entry() -> Keyring {
        let store = mock::Store::new().unwrap();
        let store: Arc<CredentialStore> = store;
        store.build("tidegate", "slack", None).unwrap().set_secret(b"hunter2\n").unwrap();
        Keyring::of(store, true)
    }

    #[test]
    fn an_entry_is_found_by_service_and_user() {
        let keyring = with_entry();
        assert_eq!(keyring.read("tidegate", "slack").unwrap(), b"hunter2\n");
        assert_eq!(keyring.read("tidegate", "other"), Err(Why::NoEntry));
        assert!(matches!(Keyring::none().read("tidegate", "slack"), Err(Why::NoKeyring { .. })));
    }

    /// SECRET-3.
    #[test]
    fn a_keyring_that_hangs_is_left_behind() {
        let keyring = with_entry().within(Duration::from_millis(20));
        let entry = keyring.store.clone().unwrap().build("tidegate", "slack", None).unwrap();
        let held = entry.as_any().downcast_ref::<mock::Cred>().unwrap().inner.lock().unwrap();
        assert_eq!(keyring.read("tidegate", "slack"), Err(Why::Slow { seconds: 0 }));
        drop(held);
        assert_eq!(keyring.within(WAIT_MAX).read("tidegate", "slack").unwrap(), b"hunter2\n");
    }

    /// SECRET-1: these carry what was read.
    #[test]
    fn an_error_of_the_keyring_is_not_repeated() {
        let bytes = || b"hunter2".to_vec();
        for error in [Error::BadEncoding(bytes()), Error::BadDataFormat(bytes(), "hunter2".into())] {
            assert_eq!(why(error), Why::NotText);
        }
        let locked = why(Error::NoStorageAccess("it is locked".into()));
        assert_eq!(locked, Why::NoKeyring { why: "it is locked".to_owned() });
    }

    #[test]
    fn the_command_is_one_that_a_shell_takes() {
        assert_eq!(shell("keyring:slack@tidegate"), "keyring:slack@tidegate");
        assert_eq!(shell("it's $HOME"), "'it'\\''s $HOME'");
    }

    /// The real keyring of the kernel; containers often deny it.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_keeps_a_secret() {
        let keyring = Keyring::of_this_system();
        let user = format!("test-{}", std::process::id());
        enter();
        let entry = keyring.store.clone().unwrap().build("tidegate-test", &user, None);
        let Some(entry) = entry.ok().filter(|entry| entry.set_secret(b"hunter2\n").is_ok()) else {
            eprintln!("skipped: the kernel's keyring is denied here");
            return;
        };
        let read = keyring.read("tidegate-test", &user);
        entry.delete_credential().unwrap();
        assert_eq!(read.unwrap(), b"hunter2\n");
        assert_eq!(keyring.read("tidegate-test", &user), Err(Why::NoEntry));
    }
}
