//! Binance Spot as a venue of orders: requests of ours become its bytes, and its bytes become answers of ours.
//!
//! Enter at [`Client::call`] for requests, at [`stream`] for what the venue says unasked, at [`Rules`] for what it takes. What decides is
//! plain functions of bytes and times; [`Client`] and the stream's thread are the only edges.
//!
//! ORDERS-1  REST parameters are percent-encoded first and then signed, those of the WebSocket API are sorted and signed as they are.
//! ORDERS-2  No secret, signature or signed request is in a `Debug`, an error or a log; of the API key the last four characters are.
//! ORDERS-3  A request that changes something is refused, done, or ambiguous; it is "not sent" only when no byte of it has left.
//! ORDERS-4  Prices and quantities are decimals from the first byte to the last: no float, no exponent, nothing rounded in silence.
//! ORDERS-5  What [`SymbolRules::fit`] gives passes [`SymbolRules::check`], and is never larger or more daring than what was asked.
//! ORDERS-6  No minute holds more than half of the weight nor more than a fifth of the orders; withdrawals have room of their own.
//! ORDERS-7  While the venue wants no request none leaves, over restarts too; in a mere slowdown a withdrawal may knock.
//! ORDERS-8  A request that met a wrong clock is sent once more, under the same id, after the clocks were compared.

mod client;
mod code;
mod decode;
mod dry_run;
mod encode;
mod error;
mod event;
mod limits;
mod number;
mod offset;
mod params;
mod reply;
mod rights;
mod rules;
mod sign;
pub mod stream;
mod symbols;

pub use client::{Client, ClientConfig, ORDER_TIMEOUT};
pub use decode::{Read, decode};
pub use encode::{Call, Method, OUR_CODE, PAGE_MAX, encode};
pub use error::OrdersError;
pub use event::{Frame, Refusal};
pub use limits::{Class, Limits};
pub use offset::{COMPARE_EVERY, Offset, VenueClock};
pub use params::{Params, SignedQuery};
pub use reply::Reply;
pub use rights::{KeyFault, KeyRights};
pub use rules::{Band, Bounds, LimitKind, Notional, RateLimit, Rules, SymbolRules, Unfit};
pub use sign::{Key, KeyKind};
pub use symbols::Symbols;
