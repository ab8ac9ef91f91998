//! Which of the files that changed concern a service.

use std::collections::BTreeMap;

use super::decide::unknown;
use super::{Changes, Findings};
use crate::pipeline::{Service, Watch};
use crate::{CommitSha, ServiceName};

/// Which files belong to which service.
pub(super) struct Changed<'a> {
    findings: &'a Findings,
    watches: BTreeMap<&'a ServiceName, Watch>,
}

/// How a file concerns a service.
enum Concern {
    Own,
    Watched,
    /// It belongs to no service, so it may matter to every one.
    Outside,
}

impl<'a> Changed<'a> {
    pub(super) fn new(findings: &'a Findings) -> Self {
        // the plan job has checked the patterns; one that slipped through matches nothing, and its
        // files count as outside every service: rather a deploy too many
        let watches = findings
            .services
            .iter()
            .map(|service| (&service.name, Watch::new(&service.watch).unwrap_or_default()))
            .collect();
        Self { findings, watches }
    }

    /// Why the service is not what it was at this commit; `None`: it is.
    pub(super) fn since(&self, service: &Service, commit: &CommitSha) -> Option<String> {
        let since = format!("changed since {}", commit.short());
        self.reason(service, commit, self.findings.changes.get(commit), &since)
    }

    /// Why the service is another on this side than it was where this side parted from the commit.
    pub(super) fn on_this_side(&self, service: &Service, commit: &CommitSha) -> Option<String> {
        let since = format!("changed here since it parted from {}", commit.short());
        self.reason(service, commit, self.findings.own_changes.get(commit), &since)
    }

    fn reason(
        &self,
        service: &Service,
        commit: &CommitSha,
        changes: Option<&Changes>,
        since: &str,
    ) -> Option<String> {
        match changes {
            Some(Changes::Files { files }) => self.by_files(service, files, since),
            Some(Changes::Unknown { .. }) | None => Some(unknown(commit, changes)),
        }
    }

    fn by_files(&self, service: &Service, files: &[String], since: &str) -> Option<String> {
        let mut concerns =
            files.iter().filter_map(|file| Some((file, self.concern(service, file)?)));
        let (file, concern) = concerns.next()?;
        let more = match concerns.count() {
            0 => String::new(),
            1 => " (and one more file)".to_owned(),
            count => format!(" (and {count} more files)"),
        };
        Some(match concern {
            Concern::Own => format!("{file} {since}{more}"),
            Concern::Watched => format!("{file}, which it watches, {since}{more}"),
            Concern::Outside => format!("{file}, which is outside every service, {since}{more}"),
        })
    }

    fn concern(&self, service: &Service, file: &str) -> Option<Concern> {
        if is_below(file, &service.path) {
            Some(Concern::Own)
        } else if self.watches.get(&service.name).is_some_and(|watch| watch.covers(file)) {
            Some(Concern::Watched)
        } else {
            self.is_outside(file).then_some(Concern::Outside)
        }
    }

    fn is_outside(&self, file: &str) -> bool {
        !self.findings.services.iter().any(|service| {
            is_below(file, &service.path)
                || self.watches.get(&service.name).is_some_and(|watch| watch.covers(file))
        })
    }
}

fn is_below(file: &str, path: &str) -> bool {
    path == "."
        || file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
