//! `from-env`: a shell script of exports becomes a profile, with a proof that it allows the same.

mod proof;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure, OrExit};
use super::names;
use super::output::Report;
use crate::profile::chain::chain;
use crate::profile::documents::read;
use crate::profile::env_names::NAMES;
use crate::profile::keys::SCHEMA;
use crate::profile::source::Source;
use crate::profile::translation::{Derived, Said, Translation, document, translate};
use crate::profile::value::Value;
use crate::profile::word::is_name;
use crate::profile::{
    Diagnostic, Diagnostics, Documents, Environment, Folder, KeyPath, Overrides, Profile, env_script, overlay, resolve,
};
use crate::store::disk::Disk;
use crate::store::home::Home;
use proof::{Comparison, Row};

/// The parent of a profile that is like no other.
const ROOT: &str = "base";
/// What the result is compared with, if there is such a profile.
const USUAL: &str = "canary";
/// The profile's name while it has none.
const UNNAMED: &str = "from-env";

/// Turn a shell script of exports into a profile, and prove that both allow the same.
///
/// Reads lines like `export MAX_NOTIONAL_PER_ORDER=50`, with defaults `${X:-50}`, quotes and comments. Nothing is run: a line
/// that is more than an assignment is listed with its number, and one that may set a limit (a condition, `source`) leaves the
/// proof open: then nothing is written, and the command ends with 4. Values of variables that are no limits are not shown.
#[derive(Debug, Args)]
#[command(after_long_help = help())]
pub struct FromEnv {
    /// The script.
    #[arg(value_name = "FILE")]
    script: PathBuf,
    /// Write profiles/NAME.toml; without this or --out nothing is written. Nothing that is there is replaced.
    #[arg(short, long, value_name = "NAME")]
    profile: Option<String>,
    /// Write the profile to this path instead.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Take what the script does not say from this profile: its parent, its mode and venue, its other keys.
    #[arg(long, value_name = "PROFILE", add = names::profiles())]
    like: Option<String>,
}

fn help() -> String {
    let wide = NAMES.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let names: String = NAMES.iter().map(|row| format!("  {:<wide$}  {} ({})\n", row.name, row.key, row.unit.name())).collect();
    format!(
        "What the script does not say:\n  The profile inherits base, which grants nothing: what neither of them sets stays zero. Two limits \
         that small scripts lack follow from those they have, as in the shipped profiles: max_position_notional is 2 orders, at most \
         the total, and max_daily_turnover is 5 times the total. The script has no bound there, so neither is looser than it. Mode \
         and venue stay as in base, on paper; --like canary takes these, and other keys, from there instead.\n\n  The result is \
         compared with the profile of --like, or with canary if there is one: equal means that every effective limit, cap, floor \
         and risk rule is the same.\n\nVariables:\n{names}"
    )
}

/// A profile on its way, not yet on the disk.
struct Draft {
    name: String,
    /// Where it would be written, as messages show it.
    shown: String,
    text: String,
    profile: Profile,
    derived: Vec<Derived>,
    /// Secrets of the script: the key, the reference, and whether the profile names it already.
    references: Vec<(KeyPath, String, bool)>,
}

impl FromEnv {
    /// # Errors
    /// When the script cannot be read, a value is not clear, or the profile breaks a cap.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let target = self.target(context)?;
        let source = self.source()?;
        let mut found = Diagnostics::default();
        let script = env_script::read(source.text()).map_err(|error| {
            let error = Diagnostic::error("unreadable-script", format!("{}: {error}", source.name));
            unsound(error.hint("put that right: as it is, nobody can tell where a line ends"))
        })?;
        let translation = translate(&script, &source, &mut found);
        if found.errors() > 0 {
            return Err(Failure::new(Exit::Configuration, found.sorted()));
        }
        if translation.mapped.is_empty() {
            return Err(nothing_known(&translation, &source));
        }
        let draft = self.draft(context, &translation, &source)?;
        let rows = proof::rows(&translation, &draft.derived, &draft.profile);
        let comparison = self.comparison(context, &draft.profile)?;
        let is_proven = translation.doubts().count() == 0 && rows.iter().all(|row| row.is_equal() != Some(false));
        let written = target.filter(|_| is_proven);
        if let Some(path) = &written {
            write(path, &draft.text)?;
        }
        let exit = if is_proven { Exit::Done } else { Exit::CheckFailed };
        let told =
            Told { source: &source, translation: &translation, draft: &draft, rows: &rows, comparison, is_proven, written };
        Ok(told.report(self).print(context, exit))
    }

    /// Where the profile goes; refused before anything is read when something is there.
    fn target(&self, context: &Context) -> Result<Option<PathBuf>, Failure> {
        if let Some(name) = self.profile.as_deref().filter(|name| !is_name(name)) {
            let error = anyhow!("\"{name}\" is not the name of a profile: names are lower case with dashes");
            return Err(Failure::new(Exit::Usage, error));
        }
        let in_project = |name: &String| context.root.join(Folder::Profiles.name()).join(format!("{name}.toml"));
        let target = self.out.clone().or_else(|| self.profile.as_ref().map(in_project));
        match target.filter(|path| path.symlink_metadata().is_ok()) {
            None => Ok(self.out.clone().or_else(|| self.profile.as_ref().map(in_project))),
            Some(path) => {
                let error = anyhow!("{} is there, and nothing is ever replaced", path.display());
                Err(Failure::new(Exit::Usage, error)
                    .hint("take another name, or leave --profile and --out away to see the result"))
            }
        }
    }

    fn source(&self) -> Result<Arc<Source>, Failure> {
        let shown = self.script.display().to_string();
        let mut found = Diagnostics::default();
        read(&Home::anywhere(), &self.script, &shown, &mut found).ok_or_else(|| Failure::new(Exit::Configuration, found))
    }

    /// The profile that the script asks for, resolved as any other.
    fn draft(&self, context: &Context, translation: &Translation, source: &Source) -> Result<Draft, Failure> {
        if self.like.is_none() && !Documents::new(&context.root).names(Folder::Profiles).iter().any(|name| name == ROOT) {
            let error = anyhow!("there is no profile {ROOT} to inherit from in {}", context.root.join("profiles").display());
            return Err(Failure::new(Exit::Configuration, error)
                .hint("name the project's folder with --root, or make one first: tidegate init"));
        }
        let like = self.like.as_deref().map(|name| Like::read(context, name)).transpose()?;
        let parent = like.as_ref().map_or(ROOT, |like| like.parent.as_str());
        let mut said: Vec<Said> = translation.mapped.iter().map(of_script).collect();
        if let Some(like) = &like {
            said.extend(like.said.iter().filter(|one| translation.demanded(&one.path).is_none()).cloned());
        }
        let is_said = |said: &[Said], path: &KeyPath| said.iter().any(|one| one.path == *path);
        let derived: Vec<Derived> = translation.derived().into_iter().filter(|one| !is_said(&said, &one.path)).collect();
        said.extend(derived.iter().map(of_rule));
        let name = self.profile.clone().unwrap_or_else(|| UNNAMED.to_owned());
        let shown = match (&self.out, &self.profile) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(_)) => format!("{}/{name}.toml", Folder::Profiles.name()),
            (None, None) => "profile.toml".to_owned(),
        };
        let head = format!("Made from {} by tidegate from-env.", text::file_name(&source.name));
        let resolve = |said: &[Said]| {
            let text = document(&head, parent, said);
            resolved(context, &name, &shown, &text).map(|profile| (text, profile))
        };
        let (mut text, mut profile) = resolve(&said)?;
        let references = references(translation, &profile);
        let new: Vec<Said> =
            references.iter().filter_map(|(path, reference, is_there)| of_secret(path, reference, *is_there, &profile)).collect();
        if !new.is_empty() {
            said.extend(new);
            (text, profile) = resolve(&said)?;
        }
        Ok(Draft { name, shown, text, profile, derived, references })
    }

    /// The profile beside the one it should equal.
    fn comparison(&self, context: &Context, profile: &Profile) -> Result<Option<Comparison>, Failure> {
        let usual = || Documents::new(&context.root).names(Folder::Profiles).into_iter().find(|name| name == USUAL);
        let Some(name) = self.like.clone().or_else(usual) else { return Ok(None) };
        let mut found = Diagnostics::default();
        match resolve_in(&mut Documents::new(&context.root), &name, &mut found) {
            Some(other) => Ok(Some(Comparison::of(profile, &other))),
            None if self.like.is_some() => Err(Failure::new(Exit::Configuration, found.sorted())),
            None => Ok(None),
        }
    }
}

fn unsound(error: Diagnostic) -> Failure {
    let mut found = Diagnostics::default();
    found.push(error);
    Failure::new(Exit::Configuration, found)
}

fn nothing_known(translation: &Translation, source: &Source) -> Failure {
    let error = anyhow!("{} sets no limit: none of its {} variables is known", source.name, translation.unmapped.len());
    let failure = Failure::new(Exit::Configuration, error).hint("`tidegate from-env --help` lists the names");
    let near = translation
        .unmapped
        .iter()
        .filter_map(|one| Some(format!("line {}: {}: did you mean {}?", one.line, one.name, one.near?)));
    let strange =
        translation.strange.iter().map(|(first, _, strange)| format!("line {first} is not understood: it {}", strange.why));
    near.chain(strange).take(10).fold(failure, Failure::hint)
}

/// What another profile says that a script does not.
struct Like {
    parent: String,
    said: Vec<Said>,
}

impl Like {
    fn read(context: &Context, name: &str) -> Result<Self, Failure> {
        let mut found = Diagnostics::default();
        let mut documents = Documents::new(&context.root);
        let chain = chain(&mut documents, name, &mut found);
        found.extend(documents.take_found());
        let Some(layer) = chain.filter(|_| found.errors() == 0).map(|chain| Arc::clone(&chain.files[0])) else {
            return Err(Failure::new(Exit::Configuration, found.sorted()));
        };
        let Some(parent) = layer.text(&KeyPath::dotted("profile.inherits")).map(str::to_owned) else {
            let error = anyhow!("{name} inherits from no profile, so nothing can be like it");
            return Err(Failure::new(Exit::Usage, error).hint("name a profile that inherits one, like canary"));
        };
        let own = ["profile.inherits", "profile.abstract", "profile.schema"].map(KeyPath::dotted);
        let mut written: Vec<_> = layer.written.iter().filter(|(path, _)| !own.contains(path)).collect();
        written.sort_by_key(|(_, written)| written.key.span.start);
        let one = |(path, written): (&KeyPath, &crate::profile::layer::Written)| {
            let comment = format!("as {}", written.key);
            Some(Said { path: path.clone(), value: written.value.clone()?, comment })
        };
        Ok(Self { parent, said: written.into_iter().filter_map(one).collect() })
    }
}

fn of_script(mapped: &crate::profile::translation::Mapped) -> Said {
    let comment = format!("{}, line {}", mapped.row.name, mapped.line);
    Said { path: mapped.row.path(), value: mapped.value.clone(), comment }
}

fn of_rule(derived: &Derived) -> Said {
    let comment = derived.rule.clone();
    Said { path: derived.path.clone(), value: Value::Money(derived.value), comment }
}

/// The line that names a secret, where the profile has the table and does not name it yet.
fn of_secret(path: &KeyPath, reference: &str, is_there: bool, profile: &Profile) -> Option<Said> {
    let has_key = profile.effective().entry(path).is_some();
    let value = Value::Secret(reference.parse().ok()?);
    (has_key && !is_there).then(|| Said { path: path.clone(), value, comment: "a name; the value stays outside".to_owned() })
}

fn references(translation: &Translation, profile: &Profile) -> Vec<(KeyPath, String, bool)> {
    let one = |(row, _): &(&crate::profile::env_names::SecretName, usize)| {
        let (path, reference) = (KeyPath::dotted(row.key), format!("env:{}", row.name));
        let is_there = profile.effective().secret_at(&path).is_some_and(|there| there.to_string() == reference);
        (path, reference, is_there)
    };
    translation.secrets.iter().map(one).collect()
}

/// Resolves a text that is not on the disk.
fn resolved(context: &Context, name: &str, shown: &str, text: &str) -> Result<Profile, Failure> {
    let mut found = Diagnostics::default();
    let mut documents = Documents::new(&context.root);
    documents.put(Folder::Profiles, name, shown, text, &SCHEMA);
    let profile = resolve_in(&mut documents, name, &mut found);
    profile.filter(|_| found.errors() == 0).ok_or_else(|| Failure::new(Exit::Configuration, found.sorted()))
}

/// The environment has no say here: a proof that depended on who asks would be none.
fn resolve_in(documents: &mut Documents, name: &str, found: &mut Diagnostics) -> Option<Profile> {
    let overrides = Overrides::default();
    let ([overlay], ignored) = overlay::read([&*SCHEMA], &Environment::default(), &overrides, found);
    resolve(documents, name, overlay, &overrides, ignored, found)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| anyhow!("{} names no file", path.display()));
    let written = Disk::default().create_new(folder, name.or_exit(Exit::Usage)?, text.as_bytes());
    written
        .map_err(|error| anyhow::Error::new(error).context(format!("failed to write {}", path.display())))
        .or_exit(Exit::Failed)
}

/// Everything there is to tell.
struct Told<'a> {
    source: &'a Source,
    translation: &'a Translation,
    draft: &'a Draft,
    rows: &'a [Row],
    comparison: Option<Comparison>,
    is_proven: bool,
    written: Option<PathBuf>,
}

impl Told<'_> {
    fn report(&self, asked: &FromEnv) -> Report {
        let mut report = Report { verb: "from-env", data: self.json(), text: text::text(self), ..Report::default() };
        report.profile = Some(self.draft.name.clone());
        report.mode = Some(self.draft.profile.mode().name().to_owned());
        report.warnings = self.warnings();
        report.next = match (&self.written, self.is_proven) {
            (Some(_), _) if asked.out.is_none() => vec![format!("tidegate check -p {}", self.draft.name)],
            (Some(_), _) => Vec::new(),
            (None, true) => vec![format!("tidegate from-env {} --profile NAME, to write it", asked.script.display())],
            (None, false) => {
                vec!["take those lines out of a copy of the script, or write what they set as plain lines".to_owned()]
            }
        };
        report
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .translation
            .overruled
            .iter()
            .map(|one| format!("{} is set on line {} and again on line {}: the last one counts", one.name, one.line, one.by))
            .collect();
        let defaults = self.translation.mapped.iter().filter(|mapped| mapped.is_default);
        warnings.extend(defaults.map(|mapped| {
            format!(
                "line {}: {} is a default that the environment could change; a profile's limits it cannot",
                mapped.line, mapped.row.name
            )
        }));
        if self.source.text().contains("\r\n") {
            warnings.push("the script has the line ends of Windows, which a shell takes for a part of each value".to_owned());
        }
        warnings
    }

    fn json(&self) -> Json {
        let translation = self.translation;
        let mapped = translation.mapped.iter().map(|one| {
            json!({
                "line": one.line, "variable": one.row.name, "text": one.text, "key": one.row.key, "unit": one.row.unit.name(),
                "value": one.value.json(), "default": one.is_default,
            })
        });
        let secrets = translation.secrets.iter().zip(&self.draft.references).map(|((row, line), (path, reference, _))| {
            json!({ "line": line, "variable": row.name, "key": path.to_string(), "reference": reference })
        });
        let unmapped = translation
            .unmapped
            .iter()
            .map(|one| json!({ "line": one.line, "variable": one.name, "near": one.near, "may_be_secret": one.is_secretive }));
        let doubts: Vec<usize> = translation.doubts().map(|(first, ..)| *first).collect();
        let strange = translation.strange.iter().map(|(first, last, strange)| {
            json!({ "first": first, "last": last, "why": strange.why.to_string(), "may_set_a_limit": doubts.contains(first) })
        });
        json!({
            "script": self.source.name,
            "mapped": mapped.collect::<Vec<_>>(),
            "secrets": secrets.collect::<Vec<_>>(),
            "unmapped": unmapped.collect::<Vec<_>>(),
            "not_understood": strange.collect::<Vec<_>>(),
            "proof": { "complete": self.is_proven, "keys": self.rows.iter().map(Row::json).collect::<Vec<_>>() },
            "compared": self.comparison.as_ref().map(Comparison::json),
            "document": self.draft.text,
            "written": self.written,
        })
    }
}
