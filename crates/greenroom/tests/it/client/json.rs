//! What scripts read: the answers in JSON of the commands that change something; and what who has no
//! right is told while there is something to decide.
//!
//! A server of its own: builds are numbered here. What workers do meanwhile is left out.

use serde_json::Value;

use super::laptop::Ran;
use super::{Ground, note};
use crate::server::until;
use crate::world::jobs;

/// A build's JSON without what depends on how far workers have come.
fn steady(mut build: Value) -> Value {
    let all = build.as_object_mut().unwrap();
    for key in ["state", "outcome", "reason", "started_at", "finished_at", "jobs", "services"] {
        all.remove(key);
    }
    build
}

/// Runs it, and holds what it prints to its snapshot.
async fn answers(ground: &Ground, name: &str, arguments: &[&str]) -> Value {
    let ran = ground.laptop.run(arguments).await;
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.said);
    let value: Value = serde_json::from_str(&ran.out).unwrap();
    let out = format!("{:#}\n", steady(value.clone()));
    let shown = Ran { out, said: ran.said, code: ran.code };
    insta::assert_snapshot!(name, shown.text(arguments));
    value
}

/// Waits for the build of a commit to ask for an approval; its number.
async fn asks(ground: &Ground, commit: &str) -> String {
    let build = ground.world.build(&format!("commit={commit}&stage=staging")).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    until("the build to wait", async || {
        let build = ground.world.get(&path).await;
        assert_ne!(build["state"], "finished", "{build:#}");
        (build["state"] == "waiting" && !build["approval"].is_null()).then_some(())
    })
    .await;
    build["number"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_changes_something_answers_scripts_in_json() {
    let ground = Ground::new().await;
    let (laptop, repository) = (&ground.laptop, &ground.world.repository);
    ground.pushes("one").await;
    ground.pushes("two").await;

    laptop.waits("rerun_wait_json", &["rerun", "2", "--wait", "--json"]).await;
    laptop
        .waits("rollback_wait_json", &["rollback", "dev", "--build", "1", "--wait", "--json"])
        .await;

    repository.commit("master", &note("master").files(), "Master").await.unwrap();
    let changed = [("note/NOTE", Some("three"))];
    let head = repository.commit_on("feature/x", Some("master"), &changed, "Three").await.unwrap();
    repository.open_pr("feature/x", "master", "Three").await.unwrap();
    ground.world.succeeds(&format!("commit={head}")).await;
    let remove = ["remove", "feature-x", "--yes", "--wait", "--json"];
    laptop.waits("remove_wait_json", &remove).await;

    decisions(&ground).await;

    let hangs = [("note/hang", Some("yes"))];
    let head = repository.commit_on("develop", None, &hangs, "Hang").await.unwrap();
    let number = ground.world.build(&format!("commit={head}")).await["number"].to_string();
    until("the test to run", async || {
        let build = ground.world.get(&format!("/apps/workshop/builds/{number}")).await;
        assert_ne!(build["state"], "finished", "{build:#}");
        jobs(&build).any(|job| job["kind"] == "test" && job["state"] == "running").then_some(())
    })
    .await;
    answers(&ground, "cancel_json", &["cancel", &number, "--json"]).await;
    let ended = ground.world.finished(number.parse().unwrap()).await;
    assert_eq!(ended["outcome"], "canceled");
    ground.world.ends().await;
}

/// Approving and rejecting, by who may and who may not.
async fn decisions(ground: &Ground) {
    let (laptop, repository) = (&ground.laptop, &ground.world.repository);
    let first = repository.commit("master", &note("four").files(), "Four").await.unwrap();
    let number = asks(ground, &first).await;
    // whom the stage does not name, and who only reads
    let bob = ground.world.server.token("bob", "deployer").await;
    let viewer = ground.world.server.token("reader", "viewer").await;
    let mut refused = String::new();
    for token in [&bob, &viewer] {
        for arguments in [
            &["approve", &number, "--yes"][..],
            &["reject", &number, "--reason", "not today"],
            &["approve", &number, "--yes", "--json"],
        ] {
            let ran = laptop.ran(laptop.with(token, arguments)).await;
            assert_ne!(ran.code, 0, "{arguments:?} is done all the same: {}", ran.out);
            refused.push_str(&ran.text(arguments));
        }
    }
    insta::assert_snapshot!("who_may_not_decide", refused);
    let reject = ["reject", &number, "--reason", "not today", "--json"];
    let rejected = answers(ground, "reject_json", &reject).await;
    assert_eq!(rejected["approval"]["state"], "rejected", "{rejected:#}");

    let second = repository.commit("master", &note("five").files(), "Five").await.unwrap();
    let number = asks(ground, &second).await;
    let approved = answers(ground, "approve_json", &["approve", &number, "--yes", "--json"]).await;
    assert_eq!(approved["approval"]["state"], "approved", "{approved:#}");
    ground.world.succeeds(&format!("commit={second}&stage=staging")).await;
}
