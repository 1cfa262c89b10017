//! `schema`: the language as JSON Schema, for editors and linters.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::output::Report;
use super::table::Table;
use crate::pipeline;
use crate::profile::schema::Schema as Language;
use crate::profile::{json_schema, keys};
use crate::runner::case;
use crate::store::disk::Disk;

/// Print the JSON Schema (draft 7) of a kind of document: every key with its meaning, type, range and default.
///
/// An editor that reads the first line of a document, `#:schema ../schema/profile.json`, completes its keys, shows their meanings
/// and marks what is wrong while it is written. The schema refuses no document that `tidegate check` takes as it stands, and
/// says less: what several keys or files mean together only `check` knows.
#[derive(Debug, Args)]
pub struct Schema {
    /// The kind of document; without one, the kinds are listed.
    #[arg(value_name = "KIND")]
    kind: Option<Document>,
    /// Write KIND.json into this folder, all of them when no kind is named.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The kinds of documents that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Document {
    Profile,
    Pipeline,
    Case,
}

impl Document {
    pub(super) const ALL: [Self; 3] = [Self::Profile, Self::Pipeline, Self::Case];

    const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Pipeline => "pipeline",
            Self::Case => "case",
        }
    }

    /// Where people keep them.
    const fn documents(self) -> &'static str {
        match self {
            Self::Profile => "profiles/<name>.toml",
            Self::Pipeline => "pipelines/<name>.toml",
            Self::Case => "tests/cases/<name>/case.toml",
        }
    }

    /// The line that leads an editor from a document to its schema.
    const fn header(self) -> &'static str {
        match self {
            Self::Profile => "#:schema ../schema/profile.json",
            Self::Pipeline => "#:schema ../schema/pipeline.json",
            Self::Case => "#:schema ../../../schema/case.json",
        }
    }

    fn language(self) -> &'static Language {
        match self {
            Self::Profile => &keys::SCHEMA,
            Self::Pipeline => &pipeline::keys::SCHEMA,
            Self::Case => &case::keys::SCHEMA,
        }
    }

    fn keys(self) -> usize {
        self.language().rows.len()
    }

    fn json(self) -> Json {
        let (title, id) = (format!("tidegate {}", self.name()), format!("urn:tidegate:schema:{}", self.name()));
        json_schema::document(self.language(), &title, &id)
    }
}

impl Schema {
    /// # Errors
    /// The folder cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let report = match (&self.out, self.kind) {
            (Some(folder), kind) => written(folder, &kind.map_or_else(|| Document::ALL.to_vec(), |kind| vec![kind]))?,
            (None, Some(kind)) => Report { text: file(kind).1, data: kind.json(), ..Report::default() },
            (None, None) => listed(),
        };
        Ok(Report { verb: "schema", ..report }.print(context, Exit::Done))
    }
}

/// The file of a schema and what stands in it.
pub(super) fn file(document: Document) -> (String, String) {
    (format!("{}.json", document.name()), format!("{:#}\n", document.json()))
}

fn written(folder: &Path, documents: &[Document]) -> Result<Report, Failure> {
    let mut files = Vec::new();
    for document in documents {
        let (name, content) = file(*document);
        let path = folder.join(&name);
        if !std::fs::read(&path).is_ok_and(|found| found == content.as_bytes()) {
            let cannot = |error| anyhow::Error::new(error).context(format!("failed to write {}", path.display()));
            Disk::default().replace(folder, &name, content.as_bytes()).map_err(cannot)?;
        }
        files.push((document, path));
    }
    let lines = files.iter().map(|(document, path)| format!("{}  {} keys\n", path.display(), document.keys()));
    let data = files.iter().map(|(document, path)| json!({ "kind": document.name(), "file": path }));
    Ok(Report { text: lines.collect(), data: json!({ "written": data.collect::<Vec<_>>() }), ..Report::default() })
}

fn listed() -> Report {
    let mut table = Table::new(&["kind", "keys#", "documents", "their first line"]);
    for kind in Document::ALL {
        table.row([kind.name().to_owned(), kind.keys().to_string(), kind.documents().to_owned(), kind.header().to_owned()]);
    }
    let data = Document::ALL
        .map(|kind| json!({ "kind": kind.name(), "keys": kind.keys(), "documents": kind.documents(), "header": kind.header() }));
    Report {
        text: table.render(),
        data: json!({ "kinds": data }),
        next: vec!["tidegate schema profile".to_owned(), "tidegate schema --out schema".to_owned()],
        ..Report::default()
    }
}
