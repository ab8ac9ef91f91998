//! As whom the server speaks to GitHub: as the configuration says, else as the setup pages have
//! kept it, else as nobody until somebody follows the link that is printed at the start.

use anyhow::Context;
use secrecy::ExposeSecret;
use store::setup::Progress;
use store::vault::Vault;

use crate::clock::Clock;
use crate::command::setup_link;
use crate::config::{Config, Identity};

/// The place of the identity, with what is known of it now.
pub(crate) async fn connect(
    config: &Config,
    clock: Clock,
    db: &store::Database,
    vault: &Vault,
) -> anyhow::Result<github::Connection> {
    let api_url = config.github.api_url.as_deref().unwrap_or("https://api.github.com");
    let auth = match &config.github.identity {
        None => {
            let connection = github::Connection::open(api_url, clock);
            // an identity that cannot be used must not keep the server from being set up anew
            if let Err(error) = web::identity::take(db, vault, &connection).await {
                tracing::error!(%error, "there is no identity on GitHub");
            }
            return Ok(connection);
        }
        Some(Identity::Token(token)) => github::Auth::Token(token.clone()),
        Some(Identity::App { app_id, private_key_file }) => {
            let pem = std::fs::read_to_string(private_key_file).with_context(|| {
                format!("github.private_key_file: cannot read {}", private_key_file.display())
            })?;
            github::Auth::App { app_id: *app_id, private_key_pem: pem.into() }
        }
    };
    let github = github::GitHub::new(api_url, auth, clock.clone())?;
    Ok(github::Connection::configured(api_url, clock, github))
}

/// At the first start prints the way to the setup pages; later says what is missing.
pub(crate) async fn invite(config: &Config, db: &store::Database) -> anyhow::Result<()> {
    let configured = config.github.identity.is_some();
    let progress = {
        let mut conn = db.acquire().await?;
        store::setup::progress(&mut conn, configured).await?
    };
    match progress {
        Progress::New => print(setup_link::new_link(db, config).await?.expose_secret()),
        Progress::Begun => tracing::info!(
            "the setup was begun and is not finished; `greenroom setup-link` prints a new link to it"
        ),
        Progress::Done => {}
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the link must not be in a log that others read")]
fn print(link: &str) {
    println!("Set up this server: {link}");
}
