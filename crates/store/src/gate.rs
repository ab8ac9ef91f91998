//! What stands at the gate of a build's stage: rows and settings, as [`model::gate`] takes them.
//!
//! What always holds: only a build that deploys to a long-lived stage has a gate. The question is
//! put together from what is waiting, so it is the same for as long as that is.

mod question;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::{FreezeWindow, Lifetime, StageSettings};
use model::approval::{Approval, ApprovalState, Ask, Asked, Deploy};
use model::build::Purpose;
use model::freeze::{self, Freeze, Frozen};
use model::gate::{Gate, Ground, decide};
use model::job::{JobKind, JobState};
use model::stage::StageKind;
use model::worker_api::JobResult;
use model::{Region, ServiceName};
use sqlx::PgConnection;

use crate::app::App;
use crate::approval::Kept;
use crate::build::Build;
use crate::error::Result;
use crate::job::Job;
use crate::{approval, artifact};

pub use question::{approve, question};

/// The gate of one build's stage.
#[derive(Debug, Clone)]
pub struct Gates {
    build: Build,
    /// What the app file says of the stage; `None`: nothing any more.
    settings: Option<StageSettings>,
    by_hand: Option<Frozen>,
    freezes: Vec<Freeze>,
    kept: Vec<Kept>,
    approvals: Vec<Approval>,
    /// SHA-256 of each artifact.
    artifacts: BTreeMap<(ServiceName, Region), String>,
    now: DateTime<Utc>,
}

impl Gates {
    /// `None`: nothing of the build ever stops at a gate.
    pub async fn load(
        conn: &mut PgConnection,
        app: &App,
        build: &Build,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>> {
        let gated =
            (build.purpose, build.stage_kind) == (Purpose::Deploy, Some(StageKind::LongLived));
        let (true, Some(stage), Some(name)) = (gated, build.stage_id, &build.stage) else {
            return Ok(None);
        };
        let settings = app.settings.stage(name).map(|(_, settings)| settings.clone());
        let by_hand = crate::freeze::of(conn, stage).await?;
        let windows = settings.as_ref().map_or(&[][..], |settings| &settings.freeze);
        let freezes = freeze::in_force(by_hand.as_ref(), windows, now);
        let kept = approval::of_build(conn, build.id).await?;
        let asks = settings.as_ref().is_some_and(|settings| !settings.approvers.is_empty());
        let artifacts = match asks || !freezes.is_empty() || !kept.is_empty() {
            true => artifact::digests_of_build(conn, build.id).await?,
            false => BTreeMap::new(),
        };
        Ok(Some(Self {
            build: build.clone(),
            settings,
            by_hand,
            freezes,
            approvals: kept.iter().map(|kept| kept.approval.clone()).collect(),
            kept,
            artifacts,
            now,
        }))
    }

    /// The moment of the look.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Who may approve, beside admins; empty: nobody is asked.
    pub fn approvers(&self) -> &[String] {
        self.settings.as_ref().map_or(&[], |settings| &settings.approvers)
    }

    /// Until when a question asked now, or an answer given now, counts; `None`: nobody is asked.
    pub fn expiry(&self) -> Option<DateTime<Utc>> {
        let settings = self.settings.as_ref().filter(|settings| !settings.approvers.is_empty())?;
        let lifetime: Lifetime = settings.approval_lifetime();
        Some(self.now + lifetime.duration())
    }

    /// All that freezes the stage now, what ends last first.
    pub fn freezes(&self) -> &[Freeze] {
        &self.freezes
    }

    /// The build's questions, oldest first.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The question that waits for an answer.
    pub fn open(&self) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.approval.state == ApprovalState::Waiting)
    }

    /// Whether a deploy job of the build may begin; what is no deploy always may.
    pub fn of(&self, job: &Job) -> Gate {
        match self.deploy(job) {
            Some(deploy) => decide(&self.ground(), &deploy),
            None => Gate::Open,
        }
    }

    pub fn ground(&self) -> Ground<'_> {
        Ground {
            commit: &self.build.source.commit,
            approvers: self.approvers(),
            freezes: &self.freezes,
            approvals: &self.approvals,
            now: self.now,
        }
    }

    /// What a deploy job of the build would deploy.
    pub fn deploy<'a>(&'a self, job: &'a Job) -> Option<Deploy<'a>> {
        if job.kind != JobKind::Deploy {
            return None;
        }
        let (service, region) = (job.service.as_ref()?, job.region.as_ref()?);
        let artifact = self.artifacts.get(&(service.clone(), region.clone()));
        Some(Deploy { service, region, artifact: artifact.map(String::as_str) })
    }

    /// The question that the waiting deploys pose; `None`: each of them has an approval that
    /// counts.
    pub fn ask(&self, jobs: &[Job]) -> Option<Ask> {
        let services: Vec<Asked> = jobs
            .iter()
            .filter(|job| job.state == JobState::Waiting)
            .filter_map(|job| self.deploy(job))
            .filter(|deploy| !self.is_approved(deploy))
            .map(|deploy| self.asked(&deploy, jobs))
            .collect();
        (!services.is_empty()).then(|| Ask::new(self.build.source.commit.clone(), services))
    }

    /// The approval by which something may be deployed, as far as approvals go.
    pub fn approval_of(&self, deploy: &Deploy<'_>) -> Option<&Kept> {
        self.kept.iter().rev().find(|Kept { approval, .. }| {
            approval.state == ApprovalState::Approved
                && !approval.is_over(self.now)
                && (approval.expires_at.is_some() || self.approvers().is_empty())
                && approval.is_about(&self.build.source.commit, deploy)
        })
    }

    fn is_approved(&self, deploy: &Deploy<'_>) -> bool {
        self.approval_of(deploy).is_some()
    }

    fn asked(&self, deploy: &Deploy<'_>, jobs: &[Job]) -> Asked {
        let packaging = jobs.iter().find(|job| {
            (job.kind, job.service.as_ref(), job.region.as_ref())
                == (JobKind::Package, Some(deploy.service), Some(deploy.region))
        });
        let package = packaging.and_then(|job| {
            let Some(JobResult::Packaged { package }) = &job.result else { return None };
            Some(package)
        });
        Asked {
            service: deploy.service.clone(),
            region: deploy.region.clone(),
            artifact: deploy.artifact.map(str::to_owned),
            change: package.map(|package| package.change.clone()).unwrap_or_default(),
            findings: package.map(|package| package.findings.clone()).unwrap_or_default(),
        }
    }

    /// The next moment at which time alone may change what [`of`](Self::of) answers.
    pub fn changes_after(&self) -> Option<DateTime<Utc>> {
        let windows: &[FreezeWindow] =
            self.settings.as_ref().map_or(&[], |settings| &settings.freeze);
        let freezes = freeze::changes_after(self.by_hand.as_ref(), windows, self.now);
        let counting = self.approvals.iter().filter(|approval| match approval.state {
            ApprovalState::Waiting | ApprovalState::Approved => true,
            ApprovalState::Rejected | ApprovalState::Expired | ApprovalState::Void => false,
        });
        let ends = counting.filter_map(|approval| approval.expires_at);
        freezes.into_iter().chain(ends).filter(|moment| *moment > self.now).min()
    }
}
