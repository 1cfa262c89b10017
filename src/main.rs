//! Parse, call, turn the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main()
}
