//! `completions`: the script that lets a shell ask this program how a command line may go on, and the answer.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::Report;
use super::{Cli, Context};

/// Set by the script when a shell asks.
const VARIABLE: &str = "TIDEGATE_COMPLETE";
pub(super) const PROGRAM: &str = "tidegate";

/// Print the script that completes verbs, flags and the project's own names in a shell.
///
/// The names of profiles, pipelines and cases are those of the folder that --root names on the line being typed.
#[derive(Debug, Args)]
#[command(after_long_help = INSTALLATION)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const INSTALLATION: &str = "\
Let the shell read the script when it starts, so that the two always fit:
  bash, in ~/.bashrc
      source <(tidegate completions bash)
  zsh, in ~/.zshrc after compinit
      source <(tidegate completions zsh)
  fish, in ~/.config/fish/config.fish
      tidegate completions fish | source
  elvish, in ~/.config/elvish/rc.elv
      eval (tidegate completions elvish | slurp)
  powershell, in $PROFILE
      tidegate completions powershell | Out-String | Invoke-Expression";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    const fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &WholeWords,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
            Self::Powershell => &Powershell,
        }
    }
}

impl Completions {
    /// # Errors
    /// None that is expected.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let completer = self.shell.completer();
        let mut script = Vec::new();
        let program = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let program = callable(&program, std::env::current_dir().ok().as_deref());
        completer.write_registration(VARIABLE, PROGRAM, PROGRAM, &program, &mut script)?;
        let text = String::from_utf8(script)?;
        let data = json!({ "shell": completer.name(), "script": text });
        Ok(Report { verb: "completions", text, data, ..Report::default() }.print(context, Exit::Done))
    }
}

/// How a script calls this program: as it was called, by its whole path where it had one. Shells quote in different ways, so a
/// path that would need quotes is left to the search path.
fn callable(called: &Path, folder: Option<&Path>) -> String {
    let path = match folder {
        Some(folder) if called.components().count() > 1 => folder.join(called),
        _ => called.to_owned(),
    };
    let is_plain = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-.+".contains(&b));
    path.to_str().filter(is_plain).unwrap_or(PROGRAM).to_owned()
}

/// Answers a shell that completes a command line. `None` when none asks, as when the variable is left over in an environment.
pub(super) fn answer() -> Option<ExitCode> {
    let asks = std::env::var_os(VARIABLE).is_some() && std::env::args_os().nth(1).is_some_and(|arg| arg == "--");
    if !asks {
        return None;
    }
    let folder = std::env::current_dir().ok();
    let shells = Shells(&[&WholeWords, &Zsh, &Fish, &Elvish, &Powershell]);
    let asked = CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin(PROGRAM).shells(shells);
    // Whatever is printed lands in the middle of somebody's command line, so errors are silence.
    let _ = asked.try_complete(std::env::args_os(), folder.as_deref());
    Some(ExitCode::SUCCESS)
}

/// Bash parts words at `=`, and expands what a program prints as if it were a pattern. This script and its answer do neither.
struct WholeWords;

impl EnvCompleter for WholeWords {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(&self, var: &str, name: &str, bin: &str, completer: &str, buf: &mut dyn Write) -> io::Result<()> {
        let script = include_str!("completions.bash");
        let parts = [("VARIABLE", var), ("FUNCTION", name), ("COMPLETER", completer), ("PROGRAM", bin)];
        let script = parts.into_iter().fold(script.to_owned(), |script, (part, with)| script.replace(part, with));
        buf.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        cmd: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        // The last word is the one being typed.
        let words: Vec<OsString> = words.into_iter().filter(|word| word != "=").collect();
        let Some(last) = words.len().checked_sub(1) else { return Ok(()) };
        let is_open = words[last].is_empty();
        let offered = engine::complete(cmd, words, last, folder)?;
        let mut lines: Vec<_> = offered.iter().map(|candidate| candidate.get_value().to_string_lossy()).collect();
        // Flags come with their first dash; before it they would bury the names, which bash shows in one heap.
        if is_open && lines.iter().any(|line| !line.starts_with('-')) {
            lines.retain(|line| !line.starts_with('-'));
        }
        for line in lines {
            writeln!(buf, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_calls_the_program_and_nothing_else() {
        let folder = Some(Path::new("/home/me"));
        assert_eq!(callable(Path::new("tidegate"), folder), "tidegate");
        assert_eq!(callable(Path::new("bin/tidegate"), folder), "/home/me/bin/tidegate");
        assert_eq!(callable(Path::new("/opt/tidegate"), folder), "/opt/tidegate");
        for odd in ["/tmp/$(reboot)/tidegate", "/tmp/a b/tidegate", "/tmp/`x`/tidegate", "/tmp/'/tidegate", ""] {
            assert_eq!(callable(Path::new(odd), folder), "tidegate", "{odd}");
        }
    }

    #[test]
    fn every_argument_that_takes_a_name_offers_names() {
        let mut command = Cli::command();
        command.build();
        let mut waiting: Vec<&Command> = vec![&command];
        let mut seen = 0;
        while let Some(verb) = waiting.pop() {
            waiting.extend(verb.get_subcommands());
            for argument in verb.get_arguments() {
                let is_named = |name: &str| ["PROFILE", "PIPELINE", "A", "B", "KEY", "KEY=VALUE"].contains(&name);
                if argument.get_value_names().is_some_and(|names| names.iter().any(|name| is_named(name))) {
                    seen += 1;
                    let offers = argument.get::<engine::ArgValueCandidates>().is_some();
                    assert!(offers, "{} {}: add = names::…", verb.get_name(), argument.get_id());
                }
            }
        }
        assert!(seen > 10, "{seen} arguments: the walk is broken");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
