//! A person's word to stop, at a random moment while orders are open; and what the venue's record says of it.

use tidegate::domain::{Bps, Purpose, Span, Time, TimeInForce};
use tidegate::stage::oms::config::OrderStyle;
use tidegate::venue::sim::log::{Endpoint, What};

use super::world::{Plan, Weather, World};

/// Orders rest so far from the market, so that some are open at most moments.
const RESTING: OrderStyle = OrderStyle::Limit { offset: Bps(25), expire_after: Span::from_secs(2400), tif: TimeInForce::Gtc };
/// Bars until a world without an order is given up.
const BARS_MAX: i64 = 48;
/// Closing everything has ended by then, or what is left has been named.
pub const FLAT_WITHIN: Span = Span::from_secs(15);
pub const CANCELED_WITHIN: Span = Span::from_secs(2);

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Orders that were open at the venue.
    pub open: usize,
    /// Until the last of them was asked to be withdrawn; `None`: one never was.
    pub canceled: Option<Span>,
    /// Where closing was asked for: until it ended, flat or with what is left named.
    pub closed: Option<Option<Span>>,
    /// The venue wanted no requests meanwhile.
    pub is_shut: bool,
    /// It misbehaved meanwhile, by its script.
    pub is_stormy: bool,
    /// What is left by then are orders that nobody knows the fate of, each named: their absence takes longer to prove.
    pub is_in_doubt: bool,
}

/// Lives to a moment with orders, kills, and judges by the record. `None`: this seed never had an order.
pub fn kill(seed: u64) -> Option<Kill> {
    let weather = if seed.is_multiple_of(3) { Weather::calm() } else { Weather::of(seed) };
    let style = if seed.is_multiple_of(5) { OrderStyle::Market } else { RESTING };
    let mut world = World::new(seed, Plan { style, ..Plan::new(weather) });
    if !world.run_to_orders(BARS_MAX) {
        return None;
    }
    let (at, mark) = (world.now, world.exchange.log().entries().len());
    let open: Vec<String> =
        world.exchange.orders().filter(|(_, _, _, status, _)| status.is_open()).map(|(_, id, ..)| id.to_owned()).collect();
    let was_shut = world.way.is_closed(at);
    let close = seed.is_multiple_of(2).then_some(Purpose::Rollback);
    world.kill(close, seed.is_multiple_of(7));
    world.pass(at + FLAT_WITHIN);
    let canceled = last_cancel(&world, mark, &open, at);
    let (is_shut, is_stormy) = trouble(&world, mark, at);
    let closed = close.map(|_| world.closed.as_ref().map(|(ended, _)| *ended - at));
    let left: Vec<bool> = world.live.router().state().open().map(|order| order.doubt.is_some()).collect();
    let is_in_doubt = !left.is_empty() && left.iter().all(|is_in_doubt| *is_in_doubt);
    world.settle();
    world.check();
    Some(Kill { open: open.len(), canceled, closed, is_shut: is_shut || was_shut, is_stormy, is_in_doubt })
}

/// Of the orders that were open, the latest first request to withdraw one; one that ended before needs none.
fn last_cancel(world: &World, mark: usize, open: &[String], at: Time) -> Option<Span> {
    let entries = &world.exchange.log().entries()[mark..];
    let orders: Vec<(u64, &str)> = entries_of(world, open);
    let of_one = |id: &String| {
        let number = orders.iter().find(|(_, name)| name == id).map(|(number, _)| *number);
        let is_its_end = |what: &What| match what {
            What::Request { endpoint: Endpoint::Cancel, client_id: Some(name), .. } => **name == **id,
            What::Ended { order, .. } => Some(*order) == number,
            _ => false,
        };
        entries.iter().find(|entry| is_its_end(&entry.what)).map(|entry| entry.at - at)
    };
    open.iter().map(of_one).try_fold(Span::ZERO, |last, span| span.map(|span| last.max(span)))
}

fn entries_of<'a>(world: &'a World, open: &[String]) -> Vec<(u64, &'a str)> {
    let named = |what: &'a What| match what {
        What::Order { order, client_id, .. } => Some((*order, &**client_id)),
        _ => None,
    };
    let all = world.exchange.log().entries().iter().filter_map(|entry| named(&entry.what));
    all.filter(|(_, name)| open.iter().any(|id| id == name)).collect()
}

/// Was the door shut since then, and did anything go wrong, a minute before or since?
fn trouble(world: &World, mark: usize, at: Time) -> (bool, bool) {
    let entries = world.exchange.log().entries();
    let is_shut = |what: &What| matches!(what, What::Request { status: 403 | 418 | 429, .. });
    let is_fault = |what: &What| matches!(what, What::Fault { .. });
    let near = entries.iter().filter(|entry| at - entry.at < Span::from_secs(60));
    (entries[mark..].iter().any(|entry| is_shut(&entry.what)), { near }.any(|entry| is_fault(&entry.what)))
}

/// The middle one and the last, of what is sorted.
pub fn middle_and_last(mut spans: Vec<Span>) -> (Span, Span) {
    spans.sort_unstable();
    (spans.get(spans.len() / 2).copied().unwrap_or_default(), spans.last().copied().unwrap_or_default())
}
