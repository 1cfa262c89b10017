//! An exchange over real sockets: HTTP and WebSocket on one loopback address, with what the script wants done to bytes done to them.
//!
//! The exchange itself stays as it is, behind a lock: a shell asks its clock, asks the exchange, and performs the answer.

mod body;
mod http;
mod socket;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::Exchange;
use crate::clock::Clock;
use crate::domain::Time;

/// How often a connection looks whether the clock has brought something due.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Why an exchange is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} is not a loopback address: this venue is for this machine only")]
    NotLoopback(SocketAddr),
}

/// The exchange, its clock, and a bell that wakes connections when something happened.
#[derive(Clone)]
pub struct Floor {
    exchange: Arc<Mutex<Exchange>>,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
}

impl Floor {
    #[must_use]
    pub fn new(exchange: Exchange, clock: Arc<dyn Clock>) -> Self {
        Self { exchange: Arc::new(Mutex::new(exchange)), clock, bell: Arc::new(Notify::new()) }
    }

    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Does something with the exchange at the present time, and has connections look what it brought.
    pub fn with<T>(&self, act: impl FnOnce(&mut Exchange, Time) -> T) -> T {
        let done = {
            let mut exchange = self.lock();
            // Under the lock, or two threads could come with their times crossed.
            let now = self.clock.now();
            act(&mut exchange, now)
        };
        self.bell.notify_waiters();
        done
    }

    /// As [`Self::with`], for whoever only takes what is there.
    fn look<T>(&self, act: impl FnOnce(&mut Exchange, Time) -> T) -> T {
        let mut exchange = self.lock();
        let now = self.clock.now();
        act(&mut exchange, now)
    }

    /// A thread that panicked while it held the exchange has failed its test; the others may still end in order.
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An exchange that is being served, until this is dropped.
pub struct Served {
    pub floor: Floor,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Listens, and serves on a thread of its own.
    ///
    /// # Errors
    /// When the address cannot be had, or is none of this machine's own.
    pub fn start(floor: Floor, address: SocketAddr) -> Result<Self, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let failed = |source| ServeError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let served = floor.clone();
        let thread = std::thread::spawn(move || runtime.block_on(accept(listener, served, stopped)));
        Ok(Self { floor, address: bound, stop, thread: Some(thread) })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the REST API.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the WebSocket API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("ws://{}/ws-api/v3", self.address)
    }

    /// The address of the market streams.
    #[must_use]
    pub fn stream_url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Nobody listens any more when the thread has ended by itself.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, floor: Floor, stopped: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut connections = tokio::task::JoinSet::new();
    let mut stop = stopped.clone();
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // Too many open files, or a peer that is gone already: the next one may fare better.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(http::serve(stream, floor.clone(), stopped.clone()));
                }
            }
        }
    }
    connections.shutdown().await;
}
