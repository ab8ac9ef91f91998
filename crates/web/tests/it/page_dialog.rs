//! Dialogs: what changes AWS or git is shown with its account and its stacks before it happens, and
//! nothing happens by looking at it.

use model::permission::Role;
use model::stage::StageKind;
use reqwest::{RequestBuilder, StatusCode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::stage::Stage;

use crate::page_scene::{Past, Scene, shown};
use crate::support::{Server, workshop};

const STAGING: &str = "/apps/workshop/stages/staging";
const PREVIEW: &str = "/apps/workshop/stages/feature-x";
const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Staging with two deploys of restapi and one of tasks that is stuck, and a preview.
pub(crate) struct Ground {
    pub(crate) staging: Stage,
    pub(crate) first: Past,
    pub(crate) second: Past,
}

pub(crate) async fn ground(scene: &Scene<'_>) -> Ground {
    let staging = scene.stage("staging", StageKind::LongLived).await;
    let preview = scene.stage("feature-x", StageKind::Preview).await;
    let first = scene.past(&staging, "restapi", OLD).await;
    let stuck = scene.past(&staging, "tasks", OLD).await;
    let second = scene.past(&staging, "restapi", NEW).await;
    scene.past(&preview, "restapi", NEW).await;
    let mut conn = scene.server.db.acquire().await.unwrap();
    let reason = "the stack is UPDATE_ROLLBACK_FAILED";
    store::instance::failed(&mut conn, stuck.instance, reason, scene.server.now()).await.unwrap();
    Ground { staging, first, second }
}

/// Everything that an action could have changed.
async fn rows(server: &Server) -> Vec<String> {
    let tables =
        ["app", "stage", "build", "job", "instance", "deployment", "stage_freeze", "audit"];
    let mut rows = Vec::new();
    for table in tables {
        let sql = format!("select coalesce(jsonb_agg(t order by t), '[]')::text from {table} t");
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(server.db.pool()).await.unwrap();
        rows.push(text);
    }
    rows
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

async fn text(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.header("accept", "text/html").send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Each dialog of the ground, with the account and a stack that it has to name.
fn dialogs(ground: &Ground) -> Vec<(String, &'static str, &'static str)> {
    let deployment = ground.first.deployment;
    [
        (format!("{PREVIEW}/remove"), "111111111111", "restapi-feature-x"),
        (format!("{STAGING}/freeze"), "222222222222", "restapi-staging"),
        (format!("{STAGING}/recover?service=tasks"), "222222222222", "tasks-staging"),
        (
            format!("{STAGING}/rollback?build={}", ground.first.build),
            "222222222222",
            "restapi-staging",
        ),
        (
            format!("{STAGING}/rollback?service=restapi&deployment={deployment}"),
            "222222222222",
            "restapi-staging",
        ),
    ]
    .into()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_dialog_names_account_role_and_stacks_and_nothing_happens_by_reading_it(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let ground = ground(&scene).await;
    let before = rows(&server).await;
    for (path, account, stack) in dialogs(&ground) {
        let text = shown(&server, &path).await;
        let role = format!("arn:aws:iam::{account}:role/greenroom-deploy");
        for part in [
            format!("<code class=\"account\">{account}</code>"),
            format!("<code>{role}</code>"),
            format!("<code>{stack}</code>"),
            "us-east-1".to_owned(),
            "method=\"post\"".to_owned(),
        ] {
            assert!(text.contains(&part), "{path} names {part}: {text}");
        }
    }
    assert_eq!(rows(&server).await, before, "to look changes nothing");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nobody_gets_a_dialog_or_past_it_without_the_right(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let ground = ground(&scene).await;
    let viewer = server.token(Role::Viewer).await;
    let before = rows(&server).await;
    let orphan = "/orphans/00000000-0000-0000-0000-000000000001/remove";
    let mut paths: Vec<String> = dialogs(&ground).into_iter().map(|(path, ..)| path).collect();
    paths.extend(["promote", "unfreeze"].map(|what| format!("{STAGING}/{what}")));
    paths.push(orphan.to_owned());
    let form =
        [("confirm", "feature-x"), ("reason", "why not"), ("service", "tasks"), ("build", "1")];
    for path in &paths {
        let looked = server.get(path).bearer_auth(&viewer);
        assert_eq!(status(looked).await, StatusCode::FORBIDDEN, "{path}");
        let bare = path.split('?').next().unwrap();
        let done = server.post(bare).bearer_auth(&viewer).form(&form);
        assert_eq!(status(done).await, StatusCode::FORBIDDEN, "{path}");
        let foreign = server.post(bare).header("sec-fetch-site", "cross-site").form(&form);
        assert_eq!(status(foreign).await, StatusCode::FORBIDDEN, "{path}, from another site");
    }
    for post in ["extend", "drift"] {
        let path = format!("{PREVIEW}/{post}");
        let done = server.post(&path).bearer_auth(&viewer).form(&form);
        assert_eq!(status(done).await, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(rows(&server).await, before, "nothing was done");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_is_confirmed_by_the_stages_very_name(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    ground(&scene).await;
    let remove = format!("{PREVIEW}/remove");
    let dialog = shown(&server, &remove).await;
    for part in ["value=\"careful\" checked", "value=\"retaining\"", "value=\"forced\""] {
        assert!(dialog.contains(part), "{part}: {dialog}");
    }
    let before = rows(&server).await;
    for wrong in ["", "feature", "yes", "Feature-X"] {
        let (status, text) = text(server.post(&remove).form(&[("confirm", wrong)])).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(text.contains("type feature-x to confirm it; nothing was done"), "{text}");
    }
    assert_eq!(rows(&server).await, before, "nothing was done");

    let form = [("confirm", "feature-x"), ("how", "retaining")];
    let done = server.post(&remove).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let build = shown(&server, done.headers()["location"].to_str().unwrap()).await;
    assert!(build.contains("<dt>For</dt><dd>removal</dd>"), "{build}");
    let (status, again) = text(server.get(&remove)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(again.contains("is being removed already"), "{again}");
    let (status, long_lived) = text(server.get(&format!("{STAGING}/remove"))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(long_lived.contains("long-lived"), "{long_lived}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_says_what_it_does_not_undo(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let ground = ground(&scene).await;
    let whole = format!("{STAGING}/rollback?build={}", ground.first.build);
    let text = shown(&server, &whole).await;
    let (_, not_undone) = text.split_once("What a rollback does not undo").unwrap();
    for part in ["Data.", "plugins and commands did outside the stack", "Deleted resources."] {
        assert!(not_undone.contains(part), "{part}: {not_undone}");
    }
    // from which commit to which, and what stays
    assert!(text.contains("<td class=\"whole\"><code>bbbbbbb</code></td>"), "{text}");
    let then = format!(
        "<code class=\"whole\">aaaaaaa</code> of <a href=\"/apps/workshop/builds/{0}\">build {0}</a>",
        ground.first.build
    );
    assert!(text.contains(&then), "{text}");
    assert!(text.contains("it was not there then: it is left as it is"), "{text}");
    assert!(text.contains("name=\"freeze\""), "it offers to freeze the stage: {text}");

    // the way there: the history, and the list of builds that left the stage whole
    let stage = shown(&server, STAGING).await;
    let link = format!("rollback?service=restapi&#38;deployment={}", ground.first.deployment);
    assert!(stage.contains(&link), "{stage}");
    let current = format!("deployment={}\"", ground.second.deployment);
    assert!(!stage.contains(&current), "what is there now is nothing to go back to: {stage}");
    let choice = shown(&server, &format!("{STAGING}/rollback")).await;
    assert!(choice.contains(&format!("rollback?build={}\"", ground.first.build)), "{choice}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_is_carried_out_and_freezes_the_stage_if_it_is_asked_to(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    let ground = ground(&scene).await;
    let path = format!("{STAGING}/rollback");
    let deployment = ground.first.deployment.to_string();
    let mut form = vec![("service", "restapi"), ("deployment", &deployment), ("freeze", "true")];
    let (refused, text) = text(server.post(&path).form(&form)).await;
    assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY, "a freeze needs a reason: {text}");

    form.extend([("reason", "it lost orders"), ("until", "2999-01-31T18:00")]);
    let done = server.post(&path).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let build = shown(&server, done.headers()["location"].to_str().unwrap()).await;
    assert!(build.contains("<dt>For</dt><dd>rollback</dd>"), "{build}");
    assert!(build.contains("rollback to aaaaaaa</span>"), "{build}");
    assert!(!build.contains(">Rerun<"), "it is no build of a commit: {build}");
    let stage = shown(&server, STAGING).await;
    assert!(stage.contains("until 2999-01-31 18:00:00 UTC: it lost orders"), "{stage}");
    assert!(shown(&server, "/").await.contains(">frozen</span>"));
    let mut conn = server.db.acquire().await.unwrap();
    assert!(store::freeze::of(&mut conn, ground.staging.id).await.unwrap().is_some());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_is_frozen_and_unfrozen_by_its_dialogs(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    ground(&scene).await;
    let post = |what: &str, form: &'static [(&str, &str)]| {
        server.post(&format!("{STAGING}/{what}")).form(form)
    };
    let refused = [
        post("freeze", &[("reason", " ")]),
        post("freeze", &[("reason", "sales"), ("until", "tomorrow")]),
        post("freeze", &[("reason", "sales"), ("until", "1999-12-31T23:59")]),
    ];
    for request in refused {
        assert_eq!(status(request).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let done = post("freeze", &[("reason", "<sales>"), ("until", "")]).send().await.unwrap();
    assert_eq!(done.headers()["location"], STAGING);
    let stage = shown(&server, STAGING).await;
    assert!(stage.contains("until somebody unfreezes it: &#60;sales&#62;"), "{stage}");
    let dialog = shown(&server, &format!("{STAGING}/unfreeze")).await;
    assert!(dialog.contains("Frozen by someone on this machine"), "{dialog}");
    let deployer = server.token(Role::Deployer).await;
    let looked = server.get(&format!("{STAGING}/unfreeze")).bearer_auth(&deployer);
    assert_eq!(status(looked).await, StatusCode::FORBIDDEN, "somebody else's freeze");
    let theirs = server.get(STAGING).bearer_auth(&deployer).send().await.unwrap();
    assert!(!theirs.text().await.unwrap().contains("Unfreeze…"), "so there is no button either");
    assert_eq!(status(post("unfreeze", &[])).await, StatusCode::SEE_OTHER);
    assert!(!shown(&server, STAGING).await.contains("<strong>Frozen</strong>"));
    let nothing = server.get(&format!("{STAGING}/unfreeze"));
    assert_eq!(status(nothing).await, StatusCode::CONFLICT);

    let audit = shown(&server, "/audit").await;
    let (latest, earlier) = audit.split_once("unfroze a stage").unwrap();
    assert!(!latest.contains("froze a stage"), "newest first: {audit}");
    assert!(earlier.contains("froze a stage"), "{audit}");
    assert!(audit.contains("reason: &#60;sales&#62;"), "{audit}");
    let viewer = server.token(Role::Viewer).await;
    let peek = server.get("/audit").bearer_auth(&viewer);
    assert_eq!(status(peek).await, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stuck_stack_is_recovered_with_the_resources_to_skip(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let scene = Scene::of(&server, &workshop()).await;
    ground(&scene).await;
    let stage = shown(&server, STAGING).await;
    let link = "/recover?service=tasks&#38;region=us-east-1";
    assert!(stage.contains(link), "{stage}");
    let path = format!("{STAGING}/recover");
    let fine = text(server.get(&format!("{path}?service=restapi"))).await;
    assert_eq!(fine.0, StatusCode::CONFLICT);
    assert!(fine.1.contains("nothing is stuck"), "{}", fine.1);
    let form = [("service", "tasks"), ("region", "us-east-1"), ("skip", "Table, Api")];
    let done = server.post(&path).form(&form).send().await.unwrap();
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let build = shown(&server, done.headers()["location"].to_str().unwrap()).await;
    assert!(build.contains("<dt>For</dt><dd>recovery of a stuck stack</dd>"), "{build}");
    assert!(build.contains("recover</span>"), "{build}");
}
