//! Matching, with numbers worked out by hand. The market stands at 100: levels of two units at 100, 100.1 and 100.2, or 99.9 and 99.8.

use super::*;
use crate::venue::sim::FeeAsset;

#[test]
fn a_market_buy_walks_the_book_and_pays_its_fee_in_base() {
    let mut desk = Desk::new();
    let order = desk.market("BUY", "3", "a");
    assert_eq!([&order["status"], &order["executedQty"], &order["type"]], ["FILLED", "3.00000000", "MARKET"]);
    // Two at 100 and one at 100.1.
    assert_eq!(order["cummulativeQuoteQty"], "300.10000000");
    let fills: Vec<[&str; 4]> = order["fills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fill| ["price", "qty", "commission", "commissionAsset"].map(|name| fill[name].as_str().unwrap()))
        .collect();
    assert_eq!(fills, [["100.00000000", "2.00000000", "0.00200000", "BTC"], ["100.10000000", "1.00000000", "0.00100000", "BTC"]]);
    assert_eq!(desk.holds("USDT"), ("699.9".to_owned(), "0".to_owned()));
    assert_eq!(desk.holds("BTC"), ("3.997".to_owned(), "0".to_owned()));
    assert_eq!(desk.breaches(), [""; 0]);
}

#[test]
fn a_market_order_that_runs_out_of_book_expires_with_what_it_has() {
    let mut desk = Desk::new();
    let order = desk.market("BUY", "7", "a");
    assert_eq!(
        [&order["status"], &order["executedQty"], &order["expiryReason"]],
        ["EXPIRED", "6.00000000", "INSUFFICIENT_LIQUIDITY"]
    );
    // Two at each of 100, 100.1 and 100.2; the fee is 0.006.
    assert_eq!((desk.holds("USDT").0, desk.holds("BTC").0), ("399.4".to_owned(), "6.994".to_owned()));
    let none = desk.market("BUY", "1", "b");
    assert_eq!([&none["status"], &none["executedQty"]], ["EXPIRED", "0.00000000"], "the book is empty until the market moves");
    desk.bar([100.0, 100.0, 100.0, 100.0, 1.0]);
    assert_eq!(desk.market("BUY", "1", "c")["status"], "FILLED");
    assert_eq!(desk.breaches(), [""; 0]);
}

#[test]
fn an_amount_of_the_quote_buys_what_it_buys() {
    let mut desk = Desk::new();
    let order = read(&desk.place("symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=250.05&newClientOrderId=a"));
    // 200 buys two at 100; 50.05 ÷ 100.1 is 0.5.
    assert_eq!([&order["status"], &order["executedQty"], &order["origQty"]], ["FILLED", "2.50000000", "2.50000000"]);
    assert_eq!(desk.holds("USDT"), ("749.95".to_owned(), "0".to_owned()));
    let order = read(&desk.place("symbol=BTCUSDT&side=SELL&type=MARKET&quoteOrderQty=50&newClientOrderId=b"));
    assert_eq!([&order["status"], &order["executedQty"]], ["FILLED", "0.50000000"]);
    // The fee of a sale is taken from what it brings: 50 - 0.05.
    assert_eq!(desk.holds("USDT").0, "799.9");
}

#[test]
fn a_resting_order_claims_its_worst_case_and_is_filled_by_a_price_that_goes_through_it() {
    let mut desk = Desk::new();
    let order = desk.limit("BUY", "99", "2", "a");
    assert_eq!((order["status"].as_str(), desk.holds("USDT")), (Some("NEW"), ("802".to_owned(), "198".to_owned())));
    desk.bar([100.0, 100.0, 99.0, 100.0, 10.0]);
    assert_eq!(desk.query("a")["status"], "NEW", "to touch is not enough");
    desk.bar([100.0, 100.0, 98.99, 99.5, 0.5]);
    let order = desk.query("a");
    assert_eq!([&order["status"], &order["executedQty"]], ["PARTIALLY_FILLED", "0.50000000"], "no more than was traded");
    assert_eq!(desk.holds("USDT"), ("802".to_owned(), "148.5".to_owned()));
    desk.bar([99.0, 99.0, 98.0, 98.0, 50.0]);
    assert_eq!(desk.query("a")["status"], "FILLED");
    // 1 + 2 - 0.1 % of 2, as maker, at its own price.
    assert_eq!((desk.holds("USDT"), desk.holds("BTC").0), (("802".to_owned(), "0".to_owned()), "2.998".to_owned()));
    assert_eq!(desk.breaches(), [""; 0]);
}

#[test]
fn better_and_older_orders_are_filled_first() {
    let mut desk = Desk::new();
    for (id, price) in [("low", "97"), ("old", "98"), ("new", "98")] {
        desk.limit("BUY", price, "1", id);
    }
    desk.bar([100.0, 100.0, 96.0, 97.0, 1.5]);
    let filled = |desk: &mut Desk, id: &str| desk.query(id)["executedQty"].as_str().unwrap().to_owned();
    let all = ["low", "old", "new"].map(|id| filled(&mut desk, id));
    assert_eq!(all, ["0.00000000", "1.00000000", "0.50000000"]);
}

#[test]
fn a_limit_order_takes_up_to_its_price_and_the_rest_does_as_its_time_in_force_says() {
    let place = |tif: &str| {
        let mut desk = Desk::new();
        let reply = desk
            .place(&format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce={tif}&price=100.1&quantity=5&newClientOrderId=a"));
        let order = read(&reply);
        let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
        ([text("status"), text("executedQty"), text("expiryReason")], desk.holds("USDT"))
    };
    // Two at 100 and two at 100.1 are 400.2; the fifth claims 100.1.
    let holds = |free: &str, locked: &str| (free.to_owned(), locked.to_owned());
    assert_eq!(place("GTC"), (["PARTIALLY_FILLED", "4.00000000", ""].map(str::to_owned), holds("499.7", "100.1")));
    let expired = ["EXPIRED", "4.00000000", "UNFILLED_IOC_QUANTITY_EXPIRED"].map(str::to_owned);
    assert_eq!(place("IOC"), (expired, holds("599.8", "0")));
    let expired = ["EXPIRED", "0.00000000", "UNFILLED_FOK_ORDER_EXPIRED"].map(str::to_owned);
    assert_eq!(place("FOK"), (expired, holds("1000", "0")));
}

#[test]
fn a_maker_order_that_would_take_is_refused() {
    let mut desk = Desk::new();
    let place = |desk: &mut Desk, price: &str, id: &str| {
        desk.place(&format!("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&price={price}&quantity=1&newClientOrderId={id}"))
    };
    let refused = place(&mut desk, "100", "a");
    assert_eq!(error(&refused), (400, -2010, "Order would immediately match and take.".to_owned()));
    let taken = read(&place(&mut desk, "99.99", "b"));
    assert_eq!(taken.get("status"), None, "the shortest form says no status");
    assert_eq!(desk.exchange.open_orders("BTCUSDT"), 1);
}

#[test]
fn accounts_trade_with_each_other_and_nobody_with_himself() {
    let mut desk = Desk::new();
    desk.key = OTHER.to_owned();
    desk.limit("SELL", "100.05", "1", "theirs");
    desk.key = KEY.to_owned();
    let order = desk.limit("BUY", "100.05", "3", "ours");
    // Two of the book at 100, then theirs.
    assert_eq!([&order["status"], &order["cummulativeQuoteQty"]], ["FILLED", "300.05000000"]);
    let (theirs, _) = desk.exchange.balance(1, "USDT");
    assert_eq!(theirs, qty("1099.94995"), "1000 + 100.05 - its fee");

    let mut desk = Desk::new();
    desk.limit("SELL", "100.05", "1", "own");
    let order = desk.limit("BUY", "100.05", "3", "taker");
    assert_eq!([&order["status"], &order["executedQty"]], ["PARTIALLY_FILLED", "2.00000000"]);
    assert_eq!(desk.query("own")["status"], "EXPIRED_IN_MATCH", "the maker gives way");
    assert_eq!(desk.breaches(), [""; 0]);
}

#[test]
fn each_mode_against_trading_with_oneself() {
    let meet = |mode: &str| {
        let mut desk = Desk::new();
        desk.limit("SELL", "100.05", "1", "own");
        let order = read(&desk.place(&format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=100.05&quantity=3&newClientOrderId=t&selfTradePreventionMode={mode}"
        )));
        let own = desk.query("own")["status"].as_str().unwrap().to_owned();
        (order["status"].as_str().unwrap().to_owned(), own)
    };
    let both = |taker: &str, maker: &str| (taker.to_owned(), maker.to_owned());
    assert_eq!(meet("EXPIRE_TAKER"), both("EXPIRED_IN_MATCH", "NEW"));
    assert_eq!(meet("EXPIRE_BOTH"), both("EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"));
    assert_eq!(meet("NONE"), both("FILLED", "FILLED"));
}

#[test]
fn fees_are_taken_in_the_currency_that_was_agreed_while_there_is_some() {
    let trade = |asset: FeeAsset, bnb: &str| {
        let mut own = setup();
        own.holders[0].fees.asset = asset;
        own.holders[0].balances[2].1 = qty(bnb);
        let mut desk = Desk::of(own);
        let order = desk.market("BUY", "1", "a");
        let fill = &order["fills"][0];
        assert_eq!(desk.breaches(), [""; 0]);
        [&fill["commission"], &fill["commissionAsset"]].map(|value| value.as_str().unwrap().to_owned())
    };
    let coin = || FeeAsset::Coin { asset: "BNB".to_owned(), price: "500".parse().unwrap() };
    let is = |fee: &str, asset: &str| [fee.to_owned(), asset.to_owned()];
    assert_eq!(trade(FeeAsset::Received, "0"), is("0.00100000", "BTC"));
    assert_eq!(trade(FeeAsset::Quote, "0"), is("0.10000000", "USDT"));
    assert_eq!(trade(coin(), "1"), is("0.00020000", "BNB"), "0.1 at 500");
    assert_eq!(trade(coin(), "0.0001"), is("0.00100000", "BTC"), "the coin runs out");
}

#[test]
fn a_canceled_order_gives_back_what_it_claimed() {
    let mut desk = Desk::new();
    desk.limit("SELL", "101", "0.4", "a");
    assert_eq!(desk.holds("BTC"), ("0.6".to_owned(), "0.4".to_owned()));
    let canceled = read(&desk.cancel("a"));
    assert_eq!([&canceled["status"], &canceled["origClientOrderId"]], ["CANCELED", "a"]);
    assert_ne!(canceled["clientOrderId"], "a", "a cancel has an id of its own");
    assert_eq!(desk.holds("BTC"), ("1".to_owned(), "0".to_owned()));
    assert_eq!(error(&desk.cancel("a")), (400, -2011, "Unknown order sent.".to_owned()));
}

#[test]
fn an_id_is_taken_while_its_order_is_open_and_free_afterwards() {
    let mut desk = Desk::new();
    desk.limit("BUY", "90", "1", "same");
    let again = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=90&quantity=1&newClientOrderId=same";
    assert_eq!(error(&desk.place(again)), (400, -2010, "Duplicate order sent.".to_owned()));
    desk.cancel("same");
    assert_eq!(desk.place(again).status, 200, "the trap of this venue");
    let breaches = desk.breaches();
    assert!(breaches.len() == 1 && breaches[0].contains("two orders have the client id same"), "{breaches:?}");
}

#[test]
fn trades_move_the_market_too() {
    let mut desk = Desk::new();
    desk.limit("BUY", "99", "2", "a");
    let (price, volume) = ("98.5".parse().unwrap(), qty("0.75"));
    assert!(desk.exchange.trade("BTCUSDT", price, volume, desk.now));
    assert_eq!(desk.query("a")["executedQty"], "0.75000000");
    assert_eq!(desk.exchange.price("BTCUSDT"), Some(price));
}
