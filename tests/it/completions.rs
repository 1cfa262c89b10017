//! Shells complete the project's own names: the scripts run in the shells that are on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// A project with documents of each kind, and files whose names are traps.
fn project() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("profiles/base.toml", "[profile]\nabstract = true\n"),
        ("profiles/canary.toml", "[profile]\ninherits = \"base\"\nmode = \"live\"\n"),
        ("profiles/broken.toml", "[profile\n"),
        ("profiles/$(touch trap).toml", ""),
        ("profiles/`touch trap`.toml", ""),
        ("profiles/*.toml", ""),
        ("profiles/a b;touch trap.toml", ""),
        ("pipelines/demo.toml", "[pipeline]\nsummary = \"Bars \\u001b[31min\"\n"),
        ("pipelines/trend.toml", "[pipeline]\nsummary = \"Trend: following\"\n"),
        ("tests/cases/gap/case.toml", ""),
        ("tests/cases/$(touch trap)/case.toml", ""),
        ("other/pipelines/elsewhere.toml", ""),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// Runs `script` in `shell`, in `root`, with the script of completions in `$SCRIPT`. `None`, said aloud, when there is no such shell.
fn in_shell(shell: &str, root: &Path, script: &str, words: &[&str]) -> Option<Vec<String>> {
    if Command::new(shell).arg("--version").output().is_err() {
        eprintln!("skipped: {shell} is not on this machine");
        return None;
    }
    let completions = Command::new(PROGRAM).args(["completions", shell]).output().unwrap();
    assert!(completions.status.success());
    let file: PathBuf = root.join(format!("completions.{shell}"));
    fs::write(&file, completions.stdout).unwrap();
    let folder = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin:/usr/local/bin", folder.display());
    let mut command = Command::new(shell);
    if shell == "zsh" {
        command.arg("-f");
    }
    command.args(["-c", script]);
    if shell == "bash" {
        // Its first word is the name of the script.
        command.arg("bash");
    }
    command.args(words).current_dir(root).env_clear().env("PATH", path).env("HOME", root).env("SCRIPT", &file);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{shell} {words:?}");
    assert!(!root.join("trap").exists(), "{shell} ran the name of a file");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// What bash offers for the last of `words`.
fn bash(root: &Path, words: &[&str]) -> Option<Vec<String>> {
    let script = r#"
        source "$SCRIPT"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _tidegate tidegate "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
        complete -p tidegate | grep -q -- '-F _tidegate tidegate' || echo "not registered"
    "#;
    in_shell("bash", root, script, words)
}

#[test]
fn bash_completes_the_names_of_the_folder() {
    let project = project();
    let other = project.path().join("other");
    let other = other.to_str().unwrap();
    for (words, offered) in [
        (vec!["tidegate", "run", ""], vec!["demo", "trend"]),
        (vec!["tidegate", "replay", "t"], vec!["trend"]),
        (vec!["tidegate", "run", "-p", ""], vec!["broken", "canary"]),
        (vec!["tidegate", "run", "demo", "--profile", "c"], vec!["canary"]),
        // `--profile=` and `--profile=c`, as bash parts them.
        (vec!["tidegate", "check", "--profile", "="], vec!["broken", "canary"]),
        (vec!["tidegate", "check", "--profile", "=", "c"], vec!["canary"]),
        (vec!["tidegate", "check", "--pipeline", ""], vec!["demo", "trend"]),
        (vec!["tidegate", "diff", "canary", ""], vec!["broken", "canary"]),
        (vec!["tidegate", "test", ""], vec!["gap"]),
        (vec!["tidegate", "--root", other, "run", ""], vec!["elsewhere"]),
        (vec!["tidegate", "--root", "=", other, "run", ""], vec!["elsewhere"]),
        (vec!["tidegate", "--root", "~/other", "run", ""], vec!["elsewhere"]),
        (vec!["tidegate", "--root", "nowhere", "run", "d"], vec![]),
        (vec!["tidegate", "explain", "limits.max_t"], vec!["limits.max_total_notional"]),
        (vec!["tidegate", "run", "--set", "storage.ru"], vec!["storage.runs="]),
        (vec!["tidegate", "exp"], vec!["explain"]),
        (vec!["tidegate", "run", "--pap"], vec!["--paper"]),
        (vec!["tidegate", "completions", "f"], vec!["fish"]),
        (vec!["tidegate", "run", "-p", "$(touch trap)"], vec![]),
    ] {
        let Some(found) = bash(project.path(), &words) else { return };
        let found: Vec<&str> = found.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        assert_eq!(found, offered, "{words:?}");
    }
}

#[test]
fn zsh_completes_with_what_documents_say() {
    let project = project();
    let script = r#"
        compdef() { print -r -- "compdef $2" }
        _describe() { local n=$3; print -rl -- "${(@P)n}" }
        source "$SCRIPT"
        words=(tidegate run -p "") CURRENT=4
        _clap_dynamic_completer_tidegate
        words=(tidegate run "tr") CURRENT=3
        _clap_dynamic_completer_tidegate
    "#;
    let Some(found) = in_shell("zsh", project.path(), script, &[]) else { return };
    assert_eq!(found, ["compdef tidegate", "broken", "canary:live, inherits base", "trend:Trend: following"]);
}

#[test]
fn fish_completes_with_what_documents_say() {
    let project = project();
    let script =
        r#"source $SCRIPT; complete -C "tidegate run -p "; complete -C "tidegate run de"; complete -C "tidegate test g""#;
    let Some(found) = in_shell("fish", project.path(), script, &[]) else { return };
    // No escape sequence of a document reaches the terminal.
    assert_eq!(found, ["broken", "canary\tlive, inherits base", "demo\tBars [31min", "gap"]);
}

/// The shells that are on few machines are asked as their scripts would ask.
#[test]
fn every_shell_gets_a_script_and_an_answer() {
    let project = project();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Command::new(PROGRAM).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(script.contains("TIDEGATE_COMPLETE") && script.contains(PROGRAM), "{shell}: {script}");
        let mut asked = Command::new(PROGRAM);
        asked.args(["--", "tidegate", "run", "tr"]).current_dir(project.path());
        asked.env("TIDEGATE_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
        let output = asked.output().unwrap();
        assert!(output.stdout.starts_with(b"trend") && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

/// A variable that was left over must not turn an order to run into an answer to a shell.
#[test]
fn a_leftover_variable_changes_nothing() {
    let run = |value: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["config", "-p", "none"]).env("TIDEGATE_COMPLETE", value).output().unwrap()
    };
    for value in ["bash", "nonsense"] {
        let output = run(value);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), b"".as_slice()));
    }
    let odd = Command::new(PROGRAM).args(["--", "tidegate", ""]).env("TIDEGATE_COMPLETE", "nonsense").output().unwrap();
    assert!(odd.stdout.is_empty() && odd.stderr.is_empty() && odd.status.success(), "{odd:?}");
}
