//! The settings of an app on their pages: read, changed in two steps, kept in a history, and never
//! with the value of a secret.

use model::permission::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::page_scene::shown;
use crate::support::{Server, answer, workshop};

const SETTINGS: &str = "/apps/workshop/settings";

/// The value of a hidden field.
fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let begin = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&begin).unwrap_or_else(|| panic!("no field {name}: {page}")).1;
    rest.split_once('"').unwrap().0
}

async fn post(server: &Server, path: &str, form: &[(&str, &str)]) -> (StatusCode, String) {
    let answer = server.post(path).form(form).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// The file as the page offers it.
async fn file(server: &Server) -> String {
    shown(server, &format!("{SETTINGS}/app.yml")).await
}

async fn revisions(server: &Server, token: &str) -> Vec<Value> {
    let (status, list) =
        answer(server.get("/api/v1/apps/workshop/revisions").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["revisions"].as_array().unwrap().clone()
}

/// What a text would change; the page that asks.
async fn review(server: &Server, text: &str, revision: i64) -> String {
    let revision = revision.to_string();
    let form = [("text", text), ("revision", revision.as_str())];
    let (status, page) = post(server, &format!("{SETTINGS}/edit"), &form).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page
}

async fn save(server: &Server, page: &str) -> (StatusCode, String) {
    post(server, &format!("{SETTINGS}/save"), &[("draft", hidden(page, "draft"))]).await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_may_only_read_sees_no_secret_and_no_form(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    server.workshop().await;
    for role in [Role::Viewer, Role::Deployer] {
        let token = server.token(role).await;
        let get = async |path: &str| {
            let answer = server.get(path).bearer_auth(&token).send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        };
        let (status, page) = get(SETTINGS).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for part in ["arn:aws:iam::222222222222:role/greenroom-deploy", "secret, set <time", "v*"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for hidden in ["s3cr3t-value", "/settings/edit", "Change…", "Add a rule", "Remove…"] {
            assert!(!page.contains(hidden), "{hidden}: {page}");
        }
        for path in ["edit", "parameter?place=profiles.development", "rule"] {
            let (status, _) = get(&format!("{SETTINGS}/{path}")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
        for path in ["edit", "save", "again", "parameter", "rule", "history/1/restore"] {
            let refused = server.post(&format!("{SETTINGS}/{path}")).bearer_auth(&token);
            let status = refused.form(&[("text", "")]).send().await.unwrap().status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
        let (status, history) = get(&format!("{SETTINGS}/history/1")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!history.contains("Bring this back") && !history.contains("s3cr3t-value"));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_change_is_shown_first_and_saved_second(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let editor = shown(&server, &format!("{SETTINGS}/edit")).await;
    assert_eq!(hidden(&editor, "revision"), "1");
    let before = file(&server).await;
    assert!(before.contains("key: { secret: }"), "{before}");
    let text = before
        .replace("default_profile: development", "default_profile: development\r\nconcurrency: 3");
    let page = review(&server, &text, 1).await;
    for part in ["Save as revision 2 of workshop", "<code>concurrency</code>", "added</span>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(file(&server).await, before, "to look changes nothing");
    assert_eq!(revisions(&server, &admin).await.len(), 1);

    let (status, _) = save(&server, &page).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let after = file(&server).await;
    assert!(after.contains("concurrency: 3"), "{after}");
    let kept = revisions(&server, &admin).await;
    assert_eq!(kept[0]["number"], 2);
    assert_eq!(kept[0]["via"], "page");
    assert_eq!(kept[0]["by"], "someone on this machine");
    assert_eq!(
        kept[0]["changes"],
        json!([{ "path": "concurrency", "from": null, "to": "3" }]),
        "the secret has kept its value"
    );
    assert_eq!(kept[1]["via"], "api");
    let (_, audit) = answer(server.get("/api/v1/audit?app=workshop").bearer_auth(&admin)).await;
    assert_eq!(audit["entries"][0]["action"], "apply");
    assert_eq!(audit["entries"][0]["detail"]["changes"], json!(["+ concurrency: 3"]));

    let same = review(&server, &after, 2).await;
    assert!(same.contains("Nothing changes") && !same.contains("Save as revision"), "{same}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn mistakes_come_back_with_their_lines_and_with_what_was_typed(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    server.workshop().await;
    let text = file(&server).await.replace("region: us-east-1", "region: <mars>");
    let form = [("text", text.as_str()), ("revision", "1")];
    let (status, page) = post(&server, &format!("{SETTINGS}/edit"), &form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["2 things to mend", "profiles.development.region", "line ", "&#60;mars&#62;"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<mars>"), "{page}");

    let other = file(&server).await.replace("app: workshop", "app: other");
    let (status, page) =
        post(&server, &format!("{SETTINGS}/edit"), &[("text", &other), ("revision", "1")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("an app keeps its name"), "{page}");

    let secret = file(&server).await.replace("env: dev", "env: dev\n      new: { secret: }");
    let form = [("text", secret.as_str()), ("revision", "1")];
    let (status, page) = post(&server, &format!("{SETTINGS}/edit"), &form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("no value is stored for this secret yet"), "{page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_change_meanwhile_refuses_the_first_and_loses_nothing(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let mine = file(&server).await.replace("env: dev", "env: mine");
    let page = review(&server, &mine, 1).await;
    let mut theirs = workshop();
    theirs["concurrency"] = json!(7);
    assert_eq!(server.apply(&admin, &theirs).await.0, StatusCode::OK);

    let (status, conflict) = save(&server, &page).await;
    assert_eq!(status, StatusCode::CONFLICT);
    for part in [
        "changed these settings",
        "<code>concurrency</code>",
        "<code>profiles.development.parameters.env</code>",
        "env: mine",
    ] {
        assert!(conflict.contains(part), "{part}: {conflict}");
    }
    assert_eq!(hidden(&conflict, "revision"), "2");
    assert!(!file(&server).await.contains("mine"), "nothing was saved");

    // whoever means it saves over the newer ones, and sees that
    let page = review(&server, &mine, 2).await;
    assert!(page.contains("<code>concurrency</code>") && page.contains("removed</span>"), "{page}");
    assert_eq!(save(&server, &page).await.0, StatusCode::SEE_OTHER);
    assert_eq!(revisions(&server, &admin).await.len(), 3);

    let put = server.request(Method::PUT, "/api/v1/apps/workshop?revision=1");
    let (status, problem) = answer(put.bearer_auth(&admin).json(&workshop())).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("revision 3"), "{problem}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_value_of_a_secret_is_typed_once_and_shown_never(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let form = shown(&server, &format!("{SETTINGS}/parameter?place=stages.staging")).await;
    assert!(form.contains("type=\"password\""), "{form}");
    let filled = [
        ("place", "stages.staging"),
        ("key", "token"),
        ("kind", "secret"),
        ("secret", "t0p-s3cret"),
        ("what", "set"),
    ];
    let (status, page) = post(&server, &format!("{SETTINGS}/parameter"), &filled).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("stages.staging.parameters.token (value)"), "{page}");
    let draft = [("draft", hidden(&page, "draft"))];
    let (_, again) = post(&server, &format!("{SETTINGS}/again"), &draft).await;
    let (status, _) = save(&server, &page).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    for path in ["", "/app.yml", "/edit", "/history", "/history/2"] {
        let text = shown(&server, &format!("{SETTINGS}{path}")).await;
        assert!(!text.contains("t0p-s3cret"), "{path}: {text}");
    }
    assert!(!page.contains("t0p-s3cret") && !again.contains("t0p-s3cret"));
    let known = revisions(&server, &admin).await;
    assert!(!serde_json::to_string(&known).unwrap().contains("t0p-s3cret"));
    // it is there: it can be kept
    let page = review(&server, &file(&server).await, 2).await;
    assert!(page.contains("Nothing changes"), "{page}");

    // what was sealed for one person opens for no other
    let someone = server.token(Role::Admin).await;
    let theirs = server.post(&format!("{SETTINGS}/save")).bearer_auth(&someone).form(&draft);
    assert_eq!(theirs.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    for wrong in ["", "x", "x.00", "x.zz"] {
        let (status, _) = post(&server, &format!("{SETTINGS}/save"), &[("draft", wrong)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_secret_of_a_variable_stays_as_it_was_applied(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    server.environment.lock().unwrap().insert("KEY".into(), "applied".into());
    let mut with = workshop();
    with["profiles"]["staging"]["parameters"]["key"] = json!({ "secret_env": "KEY" });
    assert_eq!(server.apply(&admin, &with).await.0, StatusCode::OK);
    server.environment.lock().unwrap().clear();
    let text = file(&server).await;
    assert!(text.contains("key: { secret_env: KEY }"), "{text}");
    let page =
        review(&server, &text.replace("app: workshop", "app: workshop\nconcurrency: 2"), 2).await;
    assert!(!page.contains("(value)"), "{page}");
    assert_eq!(save(&server, &page).await.0, StatusCode::SEE_OTHER);

    // another variable is one that nobody has read yet
    let other = file(&server).await.replace("secret_env: KEY", "secret_env: OTHER");
    let form = [("text", other.as_str()), ("revision", "3")];
    let (status, page) = post(&server, &format!("{SETTINGS}/edit"), &form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("the environment variable OTHER is not set"), "{page}");
    // and whoever applies a file means what is set there
    assert_eq!(server.apply(&admin, &with).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

/// What somebody wrote into a form.
type Fields = &'static [(&'static str, &'static str)];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn small_forms_change_one_thing(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    server.workshop().await;
    let steps: [(&str, Fields, &str); 5] = [
        (
            "parameter",
            &[("place", "profiles.staging"), ("key", "env"), ("kind", "plain"), ("value", "prod")],
            "env: prod",
        ),
        (
            "approvers",
            &[("stage", "staging"), ("names", "ann\r\n<b>bob</b>\r\n"), ("expires_after", "2d")],
            "approvers: [ann, '<b>bob</b>']",
        ),
        (
            "rule",
            &[("what", "tag"), ("pattern", "r*"), ("stage", "staging"), ("manual", "true")],
            "{ tag: 'r*', stage: staging, trigger: manual }",
        ),
        (
            "freeze",
            &[
                ("stage", "staging"),
                ("what", "add"),
                ("time", "2026-12-24"),
                ("duration", "P3D"),
                ("reason", "<i>Christmas</i>"),
            ],
            "reason: '<i>Christmas</i>'",
        ),
        (
            "parameter",
            &[("place", "profiles.staging"), ("key", "env"), ("what", "remove")],
            "key: { secret: }",
        ),
    ];
    for (form, fields, expected) in steps {
        let (status, page) = post(&server, &format!("{SETTINGS}/{form}"), fields).await;
        assert_eq!(status, StatusCode::OK, "{form}: {page}");
        assert_eq!(save(&server, &page).await.0, StatusCode::SEE_OTHER, "{form}");
        let text = file(&server).await;
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // what people wrote is text on every page
    for path in ["", "/edit", "/history", "/approvers?stage=staging", "/history/3", "/history/5"] {
        let page = shown(&server, &format!("{SETTINGS}{path}")).await;
        assert!(!page.contains("<b>bob") && !page.contains("<i>Christ"), "{path}: {page}");
    }
    // each is removed as it was seen
    let page = shown(&server, SETTINGS).await;
    let (_, windows) = page.split_once("Frozen at times").unwrap();
    let seen =
        hidden(windows, "seen").replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">");
    let form = [("stage", "staging"), ("what", "remove"), ("at", "0"), ("seen", seen.as_str())];
    let (status, page) = post(&server, &format!("{SETTINGS}/freeze"), &form).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("removed</span>"), "{page}");
    let form = [("what", "remove"), ("at", "0"), ("seen", "{}")];
    let (status, page) = post(&server, &format!("{SETTINGS}/rule"), &form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("changed or removed meanwhile"), "{page}");
    let wrong = [("stage", "staging"), ("names", "ann"), ("expires_after", "soon")];
    let (status, page) = post(&server, &format!("{SETTINGS}/approvers"), &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("value=\"soon\""), "what was typed comes back: {page}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_revision_is_brought_back(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let mut changed = workshop();
    changed["stages"]["staging"]["profile"] = json!("development");
    assert_eq!(server.apply(&admin, &changed).await.0, StatusCode::OK);
    let history = shown(&server, &format!("{SETTINGS}/history")).await;
    for part in ["Revision 2", "Revision 1", "in force", "<code>stages.staging.profile</code>"] {
        assert!(history.contains(part), "{part}: {history}");
    }
    let (status, page) = post(&server, &format!("{SETTINGS}/history/1/restore"), &[]).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("The stacks in 111111111111 stay there"), "it says what follows: {page}");
    assert_eq!(save(&server, &page).await.0, StatusCode::SEE_OTHER);
    let (_, third) =
        answer(server.get("/api/v1/apps/workshop/revisions/3").bearer_auth(&admin)).await;
    let (_, first) =
        answer(server.get("/api/v1/apps/workshop/revisions/1").bearer_auth(&admin)).await;
    assert_eq!(third["settings"], first["settings"]);
    let (status, _) =
        answer(server.get("/api/v1/apps/workshop/revisions/9").bearer_auth(&admin)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_app_is_added_by_a_file(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.token(Role::Admin).await;
    let page = shown(&server, "/apps/new").await;
    assert!(page.contains("default_profile: development"), "{page}");
    let text = "app: workshop\nrepository: acme/workshop\ndefault_profile: p\nprofiles:\n  p: \
                { role_arn: 'arn:aws:iam::111111111111:role/r', region: us-east-1, parameters: \
                { key: { secret: typed-here } } }\n";
    let (status, page) = post(&server, "/apps/new", &[("text", text)]).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("Add workshop?") && !page.contains("typed-here"), "{page}");
    let draft = [("draft", hidden(&page, "draft"))];
    let (status, _) = post(&server, "/apps/new/save", &draft).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(revisions(&server, &admin).await[0]["number"], 1);
    let (status, again) = post(&server, "/apps/new/save", &draft).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.contains("there is an app workshop already"), "{again}");
    let deployer = server.token(Role::Deployer).await;
    let refused = server.get("/apps/new").bearer_auth(&deployer).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}
