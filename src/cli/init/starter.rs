//! What a new project begins with: the documents that come with the program, bars it makes, one case, what git leaves out.
//!
//! The documents are those of this repository, embedded, so that there is one source of each.

use crate::feed::sample;

/// Where the sample's bars lie, as `pipelines/demo.toml` says.
const SAMPLE: &str = "data/sample";

/// One file, its path below the project's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StarterFile {
    pub path: String,
    pub content: Vec<u8>,
}

const GITIGNORE: &str = "\
# What runs write, and what nobody shares.
/data/lake/
/runs/
/secrets/
";

/// Embeds files of one folder of this repository.
macro_rules! embedded {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$((concat!($folder, "/", $name), include_str!(concat!("../../../", $folder, "/", $name)))),+]
    };
}

/// Every file of a new project, in the order in which it is written.
#[must_use]
pub fn files() -> Vec<StarterFile> {
    let mut files = vec![(".gitignore", GITIGNORE)];
    files.extend(embedded!("profiles": "base.toml", "canary.toml", "production.toml"));
    files.extend(embedded!("pipelines": "demo.toml", "trend.toml"));
    files.extend(embedded!("tests/cases/canary-trades-within-its-limits":
        "case.toml", "bars.csv", "signals.csv", "refusals.csv", "fills.csv"));
    // The first line of each document names one of these.
    files.extend(embedded!("schema": "case.json", "pipeline.json", "profile.json"));
    let text = files.into_iter().map(|(path, text)| StarterFile { path: path.to_owned(), content: text.into() });
    let made = sample::files().into_iter().map(|file| (format!("{SAMPLE}/{}", file.name), file.content));
    text.chain(made.map(|(path, content)| StarterFile { path, content })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "tests/cases/canary-trades-within-its-limits";

    fn ours(path: &str) -> Vec<u8> {
        std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    #[test]
    fn every_file_is_the_shipped_one() {
        let files = files();
        assert_eq!(files.len(), 19, "{:?}", files.iter().map(|file| &file.path).collect::<Vec<_>>());
        for file in files.iter().filter(|file| file.path != ".gitignore") {
            assert!(file.content == ours(&file.path), "{}", file.path);
        }
    }

    /// A document that is shipped and not in the list would be missing in new projects.
    #[test]
    fn every_shipped_document_is_among_them() {
        let files = files();
        for folder in ["profiles", "pipelines", "schema", SAMPLE, CASE] {
            for entry in std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
                let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
                assert!(files.iter().any(|file| file.path == path), "{path}");
            }
        }
    }
}
