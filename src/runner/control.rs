//! The door of a running program: how a verb in another process asks it for its state, or for the account it works on.
//!
//! A socket in the profile's folder, for its owner only. There are two questions. `status` is answered with what the loop last said
//! of itself. `hand-over` makes the loop let go of journal and account; the verb then works on them as if nothing ran, and when its
//! end of the socket is gone (it has ended, whatever became of it) the loop takes them up again and compares. So there is one way to
//! do each thing, whether a program runs or not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

/// The socket's name in the profile's folder.
pub const FILE: &str = "control.sock";
/// A question is one line of at most so many bytes.
const ASK_MAX: u64 = 4096;
/// Whoever connects says what it wants within this.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// A loop lets go within this: what it does in one go is bounded by a commit and a request under way.
const RELEASE_WITHIN: Duration = Duration::from_secs(20);
/// Connections at a time; verbs are few.
const CONNECTIONS_MAX: usize = 16;
/// The longest path that every system takes for a socket.
const PATH_MAX: usize = 100;

const _: () = assert!(ASK_WITHIN.as_secs() < RELEASE_WITHIN.as_secs());

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("cannot listen at {}", path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("cannot talk to the program that runs")]
    Talk(#[source] io::Error),
    #[error("the program that runs said something that is no answer: {0}")]
    NoAnswer(String),
    #[error("the program that runs does not let go: {0}")]
    Refused(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Ask {
    Status,
    /// The verb that wants the account.
    HandOver(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Status(Value),
    /// The account is free until the connection ends.
    Released,
    Refused(String),
}

#[derive(Debug, Default)]
struct State {
    status: Value,
    /// The verb that wants the account.
    wanted: Option<String>,
    /// The loop has let go.
    is_released: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Wakes the loop.
    bell: Arc<Notify>,
    has_ended: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop's side of the door; it is shut when this is dropped.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens the door in the profile's folder, which exists. What a program that died has left there goes away; the caller holds the
    /// journal's lock, so nobody else listens.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(folder: &Path) -> Result<Self, ControlError> {
        let path = folder.join(FILE);
        let failed = |source| ControlError::Listen { path: path.clone(), source };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = at(&path, |path| UnixListener::bind(path)).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let inside = shared.clone();
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || listen(&listener, &inside));
        Ok(Self { thread: Some(thread.map_err(failed)?), path, shared })
    }

    /// Rings when somebody wants something.
    #[must_use]
    pub fn bell(&self) -> Arc<Notify> {
        self.shared.bell.clone()
    }

    /// What `status` is answered with from now on.
    pub fn say(&self, status: Value) {
        self.shared.lock().status = status;
    }

    /// The verb that wants the account, if one does.
    #[must_use]
    pub fn wanted(&self) -> Option<String> {
        self.shared.lock().wanted.clone()
    }

    /// The account is free. Gives whether it has come back within `patience`; ask again until it has.
    #[must_use]
    pub fn lend(&self, patience: Duration) -> bool {
        let mut state = self.shared.lock();
        state.is_released = true;
        self.shared.changed.notify_all();
        let is_lent = |state: &mut State| state.wanted.is_some();
        let (mut state, waited) =
            self.shared.changed.wait_timeout_while(state, patience, is_lent).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return false;
        }
        state.is_released = false;
        true
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // The listener wakes to find that it has ended; if nobody can connect any more, it is not left to wait for.
        if at(&self.path, |path| UnixStream::connect(path)).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _panicked = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    let open = Arc::new(());
    for stream in listener.incoming() {
        if shared.has_ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        // One is ours, each other belongs to a connection.
        if Arc::strong_count(&open) > CONNECTIONS_MAX {
            continue;
        }
        let (held, shared) = (open.clone(), shared.clone());
        let served = std::thread::Builder::new().name("control-client".to_owned()).spawn(move || {
            // What goes wrong on one connection is the other side's to see.
            let _ = serve(&stream, &shared);
            drop(held);
        });
        if served.is_err() {
            tracing::warn!("no thread for a question to the running program");
        }
    }
}

fn serve(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(ASK_WITHIN))?;
    stream.set_write_timeout(Some(ASK_WITHIN))?;
    let mut line = String::new();
    BufReader::new(stream.take(ASK_MAX)).read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(Ask::Status) => {
            let status = shared.lock().status.clone();
            answer(stream, &Answer::Status(status))
        }
        Ok(Ask::HandOver(verb)) => hand_over(stream, shared, verb),
        Err(error) => answer(stream, &Answer::Refused(format!("that is no question: {error}"))),
    }
}

fn hand_over(stream: &UnixStream, shared: &Shared, verb: String) -> io::Result<()> {
    if let Err(why) = want(shared, verb) {
        return answer(stream, &Answer::Refused(why));
    }
    let told = answer(stream, &Answer::Released);
    if told.is_ok() {
        // The verb says nothing more: what comes is the end of the connection, however the verb has ended.
        stream.set_read_timeout(None)?;
        let _end = (&mut &*stream).read(&mut [0_u8; 1]);
    }
    shared.lock().wanted = None;
    shared.changed.notify_all();
    told
}

/// Waits until the loop has let go for this verb.
fn want(shared: &Shared, verb: String) -> Result<(), String> {
    let mut state = shared.lock();
    if let Some(other) = &state.wanted {
        return Err(format!("`{other}` has the account; try again when it has ended"));
    }
    state.wanted = Some(verb);
    shared.bell.notify_one();
    let is_held = |state: &mut State| !state.is_released && !shared.has_ended.load(Ordering::SeqCst);
    let (mut state, waited) =
        shared.changed.wait_timeout_while(state, RELEASE_WITHIN, is_held).unwrap_or_else(PoisonError::into_inner);
    if state.is_released {
        return Ok(());
    }
    state.wanted = None;
    let why =
        if waited.timed_out() { format!("it was busy for {} s", RELEASE_WITHIN.as_secs()) } else { "it is ending".to_owned() };
    Err(why)
}

fn answer(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_string(answer).expect("an answer has text keys only");
    line.push('\n');
    stream.write_all(line.as_bytes())
}

/// The account of a program that runs, lent to this process until it is dropped.
#[derive(Debug)]
pub struct HandOver(#[expect(dead_code, reason = "that it is open is what counts")] UnixStream);

/// Asks the program that runs on `folder` for its account. `None`: none listens.
///
/// # Errors
/// When it does not let go, or cannot be understood.
pub fn borrow(folder: &Path, verb: &str) -> Result<Option<HandOver>, ControlError> {
    let Some(stream) = connect(folder)? else { return Ok(None) };
    match ask(&stream, &Ask::HandOver(verb.to_owned()), RELEASE_WITHIN + ASK_WITHIN)? {
        Answer::Released => Ok(Some(HandOver(stream))),
        Answer::Refused(why) => Err(ControlError::Refused(why)),
        Answer::Status(_) => Err(ControlError::NoAnswer("a status".to_owned())),
    }
}

/// What the program that runs on `folder` says of itself. `None`: none listens.
///
/// # Errors
/// When it cannot be understood.
pub fn status(folder: &Path) -> Result<Option<Value>, ControlError> {
    let Some(stream) = connect(folder)? else { return Ok(None) };
    match ask(&stream, &Ask::Status, ASK_WITHIN)? {
        Answer::Status(status) => Ok(Some(status)),
        Answer::Refused(why) => Err(ControlError::Refused(why)),
        Answer::Released => Err(ControlError::NoAnswer("a hand-over".to_owned())),
    }
}

fn connect(folder: &Path) -> Result<Option<UnixStream>, ControlError> {
    match at(&folder.join(FILE), |path| UnixStream::connect(path)) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(ControlError::Talk(error)),
    }
}

fn ask(stream: &UnixStream, ask: &Ask, patience: Duration) -> Result<Answer, ControlError> {
    let talk = |done: io::Result<()>| done.map_err(ControlError::Talk);
    talk(stream.set_read_timeout(Some(patience)))?;
    talk(stream.set_write_timeout(Some(ASK_WITHIN)))?;
    let mut line = serde_json::to_string(ask).expect("a question has text keys only");
    line.push('\n');
    let mut stream = stream;
    talk(stream.write_all(line.as_bytes()))?;
    let mut answer = String::new();
    talk(BufReader::new(stream).read_line(&mut answer).map(drop))?;
    serde_json::from_str(&answer).map_err(|_| ControlError::NoAnswer(answer.chars().take(80).collect()))
}

/// Does something with the address of a socket, which systems bound to about a hundred bytes: a longer one goes by its open folder.
fn at<T>(path: &Path, act: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= PATH_MAX || !cfg!(target_os = "linux") {
        return act(path);
    }
    use std::os::fd::AsRawFd;
    let folder = std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?;
    act(&PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn nobody_listens_where_nothing_runs() {
        let folder = folder();
        assert!(status(folder.path()).expect("no failure").is_none());
        // What a killed program leaves.
        drop(UnixListener::bind(folder.path().join(FILE)).expect("bound"));
        assert!(borrow(folder.path(), "pause").expect("no failure").is_none());
    }

    #[test]
    fn the_state_is_what_the_loop_last_said() {
        let folder = folder();
        let door = Door::open(folder.path()).expect("opened");
        door.say(json!({ "state": "waiting" }));
        assert_eq!(status(folder.path()).expect("answered"), Some(json!({ "state": "waiting" })));
        let mode = std::fs::metadata(folder.path().join(FILE)).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(door);
        assert!(!folder.path().join(FILE).exists() && status(folder.path()).expect("no failure").is_none());
    }

    #[test]
    fn an_account_is_lent_until_the_verb_has_ended() {
        let folder = folder();
        let door = Door::open(folder.path()).expect("opened");
        std::thread::scope(|scope| {
            let lent = scope.spawn(|| {
                while door.wanted().is_none() {
                    std::thread::yield_now();
                }
                assert_eq!(door.wanted().as_deref(), Some("close-all"));
                while !door.lend(Duration::from_millis(10)) {}
            });
            let account = borrow(folder.path(), "close-all").expect("answered").expect("somebody listens");
            assert!(!lent.is_finished());
            let refused = borrow(folder.path(), "pause").expect_err("one at a time");
            assert!(refused.to_string().contains("`close-all` has the account"), "{refused}");
            drop(account);
            lent.join().expect("the loop has its account again");
        });
        assert_eq!(door.wanted(), None);
    }

    #[test]
    fn what_is_no_question_is_refused_and_the_door_stays_open() {
        let folder = folder();
        let door = Door::open(folder.path()).expect("opened");
        door.say(json!(1));
        for line in ["", "{}\n", "\"resume\"\n", &"x".repeat(5000)] {
            let mut stream = UnixStream::connect(folder.path().join(FILE)).expect("connected");
            // It may have had enough before all was written.
            let _ = stream.write_all(line.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(answer.contains("refused") || answer.is_empty(), "{answer}");
        }
        assert_eq!(status(folder.path()).expect("answered"), Some(json!(1)));
    }

    #[test]
    fn a_long_path_has_a_door_too() {
        let folder = folder();
        let deep = folder.path().join("a".repeat(120));
        std::fs::create_dir(&deep).expect("a folder");
        let door = Door::open(&deep).expect("opened");
        door.say(json!("here"));
        assert_eq!(status(&deep).expect("answered"), Some(json!("here")));
    }
}
