//! The first start: the link and its session, drafts, and the identity that is kept.

use model::AppId;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use store::github_app::{self, AppIdentity, Identity};
use store::setup::{self, Opened, Progress};
use store::vault::Vault;

use crate::support::{at, id, settings};

const DAY: i64 = 24 * 60 * 60;

fn vault() -> (Vault, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Vault::load_or_create(&dir.path().join("key")).unwrap(), dir)
}

fn app() -> Identity {
    Identity::App(AppIdentity {
        app_id: 4711,
        slug: "greenroom".into(),
        html_url: "https://github.com/apps/greenroom".into(),
        owner: "acme".into(),
        client_id: "Iv1".into(),
        client_secret: "the client secret".into(),
        webhook_secret: Some("the webhook secret".into()),
        private_key_pem: "-----BEGIN RSA PRIVATE KEY-----".into(),
    })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_link_begins_one_session_and_the_newest_link_counts(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    setup::put_link(&mut conn, "first", at(0)).await.unwrap();
    setup::put_link(&mut conn, "second", at(1)).await.unwrap();
    let open = async |conn: &mut _, key, session| {
        setup::open_link(conn, key, session, at(2)).await.unwrap()
    };
    assert_eq!(open(&mut conn, "first", "a").await, Opened::Refused);
    assert_eq!(open(&mut conn, "second", "b").await, Opened::Session);
    assert_eq!(open(&mut conn, "second", "c").await, Opened::Refused);
    assert!(setup::is_session(&mut conn, "b", at(3)).await.unwrap());
    assert!(!setup::is_session(&mut conn, "second", at(3)).await.unwrap());
    assert!(!setup::is_session(&mut conn, "b", at(2 + DAY)).await.unwrap());

    // a new link leaves the session alone until somebody opens it
    setup::put_link(&mut conn, "third", at(4)).await.unwrap();
    assert!(setup::is_session(&mut conn, "b", at(5)).await.unwrap());
    assert_eq!(open(&mut conn, "third", "d").await, Opened::Session);
    assert!(!setup::is_session(&mut conn, "b", at(5)).await.unwrap());
    assert!(setup::is_session(&mut conn, "d", at(5)).await.unwrap());

    setup::finish(&mut conn, at(6)).await.unwrap();
    assert!(!setup::is_session(&mut conn, "d", at(7)).await.unwrap());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_link_that_lay_for_a_day_is_good_no_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    setup::put_link(&mut conn, "key", at(0)).await.unwrap();
    let opened = setup::open_link(&mut conn, "key", "session", at(DAY)).await.unwrap();
    assert_eq!(opened, Opened::Refused);
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("select hash from setup_link").fetch_all(&mut *conn).await.unwrap();
    assert!(kept.iter().all(|hash| hash != b"key"), "the key itself is nowhere");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_server_is_new_until_it_has_an_identity_or_an_app(pool: PgPool) {
    let (vault, _dir) = vault();
    let mut conn = pool.acquire().await.unwrap();
    let progress =
        async |conn: &mut _, configured| setup::progress(conn, configured).await.unwrap();
    assert_eq!(progress(&mut conn, false).await, Progress::New);
    assert_eq!(progress(&mut conn, true).await, Progress::Done);
    github_app::put(&mut conn, &vault, id(), &app(), at(0)).await.unwrap();
    assert_eq!(progress(&mut conn, false).await, Progress::Begun);
    let settings = settings("workshop", "acme/workshop");
    store::app::put(&mut conn, AppId(id()), &settings, at(0)).await.unwrap();
    assert_eq!(progress(&mut conn, false).await, Progress::Begun);
    setup::finish(&mut conn, at(1)).await.unwrap();
    assert_eq!(progress(&mut conn, false).await, Progress::Done);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_app_applied_from_a_file_leaves_nothing_to_set_up(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let settings = settings("workshop", "acme/workshop");
    store::app::put(&mut conn, AppId(id()), &settings, at(0)).await.unwrap();
    assert_eq!(setup::progress(&mut conn, false).await.unwrap(), Progress::Done);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_identity_is_encrypted_and_comes_back_whole(pool: PgPool) {
    let (vault, _dir) = vault();
    let mut conn = pool.acquire().await.unwrap();
    assert!(github_app::find(&mut conn, &vault).await.unwrap().is_none());
    let first = id();
    github_app::put(&mut conn, &vault, first, &app(), at(0)).await.unwrap();
    assert_eq!(github_app::version(&mut conn).await.unwrap(), Some(first));
    let row: String =
        sqlx::query_scalar("select g::text from github_app g").fetch_one(&mut *conn).await.unwrap();
    let bytes: Vec<u8> = sqlx::query_scalar("select ciphertext from github_app")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let bytes = String::from_utf8_lossy(&bytes);
    for secret in ["client secret", "webhook secret", "PRIVATE KEY"] {
        assert!(!row.contains(secret) && !bytes.contains(secret), "{secret}");
    }
    let Some(Identity::App(kept)) = github_app::find(&mut conn, &vault).await.unwrap() else {
        panic!("it is an App");
    };
    assert_eq!((kept.app_id, kept.slug.as_str()), (4711, "greenroom"));
    assert_eq!(kept.client_secret.expose_secret(), "the client secret");

    // sealed for its row: under another id it is nothing
    sqlx::query("update github_app set id = $1").bind(id()).execute(&mut *conn).await.unwrap();
    assert!(github_app::find(&mut conn, &vault).await.is_err());

    let token = Identity::Token { token: "ghp_x".into(), webhook_secret: "w".into() };
    github_app::put(&mut conn, &vault, id(), &token, at(1)).await.unwrap();
    let kept = github_app::find(&mut conn, &vault).await.unwrap();
    assert!(matches!(kept, Some(Identity::Token { .. })), "{kept:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn everybody_has_a_draft_of_their_own(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let one = serde_json::json!({ "app_name": "one" });
    setup::put_draft(&mut conn, "session", &one, at(0)).await.unwrap();
    assert_eq!(setup::draft(&mut conn, "admin mona").await.unwrap(), None);
    assert_eq!(setup::draft(&mut conn, "session").await.unwrap(), Some(one));
    setup::drop_draft(&mut conn, "session").await.unwrap();
    assert_eq!(setup::draft(&mut conn, "session").await.unwrap(), None);
}
