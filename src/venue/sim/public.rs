//! What the venue tells everybody: its clock, its rules, its bars and prices.

use serde::Serialize;
use serde_json::{Value, json};

use super::amount::Eight;
use super::exchange::Exchange;
use super::gate::{DAY, MINUTE, TEN_SECONDS};
use super::http::Refusal;
use super::log::Endpoint;
use super::market::{price_text, volume_text};
use super::order::Unit;
use super::params::Params;
use super::rules::listing_json;
use crate::domain::{Bar, Interval, Price, Qty, Side, Span, Time};

const BARS_DEFAULT: i64 = 500;
const BARS_PAGE_MAX: i64 = 1000;

pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an answer is plain data")
}

/// A page's size, at most `max`.
pub(super) fn limit(params: &Params<'_>, default: i64, max: i64) -> Result<usize, Refusal> {
    let wanted = params.integer("limit")?.unwrap_or(default);
    if (1..=max).contains(&wanted) {
        Ok(wanted as usize)
    } else {
        Err(Refusal::new(-1130, "Data sent for parameter 'limit' is not valid."))
    }
}

impl Exchange {
    pub(super) fn answer_public(&self, endpoint: Endpoint, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        match endpoint {
            Endpoint::Ping => params.only(&[], false).map(|()| "{}".to_owned()),
            Endpoint::Time => {
                params.only(&[], false)?;
                Ok(format!("{{\"serverTime\":{}}}", unit.count(self.venue_time())))
            }
            Endpoint::Rules => self.exchange_info(params, unit),
            Endpoint::Bars => self.klines(params, unit),
            Endpoint::Price => self
                .of_symbol_or_all(params, |at| json!({ "symbol": *self.listings[at].name, "price": Eight::from(self.last(at)) })),
            Endpoint::Book => self.of_symbol_or_all(params, |at| self.book_ticker(at)),
            _ => {
                params.only(&["symbol"], false)?;
                let at = self.symbol_of(params)?;
                let price = Eight::from(self.listings[at].market.average(self.now));
                Ok(format!("{{\"mins\":5,\"price\":\"{price}\",\"closeTime\":{}}}", unit.count(self.venue_time())))
            }
        }
    }

    fn last(&self, at: usize) -> Price {
        self.listings[at].market.last
    }

    fn of_symbol_or_all(&self, params: &Params<'_>, told: impl Fn(usize) -> Value) -> Result<String, Refusal> {
        params.only(&["symbol", "symbols"], false)?;
        if params.has("symbol") {
            return Ok(told(self.symbol_of(params)?).to_string());
        }
        let wanted = self.named_in(params)?;
        Ok(Value::from(wanted.into_iter().map(told).collect::<Vec<Value>>()).to_string())
    }

    /// The symbols of a list in `symbols`, or all.
    fn named_in(&self, params: &Params<'_>) -> Result<Vec<usize>, Refusal> {
        let Some(list) = params.text("symbols") else { return Ok((0..self.listings.len()).collect()) };
        let names: Vec<String> = serde_json::from_str(list)
            .map_err(|_| super::params::illegal("symbols", "^\\[\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}\\]$"))?;
        names.iter().map(|name| self.listing_at(name).ok_or_else(|| Refusal::new(-1121, "Invalid symbol."))).collect()
    }

    fn book_ticker(&self, at: usize) -> Value {
        let listing = &self.listings[at];
        let tick = listing.filters.price_tick;
        let (ask, ask_qty) = listing.market.best(Side::Buy, tick).unwrap_or_default();
        let (bid, bid_qty) = listing.market.best(Side::Sell, tick).unwrap_or_default();
        let eight = |qty: Qty| Eight::from(qty);
        json!({ "symbol": *listing.name, "bidPrice": Eight::from(bid), "bidQty": eight(bid_qty),
            "askPrice": Eight::from(ask), "askQty": eight(ask_qty) })
    }

    pub(super) fn rate_limits(&self) -> Value {
        let limits = &self.gate.limits;
        json!([
            { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limits.weight_1m },
            { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_10s },
            { "rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": limits.orders_1d },
            { "rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": limits.raw_5m }
        ])
    }

    fn exchange_info(&self, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"], false)?;
        let wanted = if params.has("symbol") { vec![self.symbol_of(params)?] } else { self.named_in(params)? };
        let told = wanted.into_iter().map(|at| {
            let listing = &self.listings[at];
            listing_json(&listing.symbol, listing.status, &listing.filters)
        });
        Ok(json!({
            "timezone": "UTC", "serverTime": unit.count(self.venue_time()), "rateLimits": self.rate_limits(),
            "exchangeFilters": [], "symbols": told.collect::<Vec<Value>>()
        })
        .to_string())
    }

    fn klines(&self, params: &Params<'_>, unit: Unit) -> Result<String, Refusal> {
        params.only(&["symbol", "interval", "startTime", "endTime", "timeZone", "limit"], false)?;
        let at = self.symbol_of(params)?;
        let wrong = || Refusal::new(-1120, "Invalid interval.");
        let interval: Interval = params.needed("interval")?.parse().map_err(|_| wrong())?;
        let limit = limit(params, BARS_DEFAULT, BARS_PAGE_MAX)?;
        let (start, end) = (params.time("startTime")?, params.time("endTime")?);
        let bars = self.listings[at].market.bars_of(interval).ok_or_else(wrong)?;
        let is_wanted =
            |bar: &&Bar| start.is_none_or(|start| bar.open_time >= start) && end.is_none_or(|end| bar.open_time <= end);
        let mut rows: Vec<&Bar> = bars.iter().filter(is_wanted).collect();
        if start.is_some() {
            rows.truncate(limit);
        } else {
            rows.drain(..rows.len().saturating_sub(limit));
        }
        let rows: Vec<String> = rows.into_iter().map(|bar| kline_row(bar, interval.span(), unit)).collect();
        Ok(format!("[{}]", rows.join(",")))
    }

    /// The counts of orders of an account, as the limits see them.
    pub(super) fn order_counts(&self, account: usize) -> Value {
        let now = self.venue_time();
        let count = |at: usize, span| self.accounts[account].unfilled[at].at(super::gate::interval(now, span));
        let limits = &self.gate.limits;
        json!([
            { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_10s,
                "count": count(0, TEN_SECONDS) },
            { "rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": limits.orders_1d, "count": count(1, DAY) }
        ])
    }

    /// The limits as the WebSocket API repeats them.
    pub(super) fn weight_told(&self) -> Value {
        json!([{ "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": MINUTE.micros() / 60_000_000,
            "limit": self.gate.limits.weight_1m, "count": self.gate.used(self.venue_time()) }])
    }
}

/// The last instant of a bar, in the unit of the answer.
pub(super) fn close_time(bar: &Bar, span: Span, unit: Unit) -> i64 {
    unit.count(bar.open_time + span) - 1
}

/// How many trades and how much taker volume we say there was: nobody fed them.
pub(super) const fn trades_of(open_time: Time) -> i64 {
    1 + open_time.millis() / 1000 % 97
}

fn kline_row(bar: &Bar, span: Span, unit: Unit) -> String {
    let middle = (bar.open + bar.close) / 2.0;
    format!(
        "[{},\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",{},\"{}\",{},\"{}\",\"{}\",\"0\"]",
        unit.count(bar.open_time),
        price_text(bar.open),
        price_text(bar.high),
        price_text(bar.low),
        price_text(bar.close),
        volume_text(bar.volume),
        close_time(bar, span, unit),
        volume_text(bar.volume * middle),
        trades_of(bar.open_time),
        volume_text(bar.volume / 2.0),
        volume_text(bar.volume * middle / 2.0),
    )
}
