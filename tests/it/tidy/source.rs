//! Rust source as the rules see it: text without comments and literals, and the paths it names.

/// A file under judgement.
pub struct Source {
    /// From the project's folder, like `src/risk/gate.rs`.
    pub path: String,
    pub text: String,
    /// The text with comments and the insides of literals blanked; lines stay where they are.
    pub code: String,
    /// The first line of the tests inside the file; beyond its end if there are none.
    pub tests_from: usize,
}

/// A name as it is written, with its groups unfolded: `use a::{b, c::d}` names `a::b` and `a::c::d`.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    pub parts: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let is_test_file = path.starts_with("tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("/testing.rs")
            || path.contains("/tests/");
        let code = code_of(text);
        let lines: Vec<&str> = code.lines().map(str::trim).collect();
        let inside = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
        let tests_from = if is_test_file { 0 } else { inside.unwrap_or(usize::MAX) };
        Self { path: path.to_owned(), text: text.to_owned(), code, tests_from: tests_from.saturating_add(1) }
    }

    /// The room of a file below `src/`: `risk` for `src/risk/gate.rs`, `clock` for `src/clock.rs`.
    pub fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let first = below.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    /// Modules from the crate's root to this file.
    pub fn depth(&self) -> usize {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').filter(|part| *part != "mod.rs").count()
    }

    /// Is this line (from 1) part of a test?
    pub fn is_test(&self, line: usize) -> bool {
        line >= self.tests_from
    }

    pub fn names(&self) -> Vec<Named> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_word(tokens[at].1) {
                at = path(&tokens, at, &mut Vec::new(), &mut found);
            } else {
                at += 1;
            }
        }
        found
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one path from `at`, groups included; gives where it ends.
fn path(tokens: &[(usize, &str)], mut at: usize, parts: &mut Vec<String>, found: &mut Vec<Named>) -> usize {
    let line = tokens[at].0;
    let before = parts.len();
    while let Some((_, word)) = tokens.get(at).filter(|(_, token)| is_word(token)) {
        parts.push((*word).to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|(_, token)| *token != "::") {
            break;
        }
        at += 1;
        if tokens.get(at).is_some_and(|(_, token)| *token == "{") {
            at = group(tokens, at + 1, parts, found);
            parts.truncate(before);
            return at;
        }
    }
    found.push(Named { line, parts: parts.clone() });
    parts.truncate(before);
    at
}

fn group(tokens: &[(usize, &str)], mut at: usize, parts: &mut Vec<String>, found: &mut Vec<Named>) -> usize {
    while let Some((_, token)) = tokens.get(at) {
        match *token {
            "}" => return at + 1,
            word if is_word(word) => at = path(tokens, at, parts, found),
            _ => at += 1,
        }
    }
    at
}

fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((number + 1, &rest[..end]));
            rest = rest[end..].trim_start();
        }
    }
    found
}

/// Blanks comments and the insides of literals.
fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => 1 + quoted(&rest[1..], '"'),
            'r' if !after_word => raw(rest).unwrap_or(0),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// Bytes up to and with the closing mark.
fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string, if one begins here.
fn raw(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let at = body.find(&end)?;
    Some(2 + hashes + at + end.len())
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => 1 + quoted(&text[1..], '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Source::new("src/risk/gate.rs", text).names().iter().map(|named| named.parts.join("::")).collect()
    }

    #[test]
    fn groups_unfold() {
        assert_eq!(
            names("use a::{b, c::{d, self}};\nlet x = e::f(g);"),
            ["use", "a::b", "a::c::d", "a::c::self", "let", "x", "e::f", "g"]
        );
        assert_eq!(names("Vec::<u8>::new()"), ["Vec", "u8", "new"]);
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "a // b\n/* c */ d(\"e \\\" f\", r#\"g \" h\"#, 'i', '\\'', b'k') <'l> m";
        assert_eq!(names(text), ["a", "d", "b", "l", "m"]);
        assert_eq!(Source::new("x", "\"a\nb\"\nc").names()[0].line, 3, "lines stay where they are");
    }

    #[test]
    fn tests_begin_where_they_begin() {
        let helper = Source::new("src/risk/mod.rs", "#[cfg(test)]\nmod testing;\npub use gate::Gate;\n");
        assert!(!helper.is_test(3), "what follows a helper of tests is no test");
        let source = Source::new("src/risk/gate.rs", "fn a() {}\n#[cfg(test)]\nmod tests {}\n");
        assert_eq!([source.is_test(1), source.is_test(2), source.is_test(3)], [false, true, true]);
        assert!(!Source::new("src/clock.rs", "fn a() {}\n").is_test(1));
        assert!(Source::new("tests/it/main.rs", "fn a() {}\n").is_test(1));
        assert_eq!((source.room(), source.depth()), (Some("risk"), 2));
        let head = Source::new("src/stage/oms/mod.rs", "");
        assert_eq!((head.room(), head.depth()), (Some("stage"), 2));
    }
}
