//! A lake in a bucket: objects instead of files, and conditional writes instead of locks.
//!
//! Enter at [`Bucket::open`], then [`super::Lake::in_bucket`]. Every request has a named maximum time and a bounded number of
//! attempts. What a service says goes into no message but for its status and code: its texts repeat keys and signatures.
//!
//! An object is removed only once it is older than [`GRACE`], measured from the service's own times, since a part that nobody lists
//! may be another writer's who has not committed yet, or be read by someone who holds yesterday's manifest. A writer that took more
//! than half of it gives up before it commits.
//!
//! Not here: which objects a lake has (`store/writer.rs`, `store/quarantine.rs`).

mod address;
mod series;
mod trouble;

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use object_store::{ObjectMeta, UpdateVersion};
use secrecy::ExposeSecret;
use tokio::runtime::Runtime;

pub use address::{Access, AddressError, BucketAddress, endpoint, region};
pub(super) use series::Claim;
pub use trouble::Trouble;

use super::LakeError;
use crate::domain::{Span, Time};

/// Connecting takes at most this.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// One request takes at most this, its body included: a part of a million bars has some thirty megabytes.
const REQUEST_MAX: Duration = Duration::from_secs(180);
/// Until an answer begins, the sending of what is put included, and between two pieces of it.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A request is sent again at most so often.
const RETRIES_MAX: usize = 3;
/// All attempts of a request begin within this.
const ATTEMPTS_SPAN: Duration = Duration::from_secs(240);
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Objects that nobody lists stay at least this long.
pub const GRACE: Span = Span::from_secs(24 * 3600);

const _: () = assert!(CONNECT_MAX.as_millis() < REQUEST_MAX.as_millis() && SILENCE_MAX.as_millis() < REQUEST_MAX.as_millis());

/// A prefix of a bucket, and the way to it.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
    address: BucketAddress,
    /// The address as the root of paths, as they are shown.
    root: PathBuf,
    grace: Span,
}

/// What is written where something may be already.
#[derive(Debug, Clone)]
pub(super) enum Unless {
    /// It is written whatever is there.
    Never,
    There,
    /// Something else than this version is there.
    Changed(Version),
}

/// Which content an object has, by the service's own name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version(Option<String>);

/// An object that was read.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) version: Version,
    /// When it was written, by the service's clock.
    pub(super) written: Time,
}

/// An object that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    /// Its path below what was listed.
    name: String,
    written: Time,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Asks nothing yet: the first request connects.
    ///
    /// # Errors
    /// When no TLS can be had or the system gives no runtime.
    pub fn open(address: BucketAddress, access: &Access) -> Result<Self, LakeError> {
        // One provider for the whole process; a second one is refused, and not needed.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: BACKOFF, max_backoff: BACKOFF_MAX, base: 2.0 },
            max_retries: RETRIES_MAX,
            retry_timeout: ATTEMPTS_SPAN,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(address.bucket())
            .with_region(&access.region)
            .with_access_key_id(access.access_key.expose_secret())
            .with_secret_access_key(access.secret_key.expose_secret())
            .with_retry(retry)
            .with_allow_http(access.is_loopback())
            .with_http_connector(Connector { is_loopback: access.is_loopback() });
        if let Some(endpoint) = &access.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(token) = &access.token {
            builder = builder.with_token(token.expose_secret());
        }
        let failed = |error: Error| unusable(&address, &error);
        let store = builder.build().map_err(failed)?;
        Self::on(Arc::new(store), address)
    }

    /// The same on a store of the caller's choice.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn on(store: Arc<dyn ObjectStore>, address: BucketAddress) -> Result<Self, LakeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unusable(&address, &error))?;
        Ok(Self { store, runtime, root: PathBuf::from(address.to_string()), address, grace: GRACE })
    }

    /// The same with another time for which objects that nobody lists stay.
    #[must_use]
    pub fn with_grace(self, grace: Span) -> Self {
        Self { grace, ..self }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// None where there is no object. One of more than `bytes_max` is not taken into memory.
    pub(super) fn get(&self, path: &Path, bytes_max: u64) -> Result<Option<Object>, LakeError> {
        let key = self.key(path);
        let got = self.wait(async {
            let found = self.store.get(&key).await?;
            let meta = found.meta.clone();
            let content = if meta.size > bytes_max { Bytes::new() } else { found.bytes().await? };
            Ok((content, meta))
        });
        match got {
            Ok((_, meta)) if meta.size > bytes_max => {
                let why = format!("it has {} bytes, and no more than {bytes_max} are expected", meta.size);
                Err(LakeError::Damaged { path: path.to_owned(), why })
            }
            Ok((content, meta)) => Ok(Some(Object { content, version: Version(meta.e_tag.clone()), written: written(&meta) })),
            Err(error) => self.none_if_absent(&error, "read", path),
        }
    }

    /// When the object was written; none where there is none.
    pub(super) fn written(&self, path: &Path) -> Result<Option<Time>, LakeError> {
        let key = self.key(path);
        match self.wait(self.store.head(&key)) {
            Ok(meta) => Ok(Some(written(&meta))),
            Err(error) => self.none_if_absent(&error, "look at", path),
        }
    }

    /// Writes an object whole, whatever is there.
    pub(super) fn replace(&self, path: &Path, content: impl Into<Bytes>) -> Result<(), LakeError> {
        self.put(path, content, Unless::Never).map(drop)
    }

    /// Writes an object whole; false where the condition forbids it.
    pub(super) fn put(&self, path: &Path, content: impl Into<Bytes>, unless: Unless) -> Result<bool, LakeError> {
        let mode = match unless {
            Unless::Never => PutMode::Overwrite,
            Unless::There => PutMode::Create,
            Unless::Changed(Version(e_tag)) => PutMode::Update(UpdateVersion { e_tag, version: None }),
        };
        let (key, content) = (self.key(path), content.into());
        match self.wait(self.store.put_opts(&key, content.into(), PutOptions::from(mode))) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error, "write", path)),
        }
    }

    /// The names of the folders directly below one.
    pub(super) fn folders(&self, folder: &Path) -> Result<Vec<String>, LakeError> {
        let key = self.key(folder);
        let found = self.wait(self.store.list_with_delimiter(Some(&key)));
        let found = found.map_err(|error| self.failed(&error, "list", folder))?;
        Ok(found.common_prefixes.iter().filter_map(Key::filename).map(str::to_owned).collect())
    }

    /// The names of all objects below a folder.
    pub(super) fn names_below(&self, folder: &Path) -> Result<Vec<String>, LakeError> {
        Ok(self.list_below(folder)?.into_iter().map(|listed| listed.name).collect())
    }

    /// Every object below a folder, however deep.
    fn list_below(&self, folder: &Path) -> Result<Vec<Listed>, LakeError> {
        let key = self.key(folder);
        let found = self.wait(self.store.list(Some(&key)).try_collect::<Vec<_>>());
        let found = found.map_err(|error| self.failed(&error, "list", folder))?;
        let listed = |meta: &ObjectMeta| {
            let names: Vec<String> = meta.location.prefix_match(&key)?.map(|name| name.as_ref().to_owned()).collect();
            Some(Listed { name: names.join("/"), written: written(meta) })
        };
        Ok(found.iter().filter_map(listed).collect())
    }

    /// Removes an object; one that is not there is fine.
    pub(super) fn remove(&self, path: &Path) -> Result<(), LakeError> {
        let key = self.key(path);
        match self.wait(self.store.delete(&key)) {
            Ok(()) => Ok(()),
            Err(error) => self.none_if_absent::<()>(&error, "remove", path).map(drop),
        }
    }

    fn wait<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.block_on(request)
    }

    fn key(&self, path: &Path) -> Key {
        let below = path.strip_prefix(&self.root).expect("paths of a lake begin with its root");
        let names = below.iter().filter_map(|name| name.to_str());
        self.address.prefix().split('/').filter(|name| !name.is_empty()).chain(names).collect()
    }

    /// A bucket that is not there has no object either, but that is worth saying.
    fn none_if_absent<T>(&self, error: &Error, doing: &'static str, path: &Path) -> Result<Option<T>, LakeError> {
        match (error, Trouble::of(error)) {
            (Error::NotFound { .. }, trouble) if !matches!(trouble, Trouble::NoBucket) => Ok(None),
            _ => Err(self.failed(error, doing, path)),
        }
    }

    fn failed(&self, error: &Error, doing: &'static str, path: &Path) -> LakeError {
        LakeError::Bucket { doing, path: path.to_owned(), source: Trouble::of(error) }
    }
}

fn written(meta: &ObjectMeta) -> Time {
    Time::from_micros(meta.last_modified.timestamp_micros())
}

fn unusable(address: &BucketAddress, error: &dyn std::error::Error) -> LakeError {
    let source = Trouble::Unusable { why: trouble::innermost(error) };
    LakeError::Bucket { doing: "use", path: PathBuf::from(address.to_string()), source }
}

/// Our own HTTP client: it follows no redirect, which might lead a signed request elsewhere, and asks no proxy for this machine.
#[derive(Debug)]
struct Connector {
    is_loopback: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, Error> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .timeout(REQUEST_MAX)
            .retry(reqwest::retry::never())
            .https_only(!self.is_loopback)
            .redirect(reqwest::redirect::Policy::none());
        let builder = if self.is_loopback { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(client))
    }
}
