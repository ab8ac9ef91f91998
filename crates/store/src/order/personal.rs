//! A stage that somebody has of their own: begun, used, and what its removal works from.

use chrono::{DateTime, Utc};
use model::StageId;
use model::StageName;
use model::build::Source;
use model::personal::Owner;
use model::stage::{Expiry, StageKind};
use sqlx::PgConnection;

use super::{Moment, begin};
use crate::app::App;
use crate::error::Result;
use crate::stage::Stage;
use crate::{personal, stage};

/// Makes a stage of this one's own. A taken name is a conflict on `stage_name_key`.
pub async fn personal(
    conn: &mut PgConnection,
    app: &App,
    name: &StageName,
    owner: &Owner,
    at: Moment<'_>,
) -> Result<Stage> {
    let stage = begin(conn, app, name.clone(), StageKind::Personal, None, None, at).await?;
    personal::own(conn, stage.id, owner, at.now).await?;
    Ok(stage)
}

/// Its owner uses it: its time begins anew, and a removal that failed is not tried again.
pub async fn use_personal(
    conn: &mut PgConnection,
    app: &App,
    id: StageId,
    now: DateTime<Utc>,
) -> Result<()> {
    stage::touch(conn, id, None, now).await?;
    personal::used(conn, id, expiry(app, now), now).await
}

pub(super) fn expiry(app: &App, used_at: DateTime<Utc>) -> Option<Expiry> {
    app.settings.personal.map(|personal| Expiry::of(personal.expires_after, used_at))
}

/// What a removal works from where no build ever was: what the last command ran with, as far as others
/// can get it. `None`: none ever did.
pub(super) async fn source(conn: &mut PgConnection, stage: &Stage) -> Result<Option<Source>> {
    let Some(last) = personal::newest(conn, stage.id).await? else { return Ok(None) };
    Ok(Some(Source {
        commit: last.source().known().clone(),
        branch: last.branch,
        tag: None,
        pull_request: None,
        title: last.command,
        author: last.who,
    }))
}
