//! What people ask for in comments: done once, by those who may, and answered; whatever GitHub says
//! meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use fakes::{Fault, Matcher, Repository};
use model::approval::ApprovalState;
use model::build::{BuildEvent, Purpose};
use model::comment::command::Reaction;
use model::plan::Findings;
use model::stage::{StageKind, StageState};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::audit::{About, Filter, Via};
use store::build::{Build, BuildFilter};
use store::delivery::NewDelivery;
use store::outbox::{CommentWish, ReactionWish, Wish};
use store::stage::Stage;

use crate::gates::waiting_with;
use crate::previews::work;
use crate::support::{World, file, id, service};

const TOKEN: &str = "ghp_of_the_server";
const BRANCH: &str = "feature/x";

struct Scene {
    github: fakes::GitHub,
    repository: Repository,
    world: World,
    /// The pull request, and its head.
    number: u64,
    head: String,
}

impl Scene {
    /// A pull request that GitHub has, and the server has heard of and deployed.
    async fn new(options: PgConnectOptions) -> Self {
        let mut file = file();
        file["stages"]["prod"]["approvers"] = json!(["ann", "acme/release"]);
        file["rules"] = json!([
            { "branch": "release", "stage": "prod" },
            { "preview": { "base": ["master"], "expires_after": "7d" } },
        ]);
        let scene = Self::with(options, &file).await;
        scene.told("opened", scene.number, BRANCH, &scene.head, scene.world.now()).await;
        work(&scene.world).await;
        scene
    }

    async fn with(options: PgConnectOptions, file: &Value) -> Self {
        let github = fakes::GitHub::builder().token(TOKEN).start().await.unwrap();
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        repository.commit("master", &[("README.md", "hello")], "First").await.unwrap();
        let changed = [("README.md", Some("hi"))];
        let head = repository.commit_on(BRANCH, Some("master"), &changed, "Hi").await.unwrap();
        let number = repository.open_pr(BRANCH, "master", "Say hi").await.unwrap();
        for (login, right) in [("ada", "write"), ("eve", "read"), ("ann", "write")] {
            github.set_right("acme/workshop", login, Some(right));
        }
        let auth = github::Auth::Token(TOKEN.to_owned().into());
        let client = github::GitHub::new(github.url(), auth, Arc::new(|| DateTime::UNIX_EPOCH));
        let world = World::beside(options, file, Arc::new(client.unwrap())).await;
        Self { github, repository, world, number, head }
    }

    async fn delivered(&self, guid: &str, event: &str, body: &Value) -> String {
        let new = NewDelivery {
            guid: guid.to_owned(),
            event: event.into(),
            headers: json!({}),
            body: Bytes::from(body.to_string()),
            received_at: DateTime::UNIX_EPOCH,
        };
        store::delivery::insert(&mut *self.world.conn().await, &[new]).await.unwrap();
        self.world.settle().await;
        let mut conn = self.world.conn().await;
        let done = store::delivery::find(&mut conn, guid).await.unwrap().unwrap();
        done.reason.unwrap_or_default()
    }

    /// GitHub tells of a pull request.
    async fn told(&self, action: &str, number: u64, branch: &str, sha: &str, at: DateTime<Utc>) {
        let repository = json!({ "id": 7, "full_name": "acme/workshop", "private": true });
        let body = json!({
            "action": action,
            "number": number,
            "pull_request": {
                "number": number, "title": "Say hi", "draft": false, "updated_at": at,
                "user": { "login": "ann" },
                "head": { "ref": branch, "sha": sha, "repo": repository },
                "base": { "ref": "master", "sha": "0".repeat(40), "repo": repository },
            },
            "repository": repository,
            "sender": { "login": "ann" },
        });
        self.delivered(&id().to_string(), "pull_request", &body).await;
    }

    /// The webhook of a comment that somebody writes now.
    fn comment(&self, id: u64, login: &str, number: u64, body: &str) -> Value {
        json!({
            "action": "created",
            "issue": { "number": number, "pull_request": {} },
            "comment": {
                "id": id, "body": body, "created_at": self.world.now(),
                "user": { "id": self.github.user(login).id, "login": login, "type": "User" },
            },
            "repository": { "id": 7, "full_name": "acme/workshop", "private": true },
        })
    }

    /// Somebody writes a comment, and it is acted upon; what came of its lines.
    async fn says(&self, login: &str, body: &str) -> Vec<String> {
        self.says_on(self.number, login, body).await
    }

    async fn says_on(&self, number: u64, login: &str, body: &str) -> Vec<String> {
        let comment = self.repository.comment_as(login, number, body).unwrap();
        let webhook = self.comment(comment, login, number, body);
        self.delivered(&id().to_string(), "issue_comment", &webhook).await;
        self.act().await;
        self.answers(comment).await
    }

    async fn act(&self) {
        while self.world.engine.comments().await.unwrap() == engine::Progress::Made {}
        self.world.settle().await;
    }

    /// `done: …`, by line; nothing while it has no answer.
    async fn answers(&self, comment: u64) -> Vec<String> {
        let rows: Vec<(Option<Value>,)> =
            sqlx::query_as("select answers from issue_comment where github_id = $1")
                .bind(i64::try_from(comment).unwrap())
                .fetch_all(&mut *self.world.conn().await)
                .await
                .unwrap();
        let answers = rows.into_iter().filter_map(|(answers,)| answers);
        answers
            .flat_map(|answers| answers.as_array().cloned().unwrap())
            .map(|answer| {
                let why = answer.get("what").or_else(|| answer.get("why")).unwrap();
                format!("{}: {}", answer["answer"].as_str().unwrap(), why.as_str().unwrap())
            })
            .collect()
    }

    async fn wishes(&self) -> Vec<Wish> {
        let later = self.world.now() + TimeDelta::days(400);
        let mut conn = self.world.conn().await;
        let rows = store::outbox::due(&mut conn, later, 1_000).await.unwrap();
        rows.into_iter().map(|row| row.wish).collect()
    }

    async fn reactions(&self) -> Vec<Reaction> {
        let wishes = self.wishes().await.into_iter();
        let found = wishes.filter_map(|wish| match wish {
            Wish::Reaction(ReactionWish { content, .. }) => Some(content),
            Wish::Comment(_) | Wish::Status(_) | Wish::Deployment(_) => None,
        });
        found.collect()
    }

    async fn told_on(&self, number: u64) -> String {
        let number = i64::try_from(number).unwrap();
        let wishes = self.wishes().await.into_iter();
        let mut found = wishes.filter_map(|wish| match wish {
            Wish::Comment(CommentWish { pull_request, body, .. }) => {
                (pull_request == number).then_some(body)
            }
            Wish::Reaction(_) | Wish::Status(_) | Wish::Deployment(_) => None,
        });
        found.next().unwrap_or_default()
    }

    async fn builds(&self) -> Vec<Build> {
        let filter = BuildFilter { limit: 50, ..BuildFilter::default() };
        let mut builds = store::build::list(&mut *self.world.conn().await, &filter).await.unwrap();
        builds.reverse();
        builds
    }

    async fn preview(&self) -> Stage {
        let name = "feature-x".parse().unwrap();
        let mut conn = self.world.conn().await;
        store::stage::find_latest(&mut conn, self.world.app.id, &name).await.unwrap().unwrap()
    }

    /// What was done by comments: who, what, why.
    async fn audit(&self) -> Vec<(String, String, Value)> {
        let filter = Filter { about: About::All, before: None, limit: 50 };
        let kept = store::audit::list(&mut *self.world.conn().await, &filter).await.unwrap();
        let entries = kept.into_iter().map(|kept| kept.entry);
        entries
            .filter(|entry| entry.via == Via::Comment)
            .map(|entry| (entry.who, entry.deed.as_str().to_owned(), entry.detail))
            .collect()
    }

    /// A build of prod that waits for an approval, of this commit.
    async fn waiting(&self, commit: &str) -> model::BuildId {
        let prod = self.world.stage("prod", StageKind::LongLived).await;
        let mut order = self.world.order(prod, 'a');
        order.source.commit = commit.parse().unwrap();
        let findings = Findings { services: vec![service("restapi")], ..Findings::default() };
        waiting_with(&self.world, order, findings).await
    }

    async fn approval(&self, build: model::BuildId) -> (ApprovalState, Option<String>) {
        let mut conn = self.world.conn().await;
        let kept = store::approval::of_build(&mut conn, build).await.unwrap().pop().unwrap();
        (kept.approval.state, kept.approval.decided_by)
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_may_has_the_preview_deployed_again_and_is_answered(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let said = scene.says("ada", "thanks!\n/greenroom redeploy restapi\n/greenroom deploy").await;
    assert_eq!(
        said,
        ["done: build 2 for the stage feature-x", "done: build 3 for the stage feature-x"]
    );
    let builds = scene.builds().await;
    let [_, forced, plain] = builds.as_slice() else { panic!("{builds:?}") };
    assert_eq!(
        (forced.event, forced.purpose, forced.forced),
        (BuildEvent::Manual, Purpose::Deploy, true)
    );
    assert_eq!(forced.services, Some(["restapi".parse().unwrap()].into()));
    assert_eq!((plain.forced, &plain.services), (false, &None));
    assert_eq!(plain.source.commit.as_str(), scene.head);
    assert_eq!((plain.source.title.as_str(), plain.source.author.as_str()), ("Say hi", "ada"));
    assert_eq!(plain.source.pull_request, Some(1));
    assert_eq!(scene.reactions().await, [Reaction::PlusOne]);
    let told = scene.told_on(1).await;
    assert!(told.contains("<code>redeploy restapi</code> by <code>ada</code>"), "{told}");
    assert!(told.contains("done: <code>build 3 for the stage feature-x</code>"), "{told}");
    let audit = scene.audit().await;
    let deeds: Vec<_> = audit.iter().map(|(who, deed, _)| (who.as_str(), deed.as_str())).collect();
    assert_eq!(deeds, [("ada", "start"), ("ada", "start")]);
    assert_eq!(
        (&audit[0].2["source"], &audit[1].2["forced"]),
        (&json!("comment on #1"), &json!(true))
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_may_not_is_refused_and_a_stranger_does_not_fill_the_comment(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let said = scene.says("eve", "/greenroom deploy").await;
    let why = "eve has the role viewer in workshop; this needs deployer or admin";
    assert_eq!(said, [format!("refused: {why}")]);
    assert!(scene.told_on(1).await.contains(&format!("**refused**: <code>{why}</code>")));
    let said = scene.says("mallory", "/greenroom remove\n/greenroom help").await;
    assert!(said[0].contains("mallory has no role") && said[1].starts_with("refused"), "{said:?}");
    assert!(!scene.told_on(1).await.contains("mallory"));
    let said = scene.says("eve", "/greenroom help\n/greenroom dance").await;
    assert!(said[0].starts_with("done: there is /greenroom deploy"), "{said:?}");
    assert!(said[1].starts_with("not_understood: \"dance\""), "{said:?}");
    let expected = [Reaction::MinusOne, Reaction::MinusOne, Reaction::Confused];
    assert_eq!(scene.reactions().await, expected);
    assert_eq!(scene.builds().await.len(), 1);
    assert_eq!(scene.audit().await, []);
    // an account that took over a login is another one
    let mut webhook = scene.comment(999, "ada", 1, "/greenroom deploy");
    webhook["comment"]["user"]["id"] = json!(4);
    scene.delivered("other", "issue_comment", &webhook).await;
    scene.act().await;
    assert_eq!(scene.answers(999).await.len(), 1);
    assert!(scene.answers(999).await[0].contains("ada has no role"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_comment_has_one_effect_however_often_it_comes(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let comment = scene.repository.comment_as("ada", 1, "/greenroom deploy").unwrap();
    let webhook = scene.comment(comment, "ada", 1, "/greenroom deploy");
    let said = scene.delivered("one", "issue_comment", &webhook).await;
    assert_eq!(said, "ada asks on pull request #1: deploy");
    // the App's webhook and the repository's own may both tell of it; and it may be replayed
    let said = scene.delivered("two", "issue_comment", &webhook).await;
    assert!(said.starts_with("replayed: the comment was taken before"), "{said}");
    scene.act().await;
    store::delivery::replay(&mut *scene.world.conn().await, "one").await.unwrap();
    scene.world.settle().await;
    scene.act().await;
    assert_eq!(scene.builds().await.len(), 2);
    assert_eq!(scene.audit().await.len(), 1);
    assert_eq!(scene.reactions().await, [Reaction::PlusOne]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_asks_for_nothing_ends_with_the_reason(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    for (body, says) in [
        ("looks good", "no line of it begins with /greenroom"),
        ("> /greenroom deploy", "no line of it begins with /greenroom"),
        ("<!-- greenroom:workshop:pr -->\n/greenroom deploy", "this server's own"),
    ] {
        let webhook = scene.comment(50, "ada", 1, body);
        let said = scene.delivered(&id().to_string(), "issue_comment", &webhook).await;
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(scene.world.engine.comments().await.unwrap(), engine::Progress::None);
    assert!(scene.reactions().await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn while_github_is_away_nothing_is_lost_and_nothing_overtakes(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let path = "/repos/acme/workshop/collaborators";
    scene.github.fail_next(Matcher::path(path), Some(1), Fault::Status { status: 502 });
    let first = scene.repository.comment_as("ada", 1, "/greenroom extend").unwrap();
    let webhook = scene.comment(first, "ada", 1, "/greenroom extend");
    scene.delivered("one", "issue_comment", &webhook).await;
    let second = scene.says("ada", "/greenroom deploy").await;
    assert!(second.is_empty() && scene.answers(first).await.is_empty(), "{second:?}");
    let troubled = store::issue_comment::troubled(&mut *scene.world.conn().await, 9).await.unwrap();
    assert!(troubled[0].error.contains("it answers 502"), "{troubled:?}");
    scene.world.pass(TimeDelta::minutes(1)).await;
    scene.act().await;
    assert!(scene.answers(first).await[0].starts_with("done: the preview feature-x is kept until"));
    assert_eq!(scene.builds().await.len(), 2);

    // a right that we lack is asked for again and again, and after a day that is enough
    scene.github.fail_next(Matcher::path(path), None, Fault::Status { status: 403 });
    let third = scene.repository.comment_as("ada", 1, "/greenroom deploy").unwrap();
    let webhook = scene.comment(third, "ada", 1, "/greenroom deploy");
    scene.delivered("three", "issue_comment", &webhook).await;
    scene.act().await;
    assert!(scene.answers(third).await.is_empty());
    scene.world.pass(TimeDelta::hours(25)).await;
    scene.act().await;
    let said = scene.answers(third).await;
    assert!(said[0].starts_with("refused: it was given up: GitHub forbids this"), "{said:?}");
    assert_eq!(scene.builds().await.len(), 2);
    scene.github.reset_faults();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_comes_days_after_it_was_written_is_not_done_any_more(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let webhook = scene.comment(70, "ada", 1, "/greenroom remove");
    scene.world.pass(TimeDelta::hours(25)).await;
    scene.delivered("late", "issue_comment", &webhook).await;
    scene.act().await;
    let said = scene.answers(70).await;
    assert!(said[0].contains("more than a day after it was written: write it again"), "{said:?}");
    assert_eq!(scene.preview().await.state, StageState::Active);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_is_kept_longer_removed_and_had_again(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let before = scene.preview().await.expires_at.unwrap();
    let said = scene.says("ada", "/greenroom extend 30").await;
    let kept = scene.preview().await;
    assert!(kept.expires_at.unwrap() > before + TimeDelta::days(22), "{said:?}");
    assert!(scene.told_on(1).await.contains(&format!(
        "<sub>Removed with the branch, or on {}",
        kept.expires_at.unwrap().format("%Y-%m-%d")
    )));
    let said = scene.says("ada", "/greenroom remove").await;
    assert_eq!(said, ["done: build 2 removes the preview feature-x"]);
    assert_eq!(scene.preview().await.state, StageState::Removing);
    let said = scene.says("ada", "/greenroom remove\n/greenroom extend").await;
    assert_eq!(said[0], "refused: feature-x is being removed already");
    assert!(said[1].starts_with("refused: feature-x is being removed"), "{said:?}");
    work(&scene.world).await;
    assert_eq!(scene.preview().await.state, StageState::Closed);
    let said = scene.says("ada", "/greenroom remove").await;
    assert_eq!(said, ["refused: the pull request 1 has no preview"]);
    assert!(scene.told_on(1).await.contains("has no preview"));
    let said = scene.says("ada", "/greenroom deploy").await;
    assert_eq!(said, ["done: build 3 for the stage feature-x"]);
    assert_eq!(scene.preview().await.state, StageState::Active);
    // a closed pull request has nothing to deploy
    scene.repository.close_pr(1).await.unwrap();
    let said = scene.says("ada", "/greenroom deploy").await;
    assert!(said[0].starts_with("refused: the pull request is closed"), "{said:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_fork_s_pull_request_and_one_without_a_rule_are_told_why_not(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let fork = scene.repository.fork("stranger/workshop").await.unwrap();
    // called as a branch of ours that has a preview
    let changed = [("README.md", Some("mine"))];
    fork.commit_on(BRANCH, Some("master"), &changed, "Mine").await.unwrap();
    let pull = fakes::NewPull {
        head: BRANCH.into(),
        base: "master".into(),
        title: "Mine".into(),
        body: None,
        draft: false,
        head_repo: Some("stranger/workshop".into()),
    };
    let number = scene.repository.open(pull).await.unwrap();
    let all = "/greenroom deploy\n/greenroom remove\n/greenroom extend\n/greenroom approve";
    let said = scene.says_on(number, "ada", all).await;
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|answer| answer.contains("comes from a fork")), "{said:?}");
    // it was never built, and has a comment for the answers alone
    let told = scene.told_on(number).await;
    assert!(told.starts_with("<!-- greenroom:workshop:pr -->\n### No preview;"), "{told}");
    assert!(told.contains("comes from a fork"), "{told}");

    scene.repository.commit_on("other", Some("master"), &changed, "x").await.unwrap();
    let number = scene.repository.open_pr("other", BRANCH, "Onto another").await.unwrap();
    let said = scene.says_on(number, "ada", "/greenroom deploy").await;
    assert_eq!(said, ["refused: no preview rule for pull requests against feature/x"]);
    assert_eq!(scene.preview().await.state, StageState::Active);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approval_is_bound_to_the_head_as_its_author_saw_it(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let build = scene.waiting(&scene.head).await;
    let short = &scene.head[..7];
    // ada may deploy, and the stage does not name her
    let said = scene.says("ada", "/greenroom approve").await;
    assert!(said[0].contains("ada (the role deployer) may not decide about deploys to prod"));
    let said = scene.says("ann", "/greenroom approve 1234567").await;
    assert!(said[0].contains(&format!("the newest commit is {short}, not 1234567")), "{said:?}");
    let said = scene.says("ann", "/greenroom approve staging").await;
    assert_eq!(said, [format!("refused: nothing of {short} waits to be approved for staging")]);
    assert_eq!(scene.approval(build).await, (ApprovalState::Waiting, None));

    // a push that nobody has told of yet
    let changed = [("README.md", Some("more"))];
    let newer = scene.repository.commit_on(BRANCH, None, &changed, "More").await.unwrap();
    let said = scene.says("ann", "/greenroom approve").await;
    let why = format!("{} was pushed after this was written", &newer[..7]);
    assert!(said[0].contains(&why), "{said:?}");
    // and one in the very second of the comment
    let webhook = scene.comment(77, "ann", 1, "/greenroom approve");
    let written = webhook["comment"]["created_at"].as_str().unwrap().parse().unwrap();
    scene.told("synchronize", 1, BRANCH, &newer, written).await;
    scene.delivered("same", "issue_comment", &webhook).await;
    scene.act().await;
    assert!(scene.answers(77).await[0].contains(&why));
    assert_eq!(scene.approval(build).await, (ApprovalState::Waiting, None), "nothing is approved");

    // what waits of the newest commit
    work(&scene.world).await;
    let newest = scene.waiting(&newer).await;
    let said = scene.says("ann", &format!("/greenroom approve {}", &newer[..9])).await;
    let number = scene.world.build(newest).await.number;
    let done = format!("done: build {number} of {} is approved for prod", &newer[..7]);
    assert_eq!(said, [done]);
    assert_eq!(scene.approval(newest).await, (ApprovalState::Approved, Some("ann".into())));
    let said = scene.says("ann", "/greenroom approve").await;
    assert!(said[0].starts_with("refused:"), "{said:?}");
    let audit = scene.audit().await;
    assert_eq!((audit.len(), audit[0].1.as_str()), (1, "approve"));
    assert_eq!(audit[0].2["commit"], json!(newer));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_is_in_a_team_that_the_stage_names_may_approve(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::new(options).await;
    let build = scene.waiting(&scene.head).await;
    // while GitHub does not say who is in the team nobody is refused for not being in it
    let teams = Matcher::path("/orgs/acme/teams");
    scene.github.set_member("acme/release", "ada", true);
    scene.github.fail_next(teams, Some(1), Fault::Status { status: 502 });
    let said = scene.says("ada", "/greenroom approve").await;
    assert!(said.is_empty(), "{said:?}");
    scene.world.pass(TimeDelta::minutes(1)).await;
    scene.act().await;
    assert_eq!(scene.approval(build).await, (ApprovalState::Approved, Some("ada".into())));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_that_another_pull_request_is_shown_in_is_not_removed(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut file = file();
    file["rules"] =
        json!([{ "preview": { "base": ["master"], "stage_name": { "fixed": "review" } } }]);
    let scene = Scene::with(options, &file).await;
    let changed = [("README.md", Some("other"))];
    let other = scene.repository.commit_on("y", Some("master"), &changed, "y").await.unwrap();
    let second = scene.repository.open_pr("y", "master", "y").await.unwrap();
    scene.told("opened", 1, BRANCH, &scene.head, scene.world.now()).await;
    scene.told("opened", second, "y", &other, scene.world.now()).await;
    work(&scene.world).await;
    let said = scene.says("ada", "/greenroom remove").await;
    assert!(said[0].contains("number 2 is shown in review too"), "{said:?}");
    let said = scene.says("ada", "/greenroom extend").await;
    assert!(said[0].contains("does not expire"), "{said:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_pull_request_that_nobody_told_of_is_deployed_all_the_same(
    _pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let scene = Scene::with(options, &file()).await;
    let said = scene.says("ada", "/greenroom approve\n/greenroom deploy").await;
    assert!(said[0].contains("it is not known which commit was the newest"), "{said:?}");
    assert_eq!(said[1], "done: build 1 for the stage feature-x");
    let mut conn = scene.world.conn().await;
    let known = store::pull_request::find(&mut conn, scene.world.app.id, 1).await.unwrap();
    assert_eq!(known.unwrap().commit.as_str(), scene.head);
}
