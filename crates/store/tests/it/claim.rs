//! Claims: each job once, oldest first, and never two changes of one instance.

use std::collections::BTreeSet;

use model::job::{JobKind, JobState, Outcome};
use model::{JobId, WorkerId};
use sqlx::{PgConnection, PgPool};
use store::job::{self, NewJob, NewJobState};
use store::{Error, build};
use uuid::Uuid;

use crate::support::{at, claim, instance, new_job, settle, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_oldest_job_is_claimed_first_and_carries_its_lease(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let first = crate::support::job(&mut conn, build, JobKind::Plan, None).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    settle(&mut conn).await;
    let held = claim(&mut conn).await.unwrap();
    assert_eq!((held.id, held.attempt, held.started_at), (first, 1, Some(at(10))));
    let JobState::Running(lease) = held.state else { panic!("{:?}", held.state) };
    assert_eq!(
        (lease.attempt, lease.expires_at, lease.worker),
        (1, at(60), WorkerId(Uuid::from_u128(7)))
    );
    assert_eq!(settle(&mut conn).await, [build]);
    assert!(claim(&mut conn).await.is_some());
    assert!(claim(&mut conn).await.is_none());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn eight_workers_claim_two_hundred_jobs_each_exactly_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let new: Vec<NewJob> = (0..200).map(|_| new_job(build, JobKind::Test, None)).collect();
    job::insert(&mut conn, &new, at(0)).await.unwrap();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                let mut held = Vec::new();
                while let Some(job) = claim(&mut conn).await {
                    held.push(job.id);
                }
                held
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    assert_eq!(claimed.len(), 200);
    let expected: BTreeSet<JobId> = new.iter().map(|job| job.id).collect();
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_deploys_of_one_instance_never_run_together(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, _) = world(&mut conn).await;
    let shared = instance(&mut conn, stage, "restapi").await;
    let mut jobs = Vec::new();
    for _ in 0..24 {
        let build = crate::support::build(&mut conn, app, stage).await;
        jobs.push(crate::support::job(&mut conn, build, JobKind::Deploy, Some(shared)).await);
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            let last = *jobs.last().unwrap();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                let mut ran = Vec::new();
                loop {
                    if let Some(held) = claim(&mut conn).await {
                        let running: i64 =
                            sqlx::query_scalar("select count(*) from job where state = 'running'")
                                .fetch_one(&mut *conn)
                                .await
                                .unwrap();
                        assert_eq!(running, 1);
                        job::finish(&mut conn, held.id, 1, &Outcome::Succeeded, None, at(20))
                            .await
                            .unwrap();
                        ran.push(held.id);
                    }
                    if matches!(
                        job::get(&mut conn, last).await.unwrap().state,
                        JobState::Finished(_)
                    ) {
                        return ran;
                    }
                }
            })
        })
        .collect();
    let mut ran = Vec::new();
    for worker in workers {
        ran.extend(worker.await.unwrap());
    }
    ran.sort();
    assert_eq!(ran, jobs);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_database_refuses_a_second_running_change(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, first) = world(&mut conn).await;
    let shared = instance(&mut conn, stage, "restapi").await;
    let second = crate::support::build(&mut conn, app, stage).await;
    crate::support::job(&mut conn, first, JobKind::Deploy, Some(shared)).await;
    crate::support::job(&mut conn, second, JobKind::Remove, Some(shared)).await;
    let refused =
        sqlx::query("update job set state = 'running', worker_id = id, lease_expires_at = now()")
            .execute(&mut *conn)
            .await
            .map_err(Error::from)
            .unwrap_err();
    assert_eq!(refused.constraint(), Some("job_one_change_per_instance"), "{refused}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_waits_for_the_older_builds_change_of_the_instance(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, older) = world(&mut conn).await;
    let newer = crate::support::build(&mut conn, app, stage).await;
    let (shared, free) =
        (instance(&mut conn, stage, "restapi").await, instance(&mut conn, stage, "database").await);
    let blocked =
        NewJob { state: NewJobState::Blocked, ..new_job(older, JobKind::Deploy, Some(shared)) };
    job::insert(&mut conn, std::slice::from_ref(&blocked), at(0)).await.unwrap();
    let waiting = crate::support::job(&mut conn, newer, JobKind::Deploy, Some(shared)).await;
    let other = crate::support::job(&mut conn, newer, JobKind::Deploy, Some(free)).await;
    assert_eq!(claim(&mut conn).await.unwrap().id, other);
    assert!(claim(&mut conn).await.is_none());
    let skipped = model::job::JobEvent::NeedsFailed { reason: "test failed".into() };
    job::transition(&mut conn, blocked.id, &skipped, at(1)).await.unwrap();
    assert_eq!(claim(&mut conn).await.unwrap().id, waiting);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn work_of_a_build_that_is_to_end_is_left_alone(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    crate::support::job(&mut conn, id, JobKind::Test, None).await;
    build::request_cancel(&mut conn, id, "asked to", at(1)).await.unwrap();
    assert!(claim(&mut conn).await.is_none());
}

/// Rows of the table `job` that this transaction has read.
async fn rows_read(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables
         where relname = 'job'",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_claim_walks_the_queue_and_nothing_else(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    for _ in 0..10 {
        let new: Vec<NewJob> = (0..1000).map(|_| new_job(build, JobKind::Test, None)).collect();
        job::insert(&mut conn, &new, at(0)).await.unwrap();
    }
    // nothing was analysed: the planner does not know yet that the queue is long
    let database = crate::schema::open(&pool).await;
    let mut tx = database.begin().await.unwrap();
    let before = rows_read(&mut tx).await;
    assert!(claim(&mut tx).await.is_some());
    let rows = rows_read(&mut tx).await - before;
    assert!(rows < 20, "one claim read {rows} rows of 10,000");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_begun_change_of_a_canceled_build_is_claimed_again_for_its_stack_may_be_moving(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, stage, build) = world(&mut conn).await;
    let instance = instance(&mut conn, stage, "restapi").await;
    let begun = crate::support::job(&mut conn, build, JobKind::Deploy, Some(instance)).await;
    let lost = crate::support::job(&mut conn, build, JobKind::Test, None).await;
    assert_eq!(claim(&mut conn).await.unwrap().id, begun);
    assert_eq!(claim(&mut conn).await.unwrap().id, lost);
    build::request_cancel(&mut conn, build, "superseded", at(11)).await.unwrap();
    job::release(&mut conn, WorkerId(Uuid::from_u128(7)), at(12)).await.unwrap();
    let again = claim(&mut conn).await.unwrap();
    assert_eq!((again.id, again.attempt), (begun, 2));
    assert!(claim(&mut conn).await.is_none());
}
