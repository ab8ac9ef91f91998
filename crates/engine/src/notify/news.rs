//! What is news about a build and its stage, found from the rows in the transaction that settles the
//! build.
//!
//! What always holds: an app that names nobody to tell costs no query. What a build came to is news
//! in the transaction that ends it and never later; what holds of a stage is news for as long as it
//! holds.

use chrono::{DateTime, Utc};
use model::approval::ApprovalState;
use model::build::{BuildOutcome, Purpose};
use model::drift::{DriftStatus, DriftSummary, StackDrift};
use model::job::{JobKind, JobState, Outcome};
use model::notification::{
    About, BuildRef, Event, News, State, build_subject, decide, stage_subject,
};
use model::stage::{StageKind, StageState};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::Job;
use store::stage::Stage;

use crate::Engine;
use crate::surface::{Settled, build_url, secrets, stage_url};

/// Under what the end of a stage's time is told.
const EXPIRY: &str = "expiry";

/// Wants everybody told to whom the build or its stage has news.
pub(crate) async fn want(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: Option<&Stage>,
) -> anyhow::Result<()> {
    let Settled { app, build, .. } = settled;
    if app.settings.notifications.is_empty() {
        return Ok(());
    }
    let states = states(conn, settled, stage).await?;
    tell(engine, conn, app, Some(build), stage, states).await
}

/// Wants everybody told who asks for it that the time of a personal stage is about to be over. No build
/// of it is settled before its removal.
pub(crate) async fn want_of_personal(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    expires_at: DateTime<Utc>,
) -> anyhow::Result<()> {
    if app.settings.notifications.is_empty() {
        return Ok(());
    }
    let of =
        |state| vec![(stage_subject(stage.name.as_str(), EXPIRY), Topic::Stage(EXPIRY), state)];
    // it was used since: what was told then is set right first
    if was_told(conn, app, stage).await? {
        tell(engine, conn, app, None, Some(stage), of(State::Kept)).await?;
    }
    let expiring = of(State::Expiring { at: expires_at });
    tell(engine, conn, app, None, Some(stage), expiring).await
}

/// Whether anybody was told that the time of a stage is about to be over.
pub(crate) async fn was_told(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
) -> anyhow::Result<bool> {
    let subject = stage_subject(stage.name.as_str(), EXPIRY);
    let told = store::notification::told(conn, app.id, &[&subject]).await?;
    Ok(told.iter().any(|(_, _, told)| told.message.event == Event::PreviewExpiring))
}

async fn tell(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    build: Option<&Build>,
    stage: Option<&Stage>,
    mut states: Vec<(String, Topic, State)>,
) -> anyhow::Result<()> {
    let receivers = &app.settings.notifications;
    let subjects: Vec<&str> = states.iter().map(|(subject, ..)| subject.as_str()).collect();
    let told = store::notification::told(conn, app.id, &subjects).await?;
    // mostly nothing is left: no secret is opened for that
    states.retain(|(subject, _, state)| {
        state.begins() || told.iter().any(|(_, known, _)| known == subject)
    });
    if states.is_empty() {
        return Ok(());
    }
    let secrets = secrets(engine, conn, app).await?;
    for (subject, topic, state) in states {
        let url = match (topic, stage) {
            (Topic::Stage(_), Some(stage)) => stage_url(engine, app, stage),
            (Topic::Stage(_) | Topic::Build, _) => match build {
                Some(build) => build_url(engine, app, build.number),
                None => continue,
            },
        };
        let about = About {
            app: &app.name,
            repository: &app.repository,
            stage: stage.map(|stage| (&stage.name, stage.kind)),
            url,
            at: engine.now(),
        };
        let news = match (topic, build) {
            (Topic::Build, Some(build)) => {
                // its outcome was written in this transaction, and it was not read again since
                let fresh = build.outcome.is_none() || build.finished_at.is_none();
                News::of_build(about, of(build), build.purpose, &state, &secrets, fresh)
            }
            (Topic::Build, None) => continue,
            (Topic::Stage(topic), _) => News::of_stage(about, topic, None, &state, &secrets),
        };
        for (name, receiver) in receivers {
            let known = told.iter().find(|(whom, what, _)| whom == name && *what == subject);
            if let Some(wanted) = decide(receiver, &news, known.map(|(_, _, told)| told)) {
                let (id, now) = (engine.id(), engine.now());
                let place = (app.id, name, subject.as_str());
                store::notification::want(conn, id, place, &wanted, now).await?;
            }
        }
    }
    Ok(())
}

/// What something is told of.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Build,
    Stage(&'static str),
}

/// How the build and its stage stand, each under what it is called.
async fn states(
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: Option<&Stage>,
) -> anyhow::Result<Vec<(String, Topic, State)>> {
    let build = settled.build;
    let mut found = Vec::new();
    if let Some(state) = of_build(conn, settled, stage).await? {
        found.push((build_subject(build.number), Topic::Build, state));
    }
    if let Some(stage) = stage {
        for (topic, state) in of_stage(conn, build, stage).await? {
            let subject = stage_subject(stage.name.as_str(), topic);
            found.push((subject, Topic::Stage(topic), state));
        }
    }
    Ok(found)
}

fn of(build: &Build) -> BuildRef {
    BuildRef {
        number: build.number,
        commit: build.source.commit.clone(),
        branch: build.source.branch.clone(),
        tag: build.source.tag.clone(),
        title: build.source.title.clone(),
        author: build.source.author.clone(),
    }
}

/// `None`: nothing that anybody could be told of yet.
async fn of_build(
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: Option<&Stage>,
) -> anyhow::Result<Option<State>> {
    let Settled { build, jobs, .. } = settled;
    let streak = match build.purpose {
        Purpose::Deploy | Purpose::Rollback => stage,
        Purpose::Test | Purpose::Recover => None,
        // of the stage something is told if it failed
        Purpose::Remove if stage.is_some() => return Ok(None),
        Purpose::Remove => None,
        Purpose::Inspect => return Ok(None),
    };
    let Some(outcome) = build.outcome else { return waiting(conn, settled, stage).await };
    let since = match streak {
        Some(stage) => store::build::failing_since(conn, stage.id, build.number).await?,
        None => None,
    };
    Ok(Some(match outcome {
        BuildOutcome::Failed => {
            let (job, reason) = first_failure(jobs)
                .map_or((None, build.reason.clone()), |(job, reason)| (Some(job), Some(reason)));
            State::Failed { job, reason, since }
        }
        BuildOutcome::Succeeded => State::Succeeded { mends: since },
        BuildOutcome::Canceled | BuildOutcome::Superseded => {
            State::Ended { outcome, reason: build.cancel_reason.clone() }
        }
        BuildOutcome::Skipped => State::Ended { outcome, reason: None },
    }))
}

/// Of a build that goes on: whether it asks people, or has asked them.
async fn waiting(
    conn: &mut PgConnection,
    settled: Settled<'_>,
    stage: Option<&Stage>,
) -> anyhow::Result<Option<State>> {
    let Settled { app, build, .. } = settled;
    let Some(stage) = stage.filter(|stage| stage.kind == StageKind::LongLived) else {
        return Ok(None);
    };
    let asked = store::approval::of_build(conn, build.id).await?;
    let Some(last) = asked.last().map(|kept| &kept.approval) else { return Ok(None) };
    Ok(match (last.state, last.expires_at) {
        (ApprovalState::Waiting, Some(until)) => {
            let settings = app.settings.stage(&stage.name);
            let approvers = settings.map(|(_, stage)| stage.approvers.clone()).unwrap_or_default();
            Some(State::Waiting { approvers, until: Some(until) })
        }
        // a question without an end is a freeze: nobody is asked for anything
        (ApprovalState::Waiting, None) => None,
        (ApprovalState::Approved | ApprovalState::Void, _)
            if build.cancel_requested_at.is_none() =>
        {
            Some(State::GoesOn { approved_by: last.decided_by.clone() })
        }
        // it is about to end, and that will be told
        (
            ApprovalState::Approved
            | ApprovalState::Void
            | ApprovalState::Rejected
            | ApprovalState::Expired,
            _,
        ) => None,
    })
}

/// The first job that failed, as people call it, and why.
fn first_failure(jobs: &[Job]) -> Option<(String, String)> {
    jobs.iter().find_map(|job| {
        let JobState::Finished(Outcome::Failed(failure)) = &job.state else { return None };
        let kind = match job.kind {
            // what they come to decides nothing
            JobKind::Foresee | JobKind::Drift => return None,
            JobKind::PostDeploy => "post-deploy",
            JobKind::Plan
            | JobKind::Test
            | JobKind::Package
            | JobKind::Deploy
            | JobKind::Remove
            | JobKind::Rollback
            | JobKind::Recover
            | JobKind::Sweep => job.kind.as_str(),
        };
        let name = match &job.service {
            Some(service) => format!("{kind} {service}"),
            None => kind.to_owned(),
        };
        Some((name, failure.message.clone()))
    })
}

/// What holds of a stage, by topics.
async fn of_stage(
    conn: &mut PgConnection,
    build: &Build,
    stage: &Stage,
) -> anyhow::Result<Vec<(&'static str, State)>> {
    let expiry = match stage.kind {
        StageKind::Preview => Some(expiry(stage)),
        StageKind::Personal => Some(personal_expiry(conn, stage).await?),
        StageKind::LongLived => None,
    };
    let drift = match (stage.kind, build.outcome) {
        (StageKind::LongLived, Some(_)) => drift(conn, stage).await?,
        (StageKind::LongLived | StageKind::Preview | StageKind::Personal, _) => None,
    };
    let states = [(EXPIRY, expiry), ("leftover", leftover(stage)), ("drift", drift)];
    Ok(states.into_iter().filter_map(|(topic, state)| Some((topic, state?))).collect())
}

/// Of a stage that is being removed, or was.
async fn personal_expiry(conn: &mut PgConnection, stage: &Stage) -> anyhow::Result<State> {
    let own = store::personal::of(conn, stage.id).await?;
    let end = own.and_then(|own| own.warned_at.and(own.expires_at));
    Ok(match (stage.state, end) {
        (StageState::Active, Some(at)) => State::Expiring { at },
        (StageState::Active, None) => State::Kept,
        (StageState::Removing | StageState::RemoveFailed | StageState::Closed, _) => State::Removed,
    })
}

fn expiry(stage: &Stage) -> State {
    match (stage.state, stage.warned_at.and(stage.expires_at)) {
        (StageState::Active, Some(at)) => State::Expiring { at },
        (StageState::Active, None) => State::Kept,
        (StageState::Removing | StageState::RemoveFailed | StageState::Closed, _) => State::Removed,
    }
}

/// While it is tried again, what was told of it holds.
fn leftover(stage: &Stage) -> Option<State> {
    match stage.state {
        StageState::RemoveFailed => {
            let what = stage.left_over.clone().unwrap_or_else(|| "it did not end".to_owned());
            Some(State::LeftOver { what })
        }
        StageState::Active | StageState::Closed => Some(State::Cleared),
        StageState::Removing => None,
    }
}

/// A stage that could not be looked at as a whole is neither as deployed nor changed.
async fn drift(conn: &mut PgConnection, stage: &Stage) -> anyhow::Result<Option<State>> {
    let found = store::drift::of_stage(conn, stage.id).await?;
    let stacks: Vec<&StackDrift> = found.iter().flat_map(|drift| &drift.stacks).collect();
    Ok(match DriftSummary::of(stacks.iter().copied()) {
        DriftSummary::InSync => Some(State::InSync),
        DriftSummary::NotChecked => None,
        DriftSummary::Drifted => {
            Some(State::Drifted { what: stacks.into_iter().filter_map(changed).collect() })
        }
    })
}

fn changed(stack: &StackDrift) -> Option<String> {
    match &stack.status {
        DriftStatus::InSync | DriftStatus::NotChecked { .. } => None,
        DriftStatus::Deleted => Some(format!("the stack {} is gone", stack.stack)),
        DriftStatus::Drifted { resources } => {
            let names: Vec<&str> =
                resources.iter().map(|resource| resource.logical_id.as_str()).collect();
            Some(format!("{} of {}", names.join(", "), stack.stack))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_by_hand_is_named() {
        let gone = StackDrift { stack: "shop-prod".into(), status: DriftStatus::Deleted };
        assert_eq!(changed(&gone).as_deref(), Some("the stack shop-prod is gone"));
    }
}
