//! The life of a job: reports fenced by the attempt, lost leases, the engine's transitions.

use model::job::{Failure, FailureKind, JobEvent, JobKind, JobState, Outcome};
use model::plan::Condition;
use model::worker_api::JobResult;
use model::{BuildId, JobId, WorkerId};
use sqlx::{PgConnection, PgPool};
use store::job::{self, NewJob, NewJobState};
use store::{Error, build};
use uuid::Uuid;

use crate::support::{at, claim, id, new_job, settle, world};

fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure { kind: FailureKind::Step, message: message.into() })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn jobs_read_back_as_they_were_made(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    settle(&mut conn).await;
    let plan = new_job(build, JobKind::Plan, None);
    let test = new_job(build, JobKind::Test, None);
    let package = NewJob {
        needs: vec![plan.id, test.id],
        state: NewJobState::Blocked,
        condition: Condition::OutputsOf(vec![test.id]),
        ..new_job(build, JobKind::Package, None)
    };
    let last = NewJob {
        needs: vec![package.id],
        state: NewJobState::Blocked,
        condition: Condition::AnyOf(vec![package.id]),
        ..new_job(build, JobKind::PostDeploy, None)
    };
    let new = [plan.clone(), test.clone(), package.clone(), last.clone()];
    job::insert(&mut conn, &new, at(3)).await.unwrap();
    job::insert(&mut conn, &[], at(3)).await.unwrap();
    assert_eq!(settle(&mut conn).await, [build]);
    let jobs = job::list(&mut conn, build).await.unwrap();
    assert_eq!(
        jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        new.iter().map(|job| job.id).collect::<Vec<_>>()
    );
    assert_eq!((&jobs[0].work, &jobs[0].service), (&None, &None));
    assert_eq!((&jobs[1].work, &jobs[1].service), (&test.work, &test.service));
    assert_eq!((&jobs[1].region, &jobs[2].region), (&None, &package.region));
    assert_eq!((&jobs[3].work, &jobs[3].service), (&last.work, &None));
    assert!(jobs[3].work.as_ref().unwrap().step().is_some());
    for (job, new) in jobs.iter().zip(&new) {
        assert_eq!(job.condition, new.condition);
    }
    assert_eq!((jobs[1].queued_at, jobs[2].queued_at), (Some(at(3)), None));
    assert_eq!(jobs[1].state, JobState::Queued { attempt: 1 });
    assert_eq!((&jobs[2].state, &jobs[2].needs), (&JobState::Blocked, &package.needs));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_finish_is_kept_once_and_may_be_repeated(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    settle(&mut conn).await;
    let end = failed("npm test");
    for _ in 0..2 {
        assert_eq!(
            job::finish(
                &mut conn,
                held.id,
                1,
                &end,
                Some(&JobResult::Removed { kept: Vec::new() }),
                at(20)
            )
            .await
            .unwrap(),
            build
        );
    }
    assert_eq!(settle(&mut conn).await, [build]);
    assert!(settle(&mut conn).await.is_empty());
    let ended = job::get(&mut conn, held.id).await.unwrap();
    assert_eq!((ended.state, ended.finished_at), (JobState::Finished(end), Some(at(20))));
    assert_eq!(ended.failure_kind, Some(FailureKind::Step));
    assert!(matches!(ended.result, Some(JobResult::Removed { .. })));
    let otherwise = job::finish(&mut conn, held.id, 1, &Outcome::Succeeded, None, at(30)).await;
    assert!(matches!(otherwise, Err(Error::Stale { attempt: 1 })));
    let missing = job::finish(&mut conn, JobId(id()), 1, &Outcome::Succeeded, None, at(30)).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stale_attempt_cannot_write(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let held = claim(&mut conn).await.unwrap();
    assert_eq!(job::expire(&mut conn, at(61), 10).await.unwrap(), [held.id]);
    let again = claim(&mut conn).await.unwrap();
    assert_eq!((again.id, again.attempt), (held.id, 2));
    assert!(matches!(
        job::heartbeat(&mut conn, held.id, 1, at(99)).await,
        Err(Error::Stale { attempt: 1 })
    ));
    assert!(matches!(job::held(&mut conn, held.id, 1).await, Err(Error::Stale { .. })));
    let stale = job::finish(&mut conn, held.id, 1, &Outcome::Succeeded, None, at(62)).await;
    assert!(matches!(stale, Err(Error::Stale { .. })));
    let stale = store::log::append(
        &mut conn,
        held.id,
        (1, 0),
        b"late",
        &model::worker_api::LogHead::default(),
        chrono::DateTime::UNIX_EPOCH,
    )
    .await;
    assert!(matches!(stale, Err(Error::Stale { .. })));
    assert_eq!(store::log::size(&mut conn, held.id).await.unwrap(), 0);
    assert_eq!(job::held(&mut conn, held.id, 2).await.unwrap().state, again.state);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_heartbeat_renews_the_lease_and_brings_the_wish_to_cancel(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, id) = world(&mut conn).await;
    let queued = crate::support::job(&mut conn, id, JobKind::Test, None).await;
    assert!(matches!(
        job::request_cancel(&mut conn, queued, at(1)).await,
        Err(Error::NotFound { .. })
    ));
    let held = claim(&mut conn).await.unwrap();
    let beat = job::heartbeat(&mut conn, held.id, 1, at(90)).await.unwrap();
    assert_eq!((beat.expires_at, beat.cancel), (at(90), None));
    let late = job::heartbeat(&mut conn, held.id, 1, at(80)).await.unwrap();
    assert_eq!(late.expires_at, at(90));
    build::request_cancel(&mut conn, id, "asked to", at(11)).await.unwrap();
    assert_eq!(job::heartbeat(&mut conn, held.id, 1, at(91)).await.unwrap().cancel, None);
    job::request_cancel(&mut conn, held.id, at(12)).await.unwrap();
    assert_eq!(
        job::heartbeat(&mut conn, held.id, 1, at(92)).await.unwrap().cancel.as_deref(),
        Some("asked to")
    );
    assert!(job::expire(&mut conn, at(91), 10).await.unwrap().is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_lost_lease_requeues_the_job_until_it_was_lost_too_often(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let id = crate::support::job(&mut conn, build, JobKind::Test, None).await;
    for attempt in 1..=JobKind::Test.max_attempts() {
        assert_eq!(claim(&mut conn).await.unwrap().attempt, attempt);
        settle(&mut conn).await;
        assert_eq!(
            job::release(&mut conn, WorkerId(Uuid::from_u128(7)), at(20)).await.unwrap(),
            [id]
        );
        assert_eq!(settle(&mut conn).await, [build]);
    }
    let ended = job::get(&mut conn, id).await.unwrap();
    assert_eq!(ended.failure_kind, Some(FailureKind::Lost));
    assert_eq!(ended.finished_at, Some(at(20)));
    assert!(claim(&mut conn).await.is_none());
    assert!(
        job::release(&mut conn, WorkerId(Uuid::from_u128(8)), at(20)).await.unwrap().is_empty()
    );
}

async fn blocked(conn: &mut PgConnection, build: BuildId) -> JobId {
    let new = NewJob { state: NewJobState::Blocked, ..new_job(build, JobKind::Package, None) };
    job::insert(conn, std::slice::from_ref(&new), at(0)).await.unwrap();
    new.id
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_engine_moves_jobs_only_where_their_life_allows(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let (one, two, three) = (
        blocked(&mut conn, build).await,
        blocked(&mut conn, build).await,
        blocked(&mut conn, build).await,
    );
    settle(&mut conn).await;
    let state = job::transition(&mut conn, one, &JobEvent::NeedsMet, at(5)).await.unwrap();
    assert_eq!(state, JobState::Queued { attempt: 1 });
    let queued = job::get(&mut conn, one).await.unwrap();
    assert_eq!((queued.state, queued.queued_at), (state, Some(at(5))));
    assert_eq!(settle(&mut conn).await, [build]);
    let reason = || "test failed".to_owned();
    job::transition(&mut conn, two, &JobEvent::NeedsFailed { reason: reason() }, at(5))
        .await
        .unwrap();
    assert_eq!(
        job::get(&mut conn, two).await.unwrap().state,
        JobState::Finished(Outcome::Skipped { reason: reason() })
    );
    job::transition(&mut conn, three, &JobEvent::Canceled { reason: reason() }, at(5))
        .await
        .unwrap();
    assert_eq!(
        job::get(&mut conn, three).await.unwrap().state,
        JobState::Finished(Outcome::Canceled { reason: reason() })
    );
    let refused = job::transition(&mut conn, three, &JobEvent::NeedsMet, at(6)).await;
    assert!(matches!(refused, Err(Error::NotAllowed(_))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_that_had_nothing_to_do_says_why(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let new = NewJob { state: NewJobState::Blocked, ..new_job(build, JobKind::PostDeploy, None) };
    job::insert(&mut conn, std::slice::from_ref(&new), at(0)).await.unwrap();
    let reason = "nothing was deployed".to_owned();
    let unneeded = JobEvent::Unneeded { reason: reason.clone() };
    job::transition(&mut conn, new.id, &unneeded, at(1)).await.unwrap();
    let ended = job::get(&mut conn, new.id).await.unwrap();
    assert_eq!(ended.state, JobState::Finished(Outcome::Unneeded { reason }));
    assert!(claim(&mut conn).await.is_none());
    let silent = sqlx::query("update job set reason = null where id = $1").bind(new.id);
    assert!(silent.execute(&mut *conn).await.is_err(), "an end without a reason is refused");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_failure_keeps_what_was_found_out_before_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    crate::support::job(&mut conn, build, JobKind::Package, None).await;
    let held = claim(&mut conn).await.unwrap();
    let refused = Outcome::Failed(Failure {
        kind: FailureKind::Safeguard,
        message: "eu-west-1 is not allowed".into(),
    });
    let found = JobResult::Checked { change: Vec::new(), findings: Vec::new(), found: [].into() };
    job::finish(&mut conn, held.id, 1, &refused, Some(&found), at(20)).await.unwrap();
    let ended = job::get(&mut conn, held.id).await.unwrap();
    assert_eq!(ended.state, JobState::Finished(refused));
    assert!(matches!(ended.result, Some(JobResult::Checked { .. })));
}
