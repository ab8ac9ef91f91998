//! Members: who signed in here and what they may where; and a look at GitHub for it, now.
//!
//! What always holds: roles come from GitHub and the configuration and are changed there. An admin
//! of some apps sees who may something in those, and nothing of others.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use chrono::{DateTime, Utc};
use model::permission::{Action, Readable, Role};
use model::{AppName, Login, PersonId};
use serde::Serialize;
use serde_json::json;
use store::audit::Deed;
use store::person::{Held, Person};
use utoipa::ToSchema;

use super::me::{self, Me};
use crate::audit::{self, Did};
use crate::auth::{Caller, Who};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::login::roles;
use crate::openapi::wire;
use crate::state::State;

#[derive(Serialize, ToSchema)]
pub(super) struct Members {
    members: Vec<MemberView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(super) struct MemberView {
    #[schema(value_type = uuid::Uuid)]
    id: PersonId,
    /// On GitHub.
    #[schema(value_type = String)]
    login: Login,
    name: Option<String>,
    roles: Vec<RoleView>,
    signed_in_at: DateTime<Utc>,
    /// When GitHub was asked last.
    checked_at: Option<DateTime<Utc>>,
    /// Why it could not be asked.
    trouble: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HeldRole)]
struct RoleView {
    /// `null`: in the whole server.
    #[schema(value_type = Option<wire::AppName>)]
    app: Option<AppName>,
    #[schema(value_type = wire::Role)]
    role: Role,
    /// Where it comes from.
    source: String,
}

/// A member, and the roles that the caller may see: of the apps that the caller administers.
pub(crate) struct Member {
    pub(crate) person: Person,
    pub(crate) held: Vec<Held>,
}

impl MemberView {
    fn of(Member { person, held }: Member, now: DateTime<Utc>) -> Self {
        let granted = person.granted.map(|role| RoleView {
            app: None,
            role,
            source: "this server, when it was set up".into(),
        });
        let counts = |one: &Held| now - one.checked_at < store::person::COUNTS_FOR;
        let held = held.into_iter().filter(counts).map(|one| RoleView {
            app: one.app,
            role: one.role,
            source: one.source,
        });
        Self {
            id: person.id,
            login: person.login,
            name: person.name,
            roles: granted.into_iter().chain(held).collect(),
            signed_in_at: person.signed_in_at,
            checked_at: person.checked_at,
            trouble: person.trouble,
        }
    }
}

/// Who signed in here, and what they may
///
/// An admin of some apps sees who may something in those.
#[utoipa::path(
    get,
    path = "/members",
    operation_id = "listMembers",
    tag = "people",
    responses((status = 200, description = "The members", body = Members)),
)]
pub(super) async fn list(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Members>> {
    let now = state.now();
    let apps = caller.rights.allowing(Action::Configure);
    let members = seen_by(&state, &caller).await?;
    let members = members.into_iter().map(|member| MemberView::of(member, now));
    let members = members.filter(|view| apps == Readable::All || !view.roles.is_empty());
    Ok(Json(Members { members: members.collect() }))
}

/// Look at GitHub now for what a member may
#[utoipa::path(
    post,
    path = "/members/{id}/check",
    operation_id = "checkMember",
    tag = "people",
    responses((status = 200, description = "The member as found; `trouble` says what was not", body = MemberView)),
)]
pub(super) async fn check(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<MemberView>> {
    let id = check_member(&state, &caller, &id).await?;
    let found = seen_by(&state, &caller).await?;
    let member = found.into_iter().find(|member| member.person.id == id);
    let member = member.ok_or_else(|| Error::NotFound(format!("there is no member {id}")))?;
    Ok(Json(MemberView::of(member, state.now())))
}

/// Look at GitHub now for what the caller may
///
/// Of a token that is nobody's there is nothing to ask.
#[utoipa::path(
    post,
    path = "/account/check",
    operation_id = "checkOwnRoles",
    tag = "people",
    responses((status = 200, description = "The caller as found", body = Me)),
)]
pub(super) async fn check_own(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Me>> {
    if let Who::Person { person, .. } = &caller.who {
        roles::look(&state, person).await?;
    }
    let caller = crate::access::looked_at_now(&state, caller).await?;
    Ok(me::show(Extension(caller)).await)
}

/// All whom the caller may see, those too who hold nothing.
pub(crate) async fn seen_by(state: &State, caller: &Caller) -> Result<Vec<Member>> {
    let mut conn = state.db.acquire().await?;
    let people = store::person::list(&mut conn).await?;
    let held = store::person::roles(&mut conn).await?;
    drop(conn);
    let apps = caller.rights.allowing(Action::Configure);
    let mut by_person: BTreeMap<PersonId, Vec<Held>> = BTreeMap::new();
    for one in held.into_iter().filter(|one| is_of(one, &apps)) {
        by_person.entry(one.person_id).or_default().push(one);
    }
    let with =
        |person: Person| Member { held: by_person.remove(&person.id).unwrap_or_default(), person };
    Ok(people.into_iter().map(with).collect())
}

/// A role in the whole server is one in each app.
fn is_of(held: &Held, apps: &Readable) -> bool {
    held.app.as_ref().is_none_or(|app| apps.includes(app))
}

/// Asks GitHub now what somebody may.
pub(crate) async fn check_member(state: &State, caller: &Caller, id: &str) -> Result<PersonId> {
    let id: PersonId = segment("member", id)?;
    let gone = || Error::NotFound(format!("there is no member {id}"));
    let mut conn = state.db.acquire().await?;
    let person = store::person::find(&mut conn, id).await?.ok_or_else(gone)?;
    let held = store::person::roles_of(&mut conn, id).await?;
    drop(conn);
    let apps = caller.rights.allowing(Action::Configure);
    let is_shown = person.granted.is_some() || held.iter().any(|one| is_of(one, &apps));
    if apps != Readable::All && !is_shown {
        return Err(gone());
    }
    roles::look(state, &person).await?;
    let mut tx = state.db.begin().await?;
    let did = Did::of_server(Deed::CheckRoles).detail(json!({ "person": person.login }));
    audit::record(state, &mut tx, caller, did).await?;
    tx.commit().await.map_err(Error::internal)?;
    Ok(id)
}
