//! Tables `person`, `person_role` and `person_team`: who signed in with GitHub, and what they were
//! found to may.
//!
//! What always holds: a person is GitHub's number; of one login there is one person, and whoever
//! had it before is called otherwise until GitHub says how. What was found out counts for
//! [`COUNTS_FOR`] after the look: a GitHub that does not answer leaves nobody with rights for ever.
//! One asks GitHub at a time, because whoever begins puts the next look off ([`claim_check`]).
//!
//! After a crash in the middle of a look: the next request after [`AGAIN_AFTER`] looks again.

use chrono::{DateTime, TimeDelta, Utc};
use model::people::Known;
use model::permission::{Rights, Role};
use model::{AppId, AppName, Login, PersonId, TeamName};
use sqlx::PgConnection;

use crate::error::{Result, met};

/// A look this old is repeated at the next request.
pub const FRESH_FOR: TimeDelta = TimeDelta::minutes(10);
/// What a look found holds this long if GitHub cannot be asked again.
pub const COUNTS_FOR: TimeDelta = TimeDelta::hours(1);
/// When a look that failed is tried again.
pub const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Person {
    pub id: PersonId,
    pub github_id: i64,
    pub login: Login,
    pub name: Option<String>,
    /// A role in the whole server that this server gave by itself.
    pub granted: Option<Role>,
    pub created_at: DateTime<Utc>,
    pub signed_in_at: DateTime<Utc>,
    pub checked_at: Option<DateTime<Utc>>,
    pub next_check_at: DateTime<Utc>,
    pub trouble: Option<String>,
}

/// One role of somebody, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Held {
    pub person_id: PersonId,
    /// `None`: in the whole server.
    pub app: Option<AppName>,
    pub role: Role,
    pub source: String,
    pub checked_at: DateTime<Utc>,
}

/// What one look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub login: Option<Login>,
    pub server: Look<FoundRole>,
    pub apps: Vec<(AppId, Look<FoundRole>)>,
    pub teams: Vec<(TeamName, Look<()>)>,
    pub trouble: Option<Trouble>,
}

/// Why something could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub why: String,
    /// It may be over soon.
    pub passes: bool,
}

/// What came of asking GitHub for one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Look<T> {
    #[default]
    Nothing,
    Found(T),
    /// It could not be asked: what was known goes on for a while.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRole {
    pub role: Role,
    pub source: String,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, github_id, login, name, granted, created_at, signed_in_at, checked_at,
                 next_check_at, trouble
             from person ",
            $tail
        )
    };
}

/// Somebody came back from GitHub: a new person, or one that is known by the number.
pub async fn signed_in(
    conn: &mut PgConnection,
    id_if_new: PersonId,
    github_id: i64,
    login: &Login,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Person> {
    free_login(conn, github_id, login).await?;
    let id: PersonId = sqlx::query_scalar(
        "insert into person
             (id, github_id, login, name, created_at, signed_in_at, next_check_at)
         values ($1, $2, $3, $4, $5, $5, $5)
         on conflict (github_id) do update set
             login = excluded.login, name = excluded.name, signed_in_at = excluded.signed_in_at
         returning id",
    )
    .bind(id_if_new)
    .bind(github_id)
    .bind(login)
    .bind(name)
    .bind(now)
    .fetch_one(&mut *conn)
    .await?;
    Ok(sqlx::query_as(select!("where id = $1")).bind(id).fetch_one(conn).await?)
}

/// The login belongs to this account now: whoever had it was renamed, and is asked for soon.
async fn free_login(conn: &mut PgConnection, github_id: i64, login: &Login) -> Result<()> {
    sqlx::query(
        "update person set login = 'renamed_' || github_id, next_check_at = created_at
         where lower(login) = lower($2) and github_id <> $1",
    )
    .bind(github_id)
    .bind(login)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn find(conn: &mut PgConnection, id: PersonId) -> Result<Option<Person>> {
    Ok(sqlx::query_as(select!("where id = $1")).bind(id).fetch_optional(conn).await?)
}

/// By GitHub's number of the account: whoever has signed in with it.
pub async fn find_by_github_id(conn: &mut PgConnection, id: i64) -> Result<Option<Person>> {
    Ok(sqlx::query_as(select!("where github_id = $1")).bind(id).fetch_optional(conn).await?)
}

/// By login, in order.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Person>> {
    Ok(sqlx::query_as(select!("order by lower(login)")).fetch_all(conn).await?)
}

/// Gives somebody a role in the whole server beside what GitHub says, or takes it back: for whoever
/// sets a server up, before its configuration names anybody.
pub async fn grant(conn: &mut PgConnection, id: PersonId, role: Option<Role>) -> Result<()> {
    let done = sqlx::query("update person set granted = $2 where id = $1")
        .bind(id)
        .bind(role.map(Role::as_str))
        .execute(conn)
        .await?;
    met(&done, || format!("person {id}"))
}

/// Takes it upon the caller to ask GitHub, if that is due and nobody else does.
pub async fn claim_check(
    conn: &mut PgConnection,
    id: PersonId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done =
        sqlx::query("update person set next_check_at = $3 where id = $1 and next_check_at <= $2")
            .bind(id)
            .bind(now)
            .bind(now + AGAIN_AFTER)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts into force what a look found. What could not be looked at stays as it was found last.
pub async fn keep(
    conn: &mut PgConnection,
    person: &Person,
    found: &Found,
    now: DateTime<Utc>,
) -> Result<()> {
    if let Some(login) = &found.login {
        free_login(conn, person.github_id, login).await?;
        sqlx::query("update person set login = $2 where id = $1")
            .bind(person.id)
            .bind(login)
            .execute(&mut *conn)
            .await?;
    }
    keep_roles(conn, person.id, found, now).await?;
    keep_teams(conn, person.id, found, now).await?;
    let soon = found.trouble.as_ref().is_some_and(|trouble| trouble.passes);
    let next = now + if soon { AGAIN_AFTER } else { FRESH_FOR };
    let done = sqlx::query(
        "update person set checked_at = case when $3::text is null then $2 else checked_at end,
             next_check_at = $4, trouble = $3
         where id = $1",
    )
    .bind(person.id)
    .bind(now)
    .bind(found.trouble.as_ref().map(|trouble| trouble.why.as_str()))
    .bind(next)
    .execute(conn)
    .await?;
    met(&done, || format!("person {}", person.id))
}

async fn keep_roles(
    conn: &mut PgConnection,
    id: PersonId,
    found: &Found,
    now: DateTime<Utc>,
) -> Result<()> {
    let unknown: Vec<AppId> =
        found.apps.iter().filter(|(_, look)| *look == Look::Unknown).map(|(app, _)| *app).collect();
    sqlx::query(
        "delete from person_role where person_id = $1
             and case when app_id is null then not $2 else app_id <> all($3) end",
    )
    .bind(id)
    .bind(found.server == Look::Unknown)
    .bind(unknown.iter().map(|app| app.0).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    let apps = found.apps.iter().map(|(app, look)| (Some(*app), look));
    for (app, look) in std::iter::once((None, &found.server)).chain(apps) {
        let role = match look {
            Look::Found(role) => role,
            Look::Nothing | Look::Unknown => continue,
        };
        // an app that was removed meanwhile is no mistake
        sqlx::query(
            "insert into person_role (person_id, app_id, role, source, checked_at)
             select $1, $2, $3, $4, $5 where $2::uuid is null or exists
                 (select from app where id = $2)
             on conflict on constraint person_role_key do update set
                 role = excluded.role, source = excluded.source, checked_at = excluded.checked_at",
        )
        .bind(id)
        .bind(app)
        .bind(role.role.as_str())
        .bind(&role.source)
        .bind(now)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

async fn keep_teams(
    conn: &mut PgConnection,
    id: PersonId,
    found: &Found,
    now: DateTime<Utc>,
) -> Result<()> {
    let of = |wanted: &Look<()>| -> Vec<String> {
        let teams = found.teams.iter().filter(|(_, look)| look == wanted);
        teams.map(|(team, _)| team.key()).collect()
    };
    sqlx::query("delete from person_team where person_id = $1 and team <> all($2)")
        .bind(id)
        .bind(of(&Look::Unknown))
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into person_team (person_id, team, checked_at)
         select $1, team, $3 from unnest($2::text[]) team
         on conflict (person_id, team) do update set checked_at = excluded.checked_at",
    )
    .bind(id)
    .bind(of(&Look::Found(())))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// What somebody may now, and by what settings name them.
pub async fn standing(
    conn: &mut PgConnection,
    person: &Person,
    now: DateTime<Utc>,
) -> Result<(Rights, Known)> {
    let since = now - COUNTS_FOR;
    let held: Vec<(Option<AppName>, Role)> = sqlx::query_as(
        "select a.name, r.role from person_role r left join app a on a.id = r.app_id
         where r.person_id = $1 and r.checked_at > $2",
    )
    .bind(person.id)
    .bind(since)
    .fetch_all(&mut *conn)
    .await?;
    let teams: Vec<TeamName> =
        sqlx::query_scalar("select team from person_team where person_id = $1 and checked_at > $2")
            .bind(person.id)
            .bind(since)
            .fetch_all(&mut *conn)
            .await?;
    let granted = person.granted.map(Rights::everywhere).unwrap_or_default();
    let rights = held.into_iter().fold(granted, |rights, (app, role)| {
        rights.and(match app {
            Some(app) => Rights::in_apps([(app, role)]),
            None => Rights::everywhere(role),
        })
    });
    // a token's name is the token's: nobody becomes it by taking that name on GitHub
    let taken = crate::token::is_name_taken(conn, person.login.as_str()).await?;
    let login = Some(person.login.clone()).filter(|_| !taken);
    Ok((rights, Known::Person { login, teams }))
}

/// Every role that was found, of everybody.
pub async fn roles(conn: &mut PgConnection) -> Result<Vec<Held>> {
    Ok(sqlx::query_as(
        "select r.person_id, a.name as app, r.role, r.source, r.checked_at
         from person_role r left join app a on a.id = r.app_id
         order by r.person_id, a.name nulls first",
    )
    .fetch_all(conn)
    .await?)
}

/// Who has a role in the whole server: for those who have none to ask.
pub async fn server_admins(conn: &mut PgConnection) -> Result<Vec<Login>> {
    Ok(sqlx::query_scalar(
        "select p.login from person p
         where p.granted = 'admin' or exists (select from person_role r
             where r.person_id = p.id and r.app_id is null and r.role = 'admin')
         order by lower(p.login)",
    )
    .fetch_all(conn)
    .await?)
}

/// The roles that were found of one.
pub async fn roles_of(conn: &mut PgConnection, id: PersonId) -> Result<Vec<Held>> {
    Ok(sqlx::query_as(
        "select r.person_id, a.name as app, r.role, r.source, r.checked_at
         from person_role r left join app a on a.id = r.app_id
         where r.person_id = $1 order by a.name nulls first",
    )
    .bind(id)
    .fetch_all(conn)
    .await?)
}

/// Whether somebody who signed in is called so.
pub async fn is_login(conn: &mut PgConnection, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("select exists (select from person where lower(login) = lower($1))")
        .bind(name)
        .fetch_one(conn)
        .await?)
}
