//! Table `secret`: secret parameters of an app's profiles and stages, and secrets of those who are
//! told of what happens, encrypted.
//!
//! What always holds: a value opens only with the row it was sealed for, and so only as a secret of
//! its own app, place and key; no function of this file but [`open`] and [`all`] gives a value
//! back, and they in a type which does not print.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::app::{SecretPlace, SecretTimes, StageParameter, Value};
use model::{AppId, ParameterKey, ProfileName, ReceiverName, StageName};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::vault::Vault;

/// Secrets by their places and keys.
pub type Secrets = BTreeMap<(SecretPlace, ParameterKey), SecretString>;

fn context(id: Uuid, app: AppId, place: &SecretPlace, key: &ParameterKey) -> Vec<u8> {
    format!("secret/{id}/{app}/{place}/{key}").into_bytes()
}

/// The columns that say whose a secret is.
#[derive(Default)]
struct Columns<'a> {
    profile: Option<&'a str>,
    stage: Option<&'a str>,
    receiver: Option<&'a str>,
}

fn columns(place: &SecretPlace) -> Columns<'_> {
    match place {
        SecretPlace::Profile(name) => {
            Columns { profile: Some(name.as_str()), ..Columns::default() }
        }
        SecretPlace::Stage(name) => Columns { stage: Some(name.as_str()), ..Columns::default() },
        SecretPlace::Receiver(name) => {
            Columns { receiver: Some(name.as_str()), ..Columns::default() }
        }
    }
}

fn place(row: &Row) -> Result<SecretPlace> {
    match (&row.profile, &row.stage, &row.receiver) {
        (Some(profile), None, None) => Ok(SecretPlace::Profile(profile.clone())),
        (None, Some(stage), None) => Ok(SecretPlace::Stage(stage.clone())),
        (None, None, Some(receiver)) => Ok(SecretPlace::Receiver(receiver.clone())),
        (Some(_), Some(_), _)
        | (Some(_), _, Some(_))
        | (_, Some(_), Some(_))
        | (None, None, None) => {
            Err(Error::Inconsistent { table: "secret", column: "profile", id: row.id.to_string() })
        }
    }
}

/// Inserts or replaces the value of a place's key. A replaced row takes the new id, to which the
/// new ciphertext is bound.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn put(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    app: AppId,
    place: &SecretPlace,
    key: &ParameterKey,
    value: &SecretString,
    now: DateTime<Utc>,
) -> Result<()> {
    let sealed = vault.seal(value.expose_secret().as_bytes(), &context(id, app, place, key))?;
    let Columns { profile, stage, receiver } = columns(place);
    sqlx::query(
        "insert into secret (id, app_id, profile, stage, receiver, key, key_id, ciphertext,
             updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict on constraint secret_place_key do update set id = excluded.id,
             key_id = excluded.key_id, ciphertext = excluded.ciphertext,
             updated_at = excluded.updated_at",
    )
    .bind(id)
    .bind(app)
    .bind(profile)
    .bind(stage)
    .bind(receiver)
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
    keep: &[(SecretPlace, ParameterKey)],
) -> Result<()> {
    let places: Vec<Columns<'_>> = keep.iter().map(|(place, _)| columns(place)).collect();
    let keys: Vec<&str> = keep.iter().map(|(_, key)| key.as_str()).collect();
    sqlx::query(
        "delete from secret s where app_id = $1 and not exists (
             select 1 from unnest($2::text[], $3::text[], $4::text[], $5::text[])
                 as keep(profile, stage, receiver, key)
             where keep.profile is not distinct from s.profile
                 and keep.stage is not distinct from s.stage
                 and keep.receiver is not distinct from s.receiver and keep.key = s.key)",
    )
    .bind(app)
    .bind(places.iter().map(|place| place.profile).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.stage).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.receiver).collect::<Vec<_>>())
    .bind(keys)
    .execute(conn)
    .await?;
    Ok(())
}

/// The secret ones of a stage's parameters, decrypted: each from the place that counts in the
/// stage. One without a stored value is an error, for a job must not run without it unseen.
pub async fn open(
    conn: &mut PgConnection,
    vault: &Vault,
    app: AppId,
    parameters: &BTreeMap<&ParameterKey, StageParameter<'_>>,
) -> Result<BTreeMap<ParameterKey, SecretString>> {
    let rows = rows(conn, app).await?;
    let mut found = BTreeMap::new();
    for (key, StageParameter { place, value }) in parameters {
        match value {
            Value::Plain(_) | Value::Remote(_) => continue,
            Value::Secret(_) => {}
        }
        let row = rows.get(&(place.clone(), (*key).clone())).ok_or_else(|| {
            Error::not_found(format!("the stored value of the secret {}", place.path(key)))
        })?;
        found.insert((*key).clone(), decrypt(vault, app, place, key, row)?);
    }
    Ok(found)
}

/// Every secret of an app, decrypted: for applying its file.
pub async fn all(conn: &mut PgConnection, vault: &Vault, app: AppId) -> Result<Secrets> {
    let decrypted = |((place, key), row): ((SecretPlace, ParameterKey), Row)| {
        let value = decrypt(vault, app, &place, &key, &row)?;
        Ok(((place, key), value))
    };
    rows(conn, app).await?.into_iter().map(decrypted).collect()
}

/// Which secrets the app has, and when each last got another value.
pub async fn times(conn: &mut PgConnection, app: AppId) -> Result<SecretTimes> {
    Ok(rows(conn, app).await?.into_iter().map(|(place, row)| (place, row.updated_at)).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    profile: Option<ProfileName>,
    stage: Option<StageName>,
    receiver: Option<ReceiverName>,
    key: ParameterKey,
    key_id: String,
    ciphertext: Vec<u8>,
    updated_at: DateTime<Utc>,
}

async fn rows(
    conn: &mut PgConnection,
    app: AppId,
) -> Result<BTreeMap<(SecretPlace, ParameterKey), Row>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, profile, stage, receiver, key, key_id, ciphertext, updated_at from secret
         where app_id = $1",
    )
    .bind(app)
    .fetch_all(conn)
    .await?;
    let placed = |row: Row| Ok(((place(&row)?, row.key.clone()), row));
    rows.into_iter().map(placed).collect()
}

fn decrypt(
    vault: &Vault,
    app: AppId,
    place: &SecretPlace,
    key: &ParameterKey,
    row: &Row,
) -> Result<SecretString> {
    let context = context(row.id, app, place, key);
    let plain = vault.open_bytes(&row.key_id, &row.ciphertext, &context)?;
    let value = String::from_utf8(plain).map_err(|_| Error::Inconsistent {
        table: "secret",
        column: "ciphertext",
        id: row.id.to_string(),
    })?;
    Ok(SecretString::from(value))
}
