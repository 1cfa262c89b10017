//! An S3 service on loopback that is not ours: it keeps objects as files, verifies signatures and honours conditions. It can be made
//! to misbehave. It ends with the test that holds it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::sync::oneshot;

pub const ACCESS_KEY: &str = "AKIATIDE";
pub const SECRET_KEY: &str = "hunter2-gate";
pub const BUCKET: &str = "bars";

/// What happens to a request in the place of what should.
pub enum Act {
    /// Something else first, to its end.
    First(Box<dyn FnOnce() + Send>),
    /// Something else afterwards, before its answer.
    Then(Box<dyn FnOnce() + Send>),
    /// Something else in its place.
    Instead(Box<dyn FnOnce() + Send>),
    Answer(u16, String),
    /// It is done, and nobody learns of it.
    LoseAnswer,
}

/// The next request of this method whose path ends so, with the header if one is named.
pub struct Fault {
    pub method: &'static str,
    pub ends: &'static str,
    pub header: Option<&'static str>,
    pub act: Act,
}

type Faults = Arc<Mutex<VecDeque<Fault>>>;

pub struct Service {
    folder: tempfile::TempDir,
    address: SocketAddr,
    faults: Faults,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// A service with one empty bucket.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let faults = Faults::default();
        let theirs = faults.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, service, theirs, stopped));
            runtime.shutdown_background();
        });
        Self { folder, address, faults, stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bucket's objects as files.
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    pub fn plan(&self, method: &'static str, ends: &'static str, header: Option<&'static str>, act: Act) {
        self.faults.lock().unwrap().push_back(Fault { method, ends, header, act });
    }

    /// As many times as a client may try.
    pub fn always(&self, method: &'static str, ends: &'static str, status: u16, body: &str) {
        (0..20).for_each(|_| self.plan(method, ends, None, Act::Answer(status, body.to_owned())));
    }

    pub fn forgive(&self) {
        self.faults.lock().unwrap().clear();
    }

    pub fn is_spent(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }

    /// The binary with the keys to the bucket, in `root`.
    pub fn command(&self, root: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_clear().env("NO_COLOR", "1").current_dir(root).args(args);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_ENDPOINT_URL", self.url());
        command
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Faults, mut stopped: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let (service, faults) = (service.clone(), faults.clone());
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| {
                let (service, faults) = (service.clone(), faults.clone());
                async move { Ok::<_, Infallible>(answer(request, service, &faults).await) }
            });
            // A client that goes away in the middle is what these tests are about.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn due(request: &Request<Incoming>, faults: &Faults) -> Option<Act> {
    let mut faults = faults.lock().unwrap();
    let path = request.uri().path();
    let is_due = |fault: &Fault| {
        let has_header = fault.header.is_none_or(|header| request.headers().contains_key(header));
        request.method() == fault.method && path.ends_with(fault.ends) && has_header
    };
    let at = faults.iter().position(is_due)?;
    faults.remove(at).map(|fault| fault.act)
}

async fn answer(request: Request<Incoming>, service: S3Service, faults: &Faults) -> Response<Body> {
    let act = due(&request, faults);
    let request = request.map(Body::from);
    match act {
        Some(Act::Answer(status, body)) => return reply(status, body),
        Some(Act::First(first)) => tokio::task::spawn_blocking(first).await.unwrap(),
        Some(Act::Then(then)) => {
            let response = service.call(request).await.unwrap();
            tokio::task::spawn_blocking(then).await.unwrap();
            return response;
        }
        Some(Act::Instead(instead)) => {
            tokio::task::spawn_blocking(instead).await.unwrap();
            return reply(500, String::new());
        }
        Some(Act::LoseAnswer) => {
            service.call(request).await.unwrap();
            return reply(500, "<Error><Code>InternalError</Code></Error>".to_owned());
        }
        None => {}
    }
    service.call(request).await.unwrap_or_else(|error| reply(500, format!("{error:?}")))
}

fn reply(status: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("etag", "\"0\"".parse().unwrap());
    response
}
