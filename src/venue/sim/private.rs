//! What the venue answers the owner of a key: orders, trades, balances.

use serde_json::{Value, json};

use super::amount::Eight;
use super::exchange::Exchange;
use super::http::Refusal;
use super::log::Endpoint;
use super::order::{Order, Queried, Status, Traded, Unit};
use super::params::Params;
use super::placing::{OF_PLACE, Ticket, client_id};
use super::public::{limit, text};
use super::route::{Failure, Note};
use crate::domain::{Fraction, Span, Time};

const PAGE_DEFAULT: i64 = 500;
const PAGE_MAX: i64 = 1000;
/// The longest range of one question about the past.
const RANGE_MAX: Span = Span::from_days(1);

fn unknown_order() -> Refusal {
    Refusal::new(-2011, "Unknown order sent.")
}

fn one_of_two_ids() -> Refusal {
    Refusal::new(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
}

/// A range of times, if it is one of at most a day.
fn range(params: &Params<'_>) -> Result<(Option<Time>, Option<Time>), Refusal> {
    let (start, end) = (params.time("startTime")?, params.time("endTime")?);
    match (start, end) {
        (Some(start), Some(end)) if end < start => Err(Refusal::new(-1130, "Data sent for parameter 'startTime' is not valid.")),
        (Some(start), Some(end)) if end - start > RANGE_MAX => {
            Err(Refusal::new(-1127, "More than 24 hours between startTime and endTime."))
        }
        range => Ok(range),
    }
}

impl Exchange {
    pub(super) fn answer_account(
        &mut self,
        endpoint: Endpoint,
        account: usize,
        params: &Params<'_>,
        unit: Unit,
        note: &mut Note,
    ) -> Result<String, Failure> {
        match endpoint {
            Endpoint::Place => self.place_order(account, params, unit, note),
            Endpoint::Test => Ok(self.test_order(account, params)?),
            Endpoint::Cancel => Ok(self.cancel_order(account, params, unit)?),
            Endpoint::CancelAll => Ok(self.cancel_all(account, params, unit)?),
            Endpoint::Query => Ok(self.query_order(account, params, unit)?),
            Endpoint::OpenOrders => Ok(self.query_open(account, params, unit)?),
            Endpoint::AllOrders => Ok(self.query_all(account, params, unit)?),
            Endpoint::MyTrades => Ok(self.query_trades(account, params, unit)?),
            Endpoint::Account => Ok(self.query_account(account, params, unit)?),
            Endpoint::KeyRights => {
                params.only(&[], true)?;
                Ok(self.key_rights(account).to_string())
            }
            _ => {
                params.only(&[], true)?;
                Ok(self.order_counts(account).to_string())
            }
        }
    }

    fn place_order(&mut self, account: usize, params: &Params<'_>, unit: Unit, note: &mut Note) -> Result<String, Failure> {
        params.only(&OF_PLACE, true)?;
        let ticket = self.read_ticket(params)?;
        let before = self.listings[ticket.listing].trades.len();
        let position = self.place(account, &ticket)?;
        note.is_order_accepted = true;
        let listing = &self.listings[ticket.listing];
        let order = &listing.orders[position];
        note.client_id = Some(order.client_id.clone());
        Ok(text(&order.placed(&listing.name, ticket.form, &listing.trades[before..], unit)))
    }

    fn test_order(&self, account: usize, params: &Params<'_>) -> Result<String, Refusal> {
        let mut known = OF_PLACE.to_vec();
        known.push("computeCommissionRates");
        params.only(&known, true)?;
        let ticket: Ticket = self.read_ticket(params)?;
        self.check_ticket(account, &ticket)?;
        if params.text("computeCommissionRates") != Some("true") {
            return Ok("{}".to_owned());
        }
        let fees = &self.accounts[account].fees;
        let none = || json!({ "maker": Eight::ZERO, "taker": Eight::ZERO });
        Ok(json!({
            "standardCommissionForOrder": { "maker": rate(fees.maker), "taker": rate(fees.taker) },
            "specialCommissionForOrder": none(), "taxCommissionForOrder": none(),
            "discount": { "enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": "0.25000000" }
        })
        .to_string())
    }

    /// The order that a question is about: of this account, by either id, hidden ones unseen.
    fn find(&self, account: usize, params: &Params<'_>, mismatch: Refusal) -> Result<Option<(usize, usize)>, Refusal> {
        let at = self.symbol_of(params)?;
        let (number, name) = (params.integer("orderId")?, client_id(params, "origClientOrderId")?);
        let listing = &self.listings[at];
        let found = match (number, &name) {
            (None, None) => return Err(one_of_two_ids()),
            (Some(number), _) => usize::try_from(number - 1).ok().filter(|position| *position < listing.orders.len()),
            (None, Some(name)) => listing.by_client.get(&(account, name.clone())).copied(),
        };
        let found = found.filter(|position| listing.orders[*position].account == account);
        if let (Some(position), Some(_), Some(name)) = (found, number, &name)
            && *listing.orders[position].client_id != **name
        {
            return Err(mismatch);
        }
        Ok(found.filter(|position| self.is_seen(&listing.orders[*position])).map(|position| (at, position)))
    }

    fn is_seen(&self, order: &Order) -> bool {
        order.hidden_until <= self.now
    }

    fn query_order(&self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "orderId", "origClientOrderId"], true)?;
        let mismatch = Refusal::new(-2039, "Client order ID is not correct for this order ID.");
        let found = self.find(account, params, mismatch)?;
        let (at, position) = found.ok_or_else(|| Refusal::new(-2013, "Order does not exist."))?;
        let listing = &self.listings[at];
        Ok(text(&listing.orders[position].queried(&listing.name, unit)))
    }

    fn cancel_order(&mut self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"], true)?;
        let (at, position) = self.find(account, params, unknown_order())?.ok_or_else(unknown_order)?;
        let cancel_id = client_id(params, "newClientOrderId")?;
        if self.twist.filled_first {
            self.fill_now(at, position);
        }
        let is_new = self.listings[at].orders[position].status == Status::New;
        match params.text("cancelRestrictions") {
            None => {}
            Some("ONLY_NEW") if is_new => {}
            Some("ONLY_PARTIALLY_FILLED") if !is_new => {}
            Some("ONLY_NEW" | "ONLY_PARTIALLY_FILLED") => {
                return Err(Refusal::new(-2011, "Order was not canceled due to cancel restrictions."));
            }
            Some(_) => return Err(Refusal::new(-1145, "Invalid cancelRestrictions")),
        }
        self.cancel_one(at, position, cancel_id.as_deref())
            .map(|cancel_id| text(&self.listings[at].orders[position].canceled(&self.listings[at].name, &cancel_id, unit)))
    }

    /// Cancels an open order; says the id of the cancel.
    fn cancel_one(&mut self, at: usize, position: usize, cancel_id: Option<&str>) -> Result<String, Refusal> {
        use super::rules::SymbolStatus::{Break, Halt};
        if !self.listings[at].orders[position].status.is_open() {
            return Err(unknown_order());
        }
        if matches!(self.listings[at].status, Halt | Break) {
            return Err(Refusal::new(-2011, "Market is closed."));
        }
        let cancel_id = cancel_id.map_or_else(|| format!("x{:021}", self.next_number()), str::to_owned);
        let stray = self.twist.stray;
        self.end(at, position, Status::Canceled, "NONE");
        self.tell_execution(at, position, "CANCELED", None, Some(&cancel_id));
        if let Some((span, over)) = stray {
            self.later(self.now + span, super::exchange::Due::Stray { listing: at, order: position, over });
        }
        Ok(cancel_id)
    }

    fn cancel_all(&mut self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol"], true)?;
        let at = self.symbol_of(params)?;
        let listing = &self.listings[at];
        let own: Vec<usize> = listing.open.iter().copied().filter(|order| listing.orders[*order].account == account).collect();
        if own.is_empty() {
            return Err(unknown_order());
        }
        let mut told = Vec::with_capacity(own.len());
        let cancel_id = format!("x{:021}", self.next_number());
        for position in own {
            self.cancel_one(at, position, Some(&cancel_id))?;
            let listing = &self.listings[at];
            told.push(text(&listing.orders[position].canceled(&listing.name, &cancel_id, unit)));
        }
        Ok(format!("[{}]", told.join(",")))
    }

    fn query_open(&self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol"], true)?;
        let wanted = if params.has("symbol") { vec![self.symbol_of(params)?] } else { (0..self.listings.len()).collect() };
        let mut told: Vec<Queried<'_>> = Vec::new();
        for at in wanted {
            let listing = &self.listings[at];
            let own = listing.open.iter().map(|position| &listing.orders[*position]);
            let own = own.filter(|order| order.account == account && self.is_seen(order));
            told.extend(own.map(|order| order.queried(&listing.name, unit)));
        }
        Ok(text(&told))
    }

    fn query_all(&self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "orderId", "startTime", "endTime", "limit"], true)?;
        let at = self.symbol_of(params)?;
        let limit = limit(params, PAGE_DEFAULT, PAGE_MAX)?;
        let (start, end) = range(params)?;
        let from = params.integer("orderId")?;
        let listing = &self.listings[at];
        let is_wanted = |order: &&Order| {
            order.account == account
                && self.is_seen(order)
                && from.is_none_or(|from| i64::try_from(order.id).is_ok_and(|id| id >= from))
                && start.is_none_or(|start| order.at >= start)
                && end.is_none_or(|end| order.at <= end)
        };
        let own = listing.orders.iter().filter(is_wanted);
        let page = paged(own.collect(), limit, from.is_some() || start.is_some());
        let told: Vec<Queried<'_>> = page.into_iter().map(|order| order.queried(&listing.name, unit)).collect();
        Ok(text(&told))
    }

    fn query_trades(&self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "orderId", "startTime", "endTime", "fromId", "limit"], true)?;
        let at = self.symbol_of(params)?;
        let limit = limit(params, PAGE_DEFAULT, PAGE_MAX)?;
        let (order, from) = (params.integer("orderId")?, params.integer("fromId")?);
        let (start, end) = range(params)?;
        if (start.is_some() || end.is_some()) && (order.is_some() || from.is_some()) {
            return Err(Refusal::new(-1128, "Combination of optional parameters invalid."));
        }
        let listing = &self.listings[at];
        let is_hidden = |order: u64| !self.is_seen(&listing.orders[order as usize - 1]);
        let own = listing.trades.iter().filter(|trade| {
            trade.account == account
                && order.is_none_or(|order| u64::try_from(order).is_ok_and(|order| trade.order == order))
                && from.is_none_or(|from| u64::try_from(from).is_ok_and(|from| trade.id >= from))
                && start.is_none_or(|start| trade.at >= start)
                && end.is_none_or(|end| trade.at <= end)
                && !is_hidden(trade.order)
        });
        let page = paged(own.collect(), limit, from.is_some() || start.is_some() || order.is_some());
        let told: Vec<Traded<'_>> = page.into_iter().map(|trade| trade.told(&listing.name, unit)).collect();
        Ok(text(&told))
    }

    fn query_account(&self, account: usize, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["omitZeroBalances"], true)?;
        let omits_zero = params.text("omitZeroBalances") == Some("true");
        let own = &self.accounts[account];
        let balances = self.assets.iter().enumerate().map(|(at, asset)| (asset, own.balance(at)));
        let balances = balances.filter(|(_, balance)| !omits_zero || !(balance.free + balance.locked).is_zero());
        let told = balances.map(|(asset, balance)| {
            json!({ "asset": **asset, "free": Eight::from(balance.free), "locked": Eight::from(balance.locked) })
        });
        let told: Vec<Value> = told.collect();
        let points = |fee: Fraction| (fee.to_f64() * 10_000.0).round() as i64;
        let can_withdraw = own.keys.iter().any(|key| key.permissions.can_withdraw);
        Ok(json!({
            "makerCommission": points(own.fees.maker), "takerCommission": points(own.fees.taker),
            "buyerCommission": 0, "sellerCommission": 0,
            "commissionRates": { "maker": rate(own.fees.maker), "taker": rate(own.fees.taker), "buyer": Eight::ZERO, "seller": Eight::ZERO },
            "canTrade": true, "canWithdraw": can_withdraw, "canDeposit": true, "brokered": false,
            "requireSelfTradePrevention": false, "preventSor": false, "updateTime": unit.count(self.venue_time()),
            "accountType": "SPOT", "balances": told, "permissions": ["SPOT"], "uid": 1_000_001 + account
        })
        .to_string())
    }

    fn key_rights(&self, account: usize) -> Value {
        let rights = self.accounts[account].keys.first().map(|key| key.permissions).unwrap_or_default();
        json!({
            "ipRestrict": rights.is_ip_restricted, "createTime": 1_600_000_000_000_i64, "enableReading": rights.can_read,
            "enableWithdrawals": rights.can_withdraw, "enableInternalTransfer": false, "enableMargin": false,
            "enableFutures": false, "permitsUniversalTransfer": false, "enableVanillaOptions": false,
            "enableFixApiTrade": false, "enableFixReadOnly": false, "enableSpotAndMarginTrading": rights.can_trade,
            "enablePortfolioMarginTrading": false
        })
    }
}

fn rate(fee: Fraction) -> Eight {
    Eight((fee.to_f64() * 1e8).round() as i128)
}

/// At most `limit`: from the oldest where the question says where to begin, else the newest.
fn paged<T>(mut all: Vec<T>, limit: usize, is_from_oldest: bool) -> Vec<T> {
    if is_from_oldest {
        all.truncate(limit);
    } else {
        all.drain(..all.len().saturating_sub(limit));
    }
    all
}
