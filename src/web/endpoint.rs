//! The endpoint that Prometheus scrapes, and the page that says whether the loop turns. It reads and is asked; it changes nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::whole::Whole;

/// Connections at a time; the next one waits in the system's queue.
const CONNECTIONS_MAX: usize = 64;
/// Somebody who connects says what it wants within this, and has its answer within as much again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A longer head is none of a scraper.
const HEAD_MAX: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct EndpointError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

impl EndpointError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.source.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "another program has port {}: end it, or choose another with [metrics] listen (--set metrics.listen={}:{})",
                self.address.port(),
                self.address.ip(),
                self.address.port().saturating_add(1)
            ),
            _ => "choose another address with [metrics] listen".to_owned(),
        }
    }
}

/// What the endpoint shows.
pub trait Shown: Send + Sync + 'static {
    /// Metrics in the text format of Prometheus.
    fn metrics(&self) -> String;
    /// Whether the loop turns, in words; the error is what is wrong.
    ///
    /// # Errors
    /// When it does not.
    fn health(&self) -> Result<String, String>;
}

/// A served endpoint, until this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens, and serves on a thread of its own: a slow reader waits for nobody and nobody waits for it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(address: SocketAddr, shown: Arc<dyn Shown>) -> Result<Self, EndpointError> {
        let failed = |source| EndpointError { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let is_local = bound.ip().is_loopback();
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || runtime.block_on(accept(listener, shown, is_local, stopped)))
            .map_err(failed)?;
        Ok(Self { address: bound, stop, thread: Some(thread) })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Nobody listens any more when the thread has ended by itself.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shown: Arc<dyn Shown>, is_local: bool, mut stop: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = next(&listener, &room) => {
                // Too many open files, or a peer that is gone already: the next one may fare better.
                if let Some((stream, place)) = accepted {
                    let shown = shown.clone();
                    connections.spawn(async move {
                        serve(stream, shown, is_local).await;
                        drop(place);
                    });
                }
            }
        }
    }
    connections.shutdown().await;
}

async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    Some((stream, place))
}

async fn serve(stream: TcpStream, shown: Arc<dyn Shown>, is_local: bool) {
    let service = service_fn(move |request| {
        let answer = answer(&request, shown.as_ref(), is_local);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD_MAX).keep_alive(false);
    // What goes wrong on one connection is the other side's to see.
    let _ = tokio::time::timeout(PATIENCE + PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
}

fn answer(request: &Request<Incoming>, shown: &dyn Shown, is_local: bool) -> Response<Whole> {
    // A page in a browser that was led here by another name has no business with us.
    if is_local && !request.headers().get(HOST).is_none_or(is_local_name) {
        return text(StatusCode::MISDIRECTED_REQUEST, "ask by a name of this machine, like 127.0.0.1\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "this page is for reading\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => {
            let mut page = text(StatusCode::OK, shown.metrics());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            page.headers_mut().insert(CONTENT_TYPE, kind);
            page
        }
        "/healthz" => match shown.health() {
            Ok(fine) => text(StatusCode::OK, fine + "\n"),
            Err(wrong) => text(StatusCode::SERVICE_UNAVAILABLE, wrong + "\n"),
        },
        _ => text(StatusCode::NOT_FOUND, "there is /metrics and /healthz\n"),
    }
}

fn is_local_name(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost" || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn text(status: StatusCode, words: impl Into<Bytes>) -> Response<Whole> {
    let mut response = Response::new(Whole::new(words.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    struct Page;

    impl Shown for Page {
        fn metrics(&self) -> String {
            "halted 0\n".to_owned()
        }
        fn health(&self) -> Result<String, String> {
            Err("the loop has not turned for 61 s".to_owned())
        }
    }

    fn endpoint() -> Endpoint {
        Endpoint::start("127.0.0.1:0".parse().expect("an address"), Arc::new(Page)).expect("a free port")
    }

    fn ask(endpoint: &Endpoint, request: &str) -> String {
        let mut stream = std::net::TcpStream::connect(endpoint.address()).expect("connected");
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn metrics_and_health_are_shown_and_nothing_else_is() {
        let endpoint = endpoint();
        let get = |path: &str| ask(&endpoint, &format!("GET {path} HTTP/1.1\r\nHost: localhost:9\r\n\r\n"));
        let metrics = get("/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("version=0.0.4") && metrics.ends_with("halted 0\n"));
        let health = get("/healthz");
        assert!(health.starts_with("HTTP/1.1 503") && health.ends_with("the loop has not turned for 61 s\n"), "{health}");
        for path in ["/", "/metrics/", "/../metrics", "/%2e%2e/etc/passwd"] {
            assert!(get(path).starts_with("HTTP/1.1 404"), "{path}");
        }
        let posted = ask(&endpoint, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    }

    /// A name that an attacker lets point here is none of ours.
    #[test]
    fn a_page_that_was_led_here_by_another_name_sees_nothing() {
        let endpoint = endpoint();
        for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""] {
            let told = ask(&endpoint, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert!(told.starts_with("HTTP/1.1 421"), "{host}: {told}");
        }
        for host in ["localhost", "127.0.0.1:8000", "[::1]:8000", "127.8.8.8"] {
            assert!(ask(&endpoint, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")).starts_with("HTTP/1.1 200"));
        }
    }

    /// H3: readers that take nothing, and a head without end, keep nobody else from being served.
    #[test]
    fn slow_readers_and_endless_heads_keep_nobody_out() {
        let endpoint = endpoint();
        let slow: Vec<_> = (0..40)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(endpoint.address()).expect("connected");
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").expect("sent");
                stream
            })
            .collect();
        let endless = ask(&endpoint, &format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(4 * HEAD_MAX)));
        assert!(!endless.contains("200"), "{endless}");
        assert!(ask(&endpoint, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").contains("halted 0"));
        drop(slow);
    }

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let first = endpoint();
        let error = Endpoint::start(first.address(), Arc::new(Page)).expect_err("it is taken");
        assert_eq!(error.to_string(), format!("cannot listen on {}", first.address()));
        assert!(error.hint().contains(&format!("another program has port {}", first.address().port())), "{}", error.hint());
    }
}
