//! `greenroom token create`: makes a bearer token of the API, beside a running server or without
//! one. The token is shown this once: the database holds its hash alone.

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use model::TokenId;
use model::permission::Role;
use secrecy::ExposeSecret;
use store::audit::Entry;

use crate::clock;
use crate::config::Config;
use crate::open;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token and print it, alone, on standard output
    Create {
        /// What it is for; shown in lists, unique
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long)]
        role: TokenRole,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum TokenRole {
    /// Everything, settings too
    Admin,
    /// Start, cancel and rerun builds, remove previews
    Deployer,
    /// Read
    Viewer,
    /// A worker process: claim and report jobs
    Worker,
}

impl From<TokenRole> for Role {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Admin => Self::Admin,
            TokenRole::Deployer => Self::Deployer,
            TokenRole::Viewer => Self::Viewer,
            TokenRole::Worker => Self::Worker,
        }
    }
}

pub(crate) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Create { name, role } = command;
    let data_dir = open::data_dir(config)?;
    let opened = open::database(config, &data_dir).await?;
    let token = store::token::generate();
    let inserted = insert(&opened.db, &name, role.into(), &token).await;
    opened.close().await?;
    match inserted {
        Ok(()) => {
            print(&token);
            Ok(())
        }
        Err(error) if error.constraint() == Some("token_name_key") => {
            bail!("a token named {name:?} exists; choose another --name")
        }
        Err(error) => Err(error.into()),
    }
}

/// The token, and that there came to be one.
async fn insert(
    db: &store::Database,
    name: &str,
    role: Role,
    token: &secrecy::SecretString,
) -> store::Result<()> {
    let (id, now) = (TokenId(clock::new_id()), clock::now());
    let hash = store::token::hash(token.expose_secret());
    let mut tx = db.begin().await?;
    store::token::insert(&mut tx, id, name, role, &hash, now).await?;
    let entry = Entry::token_created(name, role, now);
    store::audit::record(&mut tx, clock::new_id(), &entry).await?;
    Ok(tx.commit().await?)
}

#[expect(clippy::print_stdout, reason = "the token is the command's answer")]
fn print(token: &secrecy::SecretString) {
    println!("{}", token.expose_secret());
}
