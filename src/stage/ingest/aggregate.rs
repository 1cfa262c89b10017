//! Aggregation: trades become bars.
//!
//! The order of the source does not matter: the trade with the least time, and of equal times the least number, opens the bar.
//! Prices are compared and quantities summed as exact decimals; a bar holds the floats nearest to them. An interval without a
//! trade has no bar. A bar that may lack trades is refused: at both ends of the source unless someone vouches for them, on
//! both sides of a hole in the trades' numbers, and where two rows disagree about one trade.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::quality::FileOrder;
use super::reason::Reason;
use super::trade_ids::TradeIds;
use crate::domain::{Bar, Interval, Money, Price, Qty, Rows, Side, Time, Trade};

/// A repeated trade is compared with the first one when that is at most so many trades back.
const COMPARED_TRADES: usize = 1 << 16;
/// Bars held until the end of a source: a year of minutes and some, in less than 200 MB.
pub const BARS_MAX: usize = 600_000;

/// What someone knows about a source of trades.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradeTerms {
    pub interval: Interval,
    /// Every trade from here on is in the source; unknown, the first bar is refused.
    pub complete_from: Option<Time>,
    /// Every trade up to here is in the source; unknown, the last bar is refused.
    pub complete_to: Option<Time>,
    /// The source holds whole UTC days, as a venue's archive does: complete from the day of its first trade to the end of the
    /// day of its last one.
    pub whole_days: bool,
    /// The venue numbers the trades of this symbol by one, so that a hole in the numbers is a hole in the trades.
    pub consecutive_ids: bool,
}

/// Trades cannot become bars.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AggregateError {
    #[error("the trades of the bar {0} are too large to be summed exactly")]
    TooLarge(Time),
    #[error("the trades make more than {BARS_MAX} bars of {0}")]
    TooManyBars(Interval),
    #[error("the numbers of the trades lie scattered and in no order")]
    Scattered,
}

impl AggregateError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::TooLarge(_) => "look at the trades of that bar: no venue has such amounts".to_owned(),
            Self::TooManyBars(_) | Self::Scattered => "split the file, by month for example, and import the pieces".to_owned(),
        }
    }
}

/// Figures of a source of trades.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TradeFigures {
    pub trades: u64,
    pub first: Option<Time>,
    pub last: Option<Time>,
    pub file_order: FileOrder,
    /// Trades before the trade that stands before them; none where the whole file descends.
    pub out_of_order: u64,
    /// Rows that repeat a trade; they count once.
    pub duplicates_same: u64,
    /// Rows that say otherwise about a trade, or repeat one too far back to be compared.
    pub duplicates_different: u64,
    /// Numbers absent between the first and the last; none where the venue does not number by one.
    pub missing_trades: u64,
}

/// A bar that may lack trades, or has doubtful ones.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedBar {
    pub bar: Bar,
    pub trades: u64,
    pub reason: Reason,
    pub detail: String,
}

/// What came of a source of trades.
#[derive(Debug, Clone, Default)]
pub struct Aggregated {
    /// Whole bars, ascending.
    pub rows: Rows,
    pub refused: Vec<RefusedBar>,
    pub figures: TradeFigures,
}

/// Gathers trades into bars.
#[derive(Debug)]
pub struct Aggregator {
    terms: TradeTerms,
    bars: BTreeMap<Time, Bucket>,
    doubtful: BTreeSet<Time>,
    ids: TradeIds,
    recent: Recent,
    figures: TradeFigures,
    before: Option<(Time, u64)>,
    forward: u64,
    backward: u64,
}

impl Aggregator {
    #[must_use]
    pub fn new(terms: TradeTerms) -> Self {
        Self {
            terms,
            bars: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            ids: TradeIds::default(),
            recent: Recent::default(),
            figures: TradeFigures::default(),
            before: None,
            forward: 0,
            backward: 0,
        }
    }

    /// # Errors
    /// When sums do not fit, or there is more than one import may hold.
    pub fn push(&mut self, trade: &Trade) -> Result<(), AggregateError> {
        self.note(trade);
        let open_time = self.open_time(trade.time);
        if !self.ids.insert(trade.id, trade.time) {
            self.compare(trade, open_time);
            return Ok(());
        }
        if self.ids.is_scattered() {
            return Err(AggregateError::Scattered);
        }
        self.recent.push(*trade);
        let bucket = self.bars.entry(open_time).or_insert_with(|| Bucket::new(trade));
        bucket.add(trade).ok_or(AggregateError::TooLarge(open_time))?;
        if self.bars.len() > BARS_MAX { Err(AggregateError::TooManyBars(self.terms.interval)) } else { Ok(()) }
    }

    /// Closes the bars.
    #[must_use]
    pub fn finish(mut self) -> Aggregated {
        let lacking = self.lacking();
        self.figures.file_order = match (self.forward, self.backward) {
            (_, 0) => FileOrder::Ascending,
            (0, _) => FileOrder::Descending,
            _ => FileOrder::Mixed,
        };
        self.figures.out_of_order = if self.figures.file_order == FileOrder::Mixed { self.backward } else { 0 };
        let span = self.terms.interval.span();
        let (whole_from, whole_to) = self.whole();
        let mut found = Aggregated { figures: self.figures, ..Aggregated::default() };
        for (open_time, bucket) in &self.bars {
            let close_time = *open_time + span;
            let is_edge = whole_from.is_some_and(|from| *open_time < from) || whole_to.is_some_and(|to| close_time > to);
            let fault = if self.doubtful.contains(open_time) {
                Some((Reason::Conflict, "rows disagree about one of its trades".to_owned()))
            } else if is_edge {
                Some((Reason::Partial, "nobody says that all its trades are in the file".to_owned()))
            } else {
                lacking
                    .get(open_time)
                    .map(|missing| (Reason::TradesMissing, format!("{missing} trades are missing in or beside it")))
            };
            match fault {
                None => bucket.push_to(*open_time, &mut found.rows),
                Some((reason, detail)) => {
                    let bar = bucket.bar(*open_time);
                    found.refused.push(RefusedBar { bar, trades: bucket.trades, reason, detail });
                }
            }
        }
        found
    }

    /// Between which times every trade is in the source.
    fn whole(&self) -> (Option<Time>, Option<Time>) {
        let day = |time: Time, days: i64| Time::start_of_day(time.utc_day() + days);
        let (first, last) = (self.bars.keys().next().copied(), self.bars.keys().next_back().copied());
        if self.terms.whole_days {
            return (first.map(|first| day(first, 0)), last.map(|last| day(last, 1)));
        }
        let from = self.terms.complete_from.or(first.map(|first| first + self.terms.interval.span()));
        (from, self.terms.complete_to.or(last))
    }

    fn open_time(&self, time: Time) -> Time {
        let span = self.terms.interval.span().micros();
        Time::from_micros(time.micros().div_euclid(span) * span)
    }

    fn note(&mut self, trade: &Trade) {
        let figures = &mut self.figures;
        figures.trades += 1;
        figures.first = Some(figures.first.map_or(trade.time, |first| first.min(trade.time)));
        figures.last = Some(figures.last.map_or(trade.time, |last| last.max(trade.time)));
        let at = (trade.time, trade.id);
        self.forward += u64::from(self.before.is_some_and(|before| at > before));
        self.backward += u64::from(self.before.is_some_and(|before| at < before));
        self.before = Some(at);
    }

    /// Holds a repeated trade against the first of its number.
    fn compare(&mut self, trade: &Trade, open_time: Time) {
        match self.recent.by_id.get(&trade.id) {
            Some(first) if first == trade => self.figures.duplicates_same += 1,
            first => {
                self.figures.duplicates_different += 1;
                let other = first.map(|first| first.time);
                self.doubtful.insert(open_time);
                if let Some(other) = other {
                    self.doubtful.insert(self.open_time(other));
                }
            }
        }
    }

    /// The bars that a hole in the numbers touches, with how many trades it swallowed.
    fn lacking(&mut self) -> BTreeMap<Time, u64> {
        let mut lacking = BTreeMap::new();
        if !self.terms.consecutive_ids {
            return lacking;
        }
        for hole in self.ids.holes() {
            self.figures.missing_trades += hole.missing;
            let (a, b) = (self.open_time(hole.after), self.open_time(hole.before));
            for (open_time, _) in self.bars.range(a.min(b)..=a.max(b)) {
                *lacking.entry(*open_time).or_insert(0) += hole.missing;
            }
        }
        lacking
    }
}

/// The last trades, by number.
#[derive(Debug, Default)]
struct Recent {
    by_id: BTreeMap<u64, Trade>,
    order: VecDeque<u64>,
}

impl Recent {
    fn push(&mut self, trade: Trade) {
        self.by_id.insert(trade.id, trade);
        self.order.push_back(trade.id);
        if self.order.len() > COMPARED_TRADES
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}

/// A bar that is being made. Sums count units of the last decimal of their type.
#[derive(Debug, Clone)]
struct Bucket {
    first: (Time, u64),
    last: (Time, u64),
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    volume: i128,
    quote_volume: i128,
    trades: u64,
    /// Bought by takers: quantity and money; none when a trade does not say.
    taken: Option<(i128, i128)>,
}

impl Bucket {
    fn new(trade: &Trade) -> Self {
        let (at, price) = ((trade.time, trade.id), trade.price);
        Self {
            first: at,
            last: at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            quote_volume: 0,
            trades: 0,
            taken: Some((0, 0)),
        }
    }

    /// None if a sum does not fit.
    fn add(&mut self, trade: &Trade) -> Option<()> {
        let at = (trade.time, trade.id);
        if at < self.first {
            (self.first, self.open) = (at, trade.price);
        }
        if at > self.last {
            (self.last, self.close) = (at, trade.price);
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        let (qty, quote) = (trade.qty.count(), trade.price.count().checked_mul(trade.qty.count())?);
        self.volume = self.volume.checked_add(qty)?;
        self.quote_volume = self.quote_volume.checked_add(quote)?;
        self.trades += 1;
        self.taken = match (self.taken, trade.taker) {
            (Some((volume, money)), Some(Side::Buy)) => Some((volume + qty, money + quote)),
            (taken, Some(Side::Sell)) => taken,
            _ => None,
        };
        Some(())
    }

    fn bar(&self, open_time: Time) -> Bar {
        Bar {
            open_time,
            open: nearest(&self.open),
            high: nearest(&self.high),
            low: nearest(&self.low),
            close: nearest(&self.close),
            volume: nearest(&Qty::from_count(self.volume)),
        }
    }

    fn push_to(&self, open_time: Time, rows: &mut Rows) {
        rows.bars.push(&self.bar(open_time));
        let extras = &mut rows.extras;
        extras.quote_volume.push(nearest(&Money::from_count(self.quote_volume)));
        extras.trades.push(i64::try_from(self.trades).unwrap_or(i64::MAX));
        let taken = self.taken.map(|(volume, money)| (Qty::from_count(volume), Money::from_count(money)));
        extras.taker_buy_volume.push(taken.map_or(f64::NAN, |(volume, _)| nearest(&volume)));
        extras.taker_buy_quote_volume.push(taken.map_or(f64::NAN, |(_, money)| nearest(&money)));
    }
}

/// The float nearest to a decimal, as a reader of its text would have it: dividing a count by its unit may round twice.
fn nearest(decimal: &impl ToString) -> f64 {
    decimal.to_string().parse().expect("a decimal's text is a number")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn trade(id: u64, millis: i64, price: &str, qty: &str, taker: Side) -> Trade {
        let (price, qty) = (price.parse().unwrap(), qty.parse().unwrap());
        Trade { id, time: Time::from_millis(millis), price, qty, taker: Some(taker) }
    }

    fn terms(minutes: i64) -> TradeTerms {
        TradeTerms {
            interval: "1m".parse().unwrap(),
            complete_from: Some(Time::from_millis(0)),
            complete_to: Some(Time::from_millis(minutes * MINUTE)),
            whole_days: false,
            consecutive_ids: true,
        }
    }

    fn aggregated(terms: TradeTerms, trades: &[Trade]) -> Aggregated {
        let mut aggregator = Aggregator::new(terms);
        trades.iter().for_each(|trade| aggregator.push(trade).unwrap());
        aggregator.finish()
    }

    fn three() -> [Trade; 3] {
        [
            trade(7, 10, "100.1", "0.1", Side::Buy),
            trade(8, 10, "100.3", "0.2", Side::Sell),
            trade(9, MINUTE - 1, "100.2", "0.3", Side::Buy),
        ]
    }

    #[test]
    fn a_bar_is_exact() {
        let found = aggregated(terms(1), &three());
        let bar = found.rows.bars.bar(0);
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (100.1, 100.3, 100.1, 100.2));
        // As floats the sum would be 0.6000000000000001.
        assert_eq!(bar.volume, 0.6);
        let extras = &found.rows.extras;
        assert_eq!((extras.trades[0], extras.taker_buy_volume[0]), (3, 0.4));
        assert_eq!((extras.quote_volume[0], extras.taker_buy_quote_volume[0]), (60.13, 40.07));
    }

    #[test]
    fn ends_that_nobody_vouches_for_are_refused() {
        let trades: Vec<Trade> = (0..5).map(|n| trade(n as u64, n * MINUTE, "1", "1", Side::Buy)).collect();
        let unknown = TradeTerms { complete_from: None, complete_to: None, ..terms(5) };
        let found = aggregated(unknown, &trades);
        assert_eq!(found.rows.bars.open_time, [1, 2, 3].map(|n| n * MINUTE * 1000));
        assert!(found.refused.iter().all(|bar| bar.reason == Reason::Partial) && found.refused.len() == 2);
        let early = TradeTerms { complete_to: Some(Time::from_millis(5 * MINUTE - 1)), ..terms(5) };
        assert_eq!(aggregated(early, &trades).rows.len(), 4);
        assert_eq!(aggregated(terms(5), &trades).rows.len(), 5);
        assert_eq!(aggregated(TradeTerms { whole_days: true, ..unknown }, &trades).rows.len(), 5);
    }

    #[test]
    fn a_hole_in_the_numbers_refuses_both_its_sides() {
        let ids = [(0, 0), (1, 1), (5, 3), (6, 4)];
        let trades: Vec<Trade> = ids.iter().map(|(id, minute)| trade(*id, minute * MINUTE, "1", "1", Side::Buy)).collect();
        let found = aggregated(terms(5), &trades);
        assert_eq!(found.rows.bars.open_time, [0, 4].map(|n| n * MINUTE * 1000));
        assert_eq!((found.figures.missing_trades, found.refused[0].reason), (3, Reason::TradesMissing));
        let sparse = TradeTerms { consecutive_ids: false, ..terms(5) };
        assert_eq!(aggregated(sparse, &trades).rows.len(), 4, "minute 2 has no trade and is not invented");
    }

    #[test]
    fn a_repeated_trade_counts_once_and_a_contradicted_one_not_at_all() {
        let [a, b, c] = three();
        let found = aggregated(terms(1), &[a, b, a, c, b]);
        assert_eq!((found.rows, found.figures.duplicates_same), (aggregated(terms(1), &three()).rows, 2));
        let found = aggregated(terms(1), &[a, b, c, trade(8, 10, "100.3", "0.25", Side::Sell)]);
        assert_eq!((found.rows.len(), found.figures.duplicates_different), (0, 1));
        assert_eq!(found.refused[0].reason, Reason::Conflict);
    }

    #[test]
    fn sums_that_do_not_fit_are_an_error() {
        let mut aggregator = Aggregator::new(terms(1));
        let huge = trade(1, 0, "99999999999999999999", "99999999999999999999", Side::Buy);
        assert_eq!(aggregator.push(&huge), Err(AggregateError::TooLarge(Time::default())));
    }

    proptest! {
        #[test]
        fn the_order_of_the_source_makes_no_difference(
            mut trades in proptest::collection::vec((0_i64..5 * MINUTE, 1_i128..1000, 1_i128..1000), 1..60).prop_map(|rows| {
                let mut times: Vec<_> = rows.iter().map(|row| row.0).collect();
                times.sort_unstable();
                times.iter().zip(&rows).enumerate().map(|(id, (time, (_, price, qty)))| Trade {
                    id: id as u64,
                    time: Time::from_millis(*time),
                    price: Price::from_count(*price),
                    qty: Qty::from_count(*qty),
                    taker: Some(Side::Buy),
                }).collect::<Vec<_>>()
            }),
            swaps in proptest::collection::vec((0_usize..60, 0_usize..60), 0..60),
        ) {
            let wanted = aggregated(terms(5), &trades);
            let len = trades.len();
            swaps.iter().for_each(|(a, b)| trades.swap(a % len, b % len));
            let found = aggregated(terms(5), &trades);
            prop_assert_eq!(&found.rows, &wanted.rows);
            let volume: i128 = trades.iter().map(|trade| trade.qty.count()).sum();
            let sum: f64 = found.rows.bars.volume.iter().map(|volume| (volume * 1e8).round()).sum();
            prop_assert_eq!(sum as i128, volume);
        }
    }
}
