//! The venue's streams: real WebSockets on loopback, frames by the formula of its pages, and a judge of how we behave.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock::Clock;
use tidegate::domain::{Interval, Span, Time};
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

use super::kline;

/// What any step of the conversation takes at most, by the real clock.
const STEP_MAX: Duration = Duration::from_secs(20);
const CONTROL_MAX: usize = 5;
const CONNECTIONS_MAX: usize = 300;

/// What the venue does with the next connection instead of an honest answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Greeting {
    /// It is dropped before the handshake.
    Dropped,
    /// What is asked for is refused, in these words.
    Refused(&'static str),
}

/// One connection, as the venue sees it.
struct Link {
    stream: TcpStream,
    wants: Vec<String>,
    is_over: bool,
    /// Half open: nothing is sent any more, and nothing is expected.
    is_silent: bool,
    control: Vec<Time>,
    pings: u64,
    pongs: u64,
    since: Time,
}

pub struct Hall {
    clock: Arc<dyn Clock>,
    links: Vec<Link>,
    connects: Vec<Time>,
    pub greetings: Vec<Greeting>,
    sins: Vec<String>,
    /// Connections that are over, or that were opened: whoever counts frames begins anew then.
    pub changes: u64,
}

struct Shared {
    hall: Mutex<Hall>,
    turn: Condvar,
    stop: AtomicBool,
}

pub struct Streams {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Streams {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hall = Hall { clock, links: Vec::new(), connects: Vec::new(), greetings: Vec::new(), sins: Vec::new(), changes: 0 };
        let shared = Arc::new(Shared { hall: Mutex::new(hall), turn: Condvar::new(), stop: AtomicBool::new(false) });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || welcome(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Hall) -> T) -> T {
        act(&mut self.shared.hall.lock().unwrap())
    }

    /// Waits until the venue sees what is wanted.
    pub fn wait(&self, what: &str, is_so: impl Fn(&Hall) -> bool) {
        let hall: MutexGuard<'_, Hall> = self.shared.hall.lock().unwrap();
        let (hall, timeout) = self.shared.turn.wait_timeout_while(hall, STEP_MAX, |hall| !is_so(hall)).unwrap();
        assert!(!timeout.timed_out(), "the venue waits in vain for {what}; it has seen {:?}", hall.sins);
    }

    /// Pings every connection that is not silent, and waits until each has answered or is over: what was sent before has arrived.
    pub fn reach_all(&self) {
        self.with(|hall| (0..hall.links.len()).for_each(|at| hall.ping(at)));
        self.wait("pongs", |hall| hall.links.iter().all(|link| link.is_over || link.is_silent || link.pongs == link.pings));
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.with(|hall| hall.links.iter_mut().for_each(Link::drop_now));
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if !std::thread::panicking() {
            let sins = self.with(|hall| hall.sins.clone());
            assert!(sins.is_empty(), "the venue has been wronged: {sins:?}");
        }
    }
}

fn welcome(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let shared = shared.clone();
        threads.push(std::thread::spawn(move || receive(stream, &shared)));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn receive(stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    let greeting = {
        let mut hall = shared.hall.lock().unwrap();
        hall.judge_connect();
        hall.greetings.pop()
    };
    if greeting == Some(Greeting::Dropped) {
        return;
    }
    let Ok(side) = stream.try_clone() else { return };
    let Ok(mut socket) = accept(stream) else { return };
    let at = {
        let mut hall = shared.hall.lock().unwrap();
        hall.changes += 1;
        let since = hall.clock.now();
        hall.links.push(Link {
            stream: side,
            wants: Vec::new(),
            is_over: false,
            is_silent: false,
            control: Vec::new(),
            pings: 0,
            pongs: 0,
            since,
        });
        hall.links.len() - 1
    };
    listen(&mut socket, shared, at, greeting.as_ref());
    let mut hall = shared.hall.lock().unwrap();
    hall.links[at].drop_now();
    hall.changes += 1;
    drop(hall);
    shared.turn.notify_all();
}

/// Hears one connection until it is over.
fn listen(socket: &mut WebSocket<TcpStream>, shared: &Shared, at: usize, greeting: Option<&Greeting>) {
    while let Ok(message) = socket.read() {
        let mut hall = shared.hall.lock().unwrap();
        hall.judge_control(at);
        match message {
            Message::Text(text) => {
                let order: Value = serde_json::from_str(text.as_str()).unwrap();
                let id = order["id"].clone();
                let link = &mut hall.links[at];
                if let Some(Greeting::Refused(words)) = greeting {
                    link.write(1, words.as_bytes());
                } else if order["method"] == "SUBSCRIBE" {
                    let wants = order["params"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
                    link.wants = wants.collect();
                    link.write(1, json!({ "result": null, "id": id }).to_string().as_bytes());
                }
            }
            Message::Pong(payload) => {
                let link = &mut hall.links[at];
                link.pongs += 1;
                let wanted = link.payload(link.pongs);
                if payload.as_ref() != wanted.as_bytes() {
                    hall.sins.push(format!("a pong of {payload:?} for {wanted}"));
                }
            }
            Message::Close(_) => return,
            _ => {}
        }
        drop(hall);
        shared.turn.notify_all();
    }
}

impl Link {
    /// One frame, whole and unmasked, whatever is in it.
    fn write(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..=125 => bytes.push(len as u8),
            len @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(payload);
        // A connection that is gone is noticed by its reader.
        let _ = self.stream.write_all(&bytes);
    }

    fn payload(&self, number: u64) -> String {
        format!("{}-{number}", self.since.micros())
    }

    fn drop_now(&mut self) {
        self.is_over = true;
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn is_fed(&self) -> bool {
        !self.is_over && !self.is_silent && !self.wants.is_empty()
    }
}

impl Hall {
    fn judge_connect(&mut self) {
        let now = self.clock.now();
        self.connects.push(now);
        let recent = self.connects.iter().filter(|at| now - **at < Span::from_secs(300)).count();
        if recent > CONNECTIONS_MAX {
            self.sins.push(format!("{recent} connections in five minutes"));
        }
    }

    fn judge_control(&mut self, at: usize) {
        let now = self.clock.now();
        let link = &mut self.links[at];
        link.control.push(now);
        let recent = link.control.iter().filter(|at| now - **at < Span::from_secs(1)).count();
        if recent > CONTROL_MAX {
            self.sins.push(format!("{recent} control messages in a second"));
        }
    }

    pub fn connects(&self) -> &[Time] {
        &self.connects
    }

    /// Connections that are told bars, the oldest first.
    pub fn fed(&self) -> Vec<usize> {
        (0..self.links.len()).filter(|at| self.links[*at].is_fed()).collect()
    }

    pub fn age(&self, at: usize) -> Span {
        self.clock.now() - self.links[at].since
    }

    pub fn is_over(&self, at: usize) -> bool {
        self.links[at].is_over
    }

    pub fn pongs(&self, at: usize) -> u64 {
        self.links[at].pongs
    }

    pub fn ping(&mut self, at: usize) {
        let link = &mut self.links[at];
        if !link.is_over && !link.is_silent {
            link.pings += 1;
            let payload = link.payload(link.pings);
            link.write(9, payload.as_bytes());
        }
    }

    pub fn say(&mut self, at: usize, text: &str) {
        self.links[at].write(1, text.as_bytes());
    }

    /// A text frame of any bytes.
    pub fn say_bytes(&mut self, at: usize, bytes: &[u8]) {
        self.links[at].write(1, bytes);
    }

    pub fn drop_link(&mut self, at: usize) {
        self.links[at].drop_now();
    }

    pub fn silence(&mut self, at: usize) {
        self.links[at].is_silent = true;
    }

    pub fn close(&mut self, at: usize, code: u16) {
        self.links[at].write(8, &code.to_be_bytes());
    }
}

/// A bar as the streams tell it: whole when it is closed, otherwise as it is on its way.
pub fn bar(symbol: &str, interval: Interval, open: Time, is_closed: bool) -> Value {
    let row: Vec<Value> = serde_json::from_str(&kline(symbol, interval.span(), open)).unwrap();
    let (close, volume) = if is_closed { (row[4].clone(), row[5].clone()) } else { (row[2].clone(), json!("1.25")) };
    json!({
        "t": row[0], "T": row[6], "s": symbol, "i": interval.to_string(), "f": 1, "L": 2, "o": row[1], "c": close, "h": row[2],
        "l": row[3], "v": volume, "n": row[8], "x": is_closed, "q": row[7], "V": row[9], "Q": row[10], "B": "0"
    })
}

/// The bar in its envelope.
pub fn event(kline: &Value, now: Time) -> String {
    let symbol = kline["s"].as_str().unwrap();
    let stream = format!("{}@kline_{}", symbol.to_lowercase(), kline["i"].as_str().unwrap());
    json!({ "stream": stream, "data": { "e": "kline", "E": now.millis(), "s": symbol, "k": kline } }).to_string()
}
