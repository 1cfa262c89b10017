//! Shell scripts that set variables, read without a shell: what they assign, and which lines nobody here understands.
//!
//! Enter at [`read`]. Pure: nothing is run, no variable of our own environment is looked at.
//!
//! SCRIPT-1  Every line of a script lies in exactly one [`Entry`]: it assigns, it does nothing, or it is not understood.
//! SCRIPT-2  What is understood means what it means to a shell that starts with an empty environment.
//! SCRIPT-3  A line that might not run, or might run differently, is not understood.
//!
//! Not here: what the variables mean (`env_names`), what a profile makes of them (`translation`).

mod command;
mod lexer;
mod reader;

use std::fmt;
use std::ops::Range;

pub use reader::read;

/// A script as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// In the order of the script, without a hole.
    pub entries: Vec<Entry>,
    /// Where comments stand: they may hold anything.
    pub comments: Vec<Range<usize>>,
}

/// One line, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The first and the last line, from 1.
    pub first: usize,
    pub last: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Blank, a comment, an option of the shell, an export of what is set, or no more than words on the screen.
    Nothing,
    /// At least one.
    Assigns(Vec<Assignment>),
    Strange(Strange),
}

/// A variable that gets a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    pub line: usize,
    /// Name and value as they stand there.
    pub span: Range<usize>,
    /// The value is a default: the environment of whoever ran the script could change it.
    pub is_default: bool,
    /// Variables that the value was made from, at any distance.
    pub refers: Vec<String>,
}

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strange {
    pub why: Why,
    /// Every word in it that could be the name of a variable.
    pub mentions: Vec<String>,
}

/// Why a line is not understood. None of these repeats a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Runs a command, by its name; empty when the name is no plain word.
    Command(String),
    /// Runs what can set any variable.
    SetsAnything(String),
    /// Asks a program for a value.
    Substitution,
    /// An expansion that depends on more than the script.
    Expansion(&'static str),
    /// Needs a variable that the script does not set.
    Unset(String),
    /// Needs a variable that a line before, not understood, may have changed.
    Unsure(String),
    /// Two commands of which one depends on the other.
    Joined(&'static str),
    /// Sends output or input elsewhere.
    Redirects,
    /// Opens something that ends later.
    Opens(&'static str),
    /// Lies inside something that was opened on an earlier line.
    Inside(&'static str, usize),
    /// Behind a line that leaves the script.
    Unreached(String, usize),
    /// Behind a command substitution of which only a shell knows where it ends.
    Behind(usize),
    /// An assignment of a kind that is not read here.
    Assignment(&'static str),
    /// No shell takes it, and none goes on behind it.
    Broken,
    /// Variables that refer to each other grow beyond any use.
    TooLong,
}

impl Why {
    /// Can the line set any variable, whatever it mentions?
    #[must_use]
    pub const fn sets_anything(&self) -> bool {
        matches!(self, Self::SetsAnything(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(name) if name.is_empty() => write!(f, "runs a command"),
            Self::Command(name) => write!(f, "runs {name}"),
            Self::SetsAnything(name) => write!(f, "runs {name}, which can set any variable"),
            Self::Substitution => write!(f, "takes a value from a command"),
            Self::Expansion(what) => write!(f, "uses {what}"),
            Self::Unset(name) => write!(f, "needs {name}, which the script does not set"),
            Self::Unsure(name) => write!(f, "needs {name}, which a line not understood may have changed"),
            Self::Joined(operator) => write!(f, "joins commands with {operator}"),
            Self::Redirects => write!(f, "redirects input or output"),
            Self::Opens(what) => write!(f, "opens {what}"),
            Self::Inside(what, line) => write!(f, "inside {what} of line {line}"),
            Self::Unreached(command, line) => write!(f, "behind {command} on line {line}: it may never run"),
            Self::Behind(line) => write!(f, "behind the command of line {line}, whose end only a shell can tell"),
            Self::Assignment(what) => write!(f, "is {what}"),
            Self::Broken => write!(f, "is no command: a shell stops here"),
            Self::TooLong => write!(f, "makes a value of more than 64 KiB"),
        }
    }
}

/// Why a text is no script that can be read at all. Line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error("{what} opened on line {line}, column {column} is never closed")]
    Unclosed { what: &'static str, line: usize, column: usize },
    #[error("line {line} nests expansions more than {max} deep")]
    TooDeep { line: usize, max: usize },
    #[error("line {line} holds a zero byte: this is no text")]
    ZeroByte { line: usize },
}
