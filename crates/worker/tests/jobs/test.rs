//! Test jobs: steps, their environment, their log.

use model::job::{FailureKind, Outcome};
use model::pipeline::Commands;
use model::worker_api::Task;

use crate::bench::{Bench, failure, service, step, target, testing};

const FILES: [(&str, &str); 1] = [("api/greeting", "hello from the commit\n")];

#[tokio::test(flavor = "multi_thread")]
async fn install_lint_and_test_run_in_the_services_directory_in_this_order() {
    let bench = Bench::new(&FILES).await;
    let commands = Commands {
        install: step("echo one >> order"),
        lint: step("echo two >> order"),
        test: step("cat greeting order; echo $GREENROOM_STAGE $greeting_key"),
        ..Commands::default()
    };
    let target = Some(target(&[("greeting-key", "plain", false)]));
    let task = Task::Test { service: service(commands), target, trust: "preview".to_owned() };
    let (finish, log) = bench.run(task).await;
    assert_eq!(finish.outcome, Outcome::Succeeded, "{log}");
    assert!(log.contains("hello from the commit\none\ntwo\nfeature-x plain\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_is_named_with_its_exit_status_and_ends_the_job() {
    let bench = Bench::new(&FILES).await;
    let commands =
        Commands { lint: step("exit 3"), test: step("echo never"), ..Commands::default() };
    let task = Task::Test { service: service(commands), target: None, trust: "preview".to_owned() };
    let (finish, log) = bench.run(task).await;
    assert_eq!(failure(&finish).kind, FailureKind::Step);
    assert_eq!(failure(&finish).message, "`exit 3` ended with exit status 3");
    assert!(!log.contains("never"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_the_checkout_token_are_masked() {
    let bench = Bench::new(&FILES).await;
    let commands = Commands {
        test: step("printf \"$API_KEY\"; echo; echo ghs_checkout_token; env"),
        ..Commands::default()
    };
    let target = Some(target(&[("API_KEY", "very-secret-value", true)]));
    let task = Task::Test { service: service(commands), target, trust: "trusted".to_owned() };
    let (_, log) = bench.run(task).await;
    for secret in ["very-secret-value", "ghs_checkout_token"] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(!log.contains("AWS_ACCESS_KEY_ID"), "a test job has no credentials: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_lint_and_test_is_not_even_checked_out() {
    let bench = Bench::new(&FILES).await;
    let service = service(Commands { install: step("npm ci"), ..Commands::default() });
    let (finish, log) =
        bench.run(Task::Test { service, target: None, trust: "preview".to_owned() }).await;
    assert_eq!(finish.outcome, Outcome::Succeeded);
    assert!(log.contains("there is no test script"), "{log}");
    assert!(!bench.server.state().calls.iter().any(|call| call.ends_with("checkout")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_job_is_left_on_the_disk() {
    let mut bench = Bench::new(&FILES).await;
    bench.run(testing("mkdir locked && touch locked/x && chmod 000 locked")).await;
    bench.stop().await.expect("a clean end");
    let left: Vec<_> =
        std::fs::read_dir(bench.work_dir().join("rooms")).expect("the rooms").collect();
    assert!(left.is_empty(), "{left:?}");
}
