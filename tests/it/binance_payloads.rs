//! Recorded and hostile payloads of the order path: each is read, or refused for the true reason.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidegate::domain::{ClientOrderId, OrderIntent, OrderKind, Purpose, Side, Size, Symbol, SymbolIndex, Time, TimeInForce};
use tidegate::venue::binance::{Frame, Key, Params, Read, Reply, Rules, Symbols, decode};
use tidegate::venue::wire::{Answer, Failure, Owner, Push, Request, TradeId, VenueOrder, VenueOrderId, VenueStatus};

use crate::shared;

const ID: &str = "tg00000001-019d3728c280-0003";

fn now() -> Time {
    "2026-03-29T01:00:00Z".parse().unwrap()
}

fn id() -> ClientOrderId {
    ID.parse().unwrap()
}

/// All the symbols that the payloads speak of, as far as tests ask for them.
fn symbols() -> Symbols {
    let names = ["BTC/USDT", "LTC/BTC", "BNB/BTC", "LTC/BNB", "SOL/USDT", "ETH/BTC"];
    let symbols: Vec<Symbol> = names.iter().map(|name| name.parse().unwrap()).collect();
    Symbols::new(&symbols).unwrap()
}

fn index(name: &str) -> SymbolIndex {
    symbols().index(name).unwrap_or_else(|| panic!("{name}"))
}

fn place(symbol: SymbolIndex, side: Side) -> Request {
    Request::Place(OrderIntent {
        id: id(),
        symbol,
        side,
        kind: OrderKind::Limit { price: "1".parse().unwrap(), expires_at: Time::MAX, tif: TimeInForce::Gtc },
        size: Size::Base("1".parse().unwrap()),
        purpose: Purpose::Signal,
        decided_at: now(),
        reference: "1".parse().unwrap(),
    })
}

fn read_as(request: &Request, status: u16, headers: &Value, body: &str) -> Result<Read, Failure> {
    let header = |name: &str| headers.get(name).and_then(Value::as_str).map(str::to_owned);
    let body = body.as_bytes().to_vec();
    let reply = Reply { status, retry_after: header("Retry-After"), body, ..Reply::default() };
    decode(request, &symbols(), &reply, now())
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(path: &Path) -> Vec<Value> {
    let document: Value = serde_json::from_str(&text(path)).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// The word of the recorded cases for what a failure means. An answer of "no such order" proves nothing.
fn outcome(failure: &Failure) -> &'static str {
    match failure {
        Failure::Ambiguous(_) | Failure::NoSuchOrder => "unknown",
        Failure::Clock | Failure::Throttled { .. } | Failure::Banned { .. } => "not_accepted_retry_later",
        Failure::Key { .. } => "not_accepted_fatal",
        Failure::Rejected { .. } => "not_accepted",
        Failure::Duplicate | Failure::NotOpen | Failure::Archived => "accepted_or_already_done",
        Failure::NotSent(_) | Failure::Protocol(_) => "impossible here",
    }
}

/// C28, C30, and ORDERS-3: each documented error is what it means for an order.
#[test]
fn every_documented_error_has_its_outcome() {
    let Some(path) = shared::path("fixtures/binance/errors.json") else { return };
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let cases = cases(&path);
    for case in &cases {
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let body = case["raw"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        let request = place(index("BTCUSDT"), Side::Buy);
        let failure = read_as(&request, status, &case["headers"], &body).unwrap_err();
        let wanted = case["outcome"].as_str().unwrap();
        // A symbol that is not listed ends trading in it: a rejection whose reason says so.
        let wanted = if case["body"]["code"] == -1121 { "not_accepted" } else { wanted };
        assert_eq!(outcome(&failure), wanted, "{case}: {failure:?}");
        *seen.entry(wanted).or_default() += 1;
    }
    assert!(seen.len() == 5 && cases.len() >= 34, "{seen:?}");
}

/// C25: what the headers ask for is what is waited for.
#[test]
fn pauses_are_as_long_as_the_venue_says() {
    let Some(path) = shared::path("fixtures/binance/errors.json") else { return };
    let mut pauses = Vec::new();
    for case in cases(&path) {
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let body = case["raw"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        match read_as(&place(index("BTCUSDT"), Side::Buy), status, &case["headers"], &body) {
            Err(Failure::Throttled { until }) => pauses.push((status, "slow", (until - now()).micros() / 1_000_000)),
            Err(Failure::Banned { until }) => pauses.push((status, "ban", (until - now()).micros() / 1_000_000)),
            _ => {}
        }
    }
    assert_eq!(pauses, [(429, "slow", 37), (429, "slow", 6), (418, "ban", 3492), (403, "slow", 300)]);
}

/// What decoding decides of a hostile answer; the rest is for whoever keeps the order.
#[test]
fn hostile_answers_to_an_order() {
    let Some(path) = shared::path("fixtures/binance/hostile/order_replies.json") else { return };
    let cases = cases(&path);
    for case in &cases {
        // The order was sent under an id of ours, which the payloads call "a".
        let body = case["body"].as_str().unwrap().replace("\"clientOrderId\":\"a\"", &format!("\"clientOrderId\":\"{ID}\""));
        let symbol = if case["name"] == "market_expired_partial" { "LTCBNB" } else { "BTCUSDT" };
        let read = read_as(&place(index(symbol), Side::Buy), 200, &Value::Null, &body);
        let order = || match &read {
            Ok(Read::Answer(Answer::Order(order))) => order.clone(),
            other => panic!("{case}: {other:?}"),
        };
        match case["expect"].as_str().unwrap() {
            "hold_as_unknown_and_alert" => assert_eq!(order().status, Some(VenueStatus::Unheard)),
            // Killing is for the core; it sees more filled than ordered.
            "book_what_was_filled_and_kill" => assert!(order().filled > order().ordered),
            // Asking is for the core; it sees fills that do not add up.
            "reconcile_from_myTrades" => {
                let booked = order().fills.iter().fold(tidegate::domain::Qty::ZERO, |sum, fill| sum + fill.qty);
                assert!(booked < order().filled);
            }
            "protocol_error_kill" => assert!(matches!(read, Err(Failure::Protocol(_))), "{case}: {read:?}"),
            "documented_not_available_use_myTrades" => assert_eq!(order().filled_quote, None),
            "terminal_with_4_filled" => {
                assert_eq!((order().status, order().filled), (Some(VenueStatus::Expired), "4".parse().unwrap()));
            }
            "accepted_no_fill_information" => assert_eq!((order().status, order().fills.len()), (None, 0)),
            "accepted_exact_id" => assert_eq!(order().venue_id, VenueOrderId(9_223_372_036_854_775_807)),
            other => panic!("{other} is not known here"),
        }
    }
    assert_eq!(cases.len(), 9);
}

fn push(frame: &str) -> Push {
    match Frame::read(frame, &symbols()) {
        Ok(Frame::Push(push)) => push,
        other => panic!("{frame}: {other:?}"),
    }
}

fn changed(frame: &str) -> (VenueOrder, u64, String) {
    match push(frame) {
        Push::Order { order, execution, last_filled } => (order, execution, last_filled.to_string()),
        other => panic!("{frame}: {other:?}"),
    }
}

/// What decoding decides of hostile events; the rest is for whoever keeps the orders.
#[test]
fn hostile_events_of_the_account() {
    let Some(path) = shared::path("fixtures/binance/hostile/user_stream.json") else { return };
    let cases = cases(&path);
    for case in &cases {
        let frames: Vec<String> = case["frames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| {
                let frame = frame.as_str().unwrap();
                frame.replace("\"c\":\"a\"", &format!("\"c\":\"{ID}\"")).replace("\"C\":\"a\"", &format!("\"C\":\"{ID}\""))
            })
            .collect();
        match case["expect"].as_str().unwrap() {
            // One of the two is dropped by the core: the trade's number is the same.
            "one_fill_of_0.4" => {
                let (first, second) = (changed(&frames[0]).0, changed(&frames[1]).0);
                assert_eq!((first.fills[0].trade, first.fills.len()), (TradeId(77), 1));
                assert_eq!(first, second);
            }
            // The order of events is that of their executions.
            "filled_1_not_partially_filled" => {
                let (late, early) = (changed(&frames[0]), changed(&frames[1]));
                assert!(late.1 > early.1 && late.0.status == Some(VenueStatus::Filled));
            }
            // The core sees more filled than it knows fills of.
            "fetch_missing_trades" => {
                let (order, _, last) = changed(&frames[0]);
                assert_eq!((order.filled.to_string().as_str(), last.as_str()), ("0.7", "0.1"));
            }
            "alert_foreign_activity_and_pause" => {
                assert_eq!(changed(&frames[0]).0.owner, Owner::Foreign("web_abc".to_owned()));
            }
            "order_a_canceled_with_0.4_filled" => {
                let (order, ..) = changed(&frames[0]);
                assert_eq!((order.owner, order.status), (Owner::Ours(id()), Some(VenueStatus::Canceled)));
                assert_eq!((order.filled.to_string().as_str(), order.fills.len()), ("0.4", 0));
            }
            "reconnect_then_reconcile" => assert_eq!(Frame::read(&frames[0], &symbols()), Ok(Frame::Shutdown)),
            "resubscribe_then_reconcile" => assert_eq!(Frame::read(&frames[0], &symbols()), Ok(Frame::Terminated)),
            "ignore_and_count" => {
                assert_eq!(Frame::read(&frames[0], &symbols()), Ok(Frame::Unknown("brandNew".to_owned())));
            }
            other => panic!("{other} is not known here"),
        }
    }
    assert_eq!(cases.len(), 8);
}

/// The requests that the recorded answers belong to, by what the files are called.
fn request_of(path: &str, body: &str) -> Option<Request> {
    let named = |symbol: &str| index(symbol);
    let at = |millis: i64| Time::from_millis(millis);
    Some(match path {
        "binance-net/Endpoints/Spot/Trading/PlaceOrder.json" => place(named("BTCUSDT"), Side::Sell),
        "ccxt/create_order_iceberg_stp.SOLUSDT.json" => place(named("SOLUSDT"), Side::Buy),
        "binance-rs/account/limit_buy.json"
        | "binance-rs/account/limit_sell.json"
        | "binance-rs/account/market_buy.json"
        | "binance-rs/account/market_sell.json" => {
            place(named("LTCBTC"), if body.contains("\"BUY\"") { Side::Buy } else { Side::Sell })
        }
        "binance-net/Endpoints/Spot/Trading/PlaceTestOrder.json" => match place(named("BTCUSDT"), Side::Buy) {
            Request::Place(intent) => Request::Test(intent),
            other => other,
        },
        "binance-net/Endpoints/Spot/Trading/CancelOrder.json" | "binance-rs/account/cancel_order.json" => {
            Request::Cancel { symbol: named("LTCBTC"), id: id() }
        }
        "binance-net/Endpoints/Spot/Trading/CancelAllOrders.json" | "binance-rs/account/cancel_all_open_orders.json" => {
            Request::CancelAll { symbol: named("BTCUSDT") }
        }
        "binance-net/Endpoints/Spot/Trading/GetOrder.json" | "binance-rs/account/order_status.json" => {
            Request::Order { symbol: named("LTCBTC"), id: id() }
        }
        "binance-net/Endpoints/Spot/Trading/GetOpenOrders.json" | "binance-rs/account/get_open_orders.json" => {
            Request::OpenOrders { symbol: None }
        }
        "binance-net/Endpoints/Spot/Trading/GetOrders.json" => {
            Request::Orders { symbol: named("LTCBTC"), from: at(0), until: at(1) }
        }
        "binance-net/Endpoints/Spot/Trading/GetUserTrades.json" => {
            Request::FillsOf { symbol: named("BNBBTC"), order: VenueOrderId(100_234) }
        }
        "binance-net/Endpoints/Spot/Account/GetAccountInfo.json" | "binance-rs/account/get_account.json" => Request::Account,
        "binance-net/Endpoints/Spot/ExchangeData/GetServerTime.json" | "python-binance/server_time.testnet.json" => Request::Time,
        path if path.to_lowercase().contains("exchange_info") || path.ends_with("GetExchangeInfo.json") => Request::Rules,
        _ => return None,
    })
}

/// Ids of others in the payloads become the one that was asked for: what is held here is the form.
fn with_our_id(body: &str) -> String {
    let mut document: Value = serde_json::from_str(body).unwrap();
    if let Some(order) = document.as_object_mut() {
        for key in ["clientOrderId", "origClientOrderId"] {
            if order.contains_key(key) {
                order.insert(key.to_owned(), Value::from(ID));
            }
        }
    }
    document.to_string()
}

fn files(root: &Path, under: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, into);
        } else {
            into.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    into.sort();
}

/// Every recorded answer about orders, accounts and rules is read; the one whose numbers were made texts is refused.
#[test]
fn every_recorded_answer_is_read_or_refused() {
    let Some(root) = shared::path("fixtures/binance") else { return };
    let mut all = Vec::new();
    files(&root, &root, &mut all);
    let mut read = 0;
    for path in all {
        let body = text(&root.join(&path));
        let Some(request) = request_of(&path, &body) else { continue };
        let body = if path.ends_with("xchange_info.json") { body } else { with_our_id(&body) };
        let answer = read_as(&request, 200, &Value::Null, &body);
        if path.starts_with("ccxt/") {
            assert!(matches!(answer, Err(Failure::Protocol(_))), "{path}: {answer:?}");
        } else {
            assert!(answer.is_ok(), "{path}: {answer:?}");
        }
        if let Ok(Read::Answer(Answer::Orders(orders))) = &answer {
            assert!(!orders.is_empty(), "{path}");
        }
        read += 1;
    }
    assert_eq!(read, 25);
}

/// Every recorded event is read; the one that has no number of its execution is refused, for nothing would order it.
#[test]
fn every_recorded_event_is_read_or_refused() {
    let Some(root) = shared::path("fixtures/binance") else { return };
    let mut all = Vec::new();
    files(&root, &root, &mut all);
    let mut seen = BTreeMap::new();
    for path in all.iter().filter(|path| {
        path.contains("Spot/Account/") && path.contains("Subscriptions")
            || path.contains("nautilus-lgpl/ws_")
            || path.contains("user_data/")
    }) {
        let word = match Frame::read(&text(&root.join(path)), &symbols()).unwrap() {
            Frame::Push(Push::Order { order, .. }) => format!("{:?}", order.status.unwrap()),
            Frame::Push(Push::Balances { .. }) => "balances".to_owned(),
            Frame::Push(Push::Moved { .. }) => "moved".to_owned(),
            Frame::Ignored => "ignored".to_owned(),
            Frame::Wrong(why) if path.ends_with("execution_report_stop_loss.json") => {
                assert!(why.contains("missing field `I`"), "{why}");
                "refused".to_owned()
            }
            other => panic!("{path}: {other:?}"),
        };
        *seen.entry(word).or_insert(0) += 1;
    }
    let seen: Vec<(&str, i32)> = seen.iter().map(|(word, count)| (word.as_str(), *count)).collect();
    let wanted = [
        ("Canceled", 1),
        ("Expired", 2),
        ("New", 2),
        ("PartiallyFilled", 1),
        ("Rejected", 1),
        ("balances", 1),
        ("ignored", 1),
        ("moved", 1),
        ("refused", 1),
    ];
    assert_eq!(seen, wanted);
}

/// The recorded rules of real symbols, old forms and new.
#[test]
fn recorded_rules_are_obeyed() {
    let Some(root) = shared::path("fixtures/binance") else { return };
    let rules = |path: &str| Rules::read(text(&root.join(path)).as_bytes()).unwrap();
    let testnet = rules("python-binance/exchange_info.testnet.2026-06-15.json");
    assert_eq!((testnet.refused().len(), testnet.unknown_filters(), testnet.limits().len()), (0, 0, 4));
    let btc = testnet.instrument(&"BTC/USDT".parse().unwrap()).unwrap();
    assert_eq!((btc.price_tick.to_string(), btc.qty_step.to_string()), ("0.01".to_owned(), "0.00001".to_owned()));
    assert!(btc.min_notional.is_positive());
    assert!(testnet.of("这是测试币456").unwrap().is_trading());
    assert!(testnet.of("BTCUSDT").unwrap().expires_maker);
    let old = rules("binance-rs/general/exchange_info.json");
    let old = old.of("ETHBTC").unwrap();
    assert!(old.buy_band.is_some() && old.notional.min.is_positive() && !old.expires_maker, "{old:?}");
    let bare = rules("binance-net/Endpoints/Spot/ExchangeData/GetExchangeInfo.json");
    assert_eq!(bare.limits(), [], "an entry that says nothing is no limit");
    assert!(bare.of("ETHBTC").unwrap().price.step.is_zero());
}

/// ORDERS-1: the vectors as they lie beside the repository.
#[test]
fn every_vector_of_signatures_reproduces() {
    use base64::Engine;
    let Some(path) = shared::path("fixtures/binance/signature_vectors.json") else { return };
    let document: Value = serde_json::from_str(&text(&path)).unwrap();
    let word = |name: &str| document[name].as_str().unwrap();
    let seed = word("ed25519_seed_hex");
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend((0..32).map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap()));
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let key = |secret: &str| Key::new(&word("hmac_api_key").into(), &secret.into()).unwrap();
    let (hmac, ed25519) = (key(word("hmac_secret")), key(&pem));
    let vectors = document["vectors"].as_array().unwrap();
    for vector in vectors {
        let key = if vector["algorithm"] == "Ed25519-base64" { &ed25519 } else { &hmac };
        let signature = key.sign(vector["payload"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(signature, vector["signature"].as_str().unwrap(), "{}", vector["name"]);
    }
    assert_eq!(vectors.len(), 9);
    let encoding = document["not_usable"].as_array().unwrap().iter().find(|case| case.get("base64").is_some()).unwrap();
    let encoded = Params::default().with("signature", encoding["base64"].as_str().unwrap()).encoded();
    assert_eq!(encoded, format!("signature={}", encoding["percent_encoded"].as_str().unwrap()));
}
