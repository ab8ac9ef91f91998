//! Table `orphan`: stacks that say they are Greenroom's and that no open stage knows.
//!
//! What always holds: a row is one stack, by its ARN. It is gone when a sweep of its account and
//! region does not see it, or when a removal has seen it go; it is taken away when a stage turns
//! out to know it. Nothing here removes a stack.

use chrono::{DateTime, TimeDelta, Utc};
use model::deployment::InstanceState;
use model::sweep::{Place, TaggedStack, Why};
use model::{AppId, BuildId, OrphanId, ProfileName, Region};
use sqlx::PgConnection;

use crate::error::{Error, Result, met};

/// How long it is remembered that there was one.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Orphan {
    pub id: OrphanId,
    /// The ARN.
    pub stack_id: String,
    pub name: String,
    pub account: String,
    pub region: Region,
    /// As whom it was seen last, and can be removed.
    pub app_id: AppId,
    pub profile: ProfileName,
    /// What its tags say: texts that anybody may have written.
    pub app: String,
    pub stage: Option<String>,
    pub service: Option<String>,
    pub build_number: Option<i64>,
    /// CloudFormation's own word.
    pub status: String,
    pub stack_created_at: Option<DateTime<Utc>>,
    pub stack_changed_at: Option<DateTime<Utc>>,
    /// Why it is nobody's.
    pub why: String,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub gone_at: Option<DateTime<Utc>>,
    /// The build that was last asked to remove it.
    pub removal_build_id: Option<BuildId>,
    /// Why it is still there after that.
    pub kept_because: Option<String>,
}

impl Orphan {
    /// As the sweep saw it.
    pub fn tagged(&self) -> TaggedStack {
        TaggedStack {
            name: self.name.clone(),
            id: self.stack_id.clone(),
            region: self.region.clone(),
            app: self.app.clone(),
            stage: self.stage.clone(),
            service: self.service.clone(),
            build: self.build_number,
            status: self.status.clone(),
            created_at: self.stack_created_at,
            changed_at: self.stack_changed_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    known_app: bool,
    known_stage: bool,
    closed_at: Option<DateTime<Utc>>,
    personal: bool,
    state: Option<InstanceState>,
    stacks: Option<Vec<String>>,
    updated_at: Option<DateTime<Utc>>,
}

impl From<PlaceRow> for Place {
    fn from(row: PlaceRow) -> Self {
        match (row.known_app, row.known_stage, row.closed_at) {
            (false, _, _) => Self::NoApp,
            (true, false, _) => Self::NoStage,
            (true, true, Some(at)) => Self::Closed { at },
            (true, true, None) if row.personal => Self::Personal,
            (true, true, None) => match (row.state, row.stacks, row.updated_at) {
                (Some(state), Some(stacks), Some(updated_at)) => {
                    Self::Instance { state, stacks, updated_at }
                }
                (None, _, _) | (_, None, _) | (_, _, None) => Self::NoInstance,
            },
        }
    }
}

/// What is known of the places that the stacks' tags name, in the order of the stacks.
pub async fn places(conn: &mut PgConnection, stacks: &[TaggedStack]) -> Result<Vec<Place>> {
    let rows: Vec<PlaceRow> = sqlx::query_as(
        "select a.id is not null as known_app, s.id is not null as known_stage, s.closed_at,
             coalesce(s.kind = 'personal', false) as personal, i.state, i.stacks, i.updated_at
         from unnest($1::text[], $2::text[], $3::text[], $4::text[])
             with ordinality as t (app, stage, service, region, place)
             left join app a on a.name = t.app
             left join lateral (
                 select id, closed_at, kind from stage
                 where app_id = a.id and lower(name) = lower(t.stage)
                 order by state = 'closed', closed_at desc, id desc limit 1) s on true
             left join instance i on i.stage_id = s.id and i.service = t.service
                 and i.region = t.region
         order by t.place",
    )
    .bind(stacks.iter().map(|stack| stack.app.as_str()).collect::<Vec<_>>())
    .bind(stacks.iter().map(|stack| stack.stage.as_deref()).collect::<Vec<_>>())
    .bind(stacks.iter().map(|stack| stack.service.as_deref()).collect::<Vec<_>>())
    .bind(stacks.iter().map(|stack| stack.region.as_str()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Place::from).collect())
}

/// Who looked, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub app: AppId,
    pub profile: &'a ProfileName,
    pub account: &'a str,
    pub now: DateTime<Utc>,
}

/// An orphan is there; it keeps its row, and with it when it was first seen.
pub async fn seen(
    conn: &mut PgConnection,
    id_if_new: OrphanId,
    stack: &TaggedStack,
    why: &Why,
    look: Look<'_>,
) -> Result<()> {
    sqlx::query(
        "insert into orphan (id, stack_id, name, account, region, app_id, profile, app, stage,
             service, build_number, status, stack_created_at, stack_changed_at, why,
             first_seen_at, last_seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
         on conflict on constraint orphan_stack_key do update set
             app_id = excluded.app_id, profile = excluded.profile, app = excluded.app,
             stage = excluded.stage, service = excluded.service,
             build_number = excluded.build_number, status = excluded.status,
             stack_created_at = excluded.stack_created_at,
             stack_changed_at = excluded.stack_changed_at, why = excluded.why,
             last_seen_at = excluded.last_seen_at, gone_at = null",
    )
    .bind(id_if_new)
    .bind(&stack.id)
    .bind(&stack.name)
    .bind(look.account)
    .bind(&stack.region)
    .bind(look.app)
    .bind(look.profile)
    .bind(&stack.app)
    .bind(&stack.stage)
    .bind(&stack.service)
    .bind(stack.build)
    .bind(&stack.status)
    .bind(stack.created_at)
    .bind(stack.changed_at)
    .bind(why.to_string())
    .bind(look.now)
    .execute(conn)
    .await?;
    Ok(())
}

/// What a whole look at these regions did not see is gone; what it saw and a stage knows is no
/// orphan any more.
pub async fn settle(
    conn: &mut PgConnection,
    regions: &[Region],
    found: &[TaggedStack],
    known: &[&str],
    look: Look<'_>,
) -> Result<()> {
    let regions: Vec<&str> = regions.iter().map(Region::as_str).collect();
    sqlx::query(
        "with known as (delete from orphan where stack_id = any($4)),
             forgotten as (delete from orphan where gone_at < $6),
             swept as (
                 insert into sweep (account, region, ordered_at, swept_at)
                 select $1, region, $5, $5 from unnest($2::text[]) as row (region)
                 on conflict (account, region) do update set swept_at = excluded.swept_at)
         update orphan set gone_at = $5
         where account = $1 and region = any($2) and gone_at is null
             and stack_id <> all($3) and stack_id <> all($4)",
    )
    .bind(look.account)
    .bind(regions)
    .bind(found.iter().map(|stack| stack.id.as_str()).collect::<Vec<_>>())
    .bind(known)
    .bind(look.now)
    .bind(look.now - REMEMBERED)
    .execute(conn)
    .await?;
    Ok(())
}

/// Those that are there, by place and name.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Orphan>> {
    Ok(sqlx::query_as(
        "select * from orphan where gone_at is null order by account, region, name, id",
    )
    .fetch_all(conn)
    .await?)
}

pub async fn get(conn: &mut PgConnection, id: OrphanId) -> Result<Orphan> {
    sqlx::query_as("select * from orphan where id = $1 for no key update")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found(format!("orphan {id}")))
}

/// A build was asked to remove it.
pub async fn set_removal(conn: &mut PgConnection, id: OrphanId, build: BuildId) -> Result<()> {
    let done =
        sqlx::query("update orphan set removal_build_id = $2, kept_because = null where id = $1")
            .bind(id)
            .bind(build)
            .execute(conn)
            .await?;
    met(&done, || format!("orphan {id}"))
}

/// The stack is gone, verified. A row that was taken away meanwhile is fine.
pub async fn removed(conn: &mut PgConnection, id: OrphanId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query("update orphan set gone_at = $2, kept_because = null where id = $1")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// The stack is still there.
pub async fn kept(conn: &mut PgConnection, id: OrphanId, reason: &str) -> Result<()> {
    sqlx::query("update orphan set kept_because = $2 where id = $1")
        .bind(id)
        .bind(reason)
        .execute(conn)
        .await?;
    Ok(())
}
