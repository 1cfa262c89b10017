//! One WebSocket: frames of the exchange go out, frames of the other side come in.

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::{Floor, LOOK_EVERY};
use crate::venue::sim::Frame;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

pub(super) async fn serve(stream: TokioIo<Upgraded>, id: u64, floor: Floor, mut stop: watch::Receiver<bool>) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let bell = floor.bell.clone();
    while send_all(&mut socket, floor.look(|exchange, now| exchange.take_frames(id, now))).await {
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            message = socket.next() => match message {
                Some(Ok(message)) => hear(&floor, id, message),
                _ => break,
            },
            () = bell.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    floor.look(|exchange, now| exchange.receive(id, Frame::Cut, now));
}

/// False when the connection is over.
async fn send_all(socket: &mut Socket, frames: Vec<Frame>) -> bool {
    for frame in frames {
        let sent = match frame {
            Frame::Text(text) => socket.send(Message::text(text)).await,
            Frame::Ping(payload) => socket.send(Message::Ping(payload.into())).await,
            // The socket has answered the ping itself.
            Frame::Pong(_) => Ok(()),
            Frame::Close(code) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                // Whether the goodbye arrives or not, this is the end.
                let _ = socket.close(Some(frame)).await;
                return false;
            }
            Frame::Cut => return false,
        };
        if sent.is_err() {
            return false;
        }
    }
    true
}

fn hear(floor: &Floor, id: u64, message: Message) {
    let frame = match message {
        Message::Text(text) => Frame::Text(text.as_str().to_owned()),
        // No message of this venue is binary; as text it is refused as any other nonsense.
        Message::Binary(bytes) => Frame::Text(String::from_utf8_lossy(&bytes).into_owned()),
        Message::Ping(payload) => Frame::Ping(payload.to_vec()),
        Message::Pong(payload) => Frame::Pong(payload.to_vec()),
        Message::Close(_) => Frame::Close(1000),
        Message::Frame(_) => return,
    };
    floor.look(|exchange, now| exchange.receive(id, frame, now));
}
