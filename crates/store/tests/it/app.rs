//! Apps and their secrets.

use std::collections::BTreeSet;

use model::{AppId, ParameterKey, ProfileName};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use store::{Error, app, secret, vault::Vault};

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

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_opens_in_its_own_row_only(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::load_or_create(&directory.path().join("secret.key")).unwrap();
    let app = app::put(&mut conn, AppId(id()), &settings("workshop", "acme/workshop"), at(0))
        .await
        .unwrap();
    let profile: ProfileName = "development".parse().unwrap();
    let (key, other): (ParameterKey, ParameterKey) =
        ("api_key".parse().unwrap(), "token".parse().unwrap());
    for (key, value) in [(&key, "old"), (&key, "hunter2"), (&other, "tr0ub4dor")] {
        secret::put(&mut conn, &vault, id(), app, &profile, key, &SecretString::from(value), at(0))
            .await
            .unwrap();
    }
    let opened = secret::open(&mut conn, &vault, app, &profile).await.unwrap();
    assert_eq!(opened[&key].expose_secret(), "hunter2");
    assert_eq!(opened[&other].expose_secret(), "tr0ub4dor");
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select ciphertext from secret").fetch_all(&mut *conn).await.unwrap();
    assert!(stored.iter().all(|bytes| !bytes.windows(7).any(|part| part == b"hunter2")));

    sqlx::query("update secret set ciphertext = (select ciphertext from secret where key = 'token') where key = 'api_key'")
        .execute(&mut *conn).await.unwrap();
    assert!(matches!(secret::open(&mut conn, &vault, app, &profile).await, Err(Error::Vault(_))));

    secret::retain(&mut conn, app, &[(profile.clone(), other.clone())]).await.unwrap();
    assert_eq!(
        secret::keys(&mut conn, app).await.unwrap(),
        BTreeSet::from([(profile.clone(), other)])
    );
    secret::retain(&mut conn, app, &[]).await.unwrap();
    assert!(secret::open(&mut conn, &vault, app, &profile).await.unwrap().is_empty());
}
