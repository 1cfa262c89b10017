//! Answers of the REST API become answers of ours, or failures that say what is certain.

mod order;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;

use super::code;
use super::number::{Digits, time};
use super::reply::Reply;
use super::{Rules, Symbols};
use crate::domain::{ClientOrderId, Liquidity, OrderIntent, Side, Size, SymbolIndex, Time};
use crate::venue::wire::{
    Account, Answer, Balance, Failure, Owner, Request, Restrictions, TradeId, VenueFill, VenueOrder, VenueOrderId,
};

pub(super) use order::{RawOrder, status};

/// Characters of the venue's words that are repeated.
const SAID_CHARS_MAX: usize = 160;

/// What an answer says, and the rules if it was asked for them.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    Answer(Answer),
    Rules(Rules),
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
    #[serde(default)]
    msg: String,
}

/// Reads the answer to `request`, which came at `now` by the venue's clock.
///
/// # Errors
/// What is certain about a request that has no answer to act on. ORDERS-3.
pub fn decode(request: &Request, symbols: &Symbols, reply: &Reply, now: Time) -> Result<Read, Failure> {
    if let Some(Complaint { code, msg }) = complaint(&reply.body) {
        return Err(code::failure(request, reply, code, &said(&msg), now));
    }
    match reply.status {
        200 => read(request, symbols, &reply.body, now),
        // Not an answer of the API: a wall before it, or something that broke behind it.
        403 | 418 | 429 => Err(code::failure(request, reply, 0, "", now)),
        401 => Err(Failure::Key { code: 401, text: "without a reason".to_owned() }),
        status => Err(Failure::Ambiguous(format!("it answered {status} without a reason"))),
    }
}

/// The venue's words, fit to be shown.
pub(super) fn said(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}

fn complaint(body: &[u8]) -> Option<Complaint> {
    // A page of orders is no complaint, and is not read twice.
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Does the venue want no new orders, where else it wants no requests?
pub(super) fn is_order_limit(body: &[u8]) -> bool {
    complaint(body).is_some_and(|complaint| complaint.code == -1015)
}

/// ORDERS-3: a body that is cut, empty or no JSON leaves a doubt; one that is whole and says something else is no answer to us.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
            Failure::Protocol(said(&format!("an answer that cannot be read: {error}")))
        } else {
            Failure::Ambiguous("the answer was cut, empty, or no answer of the venue".to_owned())
        }
    })
}

fn protocol<T>(what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Protocol(what.into()))
}

fn read(request: &Request, symbols: &Symbols, body: &[u8], now: Time) -> Result<Read, Failure> {
    let book = Book { symbols, now };
    let answer = match request {
        Request::Place(intent) => Answer::Order(book.placed(intent, parse(body)?)?),
        Request::Test(_) => {
            parse::<serde_json::Map<String, Value>>(body)?;
            Answer::Done
        }
        Request::Cancel { symbol, id } => Answer::Order(book.withdrawn(*symbol, *id, parse(body)?)?),
        Request::CancelAll { symbol } => Answer::Orders(book.all_withdrawn(*symbol, parse(body)?)?),
        Request::Order { symbol, id } => Answer::Order(book.of_id(*symbol, *id, &parse(body)?)?),
        Request::OpenOrders { symbol } => Answer::Orders(book.list(*symbol, &parse::<Vec<RawOrder>>(body)?)?),
        Request::Orders { symbol, .. } => Answer::Orders(book.list(Some(*symbol), &parse::<Vec<RawOrder>>(body)?)?),
        Request::FillsOf { symbol, order } => Answer::Fills(book.fills(*symbol, parse(body)?, |fill| fill.order == *order)?),
        Request::FillsFrom { symbol, first } => Answer::Fills(book.fills(*symbol, parse(body)?, |fill| fill.trade >= *first)?),
        Request::FillsIn { symbol, from, until } => {
            Answer::Fills(book.fills(*symbol, parse(body)?, |fill| fill.at >= *from && fill.at < *until)?)
        }
        Request::Account => Answer::Account(account(parse(body)?, now)?),
        Request::Restrictions => Answer::Restrictions(restrictions(&parse(body)?)),
        Request::Time => {
            let raw: RawTime = parse(body)?;
            Answer::Time(time(raw.server_time).map_err(Failure::Protocol)?)
        }
        Request::Rules => {
            parse::<Value>(body)?;
            return Rules::read(body).map(Read::Rules).map_err(Failure::Protocol);
        }
    };
    Ok(Read::Answer(answer))
}

#[derive(Deserialize)]
struct RawTime {
    #[serde(rename = "serverTime")]
    server_time: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTrade {
    symbol: String,
    id: u64,
    order_id: u64,
    price: Digits,
    qty: Digits,
    commission: super::number::Signed,
    commission_asset: Option<String>,
    time: i64,
    is_maker: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAccount {
    can_trade: bool,
    can_withdraw: bool,
    #[serde(default)]
    uid: Option<u64>,
    balances: Vec<RawBalance>,
}

#[derive(Deserialize)]
struct RawBalance {
    asset: String,
    free: Digits,
    locked: Digits,
}

/// The wallet's page on a key. What is not said is taken for the worse.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRestrictions {
    ip_restrict: bool,
    enable_withdrawals: bool,
    enable_spot_and_margin_trading: bool,
    #[serde(default)]
    enable_internal_transfer: bool,
    #[serde(default)]
    permits_universal_transfer: bool,
}

fn restrictions(raw: &RawRestrictions) -> Restrictions {
    Restrictions {
        is_bound_to_addresses: raw.ip_restrict,
        can_trade: raw.enable_spot_and_margin_trading,
        can_withdraw: raw.enable_withdrawals || raw.enable_internal_transfer || raw.permits_universal_transfer,
    }
}

fn account(raw: RawAccount, at: Time) -> Result<Account, Failure> {
    let balances = raw.balances.into_iter().map(|raw| {
        let (free, locked) = (raw.free.qty()?, raw.locked.qty()?);
        Ok(Balance { asset: said(&raw.asset), free, locked })
    });
    let balances: Result<Vec<Balance>, String> = balances.collect();
    Ok(Account {
        id: raw.uid.map_or_else(String::new, |uid| uid.to_string()),
        can_trade: raw.can_trade,
        can_withdraw: raw.can_withdraw,
        balances: balances.map_err(Failure::Protocol)?,
        at,
    })
}

/// What answers about orders are held against.
struct Book<'a> {
    symbols: &'a Symbols,
    now: Time,
}

impl Book<'_> {
    fn spelled(&self, symbol: SymbolIndex) -> &str {
        self.symbols.name(symbol).unwrap_or_default()
    }

    /// C15: another symbol is no answer.
    fn order(&self, symbol: Option<SymbolIndex>, raw: &RawOrder) -> Result<VenueOrder, Failure> {
        if let Some(symbol) = symbol
            && raw.symbol != self.spelled(symbol)
        {
            return protocol(format!("an order of {} where one of {} was asked for", said(&raw.symbol), self.spelled(symbol)));
        }
        raw.order(self.symbols, self.now).map_err(Failure::Protocol)
    }

    fn of_id(&self, symbol: SymbolIndex, id: ClientOrderId, raw: &RawOrder) -> Result<VenueOrder, Failure> {
        let order = self.order(Some(symbol), raw)?;
        if order.owner != Owner::Ours(id) {
            return protocol(format!("the order {:?} where {id} was asked for", order.owner));
        }
        Ok(order)
    }

    fn placed(&self, intent: &OrderIntent, raw: RawOrder) -> Result<VenueOrder, Failure> {
        // The shortest answer has neither side nor quantity; they are what was asked for.
        let base = match intent.size {
            Size::Base(qty) => qty,
            Size::Quote(_) => intent.quantity(),
        };
        let raw = raw.or_asked(intent.side, base);
        let order = self.of_id(intent.symbol, intent.id, &raw)?;
        if order.side != intent.side {
            return protocol(format!("{} is a {} where a {} was sent", intent.id, order.side.name(), intent.side.name()));
        }
        Ok(order)
    }

    fn withdrawn(&self, symbol: SymbolIndex, id: ClientOrderId, raw: RawOrder) -> Result<VenueOrder, Failure> {
        self.of_id(symbol, id, &raw.by_original_id())
    }

    /// Orders, and lists of orders with a report of each.
    fn all_withdrawn(&self, symbol: SymbolIndex, raw: Vec<RawWithdrawn>) -> Result<Vec<VenueOrder>, Failure> {
        let mut orders = Vec::with_capacity(raw.len());
        for raw in raw {
            match raw {
                RawWithdrawn { order_reports: Some(reports), .. } => {
                    for report in reports {
                        orders.push(self.order(Some(symbol), &report.by_original_id())?);
                    }
                }
                RawWithdrawn { order: Some(order), .. } => orders.push(self.order(Some(symbol), &order.by_original_id())?),
                RawWithdrawn { .. } => return protocol("a withdrawal of no order"),
            }
        }
        Ok(orders)
    }

    fn list(&self, symbol: Option<SymbolIndex>, raw: &[RawOrder]) -> Result<Vec<VenueOrder>, Failure> {
        raw.iter().map(|raw| self.order(symbol, raw)).collect()
    }

    fn fills(
        &self,
        symbol: SymbolIndex,
        raw: Vec<RawTrade>,
        is_asked_for: impl Fn(&VenueFill) -> bool,
    ) -> Result<Vec<VenueFill>, Failure> {
        let mut fills = Vec::with_capacity(raw.len());
        for raw in raw {
            if raw.symbol != self.spelled(symbol) {
                return protocol(format!(
                    "a fill of {} where those of {} were asked for",
                    said(&raw.symbol),
                    self.spelled(symbol)
                ));
            }
            let fill = raw.fill().map_err(Failure::Protocol)?;
            if !is_asked_for(&fill) {
                return protocol(format!("the fill {} that was not asked for", fill.trade.0));
            }
            fills.push(fill);
        }
        fills.sort_by_key(|fill| fill.trade);
        Ok(fills)
    }
}

impl RawTrade {
    fn fill(&self) -> Result<VenueFill, String> {
        let (price, qty) = (self.price.price()?, self.qty.qty()?);
        order::fits(price, qty)?;
        Ok(VenueFill {
            trade: TradeId(self.id),
            order: VenueOrderId(self.order_id),
            price,
            qty,
            fee: self.commission.qty()?,
            fee_asset: said(self.commission_asset.as_deref().unwrap_or_default()),
            liquidity: if self.is_maker { Liquidity::Maker } else { Liquidity::Taker },
            at: time(self.time)?,
        })
    }
}

/// An entry of what was withdrawn together: an order, or a list with its orders.
struct RawWithdrawn {
    order: Option<RawOrder>,
    order_reports: Option<Vec<RawOrder>>,
}

impl<'de> Deserialize<'de> for RawWithdrawn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrong = |error: serde_json::Error| serde::de::Error::custom(error.to_string());
        match value.get("orderReports") {
            Some(reports) => {
                let reports = Vec::deserialize(reports).map_err(wrong)?;
                Ok(Self { order: None, order_reports: Some(reports) })
            }
            None => Ok(Self { order: Some(RawOrder::deserialize(value).map_err(wrong)?), order_reports: None }),
        }
    }
}

/// As the venue spells a side.
pub(super) fn side(text: &str) -> Option<Side> {
    match text {
        "BUY" => Some(Side::Buy),
        "SELL" => Some(Side::Sell),
        _ => None,
    }
}
