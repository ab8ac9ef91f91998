//! What no webhook told is found by looking at GitHub: built once, removed once, and never because
//! of an answer that is not whole.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use fakes::{Fault, Hook, HookOwner, Matcher, Repository};
use model::build::{BuildOutcome, Purpose};
use model::reconcile::Part;
use model::stage::StageState;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::build::{Build, BuildFilter};
use store::delivery::{Delivery, NewDelivery};
use store::stage::Stage;

use crate::support::{PUBLIC_URL, World, file};

const TOKEN: &str = "ghp_of_the_server";

struct Scene {
    github: fakes::GitHub,
    repository: Repository,
    world: World,
}

impl Scene {
    async fn new(options: PgConnectOptions) -> Self {
        Self::with(options, &file()).await
    }

    /// A repository without a commit, and a server that no webhook reaches.
    async fn with(options: PgConnectOptions, file: &Value) -> Self {
        let github = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        let auth = github::Auth::Token(TOKEN.to_owned().into());
        let client =
            github::GitHub::new(github.url(), auth, Arc::new(|| chrono::DateTime::UNIX_EPOCH));
        let world = World::beside(options, file, Arc::new(client.unwrap())).await;
        Self { github, repository, world }
    }

    /// Time goes by, GitHub is looked at, and the engine does what comes of it.
    async fn look(&self) {
        self.world.pass(TimeDelta::minutes(5)).await;
        self.world.engine.look_around().await.unwrap();
        self.world.settle().await;
    }

    async fn push(&self, branch: &str, message: &str) -> String {
        let sha = self.repository.commit(branch, &[("README.md", message)], message).await;
        sha.unwrap()
    }

    /// A branch with a pull request.
    async fn propose(&self, branch: &str) -> (String, u64) {
        let files = [("README.md", Some("new"))];
        let head = self.repository.commit_on(branch, Some("master"), &files, "New").await.unwrap();
        let number = self.repository.open_pr(branch, "master", "New").await.unwrap();
        (head, number)
    }

    async fn builds(&self) -> Vec<Build> {
        let filter = BuildFilter { limit: 50, ..BuildFilter::default() };
        let mut builds = store::build::list(&mut *self.world.conn().await, &filter).await.unwrap();
        builds.reverse();
        builds
    }

    /// The builds, each as stage and commit.
    async fn built(&self) -> Vec<(String, String)> {
        let shown = |build: Build| {
            let stage = build.stage.map(|stage| stage.to_string()).unwrap_or_default();
            (stage, build.source.commit.to_string())
        };
        self.builds().await.into_iter().map(shown).collect()
    }

    /// Every build ends, as if its work were done.
    async fn finish_all(&self) {
        let mut conn = self.world.conn().await;
        for build in self.builds().await.iter().filter(|build| build.outcome.is_none()) {
            let now = self.world.now();
            store::build::finish(&mut conn, build.id, BuildOutcome::Succeeded, None, now)
                .await
                .unwrap();
        }
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        store::delivery::list(&mut *self.world.conn().await, None, 50).await.unwrap()
    }

    async fn stage(&self, name: &str) -> Stage {
        let (app, name) = (self.world.app.id, name.parse().unwrap());
        let mut conn = self.world.conn().await;
        store::stage::find_latest(&mut conn, app, &name).await.unwrap().unwrap()
    }

    /// The webhook that GitHub would have sent for a push, at last.
    async fn told_late(&self, sha: &str) -> String {
        let body = json!({
            "ref": "refs/heads/master",
            "before": "0".repeat(40),
            "after": sha,
            "head_commit": { "id": sha, "message": "Late", "author": { "name": "ann" } },
            "repository": { "id": 7, "full_name": "acme/workshop", "private": true },
        });
        self.delivered("push", &body).await
    }

    /// The webhook of a commit of a pull request, after all that is known of it, and within the
    /// same second: GitHub's times tell no less.
    async fn proposed_late(&self, branch: &str, number: u64, sha: &str) -> String {
        let (app, known) = (self.world.app.id, i64::try_from(number).unwrap());
        let known = store::pull_request::find(&mut *self.world.conn().await, app, known).await;
        let repository = json!({ "id": 7, "full_name": "acme/workshop", "private": true });
        let body = json!({
            "action": "synchronize",
            "number": number,
            "pull_request": {
                "number": number,
                "title": "New",
                "draft": false,
                "updated_at": known.unwrap().unwrap().changed_at,
                "user": { "login": "ann" },
                "head": { "ref": branch, "sha": sha, "repo": repository },
                "base": { "ref": "master", "sha": "0".repeat(40), "repo": repository },
            },
            "repository": repository,
            "sender": { "login": "ann" },
        });
        self.delivered("pull_request", &body).await
    }

    async fn delivered(&self, event: &str, body: &Value) -> String {
        let new = NewDelivery {
            guid: "late".into(),
            event: event.into(),
            headers: json!({}),
            body: Bytes::from(body.to_string()),
            received_at: self.world.now(),
        };
        let mut conn = self.world.conn().await;
        store::delivery::insert(&mut conn, &[new]).await.unwrap();
        self.world.settle().await;
        let done = store::delivery::find(&mut conn, "late").await.unwrap().unwrap();
        done.reason.unwrap()
    }

    /// Why the last look at this part failed, if it did.
    async fn trouble(&self, part: Part) -> Option<String> {
        let fares = store::reconcile::list(&mut *self.world.conn().await).await.unwrap();
        fares.into_iter().find(|fare| fare.part == part).unwrap().reason
    }
}

fn of(stage: &str, commit: &str) -> (String, String) {
    (stage.to_owned(), commit.to_owned())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_head_that_no_webhook_told_of_is_built_once(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let first = scene.push("master", "First").await;
    scene.look().await;
    scene.look().await;
    assert_eq!(scene.built().await, [of("dev", &first)]);
    let build = scene.builds().await.remove(0);
    assert_eq!((build.source.title.as_str(), build.event.as_str()), ("First", "push"));
    // lost in between, and nobody misses it
    scene.push("master", "Second").await;
    let third = scene.push("master", "Third").await;
    scene.look().await;
    scene.look().await;
    assert_eq!(scene.built().await, [of("dev", &first), of("dev", &third)]);
    assert_eq!(scene.trouble(Part::Branches).await, None);
    assert_eq!(scene.github.unknown_calls().len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_webhook_that_comes_after_the_look_has_nothing_left_to_do(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let head = scene.push("master", "First").await;
    scene.look().await;
    let said = scene.told_late(&head).await;
    assert!(said.starts_with("build 1 has it"), "{said}");
    assert_eq!(scene.built().await, [of("dev", &head)]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_webhook_that_came_first_leaves_nothing_to_the_look(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let head = scene.push("master", "First").await;
    scene.told_late(&head).await;
    scene.look().await;
    assert_eq!(scene.built().await, [of("dev", &head)]);
    assert_eq!(scene.deliveries().await.len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_head_whose_commit_says_so_is_skipped_and_not_asked_for_again(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    scene.push("master", "Only words [skip ci]").await;
    scene.look().await;
    scene.look().await;
    assert_eq!(scene.built().await, []);
    let deliveries = scene.deliveries().await;
    assert_eq!(deliveries.len(), 1);
    let reason = deliveries[0].reason.as_deref().unwrap();
    assert_eq!(reason, "the commit's title says [skip ci]");
    let commits = scene.github.requests().into_iter().filter(|r| r.path.contains("/commits/"));
    assert_eq!(commits.count(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_app_file_does_not_build_what_was_there_before_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    scene.push("master", "Long ago").await;
    scene.propose("feature/old").await;
    // the test's time is behind the commits'
    scene.world.pass(TimeDelta::days(365 * 50)).await;
    scene.world.put(&file()).await;
    scene.look().await;
    assert_eq!(scene.built().await, []);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_branch_without_a_rule_or_with_a_manual_one_is_left_alone(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([{ "branch": "master", "stage": "prod", "trigger": "manual" }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    scene.propose("feature/x").await;
    scene.look().await;
    assert_eq!(scene.built().await, []);
    assert_eq!(scene.deliveries().await.len(), 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_open_pull_request_gets_its_preview_and_each_head_of_it_one_build(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    let (first, number) = scene.propose("feature/x").await;
    scene.look().await;
    scene.look().await;
    assert_eq!(scene.built().await, [of("feature-x", &first)]);
    let build = scene.builds().await.remove(0);
    assert_eq!(build.source.pull_request, Some(i64::try_from(number).unwrap()));
    let second = scene.push("feature/x", "More").await;
    scene.look().await;
    scene.look().await;
    assert_eq!(scene.built().await, [of("feature-x", &first), of("feature-x", &second)]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_head_over_which_an_older_pull_request_of_its_branch_was_built_is_built_again(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    let (first, number) = scene.propose("feature/x").await;
    scene.look().await;
    scene.repository.close_pr(number).await.unwrap();
    let second = scene.push("feature/x", "More").await;
    scene.repository.open_pr("feature/x", "master", "Again").await.unwrap();
    scene.look().await;
    assert_eq!(
        scene.proposed_late("feature/x", number, &first).await,
        "build 3 for the stage feature-x"
    );
    scene.look().await;
    scene.look().await;
    let built = [&first, &second, &first, &second].map(|commit| of("feature-x", commit));
    assert_eq!(scene.built().await, built);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_whose_branch_is_gone_is_removed_once_nothing_is_built_in_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    let (_, number) = scene.propose("feature/x").await;
    scene.look().await;
    scene.repository.close_pr(number).await.unwrap();
    scene.repository.delete_branch("feature/x").await.unwrap();
    scene.look().await;
    let builds = scene.builds().await;
    assert_eq!(builds.len(), 1, "it is being built: {builds:?}");
    scene.finish_all().await;
    scene.look().await;
    scene.look().await;
    let builds = scene.builds().await;
    let purposes: Vec<Purpose> = builds.iter().map(|build| build.purpose).collect();
    assert_eq!(purposes, [Purpose::Deploy, Purpose::Remove]);
    // nothing was ever deployed in it
    assert_eq!(scene.stage("feature-x").await.state, StageState::Closed);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_that_was_closed_unheard_loses_its_preview_if_its_rule_says_so(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    let destroy = "pull-request-closed";
    file["rules"] = json!([{ "preview": { "base": ["master"], "destroy": destroy } }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    let (head, number) = scene.propose("feature/x").await;
    scene.look().await;
    scene.finish_all().await;
    scene.repository.close_pr(number).await.unwrap();
    scene.look().await;
    assert_eq!(scene.builds().await.last().unwrap().purpose, Purpose::Remove);
    // opened again unheard, it is built again though its head is the same
    scene.finish_all().await;
    scene.repository.reopen_pr(number).await.unwrap();
    scene.look().await;
    scene.look().await;
    let builds = scene.builds().await;
    let purposes: Vec<Purpose> = builds.iter().map(|build| build.purpose).collect();
    assert_eq!(purposes, [Purpose::Deploy, Purpose::Remove, Purpose::Deploy]);
    assert_eq!(builds[2].source.commit.as_str(), head);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_that_got_another_base_unheard_comes_under_the_other_rule(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([
        { "preview": { "base": ["master"] } },
        { "preview": { "base": ["next"], "stage_name": { "fixed": "review" } } },
    ]);
    let scene = Scene::with(options, &file).await;
    let base = scene.push("master", "First").await;
    scene.repository.set_branch("next", &base).await.unwrap();
    let (head, number) = scene.propose("feature/x").await;
    scene.look().await;
    scene.finish_all().await;
    scene.repository.edit_pr_base(number, "next").await.unwrap();
    scene.look().await;
    scene.look().await;
    let review: Vec<(String, String)> =
        scene.built().await.into_iter().filter(|(stage, _)| stage == "review").collect();
    assert_eq!(review, [of("review", &head)]);
    assert_eq!(scene.builds().await.last().unwrap().purpose, Purpose::Remove);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_answer_that_is_not_whole_removes_nothing_and_is_told(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] = json!([{ "preview": { "base": ["master"] } }]);
    let scene = Scene::with(options, &file).await;
    scene.push("master", "First").await;
    scene.propose("feature/x").await;
    scene.look().await;
    scene.finish_all().await;
    for path in ["/repos/acme/workshop/branches", "/repos/acme/workshop/pulls"] {
        let fault = Fault::Status { status: 502 };
        scene.github.fail_next(Matcher::path(path), Some(1), fault);
        scene.look().await;
        assert_eq!(scene.builds().await.len(), 1, "{path}");
        let said = scene.trouble(Part::PullRequests).await.unwrap();
        assert_eq!(said, "GitHub cannot be reached: it answers 502");
    }
    // a repository that cannot be seen looks as if it had no branches
    scene.repository.set_granted(false).unwrap();
    scene.look().await;
    assert_eq!(scene.builds().await.len(), 1);
    scene.repository.set_granted(true).unwrap();
    scene.look().await;
    assert_eq!(scene.trouble(Part::PullRequests).await, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_delivery_that_failed_is_asked_for_again_unless_it_is_over(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    scene.github.set_hook(Some(Hook {
        url: format!("{PUBLIC_URL}/webhooks/github"),
        secret: None,
        owner: HookOwner::Repository,
    }));
    scene.push("master", "Over by the time").await;
    let head = scene.push("master", "Now").await;
    scene.github.settle_deliveries().await;
    scene.world.engine.look_around().await.unwrap();
    scene.github.settle_deliveries().await;
    let again: Vec<Value> = scene
        .github
        .deliveries()
        .into_iter()
        .filter(|delivery| delivery.redelivery && delivery.event == "push")
        .map(|delivery| serde_json::from_str(&delivery.payload).unwrap())
        .collect();
    let [payload] = &again[..] else { panic!("one of them: {again:?}") };
    assert_eq!(payload["after"], head.as_str());
    assert_eq!(scene.trouble(Part::Deliveries).await, None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_webhook_of_its_own_a_repository_says_so(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    scene.look().await;
    let said = scene.trouble(Part::Deliveries).await.unwrap();
    assert!(said.starts_with("acme/workshop has no active webhook that points to"), "{said}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_limit_of_githubs_ends_the_look(_pool: PgPoolOptions, options: PgConnectOptions) {
    let scene = Scene::new(options).await;
    scene.push("master", "First").await;
    let fault = Fault::RetryAfter { seconds: 30 };
    scene.github.fail_next(Matcher::path("/repos/acme/workshop/hooks"), Some(1), fault);
    scene.look().await;
    assert_eq!(scene.built().await, []);
    scene.look().await;
    assert_eq!(scene.built().await.len(), 1);
}
