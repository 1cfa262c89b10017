//! What the alert stage is told.

use crate::domain::Span;
pub use crate::telemetry::Severity;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertConfig {
    /// The same alert is not sent again before this has passed.
    pub repeat_every: Span,
    /// Receivers by severity, in the order of the routes; a name refers to a receiver of the profile.
    pub routes: Vec<Route>,
}

/// The first route that matches takes the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    /// `None` matches every severity.
    pub severity: Option<Severity>,
    pub receivers: Vec<String>,
}
