//! A command has ended: what it left in a personal stage is looked at and written down.
//!
//! What always holds: told twice, the first counts. Of a long-lived stage nothing is written down but
//! the command: what its services are, builds say, and a stack that changed between them is noticed by
//! the next.

use model::personal::{End, Left, left};
use store::instance::Instance;
use store::personal::{Session, Standing};
use store::signals::Topic;

use super::begin::Place;
use super::{asker, look, own};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

pub(super) async fn end(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    id: &str,
    told: End,
) -> Result<Session> {
    let mut conn = state.db.acquire().await?;
    let (app, stage, session) = own(&mut conn, caller, (name, stage, id)).await?;
    if session.exit_code.is_some() {
        return Ok(session);
    }
    let instance = match session.instance_id {
        Some(instance) => Some(store::instance::get(&mut conn, instance).await?),
        None => None,
    };
    drop(conn);
    let asker = asker(caller, &app)?;
    let there = match &instance {
        Some(instance) => {
            let place = Place {
                app: &app,
                stage: &stage,
                service: &session.service,
                region: &session.region,
            };
            let found = look::stacks(state, place, &asker, &session.source(), instance).await;
            Some(left(instance.spec.framework, found, told.exit_code))
        }
        None => None,
    };
    let now = state.now();
    let mut tx = state.db.begin().await?;
    if let (Some(instance), Some(there)) = (&instance, there) {
        settle(&mut tx, instance, &session, there, &told, now).await?;
    }
    store::personal::end(&mut tx, session.id, told.exit_code, now).await?;
    let session = store::personal::get(&mut tx, session.id).await?;
    tx.commit().await.map_err(Error::internal)?;
    state.signals.touched(Topic::Board);
    Ok(session)
}

async fn settle(
    conn: &mut store::PgConnection,
    instance: &Instance,
    session: &Session,
    there: Left,
    told: &End,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    let source = session.source();
    match there {
        Left::Deployed { stacks, of_stacks } => {
            let outputs = told.declared.clone().unwrap_or_default().published(&of_stacks);
            // a command that made no package says nothing of what is published
            let outputs = match &told.declared {
                Some(_) => outputs,
                None => instance.outputs.clone().into_iter().chain(outputs).collect(),
            };
            let endpoints: Vec<String> =
                aws::endpoints(&outputs).into_iter().map(|one| one.url).collect();
            let standing = Standing::Deployed {
                stacks: &stacks,
                commit: source.known(),
                outputs: &outputs,
                endpoints: &endpoints,
                parameters_digest: &session.parameters_digest,
            };
            store::personal::settled(conn, instance.id, &standing, now).await?;
        }
        Left::Failed { stacks, reason } => {
            let standing = Standing::Failed { stacks: &stacks, reason: &reason };
            store::personal::settled(conn, instance.id, &standing, now).await?;
        }
        Left::Nothing => {
            store::personal::settled(conn, instance.id, &Standing::Gone, now).await?;
        }
    }
    Ok(())
}
