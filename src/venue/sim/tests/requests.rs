//! What is refused, and in which words.

use super::*;
use crate::venue::sim::{Fault, On, Rule, SymbolStatus, When};

fn refused(query: &str) -> (u16, i64, String) {
    error(&Desk::new().place(query))
}

#[test]
fn malformed_orders_are_refused_in_the_venue_s_words() {
    let base = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=100&quantity=1";
    let with = |from: &str, to: &str| base.replace(from, to);
    let cases = [
        (with("symbol=BTCUSDT&", ""), -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        (with("BTCUSDT", "BTCEUR"), -1121, "Invalid symbol."),
        (with("BUY", "HOLD"), -1117, "Invalid side."),
        (with("LIMIT", "STOP"), -1116, "Invalid orderType."),
        (with("GTC", "GTX"), -1115, "Invalid timeInForce."),
        (with("&price=100", ""), -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        (with("quantity=1", "quantity=0.123456789"), -1111, "Parameter 'quantity' has too much precision."),
        (with("quantity=1", "quantity=0"), -1013, "Invalid quantity."),
        (with("price=100", "price=0.00"), -1013, "Invalid price."),
        (
            with("quantity=1", "quantity=1e3"),
            -1100,
            "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        ),
        (
            format!("{base}&newClientOrderId=a.b"),
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        (
            format!("{base}&newClientOrderId={}", "a".repeat(37)),
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        (format!("{base}&color=red"), -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
        (format!("{base}&side=SELL"), -1101, "Duplicate values for parameter 'side' detected."),
        (with("LIMIT&timeInForce=GTC", "MARKET"), -1106, "Parameter 'price' sent when not required."),
        (with("LIMIT", "LIMIT_MAKER"), -1106, "Parameter 'timeInForce' sent when not required."),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET".to_owned(),
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        ),
        (with("price=100", "price=100.001"), -1013, "Filter failure: PRICE_FILTER"),
        (with("quantity=1", "quantity=0.000001"), -1013, "Filter failure: LOT_SIZE"),
        (with("quantity=1", "quantity=0.00001"), -1013, "Filter failure: NOTIONAL"),
        (with("price=100", "price=501"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (with("quantity=1", "quantity=11"), -2010, "Account has insufficient balance for requested action."),
    ];
    for (query, code, msg) in cases {
        assert_eq!(refused(&query), (400, code, msg.to_owned()), "{query}");
    }
}

#[test]
fn who_asks_must_be_known_in_time_and_sign() {
    let stamped = |offset: i64, window: &str| {
        let mut desk = Desk::new();
        let payload = format!("timestamp={}{window}", desk.now.millis() + offset);
        error(&desk.send(Method::Get, &format!("/api/v3/account?{payload}&signature={}", sign(&payload))))
    };
    let late = (400, -1021, "Timestamp for this request is outside of the recvWindow.".to_owned());
    let early = (400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.".to_owned());
    let fine = (200, 0, String::new());
    assert_eq!(stamped(999, ""), fine);
    assert_eq!(stamped(1000, ""), early);
    assert_eq!(stamped(-5000, ""), fine);
    assert_eq!(stamped(-5001, ""), late);
    assert_eq!(stamped(-101, "&recvWindow=100"), late);
    assert_eq!(stamped(-100, "&recvWindow=100.5"), fine);
    assert_eq!(stamped(0, "&recvWindow=60001").1, -1131);

    let mut desk = Desk::new();
    let payload = format!("timestamp={}", desk.now.millis());
    let wrong = desk.send(Method::Get, &format!("/api/v3/account?{payload}&signature={}", sign("other")));
    assert_eq!(error(&wrong), (400, -1022, "Signature for this request is not valid.".to_owned()));
    desk.key = "short".to_owned();
    assert_eq!(error(&desk.signed(Method::Get, "/api/v3/account", "")), (401, -2014, "API-key format invalid.".to_owned()));
    desk.key = "x".repeat(64);
    let unknown = (401, -2015, "Invalid API-key, IP, or permissions for action.".to_owned());
    assert_eq!(error(&desk.signed(Method::Get, "/api/v3/account", "")), unknown);
    desk.key = KEY.to_owned();
    desk.exchange.keys_mut(0)[0].permissions.can_trade = false;
    assert_eq!(error(&desk.place("symbol=BTCUSDT")), unknown);
    assert_eq!(desk.signed(Method::Get, "/api/v3/account", "").status, 200, "it may still read");
}

#[test]
fn a_symbol_that_is_not_traded_takes_no_orders() {
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1";
    let mut desk = Desk::new();
    desk.limit("BUY", "90", "1", "a");
    let closed = |code| (400, code, "Market is closed.".to_owned());
    let set = |desk: &mut Desk, status| desk.exchange.befall(&Fault::Status { symbol: Some("BTCUSDT".to_owned()), status }, None);
    set(&mut desk, SymbolStatus::Halt);
    assert_eq!((error(&desk.place(order)), error(&desk.cancel("a"))), (closed(-2010), closed(-2011)));
    desk.bar([100.0, 100.0, 80.0, 100.0, 10.0]);
    assert_eq!(desk.query("a")["status"], "NEW", "nothing trades");
    set(&mut desk, SymbolStatus::CancelOnly);
    assert_eq!((error(&desk.place(order)), desk.cancel("a").status), (closed(-2010), 200));
    set(&mut desk, SymbolStatus::Trading);
    assert_eq!(desk.place(order).status, 200);
}

#[test]
fn questions_about_the_past_have_their_rules() {
    let mut desk = Desk::new();
    for id in ["a", "b", "c"] {
        desk.market("BUY", "0.1", id);
        desk.wait(Span::from_secs(1));
    }
    let ids = |reply: &HttpReply, name: &str| -> Vec<i64> {
        let list: Vec<Value> = serde_json::from_str(&reply.body).unwrap();
        list.iter().map(|row| row[name].as_i64().unwrap()).collect()
    };
    let start = desk.now.millis() - 3000;
    let ask = |desk: &mut Desk, path: &str, query: &str| desk.signed(Method::Get, path, &format!("symbol=BTCUSDT{query}"));
    let (orders, trades) = ("/api/v3/allOrders", "/api/v3/myTrades");
    assert_eq!(ids(&ask(&mut desk, orders, "&limit=2"), "orderId"), [2, 3], "the newest");
    assert_eq!(ids(&ask(&mut desk, orders, "&orderId=1&limit=2"), "orderId"), [1, 2], "the oldest from there");
    assert_eq!(ids(&ask(&mut desk, orders, &format!("&startTime={start}&endTime={}", start + 1000)), "orderId"), [1, 2]);
    assert_eq!(ids(&ask(&mut desk, trades, "&orderId=2"), "id"), [2]);
    assert_eq!(ids(&ask(&mut desk, trades, "&fromId=2"), "id"), [2, 3]);
    assert_eq!(ids(&ask(&mut desk, trades, &format!("&startTime={}", start + 1500)), "id"), [3]);
    let long = format!("&startTime={start}&endTime={}", start + 86_400_001);
    for path in [orders, trades] {
        assert_eq!(error(&ask(&mut desk, path, &long)).1, -1127, "{path}");
    }
    for wrong in ["&orderId=1&startTime=1", "&fromId=1&endTime=9"] {
        assert_eq!(error(&ask(&mut desk, trades, wrong)).1, -1128, "{wrong}");
    }
    assert_eq!(error(&ask(&mut desk, orders, "&limit=1001")).1, -1130);
    assert_eq!(error(&ask(&mut desk, "/api/v3/order", "")).1, -1102);
    assert_eq!(error(&ask(&mut desk, "/api/v3/order", "&origClientOrderId=zzz")).1, -2013);
    assert_eq!(error(&ask(&mut desk, "/api/v3/order", "&orderId=1&origClientOrderId=b")).1, -2039);
    assert_eq!(desk.send(Method::Get, "/api/v3/depth?symbol=BTCUSDT").status, 404);
}

#[test]
fn weight_and_orders_are_counted_as_documented() {
    let mut desk = Desk::new();
    let used = |reply: &HttpReply| reply.header_value("X-MBX-USED-WEIGHT-1M").unwrap().to_owned();
    let reply = desk.place("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=90&quantity=0.1");
    let counts = ["X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1D"].map(|name| reply.header_value(name).unwrap().to_owned());
    assert_eq!((used(&reply), counts), ("0".to_owned(), ["1", "1"].map(str::to_owned)), "an order that is taken weighs nothing");
    let reply = desk.place("symbol=BTCUSDT");
    assert_eq!((used(&reply), reply.header_value("X-MBX-ORDER-COUNT-10S")), ("1".to_owned(), None), "one that is refused does");
    let weights = [
        ("/api/v3/account", "", 20),
        ("/api/v3/openOrders", "symbol=BTCUSDT", 6),
        ("/api/v3/openOrders", "", 80),
        ("/api/v3/order", "symbol=BTCUSDT&orderId=1", 4),
        ("/api/v3/allOrders", "symbol=BTCUSDT", 20),
        ("/api/v3/myTrades", "symbol=BTCUSDT", 20),
        ("/api/v3/myTrades", "symbol=BTCUSDT&orderId=1", 5),
        ("/api/v3/rateLimit/order", "", 40),
    ];
    let mut sum = 1;
    for (path, query, weight) in weights {
        sum += weight;
        assert_eq!(used(&desk.signed(Method::Get, path, query)), sum.to_string(), "{path} {query}");
    }
    // A fill takes an order out of the count.
    let reply = desk.place("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1");
    assert_eq!(reply.header_value("X-MBX-ORDER-COUNT-10S"), Some("1"));
    desk.wait(Span::from_secs(60));
    assert_eq!(used(&desk.send(Method::Get, "/api/v3/time")), "1", "a new minute");
}

#[test]
fn too_many_orders_are_refused_until_the_interval_ends_and_cancels_pass() {
    let mut own = setup();
    own.limits.orders_10s = 3;
    let mut desk = Desk::of(own);
    let place = |desk: &mut Desk| desk.place("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=90&quantity=0.1");
    let mut statuses: Vec<u16> = (0..4).map(|_| place(&mut desk).status).collect();
    let told = place(&mut desk);
    statuses.push(told.status);
    assert_eq!((statuses, told.code()), (vec![200, 200, 200, 429, 429], Some(-1015)));
    assert_eq!(desk.signed(Method::Delete, "/api/v3/openOrders", "symbol=BTCUSDT").status, 200);
    desk.wait(Span::from_secs(10));
    assert_eq!(place(&mut desk).status, 200);
}

#[test]
fn a_ban_of_the_script_is_obeyed_or_told() {
    let ban = Rule::new(On::Account, When::Nth(1), Fault::Banned { span: Span::from_secs(120) });
    let mut desk = Desk::with_script(Script::new(1).with(ban));
    let reply = desk.signed(Method::Get, "/api/v3/account", "");
    assert_eq!((reply.status, reply.header_value("Retry-After")), (418, Some("120")));
    desk.wait(Span::from_secs(119));
    assert_eq!(desk.breaches(), [""; 0], "the script's ban is not our doing");
    assert_eq!(desk.send(Method::Get, "/api/v3/time").status, 418);
    assert!(desk.breaches()[0].contains("manners"), "a request in a ban is");
    desk.wait(Span::from_secs(2));
    assert_eq!(desk.send(Method::Get, "/api/v3/time").status, 200);
}

#[test]
fn bars_and_prices_are_those_that_were_fed() {
    let mut desk = Desk::new();
    desk.bar([100.0, 103.0, 99.0, 102.0, 4.0]);
    // Half a minute of the next bar.
    let open_time = "2026-03-02T10:02:00Z".parse().unwrap();
    desk.exchange.advance(
        "BTCUSDT",
        &Bar { open_time, open: 102.0, high: 102.5, low: 102.0, close: 102.5, volume: 1.0 },
        desk.now,
    );
    let rows: Vec<Value> =
        serde_json::from_str(&desk.send(Method::Get, "/api/v3/klines?symbol=BTCUSDT&interval=1m").body).unwrap();
    assert_eq!(rows.len(), 3);
    let row = rows[1].as_array().unwrap();
    assert_eq!((row.len(), row[0].as_i64(), row[6].as_i64()), (12, Some(1_772_445_660_000), Some(1_772_445_719_999)));
    assert_eq!(
        [&row[1], &row[2], &row[3], &row[4], &row[5]],
        ["100.00000000", "103.00000000", "99.00000000", "102.00000000", "4.00000000"]
    );
    let fives: Vec<Value> =
        serde_json::from_str(&desk.send(Method::Get, "/api/v3/klines?symbol=BTCUSDT&interval=5m").body).unwrap();
    assert_eq!((fives.len(), &fives[0][2], &fives[0][4]), (1, &"103.00000000".into(), &"102.50000000".into()));
    let last: Vec<Value> =
        serde_json::from_str(&desk.send(Method::Get, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1").body).unwrap();
    assert_eq!(last[0][4], "102.50000000", "the one that is still open");
    assert_eq!(read(&desk.send(Method::Get, "/api/v3/ticker/price?symbol=BTCUSDT"))["price"], "102.50000000");
    // (100 × 10 + 102 × 4 + 102.5 × 1) ÷ 15.
    assert_eq!(read(&desk.send(Method::Get, "/api/v3/avgPrice?symbol=BTCUSDT"))["price"], "100.70000000");
    assert_eq!(error(&desk.send(Method::Get, "/api/v3/klines?symbol=BTCUSDT&interval=1s")).1, -1120);
}

#[test]
fn a_test_order_is_checked_and_not_placed() {
    let mut desk = Desk::new();
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1";
    assert_eq!(desk.signed(Method::Post, "/api/v3/order/test", order).body, "{}");
    let rates = read(&desk.signed(Method::Post, "/api/v3/order/test", &format!("{order}&computeCommissionRates=true")));
    assert_eq!(rates["standardCommissionForOrder"]["taker"], "0.00100000");
    assert_eq!(
        error(&desk.signed(Method::Post, "/api/v3/order/test", &order.replace("BUY", "SELL").replace("=1", "=2"))).1,
        -2010
    );
    assert_eq!(desk.exchange.orders().count(), 0);
}

#[test]
fn times_come_in_the_unit_that_was_asked_for() {
    let mut desk = Desk::new();
    let request = HttpRequest::new(Method::Get, "/api/v3/time").header("x-mbx-time-unit", "MICROSECOND");
    let reply = desk.exchange.handle(&request, desk.now);
    assert_eq!(reply.body, format!("{{\"serverTime\":{}}}", desk.now.micros()));
}
