//! How far jobs are.

use model::job::JobKind;
use model::worker_api::Progress;
use sqlx::PgPool;
use store::{Error, job, progress};

use crate::support::{at, claim, instance, job as queued, world};

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
