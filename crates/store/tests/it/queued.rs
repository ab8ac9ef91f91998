//! What stands before jobs that are due.

use model::job::JobKind;
use sqlx::PgPool;
use store::queued::{self, Queued};

use crate::support::{build, claim, instance, job, world};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_queued_job_knows_its_place_and_the_build_it_comes_after(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, first) = world(&mut conn).await;
    let instance = instance(&mut conn, stage, "restapi").await;
    job(&mut conn, first, JobKind::Deploy, Some(instance)).await;
    assert!(claim(&mut conn).await.is_some());
    assert_eq!(queued::running_of(&mut conn, app).await.unwrap(), 1);

    let second = build(&mut conn, app, stage).await;
    let test = job(&mut conn, second, JobKind::Test, None).await;
    let deploy = job(&mut conn, second, JobKind::Deploy, Some(instance)).await;
    let places = queued::of_builds(&mut conn, &[first, second]).await.unwrap();
    assert_eq!(
        places,
        [
            Queued { build: second, job: test, older: 0, behind: None },
            Queued { build: second, job: deploy, older: 1, behind: Some(1) },
        ]
    );
    assert_eq!(queued::of_builds(&mut conn, &[first]).await.unwrap(), []);
}
