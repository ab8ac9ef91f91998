//! Table `secret`: secret parameters of an app's profiles, encrypted.
//!
//! What always holds: a value opens only with the row it was sealed for; no function of this file
//! but [`open`] gives a value back, and that in a type which does not print.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::{AppId, ParameterKey, ProfileName};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::vault::{Sealed, Vault};

fn context(id: Uuid, app: AppId, profile: &ProfileName, key: &ParameterKey) -> Vec<u8> {
    format!("secret/{id}/{app}/{profile}/{key}").into_bytes()
}

/// Inserts or replaces the value of `(app, profile, key)`. A replaced row takes the new id, to
/// which the new ciphertext is bound.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn put(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    app: AppId,
    profile: &ProfileName,
    key: &ParameterKey,
    value: &SecretString,
    now: DateTime<Utc>,
) -> Result<()> {
    let sealed = vault.seal(value.expose_secret().as_bytes(), &context(id, app, profile, key))?;
    sqlx::query(
        "insert into secret (id, app_id, profile, key, key_id, ciphertext, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint secret_place_key do update set id = excluded.id,
             key_id = excluded.key_id, ciphertext = excluded.ciphertext,
             updated_at = excluded.updated_at",
    )
    .bind(id)
    .bind(app)
    .bind(profile)
    .bind(key)
    .bind(sealed.key_id)
    .bind(sealed.ciphertext)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the secrets of the app that are not in `keep`.
pub async fn retain(
    conn: &mut PgConnection,
    app: AppId,
    keep: &[(ProfileName, ParameterKey)],
) -> Result<()> {
    let (profiles, keys): (Vec<&str>, Vec<&str>) =
        keep.iter().map(|(profile, key)| (profile.as_str(), key.as_str())).unzip();
    sqlx::query(
        "delete from secret where app_id = $1
         and (profile, key) not in (select * from unnest($2::text[], $3::text[]))",
    )
    .bind(app)
    .bind(profiles)
    .bind(keys)
    .execute(conn)
    .await?;
    Ok(())
}

/// The secrets of a profile, decrypted.
pub async fn open(
    conn: &mut PgConnection,
    vault: &Vault,
    app: AppId,
    profile: &ProfileName,
) -> Result<BTreeMap<ParameterKey, SecretString>> {
    let rows: Vec<(Uuid, ParameterKey, String, Vec<u8>)> = sqlx::query_as(
        "select id, key, key_id, ciphertext from secret where app_id = $1 and profile = $2",
    )
    .bind(app)
    .bind(profile)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, key, key_id, ciphertext)| {
            let plain =
                vault.open(&Sealed { key_id, ciphertext }, &context(id, app, profile, &key))?;
            let value = String::from_utf8(plain).map_err(|_| Error::Inconsistent {
                table: "secret",
                column: "ciphertext",
                id: id.to_string(),
            })?;
            Ok((key, SecretString::from(value)))
        })
        .collect()
}

/// Which secrets the app has, without their values.
pub async fn keys(
    conn: &mut PgConnection,
    app: AppId,
) -> Result<BTreeSet<(ProfileName, ParameterKey)>> {
    let rows: Vec<(ProfileName, ParameterKey)> =
        sqlx::query_as("select profile, key from secret where app_id = $1")
            .bind(app)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().collect())
}
