//! What pages tell of things that want looking after: previews and their end, removals that failed,
//! drift, stacks that no stage knows, reconciling; and the promotion of a commit.

use chrono::TimeDelta;
use model::OrphanId;
use model::drift::{DriftStatus, DriftedResource, PropertyDifference, ResourceDrift, StackDrift};
use model::permission::Role;
use model::reconcile::Part;
use model::stage::{Expiry, StageKind};
use model::sweep::{TaggedStack, Why};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::drift::Drift;
use store::orphan::Look;
use store::pull_request::{Heard, PullRequestState};

use crate::page_scene::{Past, Scene, id, shown};
use crate::support::{COMMIT, Server, workshop};

const STAGING: &str = "/apps/workshop/stages/staging";
const PREVIEW: &str = "/apps/workshop/stages/feature-x";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_tells_when_it_ends_and_is_kept_longer_by_a_button(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let mut file = workshop();
    file["rules"][2]["preview"]["expires_after"] = json!("2d");
    file["preview_limit"] = json!(1);
    let scene = Scene::of(&server, &file).await;
    let preview = scene.stage("feature-x", StageKind::Preview).await;
    {
        let mut conn = server.db.acquire().await.unwrap();
        let base = "master".parse().unwrap();
        store::stage::follow(&mut conn, preview.id, Some(12), &base).await.unwrap();
        let expiry = Expiry::of("2d".parse().unwrap(), server.now());
        store::stage::used(&mut conn, preview.id, Some(expiry), server.now()).await.unwrap();
        let heard = Heard {
            number: 13,
            branch: "feature/y".parse().unwrap(),
            base,
            commit: COMMIT.parse().unwrap(),
            title: "One <too> many".into(),
            author: "octocat".into(),
            draft: false,
            state: PullRequestState::Open,
            changed_at: server.now(),
        };
        store::pull_request::note(&mut conn, scene.app.id, &heard).await.unwrap();
        store::pull_request::wait(&mut conn, scene.app.id, 13, server.now()).await.unwrap();
    }
    server.pass(TimeDelta::hours(36));
    let text = shown(&server, "/previews").await;
    for part in [
        "href=\"https://github.com/acme/workshop/pull/12\" rel=\"noreferrer\">#12</a>",
        ">in 12 h</time>",
        "action=\"/apps/workshop/stages/feature-x/extend\"",
        "href=\"/apps/workshop/stages/feature-x/remove\">Remove…</a>",
        "Waiting for a place",
        "One &#60;too&#62; many",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let stage = shown(&server, PREVIEW).await;
    assert!(stage.contains("Removed if nobody needs it"), "{stage}");
    let form = [("back", "previews")];
    let done = server.post(&format!("{PREVIEW}/extend")).form(&form).send().await.unwrap();
    assert_eq!(done.headers()["location"], "/previews");
    assert!(shown(&server, "/previews").await.contains(">in 2 d</time>"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_that_failed_says_what_is_left_and_when_it_is_tried_again(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let preview = scene.stage("feature-x", StageKind::Preview).await;
    scene.past(&preview, "restapi", COMMIT).await;
    let left = "restapi: the bucket <uploads> is not empty";
    let mut conn = server.db.acquire().await.unwrap();
    let retry = server.now() + TimeDelta::minutes(4);
    store::stage::remove_failed(&mut conn, preview.id, left, Some(retry)).await.unwrap();
    drop(conn);
    for path in [PREVIEW, "/previews", "/apps/workshop/stages/feature-x/remove"] {
        let text = shown(&server, path).await;
        assert!(text.contains("the bucket &#60;uploads&#62; is not empty"), "{path}: {text}");
    }
    let stage = shown(&server, PREVIEW).await;
    assert!(stage.contains(">in 4 min</time>"), "{stage}");
    assert!(stage.contains("href=\"/apps/workshop/stages/feature-x/remove\">Try again…</a>"));
}

/// What a look at the stacks of a deploy found.
pub(crate) async fn drifted(server: &Server, past: &Past) {
    let difference = PropertyDifference {
        path: "/Properties/Timeout".into(),
        expected: Some("30".into()),
        actual: Some("<60>".into()),
    };
    let resource = DriftedResource {
        logical_id: "Handler".into(),
        physical_id: Some("restapi-staging-handler".into()),
        resource_type: "AWS::Lambda::Function".into(),
        deed: ResourceDrift::Modified { differences: vec![difference] },
    };
    let drift = Drift {
        instance_id: past.instance,
        looked_at: server.now(),
        build_number: past.build,
        stacks: vec![
            StackDrift {
                stack: "restapi-staging".into(),
                status: DriftStatus::Drifted { resources: vec![resource] },
            },
            StackDrift {
                stack: "restapi-staging-more".into(),
                status: DriftStatus::NotChecked { reason: "the role may not look".into() },
            },
        ],
    };
    let mut conn = server.db.acquire().await.unwrap();
    store::drift::put(&mut conn, &drift).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn drift_is_shown_resource_by_resource(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let staging = scene.stage("staging", StageKind::LongLived).await;
    let past = scene.past(&staging, "restapi", COMMIT).await;
    assert!(shown(&server, STAGING).await.contains("Nobody looked yet."));
    drifted(&server, &past).await;
    let text = shown(&server, STAGING).await;
    for part in [
        "Looked at every 1d, and before each deploy.",
        "drifted</span>",
        "<code>/Properties/Timeout</code>: <del><code>30</code></del> → <ins><code>&#60;60&#62;</code></ins>",
        "not checked</span> <span class=\"sub\">the role may not look</span>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(shown(&server, "/").await.contains("</svg>drifted</span>"));

    let looked = server.post(&format!("{STAGING}/drift")).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::SEE_OTHER);
    let build = shown(&server, looked.headers()["location"].to_str().unwrap()).await;
    assert!(build.contains("<dd>looks, and changes nothing</dd>"), "{build}");
    let (all, looks) =
        (shown(&server, "/builds").await, shown(&server, "/builds?purpose=inspect").await);
    assert!(!all.contains("workshop #2") && looks.contains("workshop #2"), "{looks}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stack_that_no_stage_knows_is_removed_by_its_very_name_and_by_an_admin(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let stack = TaggedStack {
        name: "restapi-feature-gone".into(),
        id: "arn:aws:cloudformation:us-east-1:111111111111:stack/restapi-feature-gone/1".into(),
        region: "us-east-1".parse().unwrap(),
        app: "workshop".into(),
        stage: Some("feature-gone".into()),
        service: Some("restapi".into()),
        build: Some(7),
        status: "CREATE_COMPLETE".into(),
        created_at: None,
        changed_at: None,
    };
    let why = Why::UnknownStage { app: "workshop".into(), stage: stack.stage.clone() };
    let profile = "development".parse().unwrap();
    let orphan = OrphanId(id());
    {
        let mut conn = server.db.acquire().await.unwrap();
        let (app, account, now) = (scene.app.id, "111111111111", server.now());
        let look = Look { app, profile: &profile, account, now };
        store::orphan::seen(&mut conn, orphan, &stack, &why, look).await.unwrap();
        let reason = "GitHub forbids this";
        store::reconcile::failed(&mut conn, Part::Branches, Some(app), reason, now).await.unwrap();
    }
    let system = shown(&server, "/system").await;
    for part in [
        "restapi-feature-gone",
        "app workshop, stage feature-gone, service restapi, build 7",
        "failing</span> workshop: GitHub forbids this",
        "not looked at yet</span>",
    ] {
        assert!(system.contains(part), "{part}: {system}");
    }
    let path = format!("/orphans/{orphan}/remove");
    assert!(system.contains(&path), "{system}");
    let dialog = shown(&server, &path).await;
    for part in [
        "<code class=\"account\">111111111111</code>",
        "<code>arn:aws:iam::111111111111:role/greenroom-deploy</code>",
        "stack/restapi-feature-gone/1",
        "never had a stage feature-gone here",
    ] {
        assert!(dialog.contains(part), "{part}: {dialog}");
    }
    let deployer = server.token(Role::Deployer).await;
    let form = [("confirm", "restapi-feature-gone")];
    let refused = server.post(&path).bearer_auth(&deployer).form(&form).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let wrong = server.post(&path).form(&[("confirm", "restapi")]).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = server.post(&path).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let build = shown(&server, done.headers()["location"].to_str().unwrap()).await;
    assert!(build.contains("remove restapi-feature-gone</span>"), "{build}");
    let swept = server.post("/system/sweep").form(&[("app", "workshop")]).send().await.unwrap();
    assert_eq!(swept.status(), StatusCode::SEE_OTHER);
    let sweep = shown(&server, swept.headers()["location"].to_str().unwrap()).await;
    assert!(sweep.contains("sweep development</span>"), "{sweep}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_promotion_says_which_branch_moves_from_where_to_where(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let github = fakes::GitHub::builder().token("ghp_test").start().await.unwrap();
    let repo = github.repo("acme/workshop");
    repo.create("master").await.unwrap();
    let old = repo.commit("master", &[("README.md", "Hello")], "Begin").await.unwrap();
    repo.set_branch("prod", &old).await.unwrap();
    let new = repo.commit("master", &[("README.md", "World")], "Go on").await.unwrap();
    let server = Server::with_github(pool, options, github.url(), "ghp_test").await;
    let mut file = workshop();
    file["stages"]["prod"] = json!({
        "profile": "development", "promote_from": "staging", "approvers": ["ann"],
    });
    file["rules"].as_array_mut().unwrap().push(json!({ "branch": "prod", "stage": "prod" }));
    let scene = Scene::of(&server, &file).await;
    let staging = scene.stage("staging", StageKind::LongLived).await;
    scene.past(&staging, "restapi", &new).await;

    let stage = shown(&server, "/apps/workshop/stages/prod").await;
    assert!(stage.contains("/stages/prod/promote\">Promote from staging…</a>"), "{stage}");
    let dialog = shown(&server, "/apps/workshop/stages/prod/promote").await;
    let moved = format!(
        "The branch prod of acme/workshop is moved forward from {} to {}.",
        &old[..7],
        &new[..7]
    );
    for part in [
        "<code class=\"account\">111111111111</code>",
        "Promote staging to prod?",
        &moved,
        "it waits for an approval, by ann",
        &format!("https://github.com/acme/workshop/compare/{old}...{new}"),
        "1 commit, from",
    ] {
        assert!(dialog.contains(part), "{part}: {dialog}");
    }
    assert_eq!(repo.head("prod").await.unwrap(), old, "to look moves nothing");
    let form = [("from", "staging"), ("commit", new.as_str())];
    let path = "/apps/workshop/stages/prod/promote";
    let other = [("from", "staging"), ("commit", old.as_str())];
    let refused = server.post(path).form(&other).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT, "another commit than was shown");
    let done = server.post(path).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(repo.head("prod").await.unwrap(), new);
}
