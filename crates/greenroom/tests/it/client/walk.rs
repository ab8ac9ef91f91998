//! What each command does, in the order in which somebody would.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Ground, note};
use crate::server::until;

/// What there is before anything was built; and what shells are told.
pub(super) async fn first_steps(ground: &Ground) {
    let laptop = &ground.laptop;
    laptop.shows("whoami", &["whoami"]).await;
    laptop.shows("whoami_json", &["whoami", "--json"]).await;
    laptop.shows("apps", &["apps"]).await;
    laptop.shows("apps_json", &["apps", "--json"]).await;
    laptop.shows("builds_none", &["builds"]).await;
    for shell in ["bash", "zsh", "fish"] {
        let completions = laptop.ran(laptop.bare(&["completions", shell])).await;
        for command in ["logs", "rollback", "serve"] {
            assert!(completions.out.contains(command), "{shell} does not know {command}");
        }
    }
    let page = laptop.ran(laptop.bare(&["man", "logs"])).await;
    assert!(page.out.contains(".TH greenroom-logs") && page.out.contains("\\-\\-follow"));
    let page = laptop.ran(laptop.bare(&["man"])).await;
    assert!(page.out.contains(".TH greenroom") && page.out.contains("rollback"));
}

/// Reading what was built.
pub(super) async fn looks(ground: &Ground) {
    let laptop = &ground.laptop;
    laptop.shows("builds", &["builds"]).await;
    laptop.shows("builds_json", &["builds", "--json", "--limit", "1"]).await;
    laptop.shows("builds_one", &["builds", "2"]).await;
    laptop.shows("builds_one_json", &["builds", "2", "--json"]).await;
    laptop.shows("builds_of_nothing", &["builds", "--outcome", "failed"]).await;
    let logs = laptop.run(&["logs", "2", "--kind", "test"]).await;
    assert!(logs.out.contains("a note\n"), "{}", logs.out);
    assert_eq!(logs.said, "==> note test: succeeded\n");
    laptop.shows("logs_json", &["logs", "--kind", "test", "--json"]).await;
    laptop.shows("logs_none", &["logs", "2", "--failed"]).await;
    laptop.shows("stages", &["stages"]).await;
    laptop.shows("stages_json", &["stages", "--json"]).await;
    laptop.shows("stages_one", &["stages", "dev"]).await;
    laptop.shows("stages_one_json", &["stages", "dev", "--json"]).await;
    laptop.shows("stages_history", &["stages", "dev", "--history"]).await;
    laptop.shows("stages_history_json", &["stages", "dev", "--history", "--json"]).await;
    for (name, arguments) in [
        ("open", &["open"][..]),
        ("open_build", &["open", "2", "--print"]),
        ("open_stage_json", &["open", "--stage", "dev", "--json"]),
    ] {
        laptop.shows(name, arguments).await;
    }
}

/// Builds by hand, and what their end says to scripts.
pub(super) async fn builds(ground: &Ground) {
    let laptop = &ground.laptop;
    // the branch that is checked out
    laptop.waits("build_wait", &["build", "--wait"]).await;
    laptop.waits("build_wait_json", &["build", "--stage", "dev", "--wait", "--json"]).await;
    let rerun = laptop.waits("rerun_wait", &["rerun", "1", "--failed-only", "--wait"]).await;
    assert_eq!(rerun.code, 0);
    laptop.waits("rollback_wait", &["rollback", "dev", "--build", "1", "--wait"]).await;

    let broken = [("note/broken", Some("yes"))];
    let repository = &ground.world.repository;
    let head = repository.commit_on("develop", None, &broken, "Break it").await.unwrap();
    let failed = ground.world.fails(&format!("commit={head}")).await;
    let number = failed["number"].to_string();
    let rerun = laptop.waits("rerun_fails", &["rerun", &number, "--wait"]).await;
    assert_eq!(rerun.code, 3);
    let followed = laptop.waits("logs_follow_fails", &["logs", "-f", "--kind", "plan"]).await;
    assert_eq!(followed.code, 3);
    laptop.shows("builds_one_failed", &["builds", &number]).await;
    let log = laptop.run(&["logs", &number, "--failed"]).await;
    assert!(log.out.contains("a note"), "{}", log.out);
}

/// What is done to stages.
pub(super) async fn stages(ground: &Ground) {
    let laptop = &ground.laptop;
    laptop.shows("freeze", &["freeze", "dev", "--reason", "the sales", "--for", "2d"]).await;
    laptop.shows("stages_frozen", &["stages", "dev"]).await;
    laptop.shows("unfreeze", &["unfreeze", "dev"]).await;
    let until = ["freeze", "dev", "-r", "sales", "--until", "2020-01-01T00:00:00Z"];
    assert_eq!(laptop.shows("freeze_late", &until).await.code, 5);
    laptop.shows("freeze_json", &["freeze", "dev", "--reason", "the sales", "--json"]).await;
    laptop.shows("unfreeze_json", &["unfreeze", "dev", "--json"]).await;

    let changed = [("note/NOTE", Some("three"))];
    let (repository, world) = (&ground.world.repository, &ground.world);
    repository.commit("master", &note("master").files(), "Master").await.unwrap();
    let head = repository.commit_on("feature/x", Some("master"), &changed, "Three").await.unwrap();
    repository.open_pr("feature/x", "master", "Three").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    assert_eq!(laptop.shows("remove_unasked", &["remove", "feature-x"]).await.code, 2);
    laptop.waits("remove", &["remove", "feature-x", "--yes", "--wait"]).await;
}

async fn waiting(ground: &Ground, query: &str) -> String {
    let build = ground.world.build(query).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    until("the build to wait", async || {
        let build = ground.world.get(&path).await;
        assert_ne!(build["state"], "finished", "{build:#}");
        (build["state"] == "waiting" && !build["approval"].is_null()).then_some(())
    })
    .await;
    build["number"].to_string()
}

/// What waits for somebody, and what comes after.
pub(super) async fn gates(ground: &Ground) {
    let laptop = &ground.laptop;
    let repository = &ground.world.repository;
    let first = repository.commit("master", &note("four").files(), "Four").await.unwrap();
    let number = waiting(ground, &format!("commit={first}&stage=staging")).await;
    laptop.shows("reject", &["reject", &number, "--reason", "not today"]).await;
    let head = repository.commit("master", &note("five").files(), "Five").await.unwrap();
    let number = waiting(ground, &format!("commit={head}&stage=staging")).await;
    assert_eq!(laptop.shows("approve_unasked", &["approve", &number]).await.code, 2);
    let other = laptop.run(&["approve", &number, "--commit", &first]).await;
    assert_eq!(other.code, 5, "{}", other.said);
    let short = ["approve", &number, "--commit", &head[..7]];
    let approved = laptop.run(&short).await;
    assert_eq!(approved.code, 0, "{}", approved.said);
    insta::assert_snapshot!("approve", laptop.redacted(&approved.text(&short)));
    let again = laptop.run(&["approve", &number, "--yes"]).await;
    assert!(again.code == 5 && again.said.contains("asks for no approval"), "{}", again.said);
    ground.world.succeeds(&format!("commit={head}&stage=staging")).await;

    laptop.shows("promote", &["promote", "prod"]).await;
    ground.world.succeeds(&format!("commit={head}&stage=prod")).await;
    laptop.shows("promote_again_json", &["promote", "prod", "--json"]).await;
}

/// Ctrl-C leaves the build; only `cancel` ends it.
pub(super) async fn follows_and_cancels(ground: &Ground) {
    let laptop = &ground.laptop;
    let hangs = [("note/broken", None), ("note/hang", Some("yes"))];
    let repository = &ground.world.repository;
    let head = repository.commit_on("develop", None, &hangs, "Hang").await.unwrap();
    let build = ground.world.build(&format!("commit={head}")).await;
    let number = build["number"].to_string();
    let mut followed = laptop.command(&["logs", "-f", &number]);
    let mut followed = followed.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(followed.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the step says what it does");
        if line == "note test | a note" {
            break;
        }
    }
    let pid = Pid::from_raw(followed.id().unwrap().cast_signed());
    kill(pid, Signal::SIGINT).unwrap();
    let ended = laptop.ended(followed.wait_with_output().await.unwrap());
    assert_eq!(ended.code, 130);
    let last = ended.said.lines().last().unwrap_or_default();
    let words = format!("build {number} goes on. `greenroom logs -f {number} --app workshop`");
    assert!(last.starts_with(&words) && last.contains("cancel"), "{last}");
    let build = ground.world.get(&format!("/apps/workshop/builds/{number}")).await;
    assert_eq!(build["state"], "running");

    laptop.shows("cancel", &["cancel", &number]).await;
    let followed = laptop.run(&["logs", "-f", &number]).await;
    assert_eq!(followed.code, 4, "{}", followed.said);
    assert!(followed.out.contains("note test | a note"), "{}", followed.out);
    assert_eq!(laptop.shows("cancel_again", &["cancel", &number]).await.code, 5);
}
