//! `greenroom apply`: registers apps, or changes them, by their files; beside a running server or
//! without one. Idempotent: what is as the file says is left alone, and the difference is printed.
//!
//! What always holds: all files are checked before the first is applied, and all are applied in
//! one transaction.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use model::app::{self, AppFile};
use model::{AppName, StageName};
use secrecy::SecretString;
use store::audit::Via;
use web::apply::{Applying, COMMAND, Variables};

use crate::clock;
use crate::config::Config;
use crate::open;

#[derive(Args)]
pub(crate) struct Arguments {
    /// App files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the difference and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(files) = read(&arguments.files)? else {
        return Ok(ExitCode::FAILURE);
    };
    let data_dir = open::data_dir(config)?;
    let vault = open::vault(config, &data_dir)?;
    let opened = open::database(config, &data_dir).await?;
    let applied = apply(arguments, files, &vault, &opened.db).await;
    opened.close().await?;
    applied?;
    Ok(ExitCode::SUCCESS)
}

async fn apply(
    arguments: &Arguments,
    files: Vec<AppFile>,
    vault: &store::vault::Vault,
    db: &store::Database,
) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    for file in files {
        let name = file.settings.app.clone();
        let applied = web::apply::apply(
            &mut tx,
            vault,
            &file,
            &Applying {
                by: COMMAND,
                via: Via::Command,
                lookup: &|variable: &str| std::env::var(variable).ok().map(SecretString::from),
                variables: Variables::Read,
            },
            clock::now(),
            &clock::new_id,
        )
        .await
        .with_context(|| format!("app {name}"))?;
        if applied.changes.is_empty() {
            print(&format!("{name}: unchanged"));
        } else {
            let entry = web::apply::by_command(&name, &applied.changes, clock::now());
            store::audit::record(&mut tx, clock::new_id(), &entry).await?;
        }
        for change in applied.changes {
            print(&format!("{name}: {change}"));
        }
        for stage in applied.parameters_changed {
            print(&format!("{name}: {}", redeploy(&name, &stage)));
        }
    }
    if arguments.dry_run {
        tx.rollback().await?;
        print("dry run: nothing was changed");
    } else {
        tx.commit().await?;
    }
    Ok(())
}

/// A change of parameters needs no commit, and none follows it by itself.
fn redeploy(app: &AppName, stage: &StageName) -> String {
    format!(
        "parameters of {stage} changed: redeploy it with the button on its page \
         (/apps/{app}/stages/{stage}), or with POST /api/v1/apps/{app}/stages/{stage}/redeploy"
    )
}

/// The files, their warnings printed, or `None` when their problems have been.
fn read(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<AppFile>>> {
    let mut files = Vec::new();
    let mut whole = true;
    for path in paths {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        match app::parse_yaml(&text) {
            Ok(file) => {
                for warning in &file.warnings {
                    complain(&format!("warning: {}", warning.located(&path.display().to_string())));
                }
                files.push(file);
            }
            Err(problems) => {
                whole = false;
                for problem in problems {
                    complain(&problem.located(&path.display().to_string()));
                }
            }
        }
    }
    Ok(whole.then_some(files))
}

#[expect(clippy::print_stdout, reason = "the difference is the command's answer")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "what stands in the way belongs on standard error")]
fn complain(line: &str) {
    eprintln!("{line}");
}
