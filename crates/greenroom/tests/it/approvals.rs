//! Production by decision: a deploy waits for an approval of exactly what it would do, and while
//! its stage is frozen.

use chrono::{DateTime, TimeDelta, Utc};
use model::BuildId;
use serde_json::{Value, json};

use crate::aws::{LocalAws, PRODUCTION};
use crate::look::{deployed, end, job};
use crate::sample::Sample;
use crate::server::{client, until};
use crate::world::{World, app};

/// Somebody with a token of their own.
struct Person<'a> {
    world: &'a World,
    token: String,
}

impl<'a> Person<'a> {
    async fn new(world: &'a World, name: &str) -> Self {
        Self { world, token: world.server.token(name, "deployer").await }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/apps/workshop/{path}", self.world.server.url);
        let request = client().post(url).bearer_auth(&self.token).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn approves(&self, build: &Value) -> Value {
        let path = format!("builds/{}/approve", build["number"]);
        let shown = json!({
            "commit": build["commit"], "bound_to": build["approval"]["bound_to"],
        });
        let (status, build) = self.post(&path, &shown).await;
        assert_eq!(status, 200, "{build}");
        build
    }
}

/// The workshop, where ann approves what goes to prod, and no table is replaced unseen.
async fn world() -> World {
    let world = World::new().await;
    let mut file = app();
    file["stages"]["prod"]["approvers"] = json!(["ann"]);
    file["profiles"]["production"]["safeguards"] =
        json!([{ "policy": "no-replacement", "level": "error" }]);
    world.apply(&file).await;
    world
}

async fn push(world: &World, pipeline: &str, template: &str) -> String {
    let sample = Sample::of(pipeline).file("visits/table.yml", template);
    world.repository.commit("prod", &sample.files(), "Visits").await.unwrap()
}

/// Waits for the build of a commit to wait for people.
async fn waits(world: &World, commit: &str) -> Value {
    let build = world.build(&format!("commit={commit}")).await;
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    until(&format!("build {} to wait", build["number"]), async || {
        let build = world.get(&path).await;
        assert_ne!(build["state"], "finished", "{build:#}");
        (build["state"] == "waiting" && !build["approval"].is_null()).then_some(build)
    })
    .await
}

/// Waits until the newest status of a context says this.
async fn says(world: &World, sha: &str, context: &str, text: &str) {
    until(&format!("the status {context} of {sha} to say {text:?}"), async || {
        let statuses = world.repository.statuses(sha);
        let newest = statuses.iter().rev().find(|status| status.context == context)?;
        let says = newest.description.as_deref() == Some(text) && newest.state == "pending";
        says.then_some(())
    })
    .await;
}

fn template(table: &str) -> String {
    format!(
        "
Resources:
  Visits:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: {table}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]
      KeySchema: [{{ AttributeName: id, KeyType: HASH }}]
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {{ Service: lambda.amazonaws.com }}
            Action: sts:AssumeRole
"
    )
}

fn pipeline(stack: &str) -> String {
    format!(
        "services: {{ visits: {{ path: visits, template: table.yml, stack: '{stack}-${{stage}}' }} }}\n"
    )
}

/// What was done, newest first: who did which.
async fn audit(world: &World) -> Vec<(String, String)> {
    let log = world.get("/audit?app=workshop").await;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = log["entries"].as_array().unwrap().iter();
    let named = entries.map(|entry| (text(entry, "who"), text(entry, "action")));
    named.filter(|(_, action)| action != "apply").collect()
}

fn did(entries: &[(&str, &str)]) -> Vec<(String, String)> {
    entries.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_production_is_shown_and_deployed_when_an_approver_says_so() {
    let world = world().await;
    let (ann, bob) = (Person::new(&world, "ann").await, Person::new(&world, "bob").await);
    let pipeline = pipeline("approved");
    let first = push(&world, &pipeline, &template("approved-visits")).await;
    let build = waits(&world, &first).await;
    assert!(LocalAws::accounts_with("approved-prod").await.is_empty());
    assert_eq!(job(&build, "package", "visits")["outcome"], "succeeded");
    assert_eq!(job(&build, "deploy", "visits")["state"], "waiting");
    let approval = &build["approval"];
    assert_eq!((&approval["state"], &approval["approvers"]), (&json!("waiting"), &json!(["ann"])));
    let change = &approval["services"][0]["change"][0];
    assert_eq!((&change["stack"], &change["kind"]), (&json!("approved-prod"), &json!("new")));
    assert_eq!(approval["access"].as_array().unwrap().len(), 1, "{approval:#}");
    assert_eq!(approval["access"][0]["logical_id"], "Reader");
    says(&world, &first, "greenroom", "waiting for an approval").await;

    // who has not the right is told who has, and another commit is not what waits
    let path = format!("builds/{}/approve", build["number"]);
    let (status, problem) = bob.post(&path, &json!({ "commit": first })).await;
    assert_eq!(status, 403, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("ask ann, or an admin"), "{problem}");
    let (status, problem) = ann.post(&path, &json!({ "commit": "1".repeat(40) })).await;
    assert_eq!(status, 409, "{problem}");
    assert!(LocalAws::accounts_with("approved-prod").await.is_empty());

    ann.approves(&build).await;
    let build = world.succeeds(&format!("commit={first}")).await;
    assert_eq!(
        (&build["approval"]["state"], &build["approval"]["by"]),
        (&json!("approved"), &json!("ann"))
    );
    assert_eq!(deployed(&build), ["visits"].into());
    assert_eq!(LocalAws::accounts_with("approved-prod").await, [PRODUCTION].into());

    // a replacement that the safeguard would refuse is the approver's to see, and to allow
    let second = push(&world, &pipeline, &template("approved-visitors")).await;
    let build = waits(&world, &second).await;
    let asked = &build["approval"]["services"][0];
    assert_eq!(asked["findings"][0]["check"]["policy"], "no-replacement", "{asked:#}");
    let changes = asked["change"][0]["changes"].as_array().unwrap();
    let table = changes.iter().find(|change| change["logical_id"] == "Visits").unwrap();
    assert_eq!(table["effect"], "replaced", "{table}");
    ann.approves(&build).await;
    world.succeeds(&format!("commit={second}")).await;
    let resources = LocalAws::stacks(PRODUCTION).resources("approved-prod").await.unwrap();
    let is_there =
        |name: &str| resources.iter().any(|one| one.physical_id.as_deref() == Some(name));
    assert!(is_there("approved-visitors") && !is_there("approved-visits"), "{resources:?}");
    assert_eq!(audit(&world).await, did(&[("ann", "approve"), ("ann", "approve")]));
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_void_after_a_push_refused_by_a_word_and_over_when_its_time_is() {
    let world = world().await;
    let ann = Person::new(&world, "ann").await;
    let pipeline = pipeline("undecided");
    let first = push(&world, &pipeline, &template("undecided-1")).await;
    let old = waits(&world, &first).await;
    let second = push(&world, &pipeline, &template("undecided-2")).await;
    let build = waits(&world, &second).await;

    // a newer push
    let old = world.finished(old["number"].as_i64().unwrap()).await;
    assert_eq!(old["outcome"], "superseded", "{old:#}");
    assert_eq!(old["approval"]["state"], "void");
    let path = format!("builds/{}/approve", old["number"]);
    let (status, problem) = ann.post(&path, &json!({ "commit": first })).await;
    assert_eq!(status, 409, "{problem}");
    let said = problem["detail"].as_str().unwrap();
    assert!(said.contains(&format!("superseded by build {}", build["number"])), "{said}");

    // a word
    let path = format!("builds/{}/reject", build["number"]);
    let (status, answer) = ann.post(&path, &json!({ "reason": "not before the sale" })).await;
    assert_eq!(status, 200, "{answer}");
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&build["outcome"], &build["reason"]),
        (&json!("canceled"), &json!("rejected by ann: not before the sale"))
    );
    assert_eq!(end(job(&build, "deploy", "visits")).0, "canceled");

    // time
    let third = push(&world, &pipeline, &template("undecided-3")).await;
    let build = waits(&world, &third).await;
    let moment =
        |key: &str| -> DateTime<Utc> { build["approval"][key].as_str().unwrap().parse().unwrap() };
    let asked = moment("asked_at");
    assert_eq!(moment("expires_at") - asked, TimeDelta::days(7));
    let db = world.server.database().await;
    {
        // the server's clock is the machine's: it is the end that comes here
        let mut conn = db.acquire().await.unwrap();
        let id = build["id"].as_str().unwrap().parse().map(BuildId).unwrap();
        let open = store::approval::of_build(&mut conn, id).await.unwrap().pop().unwrap();
        store::approval::set_expiry(&mut conn, open.id, Some(asked)).await.unwrap();
        store::build::set_standing(&mut conn, id, true, Some(asked)).await.unwrap();
    }
    db.pool().close().await;
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(
        (&build["outcome"], &build["approval"]["state"]),
        (&json!("canceled"), &json!("expired"))
    );
    assert!(build["reason"].as_str().unwrap().starts_with("nobody approved it until"), "{build:#}");
    assert!(LocalAws::accounts_with("undecided-prod").await.is_empty());
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_stage_holds_deploys_and_lets_through_what_somebody_answers_for() {
    let world = World::new().await;
    let bob = Person::new(&world, "bob").await;
    let pipeline = pipeline("frozen");
    let first = push(&world, &pipeline, &template("frozen-1")).await;
    let build = world.succeeds(&format!("commit={first}")).await;
    let first_number = build["number"].clone();

    let wish = json!({ "reason": "an incident" });
    let (status, stage) = bob.post("stages/prod/freeze", &wish).await;
    assert_eq!((status, &stage["frozen"]["by"]), (200, &json!("bob")), "{stage}");
    let second = push(&world, &pipeline, &template("frozen-2")).await;
    let build = waits(&world, &second).await;
    let reason = job(&build, "deploy", "visits")["reason"].as_str().unwrap();
    assert_eq!(reason, "the stage is frozen by bob: an incident");
    let held = "waiting: the stage is frozen by bob: an incident";
    says(&world, &second, "greenroom/visits/prod", held).await;

    // an admin lets this one through, and is named for it
    let path = format!("/apps/workshop/builds/{}/approve", build["number"]);
    let through = json!({ "commit": second, "override_freeze": true });
    let (status, problem) =
        bob.post(&format!("builds/{}/approve", build["number"]), &through).await;
    assert_eq!(status, 403, "{problem}");
    let (status, answer) = world.post(&path, &through).await;
    assert_eq!(status, 200, "{answer}");
    let build = world.succeeds(&format!("commit={second}")).await;
    assert_eq!(build["approval"]["freeze_overridden"]["by"], "admin");

    // a rollback is what a freeze is often for: it does not wait
    let back = json!({ "build": first_number });
    let build = world.orders("/apps/workshop/stages/prod/rollback", &back).await;
    assert_eq!(build["approval"], Value::Null);
    let stage = world.get("/apps/workshop/stages/prod").await;
    assert_eq!(stage["instances"][0]["commit"], json!(first));

    // the next push waits until the freeze ends
    let third = push(&world, &pipeline, &template("frozen-3")).await;
    waits(&world, &third).await;
    let (status, stage) = bob.post("stages/prod/unfreeze", &json!({})).await;
    assert_eq!((status, &stage["frozen"]), (200, &Value::Null), "{stage}");
    world.succeeds(&format!("commit={third}")).await;
    let done = audit(&world).await;
    for entry in [("bob", "freeze"), ("admin", "override_freeze"), ("bob", "unfreeze")] {
        assert!(done.contains(&did(&[entry])[0]), "{entry:?} in {done:?}");
    }
    world.ends().await;
}

fn table(name: &str, more: &str) -> String {
    format!(
        "
Resources:
  Visits:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: {name}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]
      KeySchema: [{{ AttributeName: id, KeyType: HASH }}]
{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_came_to_lose_more_than_its_approver_saw_is_refused() {
    let world = World::new().await;
    let mut file = app();
    file["stages"]["prod"]["approvers"] = json!(["ann"]);
    world.apply(&file).await;
    let ann = Person::new(&world, "ann").await;
    let pipeline = pipeline("exceeded");
    let first = push(&world, &pipeline, &table("exceeded-visits", "")).await;
    ann.approves(&waits(&world, &first).await).await;
    world.succeeds(&format!("commit={first}")).await;

    let queue = "  Orders: { Type: AWS::SQS::Queue }\n";
    let second = push(&world, &pipeline, &table("exceeded-visits", queue)).await;
    let build = waits(&world, &second).await;
    let changes = build["approval"]["services"][0]["change"][0]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["logical_id"], &changes[0]["effect"]),
        (&json!("Orders"), &json!("added"))
    );

    // somebody gives the table another name meanwhile: the deploy would take it back, and its data
    LocalAws::deploy_by_hand(PRODUCTION, "exceeded-prod", &table("exceeded-by-hand", "")).await;
    ann.approves(&build).await;
    let build = world.fails(&format!("commit={second}")).await;
    let (_, reason) = end(job(&build, "deploy", "visits"));
    assert!(
        reason.starts_with(
            "approval: Resources.Visits: AWS::DynamoDB::Table Visits of the stack exceeded-prod \
             would be replaced, and that was not so when the deploy was approved"
        ),
        "{reason}"
    );
    let resources = LocalAws::stacks(PRODUCTION).resources("exceeded-prod").await.unwrap();
    let tables: Vec<_> = resources.iter().filter_map(|one| one.physical_id.as_deref()).collect();
    assert_eq!(tables, ["exceeded-by-hand"]);

    // what a new build shows may be approved
    let again = format!("/apps/workshop/builds/{}/rerun", build["number"]);
    let (status, build) = world.post(&again, &json!({})).await;
    assert_eq!(status, 201, "{build}");
    let path = format!("/apps/workshop/builds/{}", build["number"]);
    let build = until("the new build to wait", async || {
        let build = world.get(&path).await;
        (build["state"] == "waiting" && !build["approval"].is_null()).then_some(build)
    })
    .await;
    ann.approves(&build).await;
    let build = world.finished(build["number"].as_i64().unwrap()).await;
    assert_eq!(build["outcome"], "succeeded", "{build:#}");
    world.ends().await;
}
