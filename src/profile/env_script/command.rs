//! What a command of the shell does to what follows: opens something, leaves the script, sets options.

use super::lexer::{Piece, Token, Word};

/// Words that open something, what they open, and the word that closes it.
const OPENERS: [(&str, &str, &str); 7] = [
    ("if", "an if", "fi"),
    ("for", "a loop", "done"),
    ("while", "a loop", "done"),
    ("until", "a loop", "done"),
    ("select", "a loop", "done"),
    ("case", "a case", "esac"),
    ("{", "a group or function", "}"),
];
/// Words that stand only inside something open.
const ENDS: [&str; 8] = ["fi", "done", "esac", "}", "then", "do", "else", "elif"];
/// Words behind which a command begins.
const BEFORE_COMMANDS: [&str; 10] = ["then", "do", "else", "elif", "!", "{", "time", "if", "while", "until"];
/// Commands that set variables whose names they need not mention.
const SETS_ANYTHING: [&str; 3] = ["source", ".", "eval"];
/// Commands behind which the script does not go on.
const LEAVES: [&str; 3] = ["exit", "return", "exec"];
/// Options of `set` that change no value.
const OPTION_LETTERS: &str = "aeuxvEbh";
const OPTION_NAMES: [&str; 8] = ["allexport", "errexit", "nounset", "xtrace", "verbose", "pipefail", "errtrace", "posix"];

const OWN: [&str; 19] = [
    "_",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "UID",
    "EUID",
    "PPID",
    "GROUPS",
    "FUNCNAME",
    "DIRSTACK",
    "HISTCMD",
    "SHELLOPTS",
    "PIPESTATUS",
    "OPTIND",
    "COMP_WORDBREAKS",
    "POSIXLY_CORRECT",
];

/// Something that is open, and where it was opened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open {
    pub what: &'static str,
    closer: &'static str,
    pub line: usize,
}

impl Word {
    /// The word when it is plain: no quotes, no expansion.
    pub fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text { text, quoted: false }] => Some(text),
            _ => None,
        }
    }

    /// The word without its quotes, when nothing in it is expanded.
    fn literal(&self) -> Option<String> {
        self.pieces.iter().map(|piece| if let Piece::Text { text, .. } = piece { Some(text.as_str()) } else { None }).collect()
    }
}

/// Follows what opens and closes, and says what was opened. When in doubt something stays open, and what follows is not
/// understood.
pub(super) fn follow(open: &mut Vec<Open>, tokens: &[Token], line: usize) -> Option<&'static str> {
    let mut opened = None;
    let mut is_command = true;
    let mut was_function = false;
    for token in tokens {
        match token {
            Token::Operator("(") => {
                open.push(Open { what: "parentheses", closer: ")", line });
                is_command = true;
            }
            Token::Operator(")") => {
                // In a case, what stands before a parenthesis is a pattern.
                open.pop_if(|last| last.closer == ")");
                is_command = true;
            }
            Token::Operator(_) => is_command = true,
            Token::Word(word) => {
                let plain = word.plain().unwrap_or_default();
                let opener = OPENERS.iter().find(|(opener, ..)| *opener == plain && (is_command || plain == "{"));
                if let Some((_, what, closer)) = opener {
                    open.push(Open { what, closer, line });
                    opened.get_or_insert(*what);
                } else if is_command {
                    open.pop_if(|last| last.closer == plain);
                }
                // `function name` may be followed by any command that groups others.
                is_command = BEFORE_COMMANDS.contains(&plain) || was_function;
                was_function = plain == "function";
            }
        }
    }
    opened
}

/// Does a shell refuse the line? Outside of anything open: an operator without its left side, or an end of what never began. The
/// shell stops there.
pub(super) fn is_broken(tokens: &[Token]) -> bool {
    let is_control = |token: &Token| matches!(token, Token::Operator(";" | "&" | "&&" | "||" | "|" | "|&" | ";;" | ";&" | ";;&"));
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let is_first = at == 0 || is_control(&tokens[at - 1]);
        match token {
            _ if is_first && is_control(token) => return true,
            Token::Operator(";;" | ";&" | ";;&") => return true,
            Token::Operator("(") => depth += 1,
            Token::Operator(")") if depth == 0 => return true,
            Token::Operator(")") => depth -= 1,
            Token::Word(word) if is_first && depth == 0 && word.plain().is_some_and(|text| ENDS.contains(&text)) => return true,
            _ => {}
        }
    }
    false
}

/// Does the command print and do nothing else? `printf -v` sets a variable.
pub(super) fn only_prints(words: &[&Word]) -> bool {
    match words.first().and_then(|word| word.plain()) {
        Some("echo") => true,
        Some("printf") => words.get(1).and_then(|word| word.literal()).is_some_and(|word| !word.starts_with('-')),
        _ => false,
    }
}

pub(super) fn sets_anything(command: &str) -> bool {
    SETS_ANYTHING.contains(&command)
}

/// Does the script end with this command? `exec` with nothing but redirections goes on.
pub(super) fn leaves(command: &str, tokens: &[Token]) -> bool {
    let is_operator = |at: usize| matches!(tokens.get(at), Some(Token::Operator(_)));
    let is_redirect = |(at, token): (usize, &Token)| match token {
        Token::Operator(_) => true,
        Token::Word(word) => {
            let is_number = word.plain().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
            is_operator(at - 1) || (is_number && is_operator(at + 1))
        }
    };
    LEAVES.contains(&command) && (command != "exec" || !tokens.iter().enumerate().skip(1).all(is_redirect))
}

/// Variables that the shell changes or guards by itself: what is assigned to them is not what they hold.
pub(super) fn is_the_shells_own(name: &str) -> bool {
    name.starts_with("BASH") || OWN.contains(&name)
}

/// Are these the words of a `set` that changes options, and no value?
pub(super) fn is_harmless_set(words: &[&Word]) -> bool {
    let mut rest = words[1..].iter();
    let mut some = false;
    while let Some(word) = rest.next() {
        let Some(letters) = word.plain().and_then(|text| text.strip_prefix(['-', '+'])) else { return false };
        if letters.is_empty() || !letters.chars().all(|c| c == 'o' || OPTION_LETTERS.contains(c)) {
            return false;
        }
        for _ in letters.matches('o') {
            if !rest.next().and_then(|name| name.plain()).is_some_and(|name| OPTION_NAMES.contains(&name)) {
                return false;
            }
        }
        some = true;
    }
    some
}

/// A command's name as it may be shown: what could be a value is left out.
pub(super) fn shown(word: &Word) -> String {
    let plain = word.plain().unwrap_or_default();
    let is_name = plain.len() <= 40 && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./-:+[".contains(&b));
    if is_name && plain.bytes().filter(u8::is_ascii_digit).count() <= 6 { plain.to_owned() } else { String::new() }
}
