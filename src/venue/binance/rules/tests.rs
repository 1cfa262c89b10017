//! Rules at their edges, and properties of what is made to fit them.

use proptest::prelude::*;

use super::*;
use crate::domain::{ClientOrderId, OrderIntent, OrderKind, Purpose, Side, Size, SymbolIndex, Time, TimeInForce};
use crate::venue::Market;

const INFO: &str = r#"{"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},
    {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50},{},{"rateLimitType":"NEW","interval":"DAY","intervalNum":1,"limit":1}],
    "symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],
    "quoteOrderQtyMarketAllowed":true,"isSpotTradingAllowed":true,"allowedSelfTradePreventionModes":["NONE","EXPIRE_MAKER"],"filters":[FILTERS]}]}"#;
const FILTERS: &str = r#"{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
    {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
    {"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"82.86438598","stepSize":"0.00000000"},
    {"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"2","bidMultiplierDown":"0.5","askMultiplierUp":"3","askMultiplierDown":"0.25","avgPriceMins":5},
    {"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},
    {"filterType":"MAX_NUM_ORDERS","maxNumOrders":200},{"filterType":"ICEBERG_PARTS","limit":100},
    {"filterType":"MAX_POSITION","maxPosition":"10000"},{"filterType":"BRAND_NEW","x":1}"#;

fn rules(filters: &str) -> SymbolRules {
    let rules = Rules::read(INFO.replace("FILTERS", filters).as_bytes()).unwrap();
    assert_eq!(rules.refused(), [""; 0]);
    rules.of("BTCUSDT").unwrap().clone()
}

fn base(qty: &str) -> Size {
    Size::Base(qty.parse().unwrap())
}

fn intent(side: Side, limit: Option<&str>, size: Size) -> OrderIntent {
    let kind = limit.map_or(OrderKind::Market, |price| OrderKind::Limit {
        price: price.parse().unwrap(),
        expires_at: Time::MAX,
        tif: TimeInForce::Gtc,
    });
    let (decided_at, reference) = (Time::from_millis(0), "100".parse().unwrap());
    let id = ClientOrderId { scope: 1, bar: decided_at, sequence: 0 };
    OrderIntent { id, symbol: SymbolIndex(0), side, kind, size, purpose: Purpose::Signal, decided_at, reference }
}

fn broken(rules: &SymbolRules, intent: &OrderIntent, market: &Market) -> Option<&'static str> {
    rules.check(intent, market).err().map(|breach| breach.filter)
}

#[test]
fn each_rule_at_its_edge() {
    let rules = rules(FILTERS);
    let market = Market { average: Some("100".parse().unwrap()), ..Market::default() };
    for (limit, qty, breaks) in [
        (Some("100"), "1", None),
        (Some("100.01"), "0.05000", None),
        (Some("100.005"), "1", Some("PRICE_FILTER")),
        (Some("0.009"), "1000", Some("PRICE_FILTER")),
        (Some("0"), "1", Some("PRICE_FILTER")),
        (Some("1000000.01"), "1", Some("PRICE_FILTER")),
        (Some("200"), "1", None),
        (Some("200.01"), "1", Some("PERCENT_PRICE")),
        (Some("50"), "1", None),
        (Some("49.99"), "1", Some("PERCENT_PRICE")),
        (Some("100"), "0.00001001", Some("LOT_SIZE")),
        (Some("100"), "0.000001", Some("LOT_SIZE")),
        (Some("100"), "0", Some("LOT_SIZE")),
        (Some("100"), "-1", Some("LOT_SIZE")),
        (Some("100"), "9000.00001", Some("LOT_SIZE")),
        (Some("100"), "0.05", None),
        (Some("100"), "0.04999", Some("NOTIONAL")),
        (Some("200"), "9000", None),
        (None, "82.86438", None),
        (None, "82.86439", Some("MARKET_LOT_SIZE")),
        (None, "0.05", None),
        (None, "0.04999", Some("NOTIONAL")),
    ] {
        assert_eq!(broken(&rules, &intent(Side::Buy, limit, base(qty)), &market), breaks, "{limit:?} {qty}");
    }
    let sale = intent(Side::Sell, Some("300"), base("1"));
    assert_eq!(broken(&rules, &sale, &market), None, "a sale has a band of its own");
    let buy = intent(Side::Buy, Some("100"), base("1"));
    assert_eq!(broken(&rules, &buy, &Market { open_orders: 200, ..market }), Some("MAX_NUM_ORDERS"));
    assert_eq!(broken(&rules, &buy, &Market { open_orders: 199, ..market }), None);
    let full = Market { position: "9999.5".parse().unwrap(), ..market };
    assert_eq!((broken(&rules, &buy, &full), broken(&rules, &sale, &full)), (Some("MAX_POSITION"), None));
    let wrong = rules.check(&intent(Side::Buy, Some("100.005"), base("1")), &market).unwrap_err();
    assert_eq!(wrong.to_string(), "PRICE_FILTER: 100.005, where the venue takes multiples of 0.01");
}

/// C19: what is zero is no rule, what is unknown is counted, what is missing is none.
#[test]
fn zero_unknown_and_missing_filters() {
    let all = rules(FILTERS);
    assert_eq!(all.unknown, ["BRAND_NEW"]);
    let zeros = r#"{"filterType":"PRICE_FILTER","minPrice":"0.0","maxPrice":"0.00000000","tickSize":"0"},
        {"filterType":"LOT_SIZE","minQty":"0","maxQty":"0","stepSize":"0.00000000"},
        {"filterType":"PERCENT_PRICE","multiplierUp":"0","multiplierDown":"0"},
        {"filterType":"NOTIONAL","minNotional":"0","applyMinToMarket":true,"maxNotional":"0","applyMaxToMarket":true}"#;
    for filters in ["", zeros] {
        let rules = rules(filters);
        let market = Market { average: Some("0.3".parse().unwrap()), ..Market::default() };
        for limit in [Some("0.0000000001"), Some("123456.789"), None] {
            let intent = intent(Side::Sell, limit, base("0.00000001"));
            assert_eq!(rules.check(&intent, &market), Ok(()), "{filters}");
            assert_eq!(rules.fit(&intent, &market), Ok(intent));
        }
    }
}

#[test]
fn a_symbol_that_is_not_traded_takes_no_order() {
    let market = Market::default();
    let post_only = |rules: &SymbolRules| {
        let mut intent = intent(Side::Buy, Some("100"), base("1"));
        intent.kind = OrderKind::Limit { price: "100".parse().unwrap(), expires_at: Time::MAX, tif: TimeInForce::PostOnly };
        broken(rules, &intent, &market)
    };
    let buy = intent(Side::Buy, None, base("1"));
    for (from, to, breaks) in [
        ("\"TRADING\"", "\"HALT\"", "status"),
        ("\"TRADING\"", "\"CANCEL_ONLY\"", "status"),
        ("\"isSpotTradingAllowed\":true,", "", "isSpotTradingAllowed"),
        ("\"MARKET\"]", "\"STOP_LOSS\"]", "orderTypes"),
    ] {
        let text = INFO.replace(from, to).replace("FILTERS", FILTERS);
        let rules = Rules::read(text.as_bytes()).unwrap();
        assert_eq!(broken(rules.of("BTCUSDT").unwrap(), &buy, &market), Some(breaks), "{to}");
    }
    let text = INFO.replace("\"LIMIT_MAKER\",", "").replace("FILTERS", FILTERS);
    let rules = Rules::read(text.as_bytes()).unwrap();
    assert_eq!(post_only(rules.of("BTCUSDT").unwrap()), Some("orderTypes"));
    assert_eq!(post_only(&self::rules(FILTERS)), None);
}

/// A filter that we know and cannot read is not one to trade without.
#[test]
fn a_symbol_with_a_broken_filter_is_left_out() {
    for (from, to) in [
        ("\"0.00001000\"", "\"1e-5\""),
        ("\"9000.00000000\"", "\"-1\""),
        ("\"maxNumOrders\":200", "\"x\":1"),
        ("\"5.00000000\"", "5.0"),
    ] {
        let rules = Rules::read(INFO.replace("FILTERS", &FILTERS.replacen(from, to, 1)).as_bytes()).unwrap();
        assert!(rules.of("BTCUSDT").is_none() && rules.refused().len() == 1, "{to}");
        assert!(rules.refused()[0].starts_with("BTCUSDT: its "), "{:?}", rules.refused());
    }
    assert!(Rules::read(b"{}").is_err() && Rules::read(b"<html>").is_err() && Rules::read(b"").is_err());
}

#[test]
fn rules_become_an_instrument() {
    let rules = Rules::read(INFO.replace("FILTERS", FILTERS).as_bytes()).unwrap();
    let instrument = rules.instrument(&"BTC/USDT".parse().unwrap()).unwrap();
    assert_eq!(instrument.price_tick, "0.01".parse().unwrap());
    assert_eq!(instrument.qty_step, "0.00001".parse().unwrap());
    assert_eq!(instrument.min_notional, "5".parse().unwrap());
    assert_eq!(rules.instrument(&"ETH/USDT".parse().unwrap()), None);
    assert_eq!(rules.instrument(&"BTCU/SDT".parse().unwrap()), None, "the same letters, split in another way");
    assert_eq!(rules.limits().len(), 2, "{:?}", rules.limits());
    assert_eq!(rules.limits()[1], RateLimit { kind: LimitKind::Orders, window: Span::from_secs(10), limit: 50 });
}

/// C16, C17.
#[test]
fn orders_are_rounded_by_decimals_and_dust_is_named() {
    let rules = rules(FILTERS);
    let market = Market::default();
    let fit = |side, limit, size| rules.fit(&intent(side, limit, size), &market);
    let sizes = |fitted: OrderIntent| (fitted.kind.limit_price().map(|price| price.to_string()), fitted.quantity().to_string());
    // 0.1 + 0.2 of floats would be 0.30000000000000004.
    let sum = Size::Base("0.1".parse::<Qty>().unwrap() + "0.2".parse().unwrap());
    assert_eq!(sizes(fit(Side::Buy, Some("100.019"), sum).unwrap()), (Some("100.01".to_owned()), "0.3".to_owned()));
    assert_eq!(
        sizes(fit(Side::Sell, Some("100.011"), base("0.30000999")).unwrap()),
        (Some("100.02".to_owned()), "0.3".to_owned())
    );
    assert_eq!(sizes(fit(Side::Sell, None, base("100")).unwrap()), (None, "82.86438".to_owned()), "cut at the largest");
    assert!(matches!(fit(Side::Sell, None, base("0.00000999")), Err(Unfit::Dust { .. })));
    assert!(matches!(fit(Side::Sell, None, base("0")), Err(Unfit::Dust { .. })));
    // 5.0004 before and 4.9999 after rounding down.
    let small = rules.fit(&intent(Side::Buy, Some("99.99"), base("0.05000999")), &market);
    assert_eq!(small, Err(Unfit::TooSmall { notional: "4.9995".parse().unwrap(), min: "5".parse().unwrap() }));
    let amount = |text: &str| Size::Quote(text.parse().unwrap());
    assert_eq!(fit(Side::Buy, None, amount("20.123456789")).unwrap().size, amount("20.12345678"));
    assert!(matches!(fit(Side::Buy, None, amount("4.99")), Err(Unfit::TooSmall { .. })));
    assert_eq!(fit(Side::Buy, Some("100"), amount("20.0009")).unwrap().size, base("0.2"));
}

prop_compose! {
    fn step()(digit in prop::sample::select(vec![0_i128, 1, 2, 5, 25]), power in 0_u32..11) -> i128 {
        digit * 10_i128.pow(power)
    }
}

prop_compose! {
    fn some_rules()(
        tick in step(), lot in step(), market_lot in step(),
        min_qty in 0_i128..1_000_000_000, max_qty in prop::option::of(0_i128..100_000_000_000_000),
        min in 0_i128..20, max in prop::option::of(10_i128..1_000_000), flags in any::<[bool; 2]>(),
    ) -> SymbolRules {
        let mut rules = rules("");
        let count = Qty::from_count;
        rules.price.step = Price::from_count(tick);
        rules.lot = Bounds { min: count(min_qty), max: count(max_qty.unwrap_or(0)), step: count(lot) };
        rules.market_lot = Bounds { min: Qty::ZERO, max: count(max_qty.unwrap_or(0) / 2), step: count(market_lot) };
        let money = |whole: i128| Money::from_count(whole * 1_000_000_000_000_000_000);
        rules.notional =
            Notional { min: money(min), max: money(max.unwrap_or(0)), min_for_market: flags[0], max_for_market: flags[1] };
        rules
    }
}

proptest! {
    /// ORDERS-5.
    #[test]
    fn what_fits_passes_and_never_grows(
        rules in some_rules(),
        is_buy in any::<bool>(),
        limit in prop::option::of(1_i128..10_000_000_000_000_000),
        count in 0_i128..10_000_000_000_000_000,
        amount in prop::option::of(0_i128..1_000_000_000_000_000_000_000_000),
        average in prop::option::of(1_i128..10_000_000_000_000_000),
    ) {
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let size = amount.map_or(Size::Base(Qty::from_count(count)), |amount| Size::Quote(Money::from_count(amount)));
        let mut wanted = intent(side, None, size);
        if let Some(price) = limit {
            wanted.kind = OrderKind::Limit { price: Price::from_count(price), expires_at: Time::MAX, tif: TimeInForce::Gtc };
        }
        let market = Market { average: average.map(Price::from_count), ..Market::default() };
        match rules.fit(&wanted, &market) {
            Ok(fitted) => {
                prop_assert_eq!(rules.check(&fitted, &market), Ok(()));
                prop_assert_eq!(rules.fit(&fitted, &market), Ok(fitted), "twice changes nothing");
                match (wanted.size, fitted.size) {
                    (Size::Base(before), Size::Base(after)) => prop_assert!(after <= before && after.is_positive()),
                    (Size::Quote(before), Size::Quote(after)) => prop_assert!(after <= before),
                    (Size::Quote(before), Size::Base(after)) => {
                        prop_assert!(fitted.kind.limit_price().unwrap().notional(after) <= before);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
                if let (Some(before), Some(after)) = (wanted.kind.limit_price(), fitted.kind.limit_price()) {
                    let is_tamer = if is_buy { after <= before } else { after >= before };
                    prop_assert!(is_tamer);
                }
            }
            Err(Unfit::Dust { qty, min }) => prop_assert!(qty < min || !qty.is_positive()),
            Err(Unfit::TooSmall { notional, min }) => prop_assert!(notional < min),
            Err(Unfit::Breach(breach)) => prop_assert!(["PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE"].contains(&breach.filter), "{}", breach),
        }
    }
}
