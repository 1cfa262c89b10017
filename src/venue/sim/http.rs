//! Requests and replies as values: what a shell reads from a socket and writes to it.

use std::borrow::Cow;

use crate::domain::Span;

/// How a resource is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    /// `None`: a method that this venue does not know.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One request, with query and body as they were sent: a signature is over these very bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: Method,
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    pub body: String,
    pub headers: Vec<(String, String)>,
}

impl HttpRequest {
    /// A request for `target`, which is a path and maybe a query.
    #[must_use]
    pub fn new(method: Method, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method, path: path.to_owned(), query: query.to_owned(), body: String::new(), headers: Vec::new() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A header by its name in any case.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What the shell does with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    #[default]
    Now,
    /// Nothing is ever sent; the connection stays open until the other side has had enough.
    Never,
    /// So many bytes of the body, then the connection ends; with 0 not even a head is sent.
    CutAfter(usize),
    After(Span),
    /// A byte a second.
    Slow,
}

/// One reply, and how it gets to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub delivery: Delivery,
}

impl HttpReply {
    #[must_use]
    pub fn json(status: u16, body: String) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json;charset=UTF-8".to_owned())],
            body,
            delivery: Delivery::Now,
        }
    }

    #[must_use]
    pub fn html(status: u16, body: &str) -> Self {
        let headers = vec![("Content-Type", "text/html".to_owned())];
        Self { status, headers, body: body.to_owned(), delivery: Delivery::Now }
    }

    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The code of an error, if the body is one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        let rest = self.body.strip_prefix("{\"code\":")?;
        rest.split(',').next()?.parse().ok()
    }
}

/// An answer that says no, in the venue's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}, {code}: {msg}")]
pub struct Refusal {
    pub status: u16,
    pub code: i64,
    pub msg: Cow<'static, str>,
}

impl Refusal {
    #[must_use]
    pub const fn new(code: i64, msg: &'static str) -> Self {
        Self { status: 400, code, msg: Cow::Borrowed(msg) }
    }

    #[must_use]
    pub const fn told(code: i64, msg: String) -> Self {
        Self { status: 400, code, msg: Cow::Owned(msg) }
    }

    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub fn body(&self) -> String {
        let msg = serde_json::Value::from(self.msg.as_ref());
        format!("{{\"code\":{},\"msg\":{msg}}}", self.code)
    }

    #[must_use]
    pub fn reply(&self) -> HttpReply {
        HttpReply::json(self.status, self.body())
    }
}
