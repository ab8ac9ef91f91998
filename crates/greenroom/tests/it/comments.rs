//! What people write on a pull request is done, if they may, and answered there; once, and of the
//! commit that they saw.

use fakes::{Fault, Matcher};
use serde_json::{Value, json};

use crate::aws::{LocalAws, PRODUCTION};
use crate::look::job;
use crate::sample::Sample;
use crate::server::until;
use crate::world::{World, app};

const REPOSITORY: &str = "acme/workshop";

const PLAIN: &str = r#"
services:
  api:
    path: api
    framework: custom
    deploy: echo "Url=https://api-$GREENROOM_STAGE.example.com/" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
"#;

/// A server that is a GitHub App, told of every comment, its own among them.
async fn world(rules: Value, approvers: &[&str]) -> World {
    let world = World::as_app().await;
    world.github.announce_comments();
    let mut file = app();
    file["stages"]["prod"]["approvers"] = json!(approvers);
    file["rules"] = rules;
    world.apply(&file).await;
    for (login, right) in [("ada", "write"), ("ann", "write"), ("eve", "read")] {
        world.github.set_right(REPOSITORY, login, Some(right));
    }
    world
}

/// Somebody writes a comment, and GitHub gets this reaction to it from us.
async fn says(world: &World, number: u64, login: &str, body: &str, reaction: &str) -> u64 {
    let comment = world.repository.comment_by(login, number, body).unwrap();
    until(&format!("{body:?} of {login} to be answered by {reaction}"), async || {
        let reactions = world.repository.reactions(comment);
        let said: Vec<_> =
            reactions.iter().map(|one| (one.content.as_str(), one.user.as_str())).collect();
        assert!(said.len() <= 1, "{said:?}");
        (!said.is_empty()).then(|| assert_eq!(said, [(reaction, "greenroom[bot]")]))
    })
    .await;
    comment
}

/// Waits until the one comment of ours says this.
async fn told(world: &World, number: u64, says: &str) -> String {
    until(&format!("the comment to say {says:?}"), async || {
        let comments = world.repository.comments(number).into_iter();
        let mut ours = comments.filter(|comment| comment.user == "greenroom[bot]");
        let found = ours.next()?;
        assert!(ours.next().is_none(), "there is one comment of ours");
        found.body.contains(says).then_some(found.body)
    })
    .await
}

async fn count(world: &World) -> usize {
    world.get("/apps/workshop/builds").await["builds"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_has_a_preview_deployed_kept_and_removed_by_a_comment() {
    let rules = json!([{ "preview": { "base": ["master"], "expires_after": "7d" } }]);
    let world = world(rules, &[]).await;
    world.repository.commit("master", &Sample::of(PLAIN).files(), "First").await.unwrap();
    let changed = [("api/NOTE", Some("x"))];
    let head = world.repository.commit_on("asked", Some("master"), &changed, "x").await.unwrap();
    let number = world.repository.open_pr("asked", "master", "Ask").await.unwrap();
    world.succeeds(&format!("commit={head}")).await;
    assert_eq!(count(&world).await, 1);

    // the answer comes though GitHub does not take it at first
    let reactions = Matcher::new("POST", &format!("/repos/{REPOSITORY}/issues/comments"));
    world.github.fail_next(reactions, Some(2), Fault::Status { status: 502 });
    let asked =
        says(&world, number, "ada", "Once more:\r\n\r\n/greenroom redeploy\r\n", "+1").await;
    let build = world.finished(2).await;
    assert_eq!((&build["outcome"], &build["commit"]), (&json!("succeeded"), &json!(head)));
    assert_eq!(job(&build, "deploy", "api")["outcome"], "succeeded");
    told(&world, number, "<code>redeploy</code> by <code>ada</code>").await;

    // who reads only is refused, and so is a stranger
    says(&world, number, "eve", "/greenroom deploy", "-1").await;
    told(&world, number, "eve has the role viewer in workshop").await;
    says(&world, number, "mallory", "/greenroom remove", "-1").await;
    says(&world, number, "ada", "/greenroom dance", "confused").await;
    let text = told(&world, number, "&#34;dance&#34; is nothing that can be asked for here").await;
    assert!(!text.contains("mallory"), "{text}");

    // GitHub sends it again, and somebody replays it here
    let all = world.github.deliveries();
    let first = all.iter().find(|one| {
        one.event == "issue_comment" && one.payload.contains(&format!("\"id\":{asked}"))
    });
    let first = first.unwrap().clone();
    world.github.redeliver(first.id).unwrap();
    world.github.settle_deliveries().await;
    world.replay(&first.guid).await;
    assert_eq!(world.repository.reactions(asked).len(), 1);
    assert_eq!(count(&world).await, 2);

    let before = world.get("/apps/workshop/stages/asked").await;
    says(&world, number, "ada", "/greenroom extend 30", "+1").await;
    told(&world, number, "the preview asked is kept until").await;
    let after = world.get("/apps/workshop/stages/asked").await;
    assert_ne!(before["expires_at"], after["expires_at"]);

    says(&world, number, "ada", "/greenroom remove", "+1").await;
    told(&world, number, "Preview [asked]").await;
    told(&world, number, "): removed").await;
    assert_eq!(world.get("/apps/workshop/stages/asked").await["state"], "closed");
    says(&world, number, "ada", "/greenroom deploy api", "+1").await;
    world.succeeds("stage=asked").await;
    assert_eq!(world.get("/apps/workshop/stages/asked").await["state"], "active");

    let log = world.get("/audit?app=workshop").await;
    let entries = log["entries"].as_array().unwrap().iter();
    let by_comment: Vec<_> = entries.filter(|entry| entry["via"] == "comment").collect();
    let done: Vec<_> = by_comment.iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["start", "remove", "extend", "start"]);
    assert!(by_comment.iter().all(|one| one["who"] == "ada"), "{by_comment:?}");
    assert_eq!(by_comment[0]["detail"]["source"], format!("comment on #{number}"));
    world.ends().await;
}

const TABLE: &str = r"
Resources:
  Asked:
    Type: AWS::SNS::Topic
";

/// A commit on the branch that goes to prod; it waits there for an approval.
async fn push(world: &World, note: &str) -> (String, Value) {
    let pipeline = "services: { api: { path: api, template: t.yml, stack: 'asked-${stage}' } }\n";
    let template = format!("{TABLE}  {note}: {{ Type: AWS::SQS::Queue }}\n");
    let sample = Sample::of(pipeline).file("api/t.yml", &template);
    let head = world.repository.commit("release", &sample.files(), note).await.unwrap();
    let build = world.build(&format!("commit={head}")).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    let build = until(&format!("build {} to wait", build["number"]), async || {
        let build = world.get(&path).await;
        assert_ne!(build["state"], "finished", "{build:#}");
        (build["state"] == "waiting" && !build["approval"].is_null()).then_some(build)
    })
    .await;
    (head, build)
}

/// GitHub's times have whole seconds: what is written from now on is later than all there is.
async fn a_second_goes_by(world: &World) {
    let newest = world.repository.pulls().unwrap().into_iter().map(|pull| pull.updated_at).max();
    let newest = newest.unwrap().timestamp();
    until("a second to go by", async || (chrono_now() > newest).then_some(())).await;
}

#[expect(clippy::disallowed_methods, reason = "the stand-in lives in real time")]
fn chrono_now() -> i64 {
    chrono::Utc::now().timestamp()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_in_a_comment_is_of_the_commit_that_its_author_saw_and_dies_with_a_push() {
    let world = world(json!([{ "branch": "release", "stage": "prod" }]), &["ann"]).await;
    world.repository.commit("master", &[("README.md", "hello")], "First").await.unwrap();
    let changed = [("README.md", Some("hi"))];
    world.repository.commit_on("release", Some("master"), &changed, "Hi").await.unwrap();
    let number = world.repository.open_pr("release", "master", "Release").await.unwrap();
    let (first, build) = push(&world, "First").await;
    a_second_goes_by(&world).await;

    // ada may deploy, and the stage does not name her
    says(&world, number, "ada", "/greenroom approve", "-1").await;
    told(&world, number, "may not decide about deploys to prod: ask ann, or an admin").await;
    assert!(LocalAws::accounts_with("asked-prod").await.is_empty());
    says(&world, number, "ann", "Looks right.\n/greenroom approve", "+1").await;
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    assert_eq!(
        (&build["approval"]["state"], &build["approval"]["by"]),
        (&json!("approved"), &json!("ann"))
    );
    assert_eq!(LocalAws::accounts_with("asked-prod").await, [PRODUCTION].into());

    // another commit than the newest is approved by no comment
    let (second, build) = push(&world, "Second").await;
    says(&world, number, "ann", &format!("/greenroom approve {}", &first[..10]), "-1").await;
    told(&world, number, &format!("the newest commit is {}", &second[..7])).await;

    // approved while the stage is frozen, so that it is not deployed yet: a push ends that
    let frozen = json!({ "reason": "an incident" });
    let (status, answer) = world.post("/apps/workshop/stages/prod/freeze", &frozen).await;
    assert_eq!(status, 200, "{answer}");
    says(&world, number, "ann", &format!("/greenroom approve prod {second}"), "+1").await;
    told(&world, number, "is approved for prod; the stage is frozen").await;
    let (third, newest) = push(&world, "Third").await;
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&build["outcome"], &build["approval"]["state"]),
        (&json!("superseded"), &json!("void"))
    );
    let (status, answer) = world.post("/apps/workshop/stages/prod/unfreeze", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let path = format!("/apps/workshop/builds/{}", newest["number"]);
    let newest = world.get(&path).await;
    assert_eq!(
        (&newest["state"], &newest["approval"]["state"]),
        (&json!("waiting"), &json!("waiting"))
    );
    says(&world, number, "ann", &format!("/greenroom approve {third}"), "+1").await;
    world.succeeds(&format!("commit={third}")).await;
    world.ends().await;
}
