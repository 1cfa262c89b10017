//! The manual: a page for each verb, and what a script must know in the main one.

use std::fs;
use std::process::Command;

use tidegate::cli::exit::Exit;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

fn printed(args: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_verb_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", "--out", folder.path().to_str().unwrap()]);
    let mut pages: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let main = fs::read_to_string(folder.path().join("tidegate.1")).unwrap();
    assert_eq!(main, printed(&["man"]));
    // Each page that the main one names is there, and `--help` names no verb without one.
    let named: Vec<String> = main.lines().filter_map(|line| Some(line.strip_suffix("(1)")?.replace("\\-", "-"))).collect();
    assert!(named.len() > 8, "{named:?}");
    for page in &named {
        assert!(pages.contains(&format!("{page}.1")), "{page} is named and not there: {pages:?}");
    }
    for line in printed(&["--help"]).lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty()) {
        let verb = line.split_whitespace().next().unwrap();
        let is_verb = line.starts_with("  ") && !line.starts_with("   ") && verb != "help";
        assert!(!is_verb || pages.contains(&format!("tidegate-{verb}.1")), "{verb}: {pages:?}");
    }
    assert!(pages.contains(&"tidegate-data-import.1".to_owned()) && !pages.contains(&"tidegate-data-sample.1".to_owned()));
}

#[test]
fn the_main_page_says_what_a_script_must_know() {
    let page = printed(&["man"]);
    for exit in Exit::ALL {
        assert!(page.contains(&format!("\\fB{}\\fR\n{}", exit.code(), exit.meaning())), "{exit:?}:\n{page}");
    }
    for word in ["TIDEGATE_LOG", "TIDEGATE__SECTION__KEY", "NO_COLOR", "state.db"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn no_page_troubles_the_formatter() {
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", "--out", folder.path().to_str().unwrap()]);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(output) = Command::new("groff").args(["-ww", "-man", "-Tutf8"]).arg(&path).output() else {
            eprintln!("skipped: groff is not on this machine");
            return;
        };
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {output:?}", path.display());
        assert!(output.stdout.len() > 500, "{}", path.display());
    }
}
