//! Which directories of a commit are services: those the pipeline file names, or, without one,
//! those that hold a `serverless.yml`. Pure: it sees the list of the commit's files.
//!
//! What always holds: two services never share a name; the reason why a directory is a service, or is not, is said in words.

use std::collections::{BTreeMap, BTreeSet};

use model::job::{Failure, FailureKind};
use model::pipeline::{Commands, PipelineFile};
use model::{RepositoryName, ServiceName};

/// Below this many directories nothing is looked for: examples and fixtures live deep.
const MAX_DEPTH: usize = 3;
/// Read as text by the plan.
const READABLE: [&str; 2] = ["serverless.yml", "serverless.yaml"];
/// Programs: what they say is known only when the framework runs.
const PROGRAMS: [&str; 4] = ["serverless.ts", "serverless.js", "serverless.cjs", "serverless.json"];

/// A service's place, before its files are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) name: ServiceName,
    /// `.` or a path without `.` and `..` parts.
    pub(crate) path: String,
    /// The framework's configuration file, relative to the repository's root.
    pub(crate) config: String,
    pub(crate) depends_on: Vec<ServiceName>,
    pub(crate) watch: Vec<String>,
    pub(crate) commands: Commands,
    pub(crate) notes: Vec<String>,
}

/// What was found, with lines for the plan's log about what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) services: Vec<Located>,
    pub(crate) remarks: Vec<String>,
}

pub(crate) fn configuration(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Configuration, message: message.into() }
}

/// `path` joined to a file's name, relative to the root.
pub(crate) fn within(path: &str, file: &str) -> String {
    if path == "." { file.to_owned() } else { format!("{path}/{file}") }
}

/// The services that `greenroom.yml` names.
pub(crate) fn named(file: &PipelineFile, files: &BTreeSet<String>) -> Result<Detected, Failure> {
    let mut services = Vec::new();
    for (name, entry) in &file.services {
        let key = format!("greenroom.yml, services.{name}.path");
        let path = entry.path.clone();
        let config = READABLE
            .iter()
            .chain(&PROGRAMS)
            .map(|candidate| within(&path, candidate))
            .find(|candidate| files.contains(candidate));
        let Some(config) = config else {
            return Err(configuration(missing(&key, &path, files)));
        };
        let mut notes = vec![format!(
            "named in greenroom.yml; {config} makes it a Serverless Framework service"
        )];
        if is_program(&config) {
            notes.push(format!(
                "{config} is known only when the framework runs it: its settings are checked at package time"
            ));
        }
        services.push(Located {
            name: name.clone(),
            path,
            config,
            depends_on: entry.depends_on.clone(),
            watch: entry.watch.clone(),
            commands: entry.commands.clone(),
            notes,
        });
    }
    Ok(Detected { services, remarks: Vec::new() })
}

/// The services of a commit without `greenroom.yml`.
pub(crate) fn detected(files: &BTreeSet<String>, repository: &RepositoryName) -> Detected {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut remarks = Vec::new();
    for file in files {
        let (path, base) = file.rsplit_once('/').unwrap_or((".", file));
        let depth = if path == "." { 0 } else { path.split('/').count() };
        if !READABLE.contains(&base) && !PROGRAMS.contains(&base) {
            continue;
        }
        if path.split('/').any(|part| part == "node_modules") {
            continue;
        }
        if depth > MAX_DEPTH {
            remarks.push(format!(
                "{file} lies deeper than {MAX_DEPTH} directories: name its service in greenroom.yml to build it"
            ));
        } else if is_program(file) {
            if !READABLE.iter().any(|readable| files.contains(&within(path, readable))) {
                remarks.push(format!(
                    "{file} is a program or data that cannot be told from others of that name: name its service in greenroom.yml to build it"
                ));
            }
        } else {
            found.entry(path.to_owned()).or_insert_with(|| file.clone());
        }
    }
    let services = name_all(found, repository);
    Detected { services, remarks }
}

fn name_all(found: BTreeMap<String, String>, repository: &RepositoryName) -> Vec<Located> {
    let short = |path: &str| match path.rsplit_once('/') {
        _ if path == "." => service_name(repository.name()),
        Some((_, last)) => service_name(last),
        None => service_name(path),
    };
    let mut counts: BTreeMap<ServiceName, usize> = BTreeMap::new();
    for path in found.keys() {
        *counts.entry(short(path)).or_default() += 1;
    }
    let mut taken: BTreeSet<ServiceName> = BTreeSet::new();
    let mut services = Vec::new();
    for (path, config) in found {
        let mut name = short(&path);
        if counts.get(&name).is_some_and(|count| *count > 1) && path != "." {
            name = service_name(&path.replace('/', "-"));
        }
        let mut number = 2;
        while taken.contains(&name) {
            name = service_name(&format!("{name}-{number}"));
            number += 1;
        }
        taken.insert(name.clone());
        services.push(Located {
            name,
            notes: vec![format!("detected: there is {config}")],
            path,
            config,
            depends_on: Vec::new(),
            watch: Vec::new(),
            commands: Commands::default(),
        });
    }
    services
}

/// A directory's name as a service's name: what is not allowed becomes a dash.
fn service_name(text: &str) -> ServiceName {
    let mut name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(60)
        .collect();
    while name.contains("..") {
        name = name.replace("..", ".");
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    name.parse().unwrap_or_else(|_| "service".parse().expect("a plain word is a service name"))
}

fn is_program(config: &str) -> bool {
    PROGRAMS.iter().any(|program| config == *program || config.ends_with(&format!("/{program}")))
}

fn missing(key: &str, path: &str, files: &BTreeSet<String>) -> String {
    let prefix = within(path, "");
    if path != "." && !files.iter().any(|file| file.starts_with(&prefix)) {
        let meant: BTreeSet<&str> = files
            .iter()
            .filter(|file| READABLE.iter().any(|name| file.ends_with(&format!("/{name}"))))
            .filter_map(|file| file.rsplit_once('/').map(|(path, _)| path))
            .collect();
        let hint = if meant.is_empty() {
            "no directory of this commit holds a serverless.yml".to_owned()
        } else {
            format!(
                "directories with a serverless.yml: {}",
                meant.into_iter().take(10).collect::<Vec<_>>().join(", ")
            )
        };
        return format!("{key}: this commit has no directory {path:?}; {hint}");
    }
    format!(
        "{key}: the directory {path:?} holds no serverless.yml; correct the path, or add the file"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::pipeline::ServiceEntry;

    fn files(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn repository() -> RepositoryName {
        "acme/workshop".parse().expect("a repository")
    }

    fn names(detected: &Detected) -> Vec<(&str, &str)> {
        detected.services.iter().map(|s| (s.name.as_str(), s.path.as_str())).collect()
    }

    fn one(path: &str) -> PipelineFile {
        let entry = ServiceEntry { path: path.to_owned(), ..ServiceEntry::default() };
        PipelineFile { services: [("api".parse().expect("a name"), entry)].into() }
    }

    #[test]
    fn every_directory_with_a_serverless_yml_is_a_service_named_after_it() {
        let found = detected(
            &files(&[
                "backend-database/serverless.yml",
                "apps/rest api/serverless.yaml",
                "README.md",
            ]),
            &repository(),
        );
        assert_eq!(
            names(&found),
            [("rest-api", "apps/rest api"), ("backend-database", "backend-database")]
        );
    }

    #[test]
    fn a_serverless_yml_at_the_root_is_named_after_the_repository() {
        assert_eq!(
            names(&detected(&files(&["serverless.yml"]), &repository())),
            [("workshop", ".")]
        );
    }

    #[test]
    fn directories_of_one_name_get_their_whole_path_as_name() {
        let found =
            detected(&files(&["a/api/serverless.yml", "b/api/serverless.yml"]), &repository());
        assert_eq!(names(&found), [("a-api", "a/api"), ("b-api", "b/api")]);
    }

    #[test]
    fn dependencies_and_deep_directories_are_left_out_and_the_deep_ones_are_told() {
        let found = detected(
            &files(&["node_modules/x/serverless.yml", "a/b/c/d/serverless.yml"]),
            &repository(),
        );
        assert!(found.services.is_empty());
        assert!(found.remarks[0].contains("a/b/c/d/serverless.yml"), "{:?}", found.remarks);
        assert_eq!(found.remarks.len(), 1);
    }

    #[test]
    fn a_serverless_ts_is_not_guessed_at_but_told_and_may_be_named() {
        let found = detected(&files(&["api/serverless.ts"]), &repository());
        assert!(found.services.is_empty());
        assert!(found.remarks[0].contains("greenroom.yml"), "{:?}", found.remarks);
        let found = named(&one("api"), &files(&["api/serverless.ts"])).expect("it is named");
        assert_eq!(found.services[0].config, "api/serverless.ts");
    }

    #[test]
    fn a_named_path_without_a_serverless_yml_is_refused_with_what_there_is() {
        let tree = files(&["backend/serverless.yml", "docs/index.md"]);
        let absent = named(&one("backnd"), &tree).expect_err("no such directory").message;
        assert!(absent.contains("services.api.path") && absent.contains("backend"), "{absent}");
        let empty = named(&one("docs"), &tree).expect_err("no file").message;
        assert!(empty.contains("holds no serverless.yml"), "{empty}");
    }
}
