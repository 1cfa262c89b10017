//! The dead man's switch: a service elsewhere that is pinged while all is well, and calls people when the pings stop.

use std::fmt;

use secrecy::SecretString;

use super::NotifyError;
use super::post::{Post, Timing};

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// A run begins.
    Start,
    /// A run ended well, or the loop is alive.
    Well,
    /// A run failed.
    Failure,
}

impl Beat {
    /// What stands behind the address, as such services have it.
    const fn place(self) -> &'static str {
        match self {
            Self::Start => "/start",
            Self::Well => "",
            Self::Failure => "/fail",
        }
    }
}

pub struct Deadman(Post);

impl fmt::Debug for Deadman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadman").finish_non_exhaustive()
    }
}

impl Deadman {
    /// # Errors
    /// When `address` is not https (plain http is for this machine only), or no TLS can be had.
    pub fn new(address: SecretString, timing: Timing) -> Result<Self, NotifyError> {
        Post::new(address, timing).map(Self)
    }

    /// Pings once.
    ///
    /// # Errors
    /// When the service does not say that it heard.
    pub async fn ping(&self, beat: Beat) -> Result<(), NotifyError> {
        self.0.below(beat.place()).await?.accepted()
    }
}
