//! The words of the trade: time, money, instruments, bars, orders, fills.
//!
//! Enter at the type you need; everything here is plain data with checked constructors.
//!
//! DOMAIN-1  A `Price` counts 1e-10, a `Qty` 1e-8 and `Money` 1e-18, so price × quantity is exact.
//! DOMAIN-2  No arithmetic wraps: overflow stops the program, in release builds too.
//! DOMAIN-3  A conversion that rounds says in its name which way.
//!
//! Not here: decisions (`risk`, `stage`), reading or writing of any kind.

pub mod bar;
pub mod brief;
pub mod decimal;
pub mod fill;
pub mod instrument;
pub mod lifecycle;
pub mod money;
pub mod order;
pub mod rows;
pub mod secret;
pub mod series;
pub mod target;
pub mod time;
pub mod trade;

pub use bar::{Bar, Columns};
pub use brief::Brief;
pub use fill::{FeeIn, Fill, Liquidity};
pub use instrument::{Instrument, Symbol, SymbolIndex};
pub use lifecycle::{BadTransition, OrderEvent, OrderState};
pub use money::{Bps, Fraction, Money, Price, Qty};
pub use order::{ClientOrderId, OrderIntent, OrderKind, Purpose, RejectReason, Side, Size, TimeInForce};
pub use rows::{Extras, Projection, Rows, TRADES_UNKNOWN};
pub use secret::SecretRef;
pub use series::{Series, SeriesError};
pub use target::Target;
pub use time::{Interval, Span, Time};
pub use trade::Trade;
