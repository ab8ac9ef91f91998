//! Apps.

use model::AppId;
use sqlx::PgPool;
use store::{Error, app};

use crate::support::{at, id, settings};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn applying_an_app_twice_keeps_its_identity(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first = app::put(&mut conn, AppId(id()), &settings("workshop", "acme/workshop"), at(0))
        .await
        .unwrap();
    app::set_repository(&mut conn, first, &"acme/workshop".parse().unwrap(), Some(42))
        .await
        .unwrap();
    let again = app::put(&mut conn, AppId(id()), &settings("workshop", "acme/workshop"), at(5))
        .await
        .unwrap();
    assert_eq!(again, first);
    let found = app::get(&mut conn, first).await.unwrap();
    assert_eq!((found.repository_id, found.created_at, found.updated_at), (Some(42), at(0), at(5)));
    assert_eq!(found.settings, settings("workshop", "acme/workshop"));
    assert_eq!(app::list(&mut conn).await.unwrap(), [found]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_repository_belongs_to_one_app_whatever_its_case(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    app::put(&mut conn, AppId(id()), &settings("workshop", "acme/workshop"), at(0)).await.unwrap();
    let taken = app::put(&mut conn, AppId(id()), &settings("other", "Acme/Workshop"), at(0)).await;
    assert_eq!(taken.unwrap_err().constraint(), Some("app_repository_key"));
    let found =
        app::find_by_repository(&mut conn, &"ACME/workshop".parse().unwrap()).await.unwrap();
    assert_eq!(found.unwrap().name.as_str(), "workshop");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_renamed_repository_is_found_by_its_number_and_new_name(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = app::put(&mut conn, AppId(id()), &settings("workshop", "acme/workshop"), at(0))
        .await
        .unwrap();
    let renamed = "acme/atelier".parse().unwrap();
    app::set_repository(&mut conn, id, &renamed, Some(42)).await.unwrap();
    let found = app::find_by_repository_id(&mut conn, 42).await.unwrap().unwrap();
    assert_eq!((&found.repository, &found.settings.repository), (&renamed, &renamed));
    app::set_installation(&mut conn, &renamed, Some(7)).await.unwrap();
    app::set_installation(&mut conn, &"acme/unknown".parse().unwrap(), Some(8)).await.unwrap();
    let found = app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(found.installation_id, Some(7));
    // another repository under the same name: what GitHub said of the old one is forgotten
    app::put(&mut conn, id, &settings("workshop", "acme/other"), at(1)).await.unwrap();
    let found = app::get(&mut conn, id).await.unwrap();
    assert_eq!((found.repository_id, found.installation_id), (None, None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn build_numbers_count_from_one_per_app(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let one = app::put(&mut conn, AppId(id()), &settings("one", "acme/one"), at(0)).await.unwrap();
    let two = app::put(&mut conn, AppId(id()), &settings("two", "acme/two"), at(0)).await.unwrap();
    assert_eq!(app::next_build_number(&mut conn, one).await.unwrap(), 1);
    assert_eq!(app::next_build_number(&mut conn, one).await.unwrap(), 2);
    assert_eq!(app::next_build_number(&mut conn, two).await.unwrap(), 1);
    let missing = app::next_build_number(&mut conn, AppId(id())).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
}
