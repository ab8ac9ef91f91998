//! How previews live and end: newer pushes, drafts, shared stages, bases, limits, expiry, removals
//! that are tried again.

use chrono::{DateTime, TimeDelta, Utc};
use fakes::NewPull;
use model::stage::Expiry;
use serde_json::{Value, json};
use store::Database;
use store::stage::Stage;

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::look::{end, instance, job};
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app, jobs};

const TOPIC: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

/// The app file with this preview rule for pull requests against master.
fn settings(rule: &Value) -> Value {
    let mut app = app();
    app["rules"] = json!([{ "preview": { "base": ["master"], "deploy": "all" } }]);
    for (key, value) in rule.as_object().unwrap() {
        app["rules"][0]["preview"][key] = value.clone();
    }
    app
}

/// One service that is a stack of its own name in each stage.
fn stack(name: &str) -> Sample {
    let pipeline = format!(
        "services:\n  site: {{ path: site, template: topic.yml, stack: '{name}-${{stage}}' }}\n"
    );
    Sample::of(&pipeline).file("site/topic.yml", TOPIC)
}

/// One service that says what its stage has got.
fn note() -> Sample {
    Sample::of(
        "services:\n  note:\n    path: note\n    framework: custom\n    deploy: echo \"at=$GREENROOM_COMMIT\" > \"$GREENROOM_PUBLISH_FILE\"\n    remove: test \"$stuck\" != yes\n",
    )
}

async fn commit_base(world: &World, sample: &Sample) {
    world.repository.commit("master", &sample.files(), "First").await.unwrap();
}

/// A new commit on a branch; the branch begins at master.
async fn push(world: &World, branch: &str, text: &str) -> String {
    let changed = [("site/NOTE", Some(text)), ("note/NOTE", Some(text))];
    world.repository.commit_on(branch, Some("master"), &changed, text).await.unwrap()
}

async fn stage(world: &World, name: &str) -> Value {
    world.get(&format!("/apps/workshop/stages/{name}")).await
}

async fn is(world: &World, name: &str, state: &str) -> Value {
    until(&format!("the preview {name} to be {state}"), async || {
        let stage = stage(world, name).await;
        (stage["state"] == state).then_some(stage)
    })
    .await
}

/// The row of a stage, to let time go by for it.
async fn row(world: &World, name: &str) -> (Database, Stage) {
    let db = world.server.database().await;
    let mut conn = db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let found = store::stage::find_open(&mut conn, app.id, &name.parse().unwrap()).await.unwrap();
    drop(conn);
    (db, found.unwrap())
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_push_ends_the_tests_of_the_older_one_and_is_named_as_its_successor() {
    let world = World::new().await;
    world.apply(&settings(&json!({}))).await;
    let sample = Sample::of(
        "services:\n  note:\n    path: note\n    framework: custom\n    test: test -e done || exec sleep 600\n    deploy: 'true'\n    remove: 'true'\n",
    );
    commit_base(&world, &sample).await;
    let first = push(&world, "slow", "one").await;
    world.repository.open_pr("slow", "master", "Slow").await.unwrap();
    let build = world.build(&format!("commit={first}")).await;
    let number = build["number"].as_i64().unwrap();
    until("the tests to run", async || {
        let build = world.get(&format!("/apps/workshop/builds/{number}")).await;
        jobs(&build).any(|job| job["kind"] == "test" && job["state"] == "running").then_some(())
    })
    .await;
    let changed = [("note/done", Some("x"))];
    let second = world.repository.commit_on("slow", None, &changed, "two").await.unwrap();
    let newer = world.succeeds(&format!("commit={second}")).await;
    let older = world.finished(number).await;
    assert_eq!(older["outcome"], "superseded", "{older:#}");
    assert_eq!(older["superseded_by"], newer["number"]);
    let (outcome, reason) = end(job(&older, "test", "note"));
    assert_eq!(outcome, "canceled");
    assert_eq!(reason, format!("superseded by build {}", newer["number"]));
    world.status(&first, "greenroom", "error").await;
    world.status(&second, "greenroom", "success").await;
    let page = world.build_page(&older).await;
    assert!(page.contains(&newer["number"].to_string()), "{page}");
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_waits_and_a_base_without_a_rule_takes_the_preview_away() {
    let world = World::new().await;
    world.apply(&settings(&json!({ "drafts": "ignore" }))).await;
    commit_base(&world, &stack("drafted")).await;
    let head = push(&world, "feature/draft", "one").await;
    let master = world.repository.head("master").await.unwrap();
    world.repository.set_branch("elsewhere", &master).await.unwrap();
    let pull = NewPull {
        head: "feature/draft".into(),
        base: "master".into(),
        title: "A draft".into(),
        body: None,
        draft: true,
        head_repo: None,
    };
    let number = world.repository.open(pull).await.unwrap();
    world.repository.set_pr_draft(number, false).await.unwrap();
    let build = world.succeeds(&format!("commit={head}")).await;
    assert_eq!(build["number"], 1, "the draft itself was not built");
    assert_eq!(build["stage"], "feature-draft");
    let name = "drafted-feature-draft";
    assert_eq!(LocalAws::accounts_with(name).await, [DEVELOPMENT].into());

    world.repository.edit_pr_base(number, "elsewhere").await.unwrap();
    is(&world, "feature-draft", "closed").await;
    let removal = world.succeeds("stage=feature-draft").await;
    assert_eq!(
        (&removal["purpose"], &removal["event"]),
        (&json!("remove"), &json!("pull_request"))
    );
    assert!(LocalAws::accounts_with(name).await.is_empty());
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_is_reopened_while_its_preview_is_removed_ends_deployed() {
    let world = World::new().await;
    world.apply(&settings(&json!({ "destroy": "pull-request-closed" }))).await;
    let pipeline = "services:\n  site:\n    path: site\n    template: topic.yml\n    stack: 'reopened-${stage}'\n    before_remove: sleep 3\n";
    let sample = Sample::of(pipeline).file("site/topic.yml", TOPIC);
    commit_base(&world, &sample).await;
    let head = push(&world, "again", "one").await;
    let number = world.repository.open_pr("again", "master", "Again").await.unwrap();
    // another one keeps the preview
    let master = world.repository.head("master").await.unwrap();
    world.repository.set_branch("next", &master).await.unwrap();
    let mut both = settings(&json!({ "destroy": "pull-request-closed" }));
    both["rules"][0]["preview"]["base"] = json!(["master", "next"]);
    world.apply(&both).await;
    world.succeeds(&format!("commit={head}")).await;
    let other = world.repository.open_pr("again", "next", "The same, elsewhere").await.unwrap();
    world.succeeds("stage=again").await;
    world.repository.close_pr(other).await.unwrap();

    world.repository.close_pr(number).await.unwrap();
    until("the removal to run", async || {
        let list = world.get("/apps/workshop/builds?stage=again").await;
        let newest =
            world.get(&format!("/apps/workshop/builds/{}", list["builds"][0]["number"])).await;
        jobs(&newest).any(|job| job["kind"] == "remove" && job["state"] == "running").then_some(())
    })
    .await;
    world.repository.reopen_pr(number).await.unwrap();
    let build = until("the build of the reopened one", async || {
        let list = world.get("/apps/workshop/builds?stage=again").await;
        let newest = list["builds"][0].clone();
        (newest["purpose"] == "deploy" && newest["state"] == "finished").then_some(newest)
    })
    .await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    let shown = stage(&world, "again").await;
    assert_eq!((&shown["state"], &shown["kind"]), (&json!("active"), &json!("preview")));
    assert_eq!(instance(&shown, "site")["commit"], json!(head));
    assert_eq!(LocalAws::accounts_with("reopened-again").await, [DEVELOPMENT].into());

    world.repository.close_pr(number).await.unwrap();
    is(&world, "again", "closed").await;
    assert!(LocalAws::accounts_with("reopened-again").await.is_empty());
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_share_a_stage_of_a_fixed_name_and_over_the_limit_they_are_tested_alone() {
    let world = World::new().await;
    let mut file = settings(&json!({ "stage_name": { "fixed": "Review" } }));
    file["preview_limit"] = json!(1);
    let more = json!({ "preview": { "base": ["next"], "destroy": "pull-request-closed" } });
    file["rules"].as_array_mut().unwrap().push(more);
    world.apply(&file).await;
    commit_base(&world, &note()).await;
    let one = push(&world, "one", "one").await;
    world.repository.open_pr("one", "master", "One").await.unwrap();
    let build = world.succeeds(&format!("commit={one}")).await;
    assert_eq!(build["stage"], "Review");
    let two = push(&world, "two", "two").await;
    world.repository.open_pr("two", "master", "Two").await.unwrap();
    world.succeeds(&format!("commit={two}")).await;
    let at = async || stage(&world, "Review").await["instances"][0]["outputs"]["at"].clone();
    assert_eq!(at().await, json!(two), "the newest push wins");

    // there is no place for another preview
    let master = world.repository.head("master").await.unwrap();
    world.repository.set_branch("next", &master).await.unwrap();
    let three = push(&world, "three", "three").await;
    let number = world.repository.open_pr("three", "next", "Three").await.unwrap();
    let tests = world.build(&format!("commit={three}")).await;
    let tests = world.finished(tests["number"].as_i64().unwrap()).await;
    assert_eq!((&tests["purpose"], &tests["stage"]), (&json!("test"), &Value::Null));
    let why = tests["reason"].as_str().unwrap();
    assert!(why.contains("preview_limit: 1"), "{why}");
    let list = world.get("/apps/workshop/stages").await;
    assert_eq!(list["stages"].as_array().unwrap().len(), 1, "{list:#}");

    // the shared stage goes with the last of its branches, and its place is taken
    world.repository.delete_branch("two").await.unwrap();
    world.repository.delete_branch("one").await.unwrap();
    is(&world, "Review", "closed").await;
    let build = world.succeeds(&format!("commit={three}&stage=three")).await;
    assert_eq!((&build["event"], &build["pull_request"]), (&json!("schedule"), &json!(number)));
    world.repository.close_pr(number).await.unwrap();
    is(&world, "three", "closed").await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_nobody_needs_is_warned_of_extended_and_at_last_removed() {
    let world = World::new().await;
    world.apply(&settings(&json!({ "expires_after": "4h" }))).await;
    commit_base(&world, &stack("forgotten")).await;
    let head = push(&world, "idle", "one").await;
    let number = world.repository.open_pr("idle", "master", "Idle").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    let before = stage(&world, "idle").await;
    let now = time(&before["active_at"]);
    assert_eq!(time(&before["expires_at"]) - now, TimeDelta::hours(4));

    // three hours later
    let (db, preview) = row(&world, "idle").await;
    let soon =
        Expiry { warn_at: now - TimeDelta::minutes(1), expires_at: now + TimeDelta::hours(1) };
    let mut conn = db.acquire().await.unwrap();
    let active_at = now - TimeDelta::hours(3);
    store::stage::used(&mut conn, preview.id, Some(soon), active_at).await.unwrap();
    drop(conn);
    let comment = until("the pull request to be warned", async || {
        let comments = world.repository.comments(number);
        comments.into_iter().map(|one| one.body).find(|body| body.contains("it is removed on"))
    })
    .await;
    assert!(comment.contains("Nobody has worked on this preview"), "{comment}");

    // somebody keeps it
    let path = "/apps/workshop/stages/idle/extend";
    let (status, extended) = world.post(path, &json!({})).await;
    assert_eq!(status, 200, "{extended}");
    assert!(time(&extended["expires_at"]) > now + TimeDelta::hours(3), "{extended}");
    until("the warning to be taken back", async || {
        let comments = world.repository.comments(number);
        let warned = comments.iter().any(|one| one.body.contains("it is removed on"));
        (!warned).then_some(())
    })
    .await;
    let (status, refused) = world.post("/apps/workshop/stages/dev/extend", &json!({})).await;
    assert!(status == 404 || status == 409, "{status}: {refused}");

    // nobody does: it was warned of long ago
    let mut tx = db.begin().await.unwrap();
    let ago = |hours| now - TimeDelta::hours(hours);
    let over = Expiry { warn_at: ago(2), expires_at: ago(1) };
    store::stage::used(&mut tx, preview.id, Some(over), ago(5)).await.unwrap();
    store::stage::warned(&mut tx, preview.id, ago(2)).await.unwrap();
    tx.commit().await.unwrap();
    is(&world, "idle", "closed").await;
    db.pool().close().await;
    let removal = world.succeeds("stage=idle").await;
    assert_eq!((&removal["purpose"], &removal["event"]), (&json!("remove"), &json!("schedule")));
    assert_eq!(removal["title"], "Remove idle: nobody needed it for 4h");
    assert!(LocalAws::accounts_with("forgotten-idle").await.is_empty());

    // a push brings it back
    let newer =
        world.repository.commit_on("idle", None, &[("site/NOTE", Some("two"))], "two").await;
    world.succeeds(&format!("commit={}", newer.unwrap())).await;
    is(&world, "idle", "active").await;
    world.repository.delete_branch("idle").await.unwrap();
    is(&world, "idle", "closed").await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_fails_stays_in_sight_and_is_tried_again_by_itself() {
    let world = World::new().await;
    let mut file = settings(&json!({}));
    file["profiles"]["development"]["parameters"]["stuck"] = json!("yes");
    world.apply(&file).await;
    commit_base(&world, &note()).await;
    let head = push(&world, "stuck", "one").await;
    world.repository.open_pr("stuck", "master", "Stuck").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    world.repository.delete_branch("stuck").await.unwrap();
    let left = is(&world, "stuck", "remove_failed").await;
    let reason = left["left_over"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("note in us-east-1: "), "{reason}");
    assert_eq!(left["left_over"]["failures"], 1);
    let removal = world.fails("stage=stuck").await;
    let retry_at = time(&left["left_over"]["retry_at"]);
    let wait = retry_at - time(&removal["finished_at"]);
    assert!((wait - TimeDelta::minutes(2)).abs() < TimeDelta::seconds(1), "{wait}");

    // two minutes later, and what was in the way is gone
    file["profiles"]["development"]["parameters"]["stuck"] = json!("no");
    world.apply(&file).await;
    let (db, preview) = row(&world, "stuck").await;
    let mut conn = db.acquire().await.unwrap();
    let past = Some(retry_at - TimeDelta::minutes(3));
    store::stage::remove_failed(&mut conn, preview.id, reason, past).await.unwrap();
    drop(conn);
    is(&world, "stuck", "closed").await;
    db.pool().close().await;
    let removal = world.succeeds("stage=stuck").await;
    assert_eq!(
        (&removal["event"], &removal["title"]),
        (&json!("schedule"), &json!("Remove stuck again"))
    );
    world.ends().await;
}
