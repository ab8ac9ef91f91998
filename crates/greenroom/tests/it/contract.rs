//! The API is what its document says: schemathesis makes requests of it, good and bad ones, and
//! holds each answer of the running server against it.
//!
//! What always holds: nothing here runs by itself. What there is was made before by real builds;
//! then the server goes on without a worker, so what schemathesis orders stays queued. The seed is
//! fixed, so the requests of one document are the same each time.
//!
//! Switched off, and why:
//! - `positive_data_acceptance`: a request may be right in form and name a branch, a stage or a
//!   commit that is not there; 404, 409 and 422 are answers to it.
//! - `use_after_free`, `ensure_resource_availability`: nothing that a POST makes here has an
//!   address that the next call has to find, and a token that was revoked stays in its list.
//! - `object_level_authorization`: `crates/web/tests/it/authority.rs` tries every address as
//!   everybody.
//! - `missing_required_header`: only the webhook has such headers, and it looks at the signature
//!   first: without it nobody is told what else is missing.
//!
//! Left out: calls that end the token which schemathesis shows, and the webhook's own body, which
//! is GitHub's; its signature is held against the document all the same.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::sample::Sample;
use crate::world::{World, app, jobs};

/// At least so many requests count as a test.
const LEAST_CASES: u64 = 2_000;
const SEED: &str = "20261122";
/// For each operation, beside those that schemathesis makes of the document's limits.
const EXAMPLES: &str = "4";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      negative_data_rejection,ignored_auth,unsupported_method,\
                      allow_header_conformance";
/// They end the token that is shown, or may.
const ENDS_THE_TOKEN: [&str; 3] = ["logOut", "revokeToken", "endProgram"];

const PIPELINE: &str = "\
services:
  one: { path: one, framework: custom, test: 'true', deploy: echo deployed, remove: 'true' }
  two: { path: two, framework: custom, deploy: 'exit 3', remove: 'true' }
";

/// A stage with what was deployed, a failed build and a preview that is up; a token, a freeze.
async fn seeded() -> World {
    let mut world = World::new().await;
    let mut file = app();
    file["stages"]["prod"]["approvers"] = json!(["release-team"]);
    world.apply(&file).await;
    let sample = Sample::of(PIPELINE);
    let master = world.repository.commit("master", &sample.files(), "First").await.unwrap();
    let failed = world.fails(&format!("commit={master}")).await;
    assert!(jobs(&failed).any(|job| job["outcome"] == "succeeded"), "{failed:#}");
    let change = [("one/NOTE", Some("x"))];
    let head = world.repository.commit_on("feature", Some("master"), &change, "x").await.unwrap();
    world.repository.open_pr("feature", "master", "A change").await.unwrap();
    let build = world.build(&format!("commit={head}")).await;
    world.finished(build["number"].as_i64().unwrap()).await;
    let freeze = json!({ "reason": "a contract is tested" });
    let (status, stage) = world.post("/apps/workshop/stages/dev/freeze", &freeze).await;
    assert_eq!(status, 200, "{stage}");
    // from here on nothing runs
    world.server.stop().await;
    world.server.set("GREENROOM_WORKER_COUNT", "0");
    world.server.start_again().await;
    world
}

/// What names the rows that are there, so that not every call is about nothing.
fn configuration(build: i64, job: &str, guid: &str) -> String {
    let id_of_job = format!(
        "[[operations]]\ninclude-operation-id = \"getJobLog\"\nparameters = {{ id = \"{job}\" }}\n"
    );
    format!(
        "[parameters]\n\
         \"path.app\" = \"workshop\"\n\
         \"path.stage\" = \"staging\"\n\
         \"path.profile\" = \"development\"\n\
         \"path.number\" = {build}\n\
         \"path.guid\" = \"{guid}\"\n\n{id_of_job}"
    )
}

async fn schemathesis(world: &World, directory: &std::path::Path) -> std::process::Output {
    let program = std::env::var("GREENROOM_TEST_SCHEMATHESIS")
        .expect("GREENROOM_TEST_SCHEMATHESIS names schemathesis: script/test sets it");
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(directory.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", world.server.url))
        .args(["--url", &world.server.url])
        .args(["--header", &format!("Authorization: Bearer {}", world.admin)])
        // as through a proxy: whoever is on this very machine would need no token for /metrics
        .args(["--header", "X-Forwarded-For: 192.0.2.7"])
        .args(["--seed", SEED, "--generation-database", "none"])
        .args(["--no-shrink"])
        .args(["--max-examples", EXAMPLES, "--workers", "1"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--checks", CHECKS])
        .args(["--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .args(["--continue-on-failure", "--report", "json"])
        .arg("--report-json-path")
        .arg(directory.join("report.json"));
    for operation in ENDS_THE_TOKEN {
        command.args(["--exclude-operation-id", operation]);
    }
    command.current_dir(directory).stdin(Stdio::null()).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_server_is_as_its_document_says() {
    let world = seeded().await;
    let builds = world.get("/apps/workshop/builds").await;
    let number = builds["builds"].as_array().unwrap().last().unwrap()["number"].as_i64().unwrap();
    let build = world.get(&format!("/apps/workshop/builds/{number}")).await;
    let job = jobs(&build).next().unwrap()["id"].as_str().unwrap().to_owned();
    let deliveries = world.get("/system/deliveries").await;
    let guid = deliveries["deliveries"][0]["guid"].as_str().unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let configuration = configuration(number, &job, &guid);
    std::fs::write(directory.path().join("schemathesis.toml"), configuration).unwrap();

    let output = schemathesis(&world, directory.path()).await;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    let report = std::fs::read_to_string(directory.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let cases = cases(&report);
    assert!(cases >= LEAST_CASES, "only {cases} requests were made: {said}");
    world.stops().await;
}

fn cases(report: &Value) -> u64 {
    report["test_cases"]["generated"].as_u64().unwrap_or_default()
}
