//! Table `app`: registered repositories and what the server decides about them.
//!
//! What always holds: an app's repository and the one in its settings are the same; no two apps
//! share a repository, whatever the case it is written in.

use chrono::{DateTime, Utc};
use model::app::Settings;
use model::{AppId, AppName, BuildId, JobId, RepositoryName};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::error::{Error, Result, met};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct App {
    pub id: AppId,
    pub name: AppName,
    pub repository: RepositoryName,
    /// GitHub's number of the repository, once it was seen.
    pub repository_id: Option<i64>,
    pub installation_id: Option<i64>,
    #[sqlx(json)]
    pub settings: Settings,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select id, name, repository, repository_id, installation_id, settings, created_at, \
             updated_at from app ",
            $tail
        )
    };
}

/// Inserts or updates by name. What GitHub said of the repository is forgotten when it is another
/// one; a repository that another app has is a conflict on `app_repository_key`.
pub async fn put(
    conn: &mut PgConnection,
    id_if_new: AppId,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<AppId> {
    Ok(sqlx::query_scalar(
        "insert into app (id, name, repository, settings, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $5)
         on conflict (name) do update set
             repository = excluded.repository,
             repository_id = case when lower(app.repository) = lower(excluded.repository)
                 then app.repository_id end,
             installation_id = case when lower(app.repository) = lower(excluded.repository)
                 then app.installation_id end,
             settings = excluded.settings,
             updated_at = excluded.updated_at
         returning id",
    )
    .bind(id_if_new)
    .bind(&settings.app)
    .bind(&settings.repository)
    .bind(Json(settings))
    .bind(now)
    .fetch_one(conn)
    .await?)
}

pub async fn find(conn: &mut PgConnection, name: &AppName) -> Result<Option<App>> {
    Ok(sqlx::query_as(select!("where name = $1")).bind(name).fetch_optional(conn).await?)
}

/// The name of the app that a job belongs to.
pub async fn of_job(conn: &mut PgConnection, job: JobId) -> Result<AppName> {
    sqlx::query_scalar(
        "select a.name from job j join build b on b.id = j.build_id join app a on a.id = b.app_id
         where j.id = $1",
    )
    .bind(job)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::NotFound { what: format!("job {job}") })
}

/// The name of the app that a build belongs to.
pub async fn of_build(conn: &mut PgConnection, build: BuildId) -> Result<AppName> {
    sqlx::query_scalar("select a.name from build b join app a on a.id = b.app_id where b.id = $1")
        .bind(build)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::NotFound { what: format!("build {build}") })
}

pub async fn find_by_repository(
    conn: &mut PgConnection,
    repository: &RepositoryName,
) -> Result<Option<App>> {
    Ok(sqlx::query_as(select!("where lower(repository) = lower($1)"))
        .bind(repository)
        .fetch_optional(conn)
        .await?)
}

pub async fn find_by_repository_id(
    conn: &mut PgConnection,
    repository_id: i64,
) -> Result<Option<App>> {
    Ok(sqlx::query_as(select!("where repository_id = $1 order by id limit 1"))
        .bind(repository_id)
        .fetch_optional(conn)
        .await?)
}

pub async fn get(conn: &mut PgConnection, id: AppId) -> Result<App> {
    sqlx::query_as(select!("where id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("app {id}")))
}

pub async fn list(conn: &mut PgConnection) -> Result<Vec<App>> {
    Ok(sqlx::query_as(select!("order by name")).fetch_all(conn).await?)
}

/// Takes the next number of the app. Numbers have no gaps if the caller inserts the build in the
/// same transaction.
pub async fn next_build_number(conn: &mut PgConnection, id: AppId) -> Result<i64> {
    sqlx::query_scalar(
        "update app set last_build_number = last_build_number + 1 where id = $1
         returning last_build_number",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found(format!("app {id}")))
}

/// GitHub says what the repository is called now (it was renamed), and its number if known.
pub async fn set_repository(
    conn: &mut PgConnection,
    id: AppId,
    repository: &RepositoryName,
    repository_id: Option<i64>,
) -> Result<()> {
    let known_as: Option<RepositoryName> =
        sqlx::query_scalar("select repository from app where id = $1")
            .bind(id)
            .fetch_optional(&mut *conn)
            .await?;
    if let Some(known_as) = known_as.filter(|known_as| known_as != repository) {
        crate::outbox::rename(conn, &known_as, repository).await?;
    }
    let done = sqlx::query(
        "update app set repository = $2, repository_id = coalesce($3, repository_id),
             settings = jsonb_set(settings, '{repository}', to_jsonb($2::text))
         where id = $1",
    )
    .bind(id)
    .bind(repository)
    .bind(repository_id)
    .execute(conn)
    .await?;
    met(&done, || format!("app {id}"))
}

/// The GitHub App was installed on a repository or taken from it. A repository that no app has is
/// nothing to remember: installations often cover more than what is registered.
pub async fn set_installation(
    conn: &mut PgConnection,
    repository: &RepositoryName,
    installation_id: Option<i64>,
) -> Result<()> {
    sqlx::query("update app set installation_id = $2 where lower(repository) = lower($1)")
        .bind(repository)
        .bind(installation_id)
        .execute(conn)
        .await?;
    Ok(())
}
