//! `greenroom token create`: makes a bearer token of the API, beside a running server or without
//! one. The token is shown this once: the database holds its hash alone.

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use model::app::Lifetime;
use model::permission::Role;
use model::{AppName, TokenId, TokenName};
use secrecy::ExposeSecret;
use store::audit::Entry;
use store::token::NewToken;

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
        /// In this app and nowhere else [default: in the whole server]
        #[arg(long)]
        app: Option<AppName>,
        /// How long it lasts, like 90d or 12h [default: until it is revoked]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
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
    let Command::Create { name, role, app, expires } = command;
    let role = Role::from(role);
    if role == Role::Worker && app.is_some() {
        bail!("a worker serves all apps: leave --app away");
    }
    let wanted = Wanted { name: name.trim().parse()?, role, app, expires };
    let data_dir = open::data_dir(config)?;
    let opened = open::database(config, &data_dir).await?;
    let token = store::token::generate();
    let inserted = insert(&opened.db, &wanted, &token).await;
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

struct Wanted {
    name: TokenName,
    role: Role,
    app: Option<AppName>,
    expires: Option<Lifetime>,
}

/// The token, and that there came to be one.
async fn insert(
    db: &store::Database,
    wanted: &Wanted,
    token: &secrecy::SecretString,
) -> store::Result<()> {
    let (id, now) = (TokenId(clock::new_id()), clock::now());
    let hash = store::token::hash(token.expose_secret());
    let mut tx = db.begin().await?;
    let app = match &wanted.app {
        Some(name) => {
            let found = store::app::find(&mut tx, name).await?;
            let gone = || store::Error::NotFound { what: format!("app {:?}", name.as_str()) };
            Some(found.ok_or_else(gone)?.id)
        }
        None => None,
    };
    let new = NewToken {
        app,
        expires_at: wanted.expires.map(|time| now + time.duration()),
        ..NewToken::new(id, wanted.name.as_str(), wanted.role, &hash, now)
    };
    store::token::insert(&mut tx, &new).await?;
    let entry = Entry::token_created(&new, wanted.app.as_ref());
    store::audit::record(&mut tx, clock::new_id(), &entry).await?;
    Ok(tx.commit().await?)
}

#[expect(clippy::print_stdout, reason = "the token is the command's answer")]
fn print(token: &secrecy::SecretString) {
    println!("{}", token.expose_secret());
}
