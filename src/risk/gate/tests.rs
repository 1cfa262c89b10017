use proptest::prelude::*;

use super::*;
use crate::domain::{Bps, ClientOrderId, Fraction, OrderKind, SymbolIndex, TimeInForce};
use crate::risk::halt::HaltCause;
use crate::risk::testing::{limits, rules};

const TWO_HOURS: Span = Span::from_secs(7200);

fn money(text: &str) -> Money {
    text.parse().unwrap()
}
fn price(text: &str) -> Price {
    text.parse().unwrap()
}
fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}
fn now() -> Time {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTC/USDT".parse().unwrap(),
        price_tick: price("0.01"),
        qty_step: qty("0.00001"),
        min_notional: money("5"),
    }
}

/// An account at rest: 1000 in cash, nothing open, fresh and whole data.
fn view(instrument: &Instrument) -> View<'_> {
    View {
        now: now(),
        state: TradingState::Active,
        halt: None,
        instrument,
        symbol_allowed: true,
        data_until: now(),
        max_bar_age: TWO_HOURS,
        bars_since_gap: 100,
        model_window: 26,
        unknown_orders: 0,
        reconciled: true,
        last_same_order: None,
        repeated_orders: 0,
        previous_close: Some(price("50000")),
        bar_volume: qty("1000"),
        position: Qty::ZERO,
        open_sells: Qty::ZERO,
        cash: money("1000"),
        open_buys: Money::ZERO,
        symbol_exposure: Money::ZERO,
        total_exposure: Money::ZERO,
        turnover_today: Money::ZERO,
        open_orders: 0,
        orders_last_minute: 0,
        orders_today: 0,
        fee: Bps(10),
        venue_rule: None,
    }
}

fn buy(notional: &str) -> OrderIntent {
    OrderIntent {
        id: ClientOrderId { scope: 1, bar: now(), sequence: 0 },
        symbol: SymbolIndex(0),
        side: Side::Buy,
        kind: OrderKind::Market,
        size: Size::Quote(money(notional)),
        purpose: Purpose::Signal,
        decided_at: now(),
        reference: price("50000"),
    }
}

fn sell(amount: &str) -> OrderIntent {
    OrderIntent { side: Side::Sell, size: Size::Base(qty(amount)), ..buy("50") }
}

fn gate() -> Gate {
    Gate::new(limits(), rules())
}

fn codes(intent: OrderIntent, view: &View<'_>) -> Vec<&'static str> {
    gate().check(intent, view).err().map(|r| r.iter().map(Refusal::code).collect()).unwrap_or_default()
}

/// One check at its limit and one unit beyond; everything else passes.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a table of cases reads better without borrows")]
fn boundary(code: &str, at: (OrderIntent, View<'_>), beyond: (OrderIntent, View<'_>)) {
    assert_eq!(codes(at.0, &at.1), [""; 0], "{code} at its limit");
    assert_eq!(codes(beyond.0, &beyond.1), [code], "{code} beyond its limit");
}

#[test]
fn sizes_pass_at_the_limit_and_not_one_unit_above() {
    let i = instrument();
    let v = || view(&i);
    boundary("max-notional-per-order", (buy("50"), v()), (buy("50.000000000000000001"), v()));
    let at = |exposure| View { symbol_exposure: money(exposure), total_exposure: money(exposure), ..v() };
    boundary("max-position-notional", (buy("50"), at("50")), (buy("50"), at("50.000000000000000001")));
    let at = |exposure| View { total_exposure: money(exposure), ..v() };
    boundary("max-total-notional", (buy("50"), at("150")), (buy("50"), at("150.000000000000000001")));
    let at = |turnover| View { turnover_today: money(turnover), ..v() };
    boundary("max-daily-turnover", (buy("50"), at("950")), (buy("50"), at("950.000000000000000001")));
    boundary("min-notional", (buy("5"), v()), (buy("4.999999999999999999"), v()));
    let at = |volume| View { bar_volume: qty(volume), ..v() };
    boundary("max-participation", (buy("50"), at("0.1")), (buy("50"), at("0.09999999")));
    // 50 and the fee of 10 bps on it.
    let at = |open_buys| View { open_buys: money(open_buys), ..v() };
    boundary("insufficient-balance", (buy("50"), at("949.95")), (buy("50"), at("949.950000000000000001")));
    let at = |cash| View { cash: money(cash), ..v() };
    boundary("insufficient-balance", (buy("50"), at("50.05")), (buy("50"), at("50.049999999999999999")));
}

#[test]
fn counts_and_times_pass_at_the_limit_and_not_beyond() {
    let i = instrument();
    let v = || view(&i);
    boundary("max-open-orders", (buy("50"), View { open_orders: 3, ..v() }), (buy("50"), View { open_orders: 4, ..v() }));
    let at = |n| View { orders_last_minute: n, ..v() };
    boundary("max-orders-per-minute", (buy("50"), at(9)), (buy("50"), at(10)));
    let at = |n| View { orders_today: n, ..v() };
    boundary("max-orders-per-day", (buy("50"), at(199)), (buy("50"), at(200)));
    let at = |n| View { repeated_orders: n, ..v() };
    boundary("repeated-orders", (buy("50"), at(4)), (buy("50"), at(5)));
    let at = |age| View { data_until: now() - age, ..v() };
    boundary("stale-data", (buy("50"), at(TWO_HOURS)), (buy("50"), at(Span::from_micros(TWO_HOURS.micros() + 1))));
    let at = |n| View { bars_since_gap: n, ..v() };
    boundary("data-gap", (buy("50"), at(26)), (buy("50"), at(25)));
    let at = |since| View { last_same_order: Some(now() - since), ..v() };
    boundary("duplicate-intent", (buy("50"), at(Span::from_secs(2))), (buy("50"), at(Span::from_millis(1999))));
}

#[test]
fn prices_pass_at_the_collar_and_not_beyond() {
    let i = instrument();
    let limit = |p: &str| OrderIntent {
        kind: OrderKind::Limit { price: price(p), expires_at: Time::MAX, tif: TimeInForce::Gtc },
        size: Size::Base(qty("0.0009")),
        ..buy("50")
    };
    boundary("price-collar", (limit("49500"), view(&i)), (limit("49499.99"), view(&i)));
    let at = |before: &str| View { previous_close: Some(price(before)), ..view(&i) };
    // 10 % of the close before; the reference is 50,000.
    boundary("reference-moved", (buy("50"), at("45454.5454545455")), (buy("50"), at("45454.54")));
    assert_eq!(codes(limit("49999.995"), &view(&i)), ["lot-or-tick"]);
    let dead = OrderIntent { reference: Price::ZERO, ..buy("50") };
    assert!(codes(dead, &view(&i)).contains(&"price-collar"), "a reference of zero is no reference");
}

#[test]
fn states_of_the_account_refuse() {
    let i = instrument();
    let v = || view(&i);
    let code = |view| codes(buy("50"), &view);
    assert_eq!(code(View { symbol_allowed: false, ..v() }), ["symbol-not-allowed"]);
    assert_eq!(code(View { unknown_orders: 1, ..v() }), ["unknown-order-open"]);
    assert_eq!(code(View { reconciled: false, ..v() }), ["not-reconciled"]);
    assert_eq!(code(View { state: TradingState::Reducing, ..v() }), ["paused"]);
    let halt = Halt { cause: HaltCause::DrawdownDaily, at: now(), cancels_only: false };
    assert_eq!(code(View { state: TradingState::Halted, halt: Some(&halt), ..v() }), ["halted"]);
}

/// C16, C20: what the venue would refuse is denied; an exit goes to the venue, whose own word counts.
#[test]
fn a_rule_of_the_venue_denies_and_names_itself() {
    let i = instrument();
    let [rule, found, allowed] = ["MARKET_LOT_SIZE", "0.001", "up to 0.0005"].map(crate::domain::Brief::of);
    let view = View { venue_rule: Some(Refusal::VenueRule { rule, found, allowed }), position: qty("1"), ..view(&i) };
    let refusals = gate().check(buy("50"), &view).unwrap_err();
    assert_eq!(refusals.headline().to_string(), "venue-rule: MARKET_LOT_SIZE 0.001, allowed up to 0.0005");
    let exit = OrderIntent { side: Side::Sell, size: Size::Base(qty("1")), ..buy("50") };
    assert_eq!(codes(exit, &view), [""; 0], "RISK-4");
}

/// RISK-5.
#[test]
fn all_refusals_are_given_and_the_first_is_the_headline() {
    let i = instrument();
    let halt = Halt { cause: HaltCause::Operator, at: now(), cancels_only: false };
    let view = View { state: TradingState::Halted, halt: Some(&halt), symbol_allowed: false, cash: Money::ZERO, ..view(&i) };
    let refusals = gate().check(buy("60"), &view).unwrap_err();
    assert_eq!(refusals.headline().code(), "halted");
    let all: Vec<_> = refusals.iter().map(Refusal::code).collect();
    assert_eq!(all, ["halted", "insufficient-balance", "symbol-not-allowed", "max-notional-per-order"]);
}

#[test]
fn an_exit_passes_every_size_check_but_not_a_halt_that_allows_cancels_alone() {
    let i = instrument();
    let worst = View {
        state: TradingState::Halted,
        halt: Some(&Halt { cause: HaltCause::DrawdownDaily, at: now(), cancels_only: false }),
        position: qty("1"),
        symbol_allowed: false,
        data_until: Time::MIN + Span::from_days(200_000),
        bars_since_gap: 0,
        bar_volume: Qty::ZERO,
        previous_close: Some(price("1")),
        turnover_today: money("100000"),
        symbol_exposure: money("50000"),
        total_exposure: money("50000"),
        open_orders: 99,
        orders_last_minute: 99,
        orders_today: 999,
        repeated_orders: 99,
        cash: Money::ZERO,
        ..view(&i)
    };
    assert_eq!(codes(sell("1"), &worst), [""; 0]);
    let killed = Halt { cause: HaltCause::Operator, at: now(), cancels_only: true };
    let view = View { halt: Some(&killed), ..worst };
    assert_eq!(codes(sell("1"), &view), ["halted"]);
    let rollback = OrderIntent { purpose: Purpose::Rollback, ..sell("1") };
    assert_eq!(codes(rollback, &view), [""; 0]);
}

#[test]
fn nothing_is_sold_that_is_not_held() {
    let i = instrument();
    let view = View { position: qty("1"), open_sells: qty("0.5"), ..view(&i) };
    assert_eq!(codes(sell("0.5"), &view), [""; 0]);
    assert!(codes(sell("0.50001"), &view).contains(&"insufficient-balance"));
    assert_eq!(codes(sell("0.000005"), &view), ["lot-or-tick"]);
}

/// Money from nothing to a little above `whole`: half of the cases lie beyond a limit of four fifths of it.
fn up_to(whole: i128) -> impl Strategy<Value = Money> {
    (0..whole * 10_i128.pow(18)).prop_map(Money::from_count)
}

proptest! {
    /// RISK-2: whatever the account looks like, an approved buy leaves every limit satisfied.
    #[test]
    fn an_approved_order_never_breaks_a_limit(
        amount in up_to(60), exposure in up_to(60), others in up_to(120), turnover in up_to(1050), cash in up_to(300),
        open in 0_u32..5, minute in 0_u32..11, today in 0_u32..210, volume in 0_i128..4 * 10_i128.pow(7),
        limit_price in 494_000_000_000_000_i128..506_000_000_000_000, is_limit: bool, base in 0_i128..120_000,
    ) {
        let i = Instrument { price_tick: Price::ZERO, qty_step: Qty::ZERO, ..instrument() };
        let kind = if is_limit { OrderKind::Limit { price: Price::from_count(limit_price), expires_at: Time::MAX, tif: TimeInForce::Gtc } } else { OrderKind::Market };
        let size = if is_limit { Size::Base(Qty::from_count(base)) } else { Size::Quote(amount) };
        let intent = OrderIntent { kind, size, ..buy("1") };
        let view = View {
            symbol_exposure: exposure, total_exposure: exposure + others, turnover_today: turnover, cash,
            open_orders: open, orders_last_minute: minute, orders_today: today, bar_volume: Qty::from_count(volume), ..view(&i)
        };
        if gate().check(intent, &view).is_ok() {
            let (l, notional) = (limits(), intent.notional());
            prop_assert!(notional.is_positive() && notional <= l.max_notional_per_order);
            prop_assert!(view.symbol_exposure + notional <= l.max_position_notional);
            prop_assert!(view.total_exposure + notional <= l.max_total_notional);
            prop_assert!(view.turnover_today + notional <= l.max_daily_turnover);
            prop_assert!(notional <= view.cash);
            prop_assert!(open < l.max_open_orders && minute < l.max_orders_per_minute && today < l.max_orders_per_day);
            let share = intent.quantity().to_f64() / view.bar_volume.to_f64();
            prop_assert!(share <= 0.01 + 1e-9);
            if let Some(price) = kind.limit_price() {
                prop_assert!((price.to_f64() / 50_000.0 - 1.0).abs() <= l.price_collar.to_f64() + 1e-9);
            }
        }
    }

    /// RISK-3 and RISK-4: halted or paused, only what shrinks the position passes.
    #[test]
    fn a_stop_lets_only_reductions_pass(held in 1_i128..10_i128.pow(10), sold in 1_i128..10_i128.pow(10), is_buy: bool, halted: bool) {
        let i = Instrument { qty_step: Qty::ZERO, ..instrument() };
        let halt = Halt { cause: HaltCause::DrawdownWeekly, at: now(), cancels_only: false };
        let state = if halted { TradingState::Halted } else { TradingState::Reducing };
        let view = View { state, halt: halted.then_some(&halt), position: Qty::from_count(held), ..view(&i) };
        let intent = if is_buy { buy("50") } else { OrderIntent { size: Size::Base(Qty::from_count(sold)), ..sell("1") } };
        prop_assert_eq!(gate().check(intent, &view).is_ok(), !is_buy && sold <= held);
    }

    /// Rounding never grows an order.
    #[test]
    fn slices_and_steps_never_grow(count in 0_i128..10_i128.pow(14), parts in 1_usize..40, step in 0_i128..10_i128.pow(6)) {
        let (whole, step) = (Qty::from_count(count), Qty::from_count(step));
        prop_assert!(whole.truncate_to(step) <= whole);
        prop_assert_eq!(whole.split(parts, step).into_iter().sum::<Qty>(), whole);
        prop_assert!(whole.fraction_floor(Fraction::from_f64(0.01).unwrap()).count() * 100 <= whole.count());
    }
}
