//! The client commands, with what they find around themselves; and what is made of the program's
//! arguments for shells and for `man`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use cli::{Completions, Man, Surroundings};

use crate::clock;

pub(crate) async fn run(command: cli::Command) -> ExitCode {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    // a directory that is gone tells of no app, which is then to be named
    let directory = std::env::current_dir().unwrap_or_default();
    let around = Surroundings { variables, directory, now: clock::now };
    cli::run(command, &around).await.into()
}

pub(crate) fn completions(given: &Completions, program: clap::Command) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    cli::completions(given, program, &mut text);
    print(&text)
}

pub(crate) fn man(given: &Man, program: clap::Command) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    if !cli::man(given, program, &mut text)? {
        bail!("there is no such command: see greenroom --help");
    }
    print(&text)
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    std::io::stdout().lock().write_all(text)?;
    Ok(ExitCode::SUCCESS)
}
