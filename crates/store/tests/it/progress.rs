//! How far jobs are, and what stands before those that are due.

use model::job::JobKind;
use model::worker_api::Progress;
use sqlx::PgPool;
use store::progress::{self, Queued};
use store::{Error, job};

use crate::support::{at, build, claim, instance, job as queued, world};

fn said(done: u32, doing: Option<&str>) -> Progress {
    Progress { done, total: 30, doing: doing.map(str::to_owned) }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_job_says_last_is_kept_and_only_the_attempt_that_holds_it_is_heard(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, stage, build) = world(&mut conn).await;
    let instance = instance(&mut conn, stage, "restapi").await;
    let id = queued(&mut conn, build, JobKind::Deploy, Some(instance)).await;
    let early = progress::report(&mut conn, id, 1, &said(1, None), at(5)).await;
    assert!(matches!(early, Err(Error::Stale { attempt: 1 })), "{early:?}");

    claim(&mut conn).await.unwrap();
    for done in [1, 12] {
        let said = said(done, Some("creating Table"));
        let of = progress::report(&mut conn, id, 1, &said, at(20)).await.unwrap();
        assert_eq!(of, build);
    }
    let all = progress::of_build(&mut conn, build).await.unwrap();
    assert_eq!(all.get(&id), Some(&said(12, Some("creating Table"))));

    // its worker is lost, and another one begins it again: what was said of it is over
    job::expire(&mut conn, at(100), 10).await.unwrap();
    claim(&mut conn).await.unwrap();
    assert!(progress::of_build(&mut conn, build).await.unwrap().is_empty());
    let late = progress::report(&mut conn, id, 1, &said(13, None), at(110)).await;
    assert!(matches!(late, Err(Error::Stale { attempt: 1 })), "{late:?}");
    progress::report(&mut conn, id, 2, &said(2, None), at(111)).await.unwrap();
    let all = progress::of_build(&mut conn, build).await.unwrap();
    assert_eq!(all.get(&id), Some(&said(2, None)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_queued_job_knows_its_place_and_the_build_it_comes_after(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, first) = world(&mut conn).await;
    let instance = instance(&mut conn, stage, "restapi").await;
    queued(&mut conn, first, JobKind::Deploy, Some(instance)).await;
    assert!(claim(&mut conn).await.is_some());
    assert_eq!(progress::running_of(&mut conn, app).await.unwrap(), 1);

    let second = build(&mut conn, app, stage).await;
    let test = queued(&mut conn, second, JobKind::Test, None).await;
    let deploy = queued(&mut conn, second, JobKind::Deploy, Some(instance)).await;
    let places = progress::queued(&mut conn, second).await.unwrap();
    assert_eq!(
        places,
        [
            Queued { job: test, older: 0, behind: None },
            Queued { job: deploy, older: 1, behind: Some(1) },
        ]
    );
    assert_eq!(progress::queued(&mut conn, first).await.unwrap(), []);
}
