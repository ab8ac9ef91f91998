//! Whether somebody else changed the stacks that a package job is for.
//!
//! What always holds: the worker says how it found the stacks, and the rows say whether that can
//! be our own doing: a deploy of ours that began or ended while the worker looked is none of
//! somebody else.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::finding::{Check, Finding};
use model::outside::{Deed, Found, Left, Outside};
use store::PgConnection;
use store::build::Build;
use store::instance::Instance;
use store::job::Job;

/// How the last change of ours left what the job packages for.
pub(super) async fn left(
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
) -> Result<Left, store::Error> {
    let instance = instance(conn, job, build).await?;
    Ok(instance.map(|instance| instance.left()).unwrap_or_default())
}

/// Keeps what somebody else did with the instance, and puts it in the place of what the worker
/// thought.
pub(super) async fn seen(
    conn: &mut PgConnection,
    job: &Job,
    found: &BTreeMap<String, Found>,
    findings: &mut Vec<Finding>,
    now: DateTime<Utc>,
) -> Result<(), store::Error> {
    findings.retain(|finding| finding.check != Check::Outside);
    let build = store::build::get(conn, job.build_id).await?;
    let Some(instance) = instance(conn, job, &build).await? else { return Ok(()) };
    let deeds = instance.left().deeds(found);
    findings.extend(deeds.iter().map(Deed::finding));
    match Outside::of(&deeds, build.number, now) {
        Some(outside) => store::instance::set_changed_outside(conn, instance.id, &outside).await,
        None => Ok(()),
    }
}

async fn instance(
    conn: &mut PgConnection,
    job: &Job,
    build: &Build,
) -> Result<Option<Instance>, store::Error> {
    match (build.stage_id, &job.service, &job.region) {
        (Some(stage), Some(service), Some(region)) => {
            store::instance::find(conn, stage, service, region).await
        }
        (None, _, _) | (_, None, _) | (_, _, None) => Ok(None),
    }
}
