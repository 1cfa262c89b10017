//! The venue's record as it grows: written, judged, summed up.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::counted;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::{GREEN, RED};
use crate::venue::sim::log::What;
use crate::venue::sim::{Checker, Exchange};

/// Breaches that are shown one by one.
const SHOWN_MAX: usize = 10;

pub(super) struct Record {
    checker: Checker,
    file: Option<BufWriter<File>>,
    counts: BTreeMap<&'static str, usize>,
}

impl Record {
    pub(super) fn open(checker: Checker, path: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| {
            let failed = |error| anyhow::Error::new(error).context(format!("failed to write {}", path.display()));
            File::create(path).map(BufWriter::new).map_err(failed)
        };
        Ok(Self { checker, file: path.map(create).transpose().or_exit(Exit::Failed)?, counts: BTreeMap::new() })
    }

    /// Takes what the venue has recorded since the last time.
    pub(super) fn take(&mut self, exchange: &mut Exchange) -> Result<(), Failure> {
        let entries = exchange.log_mut().take();
        for entry in &entries {
            let name = match &entry.what {
                What::Request { .. } => "request",
                What::Order { .. } => "order",
                What::Trade { .. } => "trade",
                What::Event { .. } => "event",
                What::Connected { .. } => "connection",
                What::Fault { .. } => "fault",
                _ => "other",
            };
            *self.counts.entry(name).or_default() += 1;
            if let Some(file) = &mut self.file {
                let line = serde_json::to_string(entry).expect("a record is plain data");
                writeln!(file, "{line}").or_exit(Exit::Failed)?;
            }
        }
        self.checker.read_all(&entries);
        if let Some(file) = self.file.as_mut().filter(|_| !entries.is_empty()) {
            file.flush().or_exit(Exit::Failed)?;
        }
        Ok(())
    }

    pub(super) fn exit(&self) -> Exit {
        if self.checker.breaches().is_empty() { Exit::Done } else { Exit::CheckFailed }
    }

    fn count(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, bars: usize) -> String {
        let names = ["request", "order", "trade", "event", "connection", "fault"];
        let counts: Vec<String> = names.iter().map(|name| counted(self.count(name), name)).collect();
        let open = match self.checker.orders().1 {
            0 => "No order is open.".to_owned(),
            1 => "1 order is open.".to_owned(),
            open => format!("{open} orders are open."),
        };
        let breaches = self.checker.breaches();
        let verdict = match breaches.len() {
            0 => format!("{GREEN}No promise was broken.{GREEN:#}\n"),
            1 => format!("{RED}1 promise was broken:{RED:#}\n"),
            more => format!("{RED}{more} promises were broken:{RED:#}\n"),
        };
        let shown: String = breaches.iter().take(SHOWN_MAX).map(|breach| format!("  {breach}\n")).collect();
        let more = breaches.len().saturating_sub(SHOWN_MAX);
        let more = if more > 0 { format!("  and {more} more\n") } else { String::new() };
        format!("\n{}; {}. {open}\n{verdict}{shown}{more}", counted(bars, "bar"), counts.join(", "))
    }

    pub(super) fn data(&self, bars: usize) -> Value {
        let (orders, open) = self.checker.orders();
        json!({
            "bars": bars, "requests": self.count("request"), "orders": orders, "open_orders": open, "trades": self.count("trade"),
            "events": self.count("event"), "connections": self.count("connection"), "faults": self.count("fault"),
            "breaches": self.checker.breaches(),
        })
    }
}
