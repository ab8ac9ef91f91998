//! The identity that the setup pages have kept, taken into use: at a start, when it is made, and
//! when another process of this server has made it.

use std::time::Duration;

use github::{Auth, Connection, Origin};
use store::Database;
use store::github_app::{self, Identity};
use store::vault::Vault;
use tokio::time::sleep;
use uuid::Uuid;

/// Processes beside the one that made it find it within this time.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Why there is no identity though one is kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(
        "the identity on GitHub that the setup pages have kept cannot be used ({0}): make another \
         one there (`greenroom setup-link` prints the way)"
    )]
    Unusable(#[from] github::ConfigError),
}

/// Takes what is kept, if anything is, unless the configuration names an identity.
pub async fn take(
    db: &Database,
    vault: &Vault,
    connection: &Connection,
) -> Result<Option<Uuid>, IdentityError> {
    match connection.origin() {
        Origin::Configuration => return Ok(None),
        Origin::Setup => {}
    }
    let mut conn = db.acquire().await?;
    let version = github_app::version(&mut conn).await?;
    let Some(kept) = github_app::find(&mut conn, vault).await? else { return Ok(None) };
    drop(conn);
    connection.set(usable(connection, kept)?);
    Ok(version)
}

/// Takes what is kept anew whenever it is another. Never ends.
pub async fn follow(db: Database, vault: Vault, connection: Connection) {
    let mut taken = None;
    loop {
        let kept = match db.acquire().await {
            Ok(mut conn) => github_app::version(&mut conn).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(kept) if kept != taken => match take(&db, &vault, &connection).await {
                Ok(version) => taken = version,
                Err(error) => {
                    tracing::error!(%error, "the identity on GitHub was not taken");
                    // the same again would say the same again
                    taken = kept;
                }
            },
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the identity on GitHub was not looked up"),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The identity as the parts of the process use it.
pub(crate) fn usable(
    connection: &Connection,
    kept: Identity,
) -> Result<github::Identity, github::ConfigError> {
    Ok(match kept {
        Identity::App(app) => github::Identity {
            github: connection
                .client(Auth::App { app_id: app.app_id, private_key_pem: app.private_key_pem })?,
            webhook_secret: app.webhook_secret,
            app: Some(github::AppIdentity {
                slug: app.slug,
                html_url: app.html_url,
                client_id: app.client_id,
                client_secret: app.client_secret,
            }),
        },
        Identity::Token { token, webhook_secret } => github::Identity {
            github: connection.client(Auth::Token(token))?,
            webhook_secret: Some(webhook_secret),
            app: None,
        },
    })
}
