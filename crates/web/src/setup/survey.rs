//! Looks into a repository over GitHub's REST API, by the rule that a worker's plan goes by.
//!
//! What always holds: nothing is cloned and nothing is run; only texts that decide what a directory
//! is are read, and of those no more and none larger than people will wait for.

use std::collections::{BTreeMap, BTreeSet};

use github::{GitHub, TreeFile};
use model::RepositoryName;
use model::detect::{self, Listing, Way};

use super::draft::{Chosen, Found, FoundService};
use crate::error::{Error, Result};

/// A repository with more templates is told so: the first build reads them all.
const MOST_TEXTS: usize = 60;
const LARGEST_TEXT_BYTES: u64 = 1024 * 1024;

/// The repository as it is at the head of its default branch.
pub(crate) async fn look(github: &GitHub, wanted: &RepositoryName) -> Result<Chosen> {
    let info = github
        .repository(wanted)
        .await
        .map_err(|error| Error::invalid("repository", error.to_string()))?;
    let branch = info.default_branch.parse().map_err(|error: model::name::InvalidName| {
        Error::invalid("repository", error.to_string())
    })?;
    let commit = github.branch_head(&info.name, &info.default_branch).await?;
    let found = match &commit {
        Some(commit) => {
            let tree = github.tree(&info.name, commit).await?;
            let mut commit = Commit::of(github, &info.name, tree.files);
            let mut found = commit.found().await?;
            found.truncated = tree.truncated;
            found
        }
        None => Found {
            problem: Some(format!(
                "{} has no commit on {}: push one",
                info.name, info.default_branch
            )),
            ..Found::default()
        },
    };
    Ok(Chosen { name: info.name, branch, commit, found })
}

struct Commit<'a> {
    github: &'a GitHub,
    repository: &'a RepositoryName,
    files: BTreeSet<String>,
    blobs: BTreeMap<String, TreeFile>,
    texts: BTreeMap<String, Vec<u8>>,
    /// Files that decide something and were not read.
    unread: usize,
}

impl<'a> Commit<'a> {
    fn of(github: &'a GitHub, repository: &'a RepositoryName, files: Vec<TreeFile>) -> Self {
        let blobs: BTreeMap<String, TreeFile> =
            files.into_iter().map(|file| (file.path.clone(), file)).collect();
        let files = blobs.keys().cloned().collect();
        Self { github, repository, files, blobs, texts: BTreeMap::new(), unread: 0 }
    }

    fn listing(&self) -> Listing<'_> {
        Listing { files: &self.files, texts: &self.texts }
    }

    async fn read(&mut self, paths: &[String]) -> Result<()> {
        for path in paths {
            let Some(file) = self.blobs.get(path) else { continue };
            if self.texts.contains_key(path) {
                continue;
            }
            if self.texts.len() >= MOST_TEXTS || file.size_bytes > LARGEST_TEXT_BYTES {
                self.unread += 1;
                continue;
            }
            let text = self.github.blob(self.repository, file).await?;
            self.texts.insert(path.clone(), text);
        }
        Ok(())
    }

    async fn found(&mut self) -> Result<Found> {
        self.read(&[detect::PIPELINE_FILE.to_owned()]).await?;
        let pipeline = match detect::pipeline(&self.listing()) {
            Ok(pipeline) => pipeline,
            Err(failure) => return Ok(told(failure.message)),
        };
        let way = detect::way(&pipeline, &self.files);
        let texts = detect::texts(way, &pipeline, &self.files);
        self.read(&texts).await?;
        let detected = match detect::found(way, &pipeline, &self.listing(), self.repository) {
            Ok(detected) => detected,
            Err(failure) => return Ok(told(failure.message)),
        };
        let mut remarks = detected.remarks;
        if self.unread > 0 {
            remarks.push(format!(
                "{} more files would have to be read to tell all services; the first build does that",
                self.unread
            ));
        }
        let service = |located: detect::Located| FoundService {
            name: located.service.name.to_string(),
            path: located.service.path,
            framework: detect::label(located.service.framework).to_owned(),
            notes: located.service.notes,
        };
        Ok(Found {
            by: by(way),
            services: detected.services.into_iter().map(service).collect(),
            remarks,
            problem: None,
            truncated: false,
        })
    }
}

fn by(way: Way) -> String {
    match way {
        Way::Named => format!("{} names them", detect::PIPELINE_FILE),
        Way::Compose(file) => format!("{file} names them"),
        Way::Looked => "found by the files of their frameworks".to_owned(),
    }
}

/// A mistake in a file is the author's to mend, and no reason not to go on here.
fn told(problem: String) -> Found {
    Found { problem: Some(problem), ..Found::default() }
}
