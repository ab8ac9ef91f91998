//! Whether a service must be deployed: what is deployed there, against what has changed since.

use std::collections::BTreeMap;

use super::{Changes, Decision, Deployed, Findings, PlanInput};
use crate::pipeline::{Service, Watch};
use crate::{CommitSha, ServiceName};

/// Which files belong to which service.
pub(super) struct Changed<'a> {
    watches: BTreeMap<&'a ServiceName, Watch>,
    /// For every commit the changed files, each with whether it belongs to no service.
    files: BTreeMap<&'a CommitSha, Vec<(&'a str, bool)>>,
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
        let watches: BTreeMap<&ServiceName, Watch> = findings
            .services
            .iter()
            .map(|service| (&service.name, Watch::new(&service.watch).unwrap_or_default()))
            .collect();
        let is_outside = |file: &str| {
            !findings.services.iter().any(|service| {
                is_below(file, &service.path)
                    || watches.get(&service.name).is_some_and(|watch| watch.covers(file))
            })
        };
        let files = findings.changes.iter().filter_map(|(commit, changes)| match changes {
            Changes::Files { files } => {
                Some((commit, files.iter().map(|file| (file.as_str(), is_outside(file))).collect()))
            }
            Changes::Unknown { .. } => None,
        });
        let files = files.collect();
        Self { watches, files }
    }

    pub(super) fn decide(&self, service: &Service, input: &PlanInput<'_>) -> Decision {
        let run = |reason: String| Decision::Run { reason };
        if input.forced {
            return run("the build was forced".to_owned());
        }
        let commit = match input.deployed.get(&service.name) {
            None => return run("it was never deployed to this stage".to_owned()),
            Some(Deployed::NotWhole { reason }) => {
                return run(format!("its last deployment is not whole: {reason}"));
            }
            Some(Deployed::At { commit }) => commit,
        };
        let since = commit.short();
        match (input.findings.changes.get(commit), self.files.get(commit)) {
            (Some(Changes::Files { .. }), Some(files)) => self.by_files(service, since, files),
            (Some(Changes::Unknown { reason }), _) => {
                run(format!("what changed since {since} is unknown: {reason}"))
            }
            (None | Some(Changes::Files { .. }), _) => {
                run(format!("what changed since {since} is unknown: nobody looked"))
            }
        }
    }

    fn by_files(&self, service: &Service, since: &str, files: &[(&str, bool)]) -> Decision {
        let mut concerns = files
            .iter()
            .filter_map(|(file, outside)| Some((file, self.concern(service, file, *outside)?)));
        let Some((file, concern)) = concerns.next() else {
            return Decision::Skip { reason: format!("nothing changed since {since}") };
        };
        let more = match concerns.count() {
            0 => String::new(),
            1 => " (and one more file)".to_owned(),
            count => format!(" (and {count} more files)"),
        };
        let reason = match concern {
            Concern::Own => format!("{file} changed since {since}{more}"),
            Concern::Watched => format!("{file}, which it watches, changed since {since}{more}"),
            Concern::Outside => {
                format!("{file}, which is outside every service, changed since {since}{more}")
            }
        };
        Decision::Run { reason }
    }

    fn concern(&self, service: &Service, file: &str, outside: bool) -> Option<Concern> {
        if is_below(file, &service.path) {
            Some(Concern::Own)
        } else if self.watches.get(&service.name).is_some_and(|watch| watch.covers(file)) {
            Some(Concern::Watched)
        } else {
            outside.then_some(Concern::Outside)
        }
    }
}

fn is_below(file: &str, path: &str) -> bool {
    path == "."
        || file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
