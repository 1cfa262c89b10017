//! Scripts are read as a shell reads them, line by line, and nothing of them is lost.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use tidegate::profile::env_script::{Script, What, read};

/// The variables that a script leaves behind.
fn left(script: &Script) -> BTreeMap<String, String> {
    let assigned = script.entries.iter().filter_map(|entry| match &entry.what {
        What::Assigns(assigned) => Some(assigned),
        _ => None,
    });
    assigned.flatten().map(|one| (one.name.clone(), one.value.clone())).collect()
}

fn is_understood(script: &Script) -> bool {
    script.entries.iter().all(|entry| !matches!(entry.what, What::Strange(_)))
}

/// The same from a real shell that begins with nothing; `None` where there is none.
fn of_bash(script: &str) -> Option<BTreeMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sh");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new("bash");
    command.env_clear().env("PATH", "/usr/bin:/bin").args(["-c", "set -a; source \"$0\" >/dev/null; env -0"]).arg(&file);
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        eprintln!("skipped: there is no bash");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let own = ["PATH", "PWD", "SHLVL", "_", "OLDPWD"];
    Some(pairs.filter(|(name, _)| !own.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// SCRIPT-1: entries follow each other without a hole or an overlap, and reach the last line.
fn assert_every_line_once(text: &str, script: &Script) {
    let mut next = 1;
    for entry in &script.entries {
        assert_eq!(entry.first, next, "{text:?} {script:?}");
        assert!(entry.last >= entry.first, "{text:?}");
        if let What::Assigns(assigned) = &entry.what {
            assert!(!assigned.is_empty(), "{text:?}");
            assert!(assigned.iter().all(|one| (entry.first..=entry.last).contains(&one.line)), "{text:?}");
        }
        next = entry.last + 1;
    }
    assert_eq!(next - 1, text.split_inclusive('\n').count(), "{text:?} {script:?}");
}

/// SCRIPT-2 for a list of small scripts, each understood as a whole.
#[test]
fn what_is_understood_means_what_bash_says() {
    let scripts = [
        "A=1\nB=two\n",
        "export A=1 B=2; C=3\nexport D\n".trim_end_matches("export D\n"),
        "A=50; export A\n",
        "A='it is'\nB=\"it's $A\"\nC=$A-$B\n",
        "A=${X:-50}\n: \"${B:=60}\"\nC=${B:-70}\n",
        "A=${X-50}\nB=\nC=${B-1}\nD=${B:-1}\n",
        ": ${A:=1} ${B:=$A}\nexport C=${D:=4}\n",
        "A=1 # comment\nB=a#b\n# C=2\nD='#'\n",
        "A=a\\ b\nB=\"a\\b\\$c\\\"\"\nC=a\\\nb\n",
        "A=\"two\nlines\"\nB='three\n\nlines'\n",
        "A=1\nA=2\nB=$A$A\nA=3\n",
        "A=1 B=$A C=$B\n",
        "A=1\nexport A=2 B=$A\n",
        "export \"A=1 2\" 'B=3'\nexport C\"=\"4\n".trim_end_matches("export C\"=\"4\n"),
        "set -euo pipefail\nset -a\nA=1\nset +a\n",
        "#!/bin/bash\n\n   \n\tA=1\n  export   B=2  \n",
        "A=$\nB=a$\nC=\"$\"\n",
        "A={a,b}\nB=*\nC=[ab]?\n",
        "A=${X:-}\nB=\"${X:-a b}\"\nC=${X:-a b}\n",
        "A=${X:-${Y:-7}}\n",
        "A='\\'\nB=\"\\\\\"\nC=\\'\n",
        "A=x;B=y;;C=z\n".trim_end_matches(";;C=z\n"),
        "A=1\necho \"A is $A\" >&2\nprintf '%s' ${B:=2} >/dev/null\n",
        "A=\"\"'\nB=''\"\"'",
    ];
    for script in scripts {
        let read = read(script).unwrap_or_else(|error| panic!("{script:?}: {error}"));
        assert!(is_understood(&read), "{script:?} {read:?}");
        let Some(expected) = of_bash(script) else { return };
        assert_eq!(left(&read), expected, "{script:?}");
        assert_every_line_once(script, &read);
    }
}

/// SCRIPT-3: what may not run, or runs a program, is listed with its reason.
#[test]
fn what_depends_on_more_than_the_script_is_not_understood() {
    let cases = [
        ("A=$(cat secret)\n", "takes a value from a command"),
        ("A=`date`\n", "takes a value from a command"),
        ("A=$((1+2))\n", "takes a value from a command"),
        ("exec ./bot --live\n", "runs exec"),
        ("python -m bot\n", "runs python"),
        ("A=1 python -m bot\n", "runs python"),
        ("source other.sh\n", "runs source, which can set any variable"),
        (". ./other.sh\n", "runs ., which can set any variable"),
        ("A=$B\n", "needs B, which the script does not set"),
        ("A=${B:?unset}\n", "uses an expansion other than ${NAME} and ${NAME:-default}"),
        ("A=${B:-'quoted'}\n", "uses an expansion other than"),
        ("A=$1\n", "uses arguments or the state of the shell"),
        ("A=~/x\n", "uses the home folder"),
        ("export A={a,b}\n", "uses braces"),
        ("A=(1 2)\n", "is an array"),
        ("A+=1\n", "is an assignment to a part"),
        ("A[0]=1\n", "is an assignment to a part"),
        ("[ -n x ] && A=1\n", "joins commands with &&"),
        ("A=1 &\n", "joins commands with &"),
        ("A=1 > file\n", "redirects input or output"),
        ("if true; then A=1; fi\n", "opens an if"),
        ("(A=1)\n", "opens parentheses"),
        ("readonly A=1\n", "is a declaration other than export"),
        ("export -n A\n", "is an export of something else"),
        (";\n", "is no command: a shell stops here"),
        ("A=1;;B=2\n", "is no command: a shell stops here"),
        ("fi\n", "is no command: a shell stops here"),
        ("echo $(date)\n", "takes a value from a command"),
        ("echo x | sh\n", "joins commands with |"),
        ("printf -v A 5\n", "runs printf"),
        ("RANDOM=5\n", "is an assignment to a variable of the shell itself"),
        ("A=$'x'\n", "uses $'…' quotes"),
    ];
    for (text, why) in cases {
        let script = read(text).unwrap();
        let [entry] = script.entries.as_slice() else { panic!("{text:?} {script:?}") };
        let What::Strange(strange) = &entry.what else { panic!("{text:?} {script:?}") };
        assert!(strange.why.to_string().starts_with(why), "{text:?}: {}", strange.why);
        assert_every_line_once(text, &script);
    }
}

/// SCRIPT-3: an assignment that only might run does not count, however plain its line looks.
#[test]
fn a_plain_line_in_a_strange_place_is_not_believed() {
    let hidden = [
        "if [ \"$X\" = prod ]; then\n  A=2\nfi\n",
        "for x in 1 2\ndo\nA=2\ndone\n",
        "f() {\n  A=2\n}\n",
        "f()\n{\nA=2\n}\n",
        "function f {\nA=2\n}\n",
        "(\nA=2\n)\n",
        "case x in\n  y)\n    A=2\n    ;;\nesac\n",
        "cat <<EOF\nA=2\nEOF\n",
        "cat <<-'EOF'\nA=2\n\tEOF\n",
        "[ -n \"$X\" ] ||\n  A=2\n",
        "exit 0\nA=2\n",
        "exec ./bot > log 2>&1\nA=2\n",
        "B=$(case x in x) echo;\nesac)\nA=2\n",
        "if true\nthen if true\nthen :\nfi\nA=2\nfi\n",
        "{ :\nA=2\n}\n",
        ";\nA=2\n",
        "echo )\nA=2\n",
    ];
    for text in hidden {
        let script = read(&format!("A=1\n{text}")).unwrap();
        assert_eq!(left(&script).get("A").map(String::as_str), Some("1"), "{text:?} {script:?}");
        let mentions = |what: &What| matches!(what, What::Strange(strange) if strange.mentions.iter().any(|name| name == "A"));
        assert!(script.entries.iter().any(|entry| mentions(&entry.what)), "{text:?} {script:?}");
    }
    for text in ["A=1\nunset A\nB=${A:-5}\n", "source x\nB=${A:-5}\n", "if x; then A=1; fi\nB=$A\n"] {
        assert!(!left(&read(text).unwrap()).contains_key("B"), "{text:?}");
    }
    for text in ["exec 2>&1\nA=2\n", "exec >log\nA=2\n", "if true; then :; fi\nA=2\n", "f() { :; }\nA=2\n", "x() ( : )\nA=2\n"] {
        assert_eq!(left(&read(text).unwrap()).get("A").map(String::as_str), Some("2"), "{text:?}");
    }
}

#[test]
fn line_ends_of_windows_are_line_ends() {
    let script = read("#!/bin/sh\r\nexport A=50\r\nB='x' # c\r\n\r\nC=a\\\r\nb\r\n").unwrap();
    assert_eq!(
        left(&script).into_iter().collect::<Vec<_>>(),
        [("A", "50"), ("B", "x"), ("C", "ab")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    assert_every_line_once("#!/bin/sh\r\nexport A=50\r\nB='x' # c\r\n\r\nC=a\\\r\nb\r\n", &script);
}

#[test]
fn what_is_never_closed_is_named_with_its_place() {
    let told = |text: &str| read(text).unwrap_err().to_string();
    assert_eq!(told("A=1\nB=\"50\n"), "the quote opened on line 2, column 3 is never closed");
    assert_eq!(told("é='"), "the quote opened on line 1, column 3 is never closed");
    assert_eq!(told("A=${B:-"), "the brace opened on line 1, column 3 is never closed");
    assert_eq!(told("A=$(x"), "the parenthesis opened on line 1, column 3 is never closed");
    assert_eq!(told("A=`x"), "the backtick opened on line 1, column 3 is never closed");
    assert_eq!(told("A=1\0\n"), "line 1 holds a zero byte: this is no text");
    assert_eq!(told(&"${a:-".repeat(1000)), "line 1 nests expansions more than 32 deep");
    assert_eq!(told(&"$(".repeat(1000)), "line 1 nests expansions more than 32 deep");
    assert_eq!(told(&"$(\"".repeat(1000)), "line 1 nests expansions more than 32 deep");
}

/// Doubling at each line, and expansions that would be read again at each of their levels.
#[test]
fn a_script_made_to_cost_much_costs_little() {
    let doubling: String = std::iter::once("A=xx\n").chain(std::iter::repeat_n("A=$A$A\n", 60)).collect();
    let script = read(&doubling).unwrap();
    assert!(left(&script)["A"].len() <= 64 << 10 && !is_understood(&script));
    let nested = format!("A={}{}\n", "${a:-x\"${a:-".repeat(12), "}'}\"'}".repeat(12)).repeat(200);
    let _ = read(&nested);
}

/// A line of a script, often a plain assignment, sometimes anything.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[A-C]", "[A-Z_][A-Z0-9_]{0,6}"];
    let value = prop_oneof![
        "[a-z0-9.]{0,5}",
        "'[ -&(-~]{0,6}'",
        "\"[ !#%-\\[\\]-_a-z]{0,6}\"",
        "\\$[A-C]",
        "\"\\$\\{[A-C]:-[a-z0-9 ]{0,4}\\}\"",
        "\\$\\{[A-C]:?[-=][a-z0-9]{0,4}\\}",
        "\\\\[ -~]",
    ];
    let word = (name, proptest::collection::vec(value, 0..3)).prop_map(|(name, values)| format!("{name}={}", values.concat()));
    let words = proptest::collection::vec(word, 1..3);
    let plain =
        (words, prop_oneof![Just(""), Just("export "), Just(": "), Just("  ")], prop_oneof![Just(""), Just(" # c"), Just(";")]);
    let plain = plain.prop_map(|(words, head, tail)| format!("{head}{}{tail}", words.join(" ")));
    let pieces = prop_oneof![
        Just("if true; then"),
        Just("fi"),
        Just("A=5"),
        Just("for x in A"),
        Just("do"),
        Just("done"),
        Just("}"),
        Just("{"),
        Just("f() {"),
        Just("exit"),
        Just("exec"),
        Just("<<E"),
        Just("E"),
        Just("&&"),
        Just("||"),
        Just("|"),
        Just(";"),
        Just("$("),
        Just(")"),
        Just("'"),
        Just("\""),
        Just("`"),
        Just("${"),
        Just("\\"),
        Just("case x in"),
        Just("x)"),
        Just(";;"),
        Just("esac"),
        Just("set -e"),
        Just("source"),
        Just("export A"),
        Just("B=$A"),
        Just("C=${A:-1}"),
    ];
    let strange = proptest::collection::vec(pieces, 1..4).prop_map(|pieces| pieces.join(" "));
    prop_oneof![4 => plain, 2 => strange, 1 => "[ -~\\t]{0,12}"]
}

fn script(lines: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(line(), lines).prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// SCRIPT-1.
    #[test]
    fn any_text_is_read_or_refused_and_no_line_is_lost(text in prop_oneof![script(0..8), any::<String>(), "[\\x00-\\x7f]{0,40}"]) {
        if let Ok(script) = read(&text) {
            assert_every_line_once(&text, &script);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// SCRIPT-2: what is understood as a whole means to bash what it means to us.
    #[test]
    fn a_script_that_is_understood_means_what_bash_says(text in script(1..6)) {
        if let Ok(script) = read(&text) && is_understood(&script) && let Some(expected) = of_bash(&text) {
            prop_assert_eq!(left(&script), expected);
        }
    }
}
