//! What the venue says: its clock, what the key may do, and whether it would take an order.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{Scene, Seen};
use crate::cli::Context;
use crate::cli::exit::Failure;
use crate::cli::live::{Connection, connect};
use crate::cli::work::Workplace;
use crate::domain::{
    Bps, ClientOrderId, Money, OrderIntent, OrderKind, Price, Projection, Purpose, Qty, Side, Size, Span, SymbolIndex, Time,
};
use crate::profile::{Mode, VenueKind};
use crate::risk::{TradingState, View};
use crate::venue::binance::{Client, KeyFault};
use crate::venue::wire::{Account, Answer, Failure as VenueFailure, Request};

/// Characters of an account's name that a person types.
const SUFFIX: usize = 4;
/// An account and a bar that a dry run cannot exhaust.
const PLENTY: &str = "1000000000";

/// One connection for all checks, and what it showed.
pub(super) struct Visit {
    pub(super) runtime: Runtime,
    /// `None` on paper.
    connection: Option<Result<Connection, String>>,
    account: Option<Account>,
}

impl Visit {
    pub(super) fn new(context: &Context, place: &Workplace) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if place.profile.venue() == VenueKind::Paper {
            return Ok(Self { runtime, connection: None, account: None });
        }
        let connected = runtime.block_on(connect(context, &place.profile, place.plan.symbols(), place.lake.local()));
        let connection = connected.map_err(|failure| format!("{:#}", failure.error));
        let account = match &connection {
            Ok(connection) => match runtime.block_on(connection.client.call(&Request::Account)) {
                Ok(Answer::Account(account)) => Some(account),
                _ => None,
            },
            Err(_) => None,
        };
        Ok(Self { runtime, connection: Some(connection), account })
    }

    /// The end of the account's name, or of the key's where the venue does not say the account's.
    pub(super) fn suffix(&self) -> String {
        let of_account = self.account.as_ref().map(|account| account.id.clone()).filter(|id| !id.is_empty());
        let of_key = || Some(self.connection.as_ref()?.as_ref().ok()?.client.key().shown());
        let name = of_account.or_else(of_key).unwrap_or_default();
        let letters: Vec<char> = name.chars().filter(char::is_ascii_alphanumeric).collect();
        letters[letters.len().saturating_sub(SUFFIX)..].iter().collect()
    }
}

/// The client, or what a check says where there is none.
fn client<'a>(scene: &'a Scene<'_>, on_paper: &str) -> Result<&'a Arc<Client>, Seen> {
    match &scene.venue.connection {
        None => Err(Seen::skip(on_paper)),
        Some(Ok(connection)) => Ok(&connection.client),
        Some(Err(why)) => Err(Seen::fail(why.clone(), "see whether the venue is reached from here, and the key is its own")),
    }
}

/// Our clock against the venue's.
pub(super) fn clock(scene: &Scene<'_>) -> Seen {
    let client = match client(scene, "paper: no clock to compare with") {
        Ok(client) => client,
        Err(seen) => return seen,
    };
    let allowed = scene.place.profile.max_skew();
    match scene.venue.runtime.block_on(client.compare_clocks()) {
        Ok(offset) => {
            let size = Span::from_micros(offset.ahead.micros().abs());
            let said = format!("{:.0} ms from the venue's, at most {allowed}", size.as_secs_f64() * 1000.0);
            if size <= allowed { Seen::ok(said) } else { Seen::fail(said, "set the machine's clock by NTP") }
        }
        Err(failure) => Seen::fail(failure.to_string(), "see whether the venue is reached from here"),
    }
}

/// C30, I11: a key that trades, cannot withdraw, and is good from here alone.
pub(super) fn key(scene: &Scene<'_>) -> Seen {
    let client = match client(scene, "paper: no key is used") {
        Ok(client) => client,
        Err(seen) => return seen,
    };
    let name = client.key().shown();
    let rights = match scene.venue.runtime.block_on(client.rights()) {
        Ok(rights) => rights,
        Err(failure) => {
            return Seen::fail(
                format!("{name}: {failure}"),
                "is the key of this venue, enabled, and is this address on its list?",
            );
        }
    };
    let faults = rights.faults();
    match faults.as_slice() {
        [] => Seen::ok(format!("{name} may trade, cannot withdraw, is good from listed addresses")),
        [KeyFault::Untold] if scene.place.profile.mode() == Mode::Paper => {
            Seen::warn(format!("{name} may trade; practice venues do not say whether it may withdraw"))
        }
        [first, ..] => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Seen::fail(format!("{name}: {}", all.join("; ")), first.hint())
        }
    }
}

/// C20: an order through our own gate, then to the venue's test endpoint. On paper the gate is all.
pub(super) fn dry_run(scene: &Scene<'_>, notional: Money, timeout: Span) -> Seen {
    let order = match approved(scene, notional) {
        Ok(order) => order,
        Err(why) => return Seen::fail(why, "fetch bars; then `tidegate explain limits.max_notional_per_order`"),
    };
    let symbol = &scene.place.plan.symbols()[0];
    let Some(connection) = &scene.venue.connection else {
        return Seen::ok(format!("1 order of {notional} for {symbol} passes the gate; paper takes it"));
    };
    let client = match connection {
        Ok(connection) => &connection.client,
        Err(why) => return Seen::fail(why.clone(), "see whether the venue is reached from here"),
    };
    let clock = &scene.context.clock;
    let began = clock.now();
    let asked = scene.venue.runtime.block_on(async {
        let dry_run = client.dry_run(order.symbol, order.side, notional, order.reference);
        let asked = tokio::time::timeout(timeout.to_std(), dry_run).await;
        asked.unwrap_or_else(|_| Err(VenueFailure::Ambiguous(format!("no answer within {timeout}"))))
    });
    match asked {
        Ok(()) => {
            let took = (clock.now() - began).as_secs_f64() * 1000.0;
            Seen::ok(format!("1 order of {notional} for {symbol}, taken by the venue's test in {took:.0} ms of {timeout}"))
        }
        Err(failure) => Seen::fail(failure.to_string(), "tidegate orders, and the venue's status page"),
    }
}

/// A purchase that the profile's own gate lets pass on a flat account.
fn approved(scene: &Scene<'_>, notional: Money) -> Result<OrderIntent, String> {
    let place = scene.place;
    let (close, open_time) = last_close(scene)?;
    let now = open_time + place.plan.interval().span();
    let symbol = SymbolIndex(0);
    let config = &place.trader.desk;
    let order = OrderIntent {
        id: ClientOrderId { scope: config.scopes[0], bar: now, sequence: u16::MAX },
        symbol,
        side: Side::Buy,
        kind: OrderKind::Market,
        size: Size::Quote(notional),
        purpose: Purpose::Signal,
        decided_at: now,
        reference: close,
    };
    let rules = place.profile.rules();
    let view = View {
        now,
        state: TradingState::Active,
        halt: None,
        instrument: &config.instruments[0],
        symbol_allowed: config.allowed[0],
        data_until: now,
        max_bar_age: rules.max_bar_age.span(place.plan.interval()),
        bars_since_gap: u32::MAX,
        model_window: 0,
        unknown_orders: 0,
        reconciled: true,
        last_same_order: None,
        repeated_orders: 0,
        previous_close: None,
        bar_volume: PLENTY.parse().expect("a number of ours"),
        position: Qty::ZERO,
        open_sells: Qty::ZERO,
        cash: PLENTY.parse().expect("a number of ours"),
        open_buys: Money::ZERO,
        symbol_exposure: Money::ZERO,
        total_exposure: Money::ZERO,
        turnover_today: Money::ZERO,
        open_orders: 0,
        orders_last_minute: 0,
        orders_today: 0,
        fee: Bps(0),
        venue_rule: None,
    };
    let checked = config.gate.check(order, &view);
    checked.map(crate::risk::Approved::consume).map_err(|refusals| format!("our own gate denies it: {}", refusals.headline()))
}

/// The newest close of the first symbol.
fn last_close(scene: &Scene<'_>) -> Result<(Price, Time), String> {
    let (lake, series) = (&scene.place.lake, &scene.place.series[0]);
    let none = || format!("the lake has no bar of {series} to take a price from");
    let last = lake.last_open_time(series).map_err(|error| error.to_string())?.ok_or_else(none)?;
    let bars = lake.read(series, Some(last), None, Projection::TIME | Projection::CLOSE).map_err(|error| error.to_string())?;
    let close = bars.close.last().copied().ok_or_else(none)?;
    Ok((Price::from_f64(close).ok_or_else(|| format!("{close} is no price"))?, last))
}
