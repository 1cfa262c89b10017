//! Python with the libraries that others read our files with, where there is one.

use std::path::Path;
use std::process::{Command, Output};

/// Names the interpreter.
const PYTHON: &str = "TIDEGATE_PYTHON";
/// Set to `1` where it must be there.
const REQUIRED: &str = "TIDEGATE_REQUIRE_PYTHON";

/// An interpreter that has aiosmtpd, numpy, pandas, pyarrow, duckdb and polars. `None`, said aloud, when there is none.
pub fn interpreter() -> Option<String> {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import aiosmtpd, numpy, pandas, pyarrow, duckdb, polars"]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
    assert!(!required, "{python} lacks aiosmtpd, numpy, pandas, pyarrow, duckdb or polars, and {REQUIRED}=1");
    eprintln!("skipped: no python with aiosmtpd, numpy, pandas, pyarrow, duckdb and polars ({PYTHON} names one)");
    None
}

/// Runs a script; `None` when there is no interpreter for it.
pub fn run(script: &str, args: &[&Path]) -> Option<Output> {
    let output = Command::new(interpreter()?).arg("-c").arg(script).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(output)
}
