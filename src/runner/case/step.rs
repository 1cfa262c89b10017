//! The steps of a case: each read by itself, all their faults in one pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::compare::Rules;
use super::inside::inside;
use super::output::Output;
use super::sheet::Form;
use super::signals::{Frame, Signals};
use super::story::{End, Golden, NamedFile, Step};
use crate::domain::{SymbolIndex, Time};
use crate::feed::names;
use crate::pipeline::{Plan, StageKind};
use crate::profile::diagnostic::{Diagnostic, Diagnostics};
use crate::profile::documents;
use crate::profile::fault::nearest;
use crate::profile::merge::Effective;
use crate::profile::path::KeyPath;
use crate::runner::trader::TraderConfig;
use crate::stage::model::Model;
use crate::stage::model::config::Sizing;
use crate::store::home::Home;

/// Reads the steps of one document.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    /// The folder as people write it.
    shown: &'a str,
    effective: &'a Effective,
    /// `None` when profile or pipeline are wrong: then steps are read for their own faults.
    plan: Option<(&'a Plan, &'a TraderConfig)>,
    found: &'a mut Diagnostics,
    /// Files that come in, and goldens with the key that named each.
    inputs: BTreeSet<PathBuf>,
    goldens: BTreeMap<PathBuf, KeyPath>,
}

impl<'a> Reader<'a> {
    pub fn new(
        folder: &'a Path,
        shown: &'a str,
        effective: &'a Effective,
        plan: Option<(&'a Plan, &'a TraderConfig)>,
        found: &'a mut Diagnostics,
    ) -> Self {
        Self { folder, shown, effective, plan, found, inputs: BTreeSet::new(), goldens: BTreeMap::new() }
    }

    /// Every file that a step names.
    pub fn named(&self) -> BTreeSet<PathBuf> {
        self.inputs.iter().chain(self.goldens.keys()).cloned().collect()
    }

    /// The steps in their order. `None` when something is wrong; the findings say what.
    pub fn steps(&mut self) -> Option<Vec<Step>> {
        let before = self.found.errors();
        let mut numbers: Vec<u32> = self.effective.names_below("step").iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        if numbers.is_empty() {
            let place = self.effective.place(&KeyPath::dotted("clock"));
            let error = Diagnostic::error("no-steps", "the case has no steps").at(place);
            self.found.push(error.hint("add [[step]] with a name, bars, and what to expect"));
        }
        let mut clock = self.effective.time_at(&KeyPath::dotted("clock")).unwrap_or(Time::MIN);
        let steps: Vec<Step> = numbers
            .into_iter()
            .map(|number| {
                let table = KeyPath::dotted("step").child(&number.to_string());
                clock = self.clock(&table, clock);
                self.step(&table, clock)
            })
            .collect();
        self.one_use_a_golden();
        (self.found.errors() == before).then_some(steps)
    }

    fn step(&mut self, table: &KeyPath, clock: Time) -> Step {
        let expect = StageKind::ALL.into_iter().filter_map(|stage| {
            let word = self.effective.text_at(&table.child("expect").child(stage.name()))?;
            Some((stage, End::of(word).expect("the schema knows the ends")))
        });
        let step = Step {
            name: self.effective.text_at(&table.child("name")).unwrap_or_default().to_owned(),
            clock,
            expect: expect.collect(),
            bars: self.bars(table),
            signals: self.signals(&table.child("signals")),
            goldens: Output::ALL.into_iter().filter_map(|output| self.golden(table, output)).collect(),
            rules: self.rules(table),
        };
        // A wrong word in either has been told of already.
        let asks = |name: &str| self.effective.entries().any(|(path, _)| path.parent() == table.child(name));
        if step.expect.is_empty() && step.goldens.is_empty() && !asks("expect") && !asks("golden") {
            let error = Diagnostic::error("nothing-to-check", "the step checks nothing").at(self.effective.table_place(table));
            self.found.push(error.key(table).hint("add expect = { … } or golden = { … }"));
        }
        self.known_columns(table, &step);
        step
    }

    fn clock(&mut self, table: &KeyPath, before: Time) -> Time {
        let key = table.child("clock");
        let Some(clock) = self.effective.time_at(&key) else { return before };
        if clock < before {
            let error = Diagnostic::error("clock-goes-back", format!("the clock cannot go back from {before} to {clock}"));
            let error = error.at(self.effective.place(&key)).label("earlier than before").key(&key);
            self.found.push(error.hint("steps follow each other in time"));
        }
        clock.max(before)
    }

    fn wrong(&mut self, code: &'static str, message: String, key: &KeyPath, label: &str, hint: String) {
        let error = Diagnostic::error(code, message).at(self.effective.place(key)).label(label).key(key);
        self.found.push(error.hint(hint));
    }

    /// The file that `key` names, if it may be named.
    fn file(&mut self, key: &KeyPath) -> Option<NamedFile> {
        let text = self.effective.text_at(key)?;
        match inside(self.folder, text) {
            Ok(path) => Some(NamedFile { name: text.to_owned(), path }),
            Err(refused) => {
                let hint = format!("put the file into {} and name it from there", self.shown);
                self.wrong("path-outside-case", refused.to_string(), key, "outside", hint);
                None
            }
        }
    }

    /// The same for a file that must be there.
    fn input(&mut self, key: &KeyPath) -> Option<NamedFile> {
        let file = self.file(key)?;
        if file.path.is_file() {
            self.inputs.insert(file.path.clone());
            return Some(file);
        }
        let entries = std::fs::read_dir(self.folder).into_iter().flatten().filter_map(Result::ok);
        let mut there: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        there.sort();
        let hint = match nearest(&file.name, there.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write it into {}", self.shown),
        };
        self.wrong("missing-file", format!("there is no file {}/{}", self.shown, file.name), key, "not there", hint);
        None
    }

    fn bars(&mut self, table: &KeyPath) -> Vec<(SymbolIndex, NamedFile)> {
        let key = table.child("bars");
        let below: Vec<KeyPath> = self.effective.entries().map(|(path, _)| path).filter(|p| p.parent() == key).cloned().collect();
        let mut bars = Vec::new();
        if self.effective.text_at(&key).is_some()
            && let Some(file) = self.input(&key)
        {
            bars.extend(self.only_symbol(&key, &file).map(|symbol| (symbol, file)));
        }
        for key in below {
            let file = self.input(&key);
            let symbol = self.symbol(&key);
            bars.extend(symbol.zip(file));
        }
        bars.sort();
        bars
    }

    /// The symbol of a file that stands alone: the pipeline's only one, or what the file's name says.
    fn only_symbol(&mut self, key: &KeyPath, file: &NamedFile) -> Option<SymbolIndex> {
        let symbols = self.plan?.0.symbols();
        let named = names::read(&file.path).symbol;
        let at = match symbols {
            [_] => Some(0),
            _ => symbols.iter().position(|symbol| Some(symbol) == named.as_ref()),
        };
        if at.is_none() {
            let message =
                format!("the pipeline trades {} symbols, and the file's name does not say which this is", symbols.len());
            let hint = format!("write bars = {{ \"{}\" = \"{}\" }}", symbols[0], file.name);
            self.wrong("which-symbol", message, key, "which symbol?", hint);
        }
        at.and_then(|at| u16::try_from(at).ok()).map(SymbolIndex)
    }

    fn symbol(&mut self, key: &KeyPath) -> Option<SymbolIndex> {
        let symbols = self.plan?.0.symbols();
        let at = symbols.iter().position(|symbol| symbol.to_string() == key.last());
        if at.is_none() {
            let names: Vec<String> = symbols.iter().map(ToString::to_string).collect();
            let message = format!("the pipeline does not trade {} under this profile", key.last());
            self.wrong("unknown-symbol", message, key, "not traded", format!("it trades {}", names.join(", ")));
        }
        at.and_then(|at| u16::try_from(at).ok()).map(SymbolIndex)
    }

    fn signals(&mut self, key: &KeyPath) -> Option<(String, Signals)> {
        let file = self.input(key)?;
        let source = documents::read(&Home::new(self.folder), &file.path, &format!("{}/{}", self.shown, file.name), self.found)?;
        let (plan, trader) = self.plan?;
        let notional = match trader.model.sizing {
            Sizing::FixedNotional { notional } => notional,
            Sizing::VolatilityTarget { notional_max, .. } | Sizing::Kelly { notional_max, .. } => notional_max,
        };
        let frame = Frame { symbols: plan.symbols(), interval: plan.interval(), notional };
        Some((file.name, Signals::read(&source, &frame, self.found)?))
    }

    fn golden(&mut self, table: &KeyPath, output: Output) -> Option<Golden> {
        let key = table.child("golden").child(output.name());
        let file = self.file(&key)?;
        if file.path.is_dir() {
            let hint = format!("write \"{}/{}\"", file.name, default_name(output));
            self.wrong("golden-is-folder", format!("{} is a folder", file.name), &key, "a folder", hint);
        } else if file.path.exists() && !file.path.is_file() {
            // Reading one would wait for whoever writes into it.
            let hint = format!("name a plain file, like \"{}\"", default_name(output));
            self.wrong("golden-is-no-file", format!("{} is not a plain file", file.name), &key, "not a plain file", hint);
        }
        if let Some(other) = self.goldens.get(&file.path) {
            let hint = format!("{other} names it: give each output a file of its own");
            self.wrong("golden-twice", format!("{} is the golden of two outputs", file.name), &key, "again", hint);
        }
        self.goldens.entry(file.path.clone()).or_insert(key);
        let min_rows = table.child("min_rows");
        let min_rows = self.effective.count_at(&min_rows.child(output.name())).or_else(|| self.effective.count_at(&min_rows));
        Some(Golden { output, file, min_rows: min_rows.unwrap_or(1) })
    }

    /// A golden that is also an input would be written over what it was made from.
    fn one_use_a_golden(&mut self) {
        let both: Vec<(PathBuf, KeyPath)> = self
            .goldens
            .iter()
            .filter(|(path, _)| self.inputs.contains(*path) || path.ends_with(super::find::DOCUMENT))
            .map(|(p, k)| (p.clone(), k.clone()))
            .collect();
        for (_, key) in both {
            let hint = "name another file for the golden".to_owned();
            self.wrong("golden-is-input", "the golden is also what goes in".to_owned(), &key, "also an input", hint);
        }
    }

    fn rules(&mut self, table: &KeyPath) -> Rules {
        let exact = self.effective.texts_at(&table.child("exact")).unwrap_or_default().to_vec();
        let key = table.child("tolerance");
        let below = self.effective.entries().map(|(path, _)| path).filter(|path| path.parent() == key);
        let tolerance = below.filter_map(|path| Some((path.last().to_owned(), self.effective.float_at(path)?)));
        Rules { exact, tolerance: tolerance.collect() }
    }

    /// A rule for a column that no golden of the step has would check nothing.
    fn known_columns(&mut self, table: &KeyPath, step: &Step) {
        let Some((plan, trader)) = self.plan else { return };
        let names = Model::new(&trader.model, plan.interval()).feature_names();
        let features: Vec<String> = names.into_iter().flatten().map(str::to_owned).collect();
        let outputs = step.goldens.iter().map(|golden| golden.output).filter(|output| output.form() == Form::Csv);
        let known: BTreeSet<String> = outputs.flat_map(|output| output.columns(&features)).collect();
        let exact = table.child("exact");
        for column in &step.rules.exact {
            let place = self.effective.place_of_item(&exact, column);
            if step.rules.tolerance.contains_key(column) {
                let error = Diagnostic::error("exact-and-tolerance", format!("{column} cannot be exact and have a tolerance"));
                self.found.push(error.at(place).key(&exact).hint("remove it from one of the two"));
            } else if !known.contains(column) {
                self.found.push(unknown_column(column, &known).at(place).key(&exact));
            }
        }
        for column in step.rules.tolerance.keys().filter(|column| !known.contains(*column)) {
            let key = table.child("tolerance").child(column);
            self.found.push(unknown_column(column, &known).at(self.effective.key_place(&key)).key(&key));
        }
    }
}

/// What a golden is called when nobody has a better name.
fn default_name(output: Output) -> String {
    format!("{}.{}", output.name(), if output.form() == Form::Csv { "csv" } else { "txt" })
}

fn unknown_column(column: &str, known: &BTreeSet<String>) -> Diagnostic {
    let error = Diagnostic::error("unknown-column", format!("no golden of the step has a column {column}")).label("not known");
    error.hint(match nearest(column, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "the step compares no table: add one to golden, or remove the rule".to_owned(),
        None => format!("columns: {}", known.iter().cloned().collect::<Vec<_>>().join(", ")),
    })
}
