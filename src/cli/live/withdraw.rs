//! Withdrawing everything straight at the venue: no journal, no lock, no driver. It works beside a program that runs, and without one.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::domain::{Span, Symbol, SymbolIndex, Time};
use crate::venue::binance::Client;
use crate::venue::wire::{Answer, Failure, Owner, Request, VenueOrder};
use std::sync::Arc;

/// The clocks are compared first, which a signature needs; whoever waits longer for it sends all the same.
const CLOCK_WITHIN: Duration = Duration::from_secs(1);
/// Everything is answered by then, or somebody has to look.
const QUIET_WITHIN: Span = Span::from_secs(10);
/// A running program sees the latch within 200 ms; what it sent before that has arrived by then.
const SEEN_WITHIN: Span = Span::from_millis(600);
/// Between two looks at what is open.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// More symbols than these are looked at in one question, which weighs as much.
const SYMBOLS_ASKED_MAX: usize = 13;

/// What became of it.
#[derive(Debug)]
pub struct Withdrawn {
    /// Orders that the venue says it withdrew, by symbol; or why nobody knows.
    pub by_symbol: Vec<(Symbol, Result<usize, Failure>)>,
    /// When the last of the first withdrawals was on its way, after the word.
    pub sent_in: Span,
    /// When the venue showed nothing of ours any more, after the word; `None`: it never did.
    pub quiet_in: Option<Span>,
    /// What it showed last, where it did.
    pub open: Option<Vec<VenueOrder>>,
}

/// Withdraws every open order of the client's symbols, until the venue shows none of ours. `since` is when a person said so.
pub async fn withdraw_all(
    client: &Arc<Client>,
    symbols: &[Symbol],
    clock: &Arc<dyn Clock>,
    since: Time,
    beside: bool,
) -> Withdrawn {
    let deadline = since.max(clock.now()) + QUIET_WITHIN;
    let _asked_again_with_each_request = tokio::time::timeout(CLOCK_WITHIN, client.compare_clocks()).await;
    let all: Vec<SymbolIndex> = (0..symbols.len()).filter_map(|at| u16::try_from(at).ok()).map(SymbolIndex).collect();
    let mut by_symbol: Vec<(Symbol, Result<usize, Failure>)> =
        symbols.iter().map(|symbol| (symbol.clone(), Err(Failure::NotSent("it was not tried".to_owned())))).collect();
    let (mut dirty, mut sent_in, mut open) = (all.clone(), None, None);
    loop {
        let cancels = start(client, dirty.iter().map(|&symbol| Request::CancelAll { symbol }));
        sent_in.get_or_insert(clock.now() - since);
        for (at, answer) in gather(cancels, remaining(clock, deadline)).await {
            take(&mut by_symbol[dirty[at].at()].1, answer);
        }
        let seen = look(client, &all, remaining(clock, deadline)).await;
        let now = clock.now();
        let is_quiet = seen.as_ref().is_ok_and(|orders| !orders.iter().any(is_ours));
        let is_settled = !beside || now - since >= SEEN_WITHIN;
        if let Ok(orders) = seen {
            dirty = all.iter().copied().filter(|symbol| orders.iter().any(|order| order.symbol == Some(*symbol))).collect();
            open = Some(orders);
        } else if open.is_none() {
            dirty.clone_from(&all);
        }
        if (is_quiet && is_settled) || now >= deadline {
            let quiet_in = is_quiet.then_some(now - since);
            return Withdrawn { by_symbol, sent_in: sent_in.unwrap_or_default(), quiet_in, open };
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn is_ours(order: &VenueOrder) -> bool {
    matches!(order.owner, Owner::Ours(_))
}

fn remaining(clock: &Arc<dyn Clock>, deadline: Time) -> Duration {
    (deadline - clock.now()).max(Span::from_micros(0)).to_std()
}

/// Adds what one round withdrew. Nothing to withdraw is as good as withdrawn.
fn take(sum: &mut Result<usize, Failure>, answer: Result<Answer, Failure>) {
    let before = sum.as_ref().copied().unwrap_or(0);
    *sum = match answer {
        Ok(Answer::Orders(orders)) => Ok(before + orders.len()),
        Ok(_) | Err(Failure::NotOpen | Failure::NoSuchOrder) => Ok(before),
        Err(failure) => Err(failure),
    };
}

type Asked = JoinSet<(usize, Result<Answer, Failure>)>;

/// Sends requests side by side.
fn start(client: &Arc<Client>, requests: impl Iterator<Item = Request>) -> Asked {
    let mut asked = JoinSet::new();
    for (at, request) in requests.enumerate() {
        let client = client.clone();
        asked.spawn(async move { (at, client.call(&request).await) });
    }
    asked
}

/// Waits for answers, and no longer than `wait`: what has not come by then is in doubt.
async fn gather(mut asked: Asked, wait: Duration) -> Vec<(usize, Result<Answer, Failure>)> {
    let mut answers = Vec::new();
    let count = asked.len();
    let all = async {
        while let Some(answer) = asked.join_next().await {
            answers.extend(answer.ok());
        }
    };
    let _late = tokio::time::timeout(wait, all).await;
    let late = || Err(Failure::Ambiguous("it did not answer in time".to_owned()));
    let missing: Vec<usize> = (0..count).filter(|at| !answers.iter().any(|(there, _)| there == at)).collect();
    answers.extend(missing.into_iter().map(|at| (at, late())));
    answers
}

/// What the venue has open on these symbols.
async fn look(client: &Arc<Client>, symbols: &[SymbolIndex], wait: Duration) -> Result<Vec<VenueOrder>, Failure> {
    let one = |symbol: Option<SymbolIndex>| Request::OpenOrders { symbol };
    let asked = if symbols.len() > SYMBOLS_ASKED_MAX {
        start(client, std::iter::once(one(None)))
    } else {
        start(client, symbols.iter().map(|&symbol| one(Some(symbol))))
    };
    let mut open = Vec::new();
    for (_, answer) in gather(asked, wait).await {
        match answer? {
            Answer::Orders(orders) => open.extend(orders),
            _ => return Err(Failure::Protocol("another answer than a list of orders".to_owned())),
        }
    }
    open.retain(|order| order.symbol.is_some_and(|symbol| symbols.contains(&symbol)));
    Ok(open)
}
