//! How far a stage is behind the one it is promoted from, as it is kept.

use model::build::BuildOutcome;
use sqlx::PgPool;
use store::lead::{self, Found, Lead};
use store::{board, build};

use crate::support::{at, instance, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_found_takes_the_place_of_what_was_known(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let dev = crate::support::stage(&mut conn, app, "dev").await;
    let commit = |digit: &str| digit.repeat(40).parse().unwrap();
    let mut kept = Lead {
        stage_id: staging,
        from_stage: dev,
        base: commit("a"),
        head: commit("b"),
        found: Found::Unknown { failures: 2, retry_at: at(60) },
    };
    for found in [
        kept.found.clone(),
        Found::Unrelated,
        Found::Counted { ahead_by: 3, behind_by: 1 },
        Found::Counted { ahead_by: 0, behind_by: 0 },
    ] {
        kept.found = found;
        lead::put(&mut conn, &kept, at(1)).await.unwrap();
        assert_eq!(lead::list(&mut conn).await.unwrap(), [kept.clone()]);
    }
    let rows = board::rows(&mut conn, None).await.unwrap();
    let told = rows.iter().find(|row| row.stage_id == staging).unwrap().lead.as_ref().unwrap();
    assert_eq!((told.from_stage, told.ahead_by, told.behind_by), (dev, Some(0), Some(0)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_stands_at_the_commit_of_its_newest_build_that_was_through(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, first) = world(&mut conn).await;
    assert!(lead::standing(&mut conn).await.unwrap().is_empty(), "nothing is deployed");
    instance(&mut conn, staging, "restapi").await;
    build::finish(&mut conn, first, BuildOutcome::Succeeded, None, at(1)).await.unwrap();
    sqlx::query("update instance set state = 'failed'").execute(&mut *conn).await.unwrap();
    let failed = crate::support::build(&mut conn, app, staging).await;
    build::finish(&mut conn, failed, BuildOutcome::Failed, None, at(2)).await.unwrap();
    let standing = lead::standing(&mut conn).await.unwrap();
    let through = build::get(&mut conn, first).await.unwrap();
    assert_eq!(standing.len(), 1);
    assert_eq!((standing[0].stage_id, &standing[0].commit), (staging, &through.source.commit));
    let row = board::rows(&mut conn, None).await.unwrap().remove(0);
    assert_eq!(row.deployed.map(|build| build.id), Some(first));
    assert_eq!(row.last_build.map(|build| build.id), Some(failed));
}
