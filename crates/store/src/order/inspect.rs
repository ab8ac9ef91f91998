//! The wish to look at stacks, and to remove one that no stage knows.
//!
//! What always holds: a look changes nothing, supersedes nothing and is superseded by nothing; it
//! has no plan and reports no status. A stack is removed here by its ARN alone, because a person
//! has asked for this one stack.

use std::collections::BTreeSet;

use model::app::{PreviewDeploy, Profile};
use model::build::{BuildEvent, Purpose, Source};
use model::deployment::InstanceState;
use model::job::JobKind;
use model::plan::Condition;
use model::{BuildId, CommitSha, JobId, ProfileName, Region};
use sqlx::PgConnection;

use super::{Moment, Order, insert};
use crate::app::App;
use crate::build::Build;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::job::{NewJob, NewJobState, Work};
use crate::orphan::Orphan;
use crate::stage::Stage;
use crate::{build, instance, job, orphan, sweep};

/// Who asks: the server itself (`schedule`) or a person.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub event: BuildEvent,
    pub author: &'a str,
}

/// A build that holds each stack of a stage against its template; `None`: nothing is deployed.
pub async fn drift(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    asked: Asked<'_>,
    at: Moment<'_>,
) -> Result<Option<Build>> {
    let instances: Vec<Instance> =
        instance::list(conn, stage.id).await?.into_iter().filter(has_stacks).collect();
    // the commit that came last: a look has none of its own
    let latest = instances.iter().max_by_key(|instance| instance.build_number);
    let Some(commit) = latest.and_then(|instance| instance.commit.clone()) else {
        return Ok(None);
    };
    let order = Order {
        stage: Some(stage.id),
        ..order(app, asked, Purpose::Inspect, commit, format!("Look for drift in {}", stage.name))
    };
    let id = insert(conn, order, at).await?;
    let jobs: Vec<NewJob> = instances.iter().map(|found| look(id, found, at)).collect();
    job::insert(conn, &jobs, at.now).await?;
    build::get(conn, id).await.map(Some)
}

/// Whether there is something to look at that a deploy of ours has left.
pub fn has_stacks(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Deployed | InstanceState::Failed | InstanceState::Deploying => {
            instance.commit.is_some() && !instance.stacks.is_empty()
        }
        InstanceState::Planned | InstanceState::Removing | InstanceState::Removed => false,
    }
}

/// The job that looks at one instance.
pub fn look(build: BuildId, instance: &Instance, at: Moment<'_>) -> NewJob {
    NewJob {
        id: JobId(at.id()),
        build_id: build,
        kind: JobKind::Drift,
        service: Some(instance.service.clone()),
        region: Some(instance.region.clone()),
        instance_id: Some(instance.id),
        work: Some(Work::from(instance.spec.clone())),
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    }
}

/// A build that lists the stacks which say they are ours, in every region that the profile's stages
/// use or have used.
pub async fn sweep(
    conn: &mut PgConnection,
    app: &App,
    (name, profile): (&ProfileName, &Profile),
    regions: BTreeSet<Region>,
    asked: Asked<'_>,
    at: Moment<'_>,
) -> Result<Build> {
    let regions: Vec<Region> = regions.into_iter().collect();
    sweep::order(conn, profile.role_arn.account(), &regions, at.now).await?;
    let title = format!("Look for stacks that no stage knows, as {name}");
    let id = insert(conn, order(app, asked, Purpose::Inspect, no_commit()?, title), at).await?;
    let work = Work::Sweep { profile: name.clone(), regions };
    job::insert(conn, &[single(id, JobKind::Sweep, None, work, at)], at.now).await?;
    build::get(conn, id).await
}

/// The regions that a profile is looked through in: those of the settings, and those that stages of
/// it have instances in.
pub async fn regions(
    conn: &mut PgConnection,
    app: &App,
    profile: &ProfileName,
) -> Result<BTreeSet<Region>> {
    let used: Vec<Region> = sqlx::query_scalar(
        "select distinct i.region from instance i join stage s on s.id = i.stage_id
         where s.app_id = $1 and s.profile = $2",
    )
    .bind(app.id)
    .bind(profile)
    .fetch_all(conn)
    .await?;
    let mut regions = model::sweep::regions(&app.settings, profile);
    regions.extend(used);
    Ok(regions)
}

/// A build that removes this one stack.
pub async fn discard(
    conn: &mut PgConnection,
    app: &App,
    found: &Orphan,
    author: &str,
    at: Moment<'_>,
) -> Result<Build> {
    let asked = Asked { event: BuildEvent::Manual, author };
    let title = format!("Remove the stack {}, which no stage knows", found.name);
    let id = insert(conn, order(app, asked, Purpose::Remove, no_commit()?, title), at).await?;
    let work = Work::Discard {
        orphan: found.id,
        profile: found.profile.clone(),
        stack: found.stack_id.clone(),
        name: found.name.clone(),
        changed_at: found.stack_changed_at.or(found.stack_created_at),
    };
    let region = Some(found.region.clone());
    job::insert(conn, &[single(id, JobKind::Remove, region, work, at)], at.now).await?;
    orphan::set_removal(conn, found.id, id).await?;
    build::get(conn, id).await
}

fn order<'a>(
    app: &'a App,
    asked: Asked<'_>,
    purpose: Purpose,
    commit: CommitSha,
    title: String,
) -> Order<'a> {
    Order {
        app,
        event: asked.event,
        purpose,
        stage: None,
        source: Source {
            commit,
            branch: None,
            tag: None,
            pull_request: None,
            title,
            author: asked.author.to_owned(),
        },
        forced: false,
        services: None,
        preview_deploy: PreviewDeploy::default(),
        delivery: None,
    }
}

fn single(
    build: BuildId,
    kind: JobKind,
    region: Option<Region>,
    work: Work,
    at: Moment<'_>,
) -> NewJob {
    NewJob {
        id: JobId(at.id()),
        build_id: build,
        kind,
        service: None,
        region,
        instance_id: None,
        work: Some(work),
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    }
}

/// As git and GitHub write that there is none.
fn no_commit() -> Result<CommitSha> {
    "0".repeat(40).parse().map_err(|_| Error::NotAllowed("a commit of zeros is written so".into()))
}
