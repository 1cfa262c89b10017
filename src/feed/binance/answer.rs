//! What an answer of the venue means for the next request.

use serde::Deserialize;

use crate::domain::{Span, Time};

/// Where 429 does not say how long.
const SLOW_DOWN: Span = Span::from_secs(60);
/// The shortest ban there is.
const BAN_MIN: Span = Span::from_secs(120);
/// The longest there is; a longer one is a slip of somebody's.
const CLOSED_MAX: Span = Span::from_days(3);
/// After the firewall said no.
const FIREWALL: Span = Span::from_secs(300);
/// Characters of the venue's words that are repeated.
const SAID_CHARS_MAX: usize = 160;

/// An HTTP answer, read whole.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    /// `X-MBX-USED-WEIGHT-1M`.
    pub used_weight: Option<u32>,
    pub body: Vec<u8>,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    Body,
    /// There is no such thing.
    Absent,
    /// Worth another try after a pause.
    Passing(String),
    /// No request before this time.
    Closed {
        until: Time,
        why: String,
    },
    /// It would be refused again.
    Refused(String),
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
    #[serde(default)]
    msg: String,
}

impl Answer {
    /// Reads the answer, which came at `now` by our clock.
    #[must_use]
    pub fn meaning(&self, now: Time) -> Meaning {
        let closed = |span: Span, why: String| Meaning::Closed { until: now + span, why };
        match self.status {
            200 => match self.complaint() {
                Some(said) => Meaning::Refused(said),
                None => Meaning::Body,
            },
            404 => Meaning::Absent,
            418 => {
                let span = self.asked_for(now).or_else(|| self.named_end(now)).unwrap_or(BAN_MIN);
                closed(span.clamp(BAN_MIN, CLOSED_MAX), "it has banned this address, 418".to_owned())
            }
            429 => {
                let span = self.asked_for(now).unwrap_or(SLOW_DOWN);
                closed(span.clamp(Span::from_secs(1), CLOSED_MAX), "too many requests, 429".to_owned())
            }
            403 => closed(FIREWALL, "its firewall refused a request, 403".to_owned()),
            408 | 500..=599 => Meaning::Passing(format!("it answered {}", self.status)),
            300..=399 => Meaning::Refused("a redirect, which is not followed".to_owned()),
            _ => Meaning::Refused(self.complaint().unwrap_or_else(|| "without a reason".to_owned())),
        }
    }

    /// `Retry-After`, in seconds or as a date.
    fn asked_for(&self, now: Time) -> Option<Span> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(secs) = text.parse::<u64>() {
            return Some(Span::from_secs(i64::try_from(secs).unwrap_or(i64::MAX).min(CLOSED_MAX.micros() / 1_000_000)));
        }
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Time::from_micros(date.timestamp().as_microsecond()) - now)
    }

    /// `IP banned until 1659146400000`, in milliseconds.
    fn named_end(&self, now: Time) -> Option<Span> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let digits: String = text.split_once("until ")?.1.chars().take_while(char::is_ascii_digit).collect();
        let millis: i64 = digits.parse().ok().filter(|millis| *millis < 100_000_000_000_000)?;
        Some(Time::from_millis(millis) - now)
    }

    /// The venue's own words, where the body is a complaint; its code is stable, the text is not.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let found: Complaint = serde_json::from_slice(&self.body).ok()?;
        let text: String = found.msg.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
        Some(format!("{} {text}", found.code).trim_end().to_owned())
    }
}

const _: () = assert!(BAN_MIN.micros() < CLOSED_MAX.micros() && SLOW_DOWN.micros() < CLOSED_MAX.micros());

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-03-01".parse().unwrap()
    }

    fn closed_for(status: u16, retry_after: Option<&str>, body: &str) -> Span {
        let retry_after = retry_after.map(str::to_owned);
        let answer = Answer { status, retry_after, used_weight: None, body: body.as_bytes().to_vec() };
        match answer.meaning(now()) {
            Meaning::Closed { until, .. } => until - now(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn retry_after_in_every_form() {
        let secs = Span::from_secs;
        for (text, wanted) in [
            (Some("37"), secs(37)),
            (None, secs(60)),
            (Some("0"), secs(1)),
            (Some("1000000000"), Span::from_days(3)),
            (Some("99999999999999999999"), secs(60)),
            (Some("Sun, 01 Mar 2026 00:05:00 GMT"), secs(300)),
            (Some("Sun, 01 Mar 2020 00:05:00 GMT"), secs(1)),
            (Some("soon"), secs(60)),
        ] {
            assert_eq!(closed_for(429, text, ""), wanted, "{text:?}");
        }
        assert_eq!(closed_for(418, Some("5"), ""), secs(120), "no ban is shorter");
        assert_eq!(closed_for(418, Some("600"), ""), secs(600));
        let until = (now() + secs(1800)).millis();
        assert_eq!(closed_for(418, None, &format!("{{\"code\":-1003,\"msg\":\"IP banned until {until}.\"}}")), secs(1800));
        assert_eq!(closed_for(403, None, "<html>"), secs(300));
    }

    #[test]
    fn a_complaint_is_no_page() {
        let answer = |status, body: &str| Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }.meaning(now());
        let invalid = "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}";
        assert_eq!(answer(200, invalid), Meaning::Refused("-1121 Invalid symbol.".to_owned()));
        assert_eq!(answer(400, invalid), Meaning::Refused("-1121 Invalid symbol.".to_owned()));
        assert_eq!(answer(400, "<html>"), Meaning::Refused("without a reason".to_owned()));
        assert_eq!(answer(200, "[]"), Meaning::Body);
        assert!(matches!(answer(503, "{\"code\":-1008}"), Meaning::Passing(_)));
        assert!(matches!(answer(302, ""), Meaning::Refused(_)));
    }
}
