//! Leases, cancellations, and a server that is away.

use std::time::Duration;

use model::job::Outcome;
use model::worker_api::Directive;
use worker::Error;

use crate::bench::{Bench, testing};

const FILES: [(&str, &str); 1] = [("api/x", "x")];
const LONG: &str = "echo it runs; sleep 600";

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_ends_the_job_at_once_without_a_report_and_the_next_one_runs() {
    let bench = Bench::new(&FILES).await;
    let lost = bench.assignment(testing(LONG));
    let job = lost.job;
    bench.server.give(lost);
    bench.server.until_logged(job, "it runs").await;
    bench.server.state().heartbeat = Some(Err(409));
    bench.until_gone(job).await;
    bench.server.state().heartbeat = None;
    let (finish, _) = bench.run(testing("true")).await;
    assert_eq!(finish.outcome, Outcome::Succeeded);
    assert!(bench.server.state().finished.iter().all(|(id, _)| *id != job));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_ends_the_step_and_is_reported_with_its_reason() {
    let bench = Bench::new(&FILES).await;
    let assignment = bench.assignment(testing(LONG));
    let job = assignment.job;
    bench.server.give(assignment);
    bench.server.until_logged(job, "it runs").await;
    let reason = "superseded by build 8".to_owned();
    bench.server.state().heartbeat = Some(Ok(Directive::Cancel { reason: reason.clone() }));
    let finish = bench.server.finish_of(job).await;
    assert_eq!(finish.outcome, Outcome::Canceled { reason });
    assert!(bench.server.log(job).contains("canceled: superseded by build 8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_loses_neither_log_nor_report() {
    let bench = Bench::new(&FILES).await;
    bench.server.state().faults = vec![("log", 503, 3), ("finish", 502, 2), ("checkout", 503, 1)];
    let (finish, log) = bench.run(testing("seq 1 2000")).await;
    assert_eq!(finish.outcome, Outcome::Succeeded);
    let lines = log.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert_eq!(lines, 2000);
    assert_eq!(bench.server.state().finished.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_heartbeats_the_job_is_stopped_before_its_lease_ends() {
    let bench = Bench::new(&FILES).await;
    let assignment = bench.assignment(testing(LONG));
    let job = assignment.job;
    bench.server.give(assignment);
    bench.server.until_logged(job, "it runs").await;
    bench.server.state().heartbeat = Some(Err(503));
    bench.until_gone(job).await;
    assert!(bench.server.state().finished.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_a_running_job_end_and_report() {
    let mut bench = Bench::new(&FILES).await;
    let assignment = bench.assignment(testing("echo it runs; sleep 1; echo to the end"));
    let job = assignment.job;
    bench.server.give(assignment);
    bench.server.until_logged(job, "it runs").await;
    bench.stop().await.expect("a clean end");
    assert_eq!(bench.server.finish_of(job).await.outcome, Outcome::Succeeded);
    assert!(bench.server.log(job).contains("to the end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_are_tidied_when_no_job_runs_and_jobs_go_on_afterwards() {
    let bench = Bench::new(&FILES).await;
    bench.server.state().claim_wait = Some(Duration::from_millis(50));
    bench.run(testing("true")).await;
    bench.until_tidied().await;
    let (finish, _) = bench.run(testing("true")).await;
    assert_eq!(finish.outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_was_taken_stops() {
    let mut bench = Bench::new(&FILES).await;
    bench.run(testing("true")).await;
    bench.server.state().refuse_claims = Some(409);
    bench.server.give(bench.assignment(testing("true")));
    let ended = bench.ended().await;
    assert!(matches!(ended, Err(Error::Replaced { .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_directory_is_refused() {
    let bench = Bench::new(&FILES).await;
    bench.run(testing("true")).await;
    let second = worker::run(bench.config(), bench.shutdown.clone()).await;
    let error = second.expect_err("the directory is taken").to_string();
    assert!(error.contains("in use by another worker"), "{error}");
}
