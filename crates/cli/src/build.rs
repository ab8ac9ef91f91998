//! A build as this program understands it, in lines and tables.

use chrono::{DateTime, Utc};
use model::{CommitSha, JobId};
use serde::Deserialize;

use crate::table::{Table, plain};
use crate::words;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Build {
    pub(crate) number: i64,
    pub(crate) purpose: String,
    pub(crate) branch: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) commit: CommitSha,
    pub(crate) pull_request: Option<i64>,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) stage: Option<String>,
    pub(crate) state: String,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) approval: Option<Approval>,
    #[serde(default)]
    pub(crate) jobs: Vec<Job>,
}

/// What a build asks before it deploys.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Approval {
    pub(crate) state: String,
    pub(crate) commit: CommitSha,
    pub(crate) bound_to: String,
    #[serde(default)]
    pub(crate) waits: Vec<String>,
    #[serde(default)]
    pub(crate) approvers: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) service: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl Job {
    /// `restapi deploy`, `restapi deploy eu-west-1`, `plan`.
    pub(crate) fn name(&self) -> String {
        let kind = words::state(&self.kind);
        let parts = [self.service.as_deref(), Some(&kind), self.region.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn status(&self) -> String {
        words::state(self.outcome.as_deref().unwrap_or(&self.state))
    }
}

impl Build {
    pub(crate) fn is_finished(&self) -> bool {
        self.state == "finished"
    }

    pub(crate) fn status(&self) -> String {
        words::state(self.outcome.as_deref().unwrap_or(&self.state))
    }

    /// Where the commit comes from.
    pub(crate) fn source(&self) -> String {
        match (&self.tag, self.pull_request, &self.branch) {
            (Some(tag), _, _) => format!("tag {tag}"),
            (None, Some(number), Some(branch)) => format!("{branch} #{number}"),
            (None, Some(number), None) => format!("#{number}"),
            (None, None, Some(branch)) => branch.clone(),
            (None, None, None) => String::new(),
        }
    }

    /// Builds that are no deploy say what they are.
    fn stage(&self) -> String {
        let stage = self.stage.as_deref().unwrap_or_default();
        match self.purpose.as_str() {
            "deploy" => stage.to_owned(),
            purpose => format!("{purpose} {stage}").trim_end().to_owned(),
        }
    }

    fn took(&self, now: DateTime<Utc>) -> String {
        words::took(self.started_at, self.finished_at, now)
    }

    /// The last word on a build.
    pub(crate) fn end(&self, now: DateTime<Utc>) -> String {
        let why = self.reason.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        let took = self.took(now);
        let took = if took.is_empty() { took } else { format!(" in {took}") };
        format!("build {} {}{took}{why}", self.number, self.status())
    }

    /// Everything there is to say, for people.
    pub(crate) fn whole(&self, now: DateTime<Utc>) -> String {
        let mut lines = vec![self.end(now)];
        let commit = words::short(self.commit.as_str());
        let author = plain(&self.author);
        lines.push(format!("{commit} {} ({author})", plain(&self.title)));
        let (stage, source) = (self.stage(), self.source());
        if !stage.is_empty() || !source.is_empty() {
            let parts = [stage, source].into_iter().filter(|part| !part.is_empty());
            let asked = words::when(self.created_at, now);
            lines.push(format!("{}, {asked}", parts.collect::<Vec<_>>().join(" from ")));
        }
        lines.push(self.url.clone());
        for why in self.approval.iter().flat_map(|approval| &approval.waits) {
            lines.push(format!("waits: {}", plain(why)));
        }
        if !self.jobs.is_empty() {
            lines.push(String::new());
            lines.push(jobs(&self.jobs, now));
        }
        lines.join("\n")
    }
}

pub(crate) fn builds(builds: &[Build], now: DateTime<Utc>) -> String {
    let mut table =
        Table::new(["BUILD", "STATE", "STAGE", "FROM", "COMMIT", "BEGAN", "TOOK", "TITLE"]);
    for build in builds {
        table.row([
            build.number.to_string(),
            build.status(),
            build.stage(),
            build.source(),
            words::short(build.commit.as_str()).to_owned(),
            words::when(build.created_at, now),
            build.took(now),
            build.title.clone(),
        ]);
    }
    table.text()
}

fn jobs(jobs: &[Job], now: DateTime<Utc>) -> String {
    let mut table = Table::new(["JOB", "STATE", "TOOK", "WHY"]);
    for job in jobs {
        table.row([
            job.name(),
            job.status(),
            words::took(job.started_at, job.finished_at, now),
            job.reason.clone().unwrap_or_default(),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn build() -> Build {
        let began = now() - TimeDelta::minutes(5);
        serde_json::from_value(json!({
            "number": 12, "purpose": "deploy", "branch": "feature/x", "tag": null,
            "commit": "a".repeat(40), "pull_request": 7, "title": "Add\u{7} it", "author": "ada",
            "stage": "feature-x", "state": "finished", "outcome": "failed",
            "reason": "a job failed", "created_at": began, "started_at": began,
            "finished_at": began + TimeDelta::seconds(65), "url": "https://ci/apps/w/builds/12",
            "something": "new",
            "jobs": [{
                "id": "01a1fe91-5a1a-740a-8445-d794cfd7dd8c", "service": "api",
                "region": "us-east-1", "kind": "post_deploy", "state": "finished",
                "outcome": "failed", "reason": "exit code 1", "started_at": began,
                "finished_at": began + TimeDelta::seconds(3),
            }],
        }))
        .unwrap()
    }

    #[test]
    fn a_build_is_told_with_its_jobs() {
        let expected = "\
build 12 failed in 1m 5s: a job failed
aaaaaaa Add  it (ada)
feature-x from feature/x #7, 5m ago
https://ci/apps/w/builds/12

JOB                        STATE   TOOK  WHY
api post deploy us-east-1  failed  3s    exit code 1";
        assert_eq!(build().whole(now()), expected);
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        let removal = Build {
            number: 13,
            purpose: "remove".into(),
            state: "running".into(),
            outcome: None,
            pull_request: None,
            finished_at: None,
            ..build()
        };
        let expected = "\
BUILD  STATE    STAGE             FROM          COMMIT   BEGAN   TOOK  TITLE
13     running  remove feature-x  feature/x     aaaaaaa  5m ago  5m 0s  Add  it
12     failed   feature-x         feature/x #7  aaaaaaa  5m ago  1m 5s  Add  it";
        let text = builds(&[removal, build()], now());
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&text), words(expected));
    }
}
