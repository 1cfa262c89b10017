//! A new order is read and checked, in the order in which the venue does it.

use std::sync::Arc;

use super::amount::{bought_floor, quote_ceil};
use super::exchange::{Exchange, Listing, Twist};
use super::gate::{DAY, TEN_SECONDS, interval};
use super::http::Refusal;
use super::order::{Form, Kind, Order, SelfTrade, Status, Tif};
use super::params::{Params, illegal, lacking, not_wanted};
use super::route::Failure;
use super::rules::{Candidate, SymbolStatus};
use crate::domain::{Price, Qty, Side, Time};

const ID_LEN_MAX: usize = 36;
const LEGAL_ID: &str = "^[a-zA-Z0-9-_]{1,36}$";
pub(super) const OF_PLACE: [&str; 12] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "newOrderRespType",
    "selfTradePreventionMode",
    "strategyId",
    "strategyType",
];

/// A new order as it was asked for: well-formed, not yet checked against the market.
pub(super) struct Ticket {
    pub listing: usize,
    pub side: Side,
    pub kind: Kind,
    pub tif: Tif,
    pub price: Price,
    pub qty: Qty,
    pub quote_qty: Qty,
    pub client_id: Option<Arc<str>>,
    pub self_trade: SelfTrade,
    pub form: Form,
}

fn rejected(msg: &'static str) -> Refusal {
    Refusal::new(-2010, msg)
}

pub(super) fn client_id(params: &Params<'_>, name: &str) -> Result<Option<Arc<str>>, Refusal> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let is_legal = text.len() <= ID_LEN_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_legal { Ok(Some(text.into())) } else { Err(illegal(name, LEGAL_ID)) }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)], code: i64, msg: &'static str) -> Result<T, Refusal> {
    words.iter().find(|(name, _)| *name == text).map(|(_, found)| *found).ok_or_else(|| Refusal::new(code, msg))
}

fn self_trade(params: &Params<'_>) -> Result<SelfTrade, Refusal> {
    let modes = [
        ("NONE", SelfTrade::Allowed),
        ("EXPIRE_TAKER", SelfTrade::ExpireTaker),
        ("EXPIRE_MAKER", SelfTrade::ExpireMaker),
        ("EXPIRE_BOTH", SelfTrade::ExpireBoth),
    ];
    let Some(text) = params.text("selfTradePreventionMode") else { return Ok(SelfTrade::ExpireMaker) };
    word(text, &modes, -1013, "This symbol does not allow the specified self-trade prevention mode.")
}

impl Exchange {
    /// The symbol a request is about.
    pub(super) fn symbol_of(&self, params: &Params<'_>) -> Result<usize, Refusal> {
        let name = params.needed("symbol")?;
        self.listing_at(name).ok_or_else(|| Refusal::new(-1121, "Invalid symbol."))
    }

    pub(super) fn read_ticket(&self, params: &Params<'_>) -> Result<Ticket, Refusal> {
        let listing = self.symbol_of(params)?;
        let side = word(params.needed("side")?, &[("BUY", Side::Buy), ("SELL", Side::Sell)], -1117, "Invalid side.")?;
        let kinds = [("LIMIT", Kind::Limit), ("MARKET", Kind::Market), ("LIMIT_MAKER", Kind::LimitMaker)];
        let kind = word(params.needed("type")?, &kinds, -1116, "Invalid orderType.")?;
        let tif = match (kind, params.text("timeInForce")) {
            (Kind::Limit, None) => return Err(lacking("timeInForce")),
            (Kind::Limit, Some(text)) => {
                let tifs = [("GTC", Tif::Gtc), ("IOC", Tif::Ioc), ("FOK", Tif::Fok)];
                word(text, &tifs, -1115, "Invalid timeInForce.")?
            }
            (_, None) => Tif::Gtc,
            (_, Some(_)) => return Err(not_wanted("timeInForce")),
        };
        let (qty, quote_qty, price) = (params.amount("quantity")?, params.amount("quoteOrderQty")?, params.price("price")?);
        match (kind, qty, quote_qty, price) {
            (Kind::Market, _, _, Some(_)) => return Err(not_wanted("price")),
            (Kind::Market, None, None, None) => {
                let msg = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!";
                return Err(Refusal::new(-1102, msg));
            }
            (Kind::Market, Some(_), Some(_), None) => {
                return Err(Refusal::new(-1128, "Combination of optional parameters invalid."));
            }
            (Kind::Limit | Kind::LimitMaker, _, Some(_), _) => return Err(not_wanted("quoteOrderQty")),
            (Kind::Limit | Kind::LimitMaker, None, ..) => return Err(lacking("quantity")),
            (Kind::Limit | Kind::LimitMaker, _, _, None) => return Err(lacking("price")),
            _ => {}
        }
        for (name, is_zero) in [
            ("quantity", qty.is_some_and(Qty::is_zero)),
            ("quantity", quote_qty.is_some_and(Qty::is_zero)),
            ("price", price.is_some_and(Price::is_zero)),
        ] {
            if is_zero {
                return Err(Refusal::told(-1013, format!("Invalid {name}.")));
            }
        }
        let forms = [("ACK", Form::Ack), ("RESULT", Form::Result), ("FULL", Form::Full)];
        let form = match params.text("newOrderRespType") {
            Some(text) => word(text, &forms, -1130, "Data sent for parameter 'newOrderRespType' is not valid.")?,
            None if kind == Kind::LimitMaker => Form::Ack,
            None => Form::Full,
        };
        Ok(Ticket {
            listing,
            side,
            kind,
            tif,
            price: price.unwrap_or_default(),
            qty: qty.unwrap_or_default(),
            quote_qty: quote_qty.unwrap_or_default(),
            client_id: client_id(params, "newClientOrderId")?,
            self_trade: self_trade(params)?,
            form,
        })
    }

    /// Checks a ticket against filters, market and balances; what it claims of the account.
    pub(super) fn check_ticket(&self, account: usize, ticket: &Ticket) -> Result<Qty, Refusal> {
        let listing = &self.listings[ticket.listing];
        if listing.status != SymbolStatus::Trading {
            return Err(rejected("Market is closed."));
        }
        if listing.market.last.is_zero() {
            return Err(Refusal::new(-1112, "No orders on book for symbol."));
        }
        self.check_filters(account, ticket)?;
        let is_live = |id: &Arc<str>| {
            let found = listing.by_client.get(&(account, id.clone()));
            found.is_some_and(|at| listing.orders[*at].status.is_open())
        };
        if ticket.client_id.as_ref().is_some_and(is_live) {
            return Err(rejected("Duplicate order sent."));
        }
        let best = listing.market.best(ticket.side, listing.filters.price_tick).map(|(price, _)| price);
        let would_take = |best: Price| if ticket.side == Side::Buy { ticket.price >= best } else { ticket.price <= best };
        if ticket.kind == Kind::LimitMaker && best.is_some_and(would_take) {
            return Err(rejected("Order would immediately match and take."));
        }
        let claim = claim_of(listing, ticket);
        let asset = if ticket.side == Side::Buy { listing.quote } else { listing.base };
        if self.accounts[account].balance(asset).free < claim {
            return Err(rejected("Account has insufficient balance for requested action."));
        }
        Ok(claim)
    }

    fn check_filters(&self, account: usize, ticket: &Ticket) -> Result<(), Refusal> {
        let listing = &self.listings[ticket.listing];
        let open = || listing.open.iter().map(|at| &listing.orders[*at]).filter(|order| order.account == account);
        let held = self.accounts[account].balance(listing.base);
        let bid: Qty = open().filter(|order| order.side == Side::Buy).map(|order| order.qty - order.filled).sum();
        listing.filters.check(&Candidate {
            side: ticket.side,
            is_market: ticket.kind == Kind::Market,
            price: ticket.price,
            qty: ticket.qty,
            quote_qty: ticket.quote_qty,
            average: listing.market.average(self.now),
            open_orders: open().count(),
            position: held.free + held.locked + bid,
        })
    }

    /// Places an order; says where it is kept.
    pub(super) fn place(&mut self, account: usize, ticket: &Ticket) -> Result<usize, Failure> {
        let claim = self.check_ticket(account, ticket)?;
        let now = self.venue_time();
        let limits = [(TEN_SECONDS, self.gate.limits.orders_10s), (DAY, self.gate.limits.orders_1d)];
        for (at, (span, limit)) in limits.into_iter().enumerate() {
            if self.accounts[account].unfilled[at].at(interval(now, span)) >= limit {
                let reply = self.gate.close_orders(span, now);
                return Err(Failure::Turned(super::gate::Turned { reply, is_our_fault: true }));
            }
        }
        for (at, (span, _)) in limits.into_iter().enumerate() {
            self.accounts[account].unfilled[at].add(interval(now, span), 1);
        }
        let number = self.next_number();
        let twist = std::mem::take(&mut self.twist);
        let order = self.order_of(account, ticket, number, &twist);
        let position = self.accept(ticket.listing, order, claim, false);
        if let Some((span, over)) = twist.stray {
            let due = super::exchange::Due::Stray { listing: ticket.listing, order: position, over };
            self.later(self.now + span, due);
        }
        Ok(position)
    }

    fn order_of(&self, account: usize, ticket: &Ticket, number: u64, twist: &Twist) -> Order {
        let listing = &self.listings[ticket.listing];
        let now = self.venue_time();
        let until = |span: crate::domain::Span| if span.micros() > 0 { self.now + span } else { Time::MIN };
        let expected = expected_qty(listing, ticket);
        let step = listing.filters.qty_step;
        Order {
            id: 0,
            account,
            client_id: ticket.client_id.clone().unwrap_or_else(|| format!("{number:022}").into()),
            side: ticket.side,
            kind: ticket.kind,
            tif: ticket.tif,
            self_trade: ticket.self_trade,
            price: ticket.price,
            qty: expected,
            quote_qty: ticket.quote_qty,
            filled: Qty::ZERO,
            filled_quote: Qty::ZERO,
            status: Status::New,
            expiry: "NONE",
            at: now,
            updated: now,
            locked: Qty::ZERO,
            hidden_until: until(twist.hidden_for),
            held_until: until(twist.held_for),
            fill_max: twist.share.map(|share| expected.fraction_floor(share).truncate_to(step)),
            counted_unfilled: true,
        }
    }
}

/// The quantity asked for, or what the amount asked for buys at the best price.
fn expected_qty(listing: &Listing, ticket: &Ticket) -> Qty {
    if ticket.qty.is_positive() {
        return ticket.qty;
    }
    let best = listing.market.best(ticket.side, listing.filters.price_tick).map_or(listing.market.last, |(price, _)| price);
    bought_floor(ticket.quote_qty, best).truncate_to(listing.filters.qty_step)
}

fn claim_of(listing: &Listing, ticket: &Ticket) -> Qty {
    match (ticket.side, ticket.kind) {
        (Side::Sell, _) => expected_qty(listing, ticket),
        (Side::Buy, Kind::Limit | Kind::LimitMaker) => quote_ceil(ticket.price, ticket.qty),
        (Side::Buy, Kind::Market) if ticket.quote_qty.is_positive() => ticket.quote_qty,
        (Side::Buy, Kind::Market) => listing.market.walk(Side::Buy, ticket.qty, listing.filters.price_tick).1,
    }
}
