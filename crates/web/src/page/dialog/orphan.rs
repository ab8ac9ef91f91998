//! The dialog that removes a stack which no stage knows.

use askama::Template;
use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use model::OrphanId;
use serde::Deserialize;
use store::app::App;
use store::orphan::Orphan;

use super::super::build::to;
use super::super::orphans::tags;
use super::super::view::Time;
use super::super::{Shell, html};
use super::typed;
use crate::api;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_orphan.html")]
struct OrphanPage {
    shell: Shell,
    orphan: View,
}

struct View {
    row: String,
    name: String,
    /// The ARN.
    id: String,
    account: String,
    role: String,
    profile: String,
    region: String,
    tags: String,
    why: String,
    status: String,
    kept_because: Option<String>,
    created: Option<Time>,
    seen: Time,
}

impl View {
    fn of(orphan: Orphan, app: &App, now: DateTime<Utc>) -> Result<Self> {
        let profile = app.settings.profiles.get(&orphan.profile).ok_or_else(|| {
            Error::Conflict(format!(
                "{} has no profile {} any more: nobody can remove {} but by hand",
                app.name, orphan.profile, orphan.name
            ))
        })?;
        Ok(Self {
            row: orphan.id.to_string(),
            tags: tags(&orphan),
            account: orphan.account,
            role: profile.role_arn.to_string(),
            profile: format!("{} of {}", orphan.profile, app.name),
            name: orphan.name,
            id: orphan.stack_id,
            region: orphan.region.to_string(),
            why: orphan.why,
            status: orphan.status,
            kept_because: orphan.kept_because,
            created: orphan.stack_created_at.map(|at| Time::new(at, now)),
            seen: Time::new(orphan.last_seen_at, now),
        })
    }
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Html<String>> {
    let now = state.now();
    let id: OrphanId = segment("orphan", &id)?;
    let mut conn = state.db.acquire().await?;
    let orphan = store::orphan::get(&mut conn, id).await?;
    let app = store::app::get(&mut conn, orphan.app_id).await?;
    if let Some(why) = api::orphans::refusal(&mut conn, &orphan, now).await? {
        return Err(Error::Conflict(why));
    }
    drop(conn);
    html(&OrphanPage {
        shell: Shell::new(format!("Delete {}", orphan.name), "system").of(&caller),
        orphan: View::of(orphan, &app, now)?,
    })
}

#[derive(Deserialize)]
pub(in crate::page) struct Filled {
    #[serde(default)]
    confirm: String,
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let known = {
        let mut conn = state.db.acquire().await?;
        store::orphan::get(&mut conn, segment("orphan", &id)?).await?.name
    };
    typed(&known, &filled.confirm)?;
    Ok(to(&api::orphans::remove_orphan(&state, &caller, &id).await?))
}
