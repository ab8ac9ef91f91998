//! What a build asks before it deploys to a long-lived stage, and what freezes that stage.

use chrono::{DateTime, Utc};
use model::CommitSha;
use model::approval::{Approval, ApprovalState, Asked, parts};
use model::change_set::ResourceChange;
use model::freeze::Freeze;
use model::gate::Gate;
use model::job::JobState;
use model::{Region, ServiceName};
use serde::Serialize;
use store::gate::Gates;
use store::job::Job;
use utoipa::ToSchema;

use crate::openapi::wire;

/// The newest question of a build.
#[derive(Serialize, ToSchema)]
#[schema(as = Approval)]
pub(in crate::api) struct ApprovalView {
    #[schema(value_type = wire::ApprovalState)]
    state: &'static str,
    #[schema(value_type = wire::CommitSha)]
    commit: CommitSha,
    /// The digest of commit, artifacts and change: an answer counts for nothing else.
    bound_to: String,
    asked_at: DateTime<Utc>,
    /// `null`: nobody is asked; the stage is only frozen.
    expires_at: Option<DateTime<Utc>>,
    by: Option<String>,
    at: Option<DateTime<Utc>>,
    reason: Option<String>,
    /// Who may answer, beside admins.
    approvers: Vec<String>,
    /// Who let it through a freeze.
    freeze_overridden: Option<OverrideView>,
    /// What keeps it, in sentences; empty when nothing waits.
    waits: Vec<String>,
    frozen: Option<FrozenView>,
    #[schema(value_type = Vec<wire::Asked>)]
    services: Vec<Asked>,
    /// The changes of who may do what, out of `services`.
    access: Vec<AccessView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FreezeOverride)]
struct OverrideView {
    by: String,
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccessChange)]
struct AccessView {
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = wire::Region)]
    region: Region,
    stack: String,
    #[serde(flatten)]
    #[schema(value_type = wire::ResourceChange)]
    change: ResourceChange,
}

impl ApprovalView {
    /// `None`: nobody was asked anything.
    pub(super) fn of(gates: &Gates, jobs: &[Job]) -> Option<Self> {
        let approval: Approval = gates.kept().last()?.approval.clone();
        let approvers = match approval.state {
            ApprovalState::Waiting | ApprovalState::Approved => gates.approvers().to_vec(),
            ApprovalState::Rejected | ApprovalState::Expired | ApprovalState::Void => Vec::new(),
        };
        let (access, _) = parts(&approval.ask.services);
        let access = access
            .into_iter()
            .map(|part| AccessView {
                service: part.service.clone(),
                region: part.region.clone(),
                stack: part.stack.to_owned(),
                change: part.change.clone(),
            })
            .collect();
        let given = approval.overridden;
        Some(Self {
            state: approval.state.as_str(),
            commit: approval.ask.commit,
            bound_to: approval.bound_to,
            asked_at: approval.asked_at,
            expires_at: approval.expires_at,
            by: approval.decided_by,
            at: approval.decided_at,
            reason: approval.reason,
            approvers,
            freeze_overridden: given.map(|given| OverrideView { by: given.by, at: given.at }),
            waits: waiting(jobs).find_map(|job| obstacles(gates, job)).unwrap_or_default(),
            frozen: gates.freezes().first().map(FrozenView::from),
            services: approval.ask.services,
            access,
        })
    }
}

fn waiting(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    jobs.iter().filter(|job| job.state == JobState::Waiting)
}

/// What keeps a waiting job, in sentences.
pub(super) fn obstacles(gates: &Gates, job: &Job) -> Option<Vec<String>> {
    match gates.of(job) {
        Gate::Open => None,
        Gate::Closed { why } => Some(why.iter().map(model::gate::Obstacle::sentence).collect()),
    }
}

/// What freezes a stage.
#[derive(Serialize, ToSchema)]
#[schema(as = Freeze)]
pub(in crate::api) struct FrozenView {
    reason: String,
    /// `null`: a window of the settings.
    by: Option<String>,
    since: DateTime<Utc>,
    /// `null`: until somebody ends it.
    until: Option<DateTime<Utc>>,
}

impl From<&Freeze> for FrozenView {
    fn from(freeze: &Freeze) -> Self {
        Self {
            reason: freeze.reason().to_owned(),
            by: freeze.by().map(str::to_owned),
            since: freeze.since(),
            until: freeze.until(),
        }
    }
}
