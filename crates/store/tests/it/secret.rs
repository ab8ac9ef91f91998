//! Secrets of profiles and stages.

use std::collections::BTreeSet;

use model::app::{AppFile, SecretPlace, Settings, parse_yaml};
use model::{AppId, ParameterKey, StageName};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};
use store::{Error, app, secret, vault::Vault};
use tempfile::TempDir;

use crate::support::{at, id};

const FILE: &str = "app: workshop
repository: acme/workshop
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/greenroom-deploy
    region: us-east-1
    parameters: { api_key: { secret: }, token: { secret: }, plain_here: { secret: } }
stages:
  dev:
    profile: development
    parameters: { api_key: { secret: }, plain_here: yes-plain, far: { ssm: /far } }
  staging: { profile: development }
";

struct World {
    settings: Settings,
    app: AppId,
    vault: Vault,
    _directory: TempDir,
}

impl World {
    async fn new(conn: &mut PgConnection) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::load_or_create(&directory.path().join("secret.key")).unwrap();
        let AppFile { settings, .. } = parse_yaml(FILE).unwrap();
        let app = app::put(conn, AppId(id()), &settings, at(0)).await.unwrap();
        Self { settings, app, vault, _directory: directory }
    }

    async fn put(
        &self,
        conn: &mut PgConnection,
        place: &SecretPlace,
        key: &str,
        value: &str,
        seconds: i64,
    ) {
        let value = SecretString::from(value);
        let (vault, app, key) = (&self.vault, self.app, parameter(key));
        secret::put(conn, vault, id(), app, place, &key, &value, at(seconds)).await.unwrap();
    }

    /// `key=value` of each secret that the stage sees.
    async fn seen(&self, conn: &mut PgConnection, stage: &str) -> Result<Vec<String>, Error> {
        let stage: StageName = stage.parse().unwrap();
        let parameters = self.settings.parameters_of(&stage);
        let opened = secret::open(conn, &self.vault, self.app, &parameters).await?;
        Ok(opened.iter().map(|(key, value)| format!("{key}={}", value.expose_secret())).collect())
    }
}

fn parameter(text: &str) -> ParameterKey {
    text.parse().unwrap()
}

fn profile() -> SecretPlace {
    SecretPlace::Profile("development".parse().unwrap())
}

fn dev() -> SecretPlace {
    SecretPlace::Stage("dev".parse().unwrap())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_sees_its_profile_s_secrets_and_its_own_before_them(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let world = World::new(&mut conn).await;
    for (place, key, value) in [
        (profile(), "api_key", "of all"),
        (profile(), "token", "old"),
        (profile(), "token", "shared"),
        (profile(), "plain_here", "secret elsewhere"),
        (dev(), "api_key", "of dev"),
    ] {
        world.put(&mut conn, &place, key, value, 0).await;
    }
    // what the stage has in plain, or in AWS, is none of ours
    assert_eq!(world.seen(&mut conn, "dev").await.unwrap(), ["api_key=of dev", "token=shared"]);
    let shared = ["api_key=of all", "plain_here=secret elsewhere", "token=shared"];
    assert_eq!(world.seen(&mut conn, "staging").await.unwrap(), shared);
    assert_eq!(world.seen(&mut conn, "feature-x").await.unwrap(), shared);
    let all = secret::all(&mut conn, &world.vault, world.app).await.unwrap();
    assert_eq!(all[&(dev(), parameter("api_key"))].expose_secret(), "of dev");
    assert_eq!(all.len(), 4);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_opens_in_its_own_row_and_place_only(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let world = World::new(&mut conn).await;
    for (place, key) in [
        (profile(), "api_key"),
        (profile(), "token"),
        (profile(), "plain_here"),
        (dev(), "api_key"),
    ] {
        world.put(&mut conn, &place, key, "hunter2", 0).await;
    }
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select ciphertext from secret").fetch_all(&mut *conn).await.unwrap();
    assert!(stored.iter().all(|bytes| !bytes.windows(7).any(|part| part == b"hunter2")));
    assert!(world.seen(&mut conn, "dev").await.is_ok());

    // a value copied to another row
    sqlx::query(
        "update secret set ciphertext =
             (select ciphertext from secret where key = 'token' and profile is not null)
         where key = 'api_key' and profile is not null",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    assert!(matches!(world.seen(&mut conn, "staging").await, Err(Error::Vault(_))));
    // a row that is moved to another place
    sqlx::query("update secret set stage = 'staging' where stage = 'dev'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let all = secret::all(&mut conn, &world.vault, world.app).await;
    assert!(matches!(all, Err(Error::Vault(_))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_without_a_stored_value_is_an_error_that_names_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let world = World::new(&mut conn).await;
    world.put(&mut conn, &profile(), "token", "shared", 0).await;
    let error = world.seen(&mut conn, "dev").await.unwrap_err();
    let expected = "the stored value of the secret stages.dev.parameters.api_key does not exist";
    assert_eq!(error.to_string(), expected);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn secrets_that_are_not_kept_are_deleted_and_times_are_of_the_last_value(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let world = World::new(&mut conn).await;
    for (place, key, seconds) in [
        (profile(), "api_key", 0),
        (profile(), "token", 0),
        (dev(), "api_key", 1),
        (dev(), "api_key", 7),
    ] {
        world.put(&mut conn, &place, key, "value", seconds).await;
    }
    let times = secret::times(&mut conn, world.app).await.unwrap();
    assert_eq!(times.len(), 3);
    assert_eq!(times[&(profile(), parameter("api_key"))], at(0));
    assert_eq!(times[&(dev(), parameter("api_key"))], at(7));

    let keep = [(dev(), parameter("api_key")), (profile(), parameter("token"))];
    secret::retain(&mut conn, world.app, &keep).await.unwrap();
    let left = secret::times(&mut conn, world.app).await.unwrap();
    let left: BTreeSet<_> = left.into_keys().collect();
    assert_eq!(left, BTreeSet::from(keep));
    secret::retain(&mut conn, world.app, &[]).await.unwrap();
    assert!(secret::times(&mut conn, world.app).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_is_a_profile_s_or_a_stage_s_and_never_both_or_neither(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let world = World::new(&mut conn).await;
    world.put(&mut conn, &profile(), "token", "value", 0).await;
    for wrong in ["update secret set stage = 'dev'", "update secret set profile = null"] {
        let refused = sqlx::query(wrong).execute(&mut *conn).await.unwrap_err();
        assert!(refused.as_database_error().unwrap().is_check_violation(), "{refused}");
    }
}
