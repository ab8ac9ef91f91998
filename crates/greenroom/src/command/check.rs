//! `greenroom check`: validates app files and pipeline files, offline. Every problem is printed as
//! `file:line: key: what to change`, on standard output, for people and editors. What is kept but
//! not acted on is printed likewise, as `file:line: key: warning: …`, and is no failure.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use model::pipeline::{self, Framework, ServiceEntry, files};
use model::{ServiceName, app};

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

/// A service's directory must be there, beside the file, with something to deploy in it. Which
/// framework its files speak of is the plan's to find out.
fn missing_services(path: &Path, file: &pipeline::PipelineFile) -> Vec<String> {
    let root =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let missing = |(service, entry): (&ServiceName, &ServiceEntry)| {
        let (key, problem) = missing(root, entry)?;
        Some(format!("{}: services.{service}.{key}: {problem}", path.display()))
    };
    file.services.iter().filter_map(missing).collect()
}

/// The key of what is missing, and what that is.
fn missing(root: &Path, entry: &ServiceEntry) -> Option<(&'static str, String)> {
    let directory = root.join(&entry.path);
    if !directory.is_dir() {
        return Some(("path", format!("there is no directory {} in the repository", entry.path)));
    }
    if let Some(template) = &entry.template {
        let there = directory.join(template).is_file();
        return (!there)
            .then(|| ("template", format!("there is no file {template} in {}", entry.path)));
    }
    let wanted: Vec<&str> = match entry.framework {
        Some(Framework::Custom) => return None,
        None if entry.commands.deploy.is_some() && entry.commands.remove.is_some() => return None,
        None => files::all().collect(),
        Some(Framework::Serverless) => {
            files::SERVERLESS_DATA.into_iter().chain(files::SERVERLESS_PROGRAMS).collect()
        }
        Some(Framework::Cdk) => vec![files::CDK],
        Some(Framework::Sam | Framework::Cloudformation) => {
            files::TEMPLATES.into_iter().chain(files::MORE_TEMPLATES).collect()
        }
    };
    let there = wanted.iter().any(|name| directory.join(name).is_file());
    (!there).then(|| ("path", format!("{} holds none of {}", entry.path, wanted.join(", "))))
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
  prod: { profile: development, promote_from: dev }
  dev: { profile: development }
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
            [format!(
                "{path}:11: stages.prod.promote_from: warning: nothing can be promoted to prod: no rule sends a branch by its name, or a tag, to it; add one below `rules`"
            )]
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
    fn every_mistake_of_an_app_file_is_printed_with_its_place() {
        let text = GUARDED
            .replace("app: workshop", "app: workshop\nconcurrency: 0")
            .replace("promote_from: dev", "parameters: { key: { ssm: a/b } }");
        let text =
            format!("{text}rules:\n  - {{ branch: 'release/[', stage: prod, services: [] }}\n");
        let (found, code, path) = checked("workshop.yml", &text);
        let expected = [
            (2, "concurrency: this must be a whole number from 1 to 1000"),
            (12, "stages.prod.parameters.key.ssm: this is no name of a parameter of SSM"),
            (15, "rules[0].branch: this is no pattern"),
            (15, "rules[0].services: list at least one service"),
        ];
        assert_eq!(found.problems.len(), expected.len(), "{:?}", found.problems);
        for (problem, (line, start)) in found.problems.iter().zip(expected) {
            assert!(problem.starts_with(&format!("{path}:{line}: {start}")), "{problem}");
        }
        assert_eq!(code, ExitCode::FAILURE);
    }

    #[test]
    fn a_pipeline_file_is_known_by_its_name() {
        let (found, code, _) = checked("greenroom.yml", PIPELINE);
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(code, ExitCode::SUCCESS);
    }

    /// The problems of a pipeline file with one service, whose directory holds these files.
    fn service(entry: &str, files: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("api")).expect("a directory");
        for file in files {
            std::fs::write(directory.path().join("api").join(file), "").expect("a file");
        }
        let path = directory.path().join("greenroom.yml");
        std::fs::write(&path, format!("services:\n  api: {entry}\n")).expect("a file");
        let prefix = format!("{}: ", path.display());
        let found = check(&path).problems;
        found.iter().map(|problem| problem.replacen(&prefix, "", 1)).collect()
    }

    #[test]
    fn a_service_needs_its_directory_and_something_to_deploy_in_it() {
        let nowhere = "services.api.path: there is no directory apy in the repository";
        assert_eq!(service("{ path: apy }", &[]), [nowhere]);
        let empty = service("{ path: api }", &["README.md"]);
        assert!(empty[0].starts_with("services.api.path: api holds none of serverless.yml, "));
        for file in ["serverless.yml", "cdk.json", "template.yaml"] {
            assert!(service("{ path: api }", &[file]).is_empty(), "{file}");
        }
        let not_sam = service("{ path: api, framework: sam }", &["serverless.yml"]);
        let none = "services.api.path: api holds none of template.yaml, template.yml, ";
        assert!(not_sam[0].starts_with(none), "{not_sam:?}");
        let custom = "{ path: api, framework: custom, deploy: make deploy, remove: make gone }";
        assert!(service(custom, &[]).is_empty());
        let commands = "{ path: api, deploy: make deploy, remove: make gone }";
        assert!(service(commands, &[]).is_empty());
        let template = "{ path: api, framework: cloudformation, template: stack.yml }";
        assert!(service(template, &["stack.yml"]).is_empty());
        let lost = "services.api.template: there is no file stack.yml in api";
        assert_eq!(service(template, &["template.yml"]), [lost]);
    }
}
