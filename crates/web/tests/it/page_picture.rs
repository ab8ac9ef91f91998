//! The picture of a build's jobs.

use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::plan::Condition;
use model::stage::StageKind;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::page_scene::{Scene, Wanted, planned, run, service, shown};
use crate::support::{Server, workshop};

const BUILD: &str = "/apps/workshop/builds/1";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_job_is_a_box_that_leads_to_its_log_and_says_in_words_how_it_stands(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let plan = [
        planned(&service("database"), "us-east-1", run("it changed")),
        planned(&service("restapi"), "us-east-1", run("it changed")),
    ];
    let build = scene.build(&stage, None, &plan).await;
    let why = Failure { kind: FailureKind::Step, message: "<b>no</b> \"table\"".into() };
    let failed = Outcome::Failed(why);
    let test = scene.ended(build, Wanted::of(JobKind::Test, "database"), failed, None).await;
    let deploy = Wanted::of(JobKind::Deploy, "database").needs(&[test]);
    let deploy = scene.blocked(build, deploy).await;
    let follower = Wanted::of(JobKind::Deploy, "restapi")
        .needs(&[test, deploy])
        .only_if(Condition::OutputsOf(vec![deploy]));
    let follower = scene.blocked(build, follower).await;

    let page = shown(&server, BUILD).await;
    let (_, picture) = page.split_once("<svg class=\"jobs-graph\"").unwrap();
    let (picture, after) = picture.split_once("</svg>").unwrap();
    // the job whose log is shown is marked
    for (job, mark, label) in [
        (test, " aria-current=\"true\"", "test database, failed"),
        (deploy, "", "deploy database, blocked"),
        (follower, "", "deploy restapi, blocked"),
    ] {
        let link = format!("href=\"{BUILD}?job={job}#log\"{mark}><title>{label}");
        assert!(picture.contains(&link), "{link}: {picture}");
    }
    // what the deploy waits for the follower need not be told again
    assert_eq!(picture.matches("<path class=\"line").count(), 2, "{picture}");
    assert_eq!(picture.matches("<path class=\"line if").count(), 1, "{picture}");
    assert!(picture.contains("&#60;b&#62;no&#60;/b&#62; &#34;table&#34;"), "{picture}");
    assert!(!page.contains("<b>no</b>") && !picture.contains("style="), "{picture}");
    assert!(
        picture.contains("3 jobs, each to the right of what it waits for: 1 ended"),
        "{picture}"
    );
    assert!(after.contains("id=\"service-restapi\""), "the same stands below in words: {after}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_jobs_are_not_worth_a_picture(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stage = scene.stage("staging", StageKind::LongLived).await;
    let build = scene.build(&stage, None, &[]).await;
    scene.blocked(build, Wanted::of(JobKind::Test, "database")).await;
    scene.blocked(build, Wanted::of(JobKind::Test, "restapi")).await;
    let page = shown(&server, BUILD).await;
    assert!(!page.contains("<svg class=\"jobs-graph\""), "{page}");
}
