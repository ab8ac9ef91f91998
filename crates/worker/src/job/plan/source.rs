//! The files of the planned commit, read from the mirror as the plan comes to want them.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::{Listing, Located, reads, within};
use crate::git::{Mirror, Tree};
use crate::job::context::Job;
use crate::job::halt::Halt;
use crate::node;

const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// How far parts that name parts are followed.
const MAX_ROUNDS: usize = 8;
/// Most configurations have a handful of parts.
const MAX_PARTS: usize = 500;

pub(super) struct Source<'a> {
    job: &'a Job,
    mirror: &'a Mirror,
    tree: Tree,
    files: BTreeSet<String>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl<'a> Source<'a> {
    pub(super) async fn of(job: &'a Job, mirror: &'a Mirror) -> Result<Self, Halt> {
        let commit = &job.assignment().source.commit;
        let tree = job.or_stopped(mirror.tree(commit)).await??;
        let files = tree.paths().map(str::to_owned).collect();
        Ok(Self { job, mirror, tree, files, texts: BTreeMap::new() })
    }

    pub(super) fn listing(&self) -> Listing<'_> {
        Listing { files: &self.files, texts: &self.texts }
    }

    /// Reads files that count; one that is too large is an error.
    pub(super) async fn read(&mut self, paths: &[String]) -> Result<(), Halt> {
        let paths = self.missing(paths);
        let reading = self.mirror.read(&self.tree, &paths, FILE_MAX_BYTES);
        let texts = self.job.or_stopped(reading).await??;
        self.texts.extend(texts);
        Ok(())
    }

    /// Reads files that are only looked into; one that is too large is none of those looked for.
    pub(super) async fn glance(&mut self, paths: &[String]) -> Result<(), Halt> {
        let paths = self.missing(paths);
        let reading = self.mirror.glance(&self.tree, &paths, FILE_MAX_BYTES);
        let texts = self.job.or_stopped(reading).await??;
        self.texts.extend(texts);
        Ok(())
    }

    /// Each once, and what is there already not again.
    fn missing<'b>(&self, paths: &'b [String]) -> Vec<&'b str> {
        let unique: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
        unique.into_iter().filter(|path| !self.texts.contains_key(*path)).collect()
    }

    /// The `package.json` of each service and of the directories above it.
    pub(super) async fn read_manifests(&mut self, services: &[Located]) -> Result<(), Halt> {
        let above = |located: &Located| {
            let directories = node::upwards(&located.service.path);
            let files = directories.into_iter().map(|directory| within(directory, "package.json"));
            files.collect::<Vec<_>>()
        };
        let wanted: Vec<String> = services.iter().flat_map(above).collect();
        self.read(&wanted).await
    }

    /// The configuration of each service, and the parts that it names.
    pub(super) async fn read_configurations(&mut self, services: &[Located]) -> Result<(), Halt> {
        let configurations: Vec<String> =
            services.iter().filter_map(|located| located.config.clone()).collect();
        self.read(&configurations).await?;
        for _ in 0..MAX_ROUNDS {
            let listing = self.listing();
            let parts = services.iter().flat_map(|located| {
                let config = located.config.as_deref();
                config.map(|config| reads::sources(&located.service.path, config, &listing))
            });
            let mut parts: Vec<String> =
                parts.flatten().filter(|part| !self.texts.contains_key(part)).collect();
            parts.retain(|part| self.files.contains(part));
            parts.truncate(MAX_PARTS.saturating_sub(self.texts.len()));
            if parts.is_empty() {
                break;
            }
            self.glance(&parts).await?;
        }
        Ok(())
    }
}
