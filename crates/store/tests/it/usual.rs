//! What jobs and builds usually take.

use chrono::TimeDelta;
use model::build::BuildOutcome;
use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::{AppId, BuildId, StageId};
use sqlx::{PgConnection, PgPool};
use store::{job, usual};

use crate::support::{app, at, build, claim, job as queued, stage};

/// A build with one test job that took so long.
async fn past(
    conn: &mut PgConnection,
    app: AppId,
    stage: StageId,
    seconds: i64,
    outcome: Outcome,
) -> BuildId {
    let build = build(conn, app, stage).await;
    queued(conn, build, JobKind::Test, None).await;
    let claimed = claim(conn).await.unwrap();
    let ended = at(10 + seconds);
    job::finish(conn, claimed.id, 1, &outcome, None, ended).await.unwrap();
    let whole = match outcome {
        Outcome::Succeeded => BuildOutcome::Succeeded,
        _ => BuildOutcome::Failed,
    };
    store::build::finish(conn, build, whole, None, ended).await.unwrap();
    build
}

fn failed() -> Outcome {
    Outcome::Failed(Failure { kind: FailureKind::Step, message: "no".into() })
}

fn seconds(seconds: i64) -> Option<TimeDelta> {
    Some(TimeDelta::seconds(seconds))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_usually_takes_the_median_of_those_that_went_well_in_its_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let staging = stage(&mut conn, app, "staging").await;
    let prod = stage(&mut conn, app, "prod").await;
    for took in [10, 90, 20] {
        past(&mut conn, app, staging, took, Outcome::Succeeded).await;
    }
    past(&mut conn, app, staging, 1, failed()).await;
    past(&mut conn, app, prod, 500, Outcome::Succeeded).await;

    let now = build(&mut conn, app, staging).await;
    let test = queued(&mut conn, now, JobKind::Test, None).await;
    let now = store::build::get(&mut conn, now).await.unwrap();
    let known = usual::jobs(&mut conn, &now).await.unwrap();
    let test = job::get(&mut conn, test).await.unwrap();
    assert_eq!(known.of(&test), seconds(20));
    assert_eq!(known.of_place(JobKind::Deploy, test.service.as_ref(), None), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_without_a_past_goes_by_the_others_of_its_app(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let staging = stage(&mut conn, app, "staging").await;
    let preview = stage(&mut conn, app, "feature-x").await;
    past(&mut conn, app, staging, 40, Outcome::Succeeded).await;

    let first = build(&mut conn, app, preview).await;
    let test = queued(&mut conn, first, JobKind::Test, None).await;
    let first = store::build::get(&mut conn, first).await.unwrap();
    let known = usual::jobs(&mut conn, &first).await.unwrap();
    let test = job::get(&mut conn, test).await.unwrap();
    assert_eq!(known.of(&test), seconds(40));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_usually_takes_what_those_of_its_stage_took(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let staging = stage(&mut conn, app, "staging").await;
    let prod = stage(&mut conn, app, "prod").await;
    let mut all = Vec::new();
    for took in [10, 20, 90] {
        all.push(past(&mut conn, app, staging, took, Outcome::Succeeded).await);
    }
    all.push(past(&mut conn, app, prod, 300, Outcome::Succeeded).await);
    let never = stage(&mut conn, app, "dev").await;
    let never = build(&mut conn, app, never).await;
    let running = build(&mut conn, app, staging).await;

    let wanted = [all[0], all[3], never, running];
    let known = usual::builds(&mut conn, &wanted).await.unwrap();
    assert_eq!(known.get(&all[0]).copied(), seconds(20));
    assert_eq!(known.get(&running).copied(), seconds(20));
    assert_eq!(known.get(&all[3]).copied(), seconds(300));
    assert_eq!(known.get(&never), None);
}
