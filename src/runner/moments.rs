//! Bars of several symbols, moment by moment: all that open at one time come together, in the order of the symbols.

use crate::domain::{Bar, Columns, SymbolIndex, Time};

/// Walks columns side by side in time order.
#[derive(Debug)]
pub struct Moments<'a> {
    columns: &'a [Columns],
    /// By symbol: the next bar.
    cursors: Vec<usize>,
    /// The bars of the current moment; reused, so that a step allocates nothing.
    bars: Vec<(SymbolIndex, Bar)>,
}

impl<'a> Moments<'a> {
    #[must_use]
    pub fn new(columns: &'a [Columns]) -> Self {
        assert!(columns.len() <= usize::from(u16::MAX), "a pipeline has fewer symbols than 65,536");
        Self { columns, cursors: vec![0; columns.len()], bars: Vec::with_capacity(columns.len()) }
    }

    /// The next moment and its bars; `None` when every column has ended.
    #[inline]
    pub fn advance(&mut self) -> Option<(Time, &[(SymbolIndex, Bar)])> {
        let mut earliest = i64::MAX;
        for (column, &cursor) in self.columns.iter().zip(&self.cursors) {
            if let Some(&time) = column.open_time.get(cursor) {
                earliest = earliest.min(time);
            }
        }
        if earliest == i64::MAX {
            return None;
        }
        self.bars.clear();
        for (index, (column, cursor)) in self.columns.iter().zip(&mut self.cursors).enumerate() {
            if column.open_time.get(*cursor) == Some(&earliest) {
                self.bars.push((SymbolIndex(index as u16), column.bar(*cursor)));
                *cursor += 1;
            }
        }
        Some((Time::from_micros(earliest), &self.bars))
    }

    /// Bars not yet given.
    #[must_use]
    pub fn left(&self) -> usize {
        self.columns.iter().zip(&self.cursors).map(|(column, cursor)| column.len() - cursor).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(times: &[i64]) -> Columns {
        let bar = |&t: &i64| Bar { open_time: Time::from_micros(t), open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 };
        times.iter().map(bar).collect()
    }

    #[test]
    fn bars_of_one_time_come_together_and_holes_stay_holes() {
        let all = [columns(&[1, 2, 4]), columns(&[2, 3]), columns(&[])];
        let mut moments = Moments::new(&all);
        let mut seen = Vec::new();
        assert_eq!(moments.left(), 5);
        while let Some((time, bars)) = moments.advance() {
            seen.push((time.micros(), bars.iter().map(|(s, _)| s.0).collect::<Vec<_>>()));
        }
        assert_eq!(seen, [(1, vec![0]), (2, vec![0, 1]), (3, vec![1]), (4, vec![0])]);
        assert_eq!(moments.left(), 0);
    }
}
