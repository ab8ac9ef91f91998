//! What others see of a server at work: its metrics, its log lines, its traces.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use uuid::Uuid;

use crate::sample::Sample;
use crate::server::{client, until};
use crate::world::{World, jobs};

const PIPELINE: &str = "services:\n  note:\n    path: note\n    framework: custom\n    test: echo tested\n    deploy: 'true'\n    remove: 'true'\n";

/// A receiver of OTLP over HTTP, as far as a test needs one: it keeps the bytes. In protobuf a text
/// and a trace's number are written as they are.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Bytes>>>);

impl Receiver {
    /// Its address.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let all = self.0.lock().unwrap();
        all.iter().any(|one| one.windows(bytes.len()).any(|part| part == bytes))
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    receiver.0.lock().unwrap().push(body);
    StatusCode::OK
}

/// Each line of a log; what is said on standard output, to whoever started the server, is none.
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| !line.starts_with("Set up this server: "));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[tokio::test]
async fn the_log_and_the_traces_of_a_server_say_of_which_build_and_job_they_are() {
    let receiver = Receiver::default();
    let endpoint = receiver.start().await;
    let world = World::with(&[
        ("GREENROOM_LOG_FORMAT", "json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ])
    .await;
    let sample = Sample::of(PIPELINE).file("note/NOTE", "one");
    let commit = world.fork_pull_request(&sample).await;
    let build = world.succeeds(&format!("commit={commit}")).await;
    let id: Uuid = build["id"].as_str().unwrap().parse().unwrap();

    let lines = lines(&world.server.log());
    for job in jobs(&build) {
        let of_job: Vec<&Value> = lines.iter().filter(|line| line["job"] == job["id"]).collect();
        let begins = of_job.iter().find(|line| line["message"] == "begins").expect("it begins");
        assert_eq!(begins["build"], build["id"], "{begins}");
        assert_eq!(begins["kind"], job["kind"], "{begins}");
        assert_eq!(begins["level"], "INFO", "{begins}");
    }

    until("the spans of the build to arrive", async || {
        let test = jobs(&build).find(|job| job["kind"] == "test").unwrap()["id"].as_str().unwrap();
        let here = [id.as_bytes().as_slice(), test.as_bytes(), b"job", b"step", b"echo tested"];
        here.iter().all(|part| receiver.has(part)).then_some(())
    })
    .await;
    assert!(receiver.has(b"/webhooks/github"), "requests too");
    assert!(!receiver.has(b"/worker/v1/claim"), "but not those that are asked all the time");

    let metrics = client().get(format!("{}/metrics", world.server.url)).bearer_auth(&world.admin);
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    for series in [
        "greenroom_builds_finished_total{purpose=\"test\",outcome=\"succeeded\"} 1",
        "greenroom_jobs_finished_total{kind=\"test\",outcome=\"succeeded\"} 1",
        "greenroom_step_duration_seconds_count{kind=\"test\",outcome=\"succeeded\"} 1",
        "greenroom_webhooks_total{result=\"new\"}",
        "greenroom_workers{presence=\"here\"} 1",
        "class=\"change\",outcome=\"ok\"} ",
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
    let handled = metrics
        .lines()
        .find_map(|line| line.strip_prefix("greenroom_delivery_lag_seconds_count "))
        .unwrap();
    assert_ne!(handled, "0");
    world.ends().await;
}
