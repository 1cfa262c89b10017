//! A request in the venue's words: method, path, parameters and weight.

use super::params::Params;
use super::rules::SymbolRules;
use super::{Rules, Symbols};
use crate::domain::{Money, OrderIntent, OrderKind, RejectReason, Side, Size, Span, SymbolIndex, Time, TimeInForce};
use crate::venue::wire::{Failure, Request};

/// Orders and fills that one answer holds at most. A list of so many has more behind it.
pub const PAGE_MAX: usize = 1000;
/// The venue gives lists of orders and fills for no longer ranges.
const RANGE_MAX: Span = Span::from_days(1);
/// Milliseconds that a signed request is good for.
const RECV_WINDOW: u32 = 5000;
/// The code of a refusal that is our own: the venue was not asked.
pub const OUR_CODE: i64 = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Delete,
}

/// One call to the REST API, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: Method,
    pub path: &'static str,
    pub params: Params,
    pub weight: u32,
    pub is_signed: bool,
}

impl Call {
    /// With what a signed request needs beside its own parameters; `now` is the venue's.
    #[must_use]
    pub fn stamped(&self, now: Time) -> Params {
        self.params.clone().with("recvWindow", RECV_WINDOW).with("timestamp", now.millis())
    }
}

/// What a request costs at the venue.
#[must_use]
pub const fn weight(request: &Request) -> u32 {
    match request {
        Request::Place(_) | Request::Test(_) | Request::Cancel { .. } | Request::CancelAll { .. } => 1,
        Request::Restrictions | Request::Time => 1,
        Request::Order { .. } => 4,
        Request::FillsOf { .. } => 5,
        Request::OpenOrders { symbol: Some(_) } => 6,
        Request::OpenOrders { symbol: None } => 80,
        Request::Orders { .. } | Request::FillsFrom { .. } | Request::FillsIn { .. } | Request::Account | Request::Rules => 20,
    }
}

fn refusal<T>(reason: RejectReason, text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Rejected { code: OUR_CODE, reason, text: text.into() })
}

/// Words a request for the venue.
///
/// # Errors
/// When it cannot be asked: a symbol that is none of the pipeline's, a range that is too long, a size that is none.
pub fn encode(request: &Request, symbols: &Symbols, rules: Option<&Rules>) -> Result<Call, Failure> {
    let spelled = |symbol: SymbolIndex| {
        symbols.name(symbol).map_or_else(|| refusal(RejectReason::Other, "a symbol that is not the pipeline's"), Ok)
    };
    let of = |symbol: SymbolIndex| Ok::<Params, Failure>(Params::default().with("symbol", spelled(symbol)?));
    let rules_of = |intent: &OrderIntent| Ok::<_, Failure>(rules.and_then(|rules| rules.of(spelled(intent.symbol).ok()?)));
    use Method::{Delete, Get, Post};
    let call = |method, path, params| Call { method, path, params, weight: weight(request), is_signed: true };
    Ok(match request {
        Request::Place(intent) => call(Post, "/api/v3/order", order(of(intent.symbol)?, intent, rules_of(intent)?)?),
        Request::Test(intent) => call(Post, "/api/v3/order/test", order(of(intent.symbol)?, intent, rules_of(intent)?)?),
        Request::Cancel { symbol, id } => call(Delete, "/api/v3/order", of(*symbol)?.with("origClientOrderId", id)),
        Request::CancelAll { symbol } => call(Delete, "/api/v3/openOrders", of(*symbol)?),
        Request::Order { symbol, id } => call(Get, "/api/v3/order", of(*symbol)?.with("origClientOrderId", id)),
        Request::OpenOrders { symbol: Some(symbol) } => call(Get, "/api/v3/openOrders", of(*symbol)?),
        Request::OpenOrders { symbol: None } => call(Get, "/api/v3/openOrders", Params::default()),
        Request::Orders { symbol, from, until } => {
            call(Get, "/api/v3/allOrders", range(of(*symbol)?, *from, *until)?.with("limit", PAGE_MAX))
        }
        Request::FillsOf { symbol, order } => call(Get, "/api/v3/myTrades", of(*symbol)?.with("orderId", order.0)),
        Request::FillsFrom { symbol, first } => {
            call(Get, "/api/v3/myTrades", of(*symbol)?.with("fromId", first.0).with("limit", PAGE_MAX))
        }
        Request::FillsIn { symbol, from, until } => {
            call(Get, "/api/v3/myTrades", range(of(*symbol)?, *from, *until)?.with("limit", PAGE_MAX))
        }
        Request::Account => call(Get, "/api/v3/account", Params::default()),
        Request::Restrictions => call(Get, "/sapi/v1/account/apiRestrictions", Params::default()),
        Request::Time => Call { is_signed: false, ..call(Get, "/api/v3/time", Params::default()) },
        Request::Rules => {
            let names = serde_json::to_string(symbols.names()).expect("names are plain texts");
            Call { is_signed: false, ..call(Get, "/api/v3/exchangeInfo", Params::default().with("symbols", names)) }
        }
    })
}

/// From `from` up to `until`; the venue counts its end in.
fn range(params: Params, from: Time, until: Time) -> Result<Params, Failure> {
    if until <= from || until - from > RANGE_MAX {
        return refusal(RejectReason::Other, "a range that is empty or longer than 24 hours");
    }
    let first = -(-from.micros()).div_euclid(1000);
    let last = -(-until.micros()).div_euclid(1000) - 1;
    Ok(params.with("startTime", first).with("endTime", last))
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

fn order(params: Params, intent: &OrderIntent, rules: Option<&SymbolRules>) -> Result<Params, Failure> {
    let params = params.with("side", side(intent.side));
    let params = match intent.kind {
        OrderKind::Market => sized(params.with("type", "MARKET"), intent, rules)?,
        OrderKind::Limit { price, tif, .. } => {
            if !price.is_positive() {
                return refusal(RejectReason::Filter, "a price that is not above zero");
            }
            let params = match tif {
                TimeInForce::Gtc => params.with("type", "LIMIT").with("timeInForce", "GTC"),
                TimeInForce::Ioc => params.with("type", "LIMIT").with("timeInForce", "IOC"),
                TimeInForce::PostOnly => params.with("type", "LIMIT_MAKER"),
            };
            sized(params, intent, rules)?.with("price", price)
        }
    };
    let params = params.with("newClientOrderId", intent.id).with("newOrderRespType", "FULL");
    Ok(if rules.is_some_and(|rules| rules.expires_maker) {
        params.with("selfTradePreventionMode", "EXPIRE_MAKER")
    } else {
        params
    })
}

/// The quantity; or the amount, where the venue takes one.
fn sized(params: Params, intent: &OrderIntent, rules: Option<&SymbolRules>) -> Result<Params, Failure> {
    let is_market = intent.kind == OrderKind::Market;
    match intent.size {
        Size::Quote(amount) if is_market && rules.is_none_or(|rules| rules.takes_quote_amounts) => {
            let amount = amount_on_grid(amount, rules);
            if !amount.is_positive() {
                return refusal(RejectReason::QuantityZero, "an amount of nothing");
            }
            Ok(params.with("quoteOrderQty", amount))
        }
        size => {
            let qty = match (size, rules) {
                (Size::Base(qty), _) => qty,
                (Size::Quote(_), Some(rules)) => intent.quantity().truncate_to(rules.lot.step),
                (Size::Quote(_), None) => {
                    return refusal(RejectReason::Filter, "an amount for an order whose rules are not known");
                }
            };
            if !qty.is_positive() {
                return refusal(RejectReason::QuantityZero, "a quantity of nothing");
            }
            Ok(params.with("quantity", qty))
        }
    }
}

/// No more decimals than the venue takes, rounded down.
fn amount_on_grid(amount: Money, rules: Option<&SymbolRules>) -> Money {
    let decimals = rules.map_or(super::rules::QUOTE_DECIMALS, |rules| rules.quote_decimals);
    let unit = crate::domain::decimal::pow10(crate::domain::money::MONEY_SCALE - decimals);
    Money::from_count(amount.count() - amount.count().rem_euclid(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClientOrderId, Purpose};
    use crate::venue::wire::{TradeId, VenueOrderId};

    const AT: i64 = 1_772_326_800_000;

    fn symbols() -> Symbols {
        Symbols::new(&["BTC/USDT".parse().unwrap(), "这是测试币/456".parse().unwrap()]).unwrap()
    }

    fn rules() -> Rules {
        let text = r#"{"rateLimits":[],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
            "orderTypes":["LIMIT"],"quoteOrderQtyMarketAllowed":false,"isSpotTradingAllowed":true,
            "allowedSelfTradePreventionModes":["EXPIRE_MAKER"],
            "filters":[{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001000"}]}]}"#;
        Rules::read(text.as_bytes()).unwrap()
    }

    fn intent(kind: OrderKind, size: Size) -> OrderIntent {
        let bar = Time::from_millis(AT);
        let id = ClientOrderId { scope: 0xdead_beef, bar, sequence: 3 };
        let (symbol, side, reference) = (SymbolIndex(0), Side::Buy, "60000".parse().unwrap());
        OrderIntent { id, symbol, side, kind, size, purpose: Purpose::Signal, decided_at: bar, reference }
    }

    fn limit(price: &str, tif: TimeInForce) -> OrderKind {
        OrderKind::Limit { price: price.parse().unwrap(), expires_at: Time::MAX, tif }
    }

    fn base(qty: &str) -> Size {
        Size::Base(qty.parse().unwrap())
    }

    fn text(request: &Request, rules: Option<&Rules>) -> String {
        encode(request, &symbols(), rules).unwrap().params.encoded()
    }

    /// ORDERS-4.
    #[test]
    fn orders_of_each_kind() {
        let tail = "&newClientOrderId=tgdeadbeef-019ca6e75680-0003&newOrderRespType=FULL";
        let id = intent(OrderKind::Market, base("1")).id;
        let tail = tail.replace("tgdeadbeef-019ca6e75680-0003", &id.to_string());
        for (kind, size, words) in [
            (OrderKind::Market, base("0.00000100"), "type=MARKET&quantity=0.000001"),
            (OrderKind::Market, base("100000000"), "type=MARKET&quantity=100000000"),
            (OrderKind::Market, Size::Quote("20.123456789".parse().unwrap()), "type=MARKET&quoteOrderQty=20.12345678"),
            (limit("0.0000001", TimeInForce::Gtc), base("1"), "type=LIMIT&timeInForce=GTC&quantity=1&price=0.0000001"),
            (limit("60000.01", TimeInForce::Ioc), base("0.1"), "type=LIMIT&timeInForce=IOC&quantity=0.1&price=60000.01"),
            (limit("60000", TimeInForce::PostOnly), base("0.1"), "type=LIMIT_MAKER&quantity=0.1&price=60000"),
        ] {
            let wanted = format!("symbol=BTCUSDT&side=BUY&{words}{tail}");
            assert_eq!(text(&Request::Place(intent(kind, size)), None), wanted);
            let call = encode(&Request::Place(intent(kind, size)), &symbols(), None).unwrap();
            assert_eq!((call.method, call.path, call.weight, call.is_signed), (Method::Post, "/api/v3/order", 1, true));
        }
        let rules = rules();
        let known = text(&Request::Place(intent(OrderKind::Market, base("1"))), Some(&rules));
        assert!(known.ends_with("&selfTradePreventionMode=EXPIRE_MAKER"), "{known}");
        // 20 at 60000 is 0.00033333, and the grid is 0.00001.
        let amount = Size::Quote("20".parse().unwrap());
        for kind in [OrderKind::Market, limit("60000", TimeInForce::Gtc)] {
            let cut = text(&Request::Place(intent(kind, amount)), Some(&rules));
            assert!(cut.contains("&quantity=0.00033&") || cut.contains("&quantity=0.00033"), "{cut}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_not() {
        let refused = |request: &Request, rules: Option<&Rules>| {
            assert!(matches!(encode(request, &symbols(), rules), Err(Failure::Rejected { code: OUR_CODE, .. })), "{request:?}");
        };
        let rules = rules();
        refused(&Request::Place(intent(OrderKind::Market, base("0"))), None);
        refused(&Request::Place(intent(OrderKind::Market, base("-1"))), None);
        refused(&Request::Place(intent(OrderKind::Market, Size::Quote("0.000000001".parse().unwrap()))), None);
        refused(&Request::Place(intent(OrderKind::Market, Size::Quote("0.1".parse().unwrap()))), Some(&rules));
        refused(&Request::Place(intent(limit("60000", TimeInForce::Gtc), Size::Quote("20".parse().unwrap()))), None);
        refused(&Request::Place(intent(limit("0", TimeInForce::Gtc), base("1"))), None);
        refused(&Request::CancelAll { symbol: SymbolIndex(2) }, None);
        let (symbol, from) = (SymbolIndex(0), Time::from_millis(AT));
        refused(&Request::Orders { symbol, from, until: from }, None);
        refused(&Request::FillsIn { symbol, from, until: from + RANGE_MAX + Span::from_millis(1) }, None);
    }

    #[test]
    fn questions_and_withdrawals() {
        let (symbol, from) = (SymbolIndex(0), Time::from_millis(AT));
        let id = ClientOrderId { scope: 1, bar: from, sequence: 0 };
        let until = from + Span::from_secs(1);
        for (request, method, path, weight, params) in [
            (Request::Cancel { symbol, id }, Method::Delete, "order", 1, format!("symbol=BTCUSDT&origClientOrderId={id}")),
            (Request::CancelAll { symbol }, Method::Delete, "openOrders", 1, "symbol=BTCUSDT".to_owned()),
            (Request::Order { symbol, id }, Method::Get, "order", 4, format!("symbol=BTCUSDT&origClientOrderId={id}")),
            (
                Request::OpenOrders { symbol: Some(SymbolIndex(1)) },
                Method::Get,
                "openOrders",
                6,
                "symbol=%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81456".to_owned(),
            ),
            (Request::OpenOrders { symbol: None }, Method::Get, "openOrders", 80, String::new()),
            (
                Request::Orders { symbol, from, until },
                Method::Get,
                "allOrders",
                20,
                format!("symbol=BTCUSDT&startTime={AT}&endTime={}&limit=1000", AT + 999),
            ),
            (
                Request::FillsOf { symbol, order: VenueOrderId(u64::MAX) },
                Method::Get,
                "myTrades",
                5,
                "symbol=BTCUSDT&orderId=18446744073709551615".to_owned(),
            ),
            (
                Request::FillsFrom { symbol, first: TradeId(7) },
                Method::Get,
                "myTrades",
                20,
                "symbol=BTCUSDT&fromId=7&limit=1000".to_owned(),
            ),
            (Request::Account, Method::Get, "account", 20, String::new()),
        ] {
            let call = encode(&request, &symbols(), None).unwrap();
            assert_eq!((call.method, call.weight, call.is_signed), (method, weight, true), "{request:?}");
            assert_eq!((call.path, call.params.encoded()), (format!("/api/v3/{path}").as_str(), params));
        }
        let rules = encode(&Request::Rules, &symbols(), None).unwrap();
        assert!(!rules.is_signed && rules.params.encoded().starts_with("symbols=%5B%22BTCUSDT%22%2C%22"));
        let stamped = rules.stamped(from);
        assert_eq!((stamped.get("recvWindow"), stamped.get("timestamp")), (Some("5000"), Some(AT.to_string().as_str())));
    }
}
