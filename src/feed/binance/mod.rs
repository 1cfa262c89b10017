//! Binance as a source of bars: its REST API and its archive of files.
//!
//! Enter at [`Http::open`] and [`RestClient::open`], then [`RestKlines`] or [`archive::Archive`]; at [`stream`] for bars as they
//! close. Everything that decides is a plain function of an answer and a time; [`Wire`] is the one edge, and tests put a venue of
//! their own behind it.
//!
//! BINANCE-1  No request leaves while the venue has asked for none, whichever process it asked.
//! BINANCE-2  Our requests use at most half of the weight the venue allows in a minute.
//! BINANCE-3  Every page makes progress or ends the range: no page is asked for without end.
//! BINANCE-4  Only bars that have closed by the venue's clock and by ours are handed on.
//! BINANCE-5  No byte of an archive is decoded before its checksum was found right.

mod address;
mod answer;
pub mod archive;
mod budget;
mod client;
mod closure;
mod error;
mod http;
mod klines;
mod page;
mod rejected;
mod status;
pub mod stream;

pub use address::{Address, Service, is_loopback};
pub use answer::{Answer, Meaning};
pub use client::{RestClient, Wire};
pub use closure::{Closure, Kept};
pub use error::BinanceError;
pub use http::{Http, Reach};
pub use klines::{PAGE_BARS_MAX, RestKlines};
pub use page::Row;
pub use status::TRADING;
