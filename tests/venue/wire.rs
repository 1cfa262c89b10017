//! HTTP/1.1 as far as a venue of klines needs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A connection on which nothing comes for so long is closed.
const IDLE_MAX: Duration = Duration::from_millis(200);
/// Idle looks at whether the test is over.
const LOOKS_MAX: u32 = 300;

pub struct Request {
    pub target: String,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub fn names(&self) -> Vec<&str> {
        self.pairs().map(|(name, _)| name).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.target.split_once('?').map_or("", |(_, query)| query).split('&').filter_map(|pair| pair.split_once('='))
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub end: End,
}

/// How the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// In the middle, with the connection.
    Cut,
    /// In the middle, and nothing comes any more.
    Slow,
    /// Before the first byte.
    Closed,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), end: End::Whole }
    }

    pub fn status(status: u16, body: &str) -> Self {
        Self { status, ..Self::ok(body) }
    }

    pub fn retry_after(&self) -> Option<i64> {
        self.headers.iter().find(|(name, _)| *name == "Retry-After").and_then(|(_, value)| value.parse().ok())
    }
}

/// Answers the requests of one connection, one after another.
pub fn serve(stream: &TcpStream, stop: &AtomicBool, answer: impl Fn(&Request) -> Reply) {
    stream.set_read_timeout(Some(IDLE_MAX)).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, stop) {
        if !write_reply(stream, &answer(&request), stop) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>, stop: &AtomicBool) -> Option<Request> {
    let mut target = None;
    let mut line = String::new();
    let mut looks = 0;
    loop {
        match reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) if line.ends_with('\n') => {
                let text = line.trim_end();
                if text.is_empty() {
                    return target.map(|target| Request { target });
                }
                target = target.or_else(|| text.split(' ').nth(1).map(str::to_owned));
                line.clear();
            }
            _ => {
                looks += 1;
                if stop.load(Ordering::SeqCst) || looks > LOOKS_MAX {
                    return None;
                }
            }
        }
    }
}

/// False when the connection is over.
fn write_reply(mut stream: &TcpStream, reply: &Reply, stop: &AtomicBool) -> bool {
    if reply.end == End::Closed {
        return false;
    }
    let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let sent = if reply.end == End::Whole { reply.body.len() } else { reply.body.len() / 2 };
    let written = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body[..sent]));
    if reply.end == End::Slow {
        // Until the other side has had enough.
        let mut byte = [0];
        let mut looks = 0;
        while looks < LOOKS_MAX && !stop.load(Ordering::SeqCst) && !matches!(stream.read(&mut byte), Ok(0)) {
            looks += 1;
        }
    }
    written.is_ok() && reply.end == End::Whole
}
