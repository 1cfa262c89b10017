//! The wire itself: HTTP by reqwest on a small runtime of its own, every wait with a named maximum.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::runtime::Runtime;

use super::client::Wire;
use super::{Address, Answer, BinanceError};
use crate::clock::Clock;
use crate::domain::{Span, Time};

/// Connecting takes at most this.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// One exchange takes at most this, connecting and the whole body included.
const EXCHANGE_MAX: Duration = Duration::from_secs(10);
/// A file of the archive may have a hundred megabytes.
const DOWNLOAD_MAX: Duration = Duration::from_secs(600);
/// Between two pieces of a body.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// A page of a thousand klines has a fifth of a megabyte.
const BODY_BYTES_MAX: usize = 4 << 20;
/// A month of seconds has a twentieth of it.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// A wait ends this long after somebody asked to stop.
const STOP_LATENCY: Duration = Duration::from_millis(100);
const CAUSE_CHARS_MAX: usize = 160;
const USED_WEIGHT: &str = "x-mbx-used-weight-1m";

const _: () = assert!(CONNECT_MAX.as_millis() < EXCHANGE_MAX.as_millis());

/// What a feed needs of the world beside the wire: the time, and whether to stop.
#[derive(Clone)]
pub struct Reach {
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    pause: Option<Pause>,
    exchange_max: Duration,
}

/// Waits in the place of real time.
pub type Pause = Arc<dyn Fn(Span) + Send + Sync>;

impl Reach {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, stop: Arc<AtomicBool>) -> Self {
        Self { clock, stop, pause: None, exchange_max: EXCHANGE_MAX }
    }

    /// The same with another way to wait.
    #[must_use]
    pub fn with_pause(self, pause: Pause) -> Self {
        Self { pause: Some(pause), ..self }
    }

    /// The same with another flag that says whether to stop.
    #[must_use]
    pub fn with_stop(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// The same where one exchange may take no longer than this.
    #[must_use]
    pub fn with_exchange_max(self, exchange_max: Duration) -> Self {
        Self { exchange_max, ..self }
    }

    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("now", &self.now()).field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

/// A service at its address.
#[derive(Debug)]
pub struct Http {
    runtime: Runtime,
    client: Client,
    base: String,
    reach: Reach,
}

/// What came of a download: the HTTP status, and the hash of what was written if it was 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub answer: SavedAnswer,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    pub status: u16,
    pub retry_after: Option<String>,
}

impl Http {
    /// Opens nothing yet: the first request connects.
    ///
    /// # Errors
    /// When no TLS can be had or the system gives no runtime.
    pub fn open(address: &Address, reach: &Reach) -> Result<Self, BinanceError> {
        let no_tls = |why: String| BinanceError::NoTls { why };
        // One provider for the whole process; a second one is refused, and not needed.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            // Attempts are counted by the client, and a redirect may lead off the list of addresses.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none());
        let builder = if address.is_loopback() { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| no_tls(cause(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| no_tls(error.to_string()))?;
        Ok(Self { runtime, client, base: address.as_str().to_owned(), reach: reach.clone() })
    }

    /// Downloads files side by side, each to its path; the answers in the same order.
    pub(super) fn save_all(&self, jobs: &[(String, &Path)]) -> Vec<Result<Saved, String>> {
        self.runtime.block_on(async {
            let mut tasks = Vec::new();
            for (path, to) in jobs {
                let request = self.client.get(format!("{}{path}", self.base)).timeout(DOWNLOAD_MAX);
                let (to, stop) = ((*to).to_owned(), self.reach.stop.clone());
                tasks.push(tokio::spawn(async move { save(request, &to, &stop).await }));
            }
            let mut done = Vec::new();
            for task in tasks {
                done.push(task.await.unwrap_or_else(|error| Err(error.to_string())));
            }
            done
        })
    }

    async fn exchange(&self, path: &str) -> Result<Answer, String> {
        let request = self.client.get(format!("{}{path}", self.base)).timeout(self.reach.exchange_max);
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
            used_weight: response.headers().get(USED_WEIGHT).and_then(|value| value.to_str().ok()?.parse().ok()),
            body: Vec::new(),
        };
        while let Some(piece) = response.chunk().await.map_err(|error| cause(&error))? {
            if answer.body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(format!("its body has more than {} MiB", BODY_BYTES_MAX >> 20));
            }
            answer.body.extend_from_slice(&piece);
        }
        Ok(answer)
    }

    /// Ends `work` when somebody asks to stop.
    fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async {
            let mut work = std::pin::pin!(work);
            loop {
                match tokio::time::timeout(STOP_LATENCY, &mut work).await {
                    Ok(done) => return Some(done),
                    Err(_) if self.reach.is_stopped() => return None,
                    Err(_) => {}
                }
            }
        })
    }
}

impl Wire for Http {
    fn get(&self, path: &str) -> Result<Answer, String> {
        self.until_stopped(self.exchange(path)).unwrap_or_else(|| Err("interrupted".to_owned()))
    }

    fn wait(&self, span: Span) {
        match &self.reach.pause {
            Some(pause) => pause(span),
            // A timer begins within the runtime only.
            None => drop(self.until_stopped(async { tokio::time::sleep(span.to_std()).await })),
        }
    }

    fn is_stopped(&self) -> bool {
        self.reach.is_stopped()
    }

    fn now(&self) -> Time {
        self.reach.now()
    }
}

async fn save(request: reqwest::RequestBuilder, to: &Path, stop: &AtomicBool) -> Result<Saved, String> {
    use sha2::{Digest, Sha256};
    let response: Response = request.send().await.map_err(|error| cause(&error))?;
    let answer = SavedAnswer { status: response.status().as_u16(), retry_after: retry_after(response.headers()) };
    if answer.status != 200 {
        return Ok(Saved { answer, sha256: String::new() });
    }
    let mut response = response;
    let on_disk = |error: std::io::Error| format!("failed to write {}: {error}", to.display());
    let mut file = std::fs::File::create(to).map_err(on_disk)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    while let Some(piece) = response.chunk().await.map_err(|error| cause(&error))? {
        bytes += piece.len() as u64;
        if stop.load(Ordering::SeqCst) {
            return Err("interrupted".to_owned());
        }
        if bytes > FILE_BYTES_MAX {
            return Err(format!("it has more than {} GiB", FILE_BYTES_MAX >> 30));
        }
        hash.update(&piece);
        file.write_all(&piece).map_err(on_disk)?;
    }
    file.sync_all().map_err(on_disk)?;
    Ok(Saved { answer, sha256: crate::store::disk::hex(&hash.finalize()) })
}

fn retry_after(headers: &HeaderMap) -> Option<String> {
    headers.get(RETRY_AFTER)?.to_str().ok().map(str::to_owned)
}

/// What went wrong on the way, in the words of the innermost error.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().filter(|c| !c.is_control()).take(CAUSE_CHARS_MAX).collect()
}
