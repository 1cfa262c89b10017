//! Profiles: what is allowed, and where each value comes from.
//!
//! Enter at [`resolve::resolve`]; [`resolved::Profile`] is what the program runs on. Documents of other kinds (pipelines) use the
//! same parts: a [`schema::Schema`] of data, [`layer::Layer`]s checked alone, [`merge::Effective`] values with their origin.
//!
//! PROFILE-1  No limit of a resolved profile is looser than any cap of its chain or than a hard cap.
//! PROFILE-2  Every effective value has exactly one origin.
//! PROFILE-3  Every error of every layer is found in one pass, with its place.
//! PROFILE-4  What may be a secret is never shown: documents hold references, and a literal is covered in messages.
//!
//! Not here: what stages do with their settings (`stage`), pipelines (`pipeline`), reading secrets (`secret`).

pub mod bounds;
mod bucket;
pub mod chain;
pub mod diagnostic;
pub mod difference;
pub mod direction;
pub mod documents;
pub mod effect;
pub mod env_names;
pub mod env_script;
pub mod explained;
pub mod fault;
pub mod fingerprint;
pub mod json_schema;
pub mod keys;
pub mod kind;
mod ladder;
pub mod layer;
mod likely;
pub mod merge;
mod messages;
mod number;
pub mod operations;
pub mod overlay;
pub mod path;
pub mod render;
pub mod resolve;
pub mod resolved;
pub mod rules;
pub mod schema;
pub mod source;
mod stand;
pub mod terms;
pub mod text;
pub mod translation;
pub mod tree;
pub mod value;
pub mod word;
pub mod zone;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use documents::{Documents, Folder};
pub use operations::{Check, CheckKind, RollbackStep, StepKind};
pub use overlay::{Environment, Overrides};
pub use path::KeyPath;
pub use resolve::resolve;
pub use resolved::{Alerts, BinanceConfig, Compression, Mode, Profile, Route, S3, Stages, Storage, VenueKind};
