//! What the REST API answers: the shapes that DESIGN promises to scripts.

mod approval;
mod job;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::app::{Change, Settings};
use model::freeze::Freeze;
use model::job::JobState;
use model::outside::Outside;
use model::plan::Decision;
use model::stage::StageState;
use model::worker_api::Progress;
use model::{ArtifactId, BuildId, CommitSha, DeploymentId, JobId, Region, ServiceName, StageName};
use serde::Serialize;
use store::app::App;
use store::build::Build;
use store::deployment::Deployment;
use store::drift::Drift;
use store::gate::Gates;
use store::instance::Instance;
use store::job::Job;
use store::personal::Personal;
use store::stage::Stage;
use utoipa::ToSchema;

use approval::{ApprovalView, FrozenView};
use job::JobView;

use super::drift::DriftView;
use super::personal::PersonalView;
use crate::openapi::wire;
use crate::state::State;

#[derive(Serialize, ToSchema)]
#[schema(as = App)]
pub(super) struct AppView {
    #[serde(flatten)]
    #[schema(value_type = wire::Settings)]
    settings: Settings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<App> for AppView {
    fn from(app: App) -> Self {
        Self { settings: app.settings, created_at: app.created_at, updated_at: app.updated_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SettingsChange)]
pub(super) struct ChangeView {
    path: String,
    from: Option<String>,
    to: Option<String>,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self { path: change.path, from: change.from, to: change.to }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Build)]
pub(crate) struct BuildView {
    #[schema(value_type = uuid::Uuid)]
    id: BuildId,
    app: String,
    number: i64,
    #[schema(value_type = wire::BuildEvent)]
    event: &'static str,
    #[schema(value_type = wire::BuildPurpose)]
    purpose: &'static str,
    branch: Option<String>,
    tag: Option<String>,
    #[schema(value_type = wire::CommitSha)]
    commit: CommitSha,
    pull_request: Option<i64>,
    title: String,
    author: String,
    #[schema(value_type = Option<wire::StageName>)]
    stage: Option<StageName>,
    forced: bool,
    /// What it is for; `null`: every service.
    #[schema(value_type = Option<Vec<wire::ServiceName>>)]
    only: Option<BTreeSet<ServiceName>>,
    #[schema(value_type = wire::BuildState)]
    state: &'static str,
    #[schema(value_type = Option<wire::BuildOutcome>)]
    outcome: Option<&'static str>,
    reason: Option<String>,
    superseded_by: Option<i64>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    url: String,
    services: Vec<ServiceView>,
    /// What it asks before it deploys to a long-lived stage; lists do not tell.
    approval: Option<ApprovalView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<JobView>>,
}

/// Why a service runs, follows another or is skipped; one for each of its regions.
#[derive(Serialize, ToSchema)]
#[schema(as = PlannedService)]
struct ServiceView {
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = Option<wire::Region>)]
    region: Option<Region>,
    #[schema(value_type = wire::Decision)]
    decision: &'static str,
    reason: String,
}

impl BuildView {
    pub(super) fn listed(state: &State, build: Build) -> Self {
        let url = state.build_url(&build.app, build.number);
        Self {
            id: build.id,
            app: build.app.to_string(),
            number: build.number,
            event: build.event.as_str(),
            purpose: build.purpose.as_str(),
            branch: build.source.branch.map(Into::into),
            tag: build.source.tag.map(Into::into),
            commit: build.source.commit,
            pull_request: build.source.pull_request,
            title: build.source.title,
            author: build.source.author,
            stage: build.stage,
            forced: build.forced,
            only: build.services,
            state: build.state.as_str(),
            outcome: build.outcome.map(model::build::BuildOutcome::as_str),
            reason: build.reason.or(build.cancel_reason),
            superseded_by: build.superseded_by,
            created_at: build.created_at,
            started_at: build.started_at,
            finished_at: build.finished_at,
            url,
            services: build
                .planned
                .unwrap_or_default()
                .into_iter()
                .map(|planned| {
                    let (decision, reason) = match planned.decision {
                        Decision::Run { reason } => ("run", reason),
                        Decision::Follow { reason, .. } => ("follow", reason),
                        Decision::Skip { reason } => ("skip", reason),
                    };
                    let (service, region) = (planned.service.name, planned.region);
                    ServiceView { service, region, decision, reason }
                })
                .collect(),
            approval: None,
            jobs: None,
        }
    }

    pub(super) fn whole(state: &State, build: Build, jobs: Vec<Job>) -> Self {
        let jobs = Some(jobs.into_iter().map(JobView::from).collect());
        Self { jobs, ..Self::listed(state, build) }
    }

    /// With how far its jobs are.
    pub(super) fn so_far(self, progress: &BTreeMap<JobId, Progress>) -> Self {
        let told = |jobs: Vec<JobView>| jobs.into_iter().map(|job| job.so_far(progress)).collect();
        Self { jobs: self.jobs.map(told), ..self }
    }

    /// With what stands at the gate of its stage.
    pub(super) fn at_gate(state: &State, build: Build, jobs: Vec<Job>, gates: &Gates) -> Self {
        let approval = ApprovalView::of(gates, &jobs);
        let shown = |job: Job| match job.state {
            JobState::Waiting => {
                let waits = approval::obstacles(gates, &job).unwrap_or_default();
                JobView::from(job).because(waits.join("; "))
            }
            JobState::Blocked
            | JobState::Queued { .. }
            | JobState::Running(_)
            | JobState::Finished(_) => JobView::from(job),
        };
        let jobs = Some(jobs.into_iter().map(shown).collect());
        Self { approval, jobs, ..Self::listed(state, build) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Stage)]
pub(super) struct StageView {
    #[schema(value_type = wire::StageName)]
    name: StageName,
    #[schema(value_type = wire::StageKind)]
    kind: &'static str,
    profile: String,
    branch: Option<String>,
    pull_request: Option<i64>,
    #[schema(value_type = wire::StageState)]
    state: &'static str,
    created_at: DateTime<Utc>,
    active_at: DateTime<Utc>,
    /// Of a preview: the branch that its pull request is to be merged into.
    base: Option<String>,
    /// When it is removed if nobody needs it before.
    expires_at: Option<DateTime<Utc>>,
    /// Of a personal stage: whose it is.
    personal: Option<PersonalView>,
    left_over: Option<LeftOverView>,
    closed_at: Option<DateTime<Utc>>,
    /// What keeps it from taking deploys now, by hand or by its settings.
    frozen: Option<FrozenView>,
    /// What of its stacks is not as their templates say; `null`: nobody has looked.
    drift: Option<DriftView>,
    instances: Vec<InstanceView>,
}

/// What a removal that failed has left.
#[derive(Serialize, ToSchema)]
#[schema(as = LeftOver)]
struct LeftOverView {
    reason: String,
    failures: i32,
    /// `null`: it is not tried again by itself.
    retry_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Instance)]
struct InstanceView {
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = wire::Region)]
    region: Region,
    #[schema(value_type = wire::InstanceState)]
    state: &'static str,
    reason: Option<String>,
    #[schema(value_type = Option<wire::CommitSha>)]
    commit: Option<CommitSha>,
    build: Option<i64>,
    /// The main one of `stacks`.
    stack: Option<String>,
    stacks: Vec<String>,
    /// The framework's own name of the service, under which others may read its outputs too.
    published_as: Option<String>,
    /// It runs with other parameters than the stage has now.
    parameters_changed: bool,
    /// What somebody else did to its stacks since; `null`: nothing that was seen.
    #[schema(value_type = Option<wire::Outside>)]
    changed_outside: Option<Outside>,
    outputs: BTreeMap<String, String>,
    endpoints: Vec<String>,
    updated_at: DateTime<Utc>,
}

impl StageView {
    /// `digest`: of the parameters that the stage has now.
    pub(super) fn new(
        stage: Stage,
        instances: Vec<Instance>,
        looks: Vec<Drift>,
        digest: &str,
    ) -> Self {
        let drift = DriftView::of(&instances, looks);
        let shown = |instance| InstanceView::new(instance, digest);
        Self {
            name: stage.name,
            kind: stage.kind.as_str(),
            profile: stage.profile.into(),
            branch: stage.branch.map(Into::into),
            pull_request: stage.pull_request,
            state: stage.state.as_str(),
            created_at: stage.created_at,
            active_at: stage.active_at,
            base: stage.base.map(Into::into),
            expires_at: stage.expires_at,
            personal: None,
            left_over: match stage.state {
                StageState::RemoveFailed => stage.left_over.map(|reason| LeftOverView {
                    reason,
                    failures: stage.remove_failures,
                    retry_at: stage.retry_at,
                }),
                StageState::Active | StageState::Removing | StageState::Closed => None,
            },
            closed_at: stage.closed_at,
            frozen: None,
            drift,
            instances: instances.into_iter().map(shown).collect(),
        }
    }

    /// Whose it is, where it is somebody's.
    pub(super) fn owned(self, personal: Option<&Personal>) -> Self {
        Self {
            expires_at: personal.map_or(self.expires_at, |personal| personal.expires_at),
            personal: personal.map(PersonalView::from),
            ..self
        }
    }

    /// `freezes`: all that freezes it now, what ends last first.
    pub(super) fn frozen(self, freezes: &[Freeze]) -> Self {
        Self { frozen: freezes.first().map(FrozenView::from), ..self }
    }
}

impl InstanceView {
    fn new(instance: Instance, digest: &str) -> Self {
        Self {
            parameters_changed: instance.parameters_changed(digest),
            changed_outside: instance.changed_outside,
            published_as: instance.spec.published_as,
            service: instance.service,
            region: instance.region,
            state: instance.state.as_str(),
            reason: instance.reason,
            commit: instance.commit,
            build: instance.build_number,
            stack: instance.stacks.first().cloned(),
            stacks: instance.stacks,
            outputs: instance.outputs,
            endpoints: instance.endpoints,
            updated_at: instance.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Deployment)]
pub(super) struct DeploymentView {
    #[schema(value_type = uuid::Uuid)]
    id: DeploymentId,
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = wire::Region)]
    region: Region,
    #[schema(value_type = wire::DeploymentKind)]
    kind: &'static str,
    #[schema(value_type = wire::DeploymentState)]
    state: &'static str,
    #[schema(value_type = wire::CommitSha)]
    commit: CommitSha,
    build: i64,
    #[schema(value_type = Option<uuid::Uuid>)]
    artifact: Option<ArtifactId>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

impl From<Deployment> for DeploymentView {
    fn from(deployment: Deployment) -> Self {
        Self {
            id: deployment.id,
            service: deployment.service,
            region: deployment.region,
            kind: deployment.kind.as_str(),
            state: deployment.state.as_str(),
            commit: deployment.commit,
            build: deployment.build_number,
            artifact: deployment.artifact_id,
            started_at: deployment.started_at,
            finished_at: deployment.finished_at,
            reason: deployment.reason,
        }
    }
}
