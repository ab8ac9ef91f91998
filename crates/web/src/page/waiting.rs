//! What a build waits for at the gate of its stage, and what was decided about it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::JobId;
use model::approval::{Approval, ApprovalState};
use model::gate::Gate;
use model::job::JobState;
use store::app::App;
use store::build::Build;
use store::gate::Gates;
use store::job::Job;
use store::{PgConnection, approval};

use super::view::{Badge, Time};
use crate::auth::Caller;
use crate::error::Result;

/// The panel on the build's page; none where nothing of it ever came to a gate.
pub(super) struct Waiting {
    /// Sentences behind "it waits"; empty: it does not.
    pub(super) for_what: Vec<String>,
    /// Who may decide, where somebody has to.
    pub(super) approvers: Option<String>,
    /// The caller may decide now.
    pub(super) decidable: bool,
    /// There is a question to be answered, not only a freeze in the way.
    pub(super) asked: bool,
    pub(super) answers: Vec<Answer>,
    /// The same of each job that waits.
    pub(super) of_jobs: BTreeMap<JobId, String>,
}

/// What came of one question.
pub(super) struct Answer {
    pub(super) badge: Badge,
    pub(super) by: Option<String>,
    pub(super) at: Time,
    pub(super) services: String,
    pub(super) reason: Option<String>,
    pub(super) overridden: Option<String>,
}

pub(super) async fn waiting(
    conn: &mut PgConnection,
    app: &App,
    build: &Build,
    jobs: &[Job],
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>> {
    let held: Vec<&Job> = jobs.iter().filter(|job| job.state == JobState::Waiting).collect();
    if held.is_empty() {
        let kept = approval::of_build(conn, build.id).await?;
        let answers = kept.into_iter().map(|kept| Answer::of(kept.approval, now)).collect();
        return Ok(Some(Waiting::over(answers)).filter(|waiting| !waiting.answers.is_empty()));
    }
    let Some(gates) = Gates::load(conn, app, build, now).await? else { return Ok(None) };
    let mut for_what: Vec<String> = Vec::new();
    let mut of_jobs = BTreeMap::new();
    for job in held {
        let why = match gates.of(job) {
            Gate::Open => Vec::new(),
            Gate::Closed { why } => why,
        };
        let sentences: Vec<String> = why.iter().map(model::gate::Obstacle::sentence).collect();
        of_jobs.insert(job.id, sentences.join("; "));
        for sentence in sentences {
            if !for_what.contains(&sentence) {
                for_what.push(sentence);
            }
        }
    }
    let asks = !gates.approvers().is_empty();
    let answerable = gates.open().is_some() || !gates.freezes().is_empty();
    Ok(Some(Waiting {
        for_what,
        approvers: asks.then(|| format!("{}, or an admin", gates.approvers().join(", "))),
        decidable: answerable
            && build.cancel_requested_at.is_none()
            && caller.may_approve(&build.app, gates.approvers()),
        asked: asks && gates.open().is_some(),
        answers: gates
            .kept()
            .iter()
            .filter(|kept| kept.approval.state != ApprovalState::Waiting)
            .map(|kept| Answer::of(kept.approval.clone(), now))
            .collect(),
        of_jobs,
    }))
}

impl Waiting {
    fn over(answers: Vec<Answer>) -> Self {
        Self {
            for_what: Vec::new(),
            approvers: None,
            decidable: false,
            asked: false,
            answers,
            of_jobs: BTreeMap::new(),
        }
    }
}

impl Answer {
    fn of(approval: Approval, now: DateTime<Utc>) -> Self {
        let class = match approval.state {
            ApprovalState::Approved => "ok",
            ApprovalState::Rejected => "bad",
            ApprovalState::Waiting => "wait",
            ApprovalState::Expired | ApprovalState::Void => "off",
        };
        let services = approval.ask.services.iter().map(|asked| asked.service.as_str());
        Self {
            badge: Badge::new(class, approval.state.as_str()),
            at: Time::new(approval.decided_at.unwrap_or(approval.asked_at), now),
            services: services.collect::<Vec<_>>().join(", "),
            by: approval.decided_by,
            reason: approval.reason,
            overridden: approval.overridden.map(|given| given.by),
        }
    }
}
