//! The machine: what comes over connections and what time it is, in; what to do, out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::page::Row;
use super::figures::Figures;
use super::frame::Frame;
use super::line::{Job, Line, Task};
use super::links::{LinkId, Links, Move, REFUSALS_MAX};
use crate::domain::{Interval, Span, Symbol, Time};

/// What is followed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// With the open time of the first bar that is wanted of each.
    pub symbols: Vec<(Symbol, Time)>,
    pub interval: Interval,
    /// What chance begins with: how long pauses are.
    pub seed: u64,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A connection stands.
    Opened(LinkId),
    /// A text came.
    Text(LinkId, String),
    /// A ping came, and was answered.
    Ping(LinkId),
    /// A connection is over, for this reason.
    Ended(LinkId, String),
    /// A job is done, or came to nothing.
    Done(usize, JobEnd),
    /// The venue's clock was found to be this far ahead of ours.
    Clock(Span),
    /// Time passed.
    Tick,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEnd {
    Filled {
        added: u64,
        /// Bars that were there, and bars that the lake refused.
        judged: Judged,
        /// What of the range is still not there.
        holes: Vec<Range<Time>>,
    },
    Kept {
        added: u64,
        judged: Judged,
    },
    Failed {
        until: Option<Time>,
        why: String,
    },
}

/// What the lake said of bars that it did not take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judged {
    /// It has them with the same values.
    pub same: u64,
    /// It has others, which stay.
    pub other: u64,
    /// They are no bars by its rules.
    pub refused: u64,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Open(LinkId),
    Send(LinkId, String),
    Close(LinkId),
    Work(Job),
    Tell(Word),
}

/// What people may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    Up,
    /// A connection is over, for this reason.
    Down(String),
    /// Bars of a symbol are in the lake, over the stream.
    Kept(Symbol, Vec<Row>),
    /// So many bars of a symbol came by asking, and lie in this range.
    Filled(Symbol, Range<Time>, u64),
    /// A job of a symbol came to nothing, and is done again.
    Retry(Symbol, String),
    /// No bar of a symbol, or nothing at all, has come for so long that its prices are old; the first bar that lacks opens then.
    Stale(Symbol, Time),
    /// It goes on.
    Fresh(Symbol),
    /// The venue will not send what we ask for.
    Refused(String),
}

#[derive(Debug)]
pub struct Machine {
    interval: Interval,
    lines: Vec<Line>,
    by_name: BTreeMap<String, usize>,
    links: Links,
    /// What the venue's clock is ahead of ours; before that is known no bar is handed on.
    offset: Option<Span>,
    figures: Figures,
    is_refused: bool,
}

impl Machine {
    #[must_use]
    pub fn new(terms: &Terms, now: Time) -> Self {
        let lines = terms.symbols.iter().map(|(symbol, next)| Line::new(symbol.clone(), terms.interval, *next, now));
        Self {
            interval: terms.interval,
            lines: lines.collect(),
            by_name: terms.symbols.iter().enumerate().map(|(at, (symbol, _))| (symbol.joined(), at)).collect(),
            links: Links::new(terms.seed, now),
            offset: None,
            figures: Figures::default(),
            is_refused: false,
        }
    }

    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Connections that are not up yet, and jobs that are not done, the comparison of clocks among them.
    #[must_use]
    pub fn pending(&self) -> (usize, usize) {
        let busy = self.lines.iter().filter(|line| line.is_busy()).count();
        (self.links.pending(), busy + usize::from(self.offset.is_none()))
    }

    /// Open time of the first bar of a symbol that is not settled.
    #[must_use]
    pub fn next_of(&self, line: usize) -> Time {
        self.lines[line].next()
    }

    /// What follows from `event`, which came at `now` by our clock.
    #[must_use]
    pub fn on(&mut self, event: Event, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Opened(id) if self.links.knows(id) => {
                self.links.hear(id, now);
                self.links.asked(id);
                effects.push(Effect::Send(id, self.subscription(id)));
            }
            Event::Text(id, text) if self.links.knows(id) => self.on_text(id, &text, now, &mut effects),
            Event::Ping(id) if self.links.knows(id) => {
                self.figures.frames += 1;
                self.links.hear(id, now);
            }
            Event::Ended(id, why) if self.links.knows(id) => {
                self.links.ended(id, now);
                self.figures.ended += 1;
                effects.push(Effect::Tell(Word::Down(why)));
            }
            Event::Done(line, end) => self.on_done(line, end, now, &mut effects),
            Event::Clock(offset) => self.offset = Some(offset),
            // Of a connection that was closed; or time, which is looked at in any case.
            Event::Opened(id) => effects.push(Effect::Close(id)),
            Event::Text(..) | Event::Ping(_) => self.figures.frames += 1,
            Event::Ended(..) | Event::Tick => {}
        }
        self.tick(now, &mut effects);
        effects
    }

    /// What has happened by the venue's clock and by ours. STREAM-1.
    fn settled(&self, now: Time) -> Time {
        self.offset.map_or(now, |offset| now.min(now + offset))
    }

    /// One control message for all symbols.
    fn subscription(&self, id: LinkId) -> String {
        let interval = self.interval;
        let params: Vec<String> = self.by_name.keys().map(|name| format!("{}@kline_{interval}", name.to_lowercase())).collect();
        serde_json::json!({ "method": "SUBSCRIBE", "params": params, "id": id.0 }).to_string()
    }

    fn on_text(&mut self, id: LinkId, text: &str, now: Time, effects: &mut Vec<Effect>) {
        self.figures.frames += 1;
        self.links.hear(id, now);
        match Frame::read(text, self.interval) {
            Ok(Frame::Bar { symbol, row, is_closed }) => match self.by_name.get(&symbol) {
                Some(line) => {
                    let settled_now = self.settled(now);
                    // B15: the same bar once more is no sign that there are new ones.
                    if !is_closed || row.open_time >= self.lines[*line].next() {
                        self.lines[*line].hear(now);
                    }
                    if is_closed {
                        self.lines[*line].take(row, settled_now, &mut self.figures);
                    }
                }
                None => self.figures.wrong_frames += 1,
            },
            Ok(Frame::Wrong(_)) => self.figures.wrong_frames += 1,
            Ok(Frame::Other) => {}
            Ok(Frame::Shutdown) => self.links.doom(id),
            Ok(Frame::Answer { refusal: None }) => self.on_live(id, now, effects),
            Ok(Frame::Answer { refusal: Some(said) }) => {
                self.links.refused(id, now);
                self.figures.ended += 1;
                let why = format!("binance refused what was asked for: {said}");
                effects.push(Effect::Close(id));
                if self.links.refusals() >= REFUSALS_MAX {
                    self.is_refused = true;
                    effects.push(Effect::Tell(Word::Refused(said)));
                } else {
                    effects.push(Effect::Tell(Word::Down(why)));
                }
            }
            Err(why) => {
                self.figures.wrong_frames += 1;
                self.figures.ended += 1;
                self.links.ended(id, now);
                effects.extend([Effect::Close(id), Effect::Tell(Word::Down(format!("a message that cannot be read: {why}")))]);
            }
        }
    }

    /// What closed while nobody listened is asked for: before a connection was up, and between two.
    fn on_live(&mut self, id: LinkId, now: Time, effects: &mut Vec<Effect>) {
        let settled_now = self.settled(now);
        self.figures.connections += 1;
        if self.links.live(id, now) {
            self.figures.reconnects += u64::from(self.figures.connections > 1);
            effects.push(Effect::Tell(Word::Up));
        }
        self.lines.iter_mut().for_each(|line| line.doubt_until_now(settled_now));
    }

    fn on_done(&mut self, at: usize, end: JobEnd, now: Time, effects: &mut Vec<Effect>) {
        let (line, figures) = (&mut self.lines[at], &mut self.figures);
        let symbol = line.symbol.clone();
        match end {
            JobEnd::Filled { added, judged, holes } => {
                figures.judge(judged);
                let asked = line.filled(added, &holes, now, figures);
                if let Some(range) = asked.filter(|_| added > 0) {
                    effects.push(Effect::Tell(Word::Filled(symbol, range, added)));
                }
            }
            JobEnd::Kept { added, judged } => {
                figures.judge(judged);
                figures.bars += added;
                let rows = line.kept();
                if added == rows.len() as u64 {
                    effects.push(Effect::Tell(Word::Kept(symbol, rows)));
                }
            }
            JobEnd::Failed { until, why } => {
                line.failed(until, now, figures);
                effects.push(Effect::Tell(Word::Retry(symbol, why)));
            }
        }
    }

    fn tick(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let settled_now = self.settled(now);
        for act in if self.is_refused { Vec::new() } else { self.links.tick(now, &mut self.figures) } {
            effects.push(match act {
                Move::Open(id) => Effect::Open(id),
                Move::Close(id) => Effect::Close(id),
                Move::End(_, why) => Effect::Tell(Word::Down(why)),
            });
        }
        for (at, line) in self.lines.iter_mut().enumerate() {
            let task = self.offset.and_then(|_| line.work(settled_now, now, &mut self.figures));
            if let Some(task) = task {
                if let Task::Fill(range) = &task {
                    assert!(range.start < range.end, "STREAM-2: what is asked for lies between two bars");
                }
                effects.push(Effect::Work(Job { line: at, task }));
            }
            let is_stale = line.is_stale_at(settled_now, now);
            if is_stale != line.is_stale {
                line.is_stale = is_stale;
                let symbol = line.symbol.clone();
                effects.push(Effect::Tell(if is_stale { Word::Stale(symbol, line.next()) } else { Word::Fresh(symbol) }));
            }
        }
    }
}

impl Figures {
    fn judge(&mut self, judged: Judged) {
        self.duplicates += judged.same;
        self.conflicts += judged.other;
        self.refused += judged.refused;
    }
}

#[cfg(test)]
mod tests;
