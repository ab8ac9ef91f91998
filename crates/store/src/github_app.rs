//! Table `github_app`: as whom the server speaks to GitHub, when the setup pages have made it so: a
//! GitHub App or a plain token.
//!
//! What always holds: there is one row or none; its secrets open only as those of this row. A new
//! identity takes the old one's place whole, with an id of its own.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::vault::Vault;

/// An identity with its secrets.
#[derive(Debug, Clone)]
pub enum Identity {
    App(AppIdentity),
    Token {
        token: SecretString,
        /// What the webhooks of the repositories are signed with.
        webhook_secret: SecretString,
    },
}

#[derive(Debug, Clone)]
pub struct AppIdentity {
    pub app_id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its page on GitHub.
    pub html_url: String,
    /// The user or organization that it belongs to.
    pub owner: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub webhook_secret: Option<SecretString>,
    pub private_key_pem: SecretString,
}

/// What is sealed. It lives no longer than a call, and never prints.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Secrets {
    App { client_secret: String, webhook_secret: Option<String>, private_key_pem: String },
    Token { token: String, webhook_secret: String },
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    app_id: Option<i64>,
    slug: Option<String>,
    html_url: Option<String>,
    owner: Option<String>,
    client_id: Option<String>,
    key_id: String,
    ciphertext: Vec<u8>,
}

fn context(id: Uuid) -> Vec<u8> {
    format!("github_app/{id}").into_bytes()
}

/// Keeps the identity, in the place of any other.
pub async fn put(
    conn: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    identity: &Identity,
    now: DateTime<Utc>,
) -> Result<()> {
    let text = |secret: &SecretString| secret.expose_secret().to_owned();
    let (app, secrets) = match identity {
        Identity::App(app) => {
            let secrets = Secrets::App {
                client_secret: text(&app.client_secret),
                webhook_secret: app.webhook_secret.as_ref().map(text),
                private_key_pem: text(&app.private_key_pem),
            };
            (Some(app), secrets)
        }
        Identity::Token { token, webhook_secret } => {
            let secrets =
                Secrets::Token { token: text(token), webhook_secret: text(webhook_secret) };
            (None, secrets)
        }
    };
    let plain = serde_json::to_vec(&secrets)
        .map_err(|error| Error::NotAllowed(format!("the secrets cannot be written: {error}")))?;
    let sealed = vault.seal(&plain, &context(id))?;
    let app_id = app.map(|app| i64::try_from(app.app_id)).transpose();
    let app_id =
        app_id.map_err(|_| Error::NotAllowed("GitHub's number of the App is too large".into()))?;
    sqlx::query(
        "insert into github_app
             (id, app_id, slug, html_url, owner, client_id, key_id, ciphertext, made_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (one) do update set id = excluded.id, app_id = excluded.app_id,
             slug = excluded.slug, html_url = excluded.html_url, owner = excluded.owner,
             client_id = excluded.client_id, key_id = excluded.key_id,
             ciphertext = excluded.ciphertext, made_at = excluded.made_at",
    )
    .bind(id)
    .bind(app_id)
    .bind(app.map(|app| &app.slug))
    .bind(app.map(|app| &app.html_url))
    .bind(app.map(|app| &app.owner))
    .bind(app.map(|app| &app.client_id))
    .bind(sealed.key_id)
    .bind(sealed.ciphertext)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Which identity is kept, by the id of its row: another one, another id.
pub async fn version(conn: &mut PgConnection) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar("select id from github_app").fetch_optional(conn).await?)
}

/// The identity that is kept.
pub async fn find(conn: &mut PgConnection, vault: &Vault) -> Result<Option<Identity>> {
    let row: Option<Row> = sqlx::query_as(
        "select id, app_id, slug, html_url, owner, client_id, key_id, ciphertext from github_app",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| opened(vault, row)).transpose()
}

fn opened(vault: &Vault, row: Row) -> Result<Identity> {
    let id = row.id;
    let impossible =
        |column| move || Error::Inconsistent { table: "github_app", column, id: id.to_string() };
    let plain = vault.open_bytes(&row.key_id, &row.ciphertext, &context(id))?;
    let secrets: Secrets =
        serde_json::from_slice(&plain).map_err(|_| impossible("ciphertext")())?;
    match secrets {
        Secrets::App { client_secret, webhook_secret, private_key_pem } => {
            Ok(Identity::App(AppIdentity {
                app_id: row
                    .app_id
                    .and_then(|number| u64::try_from(number).ok())
                    .ok_or_else(impossible("app_id"))?,
                slug: row.slug.ok_or_else(impossible("slug"))?,
                html_url: row.html_url.ok_or_else(impossible("html_url"))?,
                owner: row.owner.ok_or_else(impossible("owner"))?,
                client_id: row.client_id.ok_or_else(impossible("client_id"))?,
                client_secret: client_secret.into(),
                webhook_secret: webhook_secret.map(SecretString::from),
                private_key_pem: private_key_pem.into(),
            }))
        }
        Secrets::Token { token, webhook_secret } => {
            Ok(Identity::Token { token: token.into(), webhook_secret: webhook_secret.into() })
        }
    }
}
