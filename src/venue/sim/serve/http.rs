//! One HTTP connection: its requests one after another, or the WebSocket that it becomes.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::body::Paced;
use super::{Floor, LOOK_EVERY, socket};
use crate::venue::sim::{Delivery, HttpReply, HttpRequest, Method};

/// A longer body is none that this venue is asked with.
const BODY_MAX: usize = 64 * 1024;

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut by the script")]
struct NoAnswer;

pub(super) async fn serve(stream: TcpStream, floor: Floor, stopped: watch::Receiver<bool>) {
    // A small answer must not wait for the next one.
    let _ = stream.set_nodelay(true);
    let mut stop = stopped.clone();
    let service = service_fn(move |request| answer(request, floor.clone(), stopped.clone()));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        biased;
        _ = stop.changed() => {}
        // What goes wrong on one connection is the other side's to see.
        _ = connection => {}
    }
}

async fn answer(request: Request<Incoming>, floor: Floor, stopped: watch::Receiver<bool>) -> Result<Response<Paced>, NoAnswer> {
    if request.headers().contains_key(UPGRADE) {
        return Ok(upgrade(request, floor, stopped));
    }
    let Some(method) = Method::of(request.method().as_str()) else {
        return Ok(respond(HttpReply::html(405, ""), Paced::whole));
    };
    let mut asked = HttpRequest::new(method, request.uri().path_and_query().map_or("/", |target| target.as_str()));
    for (name, value) in request.headers() {
        asked.headers.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let Some(body) = read(request.into_body()).await else { return Err(NoAnswer) };
    asked.body = body;
    let reply = floor.with(|exchange, now| exchange.handle(&asked, now));
    deliver(reply, &floor).await
}

/// Does to the answer what the script wants.
async fn deliver(reply: HttpReply, floor: &Floor) -> Result<Response<Paced>, NoAnswer> {
    match reply.delivery {
        Delivery::Now => Ok(respond(reply, Paced::whole)),
        Delivery::Never => {
            // Until the other side has had enough: its end ends this future with the connection.
            std::future::pending::<Infallible>().await;
            Err(NoAnswer)
        }
        Delivery::CutAfter(0) => Err(NoAnswer),
        Delivery::CutAfter(after) => Ok(respond(reply, |bytes| Paced::cut(&bytes, after))),
        Delivery::After(span) => {
            let until = floor.now() + span;
            while floor.now() < until {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(respond(reply, Paced::whole))
        }
        Delivery::Slow => Ok(respond(reply, Paced::slow)),
    }
}

fn respond(reply: HttpReply, paced: impl FnOnce(Bytes) -> Paced) -> Response<Paced> {
    let mut response = Response::new(paced(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        // A header of the script may be anything; what HTTP cannot carry is left out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The whole body, if it is text of a bearable length.
async fn read(mut body: Incoming) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > BODY_MAX {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Turns the connection into a WebSocket, if the venue has one there.
fn upgrade(request: Request<Incoming>, floor: Floor, stopped: watch::Receiver<bool>) -> Response<Paced> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return respond(HttpReply::html(400, ""), Paced::whole);
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let id = match floor.with(|exchange, now| exchange.connect(&target, now)) {
        Ok(id) => id,
        Err(reply) => return respond(reply, Paced::whole),
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            socket::serve(TokioIo::new(upgraded), id, floor, stopped).await;
        }
    });
    let mut response = Response::new(Paced::whole(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).expect("base64 is a header");
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}
