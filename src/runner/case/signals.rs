//! Signals from a file, in the model's place.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Interval, Money, Symbol, SymbolIndex, Target, Time};
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::source::{Place, Source};
use crate::stage::model::{FEATURES_MAX, Signal};

const HEADER: [&str; 4] = ["time", "symbol", "target", "notional"];

/// What to signal at which close; at every other the model holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    given: BTreeMap<(Time, SymbolIndex), (Target, usize)>,
}

/// What a file of signals must fit.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub symbols: &'a [Symbol],
    pub interval: Interval,
    /// What a long signal asks for that names no amount.
    pub notional: Money,
}

impl Signals {
    /// Reads a file of signals. `None` when anything is wrong; the findings say what.
    #[must_use]
    pub fn read(source: &Arc<Source>, frame: &Frame<'_>, found: &mut Diagnostics) -> Option<Self> {
        let before = found.errors();
        let mut signals = Self::default();
        let mut has_header = false;
        let mut start = 0;
        for (at, line) in source.text().split_inclusive('\n').enumerate() {
            let row = Row::new(source, start, line);
            start += line.len();
            if line.trim().is_empty() {
                continue;
            }
            let result =
                if has_header { row.signal(frame).and_then(|signal| signals.add(signal, at + 1, &row)) } else { row.header() };
            has_header = true;
            if let Err(error) = result {
                found.push(*error);
            }
        }
        if !has_header {
            let error = Diagnostic::error("no-signals", format!("{} is empty", source.name));
            found.push(error.hint("write a header, time,symbol,target, and a row for each signal"));
        }
        (found.errors() == before).then_some(signals)
    }

    fn add(
        &mut self,
        (at, symbol, target): (Time, SymbolIndex, Target),
        line: usize,
        row: &Row<'_>,
    ) -> Result<(), Box<Diagnostic>> {
        if let Some((_, first)) = self.given.insert((at, symbol), (target, line)) {
            let error = row.wrong(0, "duplicate-signal", "the symbol has another signal for this close".to_owned(), "again");
            return Err(Box::new(error.note(format!("the first stands in line {first}")).hint("keep one of the two")));
        }
        Ok(())
    }

    /// The signal for a close, and its line; a hold where none is given.
    #[must_use]
    pub fn at(&self, symbol: SymbolIndex, close: Time) -> (Signal, Option<usize>) {
        let Some(&(target, line)) = self.given.get(&(close, symbol)) else { return (Signal::NONE, None) };
        let prediction = match target {
            Target::Long { .. } => 1.0,
            Target::Flat => -1.0,
            Target::Hold => 0.0,
        };
        (Signal { target, prediction, features: [None; FEATURES_MAX] }, Some(line))
    }

    /// Every signal: its line, its close, its symbol.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Time, SymbolIndex)> {
        self.given.iter().map(|(&(close, symbol), &(_, line))| (line, close, symbol))
    }
}

/// A line with the places of its cells.
struct Row<'a> {
    source: &'a Arc<Source>,
    /// Where each cell begins, and its text without blanks.
    cells: Vec<(usize, &'a str)>,
}

impl<'a> Row<'a> {
    fn new(source: &'a Arc<Source>, start: usize, line: &'a str) -> Self {
        let mut at = start;
        let cell = |text: &'a str| {
            let begin = at + (text.len() - text.trim_start().len());
            at += text.len() + 1;
            (begin, text.trim())
        };
        Self { source, cells: line.trim_end_matches(['\r', '\n']).split(',').map(cell).collect() }
    }

    fn text(&self, at: usize) -> &'a str {
        self.cells.get(at).map_or("", |cell| cell.1)
    }

    fn wrong(&self, at: usize, code: &'static str, message: String, label: &str) -> Diagnostic {
        let (begin, text) = self.cells.get(at).or(self.cells.last()).copied().unwrap_or_default();
        let end = begin + text.len().max(1);
        let place = Place::new(self.source, begin..end.min(self.source.text().len()));
        Diagnostic::error(code, message).at(place).label(label)
    }

    fn header(&self) -> Result<(), Box<Diagnostic>> {
        let names: Vec<&str> = self.cells.iter().map(|cell| cell.1).collect();
        if names == HEADER || names == HEADER[..3] {
            return Ok(());
        }
        let error = self.wrong(0, "bad-header", "this is not the header of signals".to_owned(), "not the header");
        Err(Box::new(error.hint("write time,symbol,target or time,symbol,target,notional in the first line")))
    }

    fn signal(&self, frame: &Frame<'_>) -> Result<(Time, SymbolIndex, Target), Box<Diagnostic>> {
        if !(3..=4).contains(&self.cells.len()) {
            let message = format!("a signal has 3 or 4 cells, this line has {}", self.cells.len());
            return Err(Box::new(
                self.wrong(0, "bad-signal", message, "this line").hint("write time,symbol,target or time,symbol,target,notional"),
            ));
        }
        Ok((self.close(frame)?, self.symbol(frame)?, self.target(frame)?))
    }

    fn close(&self, frame: &Frame<'_>) -> Result<Time, Box<Diagnostic>> {
        let Ok(time) = self.text(0).parse::<Time>() else {
            let error = self.wrong(0, "bad-time", format!("\"{}\" is not a UTC time", self.text(0)), "not understood");
            return Err(Box::new(error.hint("write it like 2026-03-29T01:00:00Z")));
        };
        if frame.interval.is_on_grid(time) {
            return Ok(time);
        }
        let message = format!("no bar of {} closes at {time}", frame.interval);
        Err(Box::new(
            self.wrong(0, "off-grid", message, "not a close").hint("a signal stands at the close of the bar that made it"),
        ))
    }

    fn symbol(&self, frame: &Frame<'_>) -> Result<SymbolIndex, Box<Diagnostic>> {
        let at = frame.symbols.iter().position(|symbol| symbol.to_string() == self.text(1));
        let Some(at) = at.and_then(|at| u16::try_from(at).ok()) else {
            let names: Vec<String> = frame.symbols.iter().map(ToString::to_string).collect();
            let error =
                self.wrong(1, "unknown-symbol", format!("the pipeline does not trade \"{}\"", self.text(1)), "not traded");
            return Err(Box::new(error.hint(format!("it trades {}", names.join(", ")))));
        };
        Ok(SymbolIndex(at))
    }

    fn target(&self, frame: &Frame<'_>) -> Result<Target, Box<Diagnostic>> {
        let amount = match self.text(3) {
            "" => None,
            text => match text.parse::<Money>() {
                Ok(amount) if amount.is_positive() => Some(amount),
                _ => {
                    let error = self.wrong(3, "bad-decimal", format!("\"{text}\" is not an amount above zero"), "not an amount");
                    return Err(Box::new(error.hint("write digits and at most one point, like 50 or 0.25")));
                }
            },
        };
        match (self.text(2), amount) {
            ("long", amount) => Ok(Target::Long { notional: amount.unwrap_or(frame.notional) }),
            ("flat", None) => Ok(Target::Flat),
            ("hold", None) => Ok(Target::Hold),
            ("flat" | "hold", Some(_)) => {
                let error = self.wrong(3, "bad-signal", "only a long signal has an amount".to_owned(), "not used");
                Err(Box::new(error.hint("leave the cell empty")))
            }
            (other, _) => {
                let error = self.wrong(2, "unknown-target", format!("\"{other}\" is not a target"), "unknown");
                Err(Box::new(error.hint("write long, flat or hold")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Signals, Vec<(&'static str, usize)>> {
        let symbols = ["BTC/USDT".parse().unwrap(), "ETH/USDT".parse().unwrap()];
        let frame = Frame { symbols: &symbols, interval: "1h".parse().unwrap(), notional: "50".parse().unwrap() };
        let mut found = Diagnostics::default();
        let signals = Signals::read(&Source::new("signals.csv", text), &frame, &mut found);
        let told = |d: &Diagnostic| (d.code, d.place.as_ref().map_or(0, |place| place.line_column().0));
        signals.ok_or_else(|| found.iter().map(told).collect())
    }

    #[test]
    fn a_signal_stands_at_its_close_and_all_else_is_a_hold() {
        let text = "time,symbol,target,notional\n2026-03-29T01:00:00Z,ETH/USDT,long,\r\n2026-03-29T02:00:00Z, BTC/USDT ,flat,\n";
        let signals = read(text).unwrap();
        let close: Time = "2026-03-29T01:00:00Z".parse().unwrap();
        let (signal, line) = signals.at(SymbolIndex(1), close);
        assert_eq!((signal.target, signal.prediction, line), (Target::Long { notional: "50".parse().unwrap() }, 1.0, Some(2)));
        assert_eq!(signals.at(SymbolIndex(0), close), (Signal::NONE, None));
        assert_eq!(signals.iter().map(|(line, ..)| line).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn every_slip_is_told_with_its_line() {
        assert_eq!(read(""), Err(vec![("no-signals", 0)]));
        assert_eq!(read("time,symbol\n"), Err(vec![("bad-header", 1)]));
        let rows = "time,symbol,target\n\
                    29.3.2026,BTC/USDT,long\n\
                    2026-03-29T01:30:00Z,BTC/USDT,long\n\
                    2026-03-29T01:00:00Z,SOL/USDT,long\n\
                    2026-03-29T01:00:00Z,BTC/USDT,short\n\
                    2026-03-29T01:00:00Z,BTC/USDT,long,-5\n\
                    2026-03-29T01:00:00Z,BTC/USDT,flat,5\n\
                    2026-03-29T01:00:00Z,BTC/USDT\n\
                    2026-03-29T02:00:00Z,BTC/USDT,long\n\
                    2026-03-29T02:00:00Z,BTC/USDT,flat\n";
        let codes = [
            ("bad-time", 2),
            ("off-grid", 3),
            ("unknown-symbol", 4),
            ("unknown-target", 5),
            ("bad-decimal", 6),
            ("bad-signal", 7),
            ("bad-signal", 8),
            ("duplicate-signal", 10),
        ];
        assert_eq!(read(rows), Err(codes.to_vec()));
    }
}
