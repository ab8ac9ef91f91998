//! What a worker is told for a look at stacks: of another stage, of a whole account, of what is
//! deployed; and what becomes of its answer.

use model::job::JobKind;
use model::permission::Role;
use model::plan::Condition;
use model::{InstanceId, JobId, OrphanId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::job::{NewJob, NewJobState, Work};

use crate::job::{Story, service, succeeded};
use crate::support::{Server, Worker, answer, workshop};

/// A job of the first build, as the engine would have made it.
async fn queued(server: &Server, kind: JobKind, work: Work, instance: Option<InstanceId>) {
    let mut conn = server.db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let build = store::build::find(&mut conn, app.id, 1).await.unwrap().unwrap();
    let service = work.service().map(|service| service.name.clone());
    let job = NewJob {
        id: JobId(server.id()),
        build_id: build.id,
        kind,
        region: service.is_some().then(|| "us-east-1".parse().unwrap()),
        service,
        instance_id: instance,
        work: Some(work),
        needs: Vec::new(),
        condition: Condition::Always,
        state: NewJobState::Queued,
    };
    store::job::insert(&mut conn, &[job], server.now()).await.unwrap();
}

/// AWS cannot be reached here; that it was asked is what counts.
async fn asks_for_credentials(worker: &Worker<'_>, job: &Value) {
    let (status, problem) =
        answer(worker.call(job, "credentials").json(&json!({ "attempt": 1 }))).await;
    let said = problem["detail"].as_str().unwrap();
    assert!(
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::FORBIDDEN)
            && !said.contains("no AWS credentials"),
        "{status} {problem}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_at_another_stage_is_told_no_secret_of_it(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let mut file = workshop();
    file["profiles"]["staging"]["parameters"]["api"] = json!({ "ssm": "/workshop/api" });
    assert_eq!(server.apply(&admin, &file).await.0, StatusCode::CREATED);
    let story = Story::of(&server, admin).await;
    let worker = server.worker("one").await;
    let test = worker.job().await;
    worker.finish(&test, succeeded(), Value::Null).await;
    let work = |stage: &str| Work::Foresee {
        service: Box::new(service("restapi")),
        stage: stage.parse().unwrap(),
    };
    queued(&server, JobKind::Foresee, work("staging"), None).await;
    let job = worker.job().await;
    assert_eq!(job["task"]["kind"], "foresee");
    let target = &job["task"]["target"];
    assert_eq!((&target["stage"], &target["region"]), (&json!("staging"), &json!("us-east-1")));
    assert_eq!(target["parameters"]["env"]["value"], "dev");
    for withheld in ["key", "api"] {
        let nothing = json!({ "value": "", "secret": true });
        assert_eq!(target["parameters"][withheld], nothing);
    }
    assert_eq!(target["references"], Value::Null);
    assert!(!job.to_string().contains("s3cr3t-value"), "{job}");
    asks_for_credentials(&worker, &job).await;
    let foreseen = json!({ "kind": "foreseen", "change": [], "notes": ["as far as it goes"] });
    assert_eq!(worker.finish(&job, succeeded(), foreseen).await, StatusCode::NO_CONTENT);
    let mut conn = server.db.acquire().await.unwrap();
    let jobs = store::job::list(&mut conn, story.build).await.unwrap();
    let found = store::order::foresights(&jobs);
    let model::foresight::Answer::Change { notes, .. } = &found[0].answer else {
        panic!("{found:?}")
    };
    assert_eq!(notes[..], ["as far as it goes"]);

    // a stage that was never built has nothing to hold a change against
    queued(&server, JobKind::Foresee, work("prod"), None).await;
    assert_eq!(answer(worker.claim(0)).await.0, StatusCode::NO_CONTENT);
    let jobs = store::job::list(&mut conn, story.build).await.unwrap();
    let found = store::order::foresights(&jobs);
    assert!(matches!(found[1].answer, model::foresight::Answer::Unknown { .. }), "{found:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_sweep_works_as_its_profile_and_what_nobody_knows_is_kept(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    let worker = server.worker("one").await;
    worker.job().await;
    let work = Work::Sweep {
        profile: "development".parse().unwrap(),
        regions: vec!["us-east-1".parse().unwrap()],
    };
    queued(&server, JobKind::Sweep, work, None).await;
    let job = worker.job().await;
    assert_eq!(
        (&job["task"]["kind"], &job["task"]["regions"]),
        (&json!("sweep"), &json!(["us-east-1"]))
    );
    asks_for_credentials(&worker, &job).await;
    let found = json!({ "kind": "swept", "found": [{
        "name": "lost-dev", "id": "arn:aws:cloudformation:us-east-1:111111111111:stack/lost-dev/1",
        "region": "us-east-1", "app": "gone", "stage": "dev", "service": "lost", "build": 7,
        "status": "CREATE_COMPLETE", "created_at": null, "changed_at": null,
    }] });
    assert_eq!(worker.finish(&job, succeeded(), found).await, StatusCode::NO_CONTENT);
    let mut conn = server.db.acquire().await.unwrap();
    let orphans = store::orphan::list(&mut conn).await.unwrap();
    assert_eq!((orphans.len(), orphans[0].name.as_str()), (1, "lost-dev"));
    assert_eq!(orphans[0].account, "111111111111");

    let orphan: OrphanId = orphans[0].id;
    store::orphan::removed(&mut conn, orphan, server.now()).await.unwrap();
    assert!(store::orphan::list(&mut conn).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_look_for_drift_has_the_stacks_as_we_left_them(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = Story::planned(&server).await;
    story.deploy(&worker, json!({})).await;
    let mut conn = server.db.acquire().await.unwrap();
    let row = store::build::get(&mut conn, story.build).await.unwrap();
    let instance = store::instance::list(&mut conn, row.stage_id.unwrap()).await.unwrap().remove(0);
    server.pass(chrono::TimeDelta::seconds(1));
    let work = Work::from(service("restapi"));
    queued(&server, JobKind::Drift, work, Some(instance.id)).await;
    let job = worker.job().await;
    let task = &job["task"];
    assert_eq!(task["kind"], "drift");
    assert_eq!(task["stacks"], json!(["restapi-staging", "restapi-staging-cdn"]));
    assert_eq!(task["target"]["parameters"]["key"]["secret"], true, "it is masked by its value");
    let stacks = json!([{ "stack": "restapi-staging", "status": { "status": "deleted" } }]);
    let drifted = json!({ "kind": "drifted", "stacks": stacks });
    assert_eq!(worker.finish(&job, succeeded(), drifted).await, StatusCode::NO_CONTENT);
    let drift = store::drift::of_stage(&mut conn, instance.stage_id).await.unwrap();
    assert_eq!((drift.len(), drift[0].instance_id), (1, instance.id));

    // a deploy of ours is not what was looked at
    let again = Story::of(&server, story.admin.clone()).await;
    again.deploy(&worker, json!({})).await;
    assert!(store::drift::of_stage(&mut conn, instance.stage_id).await.unwrap().is_empty());
}
