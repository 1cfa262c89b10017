//! Words for what goes wrong on the way to a venue.

use super::super::exit::{Exit, Failure};
use super::super::run::journal_failure;
use crate::feed::binance::Address;
use crate::runner::drive::DriveError;
use crate::venue::wire::Failure as VenueFailure;

/// A venue that does not answer, with what to look at.
pub fn failure_hint(address: &Address, failure: VenueFailure) -> Failure {
    let hint = match &failure {
        VenueFailure::NotSent(_) => "is the address reachable from here? nothing was sent",
        VenueFailure::Key { .. } => "is the key of this venue, enabled for spot trading, and is this address on its list?",
        VenueFailure::Banned { .. } | VenueFailure::Throttled { .. } => "wait until then; asking earlier makes it longer",
        VenueFailure::Clock => "set the machine's clock by NTP",
        _ => "try again; see the venue's status page if it goes on",
    };
    Failure::new(Exit::Failed, anyhow::Error::new(failure).context(format!("{} does not help", address.as_str()))).hint(hint)
}

/// A driver's error with its exit code: whether positions may be open decides.
pub fn drive_failure(error: DriveError) -> Failure {
    match error {
        DriveError::Journal(error) => journal_failure(error),
        error @ DriveError::LastStand { .. } => Failure::new(Exit::PositionsOpen, error)
            .hint("make room or mend the disk, then run `tidegate reconcile` before anything else"),
        error @ DriveError::Restore(_) => Failure::new(Exit::Refused, error),
        error @ DriveError::Latch(_) => Failure::new(Exit::Failed, error),
        error @ DriveError::Account(_) => Failure::new(Exit::Failed, error).hint("nothing was traded"),
    }
}

/// Where a person sees and withdraws orders by hand.
#[must_use]
pub fn page_of(address: &Address) -> &str {
    match address.as_str() {
        "https://testnet.binance.vision" => "https://testnet.binance.vision",
        "https://demo-api.binance.com" => "https://demo.binance.com/en/my/orders/exchange/openorder",
        other if address.is_loopback() => other,
        _ => "https://www.binance.com/en/my/orders/exchange/openorder",
    }
}
