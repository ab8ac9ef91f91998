//! Revisions of an app's settings.

use model::app::{Change, diff};
use sqlx::PgPool;
use store::audit::Via;
use store::{Error, revision};

use crate::support::{app, at, settings};

fn change() -> Vec<Change> {
    diff(None, &settings("workshop", "acme/workshop"))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_revisions_of_an_app_are_numbered_and_listed_newest_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    assert_eq!(revision::current(&mut conn, app).await.unwrap(), 0);
    let settings = settings("workshop", "acme/workshop");
    for (at_second, who) in [(1, ("ann", Via::Page)), (2, ("bob", Via::Api))] {
        let number = revision::insert(&mut conn, app, &settings, &change(), who, at(at_second))
            .await
            .unwrap();
        assert_eq!(number, at_second);
    }
    assert_eq!(revision::current(&mut conn, app).await.unwrap(), 2);
    let found = revision::list(&mut conn, app, None, 10).await.unwrap();
    let told: Vec<(i64, &str, Via)> =
        found.iter().map(|one| (one.number, one.by.as_str(), one.via)).collect();
    assert_eq!(told, [(2, "bob", Via::Api), (1, "ann", Via::Page)]);
    assert_eq!((&found[0].settings, &found[0].changes), (&settings, &change()));
    let older = revision::list(&mut conn, app, Some(2), 10).await.unwrap();
    assert_eq!(older, [revision::get(&mut conn, app, 1).await.unwrap()]);
    let none = revision::get(&mut conn, app, 3).await;
    assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_holds_an_app_keeps_others_from_changing_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let name = "workshop".parse().unwrap();
    let mut first = pool.begin().await.unwrap();
    assert_eq!(revision::hold(&mut first, &name).await.unwrap(), Some(app));
    let mut second = pool.begin().await.unwrap();
    sqlx::query("set local lock_timeout = '50ms'").execute(&mut *second).await.unwrap();
    assert!(revision::hold(&mut second, &name).await.is_err(), "it is held");
    first.rollback().await.unwrap();
    assert_eq!(revision::hold(&mut conn, &name).await.unwrap(), Some(app));
    let nobody = revision::hold(&mut conn, &"other".parse().unwrap()).await.unwrap();
    assert_eq!(nobody, None);
}
