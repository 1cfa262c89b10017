//! The account as we know it: cash, holdings, open orders and what was sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Bar, Fill, Interval, Money, OrderIntent, OrderState, Price, Purpose, Qty, Side, SymbolIndex, Time};

/// A minute, for the order rate.
const MINUTE_MICROS: i64 = 60_000_000;

/// One symbol: what is held and what its bars have shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Holding {
    pub position: Qty,
    /// The position at the last close.
    pub value: Money,
    pub last_open_time: Option<Time>,
    pub close: Option<f64>,
    pub previous_close: Option<f64>,
    /// Volume of the last closed bar.
    pub volume: f64,
    /// Bars since a hole; counts from the first bar, whose past is no hole.
    pub bars_since_gap: u32,
    pub entry: Option<Entry>,
    /// An exit that is not finished: it is sent again at each close until nothing is left.
    pub exiting: Option<Purpose>,
    pub last_buy: Option<Time>,
    pub last_sell: Option<Time>,
    /// Orders of one side in a row.
    pub in_a_row: Option<(Side, u32)>,
    /// What is left is too small to sell: it counts as flat for the next entry.
    pub dust: bool,
    /// Headline of the last denial, while nothing else happened.
    pub denied: Option<String>,
}

/// What the position cost, and how far the market moved at the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub notional: Money,
    pub qty: Qty,
    pub atr: Option<f64>,
}

impl Entry {
    pub fn price(&self) -> f64 {
        self.notional.to_f64() / self.qty.to_f64()
    }
}

/// What is held of one symbol, for whoever only looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    pub position: Qty,
    /// At the last close.
    pub value: Money,
    pub close: Option<f64>,
    /// Open time of the last bar.
    pub seen_at: Option<Time>,
    /// What was paid on average.
    pub entry: Option<f64>,
    /// Why it is being closed, while it is.
    pub exiting: Option<Purpose>,
    /// Too small to sell.
    pub is_dust: bool,
}

impl Holding {
    pub fn held(&self) -> Held {
        let Self { position, value, close, last_open_time, entry, exiting, dust, .. } = self;
        let entry = entry.map(|entry| entry.price());
        let (position, value, close, seen_at) = (*position, *value, *close, *last_open_time);
        Held { position, value, close, seen_at, entry, exiting: *exiting, is_dust: *dust }
    }
}

/// An order that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenOrder {
    pub intent: OrderIntent,
    pub state: OrderState,
    pub filled: Qty,
    pub filled_notional: Money,
    pub fees: Money,
    /// ATR at the decision, for the entry's stops.
    pub atr: Option<f64>,
}

impl OpenOrder {
    /// The quantity a sell still claims.
    fn claims(&self) -> Qty {
        if self.intent.side == Side::Sell { self.intent.quantity() - self.filled } else { Qty::ZERO }
    }

    /// The cash a buy may still take, fees apart: what it was worth at its limit or reference, less what is filled.
    fn takes(&self) -> Money {
        if self.intent.side == Side::Buy { (self.intent.notional() - self.filled_notional).max(Money::ZERO) } else { Money::ZERO }
    }
}

/// Figures over the life of the account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub orders: u64,
    pub fills: u64,
    pub rejected: u64,
    pub expired: u64,
    pub canceled: u64,
    /// Approved and never sent, or proven never to have reached the venue.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub abandoned: u64,
    /// Denials by every code that refused.
    pub refusals: BTreeMap<String, u64>,
    pub denied: u64,
    pub fees: Money,
    /// Notional of all fills.
    pub turnover: Money,
    /// The greatest value of all positions at a close.
    pub exposure_peak: Money,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none_yet(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    pub cash: Money,
    /// Sum of the holdings' values.
    pub value: Money,
    pub holdings: Vec<Holding>,
    pub open: Vec<OpenOrder>,
    /// The UTC day that the daily counters count.
    day: i64,
    filled_today: Money,
    orders_today: u32,
    /// When the orders of the last minute were sent, oldest first.
    sent: Vec<Time>,
    pub tally: Tally,
}

impl Book {
    pub fn new(cash: Money, symbols: usize) -> Self {
        Self {
            cash,
            value: Money::ZERO,
            holdings: vec![Holding::default(); symbols],
            open: Vec::new(),
            day: i64::MIN,
            filled_today: Money::ZERO,
            orders_today: 0,
            sent: Vec::new(),
            tally: Tally::default(),
        }
    }

    #[inline]
    pub fn equity(&self) -> Money {
        self.cash + self.value
    }

    pub fn holding(&self, symbol: SymbolIndex) -> &Holding {
        &self.holdings[symbol.at()]
    }

    pub fn holding_mut(&mut self, symbol: SymbolIndex) -> &mut Holding {
        &mut self.holdings[symbol.at()]
    }

    /// Takes a closed bar into the symbol's holding. Gives how many bars are missing before it.
    #[inline]
    pub fn observe(&mut self, symbol: SymbolIndex, bar: &Bar, interval: Interval) -> u32 {
        let holding = &mut self.holdings[symbol.at()];
        let mut missing = 0;
        if let Some(last) = holding.last_open_time {
            let ahead = (bar.open_time - last).micros();
            if ahead > interval.span().micros() {
                missing = u32::try_from((ahead - 1) / interval.span().micros()).unwrap_or(u32::MAX);
                holding.bars_since_gap = 0;
            }
        } else {
            holding.bars_since_gap = u32::MAX;
        }
        holding.bars_since_gap = holding.bars_since_gap.saturating_add(1);
        holding.last_open_time = Some(bar.open_time);
        holding.previous_close = holding.close;
        holding.close = Some(bar.close);
        holding.volume = bar.volume;
        if !holding.position.is_zero() {
            let close = Price::from_f64(bar.close).unwrap_or_default();
            let value = close.notional(holding.position);
            self.value += value - holding.value;
            holding.value = value;
        }
        missing
    }

    /// Takes a fill: cash, position, entry, day's turnover.
    pub fn apply(&mut self, fill: &Fill, atr: Option<f64>) {
        self.cash += fill.cash_change();
        let notional = fill.notional();
        let holding = &mut self.holdings[fill.symbol.at()];
        holding.position += fill.position_change();
        holding.dust = false;
        let at_fill = fill.price.notional(holding.position);
        self.value += at_fill - holding.value;
        holding.value = at_fill;
        match (fill.side, &mut holding.entry) {
            (Side::Buy, Some(entry)) => {
                entry.notional += notional;
                entry.qty += fill.qty;
            }
            (Side::Buy, entry @ None) => *entry = Some(Entry { notional, qty: fill.qty, atr }),
            (Side::Sell, _) => {}
        }
        if holding.position.is_zero() {
            holding.entry = None;
            holding.exiting = None;
        }
        self.roll(fill.at);
        self.filled_today += notional;
        self.tally.fills += 1;
        self.tally.fees += fill.fee;
        self.tally.turnover += notional;
    }

    /// Counts an order as sent, at once, whatever becomes of it.
    pub fn count_order(&mut self, intent: &OrderIntent) {
        let at = intent.decided_at;
        self.roll(at);
        self.orders_today += 1;
        self.tally.orders += 1;
        self.sent.retain(|&sent| (at - sent).micros() < MINUTE_MICROS);
        self.sent.push(at);
        let holding = &mut self.holdings[intent.symbol.at()];
        holding.denied = None;
        match intent.side {
            Side::Buy => holding.last_buy = Some(at),
            Side::Sell => holding.last_sell = Some(at),
        }
        holding.in_a_row = match holding.in_a_row {
            Some((side, count)) if side == intent.side => Some((side, count + 1)),
            _ => Some((intent.side, 1)),
        };
    }

    /// Starts the daily counters anew when `at` lies in a later UTC day.
    fn roll(&mut self, at: Time) {
        if at.utc_day() > self.day {
            self.day = at.utc_day();
            self.filled_today = Money::ZERO;
            self.orders_today = 0;
        }
    }

    pub fn orders_today(&self, now: Time) -> u32 {
        if now.utc_day() > self.day { 0 } else { self.orders_today }
    }

    pub fn orders_last_minute(&self, now: Time) -> u32 {
        let recent = self.sent.iter().filter(|&&sent| (now - sent).micros() < MINUTE_MICROS).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// Filled today plus what is open: what the day's turnover would be at worst.
    pub fn turnover_today(&self, now: Time) -> Money {
        let filled = if now.utc_day() > self.day { Money::ZERO } else { self.filled_today };
        filled + self.open.iter().map(|order| (order.intent.notional() - order.filled_notional).max(Money::ZERO)).sum()
    }

    /// Cash that open buys may take, over all symbols or of one.
    pub fn open_buys(&self, symbol: Option<SymbolIndex>) -> Money {
        self.open.iter().filter(|order| symbol.is_none_or(|s| s == order.intent.symbol)).map(OpenOrder::takes).sum()
    }

    /// Quantity that open sells of a symbol claim.
    pub fn open_sells(&self, symbol: SymbolIndex) -> Qty {
        self.open.iter().filter(|order| order.intent.symbol == symbol).map(OpenOrder::claims).sum()
    }

    pub fn unknown_orders(&self, symbol: SymbolIndex) -> u32 {
        let unknown = |order: &&OpenOrder| order.intent.symbol == symbol && order.state == OrderState::Unknown;
        u32::try_from(self.open.iter().filter(unknown).count()).unwrap_or(u32::MAX)
    }

    /// Is a buy of the symbol open?
    pub fn is_buying(&self, symbol: SymbolIndex) -> bool {
        self.open.iter().any(|order| order.intent.symbol == symbol && order.intent.side == Side::Buy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClientOrderId, FeeIn, Liquidity, OrderKind, Size, Span};

    const BTC: SymbolIndex = SymbolIndex(0);
    const ETH: SymbolIndex = SymbolIndex(1);
    const HOUR: Span = Span::from_secs(3600);

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }
    fn book() -> Book {
        Book::new(money("1000"), 2)
    }
    fn qty(text: &str) -> Qty {
        text.parse().unwrap()
    }
    fn noon() -> Time {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }
    fn bar(open_time: Time, close: f64) -> Bar {
        Bar { open_time, open: close, high: close, low: close, close, volume: 7.0 }
    }

    /// An order for `size` units at 100.
    fn intent(symbol: SymbolIndex, side: Side, size: &str, decided_at: Time) -> OrderIntent {
        OrderIntent {
            id: ClientOrderId { scope: 1, bar: decided_at, sequence: 0 },
            symbol,
            side,
            kind: OrderKind::Market,
            size: Size::Base(qty(size)),
            purpose: Purpose::Signal,
            decided_at,
            reference: "100".parse().unwrap(),
        }
    }

    fn open(symbol: SymbolIndex, side: Side, size: &str, filled: &str, state: OrderState) -> OpenOrder {
        let (intent, filled) = (intent(symbol, side, size, noon()), qty(filled));
        let filled_notional = intent.reference.notional(filled);
        OpenOrder { intent, state, filled, filled_notional, fees: Money::ZERO, atr: None }
    }

    fn fill(side: Side, size: &str, price: &str, at: Time) -> Fill {
        Fill {
            order: ClientOrderId { scope: 1, bar: at, sequence: 0 },
            symbol: BTC,
            side,
            purpose: Purpose::Signal,
            at,
            price: price.parse().unwrap(),
            qty: qty(size),
            fee: money("0.1"),
            fee_in: FeeIn::Quote,
            liquidity: Liquidity::Taker,
            reference: price.parse().unwrap(),
        }
    }

    #[test]
    fn holes_are_counted_in_bars() {
        let mut book = book();
        let hours = |count: i64| Span::from_micros(HOUR.micros() * count);
        let mut observe = |after: i64| {
            let missing = book.observe(BTC, &bar(noon() + hours(after), 100.0), "1h".parse().unwrap());
            (missing, book.holding(BTC).bars_since_gap)
        };
        assert_eq!(observe(0), (0, u32::MAX), "what lies before the first bar is no hole");
        assert_eq!(observe(1), (0, u32::MAX));
        assert_eq!(observe(4), (2, 1));
        assert_eq!(observe(5), (0, 2));
        assert_eq!(observe(7), (1, 1));
    }

    /// OMS-5.
    #[test]
    fn equity_is_cash_and_what_is_held_at_the_last_close() {
        let mut book = book();
        book.apply(&fill(Side::Buy, "2", "100", noon()), None);
        assert_eq!((book.cash, book.value, book.equity()), (money("799.9"), money("200"), money("999.9")));
        book.observe(BTC, &bar(noon(), 110.0), "1h".parse().unwrap());
        assert_eq!((book.value, book.equity()), (money("220"), money("1019.9")));
        book.observe(ETH, &bar(noon(), 50.0), "1h".parse().unwrap());
        assert_eq!(book.value, money("220"), "nothing is held of the other symbol");
        book.apply(&fill(Side::Sell, "0.5", "120", noon()), None);
        assert_eq!((book.cash, book.value), (money("859.8"), money("180")));
        book.observe(BTC, &bar(noon() + HOUR, 100.0), "1h".parse().unwrap());
        assert_eq!(book.value, money("150"));
        let holding = book.holding(BTC);
        assert_eq!((holding.close, holding.previous_close, holding.volume), (Some(100.0), Some(110.0), 7.0));
        assert_eq!(book.tally.turnover, money("260"));
        assert_eq!((book.tally.fills, book.tally.fees), (2, money("0.2")));
    }

    #[test]
    fn an_entry_is_the_average_of_its_buys_and_ends_with_the_position() {
        let mut book = book();
        book.apply(&fill(Side::Buy, "1", "100", noon()), Some(3.0));
        book.apply(&fill(Side::Buy, "3", "120", noon()), Some(4.0));
        book.apply(&fill(Side::Sell, "1", "150", noon()), None);
        let held = book.holding(BTC).held();
        assert_eq!((held.position, held.value, held.entry), (qty("3"), money("450"), Some(115.0)));
        assert_eq!(book.holding(BTC).entry.unwrap().atr, Some(3.0), "stops measure from the first buy");
        book.holding_mut(BTC).exiting = Some(Purpose::StopLoss);
        assert_eq!(book.holding(BTC).held().exiting, Some(Purpose::StopLoss));
        book.apply(&fill(Side::Sell, "3", "150", noon()), None);
        let held = book.holding(BTC).held();
        assert_eq!((held.position, held.entry, held.exiting), (Qty::ZERO, None, None));
    }

    #[test]
    fn an_open_order_counts_for_what_is_left_of_it() {
        let mut book = book();
        book.open.push(open(BTC, Side::Buy, "1", "0.25", OrderState::PartiallyFilled));
        book.open.push(open(ETH, Side::Buy, "2", "0", OrderState::Accepted));
        book.open.push(open(BTC, Side::Sell, "3", "1", OrderState::PartiallyFilled));
        assert_eq!((book.open_buys(None), book.open_buys(Some(BTC))), (money("275"), money("75")));
        assert_eq!((book.open_sells(BTC), book.open_sells(ETH)), (qty("2"), Qty::ZERO));
        assert_eq!(book.turnover_today(noon()), money("475"));
        // Filled above the price it was counted with.
        book.open[1].filled_notional = money("201");
        assert_eq!((book.open_buys(Some(ETH)), book.turnover_today(noon())), (Money::ZERO, money("275")));
    }

    #[test]
    fn what_is_unknown_or_being_bought_is_of_one_symbol() {
        let mut book = book();
        book.open.push(open(BTC, Side::Buy, "1", "0", OrderState::Unknown));
        book.open.push(open(BTC, Side::Sell, "1", "0", OrderState::Unknown));
        book.open.push(open(BTC, Side::Sell, "1", "0", OrderState::Accepted));
        book.open.push(open(ETH, Side::Sell, "1", "0", OrderState::Accepted));
        assert_eq!((book.unknown_orders(BTC), book.unknown_orders(ETH)), (2, 0));
        assert_eq!((book.is_buying(BTC), book.is_buying(ETH)), (true, false));
    }

    #[test]
    fn orders_are_counted_by_the_minute_and_what_is_older_is_forgotten() {
        let mut book = book();
        let after = |millis| noon() + Span::from_millis(millis);
        book.count_order(&intent(BTC, Side::Buy, "1", noon()));
        book.count_order(&intent(BTC, Side::Buy, "1", after(59_999)));
        assert_eq!([0, 59_999, 60_000, 119_999].map(|millis| book.orders_last_minute(after(millis))), [2, 2, 1, 0]);
        book.count_order(&intent(BTC, Side::Buy, "1", after(60_000)));
        assert_eq!(book.sent, [after(59_999), after(60_000)]);
        assert_eq!((book.tally.orders, book.orders_today(noon())), (3, 3));
    }

    #[test]
    fn orders_in_a_row_are_those_of_one_side() {
        let mut book = book();
        let mut count = |symbol, side| {
            book.holding_mut(symbol).denied = Some("halted".to_owned());
            book.count_order(&intent(symbol, side, "1", noon()));
            let Holding { in_a_row, last_buy, last_sell, denied, .. } = book.holding(symbol).clone();
            assert_eq!(denied, None, "something happened since");
            (in_a_row.unwrap().1, last_buy.is_some(), last_sell.is_some())
        };
        assert_eq!(count(BTC, Side::Buy), (1, true, false));
        assert_eq!(count(BTC, Side::Buy), (2, true, false));
        assert_eq!(count(ETH, Side::Sell), (1, false, true));
        assert_eq!(count(BTC, Side::Buy), (3, true, false));
        assert_eq!(count(BTC, Side::Sell), (1, true, true));
        assert_eq!(count(BTC, Side::Sell), (2, true, true));
    }

    #[test]
    fn a_day_counts_for_itself() {
        let mut book = book();
        let late: Time = "2026-03-02T23:59:59.999Z".parse().unwrap();
        let midnight = late + Span::from_millis(1);
        book.count_order(&intent(BTC, Side::Buy, "1", late));
        book.apply(&fill(Side::Buy, "1", "100", late), None);
        assert_eq!((book.orders_today(late), book.turnover_today(late)), (1, money("100")));
        assert_eq!((book.orders_today(midnight), book.turnover_today(midnight)), (0, Money::ZERO));
        book.apply(&fill(Side::Buy, "1", "120", midnight), None);
        assert_eq!((book.orders_today(midnight), book.turnover_today(midnight)), (0, money("120")));
        book.count_order(&intent(BTC, Side::Buy, "1", midnight));
        // What the venue tells late does not bring the day before back.
        book.apply(&fill(Side::Buy, "1", "100", late), None);
        assert_eq!((book.orders_today(midnight), book.turnover_today(midnight)), (1, money("220")));
    }

    #[test]
    fn a_count_of_no_abandoned_orders_is_not_written() {
        let tally = |abandoned| serde_json::to_value(Tally { abandoned, ..Tally::default() }).unwrap();
        assert!(tally(0).get("abandoned").is_none(), "snapshots of older programs have none");
        assert_eq!(tally(2)["abandoned"], 2);
        assert_eq!(serde_json::from_value::<Tally>(tally(0)).unwrap(), Tally::default());
    }
}
