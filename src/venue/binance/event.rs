//! Frames of the WebSocket API: what the account's owner is told unasked, and answers to what we asked on the same connection.

use serde::Deserialize;
use serde_json::Value;

use super::Symbols;
use super::decode::{said, side, status};
use super::number::{Digits, Signed, product, time};
use crate::domain::{Liquidity, Qty};
use crate::venue::wire::{Balance, Owner, Push, TradeId, VenueFill, VenueOrder, VenueOrderId};

/// What a frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Push(Push),
    /// The answer to the request of this number.
    Answer {
        id: u64,
        refusal: Option<Refusal>,
    },
    /// The venue closes the connection soon.
    Shutdown,
    /// It sends no more events on this connection.
    Terminated,
    /// The connection's logon is no longer good: the key was revoked, or its rights were.
    Revoked(Refusal),
    /// Well formed, known, and nothing that we act on.
    Ignored,
    /// Well formed, and of a kind that we do not know: counted.
    Unknown(String),
    /// An event that cannot be one.
    Wrong(String),
}

/// Why the venue refuses a request on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: i64,
    pub text: String,
    /// Milliseconds since 1970: here the venue names the end, not the length.
    pub retry_at: Option<i64>,
}

impl Frame {
    /// # Errors
    /// When it is no JSON, or nested so deep that nobody honest would send it.
    pub fn read(text: &str, symbols: &Symbols) -> Result<Self, String> {
        let message: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(status) = message.get("status").and_then(Value::as_u64) {
            return Ok(answer(&message, status));
        }
        let event = message.get("event").or_else(|| message.get("data")).unwrap_or(&message);
        let Some(kind) = event.get("e").and_then(Value::as_str) else { return Ok(Self::Unknown("no event".to_owned())) };
        let pushed = match kind {
            "executionReport" => execution(event, symbols),
            "outboundAccountPosition" => position(event),
            "balanceUpdate" | "externalLockUpdate" => moved(event),
            "listStatus" => return Ok(Self::Ignored),
            "serverShutdown" => return Ok(Self::Shutdown),
            "eventStreamTerminated" => return Ok(Self::Terminated),
            other => return Ok(Self::Unknown(said(other))),
        };
        Ok(pushed.map_or_else(|why| Self::Wrong(format!("{kind} with {}", said(&why))), Self::Push))
    }
}

fn answer(message: &Value, status: u64) -> Frame {
    let status = u16::try_from(status).unwrap_or(u16::MAX);
    let error = message.get("error");
    let refusal = (status != 200).then(|| Refusal {
        status,
        code: error.and_then(|error| error.get("code")).and_then(Value::as_i64).unwrap_or_default(),
        text: said(error.and_then(|error| error.get("msg")).and_then(Value::as_str).unwrap_or_default()),
        retry_at: error.and_then(|error| error.get("data")?.get("retryAfter")?.as_i64()).filter(|at| time(*at).is_ok()),
    });
    match (message.get("id").and_then(Value::as_u64), refusal) {
        (Some(id), refusal) => Frame::Answer { id, refusal },
        (None, Some(refusal)) if status == 401 => Frame::Revoked(refusal),
        (None, Some(refusal)) => Frame::Wrong(format!("an answer to nothing: {status} {} {}", refusal.code, refusal.text)),
        (None, None) => Frame::Unknown("an answer to nothing".to_owned()),
    }
}

/// `executionReport`, by the letters of the venue.
#[derive(Deserialize)]
struct RawExecution {
    s: String,
    /// The order's client id; in a withdrawal, the withdrawal's own.
    c: String,
    /// In a withdrawal, the order's.
    #[serde(rename = "C", default)]
    original: Option<String>,
    #[serde(rename = "S")]
    side: String,
    #[serde(rename = "q")]
    ordered: Digits,
    #[serde(rename = "x")]
    kind: String,
    #[serde(rename = "X")]
    status: String,
    i: u64,
    #[serde(rename = "l")]
    last: Digits,
    #[serde(rename = "z")]
    filled: Digits,
    #[serde(rename = "L")]
    last_price: Digits,
    #[serde(rename = "n")]
    fee: Signed,
    #[serde(rename = "N", default)]
    fee_asset: Option<String>,
    #[serde(rename = "T")]
    at: i64,
    /// -1 where nothing was traded.
    #[serde(rename = "t")]
    trade: i64,
    #[serde(rename = "I")]
    execution: u64,
    #[serde(rename = "m")]
    is_maker: bool,
    #[serde(rename = "Z", default)]
    filled_quote: Option<Signed>,
}

fn execution(event: &Value, symbols: &Symbols) -> Result<Push, String> {
    let raw = RawExecution::deserialize(event).map_err(|error| error.to_string())?;
    let at = time(raw.at)?;
    let venue_id = VenueOrderId(raw.i);
    let (last, filled) = (raw.last.qty()?, raw.filled.qty()?);
    // Only a trade fills: a prevented one has a quantity too.
    let trade = (raw.kind == "TRADE").then(|| u64::try_from(raw.trade).map_err(|_| "a trade without its number".to_owned()));
    let fills = match trade.transpose()? {
        Some(trade) => {
            let price = raw.last_price.price()?;
            if last.is_zero() || product(price, last).is_none() {
                return Err("a trade of nothing, or of too much".to_owned());
            }
            let liquidity = if raw.is_maker { Liquidity::Maker } else { Liquidity::Taker };
            let (fee, fee_asset) = (raw.fee.qty()?, said(raw.fee_asset.as_deref().unwrap_or_default()));
            vec![VenueFill { trade: TradeId(trade), order: venue_id, price, qty: last, fee, fee_asset, liquidity, at }]
        }
        None => Vec::new(),
    };
    let last_filled = if fills.is_empty() { Qty::ZERO } else { last };
    let client_id = raw.original.as_deref().filter(|id| !id.is_empty()).unwrap_or(&raw.c);
    let order = VenueOrder {
        symbol: symbols.index(&raw.s),
        symbol_text: said(&raw.s),
        venue_id,
        owner: Owner::of(&said(client_id)),
        side: side(&raw.side).ok_or_else(|| "a side that is none".to_owned())?,
        status: Some(status(&raw.status)),
        ordered: raw.ordered.qty()?,
        filled,
        filled_quote: raw.filled_quote.as_ref().map(Signed::available_money).transpose()?.flatten(),
        at,
        fills,
    };
    Ok(Push::Order { order, execution: raw.execution, last_filled })
}

#[derive(Deserialize)]
struct RawPosition {
    #[serde(rename = "E")]
    at: i64,
    #[serde(rename = "B")]
    balances: Vec<RawBalance>,
}

#[derive(Deserialize)]
struct RawBalance {
    a: String,
    f: Digits,
    l: Digits,
}

fn position(event: &Value) -> Result<Push, String> {
    let raw = RawPosition::deserialize(event).map_err(|error| error.to_string())?;
    let balances = raw.balances.iter().map(|raw| Ok(Balance { asset: said(&raw.a), free: raw.f.qty()?, locked: raw.l.qty()? }));
    let balances: Result<Vec<Balance>, String> = balances.collect();
    Ok(Push::Balances { balances: balances?, at: time(raw.at)? })
}

#[derive(Deserialize)]
struct RawMove {
    #[serde(rename = "a")]
    asset: String,
    #[serde(rename = "d")]
    by: Signed,
    #[serde(rename = "T")]
    at: i64,
}

fn moved(event: &Value) -> Result<Push, String> {
    let raw = RawMove::deserialize(event).map_err(|error| error.to_string())?;
    Ok(Push::Moved { asset: said(&raw.asset), by: raw.by.qty()?, at: time(raw.at)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SymbolIndex;
    use crate::venue::wire::VenueStatus;

    const ID: &str = "tg00000001-019d3728c280-0003";
    const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":2,"s":"BTCUSDT","c":"ID","C":"","S":"BUY","o":"LIMIT",
        "f":"GTC","q":"1","p":"1","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":5,"l":"0.4","z":"0.7","L":"1.5","n":"0.001","N":"BNB",
        "T":2,"t":77,"I":10,"w":true,"m":true,"Z":"1.05"}}"#;

    fn report() -> String {
        REPORT.replace("ID", ID)
    }

    fn read(text: &str) -> Frame {
        Frame::read(text, &Symbols::new(&["BTC/USDT".parse().unwrap()]).unwrap()).unwrap()
    }

    fn order(text: &str) -> (VenueOrder, u64, Qty) {
        match read(text) {
            Frame::Push(Push::Order { order, execution, last_filled }) => (order, execution, last_filled),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_trade_is_a_fill_of_its_order() {
        let (order, execution, last) = order(&report());
        assert_eq!((order.symbol, order.owner), (Some(SymbolIndex(0)), Owner::Ours(ID.parse().unwrap())));
        assert_eq!((execution, last, order.filled), (10, "0.4".parse().unwrap(), "0.7".parse().unwrap()));
        assert_eq!((order.status, order.filled_quote), (Some(VenueStatus::PartiallyFilled), Some("1.05".parse().unwrap())));
        let [fill] = order.fills.as_slice() else { panic!("{:?}", order.fills) };
        assert_eq!((fill.trade, fill.qty, fill.fee_asset.as_str()), (TradeId(77), "0.4".parse().unwrap(), "BNB"));
        assert_eq!(fill.liquidity, Liquidity::Maker);
    }

    /// C9: in a withdrawal `c` is the withdrawal's id and `C` is ours.
    #[test]
    fn a_withdrawal_names_our_order() {
        let text = report().replace(&format!("\"c\":\"{ID}\",\"C\":\"\""), &format!("\"c\":\"x1\",\"C\":\"{ID}\""));
        let text = text.replace("TRADE", "CANCELED").replace("PARTIALLY_FILLED", "CANCELED").replace("\"t\":77", "\"t\":-1");
        let (order, _, last) = order(&text);
        assert_eq!((order.owner, order.status), (Owner::Ours(ID.parse().unwrap()), Some(VenueStatus::Canceled)));
        assert_eq!((order.filled, last, order.fills.len()), ("0.7".parse().unwrap(), Qty::ZERO, 0));
    }

    #[test]
    fn what_is_no_event_never_becomes_one() {
        for (from, to) in [
            ("\"q\":\"1\"", "\"q\":\"NaN\""),
            ("\"q\":\"1\"", "\"q\":1"),
            ("\"l\":\"0.4\"", "\"l\":\"-0.4\""),
            ("\"l\":\"0.4\"", "\"l\":\"0\""),
            ("\"t\":77", "\"t\":-1"),
            ("\"I\":10", "\"I\":-10"),
            ("\"I\":10,", ""),
            ("\"T\":2", "\"T\":1772326800000000"),
            ("\"S\":\"BUY\"", "\"S\":\"buy\""),
            ("\"i\":5", "\"i\":\"5\""),
            ("\"L\":\"1.5\"", "\"L\":\"1e9\""),
        ] {
            let text = report().replacen(from, to, 1);
            assert!(matches!(read(&text), Frame::Wrong(_)), "{to}: {:?}", read(&text));
        }
    }

    /// D8.
    #[test]
    fn answers_and_refusals() {
        assert_eq!(read(r#"{"id":1,"status":200,"result":{"subscriptionId":0}}"#), Frame::Answer { id: 1, refusal: None });
        let refused = |text: &str| match read(text) {
            Frame::Answer { id: 1, refusal: Some(refusal) } => refusal,
            other => panic!("{other:?}"),
        };
        let active = refused(r#"{"id":1,"status":400,"error":{"code":-2035,"msg":"Subscription already active."}}"#);
        assert_eq!((active.status, active.code), (400, -2035));
        let banned = refused(
            r#"{"id":1,"status":418,"error":{"code":-1003,"msg":"x","data":{"serverTime":1,"retryAfter":1772326800000}}}"#,
        );
        assert_eq!(banned.retry_at, Some(1_772_326_800_000));
        let absurd = r#"{"id":1,"status":418,"error":{"code":-1003,"msg":"x","data":{"retryAfter":9223372036854775807}}}"#;
        assert_eq!(refused(absurd).retry_at, None, "no time, and no reason to break");
        let revoked =
            r#"{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}}"#;
        assert!(matches!(read(revoked), Frame::Revoked(Refusal { code: -2015, .. })));
    }

    #[test]
    fn money_moved_by_somebody() {
        let moved = |kind: &str, by: &str| {
            read(&format!("{{\"event\":{{\"e\":\"{kind}\",\"E\":1,\"a\":\"BTC\",\"d\":\"{by}\",\"T\":1772326800000}}}}"))
        };
        let Frame::Push(Push::Moved { asset, by, .. }) = moved("balanceUpdate", "-100.5") else { panic!() };
        assert_eq!((asset.as_str(), by), ("BTC", "-100.5".parse().unwrap()));
        assert!(matches!(moved("externalLockUpdate", "10"), Frame::Push(Push::Moved { .. })));
        assert!(matches!(moved("balanceUpdate", "1e3"), Frame::Wrong(_)));
        assert_eq!(read("{\"event\":{\"e\":\"listStatus\"}}"), Frame::Ignored);
        assert_eq!(read("{\"event\":{\"e\":\"brandNew\",\"E\":1}}"), Frame::Unknown("brandNew".to_owned()));
        assert!(Frame::read(&"[".repeat(5000), &Symbols::new(&[]).unwrap()).is_err(), "nested too deep");
    }
}
