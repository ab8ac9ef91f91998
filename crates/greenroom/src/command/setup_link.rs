//! `greenroom setup-link`: prints a new link to the setup pages, beside a running server or without
//! one. Whoever runs it is admin of the machine, and so of the server; links before it end.

use secrecy::{ExposeSecret, SecretString};
use store::audit::Entry;

use crate::clock;
use crate::config::Config;
use crate::open;

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let data_dir = open::data_dir(config)?;
    let opened = open::database(config, &data_dir).await?;
    let made = fresh(&opened.db, config).await;
    opened.close().await?;
    print(made?.expose_secret());
    Ok(())
}

async fn fresh(db: &store::Database, config: &Config) -> anyhow::Result<SecretString> {
    let link = new_link(db, config).await?;
    let mut conn = db.acquire().await?;
    let entry = Entry::setup_link_made(clock::now());
    store::audit::record(&mut conn, clock::new_id(), &entry).await?;
    Ok(link)
}

/// The address of a new link.
pub(crate) async fn new_link(
    db: &store::Database,
    config: &Config,
) -> anyhow::Result<SecretString> {
    let key = store::setup::key();
    let mut tx = db.begin().await?;
    store::setup::put_link(&mut tx, key.expose_secret(), clock::now()).await?;
    tx.commit().await?;
    Ok(format!("{}/setup?key={}", config.public_url, key.expose_secret()).into())
}

#[expect(clippy::print_stdout, reason = "the link is the command's answer")]
fn print(link: &str) {
    println!("{link}");
}
