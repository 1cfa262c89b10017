//! What `run` and `replay` share: the chosen documents, the lake, Ctrl-C, progress.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Context;
use super::exit::{Exit, Failure, OrExit};
use crate::domain::{Columns, Series, Span, Time};
use crate::feed::FeedError;
use crate::feed::binance::BinanceError;
use crate::pipeline::Plan;
use crate::profile::Profile;
use crate::runner::folder::Read;
use crate::runner::footing::settle;
use crate::runner::trader::TraderConfig;
use crate::runner::{setup, stale};
use crate::stage::ingest::task::{IngestError, series_of};
use crate::store::journal::Journal;
use crate::store::{Lake, LakeError};

/// Stale records named one by one.
const STALE_NAMED_MAX: usize = 3;

/// A pipeline ready to work: what it means, where its bars are.
#[derive(Clone)]
pub struct Workplace {
    pub profile: Profile,
    pub plan: Plan,
    pub trader: TraderConfig,
    pub lake: Lake,
    pub series: Vec<Series>,
    /// `runs/<profile>`.
    pub runs: PathBuf,
}

impl Workplace {
    /// The pipeline under the limits that hold now: those of the step that the profile stands on.
    ///
    /// # Errors
    /// As [`Self::at_start`], and when nobody can say where the profile stands.
    pub fn new(context: &Context, mut profile: Profile, plan: Plan) -> Result<Self, Failure> {
        super::standing::stand(context, &mut profile)?;
        Self::at_start(context, profile, plan)
    }

    /// The same wherever the profile stands, by its documents alone: a replay is the same everywhere.
    ///
    /// # Errors
    /// When the plan asks for what has no engine yet, or the lake is not a folder.
    pub fn at_start(context: &Context, profile: Profile, plan: Plan) -> Result<Self, Failure> {
        let trader = setup::trader(&profile, &plan).or_exit(Exit::Configuration)?;
        let lake = super::lake::of_profile(&profile, context)?;
        let series = series_of(plan.ingest(), &context.root).map_err(ingest_failure)?;
        let runs = context.root.join(&profile.storage().runs).join(profile.name());
        Ok(Self { profile, plan, trader, lake, series, runs })
    }

    /// Brings the journal up to date with kills, documents and wishes, and trades under the limits that follow. Gives what was done.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn settle(&mut self, journal: &mut Journal, now: Time) -> Result<Vec<String>, Failure> {
        let told = settle(journal, &self.runs, &mut self.profile, now).map_err(super::standing::footing_failure)?;
        self.trader = setup::trader(&self.profile, &self.plan).or_exit(Exit::Configuration)?;
        Ok(told)
    }

    /// The bars of every symbol with `from <= open_time < to`; a series that is not there has none.
    ///
    /// # Errors
    /// When a part of the lake is damaged or cannot be read.
    pub fn read(&self, from: Option<Time>, to: Option<Time>) -> Result<Vec<Columns>, Failure> {
        let projection = setup::projection(&self.trader);
        let read = |series: &Series| match self.lake.read(series, from, to, projection) {
            Err(LakeError::NoSeries { .. }) => Ok(Columns::default()),
            other => other.map_err(lake_failure),
        };
        self.series.iter().map(read).collect()
    }

    /// What the bars of [`Self::read`] say, series by series, and a name for all of them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn reads(&self, from: Option<Time>, to: Option<Time>) -> Result<(String, Vec<Read>), Failure> {
        let (mut names, mut reads) = (Vec::new(), Vec::new());
        for series in &self.series {
            let Some(info) = self.lake.info(series).map_err(lake_failure)? else {
                names.push(String::new());
                continue;
            };
            let fingerprint = self.lake.fingerprint(series, from, to).map_err(lake_failure)?;
            names.push(fingerprint.clone());
            let (from, to) = (from.unwrap_or(info.first), to.unwrap_or(info.last + Span::from_micros(1)));
            reads.push(Read { series: series.to_string(), from, to, fingerprint });
        }
        Ok((crate::runner::folder::short_hash(names.iter().map(String::as_str)), reads))
    }

    /// `BTC/USDT, ETH/USDT`, cut short when there are many.
    #[must_use]
    pub fn symbols(&self) -> String {
        let names: Vec<String> = self.plan.symbols().iter().map(ToString::to_string).collect();
        if names.len() <= 3 { names.join(", ") } else { format!("{} and {} more", names[..2].join(", "), names.len() - 2) }
    }

    /// Records of the profile that were made of bars which have been repaired since.
    #[must_use]
    pub fn stale_warnings(&self) -> Vec<String> {
        let stale = stale::below(&self.runs);
        let named = stale.iter().take(STALE_NAMED_MAX).map(|run| {
            format!("the record of {run} is stale: bars that it read were repaired since; see {} beside it", stale::STALE)
        });
        let more = stale.len().saturating_sub(STALE_NAMED_MAX);
        named.chain((more > 0).then(|| format!("{more} more records are stale"))).collect()
    }

    /// A path as people read it: below the project's folder, without it.
    #[must_use]
    pub fn shown(&self, context: &Context, path: &std::path::Path) -> String {
        path.strip_prefix(&context.root).unwrap_or(path).display().to_string()
    }
}

/// A lake's error with its hint.
pub fn lake_failure(error: LakeError) -> Failure {
    let hint = error.hint();
    let exit = if matches!(error, LakeError::Locked { .. }) { Exit::Locked } else { Exit::Failed };
    let failure = Failure::new(exit, error);
    hint.into_iter().fold(failure, Failure::hint)
}

/// An ingest error with its hint.
pub fn ingest_failure(error: IngestError) -> Failure {
    match error {
        IngestError::Lake(error) => lake_failure(error),
        IngestError::Feed(FeedError::Binance(error @ BinanceError::Interrupted)) => {
            let hint = error.hint();
            hint.into_iter().fold(Failure::new(Exit::Interrupted, error), Failure::hint)
        }
        other => {
            let hint = other.hint();
            hint.into_iter().fold(Failure::new(Exit::Failed, other), Failure::hint)
        }
    }
}

/// A flag that Ctrl-C and SIGTERM raise. The second signal ends the program at once, as people expect.
///
/// # Errors
/// When the system refuses the thread or the handlers.
pub fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    signals().map(|signals| signals.stop)
}

/// What has come from outside: whoever asked, the work is to end.
pub struct Signals {
    pub stop: Arc<AtomicBool>,
    /// It was SIGTERM: whoever runs services asks for an end, and an orderly one is a success.
    pub is_terminated: Arc<AtomicBool>,
}

/// # Errors
/// As [`stop_on_signal`].
pub fn signals() -> Result<Signals, Failure> {
    let [stop, is_terminated] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (flag, terminated) = (stop.clone(), is_terminated.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    // The thread lives as long as the process: nothing has to wait for it.
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = signals.0.recv() => {}
                    _ = signals.1.recv() => terminated.store(true, Ordering::SeqCst),
                }
                if flag.swap(true, Ordering::SeqCst) {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "asked twice, the bar is not waited for; the journal stands at its last commit"
                    )]
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        });
    })?;
    Ok(Signals { stop, is_terminated })
}

/// A progress bar on stderr; hidden where nobody looks.
#[must_use]
pub fn progress(context: &Context, what: &'static str, whole: u64) -> indicatif::ProgressBar {
    use std::io::IsTerminal;
    if context.quiet || context.json || !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style = indicatif::ProgressStyle::with_template("{msg:<10} {bar:30} {human_pos} of {human_len}  {eta}");
    let style = style.expect("the template is well-formed");
    indicatif::ProgressBar::new(whole).with_style(style).with_message(what)
}
