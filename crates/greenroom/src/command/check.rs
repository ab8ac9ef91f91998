//! `greenroom check`: validates app files and pipeline files, offline. Every problem is printed as
//! `file:line: key: what to change`, on standard output, for people and editors. What is kept but
//! not acted on is printed likewise, as `file:line: key: warning: …`, and is no failure.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use model::app;
use model::pipeline;

#[derive(Args)]
pub(crate) struct Arguments {
    /// App files (config/apps/*.yml) and pipeline files (greenroom.yml)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut problems = 0;
    for path in &arguments.files {
        let found = check(path);
        for line in found.problems.iter().chain(&found.warnings) {
            print(line);
        }
        if found.problems.is_empty() {
            print(&format!("{}: ok", path.display()));
        }
        problems += found.problems.len();
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is to be said of one file, each a line to print.
#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

fn check(path: &Path) -> Findings {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problems = vec![format!("{name}: cannot be read: {error}")];
            return Findings { problems, ..Findings::default() };
        }
    };
    let problems = |found: &[app::Problem]| Findings {
        problems: found.iter().map(|problem| problem.located(&name)).collect(),
        ..Findings::default()
    };
    match kind(path, &text) {
        FileKind::App => match app::parse_yaml(&text) {
            Ok(file) => Findings {
                warnings: file.warnings.into_iter().map(|found| warning(found, &name)).collect(),
                ..Findings::default()
            },
            Err(found) => problems(&found),
        },
        FileKind::Pipeline => match pipeline::parse(&text) {
            Ok(file) => Findings { problems: missing_services(path, &file), ..Findings::default() },
            Err(found) => problems(&found),
        },
    }
}

/// The place first, as editors look for it.
fn warning(found: app::Problem, name: &str) -> String {
    let message = format!("warning: {}", found.message);
    app::Problem { message, ..found }.located(name)
}

enum FileKind {
    App,
    Pipeline,
}

/// A pipeline file has its one name in every repository; any other file is an app file.
fn kind(path: &Path, text: &str) -> FileKind {
    let pipeline =
        path.file_name().is_some_and(|name| name == "greenroom.yml" || name == "greenroom.yaml");
    let says_app = text.lines().any(|line| line.starts_with("app:"));
    if pipeline && !says_app { FileKind::Pipeline } else { FileKind::App }
}

/// A service's directory must be there, beside the file, with something to deploy in it.
fn missing_services(path: &Path, file: &pipeline::PipelineFile) -> Vec<String> {
    let root =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    file.services
        .iter()
        .filter_map(|(service, entry)| {
            let directory = root.join(&entry.path);
            let key = format!("services.{service}.path");
            if !directory.is_dir() {
                Some(format!(
                    "{}: {key}: there is no directory {} in the repository",
                    path.display(),
                    entry.path
                ))
            } else if !["serverless.yml", "serverless.yaml"]
                .iter()
                .any(|name| directory.join(name).is_file())
            {
                Some(format!("{}: {key}: {} holds no serverless.yml", path.display(), entry.path))
            } else {
                None
            }
        })
        .collect()
}

#[expect(clippy::print_stdout, reason = "the findings are the command's answer")]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str = "services: {}\n";
    const GUARDED: &str = "app: workshop
repository: acme/workshop
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    region: us-east-1
    safeguards:
      - { policy: allowed-regions, level: error, config: [us-east-1] }
stages:
  prod: { profile: development, approvers: [release-team] }
";

    fn checked(name: &str, text: &str) -> (Findings, ExitCode, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let shown = path.display().to_string();
        let found = check(&path);
        let code = run(&Arguments { files: vec![path] }).expect("the files were looked at");
        (found, code, shown)
    }

    #[test]
    fn a_warning_has_its_place_and_is_no_failure() {
        let (found, code, path) = checked("workshop.yml", GUARDED);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(
            found.warnings,
            [
                format!(
                    "{path}:8: profiles.development.safeguards: warning: kept, but this version does not enforce safeguards yet"
                ),
                format!(
                    "{path}:11: stages.prod.approvers: warning: kept, but this version does not ask for approvals yet: anyone who may push to the branch deploys"
                ),
            ]
        );
        assert_eq!(code, ExitCode::SUCCESS);
    }

    #[test]
    fn a_problem_is_a_failure() {
        let text = GUARDED.replace("allowed-regions", "allowed-planets");
        let (found, code, path) = checked("workshop.yml", &text);
        let place = format!("{path}:9: profiles.development.safeguards[0].policy: ");
        assert!(found.problems[0].starts_with(&place), "{:?}", found.problems);
        assert_eq!(code, ExitCode::FAILURE);
    }

    #[test]
    fn a_pipeline_file_is_known_by_its_name() {
        let (found, code, _) = checked("greenroom.yml", PIPELINE);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(code, ExitCode::SUCCESS);
    }
}
