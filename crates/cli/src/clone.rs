//! The clone that a command runs in: which service its directory belongs to, and what is checked out.
//!
//! What always holds: services are found as a build's plan finds them, in the files of the clone as
//! they are now; nothing here changes a file. Where git cannot say something, it is left open.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::detect::{self, Listing, PIPELINE_FILE, within};
use model::personal::Source;
use model::pipeline::files::SERVERLESS_DATA;
use model::pipeline::{Framework, Service};
use model::{CommitSha, RepositoryName, ServiceName};

use crate::error::{Error, Result};

/// A larger one decides nothing here.
const TEXT_MAX_BYTES: u64 = 4 * 1024 * 1024;

pub(crate) struct Checkout {
    root: PathBuf,
    /// Where the command runs, relative to the root; empty: in the root.
    inside: String,
}

impl Checkout {
    pub(crate) fn around(directory: &Path) -> Result<Self> {
        let no_clone = || {
            Error::Usage(format!(
                "{} is in no git repository: run this in a service's directory of your clone",
                directory.display()
            ))
        };
        let root = git(directory, &["rev-parse", "--show-toplevel"]).ok_or_else(no_clone)?;
        let inside = git(directory, &["rev-parse", "--show-prefix"]).unwrap_or_default();
        Ok(Self {
            root: PathBuf::from(root.trim_end_matches('\n')),
            inside: inside.trim_end_matches('\n').trim_end_matches('/').to_owned(),
        })
    }

    /// The service that is named, or else the one whose directory this is.
    pub(crate) fn service(
        &self,
        named: Option<&ServiceName>,
        repository: &RepositoryName,
    ) -> Result<Service> {
        let services = self.services(repository)?;
        if let Some(name) = named {
            let found = services.iter().find(|service| service.name == *name);
            return found.cloned().ok_or_else(|| {
                Error::Usage(format!("this clone has no service {name}: {}", listed(&services)))
            });
        }
        of_directory(&self.inside, &services).cloned().ok_or_else(|| {
            let place = if self.inside.is_empty() { "the repository's root" } else { &self.inside };
            Error::Usage(format!(
                "{place} is no service's directory: change to one, or name it with --service; {}",
                listed(&services)
            ))
        })
    }

    fn services(&self, repository: &RepositoryName) -> Result<Vec<Service>> {
        let listed = git(
            &self.root,
            &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        );
        let listed = listed.ok_or_else(|| Error::Local("git cannot list the files".into()))?;
        let files: BTreeSet<String> =
            listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect();
        let failed = |failure: model::job::Failure| Error::Usage(failure.message);
        let mut texts = BTreeMap::new();
        self.read(&mut texts, [PIPELINE_FILE.to_owned()].into_iter().filter(|f| files.contains(f)));
        let pipeline =
            detect::pipeline(&Listing { files: &files, texts: &texts }).map_err(failed)?;
        let way = detect::way(&pipeline, &files);
        self.read(&mut texts, detect::texts(way, &pipeline, &files).into_iter());
        let listing = Listing { files: &files, texts: &texts };
        let found = detect::found(way, &pipeline, &listing, repository).map_err(failed)?;
        let mut services: Vec<Service> =
            found.services.into_iter().map(|located| located.service).collect();
        for service in &mut services {
            if service.framework == Framework::Serverless && service.published_as.is_none() {
                service.published_as = self.published_as(service, &files);
            }
        }
        Ok(services)
    }

    /// Files that cannot be read are as if they were not there.
    fn read(&self, texts: &mut BTreeMap<String, Vec<u8>>, files: impl Iterator<Item = String>) {
        for file in files {
            let path = self.root.join(&file);
            let small = std::fs::metadata(&path).is_ok_and(|about| about.len() <= TEXT_MAX_BYTES);
            if let Some(text) = small.then(|| std::fs::read(&path).ok()).flatten() {
                texts.insert(file, text);
            }
        }
    }

    /// The framework's own name of the service, where its file says it in so many words.
    fn published_as(&self, service: &Service, files: &BTreeSet<String>) -> Option<String> {
        let names = service.template.iter().map(String::as_str).chain(SERVERLESS_DATA);
        let file =
            names.map(|name| within(&service.path, name)).find(|file| files.contains(file))?;
        service_line(&std::fs::read_to_string(self.root.join(file)).ok()?)
    }

    /// What is checked out, and how much of it others can get.
    pub(crate) fn source(&self) -> Result<Source> {
        let commit = git(&self.root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
            .and_then(|text| text.trim().parse::<CommitSha>().ok())
            .ok_or_else(|| {
                Error::Usage("this clone has no commit yet: make one, and push it".into())
            })?;
        let dirty = git(&self.root, &["status", "--porcelain"])
            .is_some_and(|changed| !changed.trim().is_empty());
        Ok(Source {
            pushed: self.pushed(&commit),
            branch: crate::remote::branch(&self.root).and_then(|branch| branch.parse().ok()),
            commit,
            dirty,
        })
    }

    /// The newest commit on the way back from here that a remote has, as far as this clone knows.
    fn pushed(&self, commit: &CommitSha) -> Option<CommitSha> {
        let range = ["rev-list", "--boundary", commit.as_str(), "--not", "--remotes"];
        let listed = git(&self.root, &range)?;
        let mut boundary = listed.lines().filter_map(|line| line.strip_prefix('-'));
        if listed.trim().is_empty() {
            // nothing is there that no remote has; without a remote's branch everything would be
            return Some(commit.clone());
        }
        boundary.next()?.trim().parse().ok()
    }

    /// Where the service's own files are.
    pub(crate) fn directory_of(&self, service: &Service) -> PathBuf {
        self.root.join(&service.path)
    }
}

/// The service with the innermost directory that this one is in.
fn of_directory<'s>(inside: &str, services: &'s [Service]) -> Option<&'s Service> {
    let around = |service: &&Service| {
        service.path == "."
            || inside == service.path
            || inside.strip_prefix(&service.path).is_some_and(|rest| rest.starts_with('/'))
    };
    let depth = |service: &&Service| if service.path == "." { 0 } else { service.path.len() };
    services.iter().filter(around).max_by_key(depth)
}

fn listed(services: &[Service]) -> String {
    if services.is_empty() {
        return "it has no service at all (greenroom.yml names them, or a framework's file does)"
            .to_owned();
    }
    let names: Vec<String> =
        services.iter().map(|service| format!("{} ({})", service.name, service.path)).collect();
    format!("there are {}", names.join(", "))
}

/// The value of a top-level `service:` of YAML or JSON that holds no variable.
fn service_line(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("service:"))?;
    let value = value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']);
    let is_name = !value.is_empty()
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_name.then(|| value.to_owned())
}

/// What git answers; `None`: it does not.
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(directory).stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, path: &str) -> Service {
        Service::new(name.parse().unwrap(), path, Framework::Serverless)
    }

    #[test]
    fn a_directory_belongs_to_the_innermost_service_around_it() {
        let services =
            [service("root", "."), service("api", "backend"), service("db", "backend/db")];
        for (inside, name) in [
            ("", "root"),
            ("docs", "root"),
            ("backend", "api"),
            ("backend/src/deep", "api"),
            ("backend/db", "db"),
            ("backends", "root"),
        ] {
            assert_eq!(of_directory(inside, &services).unwrap().name.as_str(), name, "{inside}");
        }
        assert!(of_directory("docs", &services[1..]).is_none());
    }

    #[test]
    fn the_frameworks_name_is_read_where_it_is_written_out() {
        assert_eq!(service_line("service: shop-api # ours\n").as_deref(), Some("shop-api"));
        assert_eq!(service_line("a: 1\nservice: \"shop\"\n").as_deref(), Some("shop"));
        assert_eq!(service_line("service: ${file(x)}\n"), None);
        assert_eq!(service_line("custom:\n  service: inner\n"), None);
    }
}
