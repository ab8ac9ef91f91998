//! How states, times, commits and places are written on pages.

use chrono::{DateTime, TimeDelta, Utc};
use model::build::{BuildOutcome, Purpose, Source};
use model::deployment::{DeploymentState, InstanceState};
use model::job::{JobState, Outcome};
use model::stage::StageState;
use model::{CommitSha, Region};
use store::build::{Build, BuildState};

/// A state in a word and a colour: `ok`, `bad`, `warn`, `run`, `wait`, `off`, or `moot` for what was
/// not needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Badge {
    pub(super) fn new(class: &'static str, text: &str) -> Self {
        Self { class, text: text.replace('_', " ") }
    }

    pub(super) fn of_build(state: BuildState, outcome: Option<BuildOutcome>) -> Self {
        match (state, outcome) {
            (BuildState::Running, _) => Self::new("run", "running"),
            (BuildState::Waiting, _) => Self::new("wait", "waiting"),
            (BuildState::Finished, Some(outcome)) => Self::new(
                match outcome {
                    BuildOutcome::Succeeded => "ok",
                    BuildOutcome::Failed => "bad",
                    BuildOutcome::Canceled | BuildOutcome::Superseded | BuildOutcome::Skipped => {
                        "off"
                    }
                },
                outcome.as_str(),
            ),
            (BuildState::Finished, None) => Self::new("off", "finished"),
        }
    }

    pub(super) fn of_job(state: &JobState) -> Self {
        match state {
            JobState::Blocked => Self::new("wait", "blocked"),
            JobState::Waiting => Self::new("wait", "waiting"),
            JobState::Queued { .. } => Self::new("wait", "queued"),
            JobState::Running(_) => Self::new("run", "running"),
            JobState::Finished(Outcome::Succeeded) => Self::new("ok", "succeeded"),
            JobState::Finished(Outcome::Failed(_)) => Self::new("bad", "failed"),
            JobState::Finished(Outcome::Unneeded { .. }) => Self::new("moot", "not needed"),
            JobState::Finished(outcome @ (Outcome::Canceled { .. } | Outcome::Skipped { .. })) => {
                Self::new("off", outcome.as_str())
            }
        }
    }

    pub(super) fn of_instance(state: InstanceState) -> Self {
        let class = match state {
            InstanceState::Deployed => "ok",
            InstanceState::Failed => "bad",
            InstanceState::Deploying | InstanceState::Removing => "run",
            InstanceState::Planned => "wait",
            InstanceState::Removed => "off",
        };
        Self::new(class, state.as_str())
    }

    pub(super) fn of_stage(state: StageState) -> Self {
        let class = match state {
            StageState::Active => "ok",
            StageState::Removing => "run",
            StageState::RemoveFailed => "bad",
            StageState::Closed => "off",
        };
        Self::new(class, state.as_str())
    }

    pub(super) fn of_deployment(state: DeploymentState) -> Self {
        let class = match state {
            DeploymentState::Running => "run",
            DeploymentState::Succeeded => "ok",
            DeploymentState::Failed | DeploymentState::RolledBack => "bad",
            DeploymentState::Canceled => "off",
        };
        Self::new(class, state.as_str())
    }
}

/// A moment: relative to read, absolute to be exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) relative: String,
    pub(super) absolute: String,
    pub(super) machine: String,
}

impl Time {
    pub(super) fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            relative: relative(at, now),
            absolute: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            machine: at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }
    }
}

fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let ago = now - at;
    let away = ago.abs();
    let (amount, unit) = match away.num_seconds() {
        0..=44 => return "just now".into(),
        45..=5399 => ((away.num_seconds() + 30) / 60, "min"),
        5400..=129_599 => ((away.num_minutes() + 30) / 60, "h"),
        _ => ((away.num_hours() + 12) / 24, "d"),
    };
    if ago < TimeDelta::zero() {
        format!("in {amount} {unit}")
    } else {
        format!("{amount} {unit} ago")
    }
}

/// How long something took, or has taken until now.
pub(super) fn duration(
    began: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> String {
    let Some(began) = began else { return String::new() };
    let seconds = (ended.unwrap_or(now) - began).num_milliseconds().max(0);
    match seconds {
        0..=9_949 => format!("{}.{} s", seconds / 1000, seconds % 1000 / 100),
        9_950..=59_499 => format!("{} s", (seconds + 500) / 1000),
        _ => {
            let seconds = seconds / 1000;
            match seconds / 3600 {
                0 => format!("{} min {:02} s", seconds / 60, seconds % 60),
                hours => format!("{hours} h {:02} min", seconds % 3600 / 60),
            }
        }
    }
}

/// A commit to look at.
pub(super) struct Commit {
    pub(super) short: String,
    pub(super) full: String,
    /// On GitHub; empty where that is not known.
    pub(super) url: String,
    /// Empty where it stands somewhere else.
    pub(super) title: String,
}

/// How far something is, as a bar with words.
pub(super) struct Far {
    /// `run`, `ok`, `bad`, `off`, or `over`: longer than usual.
    pub(super) class: &'static str,
    pub(super) value: i64,
    pub(super) max: i64,
    pub(super) text: String,
    /// For who does not see the bar.
    pub(super) label: String,
}

/// A commit as people write it.
pub(super) fn short(commit: &CommitSha) -> String {
    commit.short().to_owned()
}

/// A thing, and where it is if it is in several places.
pub(super) fn placed(what: &str, region: Option<&Region>) -> String {
    match region {
        Some(region) => format!("{what} in {region}"),
        None => what.to_owned(),
    }
}

/// Where a build's source comes from, in a word.
pub(super) fn origin(source: &Source) -> String {
    match (source.pull_request, &source.branch, &source.tag) {
        (Some(number), Some(branch), _) => format!("#{number} {branch}"),
        (Some(number), None, _) => format!("#{number}"),
        (None, Some(branch), _) => branch.to_string(),
        (None, None, Some(tag)) => tag.to_string(),
        (None, None, None) => short(&source.commit),
    }
}

/// A build in a list.
pub(super) struct BuildLine {
    pub(super) url: String,
    pub(super) app: String,
    pub(super) number: i64,
    pub(super) badge: Badge,
    pub(super) title: String,
    pub(super) origin: String,
    pub(super) author: String,
    pub(super) commit: String,
    pub(super) stage: Option<String>,
    pub(super) stage_url: String,
    /// Said where there is no stage.
    pub(super) instead: &'static str,
    pub(super) duration: String,
    pub(super) created: Time,
    /// Jobs ended and jobs in all, of a build that runs.
    pub(super) progress: Option<(i64, i64)>,
}

impl BuildLine {
    pub(super) fn new(build: &Build, progress: Option<(i64, i64)>, now: DateTime<Utc>) -> Self {
        let stage = build.stage.as_ref().map(ToString::to_string);
        Self {
            url: format!("/apps/{}/builds/{}", build.app, build.number),
            app: build.app.to_string(),
            number: build.number,
            badge: Badge::of_build(build.state, build.outcome),
            title: build.source.title.clone(),
            origin: origin(&build.source),
            author: build.source.author.clone(),
            commit: short(&build.source.commit),
            stage_url: stage
                .as_ref()
                .map(|stage| format!("/apps/{}/stages/{stage}", build.app))
                .unwrap_or_default(),
            stage,
            instead: match build.purpose {
                Purpose::Deploy
                | Purpose::Remove
                | Purpose::Rollback
                | Purpose::Recover
                | Purpose::Inspect => "no stage",
                Purpose::Test => "tests only",
            },
            duration: duration(build.started_at, build.finished_at, now),
            created: Time::new(build.created_at, now),
            progress: progress.filter(|_| build.state == BuildState::Running),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        for (ago, told) in [
            (3, "just now"),
            (60, "1 min ago"),
            (3600, "60 min ago"),
            (7200, "2 h ago"),
            (3 * 86_400, "3 d ago"),
            (-600, "in 10 min"),
            (-12 * 3600, "in 12 h"),
        ] {
            assert_eq!(relative(at(-ago), at(0)), told, "{ago}");
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let took = |seconds| duration(Some(at(0)), Some(at(seconds)), at(0));
        assert_eq!(took(2), "2.0 s");
        assert_eq!(took(42), "42 s");
        assert_eq!(took(125), "2 min 05 s");
        assert_eq!(took(3 * 3600 + 240), "3 h 04 min");
        assert_eq!(duration(None, None, at(0)), "");
    }
}
