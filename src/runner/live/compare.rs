//! The machine's comparisons with the venue: what is asked, and what follows from the answers.

use super::machine::{AskId, Live, Step};
use super::reconcile::{self, Comparison, Difference, Question};
use crate::domain::{OrderState, Qty, Span, SymbolIndex, Time};
use crate::risk::HaltCause;
use crate::stage::oms::Outbox;
use crate::venue::router::{Alarm, CLOSED_MARGIN, Routed};
use crate::venue::wire::{Account, Answer, Failure, Request, VenueFill};

/// A comparison that failed is begun again after this.
pub(super) const COMPARE_AGAIN_AFTER: Span = Span::from_secs(5);

impl Live {
    pub(super) fn compare(&mut self, now: Time, readings: u8, step: &mut Step) {
        self.comparisons += 1;
        let comparison = Comparison::new(now, self.symbols.len(), readings);
        for &question in &comparison.awaited {
            let request = match question {
                Question::OpenOrders(symbol) => Request::OpenOrders { symbol: Some(symbol) },
                Question::Trades(symbol) => reconcile::trades_request(&self.books, symbol, now),
                Question::Account => Request::Account,
            };
            step.asks.push((AskId::Compare(self.comparisons, question), request));
        }
        self.comparison = Some(comparison);
    }

    pub(super) fn on_compared(
        &mut self,
        number: u64,
        question: Question,
        result: Result<Answer, Failure>,
        now: Time,
        step: &mut Step,
        out: &mut Outbox,
    ) {
        let is_awaited = |comparison: &Comparison| comparison.awaited.contains(&question);
        if number != self.comparisons || !self.comparison.as_ref().is_some_and(is_awaited) {
            return;
        }
        match (question, result) {
            (Question::OpenOrders(symbol), Ok(Answer::Orders(orders))) => {
                for order in &orders {
                    if !self.router_mut().on_seen(order, now) {
                        let client_id = format!("{:?}", order.owner);
                        step.alarms.push(Alarm::Foreign { symbol: order.symbol_text.clone(), client_id });
                        self.halt(HaltCause::ForeignActivity, now, step, out);
                    }
                }
                self.router_mut().on_missing(symbol, &orders, now);
            }
            (Question::Trades(symbol), Ok(Answer::Fills(fills))) => {
                self.on_trades(symbol, &fills, now, step, out);
                if fills.len() >= reconcile::TRADES_PAGE {
                    let request = reconcile::trades_request(&self.books, symbol, now);
                    return step.asks.push((AskId::Compare(number, question), request));
                }
            }
            (Question::Account, Ok(Answer::Account(account))) => return self.on_account(&account, now, step, out),
            (_, Err(Failure::Key { text, .. })) => {
                step.alarms.push(Alarm::Key { text });
                self.halt(HaltCause::VenueKey, now, step, out);
                (self.comparison, self.next_comparison) = (None, now + reconcile::EVERY);
                return;
            }
            (_, Err(Failure::Throttled { until } | Failure::Banned { until })) => {
                (self.comparison, self.next_comparison) = (None, until + CLOSED_MARGIN);
                return;
            }
            (_, Ok(_) | Err(_)) => {
                (self.comparison, self.next_comparison) = (None, now + COMPARE_AGAIN_AFTER);
                return;
            }
        }
        let comparison = self.comparison.as_mut().expect("it was there a moment ago");
        if comparison.answered(question) {
            comparison.read();
            step.asks.push((AskId::Compare(number, Question::Account), Request::Account));
        }
    }

    fn on_trades(&mut self, symbol: SymbolIndex, fills: &[VenueFill], now: Time, step: &mut Step, out: &mut Outbox) {
        for fill in fills {
            if self.router_mut().on_trade(symbol, fill, now) {
                let newest = &mut self.books.newest_trades[symbol.at()];
                *newest = (*newest).max(Some(fill.trade));
                continue;
            }
            // An order of ours whose number at the venue is not known yet may have made it.
            let is_maybe_ours = |order: &Routed| order.venue_id.is_none() && order.intent.symbol == symbol;
            if self.router().state().open().any(is_maybe_ours) {
                if let Some(comparison) = &mut self.comparison {
                    comparison.is_stirred = true;
                }
                return;
            }
            let client_id = format!("trade {} of order {} at the venue", fill.trade.0, fill.order.0);
            step.alarms.push(Alarm::Foreign { symbol: self.symbols[symbol.at()].joined(), client_id });
            self.halt(HaltCause::ForeignActivity, now, step, out);
        }
    }

    /// LIVE-3: balances are compared, never taken over.
    fn on_account(&mut self, account: &Account, now: Time, step: &mut Step, out: &mut Outbox) {
        let found = self.differences(account);
        let lacks_trades = self.router().state().open().any(|order| order.told > order.filled);
        // Also one that was accepted and is missing from the list: its end, or a trade, may be hidden yet.
        let is_in_doubt =
            |order: &Routed| order.doubt.is_some() || matches!(order.state, OrderState::Sending | OrderState::Unknown);
        let has_doubtful = self.router().state().open().any(is_in_doubt);
        let comparison = self.comparison.as_mut().expect("a comparison asked for the account");
        if found.is_empty() && !comparison.is_stirred && !lacks_trades {
            self.trader.desk_mut().set_reconciled(true);
            (self.comparison, self.compared_at, self.next_comparison) = (None, Some(now), now + reconcile::EVERY);
            self.judge_absent(true, now);
            return;
        }
        comparison.is_stirred |= lacks_trades;
        if comparison.try_again(now) {
            return;
        }
        let again = if has_doubtful { COMPARE_AGAIN_AFTER } else { reconcile::EVERY };
        (self.comparison, self.next_comparison) = (None, now + again);
        self.trader.desk_mut().set_reconciled(false);
        self.judge_absent(false, now);
        // An order whose fate is not known explains it, and is asked about anyway.
        if !has_doubtful {
            step.alarms.push(Alarm::Mismatch { what: found.iter().map(ToString::to_string).collect() });
            self.halt(HaltCause::ReconcileMismatch, now, step, out);
        }
    }

    /// Where the venue's balances differ from what they should be.
    #[must_use]
    pub fn differences(&self, account: &Account) -> Vec<Difference> {
        reconcile::differences(&self.expected(), account, self.books.fills)
    }

    fn judge_absent(&mut self, fits: bool, now: Time) {
        for id in std::mem::take(&mut self.maybe_absent) {
            self.router_mut().on_compared(id, fits, now);
        }
    }

    /// A person has looked: what the venue has beyond what is ours lay there before.
    pub(super) fn accept(&mut self, account: &Account, now: Time) {
        for difference in self.differences(account) {
            let before = self.books.baseline.entry(difference.asset).or_insert(Qty::ZERO);
            *before = *before + difference.venue - difference.ours;
        }
        for at in 0..self.symbols.len() {
            (self.books.newest_trades[at], self.books.trades_since[at]) = (None, now);
        }
        self.doubt_account(now);
    }
}
