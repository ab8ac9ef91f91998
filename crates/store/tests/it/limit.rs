//! An app's own limit: however many workers claim at once, never more of its jobs run.

use model::app::Settings;
use model::job::{JobKind, JobState, Outcome};
use model::{AppId, BuildId, WorkerId};
use sqlx::{PgConnection, PgPool};
use store::job::{self, NewJob};
use uuid::Uuid;

use crate::support::{at, build, claim, id, new_job, settings, stage};

/// Applies the workshop with this limit.
async fn limited(conn: &mut PgConnection, limit: Option<u16>) -> AppId {
    let settings = Settings {
        concurrency: limit.map(|limit| limit.try_into().unwrap()),
        ..settings("workshop", "acme/workshop")
    };
    store::app::put(conn, AppId(id()), &settings, at(0)).await.unwrap()
}

async fn queue(conn: &mut PgConnection, build: BuildId, count: usize) {
    let new: Vec<NewJob> = (0..count).map(|_| new_job(build, JobKind::Test, None)).collect();
    job::insert(conn, &new, at(0)).await.unwrap();
}

async fn a_build(conn: &mut PgConnection, app: AppId) -> BuildId {
    let stage = stage(conn, app, "staging").await;
    build(conn, app, stage).await
}

/// Another app, without a limit.
async fn free(conn: &mut PgConnection) -> BuildId {
    let app = store::app::put(conn, AppId(id()), &settings("other", "acme/other"), at(0)).await;
    a_build(conn, app.unwrap()).await
}

async fn running(conn: &mut PgConnection, build: BuildId) -> i64 {
    sqlx::query_scalar("select count(*) from job where state = 'running' and build_id = $1")
        .bind(build)
        .fetch_one(conn)
        .await
        .unwrap()
}

async fn end(conn: &mut PgConnection, held: &job::Job) {
    job::finish(conn, held.id, held.attempt, &Outcome::Succeeded, None, at(20)).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn many_workers_never_run_more_jobs_of_an_app_than_its_limit(pool: PgPool) {
    const LIMIT: i64 = 3;
    const JOBS: usize = 60;
    let mut conn = pool.acquire().await.unwrap();
    let app = limited(&mut conn, Some(3)).await;
    let bounded = a_build(&mut conn, app).await;
    let other = free(&mut conn).await;
    queue(&mut conn, bounded, JOBS).await;
    queue(&mut conn, other, JOBS).await;
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                let (mut done, mut most) = (0, 0);
                loop {
                    match claim(&mut conn).await {
                        Some(held) => {
                            most = most.max(running(&mut conn, bounded).await);
                            end(&mut conn, &held).await;
                            done += 1;
                        }
                        // another holds the last slots: nobody is left behind
                        None if store::board::queue(&mut conn).await.unwrap().queued == 0 => {
                            return (done, most);
                        }
                        None => tokio::task::yield_now().await,
                    }
                }
            })
        })
        .collect();
    let (mut done, mut most) = (0, 0);
    for worker in workers {
        let (its, seen) = worker.await.unwrap();
        done += its;
        most = most.max(seen);
    }
    assert_eq!(done, 2 * JOBS);
    assert!((1..=LIMIT).contains(&most), "{most} ran at once");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn claims_at_the_same_moment_do_not_share_a_slot(pool: PgPool) {
    // the pool of a test has five connections
    const WORKERS: usize = 4;
    let mut conn = pool.acquire().await.unwrap();
    let app = limited(&mut conn, Some(2)).await;
    let bounded = a_build(&mut conn, app).await;
    queue(&mut conn, bounded, 20).await;
    for round in 0..10 {
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(WORKERS));
        let claims: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (pool, start) = (pool.clone(), start.clone());
                tokio::spawn(async move {
                    let mut conn = pool.acquire().await.unwrap();
                    start.wait().await;
                    claim(&mut conn).await
                })
            })
            .collect();
        let mut held = Vec::new();
        for claim in claims {
            held.extend(claim.await.unwrap());
        }
        assert_eq!(held.len(), 2, "in round {round}");
        for job in &held {
            end(&mut conn, job).await;
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_full_app_stands_in_nobodys_way(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = limited(&mut conn, Some(1)).await;
    let bounded = a_build(&mut conn, app).await;
    queue(&mut conn, bounded, 3).await;
    let other = free(&mut conn).await;
    queue(&mut conn, other, 2).await;
    let first = claim(&mut conn).await.unwrap();
    assert_eq!(first.build_id, bounded);
    for _ in 0..2 {
        assert_eq!(claim(&mut conn).await.unwrap().build_id, other);
    }
    assert!(claim(&mut conn).await.is_none());
    end(&mut conn, &first).await;
    assert_eq!(claim(&mut conn).await.unwrap().build_id, bounded);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_lost_worker_gives_its_slot_back(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = limited(&mut conn, Some(1)).await;
    let bounded = a_build(&mut conn, app).await;
    queue(&mut conn, bounded, 1).await;
    claim(&mut conn).await.unwrap();
    job::release(&mut conn, WorkerId(Uuid::from_u128(7)), at(20)).await.unwrap();
    let again = claim(&mut conn).await.unwrap();
    assert_eq!(again.attempt, 2);
    assert!(matches!(again.state, JobState::Running(_)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_new_limit_counts_what_runs_already(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = limited(&mut conn, None).await;
    let bounded = a_build(&mut conn, app).await;
    queue(&mut conn, bounded, 10).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(claim(&mut conn).await.unwrap());
    }
    limited(&mut conn, Some(4)).await;
    for _ in 0..2 {
        held.push(claim(&mut conn).await.unwrap());
    }
    assert!(claim(&mut conn).await.is_none());
    // lowered while more than that run: the lower slots are free, and nothing may be claimed
    limited(&mut conn, Some(1)).await;
    for job in held.drain(..3) {
        end(&mut conn, &job).await;
        assert!(claim(&mut conn).await.is_none());
    }
    end(&mut conn, &held[0]).await;
    assert!(claim(&mut conn).await.is_some());
    assert!(claim(&mut conn).await.is_none());
    limited(&mut conn, None).await;
    for _ in 0..5 {
        assert!(claim(&mut conn).await.is_some());
    }
}
