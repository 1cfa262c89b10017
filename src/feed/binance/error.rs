//! Why the venue gave no bars.

use std::path::PathBuf;

use crate::domain::{Span, Time};

#[derive(Debug, thiserror::Error)]
pub enum BinanceError {
    #[error("\"{text}\" is no address of Binance")]
    Address { text: String, allowed: String },
    #[error("no connection can be made safe: {why}")]
    NoTls { why: String },
    /// It was told so now, or a file says that it was told so before.
    #[error("binance takes no request from this machine before {until} ({why})")]
    Closed { until: Time, why: String },
    #[error("binance refused {what}: {status}, {said}")]
    Refused { what: String, status: u16, said: String },
    #[error("binance did not give {what} in {attempts} attempts; the last one: {last}")]
    Exhausted { what: String, attempts: u32, last: String },
    #[error("the clock of this machine is {offset} off binance's, {allowed} are allowed")]
    ClockOff { offset: Span, allowed: Span },
    #[error("failed to keep {}", path.display())]
    Memory { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {why}", path.display())]
    MemoryDamaged { path: PathBuf, why: String },
    #[error("binance publishes no checksum of {name}, so it is not taken")]
    NoChecksum { name: String },
    #[error("{name} has the SHA-256 {found}, binance's checksum says {stated}")]
    Checksum { name: String, found: String, stated: String },
    #[error("{name} does not hold {expected}: {why}")]
    Member { name: String, expected: String, why: String },
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("interrupted; what was fetched before is in the lake")]
    Interrupted,
}

impl BinanceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { allowed, .. } => format!("write one of {allowed}, or loopback"),
            Self::NoTls { .. } => "install the system's certificates (ca-certificates)".to_owned(),
            Self::Closed { until, .. } => {
                format!("run the same command again after {until}; asking before makes a ban longer")
            }
            Self::Refused { said, .. } if said.contains("-1121") => "check the symbol: binance does not list it".to_owned(),
            Self::Refused { .. } => return None,
            Self::Exhausted { .. } => {
                "check the network, then run the same command again: it goes on where this one ended".to_owned()
            }
            Self::ClockOff { .. } => "set the machine's clock by NTP, and leave out --at".to_owned(),
            Self::Memory { .. } | Self::Write { .. } => "make the lake's folder writable".to_owned(),
            Self::MemoryDamaged { path, .. } => {
                format!("if no ban is in force, remove {} and run again", path.display())
            }
            Self::NoChecksum { .. } | Self::Checksum { .. } | Self::Member { .. } => {
                "run again later: binance replaces files that were found wrong; or take the range from source binance".to_owned()
            }
            Self::Interrupted => "run the same command again: it goes on where this one ended".to_owned(),
        })
    }
}
