//! What the alert stage is told.

use crate::domain::Span;
pub use crate::telemetry::Severity;
pub use crate::telemetry::watch::Rule;

#[derive(Debug, Clone, PartialEq)]
pub struct AlertConfig {
    /// The same alert is not sent again before this has passed.
    pub repeat_every: Span,
    /// Receivers by severity, in the order of the routes; a name refers to a receiver of the profile.
    pub routes: Vec<Route>,
    /// The receiver that takes what another could not deliver.
    pub fallback: Option<String>,
    /// A message without receipt after this goes to the fallback.
    pub receipt_within: Span,
    /// What is watched, by name.
    pub rules: Vec<Rule>,
}

/// The first route that matches takes the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    /// `None` matches every severity.
    pub severity: Option<Severity>,
    pub receivers: Vec<String>,
    /// Whether a person may silence what goes this way.
    pub silenceable: bool,
}
