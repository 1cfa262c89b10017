//! What the script does to orders and their answers.

use super::*;
use crate::venue::sim::{Delivery, Fault, Garble, On, Rule, When};

const ORDER: &str = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a";

/// The first order with this fault.
fn first(fault: Fault) -> (Desk, HttpReply) {
    let mut desk = Desk::with_script(Script::new(1).with(Rule::new(On::Place, When::Nth(1), fault)));
    let reply = desk.place(ORDER);
    (desk, reply)
}

fn status(desk: &mut Desk) -> String {
    desk.query("a")["status"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn an_answer_is_lost_or_cut_with_the_order_taken_or_not() {
    for (accepted, wanted) in [(true, "FILLED"), (false, "none")] {
        let (mut desk, reply) = first(Fault::Lost { accepted });
        assert_eq!((reply.delivery, status(&mut desk)), (Delivery::Never, wanted.to_owned()));
        let (mut desk, reply) = first(Fault::Cut { accepted, after: 30 });
        assert_eq!((reply.delivery, status(&mut desk)), (Delivery::CutAfter(30), wanted.to_owned()));
        let (mut desk, reply) = first(Fault::Broken { accepted, status: 504, code: -1007 });
        assert_eq!((error(&reply).0, error(&reply).1, status(&mut desk)), (504, -1007, wanted.to_owned()));
        let (mut desk, reply) = first(Fault::Html { accepted, status: 502 });
        assert_eq!(
            (reply.status, reply.header_value("Content-Type"), status(&mut desk)),
            (502, Some("text/html"), wanted.to_owned())
        );
    }
}

#[test]
fn an_order_that_was_taken_is_not_found_for_a_while() {
    let (mut desk, _) = first(Fault::Hidden { span: Span::from_secs(8) });
    let list = |desk: &mut Desk, path: &str| desk.signed(Method::Get, path, "symbol=BTCUSDT").body;
    assert_eq!(desk.query("a")["code"], -2013);
    assert_eq!([list(&mut desk, "/api/v3/allOrders"), list(&mut desk, "/api/v3/myTrades")], ["[]", "[]"]);
    assert_eq!(desk.holds("BTC").0, "1.999", "the balance says it already");
    desk.wait(Span::from_millis(7999));
    assert_eq!(desk.query("a")["code"], -2013);
    desk.wait(Span::from_millis(1));
    assert_eq!(status(&mut desk), "FILLED");
}

#[test]
fn an_answer_of_200_is_no_answer() {
    let garbled = |garble| first(Fault::Garbled { garble }).1.body;
    assert_eq!(garbled(Garble::Empty), "");
    assert!(garbled(Garble::Html).starts_with("<html>"));
    for (garble, wanted) in [
        (Garble::Status, "\"status\":\"PENDING_REVIEW\""),
        (Garble::Symbol, "\"symbol\":\"OTHERUSDT\""),
        (Garble::Side, "\"side\":\"SELL\""),
        (Garble::ClientId, "\"clientOrderId\":\"not-the-one-you-sent\""),
    ] {
        assert!(garbled(garble).contains(wanted), "{garble:?}");
    }
}

#[test]
fn fills_come_later_in_part_or_not_at_all() {
    let (mut desk, reply) = first(Fault::LateFill { span: Span::from_secs(3) });
    assert_eq!((read(&reply)["status"].as_str(), status(&mut desk)), (Some("NEW"), "NEW".to_owned()));
    desk.wait(Span::from_secs(3));
    assert_eq!(status(&mut desk), "FILLED");
    let (desk, reply) = first(Fault::Partial { share: Fraction::from_f64(0.4).unwrap() });
    let order = read(&reply);
    assert_eq!([&order["status"], &order["executedQty"]], ["EXPIRED", "0.40000000"]);
    assert_eq!(desk.breaches(), [""; 0]);
    let (_, reply) = first(Fault::EmptyBook);
    assert_eq!([&read(&reply)["status"], &read(&reply)["executedQty"]], ["EXPIRED", "0.00000000"]);
}

#[test]
fn a_cancel_races_a_fill_and_loses() {
    let mut desk = Desk::with_script(Script::new(1).with(Rule::new(On::Cancel, When::Nth(1), Fault::FilledFirst)));
    desk.limit("BUY", "90", "1", "a");
    assert_eq!(error(&desk.cancel("a")), (400, -2011, "Unknown order sent.".to_owned()));
    assert_eq!((status(&mut desk), desk.holds("USDT")), ("FILLED".to_owned(), ("910".to_owned(), "0".to_owned())));
}

#[test]
fn a_fill_comes_after_the_end_or_beyond_what_was_asked() {
    let stray = |over| Rule::new(On::Cancel, When::Nth(1), Fault::StrayFill { span: Span::from_secs(2), over });
    for (over, held) in [(false, "1.999"), (true, "1.999")] {
        let mut desk = Desk::with_script(Script::new(1).with(stray(over)));
        desk.limit("BUY", "90", "1", "a");
        desk.cancel("a");
        let before = desk.holds("BTC").0;
        desk.wait(Span::from_secs(2));
        assert_eq!(
            (before.as_str(), status(&mut desk).as_str(), desk.query("a")["executedQty"].as_str()),
            ("1", "CANCELED", Some("1.00000000"))
        );
        assert_eq!((desk.holds("BTC").0.as_str(), desk.breaches()), (held, vec![]), "the script did it");
    }
    let (mut desk, _) = first(Fault::StrayFill { span: Span::from_secs(2), over: true });
    desk.wait(Span::from_secs(2));
    assert_eq!(
        (desk.query("a")["executedQty"].as_str(), desk.query("a")["origQty"].as_str()),
        (Some("2.00000000"), Some("1.00000000"))
    );
}

#[test]
fn the_door_is_closed_by_the_script() {
    for (header, wait) in [(Some("7"), 7), (None, 60)] {
        let fault = Fault::Throttled { retry_after: header.map(str::to_owned) };
        let (mut desk, reply) = first(fault);
        assert_eq!((reply.status, reply.header_value("Retry-After"), desk.breaches()), (429, header, vec![]));
        desk.wait(Span::from_secs(wait - 1));
        assert_eq!(desk.place(ORDER).status, 429);
        assert_eq!(desk.breaches().len(), 1, "who does not wait is told");
        desk.wait(Span::from_secs(1));
        assert_eq!(desk.place(ORDER).status, 200);
    }
}

#[test]
fn answers_are_slow_large_late_or_elsewhere() {
    assert_eq!(first(Fault::Slow).1.delivery, Delivery::Slow);
    assert_eq!(first(Fault::Oversized { bytes: 1000 }).1.body.len(), 1002);
    assert_eq!(first(Fault::Late { span: Span::from_secs(11) }).1.delivery, Delivery::After(Span::from_secs(11)));
    let (_, reply) = first(Fault::Redirect { to: "http://elsewhere.invalid/".to_owned() });
    assert_eq!((reply.status, reply.header_value("Location")), (302, Some("http://elsewhere.invalid/")));
    let (_, reply) = first(Fault::Html { accepted: false, status: 403 });
    assert!(reply.status == 403 && reply.body.contains("403 Forbidden"));
    let said = Fault::Answer { accepted: true, status: 400, code: -2010, msg: "Duplicate order sent.".to_owned() };
    let (mut desk, reply) = first(said);
    assert_eq!(
        (error(&reply).1, status(&mut desk)),
        (-2010, "FILLED".to_owned()),
        "the answer to what was sent twice on the way"
    );
}

#[test]
fn the_venue_s_clock_filters_and_keys_change_while_it_runs() {
    for (millis, code) in [(900, 0), (-900, 0), (1100, 0), (-1100, -1021), (6000, -1021), (-6000, -1021)] {
        let mut desk = Desk::new();
        desk.exchange.befall(&Fault::Clock { off: Span::from_millis(millis) }, None);
        let reply = desk.signed(Method::Get, "/api/v3/account", "");
        assert_eq!(error(&reply).1, code, "the venue is {millis} ms ahead");
    }
    let mut desk = Desk::new();
    let (price_tick, qty_step) = (None, Some(qty("0.1")));
    desk.exchange.befall(&Fault::Filters { price_tick, qty_step, notional_min: Some(qty("50")) }, None);
    let failing =
        |desk: &mut Desk, amount: &str| error(&desk.place(&ORDER.replace("quantity=1", &format!("quantity={amount}")))).2;
    assert_eq!(failing(&mut desk, "0.55"), "Filter failure: LOT_SIZE");
    assert_eq!(failing(&mut desk, "0.4"), "Filter failure: NOTIONAL");
    assert!(desk.send(Method::Get, "/api/v3/exchangeInfo").body.contains("\"stepSize\":\"0.10000000\""));
    desk.exchange.befall(&Fault::KeyRevoked, None);
    assert_eq!(error(&desk.place(ORDER)).1, -2015);
}

#[test]
fn somebody_else_trades_on_the_account() {
    let mut desk = Desk::new();
    let connection = desk.listen();
    desk.exchange.befall(&Fault::Foreign { quote: qty("100") }, Some(0));
    assert_eq!(desk.holds("USDT").0, "900");
    let events = desk.texts(connection);
    assert!(events[0]["event"]["c"].as_str().unwrap().starts_with("web_"), "{}", events[0]);
    assert_eq!(desk.breaches(), [""; 0]);
}
