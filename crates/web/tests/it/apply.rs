//! What applying an app file changes beside the settings: secrets of stages, parameters of what
//! runs, and names that are taken.

use model::StageId;
use model::stage::StageKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::stage::NewStage;

use crate::job::Story;
use crate::support::{Server, answer, workshop};

/// The workshop with these parameters of its stage.
fn with(parameters: &Value) -> Value {
    let mut file = workshop();
    file["stages"]["staging"]["parameters"] = parameters.clone();
    file
}

async fn dry_run(server: &Server, admin: &str, file: &Value) -> Value {
    let put = server.request(Method::PUT, "/api/v1/apps/workshop?dry_run=true");
    let (status, difference) = answer(put.bearer_auth(admin).json(file)).await;
    assert_eq!(status, StatusCode::OK, "{difference}");
    difference
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_has_secrets_of_its_own(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    let key = "stages.staging.parameters.key";

    let (status, problem) =
        server.apply(&admin, &with(&json!({ "key": { "secret": null } }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["key"], key, "the profile's value is not the stage's");

    let given = with(&json!({ "key": { "secret": "its-0wn-value" } }));
    let difference = dry_run(&server, &admin, &given).await;
    assert_eq!(
        difference["changes"],
        json!([
            { "path": format!("{key}.secret"), "from": null, "to": "null" },
            { "path": format!("{key} (value)"), "from": null, "to": "a new secret" },
        ])
    );
    assert_eq!(server.apply(&admin, &given).await.0, StatusCode::OK);
    let (_, shown) = answer(server.get("/api/v1/apps/workshop").bearer_auth(&admin)).await;
    assert!(!shown.to_string().contains("its-0wn-value"), "{shown}");
    let kept = with(&json!({ "key": { "secret": null } }));
    assert_eq!(dry_run(&server, &admin, &kept).await["changes"], json!([]));
    assert_eq!(dry_run(&server, &admin, &given).await["changes"], json!([]));

    // taken out, it is forgotten: it cannot be kept any more
    assert_eq!(server.apply(&admin, &workshop()).await.0, StatusCode::OK);
    assert_eq!(server.apply(&admin, &kept).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn applying_names_the_stages_that_run_with_other_parameters(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let worker = server.worker("one").await;
    let story = Story::planned(&server).await;
    let changed = with(&json!({ "level": "debug" }));
    let named = |answer: &Value| answer["parameters_changed"].clone();
    let before = dry_run(&server, &story.admin, &changed).await;
    assert_eq!(named(&before), json!([]), "nothing runs there yet");

    story.deploy(&worker, json!({})).await;
    assert_eq!(named(&dry_run(&server, &story.admin, &changed).await), json!(["staging"]));
    let (_, applied) = server.apply(&story.admin, &changed).await;
    assert_eq!(named(&applied), json!(["staging"]));
    let (_, again) = server.apply(&story.admin, &changed).await;
    assert_eq!(named(&again), json!([]), "this call changed nothing");
    let (_, back) = server.apply(&story.admin, &workshop()).await;
    assert_eq!(named(&back), json!([]), "it runs with these");

    let remote = with(&json!({ "key": { "secretsmanager": "workshop/staging#key" } }));
    assert_eq!(named(&dry_run(&server, &story.admin, &remote).await), json!(["staging"]));
    let secret = with(&json!({ "key": { "secret": "another" } }));
    assert_eq!(named(&dry_run(&server, &story.admin, &secret).await), json!(["staging"]));
    let mut other = workshop();
    other["concurrency"] = json!(3);
    other["profiles"]["development"]["parameters"]["env"] = json!("other");
    assert_eq!(named(&dry_run(&server, &story.admin, &other).await), json!([]));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stage_cannot_be_named_like_a_preview_or_a_personal_stage_that_stands(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    for (name, kind) in [("qa", StageKind::Preview), ("ann", StageKind::Personal)] {
        let mut conn = server.db.acquire().await.unwrap();
        let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap();
        let stage = NewStage {
            id: StageId(server.id()),
            app_id: app.unwrap().id,
            name: name.parse().unwrap(),
            kind,
            profile: "development".parse().unwrap(),
            branch: (kind == StageKind::Preview).then(|| "fix/qa".parse().unwrap()),
            pull_request: None,
            created_at: server.now(),
        };
        store::stage::insert(&mut conn, &stage).await.unwrap();
    }
    let mut file = workshop();
    file["stages"]["QA"] = json!({ "profile": "staging" });
    file["stages"]["ann"] = json!({ "profile": "staging" });
    let (status, problem) = server.apply(&admin, &file).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(
        problem["errors"],
        json!([
            {
                "key": "stages.QA",
                "message": "the preview of branch fix/qa has the name qa and still stands: remove it first, or choose another name",
            },
            {
                "key": "stages.ann",
                "message": "a personal stage has the name ann and still stands: remove it first, or choose another name",
            },
        ])
    );
    assert_eq!(server.apply(&admin, &workshop()).await.0, StatusCode::OK);
}
