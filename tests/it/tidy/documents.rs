//! What the documents and the program's own hints say of the command line is what the command line takes.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, files, root, rules, sources};

const DOCUMENTS: [&str; 5] = ["README.md", "RUNBOOK.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// The verbs of the program and the flags that each takes; nested verbs as `data import`.
struct Verbs(BTreeMap<String, BTreeSet<String>>);

fn help(verb: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate")).args(verb).arg("--help").output().unwrap();
    assert!(output.status.success(), "{verb:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// Names in the list of commands of a help text.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next().map(|name| (line, name)));
    names.filter(|(line, name)| !line.starts_with("   ") && *name != "help").map(|(_, name)| name.to_owned()).collect()
}

fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| word.starts_with('-') && word.len() > 1 && !word.starts_with("---")).map(str::to_owned).collect()
}

impl Verbs {
    fn of_the_program() -> Self {
        let mut all = BTreeMap::new();
        for verb in commands(&help(&[])) {
            let text = help(&[&verb]);
            for nested in commands(&text) {
                all.insert(format!("{verb} {nested}"), flags(&help(&[&verb, &nested])));
            }
            all.insert(verb, flags(&text));
        }
        Self(all)
    }

    /// What is wrong with a command line, given without the program's name.
    fn complaint(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let verb = *words.first()?;
        if matches!(verb, "--help" | "--version" | "VERB") {
            return None;
        }
        let nested = words.get(1).map(|second| format!("{verb} {second}")).filter(|name| self.0.contains_key(name));
        let Some(taken) = self.0.get(nested.as_deref().unwrap_or(verb)) else { return Some(format!("there is no verb {verb}")) };
        let unknown = words.iter().filter(|word| word.starts_with('-')).map(|word| word.split('=').next().unwrap_or(word));
        let unknown: Vec<&str> = unknown.filter(|flag| *flag != "-" && !taken.contains(*flag)).collect();
        (!unknown.is_empty()).then(|| format!("{verb} takes no {}", unknown.join(", ")))
    }
}

/// The command lines of this program in a document: in code spans, and at the start of lines in code blocks.
fn command_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_block = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
            continue;
        }
        let spans: Vec<&str> = if is_block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for span in spans {
            let span = span.trim().trim_start_matches("$ ");
            let starts = ["tidegate ", "./target/release/tidegate ", "target/release/tidegate ", "cargo run --release -- "];
            if let Some(rest) = starts.iter().find_map(|start| span.strip_prefix(start)) {
                let end = rest.find(['#', '|', '>', ';', '\\']).unwrap_or(rest.len());
                found.push((number + 1, rest[..end].trim().to_owned()));
            }
        }
    }
    found
}

/// The verbs that hints in the sources name: what follows the program's name inside a literal.
fn hinted(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let plain = line.trim_start();
        if plain.starts_with("//") || !line.contains('"') {
            continue;
        }
        for (at, mark) in line.match_indices("tidegate ") {
            let is_name = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '/');
            let rest = &line[at + mark.len()..];
            let word: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            let word = word.trim_end_matches('-');
            if is_name && !word.is_empty() {
                found.push((number + 1, word.to_owned()));
            }
        }
    }
    found
}

/// Names that Parquet files carry of their maker, which read like a verb.
const MAKERS: [&str; 2] = ["lake", "record"];

#[test]
fn documents_show_commands_that_exist() {
    let verbs = Verbs::of_the_program();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap_or_else(|_| panic!("{document} is missing"));
        for (line, command) in command_lines(&text) {
            seen += 1;
            wrong.extend(verbs.complaint(&command).map(|why| format!("{document}:{line}: {why}")));
        }
    }
    assert_none(&wrong);
    assert!(seen > 5, "{seen} commands: the documents are not read");
}

#[test]
fn hints_name_verbs_that_exist() {
    let verbs = Verbs::of_the_program();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/")) {
        for (line, verb) in hinted(&source.text).into_iter().filter(|(line, _)| !source.is_test(*line)) {
            if !verbs.0.contains_key(&verb) && !MAKERS.contains(&verb.as_str()) {
                wrong.push(format!("{}:{line}: there is no verb {verb}", source.path));
            }
        }
    }
    assert_none(&wrong);
}

/// The output in the README is what a stranger sees, to the letter.
#[test]
fn the_readme_shows_what_its_commands_print() {
    let project = tempfile::tempdir().unwrap();
    for folder in ["profiles", "pipelines", "data/sample"] {
        std::fs::create_dir_all(project.path().join(folder)).unwrap();
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), project.path().join(folder).join(entry.file_name())).unwrap();
        }
    }
    let script = "#!/bin/sh\n\nexport MAX_NOTIONAL_PER_ORDER=50\nexport MAX_TOTAL_NOTIONAL=200\nexport MAX_DD_DAILY=0.03\n\
                  export LATENCY_THRESHOLD_MS=500\nexec ./bot\n";
    std::fs::write(project.path().join("canary.sh"), script).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let lines = [
        "run demo -p canary --paper",
        "explain limits.max_total_notional -p canary",
        "diff canary production",
        "from-env canary.sh --profile mine",
    ];
    for line in lines {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(line.split(' ')).current_dir(project.path()).env_clear();
        let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(readme.contains(line) && !printed.trim().is_empty(), "{line}");
        assert!(readme.contains(printed.trim()), "README.md is to show what `tidegate {line}` prints:\n{printed}");
    }
}

#[test]
fn documents_do_not_speak_of_the_tracker() {
    let wrong: Vec<String> = files(root(), "md")
        .iter()
        .filter(|path| !path.starts_with(root().join("target")))
        .flat_map(|path| rules::tracker(&super::relative(path), &std::fs::read_to_string(path).unwrap()))
        .collect();
    assert_none(&wrong);
}

#[test]
fn the_readers_of_documents_see_what_is_there() {
    let text = "Say `tidegate check -p x` or `cargo test`.\n```\n$ tidegate run demo --paper # why\ntidegate is a word\nx\n```\n";
    let found = command_lines(text);
    assert_eq!(found, [(1, "check -p x".to_owned()), (3, "run demo --paper".to_owned()), (4, "is a word".to_owned())]);
    let verbs = Verbs(BTreeMap::from([
        ("run".to_owned(), flags("  -p, --profile <X>\n      --paper")),
        ("data".to_owned(), flags("")),
        ("data ls".to_owned(), flags("--json")),
    ]));
    assert_eq!(verbs.complaint("run demo -p canary --paper"), None);
    assert_eq!(verbs.complaint("data ls --json"), None);
    assert!(verbs.complaint("run --force").is_some());
    assert!(verbs.complaint("resume -p canary").is_some());
    assert!(verbs.complaint("data --json").is_some());
    assert_eq!(
        commands("Usage: x\n\nCommands:\n  run     Run\n  data    Bars\n          more\n  help    Print\n\nOptions:\n"),
        ["run", "data"]
    );
    assert_eq!(
        hinted("// tidegate x\nhint(\"`tidegate resume -p`, or tidegate data ls, or tidegate from-env x\")\n"),
        [(2, "resume".to_owned()), (2, "data".to_owned()), (2, "from-env".to_owned())]
    );
}
