//! The read models of the pages.

use model::job::{JobKind, Outcome};
use model::stage::StageState;
use sqlx::PgPool;
use store::{board, job, stage};

use crate::support::{at, claim, instance, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_board_shows_open_stages_with_what_stands_and_what_ran_last(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, staging, _) = world(&mut conn).await;
    let last = crate::support::build(&mut conn, app, staging).await;
    instance(&mut conn, staging, "restapi").await;
    instance(&mut conn, staging, "database").await;
    crate::support::stage(&mut conn, app, "dev").await;
    let gone = crate::support::stage(&mut conn, app, "gone").await;
    stage::set_state(&mut conn, gone, StageState::Closed, at(1)).await.unwrap();
    let rows = board::rows(&mut conn, None).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.stage.as_str()).collect::<Vec<_>>(), ["dev", "staging"]);
    assert_eq!((rows[0].instances.len(), &rows[0].last_build), (0, &None));
    let services: Vec<_> = rows[1].instances.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(services, ["database", "restapi"]);
    let shown = rows[1].last_build.as_ref().unwrap();
    assert_eq!((shown.id, shown.number, shown.created_at), (last, 2, at(0)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn progress_and_queue_count_what_is_there(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    assert!(board::progress(&mut conn, &[build]).await.unwrap().is_empty());
    for _ in 0..3 {
        crate::support::job(&mut conn, build, JobKind::Test, None).await;
    }
    let held = claim(&mut conn).await.unwrap();
    job::finish(&mut conn, held.id, 1, &Outcome::Succeeded, None, at(20)).await.unwrap();
    claim(&mut conn).await.unwrap();
    let progress = board::progress(&mut conn, &[build]).await.unwrap()[0];
    assert_eq!((progress.jobs, progress.finished, progress.running), (3, 1, 1));
    let queue = board::queue(&mut conn).await.unwrap();
    assert_eq!((queue.queued, queue.running, queue.received, queue.unsent), (1, 1, 0, 0));
}
