//! What the exchange says has the shape of what was recorded: the same keys, and values of the same kind.

use std::path::Path;

use super::*;

/// Recorded payloads are kept beside the project, not in it.
fn recorded(name: &str) -> Option<Value> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/binance"));
    if !folder.is_dir() {
        assert!(std::env::var_os("TIDEGATE_REQUIRE_SHARED").is_none(), "shared data is required and absent");
        println!("skipped: shared data absent");
        return None;
    }
    Some(serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// What `ours` lacks of `theirs`, or has of another kind.
fn lacks(path: &str, theirs: &Value, ours: &Value, wrong: &mut Vec<String>) {
    if kind(theirs) != kind(ours) && !theirs.is_null() && !ours.is_null() {
        wrong.push(format!("{path}: {} where {} was recorded", kind(ours), kind(theirs)));
        return;
    }
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, value) in theirs {
                match ours.get(name) {
                    Some(own) => lacks(&format!("{path}.{name}"), value, own, wrong),
                    None => wrong.push(format!("{path}.{name} is missing")),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if let (Some(theirs), Some(own)) = (theirs.first(), ours.first()) {
                lacks(&format!("{path}[0]"), theirs, own, wrong);
            }
        }
        _ => {}
    }
}

fn compare(name: &str, ours: &Value) {
    let Some(theirs) = recorded(name) else { return };
    let mut wrong = Vec::new();
    lacks(name, &theirs, ours, &mut wrong);
    assert!(wrong.is_empty(), "{}\nours: {ours}", wrong.join("\n"));
}

fn body(reply: &HttpReply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn answers_to_orders_have_the_recorded_shape() {
    let mut desk = Desk::new();
    let order = desk.market("BUY", "1", "a");
    compare("binance-net/Endpoints/Spot/Trading/PlaceOrder.json", &order);
    desk.limit("BUY", "90", "1", "b");
    desk.limit("BUY", "91", "1", "c");
    compare("binance-net/Endpoints/Spot/Trading/GetOrder.json", &desk.query("b"));
    compare("binance-rs/account/order_status.json", &desk.query("b"));
    let symbol = "symbol=BTCUSDT";
    compare(
        "binance-net/Endpoints/Spot/Trading/GetOpenOrders.json",
        &body(&desk.signed(Method::Get, "/api/v3/openOrders", symbol)),
    );
    compare("binance-net/Endpoints/Spot/Trading/GetOrders.json", &body(&desk.signed(Method::Get, "/api/v3/allOrders", symbol)));
    compare(
        "binance-net/Endpoints/Spot/Trading/GetUserTrades.json",
        &body(&desk.signed(Method::Get, "/api/v3/myTrades", symbol)),
    );
    compare("binance-net/Endpoints/Spot/Trading/CancelOrder.json", &body(&desk.cancel("b")));
    compare(
        "binance-net/Endpoints/Spot/Trading/CancelAllOrders.json",
        &body(&desk.signed(Method::Delete, "/api/v3/openOrders", symbol)),
    );
    let test = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&computeCommissionRates=true";
    compare(
        "binance-net/Endpoints/Spot/Trading/PlaceTestOrder.json",
        &body(&desk.signed(Method::Post, "/api/v3/order/test", test)),
    );
}

#[test]
fn answers_about_account_and_market_have_the_recorded_shape() {
    let mut desk = Desk::new();
    compare("binance-net/Endpoints/Spot/Account/GetAccountInfo.json", &body(&desk.signed(Method::Get, "/api/v3/account", "")));
    let counts = body(&desk.signed(Method::Get, "/api/v3/rateLimit/order", ""));
    compare("binance-net/Endpoints/Spot/Account/GetOrderRateLimitStatus.json", &counts);
    let of = |desk: &mut Desk, path: &str| body(&desk.send(Method::Get, path));
    compare("binance-net/Endpoints/Spot/ExchangeData/GetAvgPrice.json", &of(&mut desk, "/api/v3/avgPrice?symbol=BTCUSDT"));
    compare("binance-net/Endpoints/Spot/ExchangeData/GetPrice.json", &of(&mut desk, "/api/v3/ticker/price?symbol=BTCUSDT"));
    compare(
        "binance-net/Endpoints/Spot/ExchangeData/GetBookPrice.json",
        &of(&mut desk, "/api/v3/ticker/bookTicker?symbol=BTCUSDT"),
    );
    compare("binance-net/Endpoints/Spot/ExchangeData/GetServerTime.json", &of(&mut desk, "/api/v3/time"));
    compare(
        "binance-net/Endpoints/Spot/ExchangeData/GetKlines.json",
        &of(&mut desk, "/api/v3/klines?symbol=BTCUSDT&interval=1m"),
    );
    compare("python-binance/klines_1d.testnet.outlier-low.json", &of(&mut desk, "/api/v3/klines?symbol=BTCUSDT&interval=1d"));
}

#[test]
fn the_rules_of_symbols_have_the_recorded_shape() {
    let mut desk = Desk::new();
    let ours = body(&desk.send(Method::Get, "/api/v3/exchangeInfo"));
    compare("python-binance/exchange_info.testnet.2026-06-15.json", &ours);
    let Some(theirs) = recorded("python-binance/exchange_info.testnet.2026-06-15.json") else { return };
    let by_type = |info: &Value| -> std::collections::BTreeMap<String, Value> {
        let filters = info["symbols"][0]["filters"].as_array().unwrap();
        filters.iter().map(|filter| (filter["filterType"].as_str().unwrap().to_owned(), filter.clone())).collect()
    };
    let own = by_type(&ours);
    for (name, filter) in by_type(&theirs) {
        let mut wrong = Vec::new();
        lacks(&name, &filter, own.get(&name).unwrap_or_else(|| panic!("no filter {name}")), &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn events_have_the_recorded_shape() {
    let mut desk = Desk::new();
    let connection = desk.listen();
    desk.limit("BUY", "90", "1", "a");
    desk.market("BUY", "1", "b");
    desk.cancel("a");
    desk.exchange.deposit(0, "BTC", qty("1"));
    let events = desk.texts(connection);
    let find = |kind: &str, value: &str| {
        let found = events.iter().find(|frame| frame["event"]["e"] == kind && (value.is_empty() || frame["event"]["x"] == value));
        found.unwrap_or_else(|| panic!("no {kind} {value}")).clone()
    };
    compare("binance-net/Subscriptions/Spot/Account/Order.json", &find("executionReport", "NEW"));
    compare("binance-net/Subscriptions/Spot/Account/AccountPosition.json", &find("outboundAccountPosition", ""));
    compare("binance-net/Subscriptions/Spot/Account/Balance.json", &find("balanceUpdate", ""));
    for (name, kind) in [("new", "NEW"), ("trade", "TRADE"), ("canceled", "CANCELED")] {
        let Some(theirs) = recorded(&format!("nautilus-lgpl/ws_spot_execution_report_{name}.json")) else { return };
        let mut wrong = Vec::new();
        lacks(name, &theirs["data"], &find("executionReport", kind)["event"], &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    let bars = desk.exchange.connect("/stream?streams=btcusdt@kline_1m", desk.now).unwrap();
    desk.bar([100.0, 101.0, 99.0, 100.0, 1.0]);
    compare("binance-net/Subscriptions/Spot/ExchangeData/Klines.json", &desk.texts(bars)[0]);
}

/// The venue's words for what goes wrong are those of the documents.
#[test]
fn errors_have_the_recorded_words() {
    let Some(cases) = recorded("errors.json") else { return };
    let known: Vec<(i64, i64, String)> = cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["body"].is_object())
        .map(|case| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (case["http_status"].as_i64().unwrap(), case["body"]["code"].as_i64().unwrap(), text(&case["body"]["msg"]))
        })
        .collect();
    for (status, code) in [(504, -1007), (500, -1006), (500, -1000), (500, -1001), (503, -1008)] {
        let fault = crate::venue::sim::Fault::Broken { accepted: false, status, code };
        let rule = crate::venue::sim::Rule::new(crate::venue::sim::On::Time, crate::venue::sim::When::Nth(1), fault);
        let mut desk = Desk::with_script(Script::new(1).with(rule));
        let (status, code, words) = error(&desk.send(Method::Get, "/api/v3/time"));
        assert!(known.contains(&(i64::from(status), code, words.clone())), "{status} {code} {words}");
    }
}
