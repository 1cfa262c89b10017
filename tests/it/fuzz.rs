//! Whatever comes over the wire or lies in a file: it is read or refused, and nothing breaks.
//!
//! Each target takes arbitrary bytes and damaged payloads. `TIDEGATE_FUZZ_SECS` makes each run for so long; without it a few hundred
//! cases are tried.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tidegate::clock::{Clock, SystemClock};
use tidegate::domain::{
    ClientOrderId, Interval, OrderIntent, OrderKind, Purpose, Side, Size, Span, SymbolIndex, Time, TimeInForce,
};
use tidegate::feed::{self, Batch, Expected};
use tidegate::pipeline;
use tidegate::profile::render::{self, Paint};
use tidegate::profile::{Environment, Overrides};
use tidegate::venue::Market;
use tidegate::venue::binance::{Frame, Reply, Rules, Symbols, decode};
use tidegate::venue::wire::{Request, TradeId, VenueOrderId};

use crate::shared;

const SECS: &str = "TIDEGATE_FUZZ_SECS";
/// Cases where nobody asks for a time.
const CASES: u32 = 300;
/// Cases between two looks at the clock.
const CASES_PER_LOOK: u32 = 200;
/// Payloads of this size are damaged; larger ones are cut.
const SEED_BYTES_MAX: usize = 16 << 10;

/// Bytes that say something to a parser of numbers, JSON, CSV or TOML.
const PIECES: [&str; 38] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-",
    "-1",
    "0",
    "1e309",
    "NaN",
    "9223372036854775808",
    "99999999999999999999",
    "18446744073709551615",
    "\"-1.0\"",
    "\"1e5\"",
    "\"0.000000000000000001\"",
    "\"9999999999999999999\"",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "é",
    "\n",
    "\r\n",
    "\"\"",
    "{}",
    "[]",
    "\"fills\":[{}]",
    "\"orderReports\":[[]]",
    "\"code\":-2010,",
    "\"e\":\"executionReport\",",
    "=",
    "'''",
    "[[",
    "1704067200000",
];

#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Put(&'static str),
    /// Over what is there.
    Write(&'static str),
    /// A piece of the payload, somewhere else.
    Copy(usize, usize),
    Flip(u8),
}

fn damage() -> impl Strategy<Value = (usize, Damage)> {
    let piece = || proptest::sample::select(PIECES.to_vec());
    let kind = prop_oneof![
        (1_usize..60).prop_map(Damage::Cut),
        piece().prop_map(Damage::Put),
        piece().prop_map(Damage::Write),
        (0..SEED_BYTES_MAX, 1_usize..80).prop_map(|(from, length)| Damage::Copy(from, length)),
        any::<u8>().prop_map(Damage::Flip),
    ];
    (0..SEED_BYTES_MAX, kind)
}

/// A payload that is arbitrary, or one of the seeds after some accidents.
fn payload(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let arbitrary = proptest::collection::vec(any::<u8>(), 0..400);
    let damaged = (proptest::sample::select(seeds), proptest::collection::vec(damage(), 1..8));
    prop_oneof![1 => arbitrary, 6 => damaged.prop_map(|(seed, damages)| mangled(seed, &damages))]
}

fn mangled(mut bytes: Vec<u8>, damages: &[(usize, Damage)]) -> Vec<u8> {
    for (at, damage) in damages {
        let at = at % (bytes.len() + 1);
        let end = |length: usize| (at + length).min(bytes.len());
        match damage {
            Damage::Cut(length) => drop(bytes.drain(at..end(*length))),
            Damage::Put(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Damage::Write(piece) => drop(bytes.splice(at..end(piece.len()), piece.bytes())),
            Damage::Copy(from, length) => {
                let from = from % (bytes.len() + 1);
                let copied = bytes[from..(from + length).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copied));
            }
            Damage::Flip(bits) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
        }
    }
    bytes
}

/// Feeds `target` with payloads: some hundreds, or for as long as was asked for.
fn fuzz(seeds: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let secs = std::env::var(SECS).ok().and_then(|text| text.parse::<i64>().ok());
    let (clock, strategy) = (SystemClock, payload(seeds));
    let until = secs.map(|secs| clock.now() + Span::from_secs(secs));
    let mut round = 0_u64;
    loop {
        let config = Config { cases: until.map_or(CASES, |_| CASES_PER_LOOK), failure_persistence: None, ..Config::default() };
        // The first round is the same everywhere; later ones begin with their number.
        let mut seed = [7_u8; 32];
        seed[..8].copy_from_slice(&round.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let ran = runner.run(&strategy, |bytes| {
            target(&bytes);
            Ok::<(), TestCaseError>(())
        });
        if let Err(error) = ran {
            panic!("round {round}: {error}");
        }
        round += 1;
        if until.is_none_or(|until| clock.now() >= until) {
            println!("{round} rounds");
            return;
        }
    }
}

/// The payloads below a folder of the reference data, where there are any, beside what is written here.
fn seeds(own: &[&str], folder: &str, wanted: impl Fn(&Path) -> bool) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = own.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut folders: Vec<_> = shared::path(folder).into_iter().collect();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes.truncate(SEED_BYTES_MAX);
                seeds.push(bytes);
            }
        }
    }
    seeds
}

fn now() -> Time {
    "2026-03-29T01:00:00Z".parse().unwrap()
}

fn symbols() -> Symbols {
    let names = ["BTC/USDT", "LTC/BTC", "BNB/BTC", "ETH/USDT"];
    Symbols::new(&names.map(|name| name.parse().unwrap())).unwrap()
}

fn intent(symbol: u16) -> OrderIntent {
    OrderIntent {
        id: ClientOrderId { scope: 1, bar: now(), sequence: 3 },
        symbol: SymbolIndex(symbol),
        side: Side::Buy,
        kind: OrderKind::Limit { price: "100".parse().unwrap(), expires_at: Time::MAX, tif: TimeInForce::Gtc },
        size: Size::Base("1".parse().unwrap()),
        purpose: Purpose::Signal,
        decided_at: now(),
        reference: "100".parse().unwrap(),
    }
}

const ORDER: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"tg00000001-019d3728c280-0003",
    "origClientOrderId":"tg00000001-019d3728c280-0003","transactTime":1507725176595,"price":"0.0","origQty":"1.0","executedQty":"1.0",
    "cummulativeQuoteQty":"99.6","status":"FILLED","timeInForce":"GTC","type":"MARKET","side":"BUY","fills":[
    {"price":"100.0","qty":"0.6","commission":"0.0006","commissionAsset":"BTC","tradeId":56}]}"#;
const TRADE: &str = r#"[{"symbol":"BTCUSDT","id":7,"orderId":28,"price":"4.00000100","qty":"12.0","commission":"10.1",
    "commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false}]"#;
const ACCOUNT: &str = r#"{"canTrade":true,"canWithdraw":false,"uid":1,"balances":[{"asset":"BTC","free":"1.0","locked":"0.5"}]}"#;
const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":2,"s":"BTCUSDT","c":"a","C":"","S":"BUY","q":"1","p":"1",
    "x":"TRADE","X":"PARTIALLY_FILLED","i":5,"l":"0.4","z":"0.7","L":"1.5","n":"0.001","N":"BNB","T":2,"t":77,"I":10,"m":true,"Z":"1.05"}}"#;
const RULES: &str = r#"{"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50}],"symbols":[
    {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","orderTypes":["LIMIT","MARKET"],"isSpotTradingAllowed":true,
    "filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000","tickSize":"0.01"},
    {"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001"},
    {"filterType":"PERCENT_PRICE","multiplierUp":"5","multiplierDown":"0.2","avgPriceMins":5},
    {"filterType":"NOTIONAL","minNotional":"5","applyMinToMarket":true,"maxNotional":"9000000","applyMaxToMarket":false}]}]}"#;
const KLINES: &str = r#"[[1704067200000,"1.0","1.2","0.9","1.1","5",1704067259999,"5",3,"2","2","0"],
    [1704067260000,"1.1","1.2","0.9","1.1","5",1704067319999,"5",3,"2","2","0"]]"#;
const CSV: &str =
    "1704067200000,1.0,1.2,0.9,1.1,5,1704067259999,5,3,2,2,0\n1704067260000,1.1,1.2,0.9,1.1,5,1704067319999,5,3,2,2,0\n";

#[test]
fn answers_about_orders() {
    let symbols = symbols();
    let (symbol, id) = (SymbolIndex(0), intent(0).id);
    let requests = [
        Request::Place(intent(0)),
        Request::Test(intent(0)),
        Request::Cancel { symbol, id },
        Request::CancelAll { symbol },
        Request::Order { symbol, id },
        Request::OpenOrders { symbol: None },
        Request::FillsOf { symbol, order: VenueOrderId(28) },
        Request::FillsFrom { symbol, first: TradeId(0) },
        Request::Account,
        Request::Restrictions,
        Request::Time,
        Request::Rules,
    ];
    let list = format!("[{ORDER},{{\"orderReports\":[{ORDER}]}}]");
    let own = [ORDER, &list, TRADE, ACCOUNT, "{\"code\":-2010,\"msg\":\"Duplicate order sent.\"}", "{\"serverTime\":1}"];
    let seeds =
        seeds(&own, "fixtures/binance/binance-net/Endpoints/Spot", |path| path.extension().is_some_and(|is| is == "json"));
    fuzz(seeds, |bytes| {
        for (nth, request) in requests.iter().enumerate() {
            let status = [200, 200, 400, 418, 429, 503][(bytes.len() + nth) % 6];
            let reply = Reply { status, retry_after: Some("7".to_owned()), body: bytes.to_vec(), ..Reply::default() };
            let _ = decode(request, &symbols, &reply, now());
        }
    });
}

#[test]
fn events_of_the_account() {
    let symbols = symbols();
    let moved = r#"{"event":{"e":"balanceUpdate","E":1,"a":"BTC","d":"-1.5","T":1}}"#;
    let balances = r#"{"event":{"e":"outboundAccountPosition","E":1,"B":[{"a":"ETH","f":"1.0","l":"0"}]}}"#;
    let refused = r#"{"id":2,"status":418,"error":{"code":-1003,"msg":"x","data":{"retryAfter":1772326800000}}}"#;
    let own = [REPORT, moved, balances, refused];
    fuzz(seeds(&own, "fixtures/binance/binance-net/Subscriptions", |_| true), |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = Frame::read(text, &symbols);
        }
    });
}

/// What was read is also judged by: rules from the wire meet orders of ours.
#[test]
fn rules_of_symbols() {
    let market = Market { average: Some("99.5".parse().unwrap()), open_orders: 3, ..Market::default() };
    let mut by_amount = intent(0);
    (by_amount.kind, by_amount.size) = (OrderKind::Market, Size::Quote("123.456789".parse().unwrap()));
    fuzz(seeds(&[RULES], "fixtures/binance/python-binance", |path| path.to_string_lossy().contains("exchange_info")), |bytes| {
        let Ok(rules) = Rules::read(bytes) else { return };
        let _ = rules.instrument(&"BTC/USDT".parse().unwrap());
        let Some(rules) = rules.of("BTCUSDT") else { return };
        for intent in [intent(0), by_amount] {
            if let Ok(fitted) = rules.fit(&intent, &market) {
                assert_eq!(rules.check(&fitted, &market), Ok(()), "ORDERS-5");
            }
        }
    });
}

/// Reads a file of bars to its end, or as far as it can be read.
fn bars(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars");
    std::fs::write(&path, bytes).unwrap();
    let interval: Interval = "1m".parse().unwrap();
    let Ok(mut source) = feed::open(&path, Expected::at(interval, now())) else { return };
    let mut batch = Batch::default();
    while let Ok(true) = source.read(100, &mut batch) {
        batch = Batch::default();
    }
}

#[test]
fn pages_of_klines() {
    let hostile = |path: &Path| path.to_string_lossy().contains("klines");
    fuzz(seeds(&[KLINES], "fixtures/binance/hostile", hostile), bars);
}

#[test]
fn files_of_the_archive() {
    let header = format!("open_time,open,high,low,close,volume\n{CSV}");
    fuzz(seeds(&[CSV, &header], "fixtures/binance/archive", |_| true), bars);
}

#[test]
fn profiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = |name: &str| std::fs::read_to_string(root.join("profiles").join(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["profiles", "pipelines"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("profiles/base.toml"), shipped("base.toml")).unwrap();
    std::fs::copy(root.join("pipelines/trend.toml"), folder.path().join("pipelines/trend.toml")).unwrap();
    let own = ["canary.toml", "production.toml"].map(|name| shipped(name).into_bytes());
    fuzz(own.to_vec(), |bytes| {
        std::fs::write(folder.path().join("profiles/canary.toml"), bytes).unwrap();
        let loaded = pipeline::load(folder.path(), "canary", None, &Overrides::default(), &Environment::default());
        if let Err(found) = loaded {
            assert!(!render::text(&found, Paint::Plain).is_empty());
        }
    });
}
