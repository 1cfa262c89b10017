//! The WebSocket API and the market streams.

use serde_json::json;

use super::*;
use crate::venue::sim::{Fault, On, Rule, When};

fn ask(desk: &mut Desk, connection: u64, message: &Value) -> Value {
    desk.exchange.receive(connection, Frame::Text(message.to_string()), desk.now);
    desk.texts(connection).remove(0)
}

#[test]
fn an_account_is_told_its_executions_in_order() {
    let mut desk = Desk::new();
    let connection = desk.listen();
    desk.market("BUY", "3", "a");
    let text = |texts: [&str; 3]| texts.map(str::to_owned);
    let told = desk.executions(connection);
    assert_eq!(told, [text(["NEW", "NEW", "0"]), text(["TRADE", "PARTIALLY_FILLED", "2"]), text(["TRADE", "FILLED", "3"])]);
    desk.limit("BUY", "90", "1", "b");
    desk.cancel("b");
    let events = desk.texts(connection);
    let last = events.iter().rfind(|frame| frame["event"]["e"] == "executionReport").unwrap();
    assert_eq!((&last["event"]["C"], &last["event"]["x"]), (&json!("b"), &json!("CANCELED")));
    assert_ne!(last["event"]["c"], "b");
    desk.market("BUY", "9", "c");
    let events = desk.texts(connection);
    let last = events.iter().rfind(|frame| frame["event"]["e"] == "executionReport").unwrap();
    assert_eq!(
        [&last["event"]["X"], &last["event"]["eR"], &last["event"]["z"]],
        ["EXPIRED", "INSUFFICIENT_LIQUIDITY", "3.00000000"]
    );
}

#[test]
fn balances_follow_executions_and_deposits() {
    let mut desk = Desk::new();
    let connection = desk.listen();
    desk.exchange.deposit(0, "USDT", qty("-100"));
    let events = desk.texts(connection);
    assert_eq!(
        [&events[0]["event"]["e"], &events[0]["event"]["a"], &events[0]["event"]["d"]],
        ["balanceUpdate", "USDT", "-100.00000000"]
    );
    assert_eq!(events[1]["event"]["B"], json!([{ "a": "USDT", "f": "900.00000000", "l": "0.00000000" }]));
    desk.limit("BUY", "90", "1", "a");
    let events = desk.texts(connection);
    assert_eq!(events[1]["event"]["B"][1], json!({ "a": "USDT", "f": "810.00000000", "l": "90.00000000" }));
    desk.exchange.deposit(0, "USDT", qty("-5000"));
    assert_eq!(desk.holds("USDT").0, "0", "no more than is free");
    assert_eq!(desk.breaches(), [""; 0]);
}

#[test]
fn a_subscription_is_one_an_account_and_connection_and_ends_as_it_began() {
    let mut desk = Desk::new();
    let connection = desk.listen();
    let stamp = desk.now.millis();
    let signature = sign(&format!("apiKey={KEY}&timestamp={stamp}"));
    let params = json!({ "apiKey": KEY, "timestamp": stamp, "signature": signature });
    let again =
        ask(&mut desk, connection, &json!({ "id": "x", "method": "userDataStream.subscribe.signature", "params": params }));
    assert_eq!((&again["id"], &again["error"]["code"]), (&json!("x"), &json!(-2035)));
    let logon = ask(&mut desk, connection, &json!({ "id": 2, "method": "session.logon", "params": params }));
    assert_eq!(logon["error"]["msg"], "HMAC_SHA256 API key is not supported.");
    let unknown = ask(&mut desk, connection, &json!({ "id": 3, "method": "userDataStream.subscribe" }));
    assert_eq!((&unknown["status"], &unknown["error"]["code"]), (&json!(401), &json!(-1002)));
    desk.exchange.receive(
        connection,
        Frame::Text(json!({ "id": 4, "method": "userDataStream.unsubscribe" }).to_string()),
        desk.now,
    );
    let frames = desk.texts(connection);
    assert_eq!((&frames[0]["status"], &frames[1]["event"]["e"]), (&json!(200), &json!("eventStreamTerminated")));
    desk.market("BUY", "1", "a");
    assert_eq!(desk.texts(connection), Vec::<Value>::new());
    let wrong = ask(
        &mut desk,
        connection,
        &json!({ "id": 5, "method": "userDataStream.subscribe.signature",
        "params": { "apiKey": KEY, "timestamp": stamp, "signature": "00" } }),
    );
    assert_eq!(wrong["error"]["code"], -1022);
}

#[test]
fn an_ed25519_key_logs_on_and_subscribes() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut desk = Desk::new();
    desk.exchange.keys_mut(0)[0].lock = Lock::Ed25519(pair.public_key().as_ref().to_vec());
    let connection = desk.exchange.connect("/ws-api/v3", desk.now).unwrap();
    let stamp = desk.now.millis();
    let signed = pair.sign(format!("apiKey={KEY}&timestamp={stamp}").as_bytes());
    let logon = ask(
        &mut desk,
        connection,
        &json!({ "id": 1, "method": "session.logon",
        "params": { "apiKey": KEY, "timestamp": stamp, "signature": base64(signed.as_ref()) } }),
    );
    assert_eq!((&logon["status"], &logon["result"]["apiKey"]), (&json!(200), &json!(KEY)));
    let subscribed = ask(&mut desk, connection, &json!({ "id": 2, "method": "userDataStream.subscribe" }));
    assert_eq!(subscribed["result"], json!({ "subscriptionId": 0 }));
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[test]
fn pings_come_every_twenty_seconds_and_who_is_dumb_is_dropped() {
    let mut desk = Desk::new();
    let (polite, dumb) = (desk.listen(), desk.listen());
    for _ in 0..4 {
        desk.wait(Span::from_secs(20));
        let frames = desk.exchange.take_frames(polite, desk.now);
        let [Frame::Ping(payload)] = frames.as_slice() else { panic!("{frames:?}") };
        desk.exchange.receive(polite, Frame::Pong(payload.clone()), desk.now);
    }
    assert!(desk.exchange.take_frames(dumb, desk.now).contains(&Frame::Close(1001)), "no pong within a minute");
    assert_eq!(desk.exchange.connections(), [polite]);
    desk.wait(Span::from_days(1));
    assert!(desk.exchange.take_frames(polite, desk.now).contains(&Frame::Close(1001)), "a day is over");
    assert!(desk.exchange.is_over(polite));
}

#[test]
fn bars_are_streamed_to_who_wants_them() {
    let mut desk = Desk::new();
    let combined = desk.exchange.connect("/stream?streams=btcusdt@kline_1m/ethusdt@kline_5m", desk.now).unwrap();
    let raw = desk.exchange.connect("/ws", desk.now).unwrap();
    let answer = ask(&mut desk, raw, &json!({ "method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 7 }));
    assert_eq!(answer, json!({ "result": null, "id": 7 }));
    desk.bar([100.0, 101.0, 99.0, 100.5, 3.0]);
    let told = desk.texts(combined);
    assert_eq!(told.len(), 2);
    assert_eq!([&told[0]["stream"], &told[0]["data"]["k"]["c"]], ["btcusdt@kline_1m", "100.50000000"]);
    assert_eq!((&told[0]["data"]["k"]["x"], &told[1]["data"]["k"]["x"]), (&json!(true), &json!(false)));
    let told = desk.texts(raw);
    assert_eq!((told.len(), &told[0]["e"], &told[0]["k"]["i"]), (1, &json!("kline"), &json!("1m")));
    for at in 0..6 {
        desk.exchange.receive(raw, Frame::Text(json!({ "method": "LIST_SUBSCRIPTIONS", "id": at }).to_string()), desk.now);
    }
    assert!(desk.exchange.take_frames(raw, desk.now).contains(&Frame::Close(1008)), "five messages a second");
    assert!(desk.breaches()[0].contains("manners"));
}

#[test]
fn connections_are_counted_and_paths_are_known() {
    let mut own = setup();
    own.limits.connects_5m = 2;
    let mut desk = Desk::of(own);
    assert_eq!(desk.exchange.connect("/nowhere", desk.now).unwrap_err().status, 404);
    desk.exchange.connect("/ws/btcusdt@kline_1m", desk.now).unwrap();
    desk.exchange.connect("/ws-api/v3", desk.now).unwrap();
    assert_eq!(desk.exchange.connect("/ws-api/v3", desk.now).unwrap_err().status, 429);
    desk.wait(Span::from_secs(300));
    desk.exchange.connect("/ws-api/v3", desk.now).unwrap();
}

/// Executions that arrive, for a market order in three parts, when this befalls the fills.
fn arrive(fault: Fault, wait: Span) -> Vec<String> {
    let script = Script::new(1).with(Rule::new(On::FillEvent, When::Nth(1), fault));
    let mut desk = Desk::with_script(script);
    let connection = desk.listen();
    desk.market("BUY", "5", "a");
    desk.wait(wait);
    desk.executions(connection).into_iter().map(|[_, _, cumulative]| cumulative).collect()
}

#[test]
fn events_are_dropped_doubled_late_or_in_another_order() {
    let none = Span::ZERO;
    assert_eq!(arrive(Fault::Dropped, none), ["0", "4", "5"]);
    assert_eq!(arrive(Fault::Doubled, none), ["0", "2", "2", "4", "5"]);
    let late = Fault::LateEvent { span: Span::from_secs(4) };
    assert_eq!(arrive(late.clone(), none), ["0", "4", "5"]);
    assert_eq!(arrive(late, Span::from_secs(4)), ["0", "4", "5", "2"]);
    // The next event is of balances; so the fill comes behind it and before the next fill.
    assert_eq!(arrive(Fault::Swapped, none), ["0", "2", "4", "5"]);
}

#[test]
fn the_venue_goes_down_goes_silent_or_is_cut() {
    let befall = |fault: &Fault, secs: i64| {
        let mut desk = Desk::new();
        let connection = desk.listen();
        desk.exchange.befall(fault, None);
        let first = desk.exchange.take_frames(connection, desk.now);
        desk.market("BUY", "1", "a");
        let second = desk.exchange.take_frames(connection, desk.now).len();
        desk.wait(Span::from_secs(secs));
        (first, second, desk.exchange.take_frames(connection, desk.now))
    };
    let (told, events, end) = befall(&Fault::Shutdown, 10);
    let [Frame::Text(text)] = told.as_slice() else { panic!("{told:?}") };
    assert!(text.contains("serverShutdown") && !text.contains("subscriptionId"), "{text}");
    assert_eq!((events, end), (4, vec![Frame::Cut]));
    assert_eq!(befall(&Fault::CutStreams, 0), (vec![Frame::Cut], 0, vec![]));
    assert_eq!(befall(&Fault::Silence, 40), (vec![], 0, vec![]), "not even a ping");
}
