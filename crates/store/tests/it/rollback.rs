//! Going back: what of a stage goes back to what, what stands in the way, and whose artifacts.

use std::collections::BTreeMap;

use model::build::{BuildOutcome, Purpose, Source};
use model::deployment::{DeploymentKind, DeploymentState, InstanceState};
use model::job::{JobEvent, JobKind, JobState};
use model::pipeline::{Dependency, Service};
use model::plan::Decision;
use model::worker_api::DeployedStack;
use model::{ArtifactId, DeploymentId, InstanceId, StageId};
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::build::{Build, NewBuild};
use store::deployment::NewDeployment;
use store::instance::Success;
use store::job::{NewJob, Work};
use store::order::{self, Back, Moment, Why};
use store::stage::Stage;
use store::{Error, artifact, build, deployment, instance, job, stage};

use crate::support::{at, claim, id, new_build, new_job, region, service, settings, sha};

fn moment() -> Moment<'static> {
    Moment { now: at(50), ids: &id }
}

async fn app(conn: &mut PgConnection) -> App {
    let settings = settings("workshop", "acme/workshop");
    let id = store::app::put(conn, model::AppId(id()), &settings, at(0)).await.unwrap();
    store::app::get(conn, id).await.unwrap()
}

async fn prod(conn: &mut PgConnection, app: &App) -> Stage {
    let id = crate::support::stage(conn, app.id, "prod").await;
    stage::get(conn, id).await.unwrap()
}

fn depending(name: &str, on: &str) -> Service {
    Service { depends_on: vec![Dependency::declared(on.parse().unwrap())], ..service(name) }
}

/// A build of this commit that deployed these services and ended.
async fn deployed(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    commit: char,
    services: &[Service],
) -> Build {
    let made = begun(conn, app, stage, commit).await;
    for spec in services {
        one(conn, stage.id, &made, spec).await;
    }
    build::finish(conn, made.id, BuildOutcome::Succeeded, None, at(40)).await.unwrap();
    build::get(conn, made.id).await.unwrap()
}

async fn begun(conn: &mut PgConnection, app: &App, stage: &Stage, commit: char) -> NewBuild {
    let new = new_build(conn, app.id, stage.id).await;
    let source = Source { commit: sha(commit), ..new.source.clone() };
    let new = NewBuild { source, ..new };
    build::insert(conn, &new).await.unwrap();
    new
}

/// Packages a service for a stage and deploys it, all ended.
async fn one(conn: &mut PgConnection, stage: StageId, made: &NewBuild, spec: &Service) {
    let target = instance::ensure(
        conn,
        InstanceId(id()),
        stage,
        &spec.name,
        &region("us-east-1"),
        spec,
        at(0),
    )
    .await
    .unwrap();
    let job_of = |kind| NewJob {
        service: Some(spec.name.clone()),
        work: Some(Work::from(spec.clone())),
        ..new_job(made.id, kind, Some(target))
    };
    let (package, deploy) = (job_of(JobKind::Package), job_of(JobKind::Deploy));
    job::insert(conn, &[package.clone(), deploy.clone()], at(1)).await.unwrap();
    let artifact = artifact::NewArtifact {
        id: ArtifactId(id()),
        job_id: package.id,
        build_id: made.id,
        service: spec.name.clone(),
        stage_id: stage,
        region: region("us-east-1"),
        digest: "d".repeat(64),
        size_bytes: 10,
        key_id: "k".into(),
        parameters_digest: None,
        created_at: at(2),
    };
    artifact::insert(conn, &artifact).await.unwrap();
    let new = NewDeployment {
        id: DeploymentId(id()),
        instance_id: target,
        stage_id: stage,
        region: region("us-east-1"),
        job_id: deploy.id,
        build_id: made.id,
        kind: DeploymentKind::Deploy,
        artifact_id: Some(artifact.id),
        commit: made.source.commit.clone(),
        started_at: at(3),
    };
    deployment::begin(conn, &new).await.unwrap();
    let stack = DeployedStack {
        stacks: vec![format!("{}-prod", spec.name)],
        left_at: BTreeMap::new(),
        outputs: BTreeMap::new(),
        endpoints: Vec::new(),
    };
    let success = Success {
        commit: &made.source.commit,
        build_number: made.number,
        artifact: artifact.id,
        spec,
        stack: &stack,
        read_at: Some(at(1)),
        parameters_digest: None,
        outputs_changed: false,
    };
    instance::deployed(conn, target, &success, at(4)).await.unwrap();
    let (succeeded, nothing) = (DeploymentState::Succeeded, BTreeMap::new());
    deployment::end(conn, deploy.id, succeeded, None, &nothing, at(4)).await.unwrap();
    for ended in [package.id, deploy.id] {
        let event = JobEvent::Canceled { reason: "the test is through with it".into() };
        job::transition(conn, ended, &event, at(5)).await.unwrap();
    }
}

async fn history(conn: &mut PgConnection, stage: &Stage) -> Vec<deployment::Deployment> {
    deployment::list(conn, stage.id, None, 50).await.unwrap()
}

async fn refusal(conn: &mut PgConnection, app: &App, stage: &Stage, back: Back) -> String {
    match order::rollback(conn, app, stage, &back).await {
        Err(Error::NotAllowed(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn back_to(deployment: &deployment::Deployment) -> Back {
    Back::Deployment { service: deployment.service.clone(), deployment: deployment.id }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_service_goes_back_to_one_of_its_deployments_as_its_commit_had_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    let then = Service { path: "where/it/was".into(), ..service("restapi") };
    deployed(&mut conn, &app, &prod, 'a', std::slice::from_ref(&then)).await;
    deployed(&mut conn, &app, &prod, 'b', &[service("restapi")]).await;
    let older = history(&mut conn, &prod).await.pop().unwrap();

    let rollback = order::rollback(&mut conn, &app, &prod, &back_to(&older)).await.unwrap();
    assert_eq!((rollback.steps.len(), rollback.untouched.len()), (1, 0));
    assert_eq!(rollback.steps[0].deployment, older);
    let made = rollback.order(&mut conn, &app, &prod, "ann", moment()).await.unwrap();
    assert_eq!((made.purpose, &made.source.commit), (Purpose::Rollback, &sha('a')));
    assert_eq!(made.source.author, "ann");
    assert_eq!(made.source.title, "Roll restapi of prod back to aaaaaaa");
    assert_eq!(made.services, Some(["restapi".parse().unwrap()].into()));
    let jobs = job::list(&mut conn, made.id).await.unwrap();
    assert_eq!((jobs.len(), jobs[0].kind), (1, JobKind::Rollback));
    assert_eq!(
        (&jobs[0].state, jobs[0].instance_id),
        (&JobState::Queued { attempt: 1 }, Some(older.instance_id))
    );
    let expected = Work::Rollback {
        service: Box::new(then),
        artifact: older.artifact_id.unwrap(),
        commit: sha('a'),
    };
    assert_eq!(jobs[0].work, Some(expected));
    let planned = made.planned.unwrap();
    let Decision::Run { reason } = &planned[0].decision else { panic!("{planned:?}") };
    assert_eq!(reason, "it goes back from bbbbbbb to aaaaaaa of build 1");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_goes_back_to_what_a_build_had_left_and_the_rest_is_named(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    let (database, gone) = (service("database"), service("gone"));
    let api = depending("api", "database");
    let first = [database.clone(), api.clone(), gone.clone(), service("same")];
    deployed(&mut conn, &app, &prod, 'a', &first).await;
    deployed(&mut conn, &app, &prod, 'b', std::slice::from_ref(&api)).await;
    deployed(&mut conn, &app, &prod, 'c', &[database, api, service("late")]).await;
    let instances = instance::list(&mut conn, prod.id).await.unwrap();
    let removed = instances.iter().find(|one| one.service == gone.name).unwrap().id;
    instance::removed(&mut conn, removed, at(30)).await.unwrap();

    let back = Back::Build(2);
    let rollback = order::rollback(&mut conn, &app, &prod, &back).await.unwrap();
    let steps: Vec<_> = rollback
        .steps
        .iter()
        .map(|step| (step.service().as_str().to_owned(), step.commit().clone()))
        .collect();
    assert_eq!(steps, [("api".into(), sha('b')), ("database".into(), sha('a'))]);
    let untouched: Vec<_> = rollback
        .untouched
        .iter()
        .map(|one| (one.instance.service.as_str().to_owned(), one.why))
        .collect();
    assert_eq!(
        untouched,
        [
            ("gone".into(), Why::GoneSince),
            ("late".into(), Why::NotThereThen),
            ("same".into(), Why::RunsAlready),
        ]
    );
    let made = rollback.order(&mut conn, &app, &prod, "ann", moment()).await.unwrap();
    assert_eq!((&made.services, &made.source.commit), (&None, &sha('b')));
    let jobs = job::list(&mut conn, made.id).await.unwrap();
    let shown: Vec<_> = jobs.iter().map(|job| job.service.as_ref().unwrap().as_str()).collect();
    assert_eq!(shown, ["database", "api"], "what is depended on first");
    assert_eq!((&jobs[1].needs, &jobs[1].state), (&vec![jobs[0].id], &JobState::Blocked));
    assert_eq!(made.planned.unwrap().len(), 5);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_there_is_nothing_to_go_back_to_it_is_said_why(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    deployed(&mut conn, &app, &prod, 'a', &[service("restapi")]).await;
    let newest = history(&mut conn, &prod).await.remove(0);
    let why = refusal(&mut conn, &app, &prod, back_to(&newest)).await;
    assert_eq!(
        why,
        "restapi in us-east-1 runs aaaaaaa of build 1 already: there is nothing to roll back"
    );
    let why = refusal(&mut conn, &app, &prod, Back::Build(1)).await;
    assert!(why.contains("restapi: it runs what it had then"), "{why}");
    let other = Back::Deployment { service: "other".parse().unwrap(), deployment: newest.id };
    let why = refusal(&mut conn, &app, &prod, other).await;
    assert!(why.contains("no deployment"), "{why}");
    let why = refusal(&mut conn, &app, &prod, Back::Build(7)).await;
    assert_eq!(why, "build 7 is none of prod");

    let failed = begun(&mut conn, &app, &prod, 'b').await;
    let why = refusal(&mut conn, &app, &prod, Back::Build(failed.number)).await;
    assert!(why.starts_with("build 2 has not ended yet"), "{why}");
    build::finish(&mut conn, failed.id, BuildOutcome::Failed, Some("x"), at(41)).await.unwrap();
    let why = refusal(&mut conn, &app, &prod, Back::Build(failed.number)).await;
    assert!(why.starts_with("build 2 failed, so nobody knows"), "{why}");

    // what stands after a failure is not known: the same artifact makes it whole
    instance::failed(&mut conn, newest.instance_id, "it broke", at(42)).await.unwrap();
    let rollback = order::rollback(&mut conn, &app, &prod, &Back::Build(1)).await.unwrap();
    assert_eq!(rollback.steps.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_artifact_of_another_stage_goes_back_to_no_other(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    let staging = crate::support::stage(&mut conn, app.id, "staging").await;
    let staging = stage::get(&mut conn, staging).await.unwrap();
    deployed(&mut conn, &app, &prod, 'a', &[service("restapi")]).await;
    deployed(&mut conn, &app, &staging, 'b', &[service("restapi")]).await;
    let theirs = history(&mut conn, &staging).await.remove(0);
    let why = refusal(&mut conn, &app, &prod, back_to(&theirs)).await;
    assert!(why.starts_with("prod has no deployment"), "{why}");

    // whatever an order says: no row takes it either
    let ours = history(&mut conn, &prod).await.remove(0);
    let made = begun(&mut conn, &app, &prod, 'c').await;
    let job =
        crate::support::job(&mut conn, made.id, JobKind::Rollback, Some(ours.instance_id)).await;
    let rollback = NewDeployment {
        id: DeploymentId(id()),
        instance_id: ours.instance_id,
        stage_id: prod.id,
        region: region("us-east-1"),
        job_id: job,
        build_id: made.id,
        kind: DeploymentKind::Rollback,
        artifact_id: theirs.artifact_id,
        commit: sha('b'),
        started_at: at(50),
    };
    let refused = deployment::begin(&mut conn, &rollback).await;
    assert!(matches!(refused, Err(Error::NotAllowed(_))), "{refused:?}");
    let own = NewDeployment { artifact_id: ours.artifact_id, ..rollback };
    deployment::begin(&mut conn, &own).await.unwrap();
    let none = sqlx::query("update deployment set artifact_id = null where id = $1")
        .bind(own.id)
        .execute(&mut *conn)
        .await;
    assert!(none.is_err(), "a rollback has an artifact");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_takes_the_place_of_unfinished_work_and_no_push_takes_its_own(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    deployed(&mut conn, &app, &prod, 'a', &[service("restapi")]).await;
    deployed(&mut conn, &app, &prod, 'b', &[service("restapi")]).await;
    let pushed = begun(&mut conn, &app, &prod, 'c').await;
    let older = history(&mut conn, &prod).await.pop().unwrap();
    let back = back_to(&older);
    let rollback = order::rollback(&mut conn, &app, &prod, &back).await.unwrap();
    let first = rollback.order(&mut conn, &app, &prod, "ann", moment()).await.unwrap();
    let pushed = build::get(&mut conn, pushed.id).await.unwrap();
    assert_eq!(pushed.superseded_by, Some(first.number), "it was for all services");

    let newer = begun(&mut conn, &app, &prod, 'd').await;
    build::supersede(&mut conn, prod.id, newer.number, newer.number, None, at(51)).await.unwrap();
    let kept = build::get(&mut conn, first.id).await.unwrap();
    assert_eq!(kept.superseded_by, None);
    let returning = instance::returning(&mut conn, prod.id, newer.id).await.unwrap();
    assert_eq!(returning, [("restapi".parse().unwrap(), region("us-east-1"))]);
    assert!(instance::returning(&mut conn, prod.id, pushed.id).await.unwrap().is_empty());

    let rollback = order::rollback(&mut conn, &app, &prod, &Back::Build(1)).await.unwrap();
    let second = rollback.order(&mut conn, &app, &prod, "bob", moment()).await.unwrap();
    let first = build::get(&mut conn, first.id).await.unwrap();
    assert_eq!(first.superseded_by, Some(second.number), "a newer word goes before an older");
    let latest = build::latest_whole_on(&mut conn, prod.id).await.unwrap().unwrap();
    assert_eq!(latest.number, 2);
    let of_it = build::latest_whole_for(&mut conn, prod.id, &older.service).await.unwrap();
    assert_eq!(of_it.map(|build| build.number), Some(2));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn only_what_failed_is_recovered_even_while_a_deploy_of_it_waits(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    deployed(&mut conn, &app, &prod, 'a', &[service("restapi")]).await;
    let name = "restapi".parse().unwrap();
    let refused = order::recoverable(&mut conn, &prod, &name, None).await.unwrap_err().to_string();
    assert!(refused.contains("nothing is stuck"), "{refused}");
    let missing = "other".parse().unwrap();
    let missing = order::recoverable(&mut conn, &prod, &missing, None).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
    let target = instance::list(&mut conn, prod.id).await.unwrap().remove(0).id;
    instance::failed(&mut conn, target, "it is UPDATE_ROLLBACK_FAILED", at(30)).await.unwrap();

    let waits = begun(&mut conn, &app, &prod, 'b').await;
    let waiting = crate::support::job(&mut conn, waits.id, JobKind::Deploy, Some(target)).await;
    job::transition(&mut conn, waiting, &JobEvent::Held, at(31)).await.unwrap();
    let found = order::recoverable(&mut conn, &prod, &name, None).await.unwrap();
    assert_eq!((found.id, found.state), (target, InstanceState::Failed));
    let skip = vec!["Table".to_owned()];
    let made = order::recovery(&mut conn, &app, &prod, &found, skip.clone(), "ann", moment())
        .await
        .unwrap();
    assert_eq!((made.purpose, &made.source.commit), (Purpose::Recover, &sha('a')));
    let kept = build::get(&mut conn, waits.id).await.unwrap();
    assert_eq!(kept.superseded_by, None, "what waits may still come");
    let claimed = claim(&mut conn).await.unwrap();
    assert_eq!((claimed.build_id, claimed.kind), (made.id, JobKind::Recover));
    let expected = Work::Recover { service: Box::new(found.spec), skip };
    assert_eq!(claimed.work, Some(expected));
    job::transition(&mut conn, waiting, &JobEvent::Opened, at(32)).await.unwrap();
    assert!(claim(&mut conn).await.is_none(), "two changes of one instance never run at once");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_instance_in_several_regions_is_recovered_by_its_region(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let prod = prod(&mut conn, &app).await;
    for place in ["us-east-1", "eu-west-1"] {
        crate::support::instance_in(&mut conn, prod.id, "restapi", place).await;
    }
    let name = "restapi".parse().unwrap();
    let refused = order::recoverable(&mut conn, &prod, &name, None).await.unwrap_err().to_string();
    assert!(refused.contains("name the `region`"), "{refused}");
    let here = region("us-east-1");
    let refused = order::recoverable(&mut conn, &prod, &name, Some(&here)).await.unwrap_err();
    assert!(refused.to_string().contains("was never deployed"), "{refused}");
}
