//! What a service says when it does not do what it is asked, in our words.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

const CODE_CHARS_MAX: usize = 48;
const CAUSE_CHARS_MAX: usize = 160;

/// Why a bucket cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("there is no such bucket")]
    NoBucket,
    #[error("the service does not allow it ({code})")]
    Denied { code: String },
    #[error("the service does not accept the key ({code})")]
    Key { code: String },
    #[error("the bucket is in another region ({code})")]
    Region { code: String },
    #[error("this machine's clock is too far from the service's ({code})")]
    Clock { code: String },
    #[error("the service cannot be reached: {why}")]
    Unreachable { why: String },
    #[error("the service did not answer in time")]
    Slow,
    #[error("the service is busy ({code})")]
    Busy { code: String },
    #[error("the service does not honour conditional writes")]
    Unconditional,
    #[error("the service answered {code}")]
    Answer { code: String },
    #[error("{why}")]
    Unusable { why: String },
}

impl Trouble {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoBucket => "make the bucket, or correct its name after s3://",
            Self::Denied { .. } => "let the key list, read, write and remove objects below the prefix",
            Self::Key { .. } => "correct the keys: [storage.s3], or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::Region { .. } => "name the bucket's region in storage.s3.region, or AWS_REGION",
            Self::Clock { .. } => "set this machine's clock: keep it right with NTP",
            Self::Unreachable { .. } => "look at the network and the address: storage.s3.endpoint, or AWS_ENDPOINT_URL",
            Self::Slow | Self::Busy { .. } => "run the same command again later; what was there is unharmed",
            Self::Unconditional => "use a service that honours If-Match: here two writers would lose bars",
            Self::Answer { .. } => "run the same command again; if it stays, ask who runs the service",
            Self::Unusable { .. } => "correct what is named",
        }
    }

    /// May it be gone in a moment?
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Slow | Self::Busy { .. })
    }

    /// Reads status and code out of an error whose text may hold keys and signatures.
    pub(super) fn of(error: &object_store::Error) -> Self {
        if let Some(http) = find::<HttpError>(error) {
            return match http.kind() {
                HttpErrorKind::Timeout => Self::Slow,
                _ => Self::Unreachable { why: innermost(http) },
            };
        }
        let text = error.to_string();
        let status = between(&text, "status code: ", " ").and_then(|status| status.parse::<u16>().ok());
        let code = between(&text, "<Code>", "</Code>").filter(|code| code.chars().all(|c| c.is_ascii_alphanumeric()));
        Self::told(status, code, &text)
    }

    fn told(status: Option<u16>, code: Option<&str>, text: &str) -> Self {
        let shown = match (code, status) {
            (Some(code), _) => code.chars().take(CODE_CHARS_MAX).collect(),
            (None, Some(status)) => status.to_string(),
            (None, None) => "something that is no answer of such a service".to_owned(),
        };
        match (code.unwrap_or_default(), status) {
            ("NoSuchBucket", _) => Self::NoBucket,
            ("RequestTimeTooSkewed", _) => Self::Clock { code: shown },
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
                | "InvalidSecurity"
                | "NotSignedUp",
                _,
            )
            | ("", Some(401)) => Self::Key { code: shown },
            (
                "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException",
                _,
            )
            | ("", Some(301 | 307)) => Self::Region { code: shown },
            ("SlowDown" | "ServiceUnavailable" | "RequestTimeout" | "ConditionalRequestConflict", _) | (_, Some(429 | 503)) => {
                Self::Busy { code: shown }
            }
            (_, Some(403)) => Self::Denied { code: shown },
            ("NotImplemented", _) | (_, Some(501)) => Self::Unconditional,
            _ if text.contains("redirect without LOCATION") => Self::Region { code: "redirect".to_owned() },
            _ => Self::Answer { code: shown },
        }
    }
}

/// The first error of this type in a chain.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// What went wrong on the way, in the words of the innermost error.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().filter(|c| !c.is_control()).take(CAUSE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: &'static str) -> Trouble {
        let source = format!("Error performing PUT http://x/y in 3ms - Server returned non-2xx status code: {answer}");
        Trouble::of(&object_store::Error::Generic { store: "S3", source: source.into() })
    }

    #[test]
    fn a_code_says_what_is_wrong() {
        let body = |code: &str| -> &'static str { format!("403 Forbidden: <Error><Code>{code}</Code></Error>").leak() };
        assert_eq!(of("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>"), Trouble::NoBucket);
        assert!(matches!(of(body("AccessDenied")), Trouble::Denied { .. }));
        assert!(matches!(of(body("SignatureDoesNotMatch")), Trouble::Key { .. }));
        assert!(matches!(of(body("RequestTimeTooSkewed")), Trouble::Clock { .. }));
        assert!(matches!(of("400 Bad Request: <Code>AuthorizationHeaderMalformed</Code>"), Trouble::Region { .. }));
        assert!(matches!(of("301 Moved Permanently: "), Trouble::Region { .. }));
        assert!(matches!(of("503 Service Unavailable: <Code>SlowDown</Code>"), Trouble::Busy { .. }));
        assert!(matches!(of("501 Not Implemented: <Code>NotImplemented</Code>"), Trouble::Unconditional));
        assert_eq!(of("418 I'm a teapot: <html>"), Trouble::Answer { code: "418".to_owned() });
    }

    #[test]
    fn nothing_of_an_answer_is_shown_but_its_code() {
        let trouble = of("403 Forbidden: <Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIAX</AWSAccessKeyId></Error>");
        assert!(!format!("{trouble} {trouble:?} {}", trouble.hint()).contains("AKIAX"));
        let odd = of("403 Forbidden: <Error><Code>AKIA X</Code></Error>");
        assert_eq!(odd, Trouble::Denied { code: "403".to_owned() });
    }
}
