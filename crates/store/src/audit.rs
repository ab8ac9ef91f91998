//! Table `audit`: what people did.
//!
//! What always holds: an entry is written in the transaction of what it tells of, so there is no
//! one without the other. Entries are never changed.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use model::permission::Role;
use model::{AppName, StageName};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::token::NewToken;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Deed {
    /// Put an app file into force.
    Apply,
    CreateToken,
    /// Turned a command line away that asked to be let in.
    RefuseToken,
    RevokeToken,
    SignIn,
    SignOut,
    /// Had GitHub asked anew what somebody may.
    CheckRoles,
    /// Started a build by hand.
    Start,
    Cancel,
    Rerun,
    Redeploy,
    Approve,
    Reject,
    /// Let a build through a freeze.
    OverrideFreeze,
    Freeze,
    Unfreeze,
    Rollback,
    Promote,
    Recover,
    Remove,
    /// Gave a preview more time.
    Extend,
    /// Had a stage looked at for drift.
    Drift,
    /// Had the accounts of an app looked through for stacks that no stage knows.
    Sweep,
    /// Removed a stack that no stage knows.
    RemoveOrphan,
    /// Had a webhook delivery processed again.
    Replay,
    /// Had GitHub told at once what was to wait after failed tries.
    Hurry,
    /// Gave the server its identity on GitHub.
    ConnectGithub,
    /// Had a new link to the setup pages printed.
    MakeSetupLink,
    /// Began the setup with the printed link.
    BeginSetup,
    FinishSetup,
    /// Gave an app's badges an address that everybody may open, or another one.
    PublishBadges,
    /// Took that address away.
    HideBadges,
    /// Got credentials of a stage for their own machine.
    Exec,
}

impl Deed {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::CreateToken => "create_token",
            Self::RefuseToken => "refuse_token",
            Self::RevokeToken => "revoke_token",
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::CheckRoles => "check_roles",
            Self::Start => "start",
            Self::Cancel => "cancel",
            Self::Rerun => "rerun",
            Self::Redeploy => "redeploy",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::OverrideFreeze => "override_freeze",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Rollback => "rollback",
            Self::Promote => "promote",
            Self::Recover => "recover",
            Self::Remove => "remove",
            Self::Extend => "extend",
            Self::Drift => "drift",
            Self::Sweep => "sweep",
            Self::RemoveOrphan => "remove_orphan",
            Self::Replay => "replay",
            Self::Hurry => "hurry",
            Self::ConnectGithub => "connect_github",
            Self::MakeSetupLink => "make_setup_link",
            Self::BeginSetup => "begin_setup",
            Self::FinishSetup => "finish_setup",
            Self::PublishBadges => "publish_badges",
            Self::HideBadges => "hide_badges",
            Self::Exec => "exec",
        }
    }
}

/// How somebody came to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Via {
    Api,
    Page,
    /// A command on the server's own machine.
    Command,
    /// A comment on a pull request.
    Comment,
}

impl Via {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Command => "command",
            Self::Comment => "comment",
        }
    }
}

/// Who works on the server's machine.
pub const COMMAND_LINE: &str = "the command line";

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub at: DateTime<Utc>,
    /// The login, the name of the token, or how the server calls whoever had none.
    pub who: String,
    /// There; `None`: somebody who may nothing.
    pub role: Option<Role>,
    pub via: Via,
    /// As the server saw it: of a proxy, where there is one.
    pub from: Option<IpAddr>,
    pub deed: Deed,
    pub app: Option<AppName>,
    pub stage: Option<StageName>,
    pub build: Option<i64>,
    /// What else there is to say, as an object; never a secret.
    pub detail: Value,
}

impl Entry {
    /// Of a command on the server's machine: whoever runs those may do everything.
    pub fn by_command(deed: Deed, detail: Value, at: DateTime<Utc>) -> Self {
        Self {
            at,
            who: COMMAND_LINE.into(),
            role: Some(Role::Admin),
            via: Via::Command,
            from: None,
            deed,
            app: None,
            stage: None,
            build: None,
            detail,
        }
    }

    /// A new token came to be: with its name it may be who approves.
    pub fn token_created(token: &NewToken<'_>, app: Option<&AppName>) -> Self {
        let detail = json!({
            "name": token.name, "role": token.role, "expires_at": token.expires_at,
        });
        let entry = Self::by_command(Deed::CreateToken, detail, token.created_at);
        Self { app: app.cloned(), ..entry }
    }

    /// Somebody had a new way in to the setup pages printed.
    pub fn setup_link_made(at: DateTime<Utc>) -> Self {
        Self::by_command(Deed::MakeSetupLink, Value::Object(Map::new()), at)
    }
}

/// An entry as it lies in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub id: Uuid,
    pub entry: Entry,
}

/// Writes it down. `id` sorts by birth: the log is read by it.
pub async fn record(conn: &mut PgConnection, id: Uuid, entry: &Entry) -> Result<()> {
    sqlx::query(
        "insert into audit (id, at, who, role, via, from_ip, action, app, stage, build, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(entry.at)
    .bind(&entry.who)
    .bind(entry.role.map(Role::as_str))
    .bind(entry.via.as_str())
    .bind(entry.from.map(|address| address.to_string()))
    .bind(entry.deed.as_str())
    .bind(&entry.app)
    .bind(&entry.stage)
    .bind(entry.build)
    .bind(Json(&entry.detail))
    .execute(conn)
    .await?;
    Ok(())
}

/// Whose entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum About {
    /// Of all apps and of none.
    #[default]
    All,
    /// Of these apps.
    Apps(Vec<AppName>),
}

/// Which entries; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub about: About,
    /// Where the page before this one ended.
    pub before: Option<Uuid>,
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: DateTime<Utc>,
    who: String,
    role: Option<Role>,
    via: Via,
    from_ip: Option<String>,
    action: Deed,
    app: Option<AppName>,
    stage: Option<StageName>,
    build: Option<i64>,
    #[sqlx(json)]
    detail: Value,
}

impl TryFrom<Row> for Kept {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let from = row.from_ip.as_deref().map(str::parse).transpose().map_err(|_| {
            Error::Inconsistent { table: "audit", column: "from_ip", id: row.id.to_string() }
        })?;
        Ok(Self {
            id: row.id,
            entry: Entry {
                at: row.at,
                who: row.who,
                role: row.role,
                via: row.via,
                from,
                deed: row.action,
                app: row.app,
                stage: row.stage,
                build: row.build,
                detail: row.detail,
            },
        })
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, at, who, role, via, from_ip, action, app, stage, build, detail from audit ",
            $tail
        )
    };
}

pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Kept>> {
    // of the newest there is: every id is before it
    let before = filter.before.unwrap_or(Uuid::max());
    let rows: Vec<Row> = match &filter.about {
        About::Apps(apps) => {
            let apps: Vec<&str> = apps.iter().map(AppName::as_str).collect();
            sqlx::query_as(select!("where app = any($3) and id < $1 order by id desc limit $2"))
                .bind(before)
                .bind(filter.limit)
                .bind(apps)
                .fetch_all(conn)
                .await?
        }
        About::All => {
            sqlx::query_as(select!("where id < $1 order by id desc limit $2"))
                .bind(before)
                .bind(filter.limit)
                .fetch_all(conn)
                .await?
        }
    };
    rows.into_iter().map(Kept::try_from).collect()
}
