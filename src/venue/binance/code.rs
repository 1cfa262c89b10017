//! What the venue's codes mean for a request of ours.
//!
//! The code is stable and the text is not, so texts decide only under the three codes that say several things, and only by exact match.

use super::reply::Reply;
use crate::domain::{RejectReason, Span, Time};
use crate::feed::binance::Meaning;
use crate::venue::wire::{Failure, Request};

/// After a code that asks for patience and does not say how much.
const OVERLOADED: Span = Span::from_secs(300);
/// After too many orders, where the venue does not say how long.
const ORDERS_PAUSE: Span = Span::from_secs(60);
/// The longest pause there is; a longer one is a slip of somebody's.
const PAUSE_MAX: Span = Span::from_days(3);

const DUPLICATE: &str = "Duplicate order sent.";
const RESTRICTED_CANCEL: &str = "Order was not canceled due to cancel restrictions.";

/// Texts under -2010 (an order) and -2011 (a withdrawal) that mean the same for both.
const REASONS: [(&str, RejectReason); 12] = [
    ("Account has insufficient balance for requested action.", RejectReason::InsufficientBalance),
    ("Market is closed.", RejectReason::NotTradable),
    ("This symbol is not permitted for this account.", RejectReason::NotTradable),
    ("This symbol is restricted for this account.", RejectReason::NotTradable),
    ("Market orders are not supported for this symbol.", RejectReason::NotTradable),
    ("Quote order qty market orders are not support for this symbol.", RejectReason::NotTradable),
    ("Order would immediately match and take.", RejectReason::WouldTake),
    ("Price * QTY is zero or less.", RejectReason::QuantityZero),
    ("Order book liquidity is less than LOT_SIZE filter minimum quantity.", RejectReason::Filter),
    ("Order book liquidity is less than MARKET_LOT_SIZE filter minimum quantity.", RejectReason::Filter),
    ("Order book liquidity is less than `LOT_SIZE` filter minimum quantity.", RejectReason::Filter),
    ("Order book liquidity is less than symbol minimum quantity.", RejectReason::Filter),
];
/// Texts under the same codes that no other order would fare better with.
const NEVER: [&str; 4] = [
    "This action is disabled on this account.",
    "This account may not place or cancel orders.",
    "Rest API trading is not enabled.",
    "WebSocket API trading is not enabled.",
];
/// Texts under -1013: the filter's name follows.
const FILTER_FAILURE: &str = "Filter failure: ";

/// What a complaint of the venue means. `status` is that of HTTP or of the WebSocket API.
#[must_use]
pub fn failure(request: &Request, reply: &Reply, code: i64, text: &str, now: Time) -> Failure {
    if let Some(closed) = closed(request, reply, code, now) {
        return closed;
    }
    let refused = |reason| Failure::Rejected { code, reason, text: text.to_owned() };
    match code {
        // ORDERS-3: whatever the status, nobody knows.
        _ if reply.status >= 500 || reply.status == 408 => Failure::Ambiguous(format!("{} {code} {text}", reply.status)),
        -1000 | -1001 | -1006 | -1007 | -1008 => Failure::Ambiguous(format!("{code} {text}")),
        -1002 | -1022 | -2014 | -2015 => Failure::Key { code, text: text.to_owned() },
        -1021 => Failure::Clock,
        -1013 => refused(filter(text)),
        -1111 => refused(RejectReason::Filter),
        -1121 | -1220 => refused(RejectReason::NotTradable),
        -2010 | -2011 => business(code, text),
        -2013 => Failure::NoSuchOrder,
        // Both halves would have to be asked for.
        -2021 => Failure::Ambiguous(format!("{code} {text}")),
        -2026 => Failure::Archived,
        // A key, by the status, and a code that we do not know.
        _ if reply.status == 401 => Failure::Key { code, text: text.to_owned() },
        _ => refused(RejectReason::Other),
    }
}

/// Does the venue ask for a pause, and how long?
fn closed(request: &Request, reply: &Reply, code: i64, now: Time) -> Option<Failure> {
    if code == -1015 {
        let asked = reply.pause(now).unwrap_or(ORDERS_PAUSE);
        return Some(Failure::Throttled { until: now + asked.clamp(Span::from_secs(1), PAUSE_MAX) });
    }
    match reply.meaning(now) {
        Some(Meaning::Closed { until, .. }) if reply.status == 418 => Some(Failure::Banned { until }),
        Some(Meaning::Closed { until, .. }) => Some(Failure::Throttled { until }),
        // The same said with another status.
        _ if code == -1003 && reply.status < 500 => {
            let as_429 = Reply { status: 429, ..reply.clone() };
            match as_429.meaning(now) {
                Some(Meaning::Closed { until, .. }) => Some(Failure::Throttled { until }),
                _ => Some(Failure::Throttled { until: now + ORDERS_PAUSE }),
            }
        }
        _ if code == -1034 => Some(Failure::Throttled { until: now + OVERLOADED }),
        _ if code == -1008 && !request.changes() => Some(Failure::Throttled { until: now + ORDERS_PAUSE }),
        _ => None,
    }
}

fn filter(text: &str) -> RejectReason {
    match text.strip_prefix(FILTER_FAILURE) {
        Some("NOTIONAL" | "MIN_NOTIONAL") => RejectReason::MinNotional,
        Some(_) => RejectReason::Filter,
        None => RejectReason::Other,
    }
}

fn business(code: i64, text: &str) -> Failure {
    if code == -2010 && text == DUPLICATE {
        return Failure::Duplicate;
    }
    if NEVER.contains(&text) {
        return Failure::Key { code, text: text.to_owned() };
    }
    let known = REASONS.iter().find(|(known, _)| *known == text).map(|(_, reason)| *reason);
    match known {
        Some(reason) => Failure::Rejected { code, reason, text: text.to_owned() },
        None if code == -2010 || text == RESTRICTED_CANCEL => {
            Failure::Rejected { code, reason: RejectReason::Other, text: text.to_owned() }
        }
        // Whatever kept it from being withdrawn: it is to be asked for.
        None => Failure::NotOpen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClientOrderId, SymbolIndex};

    fn now() -> Time {
        "2026-03-01".parse().unwrap()
    }

    fn of(status: u16, code: i64, text: &str) -> Failure {
        let id = ClientOrderId { scope: 1, bar: now(), sequence: 0 };
        let request = Request::Cancel { symbol: SymbolIndex(0), id };
        failure(&request, &Reply { status, ..Reply::default() }, code, text, now())
    }

    fn reason(code: i64, text: &str) -> RejectReason {
        match of(400, code, text) {
            Failure::Rejected { reason, .. } => reason,
            other => panic!("{code} {text}: {other:?}"),
        }
    }

    #[test]
    fn texts_decide_by_exact_match_only() {
        assert_eq!(of(400, -2010, "Duplicate order sent."), Failure::Duplicate);
        assert_eq!(reason(-2010, "duplicate order sent."), RejectReason::Other);
        assert_eq!(reason(-2010, "Something new."), RejectReason::Other);
        assert_eq!(reason(-2010, "Order would immediately match and take."), RejectReason::WouldTake);
        assert_eq!(reason(-2011, "Market is closed."), RejectReason::NotTradable);
        assert_eq!(reason(-2011, RESTRICTED_CANCEL), RejectReason::Other);
        assert_eq!(of(400, -2011, "Unknown order sent."), Failure::NotOpen);
        assert_eq!(of(400, -2011, "Something new."), Failure::NotOpen, "a withdrawal that failed is asked about");
        assert!(matches!(of(400, -2010, "This account may not place or cancel orders."), Failure::Key { .. }));
        assert_eq!(reason(-1013, "Filter failure: NOTIONAL"), RejectReason::MinNotional);
        assert_eq!(reason(-1013, "Filter failure: BRAND_NEW"), RejectReason::Filter);
        assert_eq!(reason(-1013, "Invalid quantity."), RejectReason::Other);
    }

    /// C28.
    #[test]
    fn what_nobody_knows_stays_unknown() {
        for (status, code) in [(500, -1121), (503, -1008), (400, -1007), (200, -1006), (409, -2021), (408, -1000), (504, -2010)] {
            assert!(matches!(of(status, code, "x"), Failure::Ambiguous(_)), "{status} {code}");
        }
    }

    /// C30.
    #[test]
    fn a_key_that_is_not_accepted() {
        for (status, code) in [(400, -1022), (401, -2014), (401, -2015), (400, -2015), (401, -9999), (400, -1002)] {
            assert!(matches!(of(status, code, "x"), Failure::Key { .. }), "{status} {code}");
        }
    }
}
