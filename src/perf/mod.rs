//! Performance: what an equity curve says about itself.
//!
//! Enter at [`Curve::mark`] while running and at [`Summary::of`] afterwards. Pure and silent. Equity is exact money until a
//! ratio is formed; ratios are floats.
//!
//! PERF-1  A mark belongs to the UTC day and the ISO week of the instant just before it: a mark at 00:00 closes the day before.
//! PERF-2  A drawdown is a fraction in [0, 1]; positive is loss.
//! PERF-3  A figure that is undefined (too few samples, no variance, nothing lost) is `None`, never a NaN.
//! PERF-4  A curve written and read back goes on as if it had never stopped.
//! PERF-5  A rolling figure is never made over a day without a mark, and never known before the time that was named.
//!
//! Not here: limits on drawdown and what happens at them (`risk`), fills and fees (the run's record).

pub mod drawdown;
pub mod equity;
pub mod periods;
pub mod ratios;
pub mod rolling;
pub mod slippage;
pub mod summary;

pub use drawdown::{Drawdown, Underwater};
pub use equity::{Curve, DayClose};
pub use periods::{Period, PeriodRow, PeriodTable};
pub use ratios::Sharpe;
pub use rolling::{Unknown, Window};
pub use slippage::Slippage;
pub use summary::Summary;
