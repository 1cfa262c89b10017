//! Where a bucket is, and with which keys it is asked.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;

const REGION_CHARS_MAX: usize = 40;

/// `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    bucket: String,
    prefix: String,
}

/// How a bucket is asked. Without an endpoint it is Amazon's own service in `region`.
#[derive(Debug, Clone)]
pub struct Access {
    /// As [`endpoint`] gives it.
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key: SecretString,
    pub secret_key: SecretString,
    pub token: Option<SecretString>,
}

/// What is wrong with an address; reads on from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("does not begin with s3://")]
    Scheme,
    #[error("names no bucket: 3 to 63 of a-z, 0-9, dots and hyphens")]
    Bucket,
    #[error("has a prefix with something else than letters, digits, - _ . = and single slashes")]
    Prefix,
    #[error("is neither an https:// address nor one of this machine")]
    Endpoint,
    #[error("is no region's name")]
    Region,
}

impl BucketAddress {
    /// Does `text` mean a bucket, rightly written or not, and no folder?
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.contains("://")
    }

    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Without slashes at its ends; empty where the lake is the whole bucket.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for BucketAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("s3://").ok_or(AddressError::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.chars().all(|c| is_plain(c) || matches!(c, '-' | '.'))
            && bucket.starts_with(is_plain)
            && bucket.ends_with(is_plain);
        if !is_bucket {
            return Err(AddressError::Bucket);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_name = |name: &str| {
            let is_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
            !name.is_empty() && !matches!(name, "." | "..") && name.chars().all(is_char)
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_name) {
            return Err(AddressError::Prefix);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

impl Access {
    pub(super) fn is_loopback(&self) -> bool {
        self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }
}

/// The name of a region as it is used: it becomes a part of a host's name.
///
/// # Errors
/// When it has something else than letters, digits and hyphens.
pub fn region(text: &str) -> Result<String, AddressError> {
    let is_name = (1..=REGION_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_name { Ok(text.to_owned()) } else { Err(AddressError::Region) }
}

/// The address of a service as it is used: https, or this machine. A signed request in clear text could be read and changed.
///
/// # Errors
/// When it is something else, has a path or names a user.
pub fn endpoint(text: &str) -> Result<String, AddressError> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let host = bare
        .strip_prefix("https://")
        .map(|host| host.rsplit_once(':').map_or(host, |(host, port)| if port.parse::<u16>().is_ok() { host } else { "" }));
    let is_host = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '[' | ']' | ':'))
    };
    let is_loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|loopback| {
        let rest = bare.strip_prefix(loopback);
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
    });
    if is_loopback || host.is_some_and(is_host) { Ok(bare.to_owned()) } else { Err(AddressError::Endpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_alike() {
        for (text, bucket, prefix) in [
            ("s3://bars", "bars", ""),
            ("s3://bars/", "bars", ""),
            ("s3://my.bars-1/lake", "my.bars-1", "lake"),
            ("s3://bars/a=b/c_d.e/", "bars", "a=b/c_d.e"),
        ] {
            let address: BucketAddress = text.parse().unwrap();
            assert_eq!((address.bucket(), address.prefix()), (bucket, prefix), "{text}");
            assert_eq!(address.to_string(), text.strip_suffix('/').unwrap_or(text));
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        use AddressError::{Bucket, Prefix, Scheme};
        for (text, why) in [
            ("gs://bars", Scheme),
            ("s3:/bars", Scheme),
            ("s3://", Bucket),
            ("s3://ab", Bucket),
            ("s3://Bars", Bucket),
            ("s3://-bars", Bucket),
            ("s3://user@bars", Bucket),
            ("s3://bars//a", Prefix),
            ("s3://bars/../other", Prefix),
            ("s3://bars/a b", Prefix),
            ("s3://bars/a?x=y", Prefix),
        ] {
            assert_eq!(text.parse::<BucketAddress>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_region_names_no_host() {
        assert_eq!(region("eu-central-1").as_deref(), Ok("eu-central-1"));
        for wrong in ["", "a.example/", "eu central", "x@y", &"x".repeat(41)] {
            assert_eq!(region(wrong), Err(AddressError::Region), "{wrong}");
        }
    }

    #[test]
    fn clear_text_stays_on_this_machine() {
        for good in [
            "https://s3.example.org",
            "https://minio.example:9000/",
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://s3.example.org",
            "http://127.0.0.1.example.org",
            "http://127.0.0.1:80@example.org",
            "https://user:key@example.org",
            "https://example.org/path",
            "https://",
            "https://example.org:port",
            "example.org",
            "",
        ] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
