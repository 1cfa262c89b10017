//! Alerts waiting for one receiver: bounded, first in, first out.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::Severity;
use super::message::Alert;

#[derive(Debug)]
pub struct Queue {
    waiting: VecDeque<Arc<Alert>>,
    max: usize,
}

impl Queue {
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { waiting: VecDeque::new(), max }
    }

    /// Puts `alert` last. Gives back what had to go for it: the oldest that is not critical; `alert` itself where all are.
    pub fn push(&mut self, alert: Arc<Alert>) -> Option<Arc<Alert>> {
        let is_full = self.waiting.len() >= self.max;
        if !is_full {
            self.waiting.push_back(alert);
            return None;
        }
        match self.waiting.iter().position(|waiting| waiting.severity < Severity::Critical) {
            Some(at) => {
                let dropped = self.waiting.remove(at);
                self.waiting.push_back(alert);
                dropped
            }
            None => Some(alert),
        }
    }

    pub fn pop(&mut self) -> Option<Arc<Alert>> {
        self.waiting.pop_front()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;
    use Severity::{Critical, Info, Warning};
    use std::collections::BTreeMap;

    fn alert(key: &str, severity: Severity) -> Arc<Alert> {
        let (key, at) = (key.to_owned(), Time::from_micros(0));
        Arc::new(Alert { key, severity, title: String::new(), text: String::new(), at, fields: BTreeMap::new() })
    }

    /// ALERT-3.
    #[test]
    fn a_full_queue_loses_the_oldest_that_is_not_critical() {
        let mut queue = Queue::new(3);
        assert!([("a", Critical), ("b", Info), ("c", Warning)].iter().all(|(key, s)| queue.push(alert(key, *s)).is_none()));
        let dropped: Vec<_> = [("d", Critical), ("e", Critical), ("f", Critical), ("g", Info)]
            .map(|(key, s)| queue.push(alert(key, s)).unwrap().key.clone())
            .into();
        assert_eq!(dropped, ["b", "c", "f", "g"], "where all are critical the newcomer stays out");
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|a| a.key.clone()).collect();
        assert_eq!(left, ["a", "d", "e"]);
        assert!(queue.is_empty());
    }
}
