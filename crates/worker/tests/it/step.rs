//! Steps: output, limits, cancellation.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use worker::sandbox::Limits;
use worker::step::{StepOutcome, capture, run};

use crate::support::{Bench, bash, log, runs, until};

#[tokio::test]
async fn output_and_errors_are_logged_in_the_order_they_were_written() {
    let bench = Bench::new().await;
    let line = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3";
    let (end, text) = bench.bash(&bench.room(0), line).await;
    assert_eq!(end.outcome, StepOutcome::Exited(3));
    let (heading, rest) = text.split_once('\n').unwrap();
    assert!(heading.starts_with("▶ ") && heading.ends_with(" test"), "{heading}");
    let expected = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n▶ test: ended with exit status 3\n";
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn a_failing_part_of_a_line_fails_the_step() {
    let bench = Bench::new().await;
    let (end, text) = bench.bash(&bench.room(0), "false | cat; echo not reached").await;
    assert_eq!(end.outcome, StepOutcome::Exited(1), "{text}");
    assert!(!text.contains("not reached"));
}

#[tokio::test]
async fn a_step_out_of_time_is_ended_with_all_it_started() {
    let bench = Bench::new().await;
    let mut step = bash("setsid sleep 86398.5 & sleep 86398.5");
    step.limits =
        Limits { wall: Duration::from_millis(500), grace: Duration::from_secs(5), ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert_eq!(end.outcome, StepOutcome::TimedOut);
    assert!(text.contains("did not end within"), "{text}");
    assert!(!runs("sleep\u{0}86398.5"));
}

#[tokio::test]
async fn a_step_that_prints_too_much_is_ended() {
    let bench = Bench::new().await;
    let mut step = bash("yes");
    step.limits = Limits { output_bytes: 300_000, ..step.limits };
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert_eq!(end.outcome, StepOutcome::OutputLimit);
    assert_eq!(text.matches("y\n").count(), 150_000);
    assert!(text.ends_with("▶ test: printed more than 300000 bytes and was ended\n"));
}

#[tokio::test]
async fn a_canceled_step_may_say_goodbye() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let line = "trap 'echo goodbye; exit 0' TERM; touch ready; while :; do sleep 0.05; done";
    let (end, text) = canceled(&bench, &room, line).await;
    assert_eq!(end, StepOutcome::Canceled);
    assert!(text.contains("goodbye\n▶ test: was canceled\n"), "{text}");
}

#[tokio::test]
async fn a_canceled_step_that_will_not_end_is_ended() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let began = Instant::now();
    let line = "trap '' TERM; touch ready; while :; do sleep 0.05; done";
    let (end, _) = canceled(&bench, &room, line).await;
    assert_eq!(end, StepOutcome::Canceled);
    assert!(began.elapsed() < Duration::from_secs(30));
}

async fn canceled(
    bench: &Bench,
    room: &worker::sandbox::Room,
    line: &str,
) -> (StepOutcome, String) {
    let mut step = bash(line);
    step.limits.grace = Duration::from_secs(1);
    let (log, task, chunks) = log();
    let cancel = CancellationToken::new();
    let stop = async {
        until("the step is ready", || room.workspace().join("ready").exists()).await;
        cancel.cancel();
    };
    let (end, ()) = tokio::join!(run(&step, room, &*bench.executor, &log, &cancel), stop);
    task.finish().await.unwrap();
    (end.unwrap().outcome, chunks.text())
}

#[tokio::test]
async fn a_secret_is_masked_however_it_is_printed() {
    let bench = Bench::new().await;
    let mut step = bash(
        "echo $S; printf '%s' \"${S:0:7}\"; sleep 0.05; echo \"${S:7}\"; echo -n $S | base64; \
         echo -n user:$S | base64 -w0; set -x; : $S",
    );
    step.env.insert("S".to_owned(), "correct-horse-battery".to_owned());
    step.secrets.push(SecretString::from("correct-horse-battery"));
    let (end, text) = bench.step(&bench.room(0), &step).await;
    assert!(end.outcome.succeeded(), "{text}");
    assert!(!text.contains("horse"), "{text}");
    assert_eq!(text.matches("***").count(), 5, "{text}");
    assert!(text.contains("***\n***\n***\n"), "{text}");
}

#[tokio::test]
async fn an_answer_is_captured_and_its_errors_logged() {
    let bench = Bench::new().await;
    let (log, task, chunks) = log();
    let cancel = CancellationToken::new();
    let step = bash("echo answer; echo remark >&2");
    let end = capture(&step, 100, &bench.room(0), &*bench.executor, &log, &cancel).await.unwrap();
    task.finish().await.unwrap();
    assert_eq!(end.captured, b"answer\n");
    assert_eq!(chunks.text(), "remark\n");
}

#[tokio::test]
async fn a_line_is_visible_while_its_step_runs() {
    let bench = Bench::new().await;
    let room = bench.room(0);
    let (log, task, chunks) = log();
    let cancel = CancellationToken::new();
    let step = bash("echo now; while ! test -e go; do sleep 0.01; done");
    let see = async {
        until("the line is sent", || chunks.text().contains("now\n")).await;
        std::fs::write(room.workspace().join("go"), "").unwrap();
    };
    let (end, ()) = tokio::join!(run(&step, &room, &*bench.executor, &log, &cancel), see);
    assert!(end.unwrap().outcome.succeeded());
    task.finish().await.unwrap();
}
