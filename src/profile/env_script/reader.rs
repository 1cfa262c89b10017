//! From logical lines to assignments: follows the script from top to bottom with what it has set so far.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{self, Open};
use super::lexer::{Fallback, Lexer, Line, Piece, Token, Word};
use super::{Assignment, Entry, Script, ScriptError, Strange, What, Why};

/// Variables that hold each other can double at every line.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// Reads a script. Nothing of it is run.
///
/// # Errors
/// When no end can be found for what it opens: quotes, braces, parentheses.
pub fn read(text: &str) -> Result<Script, ScriptError> {
    let mut lexer = Lexer::new(text)?;
    let mut reader = Reader::default();
    let mut entries = Vec::new();
    while let Some(line) = lexer.next_line()? {
        let what = match reader.line(&line) {
            Ok(assignments) if assignments.is_empty() => What::Nothing,
            Ok(assignments) => {
                let at = |assignment: Made| Assignment {
                    line: lexer.line_of(assignment.word.start),
                    name: assignment.name,
                    value: assignment.known.value,
                    span: assignment.word,
                    is_default: assignment.known.is_default,
                    refers: assignment.known.refers.into_iter().collect(),
                };
                What::Assigns(assignments.into_iter().map(at).collect())
            }
            Err(why) => {
                let mentions = names_in(&text[line.span.clone()]);
                reader.doubt(&why, &mentions);
                What::Strange(Strange { why, mentions })
            }
        };
        entries.push(Entry { first: line.first, last: line.last, what });
    }
    Ok(Script { entries, comments: lexer.comments })
}

/// Every word of a text that could be the name of a variable.
fn names_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: BTreeSet<&str> = words.filter(|word| is_name(word)).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A value and where it comes from.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    value: String,
    is_default: bool,
    refers: BTreeSet<String>,
}

/// An assignment on its way out.
#[derive(Debug, Clone)]
struct Made {
    name: String,
    known: Known,
    word: std::ops::Range<usize>,
}

/// What the script has done so far.
#[derive(Debug, Default)]
struct Reader {
    /// `None` for a variable that a line not understood may have changed.
    variables: BTreeMap<String, Option<Known>>,
    /// A line may have set any variable: what is not in `variables` is not known to be unset.
    is_doubted: bool,
    open: Vec<Open>,
    left: Option<(String, usize)>,
    lost: Option<usize>,
}

impl Reader {
    /// What a logical line assigns.
    fn line(&mut self, line: &Line) -> Result<Vec<Made>, Why> {
        if line.tokens.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(first) = self.lost {
            return Err(Why::Behind(first));
        }
        if let Some((command, at)) = &self.left {
            return Err(Why::Unreached(command.clone(), *at));
        }
        if line.is_lost {
            self.lost = Some(line.first);
        }
        let outer = self.open.first().cloned();
        let tokens = &line.tokens;
        let opened = command::follow(&mut self.open, tokens, line.first);
        if let Some(outer) = outer {
            return Err(Why::Inside(outer.what, outer.line));
        }
        if opened.is_none() && command::is_broken(tokens) {
            self.left = Some(("the error".to_owned(), line.first));
            return Err(Why::Broken);
        }
        if let Some(what) = opened.or_else(|| self.open.first().map(|open| open.what)) {
            return Err(Why::Opens(what));
        }
        self.commands(tokens, line.first)
    }

    /// Simple commands, one after the other. All of them are understood, or none counts.
    fn commands(&mut self, tokens: &[Token], line: usize) -> Result<Vec<Made>, Why> {
        let mut made: Vec<Made> = Vec::new();
        let mut refused = None;
        for part in tokens.split(|token| *token == Token::Operator(";")).filter(|part| !part.is_empty()) {
            match self.command(part, &made, line) {
                Ok(more) => made.extend(more),
                Err(why) => {
                    refused.get_or_insert(why);
                }
            }
        }
        if let Some(why) = refused {
            return Err(why);
        }
        for one in &made {
            self.variables.insert(one.name.clone(), Some(one.known.clone()));
        }
        Ok(made)
    }

    fn command(&mut self, tokens: &[Token], before: &[Made], line: usize) -> Result<Vec<Made>, Why> {
        let words: Vec<&Word> =
            tokens.iter().filter_map(|token| if let Token::Word(word) = token { Some(word) } else { None }).collect();
        let head = words.first().copied().filter(|_| matches!(tokens[0], Token::Word(_)));
        let plain = head.and_then(Word::plain).unwrap_or_default();
        let is_assignment = head.is_some_and(|word| target(word).is_some());
        if command::leaves(plain, tokens) {
            self.left = Some((plain.to_owned(), line));
        }
        if command::only_prints(&words) {
            return self.printed(tokens, before);
        }
        if command::sets_anything(plain) {
            return Err(Why::SetsAnything(plain.to_owned()));
        }
        if let Some(operator) = tokens.iter().find_map(|token| if let Token::Operator(text) = token { Some(*text) } else { None })
        {
            return Err(match operator {
                "(" | ")" if is_assignment => Why::Assignment("an array"),
                "(" | ")" => Why::Opens("parentheses or a function"),
                "&&" | "||" | "|" | "|&" | "&" => Why::Joined(operator),
                _ if is_assignment || plain == "export" => Why::Redirects,
                _ => Why::Command(head.map(command::shown).unwrap_or_default()),
            });
        }
        let mut scope = Scope { reader: self, before, made: Vec::new(), exported: Vec::new() };
        match plain {
            "export" => words[1..].iter().try_for_each(|word| scope.export(word))?,
            ":" => words[1..].iter().try_for_each(|word| scope.expand(&word.pieces, &word.span).map(drop))?,
            "set" if command::is_harmless_set(&words) => {}
            "declare" | "typeset" | "local" | "readonly" => return Err(Why::Assignment("a declaration other than export")),
            _ if is_assignment => scope.assign_all(&words)?,
            _ => return Err(head.map_or_else(|| Why::Command(String::new()), stranger)),
        }
        scope.made.append(&mut scope.exported);
        match scope.made.iter().find(|made| command::is_the_shells_own(&made.name)) {
            Some(_) => Err(Why::Assignment("an assignment to a variable of the shell itself")),
            None => Ok(scope.made),
        }
    }

    /// A command that only prints: what its words assign by `${X:=…}` still counts.
    fn printed(&mut self, tokens: &[Token], before: &[Made]) -> Result<Vec<Made>, Why> {
        let mut scope = Scope { reader: self, before, made: Vec::new(), exported: Vec::new() };
        for token in &tokens[1..] {
            match token {
                Token::Word(word) => drop(scope.expand(&word.pieces, &word.span)?),
                Token::Operator(">" | ">>" | ">&" | "&>" | "&>>") => {}
                Token::Operator("(" | ")") => return Err(Why::Opens("parentheses")),
                Token::Operator("<" | "<<" | "<<<" | "<&") => return Err(Why::Redirects),
                Token::Operator(operator) => return Err(Why::Joined(operator)),
            }
        }
        Ok(scope.made)
    }

    /// After a line that is not understood, what it mentions may be anything.
    fn doubt(&mut self, why: &Why, mentions: &[String]) {
        if why.sets_anything() {
            self.variables.clear();
            self.is_doubted = true;
        }
        for name in mentions {
            self.variables.insert(name.clone(), None);
        }
    }
}

/// The variable that a word assigns to, with the pieces of the value: `NAME=…` with a plain name.
fn target(word: &Word) -> Option<(&str, &str, &[Piece])> {
    let Some((Piece::Text { text, quoted: false }, rest)) = word.pieces.split_first() else { return None };
    let (name, value) = text.split_once('=')?;
    is_name(name).then_some((name, value, rest))
}

/// Why a command that begins with this word is not understood.
fn stranger(word: &Word) -> Why {
    let target = match word.pieces.first() {
        Some(Piece::Text { text, quoted: false }) => text.split_once('=').map_or("", |(target, _)| target),
        _ => "",
    };
    if is_name(target.trim_end_matches('+').split('[').next().unwrap_or_default()) {
        Why::Assignment("an assignment to a part")
    } else {
        Why::Command(command::shown(word))
    }
}

/// One command that is being read, over what the commands before it on the same line have set.
struct Scope<'a> {
    reader: &'a Reader,
    before: &'a [Made],
    made: Vec<Made>,
    /// What `export` sets, after all of its words have been expanded: they do not see each other.
    exported: Vec<Made>,
}

impl Scope<'_> {
    fn assign_all(&mut self, words: &[&Word]) -> Result<(), Why> {
        // Behind assignments stands a command that they are for: nothing of it is known.
        if let Some(word) = words.iter().find(|word| target(word).is_none()) {
            return Err(stranger(word));
        }
        words.iter().try_for_each(|word| self.assign(word))
    }

    fn assign(&mut self, word: &Word) -> Result<(), Why> {
        let (name, value, rest) = target(word).expect("the caller looked");
        let made = self.make(name, Piece::Text { text: value.to_owned(), quoted: false }, rest, word)?;
        self.made.push(made);
        Ok(())
    }

    fn make(&mut self, name: &str, first: Piece, rest: &[Piece], word: &Word) -> Result<Made, Why> {
        let pieces: Vec<Piece> = std::iter::once(first).chain(rest.iter().cloned()).collect();
        let known = self.expand(&pieces, &word.span)?;
        Ok(Made { name: name.to_owned(), known, word: word.span.clone() })
    }

    fn export(&mut self, word: &Word) -> Result<(), Why> {
        // `export "NAME=value"` is the same as without the quotes.
        let whole = word.pieces.split_first().and_then(|(first, rest)| match first {
            Piece::Text { text, quoted } => text.split_once('=').map(|(name, value)| (name, value, *quoted, rest)),
            _ => None,
        });
        let Some((name, value, quoted, rest)) = whole else {
            let Some(name) = word.plain().filter(|name| is_name(name)) else {
                return Err(Why::Assignment("an export of something else"));
            };
            return self.look_up(name)?.map(drop).ok_or_else(|| Why::Unset(name.to_owned()));
        };
        if !is_name(name) {
            return Err(Why::Assignment("an assignment to no plain name"));
        }
        let has_brace = |piece: &Piece| matches!(piece, Piece::Text { text, quoted: false } if text.contains('{'));
        let first = Piece::Text { text: value.to_owned(), quoted };
        if has_brace(&first) || rest.iter().any(has_brace) {
            return Err(Why::Expansion("braces"));
        }
        let made = self.make(name, first, rest, word)?;
        self.exported.push(made);
        Ok(())
    }

    /// What a variable holds here; `None` when the script has not set it.
    fn look_up(&self, name: &str) -> Result<Option<Known>, Why> {
        if let Some(made) =
            self.made.iter().chain(self.before).filter(|made| made.name == name).max_by_key(|made| made.word.start)
        {
            return Ok(Some(made.known.clone()));
        }
        match self.reader.variables.get(name) {
            Some(Some(known)) => Ok(Some(known.clone())),
            Some(None) => Err(Why::Unsure(name.to_owned())),
            None if self.reader.is_doubted => Err(Why::Unsure(name.to_owned())),
            None => Ok(None),
        }
    }

    fn expand(&mut self, pieces: &[Piece], word: &std::ops::Range<usize>) -> Result<Known, Why> {
        let mut known = Known::default();
        for piece in pieces {
            match piece {
                Piece::Text { text, .. } => known.value.push_str(text),
                Piece::Substitution => return Err(Why::Substitution),
                Piece::Expansion(what) => return Err(Why::Expansion(what)),
                Piece::Variable { name, fallback } => {
                    let part = self.variable(name, fallback.as_ref(), word)?;
                    known.value.push_str(&part.value);
                    known.is_default |= part.is_default;
                    known.refers.extend(part.refers);
                    known.refers.insert(name.clone());
                }
            }
            if known.value.len() > VALUE_BYTES_MAX {
                return Err(Why::TooLong);
            }
        }
        Ok(known)
    }

    fn variable(&mut self, name: &str, fallback: Option<&Fallback>, word: &std::ops::Range<usize>) -> Result<Known, Why> {
        let there = self.look_up(name)?;
        let Some(fallback) = fallback else { return there.ok_or_else(|| Why::Unset(name.to_owned())) };
        if let Some(known) = there.filter(|known| !(fallback.when_empty && known.value.is_empty())) {
            return Ok(known);
        }
        let mut known = self.expand(&fallback.pieces, word)?;
        known.is_default = true;
        if fallback.assigns {
            self.made.push(Made { name: name.to_owned(), known: known.clone(), word: word.clone() });
        }
        Ok(known)
    }
}
