//! Answers as they come, and as they should not.

use super::*;
use crate::domain::{OrderKind, Price, Purpose, Qty, Span};
use crate::venue::wire::VenueStatus;

const ID: &str = "tg00000001-019d3728c280-0003";

fn now() -> Time {
    "2026-03-29T01:00:00Z".parse().unwrap()
}

fn symbols() -> Symbols {
    Symbols::new(&["ETH/USDT".parse().unwrap(), "BTC/USDT".parse().unwrap()]).unwrap()
}

fn place(size: Size) -> Request {
    Request::Place(OrderIntent {
        id: ID.parse().unwrap(),
        symbol: SymbolIndex(1),
        side: Side::Buy,
        kind: OrderKind::Market,
        size,
        purpose: Purpose::Signal,
        decided_at: now(),
        reference: "100".parse().unwrap(),
    })
}

fn one() -> Request {
    place(Size::Base("1".parse().unwrap()))
}

fn cancel() -> Request {
    Request::Cancel { symbol: SymbolIndex(1), id: ID.parse().unwrap() }
}

fn read_as(request: &Request, status: u16, body: &str) -> Result<Answer, Failure> {
    let reply = Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() };
    match decode(request, &symbols(), &reply, now())? {
        Read::Answer(answer) => Ok(answer),
        Read::Rules(_) => panic!("rules for {request:?}"),
    }
}

fn order(request: &Request, body: &str) -> VenueOrder {
    match read_as(request, 200, body) {
        Ok(Answer::Order(order)) => order,
        other => panic!("{body}: {other:?}"),
    }
}

const FULL: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"ID","transactTime":1507725176595,
    "price":"0.00000000","origQty":"1.00000000","executedQty":"1.00000000","cummulativeQuoteQty":"99.60000000","status":"FILLED",
    "timeInForce":"GTC","type":"MARKET","side":"BUY","fills":[
    {"price":"100.00000000","qty":"0.60000000","commission":"0.00060000","commissionAsset":"BTC","tradeId":56},
    {"price":"99.00000000","qty":"0.40000000","commission":"0.00010000","commissionAsset":"BNB","tradeId":57}]}"#;

fn full() -> String {
    FULL.replace("ID", ID)
}

#[test]
fn a_full_answer() {
    let order = order(&one(), &full());
    assert_eq!((order.symbol, order.symbol_text.as_str()), (Some(SymbolIndex(1)), "BTCUSDT"));
    assert_eq!((order.venue_id, order.owner), (VenueOrderId(28), Owner::Ours(ID.parse().unwrap())));
    assert_eq!((order.status, order.side), (Some(VenueStatus::Filled), Side::Buy));
    assert_eq!((order.filled, order.filled_quote), ("1".parse().unwrap(), Some("99.6".parse().unwrap())));
    let fees: Vec<(Qty, &str)> = order.fills.iter().map(|fill| (fill.fee, fill.fee_asset.as_str())).collect();
    assert_eq!(fees, [("0.0006".parse().unwrap(), "BTC"), ("0.0001".parse().unwrap(), "BNB")]);
    assert_eq!((order.fills[1].trade, order.fills[1].price), (TradeId(57), "99".parse::<Price>().unwrap()));
    assert_eq!(order.at, Time::from_millis(1_507_725_176_595));
}

#[test]
fn the_shortest_answer_says_only_that_it_was_taken() {
    let ack = format!(
        "{{\"symbol\":\"BTCUSDT\",\"orderId\":9223372036854775807,\"orderListId\":-1,\"clientOrderId\":\"{ID}\",\"transactTime\":1}}"
    );
    let order = order(&place(Size::Quote("250".parse().unwrap())), &ack);
    assert_eq!((order.status, order.filled, order.filled_quote), (None, Qty::ZERO, None));
    assert_eq!((order.venue_id.0, order.ordered), (i64::MAX.unsigned_abs(), "2.5".parse().unwrap()));
}

/// C6: none of these is an answer, and none says that nothing was done.
#[test]
fn a_doubt_stays_a_doubt() {
    let full = full();
    let halves = (0..full.len() - 1).map(|at| &full[..at]);
    let others = ["", " ", "<html>maintenance</html>", "null garbage", "\u{1}"];
    for body in halves.chain(others) {
        for request in [one(), cancel(), Request::CancelAll { symbol: SymbolIndex(1) }] {
            assert!(matches!(read_as(&request, 200, body), Err(Failure::Ambiguous(_))), "{request:?} {body:?}");
        }
    }
    for status in [100, 201, 301, 302, 307, 400, 404, 408, 500, 502, 503, 504, 522] {
        let read = read_as(&one(), status, "<html>502 Bad Gateway</html>");
        assert!(matches!(read, Err(Failure::Ambiguous(_))), "{status}: {read:?}");
    }
}

/// C15.
#[test]
fn an_answer_about_another_order_is_none() {
    for (from, to) in [
        ("BTCUSDT", "ETHUSDT"),
        (ID, "tg00000001-019d3728c280-0004"),
        (ID, "web_abc"),
        ("\"side\":\"BUY\"", "\"side\":\"SELL\""),
        ("\"side\":\"BUY\"", "\"side\":\"HOLD\""),
        ("\"orderId\":28", "\"orderId\":\"28\""),
        ("\"orderId\":28", "\"orderId\":-28"),
        ("\"orderId\":28", "\"orderId\":28.0"),
        ("\"executedQty\":\"1.00000000\",", ""),
        ("\"executedQty\":\"1.00000000\"", "\"executedQty\":1.0"),
        ("\"executedQty\":\"1.00000000\"", "\"executedQty\":\"-1\""),
        ("\"executedQty\":\"1.00000000\"", "\"executedQty\":\"1e0\""),
        ("\"0.60000000\"", "\"NaN\""),
        ("\"0.60000000\"", "\"99999999999999999999\""),
        ("1507725176595", "1507725176595000"),
        ("\"tradeId\":56", "\"tradeId\":-1"),
    ] {
        let body = full().replacen(from, to, 1);
        assert!(matches!(read_as(&one(), 200, &body), Err(Failure::Protocol(_))), "{to}: {:?}", read_as(&one(), 200, &body));
    }
    assert!(matches!(read_as(&one(), 200, "[]"), Err(Failure::Protocol(_))));
    assert!(matches!(read_as(&one(), 200, "{}"), Err(Failure::Protocol(_))));
}

/// C14.
#[test]
fn a_status_that_is_new_is_held_as_unknown() {
    let order = order(&one(), &full().replace("\"FILLED\"", "\"SOMETHING_NEW\""));
    assert_eq!((order.status, order.filled), (Some(VenueStatus::Unheard), "1".parse().unwrap()));
}

/// C13: what was filled before the end stays.
#[test]
fn an_end_keeps_its_fills() {
    for (word, status) in
        [("EXPIRED", VenueStatus::Expired), ("EXPIRED_IN_MATCH", VenueStatus::Expired), ("CANCELED", VenueStatus::Canceled)]
    {
        let body = full().replace("FILLED", word).replace("\"origQty\":\"1.0", "\"origQty\":\"6.0");
        let order = order(&one(), &body);
        assert_eq!((order.status, order.filled, order.fills.len()), (Some(status), "1".parse().unwrap(), 2));
        assert!(order.ordered > order.filled);
    }
}

#[test]
fn a_sum_below_zero_is_not_available() {
    assert_eq!(order(&one(), &full().replace("\"99.60000000\"", "\"-1.0\"")).filled_quote, None);
}

/// A withdrawal has an id of its own, and the order's stands beside it.
#[test]
fn a_withdrawal_names_the_order() {
    let body = full()
        .replace(&format!("\"clientOrderId\":\"{ID}\""), &format!("\"clientOrderId\":\"x1\",\"origClientOrderId\":\"{ID}\""));
    let order = order(&cancel(), &body.replace("FILLED", "CANCELED"));
    assert_eq!((order.owner, order.status), (Owner::Ours(ID.parse().unwrap()), Some(VenueStatus::Canceled)));
    assert!(matches!(read_as(&cancel(), 200, &body.replace(ID, "other")), Err(Failure::Protocol(_))));
    let list = format!("[{body},{{\"orderListId\":1,\"symbol\":\"BTCUSDT\",\"orders\":[],\"orderReports\":[{body},{body}]}}]");
    let all = Request::CancelAll { symbol: SymbolIndex(1) };
    let Ok(Answer::Orders(orders)) = read_as(&all, 200, &list) else { panic!("{list}") };
    assert_eq!(orders.len(), 3);
    assert!(orders.iter().all(|order| order.owner == Owner::Ours(ID.parse().unwrap())));
    let foreign = list.replace("BTCUSDT", "ETHUSDT");
    assert!(matches!(read_as(&all, 200, &foreign), Err(Failure::Protocol(_))));
}

#[test]
fn open_orders_of_everybody() {
    let list = format!("[{},{}]", full(), full().replace("BTCUSDT", "XRPUSDT").replace(ID, "web_1"));
    let Ok(Answer::Orders(orders)) = read_as(&Request::OpenOrders { symbol: None }, 200, &list) else { panic!("{list}") };
    assert_eq!((orders[1].symbol, orders[1].symbol_text.as_str()), (None, "XRPUSDT"));
    assert_eq!(orders[1].owner, Owner::Foreign("web_1".to_owned()));
}

#[test]
fn fills_are_what_was_asked_for() {
    let trade = |id: u64, order: u64| {
        format!(
            "{{\"symbol\":\"BTCUSDT\",\"id\":{id},\"orderId\":{order},\"price\":\"100\",\"qty\":\"0.1\",\"quoteQty\":\"10\",\"commission\":\"0.01\",\
             \"commissionAsset\":\"USDT\",\"time\":{},\"isBuyer\":true,\"isMaker\":true,\"isBestMatch\":true}}",
            now().millis()
        )
    };
    let symbol = SymbolIndex(1);
    let of = Request::FillsOf { symbol, order: VenueOrderId(5) };
    let from = Request::FillsFrom { symbol, first: TradeId(7) };
    let within = |from: Time| Request::FillsIn { symbol, from, until: from + Span::from_secs(1) };
    let list = |trades: &[String]| format!("[{}]", trades.join(","));
    let Ok(Answer::Fills(fills)) = read_as(&of, 200, &list(&[trade(8, 5), trade(7, 5)])) else { panic!() };
    assert_eq!(fills.iter().map(|fill| fill.trade.0).collect::<Vec<_>>(), [7, 8], "oldest first");
    assert_eq!((fills[0].liquidity, fills[0].at), (Liquidity::Maker, now()));
    assert!(read_as(&from, 200, &list(&[trade(7, 5), trade(9, 6)])).is_ok());
    assert!(read_as(&within(now()), 200, &list(&[trade(7, 5)])).is_ok());
    for (request, body) in [
        (&of, list(&[trade(7, 6)])),
        (&from, list(&[trade(6, 5)])),
        (&within(now() + Span::from_millis(1)), list(&[trade(7, 5)])),
        (&of, list(&[trade(7, 5).replace("BTCUSDT", "ETHUSDT")])),
        (&of, list(&[trade(7, 5).replace("\"0.1\"", "\"0.000000001\"")])),
    ] {
        assert!(matches!(read_as(request, 200, &body), Err(Failure::Protocol(_))), "{body}");
    }
}

#[test]
fn accounts_and_keys() {
    let body = "{\"canTrade\":true,\"canWithdraw\":false,\"updateTime\":1,\"balances\":[{\"asset\":\"BTC\",\"free\":\"0.5\",\"locked\":\"0.25\"}],\"uid\":354937868}";
    let Ok(Answer::Account(account)) = read_as(&Request::Account, 200, body) else { panic!("{body}") };
    assert_eq!((account.id.as_str(), account.can_trade, account.can_withdraw), ("354937868", true, false));
    assert_eq!(account.balances[0].total(), "0.75".parse().unwrap());
    assert!(matches!(read_as(&Request::Account, 200, &body.replace("\"0.5\"", "\"-0.5\"")), Err(Failure::Protocol(_))));
    let key = "{\"ipRestrict\":true,\"createTime\":1,\"enableReading\":true,\"enableWithdrawals\":false,\"enableSpotAndMarginTrading\":true}";
    let read = |body: &str| read_as(&Request::Restrictions, 200, body);
    let wanted = Restrictions { is_bound_to_addresses: true, can_trade: true, can_withdraw: false };
    assert_eq!(read(key), Ok(Answer::Restrictions(wanted)));
    let Ok(Answer::Restrictions(loose)) = read(&key.replace("Withdrawals\":false", "Withdrawals\":true")) else { panic!() };
    assert!(loose.can_withdraw);
    assert!(
        matches!(read(&key.replace("enableWithdrawals", "enableNothing")), Err(Failure::Protocol(_))),
        "not said is not harmless"
    );
}
