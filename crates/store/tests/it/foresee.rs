//! What the jobs that look at another stage say, from their rows.

use model::change_set::{StackChange, StackChangeKind};
use model::foresight::{Answer, Foresight};
use model::job::{Failure, FailureKind, JobKind, Outcome};
use model::worker_api::JobResult;
use sqlx::{PgConnection, PgPool};
use store::job::{self, NewJob, Work};
use store::order::foresights;

use crate::support::{at, claim, new_job, region, service, world};

fn look(build: model::BuildId, name: &str) -> NewJob {
    let spec = service(name);
    NewJob {
        service: Some(spec.name.clone()),
        work: Some(Work::Foresee { service: Box::new(spec), stage: "staging".parse().unwrap() }),
        ..new_job(build, JobKind::Foresee, None)
    }
}

async fn ends(conn: &mut PgConnection, outcome: Outcome, result: Option<JobResult>) {
    let job = claim(conn).await.unwrap();
    job::finish(conn, job.id, job.attempt, &outcome, result.as_ref(), at(20)).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_look_says_what_would_change_or_why_nobody_knows(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let jobs = ["restapi", "tasks", "web"].map(|name| look(build, name));
    job::insert(&mut conn, &jobs, at(0)).await.unwrap();
    crate::support::job(&mut conn, build, JobKind::Test, None).await;
    let change = vec![StackChange {
        stack: "restapi-staging".into(),
        kind: StackChangeKind::Update,
        changes: Vec::new(),
        note: None,
    }];
    let notes = vec!["a value is not told".to_owned()];
    let foreseen = JobResult::Foreseen { change: change.clone(), notes: notes.clone() };
    ends(&mut conn, Outcome::Succeeded, Some(foreseen)).await;
    let failure = Failure { kind: FailureKind::Step, message: "no such parameter".into() };
    ends(&mut conn, Outcome::Failed(failure), None).await;

    let rows = job::list(&mut conn, build).await.unwrap();
    let of = |name: &str, answer| Foresight {
        service: name.parse().unwrap(),
        region: region("us-east-1"),
        stage: "staging".parse().unwrap(),
        answer,
    };
    assert_eq!(
        foresights(&rows),
        [
            of("restapi", Answer::Change { change, notes }),
            of("tasks", Answer::Unknown { reason: "no such parameter".into() }),
            of("web", Answer::Awaited),
        ]
    );
}
