//! `data sample`: the shipped bars, made again.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::Report;
use crate::feed::sample;

#[derive(Debug, Args)]
pub struct SampleArgs {
    /// Change nothing; end with 4 if the folder is not what the generator makes.
    #[arg(long)]
    check: bool,
    /// The folder [default: data/sample below --root].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &SampleArgs, context: &Context) -> Result<Exit, Failure> {
    let folder = args.folder.clone().unwrap_or_else(|| context.root.join("data").join("sample"));
    let mut differing = Vec::new();
    for file in sample::files() {
        let path = folder.join(&file.name);
        if std::fs::read(&path).is_ok_and(|found| found == file.content) {
            continue;
        }
        differing.push(path.display().to_string());
        if !args.check {
            std::fs::create_dir_all(&folder).or_exit(Exit::Failed)?;
            std::fs::write(&path, &file.content).or_exit(Exit::Failed)?;
        }
    }
    let exit = if args.check && !differing.is_empty() { Exit::CheckFailed } else { Exit::Done };
    let what = match (differing.is_empty(), args.check) {
        (true, _) => "is what the generator makes",
        (false, true) => "is not what the generator makes",
        (false, false) => "was made again",
    };
    let report = Report {
        verb: "data-sample",
        text: format!("{} {what}.\n", folder.display()),
        data: json!({ "folder": folder, "differing": differing }),
        ..Report::default()
    };
    Ok(report.print(context, exit))
}
