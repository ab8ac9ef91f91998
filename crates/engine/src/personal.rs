//! The life of personal stages: the end of one that nobody uses is said ahead, and it is removed if
//! somebody was told; commands whose end nobody told are over when their credentials are.
//!
//! What always holds: nothing is removed of whose end nobody was told: it is shown as expired, and
//! stays. Nothing is removed while a command works in it. What a person asked to be removed, the pass
//! over the previews tries again.
//!
//! After a crash: what is due is read from the rows, so it is done by the next turn; each is one
//! transaction.

use model::build::BuildEvent;
use model::stage::{EndOfTime, at_end_of_personal};
use model::worker_api::RemoveHow;
use store::order::{self, Moment, RemovalWanted};
use store::signals::Topic;

use crate::notify::{want_of_personal, was_told};
use crate::{Engine, Progress, drain};

/// Stages looked at in one turn, so that the other passes get theirs.
const PER_TURN: usize = 20;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    let mut conn = engine.db.acquire().await?;
    if store::personal::forsaken(&mut conn, engine.now()).await? > 0 {
        engine.signals.touched(Topic::Board);
    }
    drop(conn);
    drain(PER_TURN, || one_due(engine)).await
}

async fn one_due(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin_repeatable().await?;
    let now = engine.now();
    let Some(own) = store::personal::take_due(&mut tx, now).await? else {
        return Ok(Progress::None);
    };
    let stage = store::stage::get(&mut tx, own.stage_id).await?;
    let app = store::app::get(&mut tx, stage.app_id).await?;
    if own.warned_at.is_none() {
        store::personal::warned(&mut tx, stage.id, now).await?;
        let warned = store::personal::of(&mut tx, stage.id).await?;
        if let Some(end) = warned.and_then(|warned| warned.expires_at) {
            want_of_personal(engine, &mut tx, &app, &stage, end).await?;
        }
    } else if !store::personal::running(&mut tx, stage.id, now).await?.is_empty() {
        order::use_personal(&mut tx, &app, stage.id, now).await?;
    } else {
        match at_end_of_personal(was_told(&mut tx, &app, &stage).await?) {
            EndOfTime::Remove => {
                let at = Moment { now, ids: &*engine.ids };
                let title = format!("Remove {}: {} did not use it any more", stage.name, own.owner);
                let wanted = RemovalWanted {
                    event: BuildEvent::Schedule,
                    delivery: None,
                    how: RemoveHow::Careful,
                    title: Some(&title),
                };
                order::removal(&mut tx, &app, &stage, wanted, at).await?;
            }
            EndOfTime::Show => store::personal::expired(&mut tx, stage.id, now).await?,
        }
    }
    tx.commit().await?;
    engine.signals.wake_workers();
    engine.signals.touched(Topic::Board);
    Ok(Progress::Made)
}
