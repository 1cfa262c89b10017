//! The wire itself: WebSockets on a small runtime of its own, each in a task, every wait with a named maximum.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::super::http::Reach;
use super::super::{Address, BinanceError};
use super::links::LinkId;
use super::machine::Event;
use super::throttle::Throttle;
use crate::domain::Span;

/// Name, connection, TLS and the WebSocket's handshake take at most this.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// One control message takes at most this.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// A kline has a third of a kilobyte.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Events that wait to be looked at; beyond it nothing is read, and the venue's own buffers fill.
const EVENTS_MAX: usize = 4096;
/// Control messages of ours in a second, answers to pings among them. STREAM-4.
const CONTROL_MAX: usize = 5;
const CONTROL_WINDOW: Span = Span::from_secs(1);
const OUTBOX_MAX: usize = 8;
const CAUSE_CHARS_MAX: usize = 160;

/// Connections to the venue's streams, and what comes over them.
#[derive(Debug)]
pub struct Sockets {
    runtime: Runtime,
    url: String,
    reach: Reach,
    links: BTreeMap<LinkId, Link>,
    sender: Option<Sender<Event>>,
    events: Receiver<Event>,
}

#[derive(Debug)]
struct Link {
    outbox: Sender<String>,
    task: AbortHandle,
}

impl Sockets {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn open(address: &Address, reach: &Reach) -> Result<Self, BinanceError> {
        Self::open_at(address, "/stream", reach)
    }

    /// The same for another service than that of bars.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(address: &Address, path: &str, reach: &Reach) -> Result<Self, BinanceError> {
        // One provider for the whole process; a second one is refused, and not needed.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| BinanceError::NoTls { why: error.to_string() })?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let url = format!("{}{path}", address.as_str());
        Ok(Self { runtime, url, reach: reach.clone(), links: BTreeMap::new(), sender: Some(sender), events })
    }

    /// Where others put what happened.
    #[must_use]
    pub fn mailbox(&self) -> Sender<Event> {
        self.sender.clone().expect("the mailbox is open until the end")
    }

    /// The next event, waited for no longer than `wait`.
    pub fn next(&mut self, wait: Duration) -> Option<Event> {
        let events = &mut self.events;
        self.runtime.block_on(async { tokio::time::timeout(wait, events.recv()).await.ok().flatten() })
    }

    /// Ends all connections; what others still put into their mailboxes comes by [`Self::last`].
    pub fn hang_up(&mut self) {
        std::mem::take(&mut self.links).into_values().for_each(|link| link.task.abort());
        self.sender = None;
    }

    /// What is left of the events; none when nobody can put one any more.
    pub fn last(&mut self) -> Option<Event> {
        assert!(self.sender.is_none(), "the end is waited for after the connections have ended");
        let events = &mut self.events;
        self.runtime.block_on(events.recv())
    }

    /// Begins to connect.
    pub fn connect(&mut self, id: LinkId) {
        let (outbox, orders) = mpsc::channel(OUTBOX_MAX);
        let (url, events, reach) = (self.url.clone(), self.mailbox(), self.reach.clone());
        let task = self.runtime.spawn(async move {
            let mut talk = Talk { id, events, reach, control: Throttle::new(CONTROL_MAX, CONTROL_WINDOW) };
            let why = match talk.run(&url, orders).await {
                Ok(()) => "closed by us".to_owned(),
                Err(why) => why,
            };
            // Nobody listens any more at the end of the program.
            let _ = talk.events.send(Event::Ended(id, why)).await;
        });
        self.links.insert(id, Link { outbox, task: task.abort_handle() });
    }

    /// Sends a control message. One that finds its connection gone is told by the connection's end.
    pub fn send(&mut self, id: LinkId, text: String) {
        if let Some(link) = self.links.get(&id) {
            let _ = link.outbox.try_send(text);
        }
    }

    /// Ends a connection at once.
    pub fn close(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(&id) {
            link.task.abort();
        }
    }
}

/// One connection's side of the conversation.
struct Talk {
    id: LinkId,
    events: Sender<Event>,
    reach: Reach,
    control: Throttle,
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

impl Talk {
    async fn run(&mut self, url: &str, mut orders: Receiver<String>) -> Result<(), String> {
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
        let connecting = connect_async_tls_with_config(url, Some(config), true, None);
        let connected = tokio::time::timeout(CONNECT_MAX, connecting).await;
        let (mut socket, _) = connected.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| cause(&error))?;
        self.put(Event::Opened(self.id)).await?;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(text) => self.send(&mut socket, text).await?,
                    None => return Ok(()),
                },
                message = socket.next() => match message {
                    Some(message) => self.take(message.map_err(|error| cause(&error))?).await?,
                    None => return Err("the connection was dropped".to_owned()),
                },
            }
        }
    }

    async fn put(&self, event: Event) -> Result<(), String> {
        self.events.send(event).await.map_err(|_| "nobody listens".to_owned())
    }

    async fn send(&mut self, socket: &mut Socket, text: String) -> Result<(), String> {
        self.control.take(self.reach.now()).map_err(|_| "too many control messages in a second".to_owned())?;
        let sent = tokio::time::timeout(WRITE_MAX, socket.send(Message::text(text))).await;
        sent.map_err(|_| "it took no message in time".to_owned())?.map_err(|error| cause(&error))
    }

    async fn take(&mut self, message: Message) -> Result<(), String> {
        match message {
            Message::Text(text) => self.put(Event::Text(self.id, text.as_str().to_owned())).await,
            // The answer, with the same payload, leaves with the next read; not if there are too many to be answered.
            Message::Ping(_) => {
                self.control.take(self.reach.now()).map_err(|_| "more pings in a second than may be answered".to_owned())?;
                self.put(Event::Ping(self.id)).await
            }
            Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Binary(_) => Err("a message that is no text".to_owned()),
            Message::Close(None) => Err("the venue closed it".to_owned()),
            Message::Close(Some(frame)) => {
                let said: String = frame.reason.chars().filter(|c| !c.is_control()).take(CAUSE_CHARS_MAX).collect();
                Err(format!("the venue closed it: {} {said}", frame.code).trim_end().to_owned())
            }
        }
    }
}

/// What went wrong, in a few words of ours or of the library.
fn cause(error: &Error) -> String {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            format!("a message of more than {} MiB", MESSAGE_BYTES_MAX >> 20)
        }
        Error::Utf8(_) => "a text that is not UTF-8".to_owned(),
        Error::Http(answer) => format!("it answered {} where a WebSocket was asked for", answer.status().as_u16()),
        other => other.to_string().chars().filter(|c| !c.is_control()).take(CAUSE_CHARS_MAX).collect(),
    }
}
