//! A venue for one test: it answers by script and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate::clock::Clock;
use tidegate::domain::{Span, Time};

/// A connection on which nothing comes for so long is looked at, whether the test is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Somebody who takes nothing for so long has had enough.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub method: String,
    pub path: String,
    /// Of the query and of the body, as they were sent.
    pub query: String,
    pub body: String,
    pub api_key: Option<String>,
}

impl Heard {
    pub fn param(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').chain(self.body.split('&'));
        pairs.filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Play {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Half of the body, then the end.
    Cut(String),
    /// The end, before the first byte.
    Gone,
    /// A byte now and then, without end.
    Drip,
    /// A body without end, as fast as it is taken.
    Flood,
    /// Nothing, until the test is over.
    Silence,
}

impl Play {
    pub fn ok(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Reply { status, headers: Vec::new(), body: body.into() }
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Reply { status, mut headers, body } => {
                headers.push((name, value.into()));
                Self::Reply { status, headers, body }
            }
            other => other,
        }
    }
}

#[derive(Default)]
struct Book {
    script: VecDeque<Play>,
    heard: Vec<Heard>,
}

/// The clock of a test: it stands until somebody moves it.
#[derive(Debug)]
pub struct Hands(AtomicI64);

impl Hands {
    pub fn at(time: &str) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(time.parse::<Time>().unwrap().micros())))
    }

    pub fn pass(&self, span: Span) {
        self.0.fetch_add(span.micros(), Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

pub struct Server {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    /// What its clock is ahead of the test's, in microseconds.
    ahead: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn new(clock: Arc<Hands>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (book, ahead, stop) = (Arc::<Mutex<Book>>::default(), Arc::<AtomicI64>::default(), Arc::<AtomicBool>::default());
        let seat = Seat { book: book.clone(), clock, ahead: ahead.clone(), stop: stop.clone() };
        let thread = std::thread::spawn(move || {
            let mut guests = Vec::new();
            for stream in listener.incoming() {
                if seat.stop.load(Ordering::SeqCst) {
                    break;
                }
                let seat = seat.clone();
                guests.push(std::thread::spawn(move || seat.serve(&stream.unwrap())));
            }
            guests.into_iter().for_each(|guest| guest.join().unwrap());
        });
        Self { address, book, ahead, stop, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn play(&self, play: Play) {
        self.book.lock().unwrap().script.push_back(play);
    }

    pub fn set_ahead(&self, ahead: Span) {
        self.ahead.store(ahead.micros(), Ordering::SeqCst);
    }

    /// What was asked, but for the time.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = self.book.lock().unwrap().heard.clone();
        heard.into_iter().filter(|heard| heard.path != "/api/v3/time").collect()
    }

    /// How often it was asked for anything.
    pub fn calls(&self) -> usize {
        self.book.lock().unwrap().heard.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let joined = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            joined.unwrap();
        }
    }
}

#[derive(Clone)]
struct Seat {
    book: Arc<Mutex<Book>>,
    clock: Arc<Hands>,
    ahead: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
}

impl Seat {
    fn serve(&self, stream: &TcpStream) {
        stream.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        stream.set_write_timeout(Some(WRITE_MAX)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(heard) = self.read(&mut reader) {
            let is_time = heard.path == "/api/v3/time";
            let play = {
                let mut book = self.book.lock().unwrap();
                book.heard.push(heard);
                // The time is told as it is, and takes nothing from the script.
                if is_time {
                    let now = self.clock.now() + Span::from_micros(self.ahead.load(Ordering::SeqCst));
                    Play::ok(format!("{{\"serverTime\":{}}}", now.millis()))
                } else {
                    book.script.pop_front().unwrap_or_else(|| Play::status(500, "the script is over"))
                }
            };
            if !self.perform(stream, &play) {
                return;
            }
        }
    }

    fn line(&self, reader: &mut BufReader<&TcpStream>) -> Option<String> {
        let mut line = String::new();
        loop {
            match reader.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) if line.ends_with('\n') => return Some(line.trim_end().to_owned()),
                _ if self.stop.load(Ordering::SeqCst) => return None,
                _ => {}
            }
        }
    }

    fn read(&self, reader: &mut BufReader<&TcpStream>) -> Option<Heard> {
        let first = self.line(reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut length, mut api_key) = (0, None);
        loop {
            let line = self.line(reader)?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "x-mbx-apikey" => api_key = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let body = String::from_utf8(body).ok()?;
        Some(Heard { method, path: path.to_owned(), query: query.to_owned(), body, api_key })
    }

    /// False when the connection is over.
    fn perform(&self, mut stream: &TcpStream, play: &Play) -> bool {
        let head = |status: u16, length: usize, headers: &[(&str, String)]| {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n")
        };
        let is_on = || !self.stop.load(Ordering::SeqCst);
        match play {
            Play::Reply { status, headers, body } => {
                let text = head(*status, body.len(), headers) + body;
                return stream.write_all(text.as_bytes()).is_ok();
            }
            Play::Cut(body) => {
                let text = head(200, body.len(), &[]) + &body[..body.len() / 2];
                let _ = stream.write_all(text.as_bytes());
            }
            Play::Gone => {}
            Play::Drip => {
                let _ = stream.write_all(head(200, 1 << 30, &[]).as_bytes());
                let mut byte = [0];
                // Reading waits a little, which is all the time between two bytes.
                while is_on() && stream.write_all(b" ").is_ok() && !matches!(stream.read(&mut byte), Ok(0)) {}
            }
            Play::Flood => {
                let _ = stream.write_all(head(200, 1 << 30, &[]).as_bytes());
                let piece = vec![b' '; 1 << 16];
                while is_on() && stream.write_all(&piece).is_ok() {}
            }
            Play::Silence => {
                let mut byte = [0];
                while is_on() && !matches!(stream.read(&mut byte), Ok(0)) {}
            }
        }
        false
    }
}
