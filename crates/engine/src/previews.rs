//! The life of previews that no event moves: their end is said ahead, what nobody needs is removed,
//! a removal that failed is tried again, and a pull request that waits gets its place.
//!
//! What always holds: long-lived stages are not looked at (the database refuses them a time to be
//! removed at). A preview is never removed before its end was said for as long as the rule
//! promises, however long the server was away, and never while something is built in it.
//!
//! After a crash: what is due is read from the rows, so it is done by the next turn; each is one
//! transaction.

use chrono::{DateTime, Utc};
use model::build::{BuildEvent, BuildOutcome, Source};
use model::rule::{
    BuildWanted, Decision, PullRequestAction, PullRequestEvent, RepositoryEvent, Wanted, decide,
};
use model::stage::{StageKind, StageState, removal_retry};
use model::worker_api::RemoveHow;
use store::PgConnection;
use store::app::App;
use store::instance::Instance;
use store::order::{self, Moment, RemovalWanted};
use store::pull_request::PullRequest;
use store::stage::Stage;

use crate::{Engine, Progress, drain};

/// Previews looked at in one turn, so that the other passes get theirs.
const PER_TURN: usize = 20;

pub(crate) async fn pass(engine: &Engine) -> anyhow::Result<Progress> {
    let due = drain(PER_TURN, || one_due(engine)).await?;
    let placed = drain(PER_TURN, || one_waiting(engine)).await?;
    Ok(due.and(placed))
}

/// What a stage that is due is due for.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Warning,
    Expiry,
    Retry,
}

fn due(stage: &Stage) -> Option<Due> {
    match stage.state {
        StageState::Active if stage.warned_at.is_none() => Some(Due::Warning),
        StageState::Active => Some(Due::Expiry),
        StageState::RemoveFailed => Some(Due::Retry),
        StageState::Removing | StageState::Closed => None,
    }
}

async fn one_due(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin_repeatable().await?;
    let now = engine.now();
    let Some(stage) = store::stage::take_due(&mut tx, now).await? else {
        return Ok(Progress::None);
    };
    let app = store::app::get(&mut tx, stage.app_id).await?;
    match due(&stage) {
        Some(Due::Warning) => {
            store::stage::warned(&mut tx, stage.id, now).await?;
            show(&mut tx, &stage).await?;
        }
        Some(Due::Expiry) => expire(engine, &mut tx, &app, &stage).await?,
        Some(Due::Retry) => {
            let title = format!("Remove {} again", stage.name);
            remove(engine, &mut tx, &app, &stage, stage.remove_how, &title).await?;
        }
        None => anyhow::bail!("the stage {} is due in a state that nothing is due in", stage.name),
    }
    tx.commit().await?;
    engine.signals.wake_workers();
    Ok(Progress::Made)
}

async fn expire(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
) -> anyhow::Result<()> {
    if !store::build::unfinished_on(conn, stage.id).await?.is_empty() {
        order::use_stage(conn, app, stage.id, engine.now()).await?;
        return show(conn, stage).await;
    }
    let title = match stage.preview_rule_in(&app.settings).and_then(|rule| rule.expires_after) {
        Some(lifetime) => format!("Remove {}: nobody needed it for {lifetime}", stage.name),
        None => format!("Remove {}: nobody needed it", stage.name),
    };
    remove(engine, conn, app, stage, RemoveHow::Careful, &title).await
}

async fn remove(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    how: RemoveHow,
    title: &str,
) -> anyhow::Result<()> {
    let at = Moment { now: engine.now(), ids: &*engine.ids };
    let wanted =
        RemovalWanted { event: BuildEvent::Schedule, delivery: None, how, title: Some(title) };
    order::removal(conn, app, stage, wanted, at).await?;
    Ok(())
}

/// What GitHub shows of the stage is found anew: its last build is settled once more.
async fn show(conn: &mut PgConnection, stage: &Stage) -> anyhow::Result<()> {
    if let Some(build) = store::build::latest_on(conn, stage.id).await? {
        store::build::mark_dirty(conn, build.id).await?;
    }
    Ok(())
}

/// The pull request that waits for longest in any app with a place to give.
async fn one_waiting(engine: &Engine) -> anyhow::Result<Progress> {
    let mut tx = engine.db.begin_repeatable().await?;
    for app in store::pull_request::waiting_apps(&mut tx).await? {
        let app = store::app::get(&mut tx, app).await?;
        if order::full(&mut tx, &app).await?.is_some() {
            continue;
        }
        let Some(waiting) = store::pull_request::first_waiting(&mut tx, app.id).await? else {
            continue;
        };
        // whatever comes of it now, it does not wait any more
        store::pull_request::set_stage(&mut tx, app.id, waiting.number, None).await?;
        if let Some(wanted) = wanted(&app, &waiting) {
            match crate::order::begin(engine, &mut tx, &app, wanted, None).await {
                Ok(done) => tracing::info!(app = %app.name, waiting.number, "{done}"),
                Err(store::Error::NotAllowed(why)) => {
                    tracing::warn!(app = %app.name, waiting.number, "no preview: {why}");
                }
                Err(error) => return Err(error.into()),
            }
        }
        tx.commit().await?;
        engine.signals.wake_workers();
        return Ok(Progress::Made);
    }
    Ok(Progress::None)
}

/// What the rules say now of a pull request that waited: they may have changed, and so may it.
fn wanted(app: &App, waiting: &PullRequest) -> Option<BuildWanted> {
    let event = RepositoryEvent::PullRequest(PullRequestEvent {
        action: PullRequestAction::Reopened,
        source: Source {
            commit: waiting.commit.clone(),
            branch: Some(waiting.branch.clone()),
            tag: None,
            pull_request: Some(waiting.number),
            title: waiting.title.clone(),
            author: waiting.author.clone(),
        },
        base: waiting.base.clone(),
        draft: waiting.draft,
        fork: false,
    });
    match decide(&app.settings, &event) {
        Decision::Start(wanted) => wanted.into_iter().find_map(|wanted| match wanted {
            Wanted::Build(build) => Some(BuildWanted { event: BuildEvent::Schedule, ..*build }),
            Wanted::RemovePreview { .. } => None,
        }),
        Decision::Nothing { reason } => {
            tracing::info!(app = %app.name, waiting.number, "it waits no more: {reason}");
            None
        }
    }
}

/// A removal has ended and something still stands: the stage stays in sight with the reason, and is
/// tried again later. What a person stopped is left to people.
pub(crate) async fn removal_failed(
    engine: &Engine,
    conn: &mut PgConnection,
    stage: &Stage,
    standing: &[Instance],
    outcome: BuildOutcome,
) -> anyhow::Result<()> {
    let failures = u32::try_from(stage.remove_failures).unwrap_or_default() + 1;
    let retry_at: Option<DateTime<Utc>> = match (stage.kind, outcome) {
        (StageKind::LongLived, _) | (_, BuildOutcome::Canceled) => None,
        (
            StageKind::Preview | StageKind::Personal,
            BuildOutcome::Succeeded
            | BuildOutcome::Failed
            | BuildOutcome::Superseded
            | BuildOutcome::Skipped,
        ) => Some(engine.now() + removal_retry(failures)),
    };
    store::stage::remove_failed(conn, stage.id, &left_over(standing), retry_at).await?;
    Ok(())
}

/// What is left, and why.
fn left_over(standing: &[Instance]) -> String {
    let one = |instance: &Instance| {
        let why = instance.reason.as_deref().unwrap_or("its removal was not begun");
        format!("{} in {}: {why}", instance.service, instance.region)
    };
    standing.iter().map(one).collect::<Vec<_>>().join("; ")
}
