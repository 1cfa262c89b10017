//! The thread that performs what the machine asks for: sockets on one side, a channel of pushes on the other.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::super::{Client, KeyKind, OrdersError, Params};
use super::machine::{Ask, Effect, Entry, UserMachine};
use crate::domain::Time;
use crate::feed::binance::stream::{Event, Sockets};
use crate::feed::binance::{Address, Reach};
use crate::telemetry::event::StreamEnded;
use crate::venue::wire::Push;

const PATH: &str = "/ws-api/v3";
/// What connecting and asking for events cost.
const WEIGHT: u32 = 4;
/// Pushes that wait to be looked at; beyond it nothing is read, and the connection ends by its silence.
const PUSHES_MAX: usize = 4096;
/// Time passes for the machine at least so often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The thread; it ends with its stop flag, or when nobody listens any more.
#[derive(Debug)]
pub struct UserStream {
    thread: JoinHandle<()>,
}

impl UserStream {
    /// Has it ended by itself? Then the venue refuses to tell events, and the last push says why.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end: the stop flag is to be set, or the receiver dropped, before.
    pub fn join(self) {
        // A panic was told when it happened.
        let _ = self.thread.join();
    }
}

/// Begins to follow what the venue says of the account of `client`. A key that cannot log on asks with a signature. Pauses are made of chance that begins with `seed`.
///
/// # Errors
/// When the system gives no runtime or no thread.
pub fn follow(
    client: Arc<Client>,
    address: &Address,
    reach: &Reach,
    entry: Entry,
    seed: u64,
) -> Result<(UserStream, Receiver<Push>), OrdersError> {
    let entry = if client.key().kind() == KeyKind::Ed25519 { entry } else { Entry::Signature };
    let (out, pushes) = mpsc::channel(PUSHES_MAX);
    let machine = UserMachine::new(client.symbols().clone(), entry, seed, reach.now());
    let sockets = Sockets::open_at(address, PATH, reach)?;
    let follower = Follower { client, reach: reach.clone(), sockets, machine, out };
    let thread = std::thread::Builder::new().name("user stream".to_owned()).spawn(move || follower.run());
    Ok((UserStream { thread: thread.map_err(|source| OrdersError::NoThread { source })? }, pushes))
}

struct Follower {
    client: Arc<Client>,
    reach: Reach,
    sockets: Sockets,
    machine: UserMachine,
    out: Sender<Push>,
}

impl Follower {
    fn run(mut self) {
        while !self.reach.is_stopped() && !self.out.is_closed() && !self.machine.is_refused() {
            let event = self.sockets.next(LOOK_EVERY).unwrap_or(Event::Tick);
            for effect in self.machine.on(&event, self.reach.now()) {
                self.perform(effect);
            }
        }
        self.sockets.hang_up();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Open(id) => match self.client.closed_until() {
                // ORDERS-7: an attempt to connect is a request, too.
                Some(until) => {
                    let refused = Event::Ended(id, format!("the venue wants no request before {until}"));
                    self.machine.on(&refused, self.reach.now()).into_iter().for_each(|effect| self.perform(effect));
                }
                None => {
                    self.client.spend(WEIGHT);
                    self.sockets.connect(id);
                }
            },
            Effect::Send(id, ask) => match self.word(ask) {
                Ok(text) => self.sockets.send(id, text),
                Err(error) => StreamEnded { why: &error.to_string() }.emit(),
            },
            Effect::Close(id) => self.sockets.close(id),
            Effect::Push(push) => {
                if let Push::Down { why } = &push {
                    StreamEnded { why }.emit();
                }
                // Nobody listens any more at the end of the program.
                let _ = self.out.blocking_send(push);
            }
            Effect::DoubtClock => self.client.clock().doubt(),
            Effect::Closed { until, is_ban } => self.client.close(until.map(Time::from_millis), is_ban),
        }
    }

    /// A request on the connection. Values are signed as they are, sorted by name. ORDERS-1.
    fn word(&self, ask: Ask) -> Result<String, OrdersError> {
        if ask == Ask::Subscribe {
            return Ok(serde_json::json!({"id": ask.id(), "method": ask.method()}).to_string());
        }
        let timestamp = self.client.clock().now().millis();
        let key = self.client.key();
        let payload = Params::default().with("apiKey", key.api_key()).with("timestamp", timestamp).sorted();
        let signature = key.sign(payload.as_bytes())?;
        let params = serde_json::json!({"apiKey": key.api_key(), "timestamp": timestamp, "signature": signature});
        Ok(serde_json::json!({"id": ask.id(), "method": ask.method(), "params": params}).to_string())
    }
}
