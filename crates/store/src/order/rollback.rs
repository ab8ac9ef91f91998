//! The wish to deploy again what a stage had before: one service as of one of its deployments, or
//! the whole stage as of a build.
//!
//! What always holds: only an artifact that this very stage was deployed with goes back to it (the
//! rows of deployments say which, and their foreign key refuses any other); each job carries the
//! service as the artifact's own commit had it. A rollback takes the place of all unfinished work
//! of the stage, and no push takes its place: it is carried out, and what a newer push brings comes
//! after it.

use std::fmt;

use model::app::PreviewDeploy;
use model::build::{BuildEvent, BuildOutcome, Purpose, Source};
use model::deployment::{DeploymentKind, DeploymentState, InstanceState};
use model::job::JobKind;
use model::plan::{Condition, Decision, PlannedJob, PlannedService, Returning, plan_rollback};
use model::{BuildId, CommitSha, DeploymentId, InstanceId, JobId, Region, ServiceName};
use sqlx::PgConnection;

use super::{Moment, Order, insert};
use crate::app::App;
use crate::artifact::{self, Origin};
use crate::build::{Build, BuildState};
use crate::deployment::Deployment;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::job::{NewJob, NewJobState, Work};
use crate::stage::Stage;
use crate::{build, deployment, instance, job};

/// What a stage is to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// One service, to what this deployment had deployed.
    Deployment { service: ServiceName, deployment: DeploymentId },
    /// Every service, to what was there when the build of this number had ended.
    Build(i64),
}

/// What a rollback comes to: looked up, nothing written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Never empty.
    pub steps: Vec<Step>,
    /// What of the stage stays as it is, and why.
    pub untouched: Vec<Untouched>,
    services: Option<ServiceName>,
    title: String,
    source: Source,
}

/// One instance, and what it goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As it is now.
    pub instance: Instance,
    pub to: Origin,
    /// The deployment that had deployed it.
    pub deployment: Deployment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untouched {
    pub instance: Instance,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It came later.
    NotThereThen,
    /// It was there, and has been removed since.
    GoneSince,
    /// What it would go back to is what runs.
    RunsAlready,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotThereThen => "it was not there then: it is left as it is",
            Self::GoneSince => {
                "it was there then and has been removed since: a build of a commit that has it \
                 deploys it again"
            }
            Self::RunsAlready => "it runs what it had then",
        })
    }
}

/// What going back comes to. A deployment or build that there is no way back to is
/// [`Error::NotAllowed`], in words.
pub async fn rollback(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    back: &Back,
) -> Result<Rollback> {
    match back {
        Back::Deployment { service, deployment } => one(conn, stage, service, *deployment).await,
        Back::Build(number) => whole(conn, app, stage, *number).await,
    }
}

async fn one(
    conn: &mut PgConnection,
    stage: &Stage,
    service: &ServiceName,
    id: DeploymentId,
) -> Result<Rollback> {
    let found = deployment::find(conn, stage.id, id).await?;
    let found = found
        .filter(|found| found.service == *service)
        .ok_or_else(|| refused(format!("{} has no deployment {id} of {service}", stage.name)))?;
    let artifact = match (found.kind, found.state, found.artifact_id) {
        (
            DeploymentKind::Deploy | DeploymentKind::Rollback,
            DeploymentState::Succeeded,
            Some(artifact),
        ) => artifact,
        (kind, state, _) => {
            return Err(refused(format!(
                "deployment {id} of {service} is a {} that {}: only one that deployed something \
                 and succeeded can be gone back to",
                match kind {
                    DeploymentKind::Deploy => "deploy",
                    DeploymentKind::Rollback => "rollback",
                    DeploymentKind::Remove => "removal",
                },
                match state {
                    DeploymentState::Running => "still runs",
                    DeploymentState::Succeeded => "succeeded",
                    DeploymentState::Failed => "failed",
                    DeploymentState::RolledBack => "was rolled back",
                    DeploymentState::Canceled => "was canceled",
                }
            )));
        }
    };
    let instance = instance::get(conn, found.instance_id).await?;
    let to = artifact::origin(conn, artifact).await?;
    if runs(&instance, &to) {
        return Err(refused(format!(
            "{service} in {} runs {} of build {} already: there is nothing to roll back",
            instance.region,
            to.source.commit.short(),
            to.build_number
        )));
    }
    Ok(Rollback {
        title: format!("Roll {service} of {} back to {}", stage.name, to.source.commit.short()),
        source: to.source.clone(),
        services: Some(service.clone()),
        steps: vec![Step { instance, to, deployment: found }],
        untouched: Vec::new(),
    })
}

async fn whole(conn: &mut PgConnection, app: &App, stage: &Stage, number: i64) -> Result<Rollback> {
    let then = build::find(conn, app.id, number).await?;
    let then = then
        .filter(|build| build.stage_id == Some(stage.id))
        .ok_or_else(|| refused(format!("build {number} is none of {}", stage.name)))?;
    left_whole(&then)?;
    let stood = deployment::standing_after(conn, stage.id, number).await?;
    let (mut steps, mut untouched) = (Vec::new(), Vec::new());
    for instance in instance::list(conn, stage.id).await? {
        let before = stood.iter().find(|deployment| deployment.instance_id == instance.id);
        let before = before.and_then(|deployment| Some((deployment, deployment.artifact_id?)));
        let why = match (before, instance.state) {
            (None, InstanceState::Planned | InstanceState::Removed) => continue,
            (None, _) => Why::NotThereThen,
            (Some(_), InstanceState::Removed | InstanceState::Planned) => Why::GoneSince,
            (
                Some((deployment, artifact)),
                InstanceState::Deploying
                | InstanceState::Deployed
                | InstanceState::Failed
                | InstanceState::Removing,
            ) => {
                let to = artifact::origin(conn, artifact).await?;
                if runs(&instance, &to) {
                    Why::RunsAlready
                } else {
                    steps.push(Step { instance, to, deployment: deployment.clone() });
                    continue;
                }
            }
        };
        untouched.push(Untouched { instance, why });
    }
    if steps.is_empty() {
        let why = |one: &Untouched| format!("{}: {}", one.instance.service, one.why);
        let why: Vec<String> = untouched.iter().map(why).collect();
        return Err(refused(match why.is_empty() {
            true => format!("nothing was deployed in {} when build {number} had ended", stage.name),
            false => format!(
                "nothing of {} differs from what build {number} left: {}",
                stage.name,
                why.join("; ")
            ),
        }));
    }
    Ok(Rollback {
        title: format!("Roll {} back to build {number}", stage.name),
        source: then.source,
        services: None,
        steps,
        untouched,
    })
}

/// A stage is taken back only to a state that was whole.
fn left_whole(then: &Build) -> Result<()> {
    let number = then.number;
    let why = match (then.state, then.outcome) {
        (BuildState::Running | BuildState::Waiting, _) | (BuildState::Finished, None) => {
            "has not ended yet"
        }
        (BuildState::Finished, Some(outcome)) => match outcome {
            BuildOutcome::Succeeded | BuildOutcome::Skipped => return Ok(()),
            BuildOutcome::Failed => "failed",
            BuildOutcome::Canceled => "was canceled",
            BuildOutcome::Superseded => "was superseded",
        },
    };
    Err(refused(format!(
        "build {number} {why}, so nobody knows that the stage was whole after it: name a build \
         that succeeded, or one deployment of a service"
    )))
}

fn runs(instance: &Instance, to: &Origin) -> bool {
    match instance.state {
        InstanceState::Deployed => instance.artifact_id == Some(to.artifact.id),
        // what stands there is not known: the same artifact makes it whole again
        InstanceState::Planned
        | InstanceState::Deploying
        | InstanceState::Failed
        | InstanceState::Removing
        | InstanceState::Removed => false,
    }
}

fn refused(why: String) -> Error {
    Error::NotAllowed(why)
}

impl Rollback {
    /// The build that carries it out, asked for by `author`.
    pub async fn order(
        self,
        conn: &mut PgConnection,
        app: &App,
        stage: &Stage,
        author: &str,
        at: Moment<'_>,
    ) -> Result<Build> {
        let order = Order {
            app,
            event: BuildEvent::Manual,
            purpose: Purpose::Rollback,
            stage: Some(stage.id),
            source: Source {
                title: self.title.clone(),
                author: author.to_owned(),
                ..self.source.clone()
            },
            forced: false,
            services: self.services.clone().map(|service| [service].into()),
            preview_deploy: PreviewDeploy::default(),
            delivery: None,
        };
        let id = insert(conn, order, at).await?;
        job::insert(conn, &self.jobs(id, at), at.now).await?;
        build::set_planned(conn, id, &self.planned()).await?;
        build::get(conn, id).await
    }

    /// What the build's page shows of each service.
    fn planned(&self) -> Vec<PlannedService> {
        let steps = self.steps.iter().map(|step| PlannedService {
            service: step.to.spec.clone(),
            region: Some(step.instance.region.clone()),
            decision: Decision::Run { reason: step.reason() },
        });
        let untouched = self.untouched.iter().map(|one| PlannedService {
            service: one.instance.spec.clone(),
            region: Some(one.instance.region.clone()),
            decision: Decision::Skip { reason: one.why.to_string() },
        });
        steps.chain(untouched).collect()
    }

    fn jobs(&self, build: BuildId, at: Moment<'_>) -> Vec<NewJob> {
        let returning: Vec<Returning> = self.steps.iter().map(Step::returning).collect();
        let planned = plan_rollback(&returning);
        let ids: Vec<JobId> = planned.iter().map(|_| JobId(at.id())).collect();
        let row = |(id, job): (&JobId, &PlannedJob)| {
            let step = self.steps.iter().find(|step| {
                job.service.as_ref() == Some(&step.instance.service)
                    && job.region.as_ref() == Some(&step.instance.region)
            })?;
            let needs: Vec<JobId> = job.needs.iter().map(|&at| ids[at]).collect();
            Some(step.job(*id, build, needs))
        };
        ids.iter().zip(&planned).filter_map(row).collect()
    }
}

impl Step {
    pub fn service(&self) -> &ServiceName {
        &self.instance.service
    }

    pub fn region(&self) -> &Region {
        &self.instance.region
    }

    /// The commit that it goes back to.
    pub fn commit(&self) -> &CommitSha {
        &self.to.source.commit
    }

    fn reason(&self) -> String {
        let then = format!("{} of build {}", self.commit().short(), self.to.build_number);
        match &self.instance.commit {
            Some(now) => format!("it goes back from {} to {then}", now.short()),
            None => format!("it goes back to {then}"),
        }
    }

    fn returning(&self) -> Returning {
        let depends_on = self.to.spec.depends_on.iter();
        Returning {
            service: self.instance.service.clone(),
            region: self.instance.region.clone(),
            depends_on: depends_on.map(|dependency| dependency.service.clone()).collect(),
        }
    }

    fn job(&self, id: JobId, build: BuildId, needs: Vec<JobId>) -> NewJob {
        let instance: InstanceId = self.instance.id;
        NewJob {
            id,
            build_id: build,
            kind: JobKind::Rollback,
            service: Some(self.instance.service.clone()),
            region: Some(self.instance.region.clone()),
            instance_id: Some(instance),
            work: Some(Work::Rollback {
                service: Box::new(self.to.spec.clone()),
                artifact: self.to.artifact.id,
                commit: self.commit().clone(),
            }),
            state: if needs.is_empty() { NewJobState::Queued } else { NewJobState::Blocked },
            needs,
            condition: Condition::Always,
        }
    }
}
