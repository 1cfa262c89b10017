//! Following a venue's streams: the machine decides, one thread has the wire, another asks for bars and keeps them.

use std::ops::Range;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::{IngestError, Intake, Origin, despite_others};
use crate::domain::{Series, Span, Time};
use crate::feed::binance::stream::{Effect, Event, Figures, Job, JobEnd, Judged, Machine, Sockets, Task, Terms, Word};
use crate::feed::binance::{Address, BinanceError, Http, Reach, RestClient, Row};
use crate::feed::{BarSource, Batch, FeedError, Fingerprint};
use crate::stage::ingest::Reason;
use crate::stage::ingest::config::Contract;
use crate::stage::ingest::taken::SourceReport;
use crate::store::Lake;
use crate::telemetry::event::{FeedStale, StreamEnded, StreamJobFailed};

/// How long the wire is listened to before the time is looked at again, and whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A client compares clocks when it begins; after so long another one does.
const CLIENT_AGE_MAX: Span = Span::from_secs(3600);

/// Where there is nothing to do, the comparison of clocks that failed is tried again.
const COMPARE_EVERY: Duration = Duration::from_secs(5);

/// What is followed, and where its bars go.
#[derive(Debug)]
pub struct Follow<'a> {
    pub lake: &'a Lake,
    pub contract: &'a Contract,
    pub reach: &'a Reach,
    /// Where missing bars are asked for.
    pub rest: &'a Address,
    pub stream: &'a Address,
    /// All of one interval.
    pub series: &'a [Series],
    /// When to end; never by itself if not given.
    pub until: Option<Time>,
    look_every: Duration,
}

/// Who looks on.
pub trait Watcher {
    /// Something that people may want to know happened at this time.
    fn hear(&mut self, word: &Word, now: Time);

    /// All that came by `now` has been looked at; so many connections and jobs are on their way.
    fn rest(&mut self, _now: Time, _figures: &Figures, _pending: (usize, usize)) {}
}

impl<'a> Follow<'a> {
    #[must_use]
    pub fn new(
        lake: &'a Lake,
        contract: &'a Contract,
        reach: &'a Reach,
        (rest, stream): (&'a Address, &'a Address),
        series: &'a [Series],
    ) -> Self {
        Self { lake, contract, reach, rest, stream, series, until: None, look_every: LOOK_EVERY }
    }

    /// Ends at this time.
    #[must_use]
    pub fn until(self, until: Option<Time>) -> Self {
        Self { until, ..self }
    }

    /// Looks at the time so often; what comes over the wire is looked at when it comes.
    #[must_use]
    pub fn look_every(self, look_every: Duration) -> Self {
        Self { look_every, ..self }
    }

    /// Follows the streams until the time is over or somebody asks to stop; `from` are the first bars wanted, in the order of the
    /// series. What has come by then is in the lake.
    ///
    /// # Errors
    /// When the lake cannot be written, or the venue refuses for good. A venue that cannot be reached is waited for.
    pub fn run(&self, from: &[Time], watcher: &mut dyn Watcher) -> Result<Figures, IngestError> {
        let Some(first) = self.series.first() else { return Ok(Figures::default()) };
        let now = self.reach.now();
        let symbols = self.series.iter().map(|series| series.symbol().clone()).zip(from.iter().copied()).collect();
        let terms = Terms { symbols, interval: first.interval(), seed: now.micros().unsigned_abs() };
        let sockets = Sockets::open(self.stream, self.reach).map_err(FeedError::from)?;
        std::thread::scope(|scope| {
            let (jobs, todo) = mpsc::channel();
            let clerk = Clerk { follow: self, http: Http::open(self.rest, self.reach).map_err(FeedError::from)? };
            let mailbox = sockets.mailbox();
            let clerk = scope.spawn(move || clerk.work(&todo, &mailbox));
            let mut hand = Hand { machine: Machine::new(&terms, now), sockets, jobs, refused: None, watcher };
            hand.turn(self);
            let Hand { machine, mut sockets, jobs, refused, watcher } = hand;
            drop(jobs);
            sockets.hang_up();
            let figures = self.finish(machine, &mut sockets, watcher);
            let ended = clerk.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            match refused {
                Some(said) => Err(FeedError::from(refused_for_good(said)).into()),
                None => Ok(figures),
            }
        })
    }

    /// What was under way when it ended counts too.
    fn finish(&self, mut machine: Machine, sockets: &mut Sockets, watcher: &mut dyn Watcher) -> Figures {
        while let Some(event) = sockets.last() {
            if !matches!(event, Event::Done(..)) {
                continue;
            }
            let now = self.reach.now();
            for effect in machine.on(event, now) {
                // What would be done again is not, and nobody needs to hear of it.
                if let Effect::Tell(word @ (Word::Kept(..) | Word::Filled(..))) = effect {
                    watcher.hear(&word, now);
                }
            }
        }
        machine.figures().clone()
    }

    fn is_over(&self) -> bool {
        self.reach.is_stopped() || self.until.is_some_and(|until| self.reach.now() >= until)
    }
}

fn refused_for_good(said: String) -> BinanceError {
    BinanceError::Refused { what: "the streams of these symbols".to_owned(), status: 101, said }
}

/// What performs the machine's effects.
struct Hand<'w> {
    machine: Machine,
    sockets: Sockets,
    jobs: mpsc::Sender<Job>,
    refused: Option<String>,
    watcher: &'w mut dyn Watcher,
}

impl Hand<'_> {
    /// Until it is over: by time, by a stop, by a refusal, or because the clerk is gone.
    fn turn(&mut self, follow: &Follow<'_>) {
        self.perform(Event::Tick, follow.reach.now());
        while !follow.is_over() && self.refused.is_none() {
            let mut event = self.sockets.next(follow.look_every);
            while let Some(came) = event {
                if !self.perform(came, follow.reach.now()) {
                    return;
                }
                event = if follow.is_over() { None } else { self.sockets.next(Duration::ZERO) };
            }
            let now = follow.reach.now();
            if !self.perform(Event::Tick, now) {
                return;
            }
            self.watcher.rest(now, self.machine.figures(), self.machine.pending());
        }
    }

    /// False when nobody takes jobs any more.
    fn perform(&mut self, event: Event, now: Time) -> bool {
        for effect in self.machine.on(event, now) {
            match effect {
                Effect::Open(id) => self.sockets.connect(id),
                Effect::Send(id, text) => self.sockets.send(id, text),
                Effect::Close(id) => self.sockets.close(id),
                Effect::Work(job) => {
                    if self.jobs.send(job).is_err() {
                        return false;
                    }
                }
                Effect::Tell(word) => {
                    if let Word::Refused(said) = &word {
                        self.refused = Some(said.clone());
                    }
                    say(&word);
                    self.watcher.hear(&word, now);
                }
            }
        }
        true
    }
}

/// Who asks the venue for bars and puts bars into the lake: one, so that a series has one writer.
struct Clerk<'a> {
    follow: &'a Follow<'a>,
    http: Http,
}

impl Clerk<'_> {
    /// Does jobs until there are no more.
    ///
    /// # Errors
    /// When the lake cannot be written.
    fn work(&self, todo: &mpsc::Receiver<Job>, mailbox: &Sender<Event>) -> Result<(), IngestError> {
        let mut client: Option<(RestClient<'_>, Time)> = None;
        // Clocks are compared before the first bar comes. A venue that does not answer now is asked again.
        let _ = self.compare_clocks(&mut client, mailbox);
        loop {
            let Job { line, task } = match todo.recv_timeout(COMPARE_EVERY) {
                Ok(job) => job,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.compare_clocks(&mut client, mailbox);
                    continue;
                }
            };
            let end = match task {
                Task::Fill(range) => self.fill(line, range, &mut client, mailbox),
                Task::Keep(rows) => {
                    let kept = self.keep(line, &rows);
                    // A bar that is here is kept, whether the venue answers or not.
                    let _ = self.compare_clocks(&mut client, mailbox);
                    kept
                }
            };
            let end = end.or_else(|error| {
                // What went wrong with the venue may have to do with its clock, or with ours.
                client = None;
                passing(error)
            })?;
            if mailbox.blocking_send(Event::Done(line, end)).is_err() {
                return Ok(());
            }
        }
    }

    fn intake(&self) -> Intake<'_> {
        Intake::new(self.follow.lake, self.follow.contract, self.follow.reach.now())
    }

    fn fill<'h>(
        &'h self,
        line: usize,
        range: Range<Time>,
        client: &mut Option<(RestClient<'h>, Time)>,
        mailbox: &Sender<Event>,
    ) -> Result<JobEnd, IngestError> {
        let series = &self.follow.series[line];
        self.compare_clocks(client, mailbox)?;
        let (client, _) = client.as_mut().expect("a client was opened above");
        let intake = self.intake();
        let reports = intake.fetch(client, series, range.clone(), &mut |_| {})?;
        let judged = reports.iter().map(judged_of).fold(Judged::default(), |sum, each| Judged {
            same: 0,
            other: sum.other + each.other,
            refused: sum.refused + each.refused,
        });
        let added = reports.iter().map(|report| report.added).sum();
        Ok(JobEnd::Filled { added, judged, holes: intake.missing(series, range, 0)? })
    }

    /// Opens a client where none is, or where the last one is old.
    fn compare_clocks<'h>(
        &'h self,
        client: &mut Option<(RestClient<'h>, Time)>,
        mailbox: &Sender<Event>,
    ) -> Result<(), IngestError> {
        let now = self.follow.reach.now();
        if client.as_ref().is_none_or(|(_, since)| now - *since >= CLIENT_AGE_MAX) {
            let opened = RestClient::open(&self.http, self.follow.lake.local()).map_err(FeedError::from)?;
            // Nobody listens only at the end, when it does not matter.
            let _ = mailbox.blocking_send(Event::Clock(opened.offset()));
            *client = Some((opened, now));
        }
        Ok(())
    }

    fn keep(&self, line: usize, rows: &[Row]) -> Result<JobEnd, IngestError> {
        let report = self.intake().keep(&self.follow.series[line], rows)?;
        Ok(JobEnd::Kept { added: report.added, judged: judged_of(&report) })
    }
}

impl Intake<'_> {
    /// Takes in bars that came one by one, ascending; those that are there already stay as they are.
    ///
    /// # Errors
    /// When the lake cannot be written; it is then as before.
    pub fn keep(&self, series: &Series, rows: &[Row]) -> Result<SourceReport, IngestError> {
        despite_others(|| {
            let source = Arrived { rows: rows.to_vec() };
            self.take_in(series, Box::new(source), Origin::Made("binance-ws"), &mut |_| {})
        })
    }
}

/// Bars that are here, as a source.
struct Arrived {
    rows: Vec<Row>,
}

impl BarSource for Arrived {
    fn read(&mut self, _rows: usize, into: &mut Batch) -> Result<bool, FeedError> {
        for (row, place) in std::mem::take(&mut self.rows).iter().zip(1..) {
            row.push_to(place, into);
        }
        Ok(false)
    }

    fn position(&self) -> u64 {
        0
    }

    fn finish(self: Box<Self>) -> Result<Option<Fingerprint>, FeedError> {
        Ok(None)
    }
}

/// What goes wrong is in the log, whoever looks on.
fn say(word: &Word) {
    match word {
        Word::Down(why) | Word::Refused(why) => StreamEnded { why }.emit(),
        Word::Retry(symbol, why) => StreamJobFailed { symbol, why }.emit(),
        Word::Stale(symbol, lacks) => FeedStale { symbol, lacks: *lacks, is_over: false }.emit(),
        Word::Fresh(symbol) => FeedStale { symbol, lacks: Time::MAX, is_over: true }.emit(),
        Word::Up | Word::Kept(..) | Word::Filled(..) => {}
    }
}

fn judged_of(report: &SourceReport) -> Judged {
    let other = report.refused.get(Reason::Conflict.code()).copied().unwrap_or_default();
    let refused: u64 = report.refused.values().sum();
    Judged { same: report.already_there, other, refused: refused - other }
}

/// What passes by waiting; anything else ends it all.
fn passing(error: IngestError) -> Result<JobEnd, IngestError> {
    let until = match &error {
        IngestError::Feed(FeedError::Binance(BinanceError::Closed { until, .. })) => Some(*until),
        IngestError::Feed(FeedError::Binance(BinanceError::MemoryDamaged { .. } | BinanceError::Memory { .. })) => {
            return Err(error);
        }
        IngestError::Feed(FeedError::Binance(_)) => None,
        IngestError::Lake(lake) if lake.passes() => None,
        _ => return Err(error),
    };
    Ok(JobEnd::Failed { until, why: error.to_string() })
}
