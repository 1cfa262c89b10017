//! From characters to logical lines of words and operators, as a POSIX shell cuts them.

use std::ops::Range;

use super::ScriptError;

/// Expansions inside expansions; a person writes two or three.
const DEPTH_MAX: usize = 32;

/// What the shell takes together: one line, or several when quotes, backslashes, operators or here-documents join them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The first and the last line, from 1.
    pub first: usize,
    pub last: usize,
    pub span: Range<usize>,
    pub tokens: Vec<Token>,
    /// Where a command substitution ends is a guess.
    pub is_lost: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(Word),
    Operator(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub pieces: Vec<Piece>,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text { text: String, quoted: bool },
    Variable { name: String, fallback: Option<Fallback> },
    Substitution,
    Expansion(&'static str),
}

/// `${X:-this}` and its kin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fallback {
    pub pieces: Vec<Piece>,
    /// With the colon: an empty variable counts as unset.
    pub when_empty: bool,
    /// With `=`: the variable gets the value too.
    pub assigns: bool,
}

/// Longer ones first, so that each is taken whole.
const OPERATORS: [&str; 18] =
    ["<<<", ";;&", "&>>", "&&", "||", ";;", ";&", "|&", "<<", ">>", "&>", "<&", ">&", ";", "&", "|", "<", ">"];

/// A here-document that begins behind the end of its line.
struct Here {
    end: String,
    strips_tabs: bool,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line_starts: Vec<usize>,
    depth: usize,
    is_lost: bool,
    pub comments: Vec<Range<usize>>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Result<Self, ScriptError> {
        let line_starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let lexer = Self { text, at: 0, line_starts, depth: 0, is_lost: false, comments: Vec::new() };
        match text.find('\0') {
            Some(at) => Err(ScriptError::ZeroByte { line: lexer.line_of(at) }),
            None => Ok(lexer),
        }
    }

    pub fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn unclosed(&self, what: &'static str, at: usize) -> ScriptError {
        let line = self.line_of(at);
        let column = self.text[self.line_starts[line - 1]..at].chars().count() + 1;
        ScriptError::Unclosed { what, line, column }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The length of an end of line here: 0 when there is none.
    fn end_of_line(&self) -> usize {
        let rest = self.rest();
        if rest.starts_with('\n') {
            1
        } else if rest.starts_with("\r\n") {
            2
        } else {
            0
        }
    }

    /// Goes over one character.
    fn step(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// The next logical line; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<Line>, ScriptError> {
        let start = self.at;
        if self.byte().is_none() {
            return Ok(None);
        }
        let mut tokens = Vec::new();
        let mut here: Vec<Here> = Vec::new();
        self.is_lost = false;
        while let Some(byte) = self.byte() {
            let newline = self.end_of_line();
            if newline > 0 {
                self.at += newline;
                here.drain(..).for_each(|document| self.skip_here(&document));
                if goes_on(&tokens) {
                    continue;
                }
                break;
            }
            match byte {
                b' ' | b'\t' => self.at += 1,
                b'\\' if self.is_continuation() > 0 => self.at += self.is_continuation(),
                b'#' => self.comment(),
                _ => self.token(&mut tokens, &mut here)?,
            }
        }
        let (first, last) = (self.line_of(start), self.line_of(self.at.max(start + 1) - 1));
        Ok(Some(Line { first, last, span: start..self.at, tokens, is_lost: self.is_lost }))
    }

    /// The length of a backslash with the end of line that it takes away: 0 when there is none.
    fn is_continuation(&self) -> usize {
        let rest = self.rest();
        if rest.starts_with("\\\n") {
            2
        } else if rest.starts_with("\\\r\n") {
            3
        } else {
            0
        }
    }

    fn comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        let length = if self.rest()[..length].ends_with('\r') { length - 1 } else { length };
        self.comments.push(self.at..self.at + length);
        self.at += length;
    }

    fn token(&mut self, tokens: &mut Vec<Token>, here: &mut Vec<Here>) -> Result<(), ScriptError> {
        let parenthesis = ["(", ")"].into_iter().find(|text| self.rest().starts_with(text));
        let operator = parenthesis.or_else(|| OPERATORS.into_iter().find(|text| self.rest().starts_with(text)));
        let Some(operator) = operator else {
            tokens.push(Token::Word(self.word()?));
            return Ok(());
        };
        self.at += operator.len();
        tokens.push(Token::Operator(operator));
        if operator == "<<" {
            here.push(self.here()?);
        }
        Ok(())
    }

    /// The word that ends a here-document.
    fn here(&mut self) -> Result<Here, ScriptError> {
        let strips_tabs = self.rest().starts_with('-');
        self.at += usize::from(strips_tabs);
        while matches!(self.byte(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.word()?;
        // Quotes around it do not belong to it; what is expanded there is nothing that we would find.
        let end = word.pieces.iter().map(|piece| if let Piece::Text { text, .. } = piece { text.as_str() } else { "" });
        Ok(Here { end: end.collect(), strips_tabs })
    }

    fn skip_here(&mut self, here: &Here) {
        while self.byte().is_some() {
            let length = self.rest().find('\n').map_or(self.rest().len(), |at| at + 1);
            let line = self.rest()[..length].trim_end_matches(['\n', '\r']);
            self.at += length;
            if (if here.strips_tabs { line.trim_start_matches('\t') } else { line }) == here.end {
                return;
            }
        }
    }

    /// A word, up to a blank, an operator or the end of the line.
    fn word(&mut self) -> Result<Word, ScriptError> {
        let start = self.at;
        let mut pieces = Vec::new();
        while let Some(byte) = self.byte() {
            if self.end_of_line() > 0 || matches!(byte, b' ' | b'\t' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')') {
                break;
            }
            match byte {
                b'\\' if self.is_continuation() > 0 => self.at += self.is_continuation(),
                b'\\' => {
                    self.at += 1;
                    let c = self.step().unwrap_or('\\');
                    push_text(&mut pieces, c, true);
                }
                b'\'' => self.single(&mut pieces)?,
                b'"' => self.double(&mut pieces)?,
                b'$' => self.dollar(&mut pieces, false)?,
                b'`' => self.backticks(&mut pieces)?,
                b'~' => {
                    self.at += 1;
                    pieces.push(Piece::Expansion("the home folder of whoever runs it"));
                }
                _ => {
                    let c = self.step().expect("a byte was seen");
                    push_text(&mut pieces, c, false);
                }
            }
        }
        Ok(Word { pieces, span: start..self.at })
    }

    fn single(&mut self, pieces: &mut Vec<Piece>) -> Result<(), ScriptError> {
        let open = self.at;
        self.at += 1;
        let Some(length) = self.rest().find('\'') else { return Err(self.unclosed("the quote", open)) };
        let text = self.rest()[..length].to_owned();
        self.at += length + 1;
        pieces.push(Piece::Text { text, quoted: true });
        Ok(())
    }

    fn double(&mut self, pieces: &mut Vec<Piece>) -> Result<(), ScriptError> {
        let open = self.at;
        self.at += 1;
        // Empty quotes are a word too.
        pieces.push(Piece::Text { text: String::new(), quoted: true });
        loop {
            match self.byte() {
                None => return Err(self.unclosed("the quote", open)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') if self.is_continuation() > 0 => self.at += self.is_continuation(),
                Some(b'\\') => {
                    self.at += 1;
                    // Elsewhere in double quotes a backslash is itself.
                    if !matches!(self.byte(), Some(b'$' | b'`' | b'"' | b'\\')) {
                        push_text(pieces, '\\', true);
                    } else if let Some(c) = self.step() {
                        push_text(pieces, c, true);
                    }
                }
                Some(b'$') => self.dollar(pieces, true)?,
                Some(b'`') => self.backticks(pieces)?,
                Some(_) => {
                    let c = self.step().expect("a byte was seen");
                    push_text(pieces, c, true);
                }
            }
        }
    }

    fn dollar(&mut self, pieces: &mut Vec<Piece>, quoted: bool) -> Result<(), ScriptError> {
        let open = self.at;
        self.at += 1;
        match self.byte() {
            Some(b'{') => {
                self.at += 1;
                self.deeper(open)?;
                let piece = self.braces(open, quoted)?;
                self.depth -= 1;
                pieces.push(piece);
            }
            Some(b'(') => {
                self.at += 1;
                self.skip_parentheses(open)?;
                pieces.push(Piece::Substitution);
            }
            Some(b'\'') if !quoted => {
                self.at += 1;
                self.skip_to(b'\'', open, "the quote")?;
                pieces.push(Piece::Expansion("$'…' quotes"));
            }
            Some(b'"') if !quoted => {
                self.double(&mut Vec::new())?;
                pieces.push(Piece::Expansion("$\"…\" quotes"));
            }
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
                let name = self.name();
                pieces.push(Piece::Variable { name, fallback: None });
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'$' | b'!' | b'-') => {
                self.at += 1;
                pieces.push(Piece::Expansion("arguments or the state of the shell"));
            }
            Some(b'[') => pieces.push(Piece::Expansion("arithmetic")),
            _ => push_text(pieces, '$', quoted),
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let length = self.rest().bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = self.rest()[..length].to_owned();
        self.at += length;
        name
    }

    fn deeper(&mut self, at: usize) -> Result<(), ScriptError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ScriptError::TooDeep { line: self.line_of(at), max: DEPTH_MAX });
        }
        Ok(())
    }

    /// Behind `${`: a variable with or without a default, or something that is skipped.
    fn braces(&mut self, open: usize, quoted: bool) -> Result<Piece, ScriptError> {
        let inside = self.at;
        let name = self.name();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if is_name && self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(Piece::Variable { name, fallback: None });
        }
        let when_empty = self.byte() == Some(b':');
        self.at += usize::from(when_empty);
        if is_name && let Some(sign @ (b'-' | b'=')) = self.byte() {
            self.at += 1;
            if let Some(pieces) = self.fallback(quoted)? {
                return Ok(Piece::Variable { name, fallback: Some(Fallback { pieces, when_empty, assigns: sign == b'=' }) });
            }
        }
        self.at = inside;
        self.skip_braces(open)?;
        Ok(Piece::Expansion("an expansion other than ${NAME} and ${NAME:-default}"))
    }

    /// The default up to its brace. `None` when it holds what is better not guessed at: quotes, braces, several lines.
    fn fallback(&mut self, quoted: bool) -> Result<Option<Vec<Piece>>, ScriptError> {
        let mut pieces = Vec::new();
        loop {
            match self.byte() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Some(pieces));
                }
                Some(b'$') => self.dollar(&mut pieces, quoted)?,
                None | Some(b'\'' | b'"' | b'\\' | b'`' | b'{' | b'~' | b'\n' | b'\r') => return Ok(None),
                Some(_) => {
                    let c = self.step().expect("a byte was seen");
                    push_text(&mut pieces, c, quoted);
                }
            }
        }
    }

    fn skip_braces(&mut self, open: usize) -> Result<(), ScriptError> {
        loop {
            match self.byte() {
                None => return Err(self.unclosed("the brace", open)),
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.skip_one(open)?,
            }
        }
    }

    fn skip_parentheses(&mut self, open: usize) -> Result<(), ScriptError> {
        self.deeper(open)?;
        loop {
            match self.byte() {
                None => return Err(self.unclosed("the parenthesis", open)),
                Some(b')') => {
                    self.at += 1;
                    break;
                }
                Some(b'(') => {
                    let inner = self.at;
                    self.at += 1;
                    self.skip_parentheses(inner)?;
                }
                Some(_) => self.skip_one(open)?,
            }
        }
        self.depth -= 1;
        // A comment, a case or a here-document in there could hold what we took for the end.
        self.is_lost |= ["\n", "#", "case", "<<"].iter().any(|sign| self.text[open..self.at].contains(sign));
        Ok(())
    }

    /// Goes over one character, or a quoted stretch, of what is not understood anyway. Never looks at anything twice: reading
    /// what was skipped again, at each of many levels, would take for ever.
    fn skip_one(&mut self, open: usize) -> Result<(), ScriptError> {
        match self.byte() {
            Some(b'\\') => {
                self.at += 1;
                self.step();
            }
            Some(b'\'') => self.single(&mut Vec::new())?,
            Some(b'"') => self.skip_double()?,
            Some(b'`') => self.backticks(&mut Vec::new())?,
            Some(b'$') => self.skip_dollar(open)?,
            _ => {
                self.step();
            }
        }
        Ok(())
    }

    fn skip_double(&mut self) -> Result<(), ScriptError> {
        let open = self.at;
        self.at += 1;
        self.deeper(open)?;
        loop {
            match self.byte() {
                None => return Err(self.unclosed("the quote", open)),
                Some(b'"') => break,
                Some(b'\'') => self.at += 1,
                Some(_) => self.skip_one(open)?,
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    fn skip_dollar(&mut self, open: usize) -> Result<(), ScriptError> {
        self.at += 1;
        match self.byte() {
            Some(b'{') => {
                self.at += 1;
                self.deeper(open)?;
                self.skip_braces(open)?;
                self.depth -= 1;
            }
            Some(b'(') => {
                self.at += 1;
                self.skip_parentheses(open)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn backticks(&mut self, pieces: &mut Vec<Piece>) -> Result<(), ScriptError> {
        let open = self.at;
        self.at += 1;
        self.skip_to(b'`', open, "the backtick")?;
        self.is_lost |= self.text[open..self.at].contains('\n');
        pieces.push(Piece::Substitution);
        Ok(())
    }

    /// Goes behind the next `end` without a backslash before it.
    fn skip_to(&mut self, end: u8, open: usize, what: &'static str) -> Result<(), ScriptError> {
        loop {
            match self.byte() {
                None => return Err(self.unclosed(what, open)),
                Some(byte) if byte == end => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.step();
                }
                Some(_) => {
                    self.step();
                }
            }
        }
    }
}

/// Does the line go on behind its end, because an operator waits for its other side?
fn goes_on(tokens: &[Token]) -> bool {
    matches!(tokens.last(), Some(Token::Operator("&&" | "||" | "|" | "|&")))
}

fn push_text(pieces: &mut Vec<Piece>, c: char, quoted: bool) {
    match pieces.last_mut() {
        Some(Piece::Text { text, quoted: same }) if *same == quoted => text.push(c),
        _ => pieces.push(Piece::Text { text: c.into(), quoted }),
    }
}
