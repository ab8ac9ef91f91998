//! Migrations: once, and never backwards.

use sqlx::PgPool;
use store::{Database, Error};

/// The URL of the test's own database.
fn url(pool: &PgPool) -> String {
    let options = pool.connect_options();
    let name = options.get_database().expect("a database").to_owned();
    let base =
        std::env::var("DATABASE_URL").expect("DATABASE_URL is set, see script/lib/postgres.sh");
    let (head, tail) = base.split_once('?').unwrap_or((&base, ""));
    let (server, _) = head.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{name}?{tail}")
}

/// A [`Database`] on the test's own database.
pub(crate) async fn open(pool: &PgPool) -> Database {
    Database::connect(&url(pool), 8).await.expect("the test's database")
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_is_not_ready_until_it_is_migrated(pool: PgPool) {
    let opened = open(&pool).await;
    assert!(opened.ready().await.unwrap_err().to_string().contains("run greenroom migrate"));
    opened.migrate().await.unwrap();
    opened.migrate().await.unwrap();
    opened.ready().await.unwrap();
    let mut tx = opened.begin().await.unwrap();
    let name: String = sqlx::query_scalar("select current_setting('application_name')")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(name, "greenroom");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_schema_is_refused_with_both_versions(pool: PgPool) {
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (999, 'from the future', true, '', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let opened = open(&pool).await;
    let known = store::MIGRATOR.iter().map(|migration| migration.version).max().unwrap();
    let told =
        format!("the database is at schema 999, this binary knows {known}: run a newer greenroom");
    let refused = opened.migrate().await.unwrap_err();
    assert!(matches!(&refused, Error::Schema(text) if *text == told), "{refused}");
    assert!(opened.ready().await.is_err());
}

#[tokio::test]
async fn a_url_that_is_none_is_an_error() {
    assert!(Database::connect("not a url", 1).await.is_err());
}
