//! Webhook intake: what is believed, what is stored, what is answered.

use reqwest::{RequestBuilder, StatusCode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::delivery::{Delivery, DeliveryState};
use web::Access;

use crate::support::{SECRETS, Server, answer, signature};

const BODY: &str = r#"{"zen":"Keep it logically awesome."}"#;

fn delivery(server: &Server, guid: &str, secret: &str, body: &str) -> RequestBuilder {
    server
        .post("/webhooks/github")
        .header("content-type", "application/json")
        .header("x-github-delivery", guid)
        .header("x-github-event", "ping")
        .header("x-hub-signature-256", signature(secret, body.as_bytes()))
        .body(body.to_owned())
}

async fn stored(server: &Server) -> Vec<Delivery> {
    let mut conn = server.db.acquire().await.unwrap();
    store::delivery::list(&mut conn, None, 100).await.unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_signed_delivery_is_accepted_and_stored_once(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    assert_eq!(answer(delivery(&server, "guid-1", SECRETS[0], BODY)).await.0, StatusCode::ACCEPTED);
    assert_eq!(answer(delivery(&server, "guid-1", SECRETS[0], BODY)).await.0, StatusCode::OK);
    let stored = stored(&server).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].state, DeliveryState::Received);
    assert_eq!(stored[0].event, "ping");
    assert_eq!(stored[0].headers["content-type"], "application/json");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deliveries_that_arrive_together_are_each_stored_once(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    // every GUID three times, all at once
    let answers =
        (0..60).map(|at| answer(delivery(&server, &format!("guid-{}", at % 20), SECRETS[0], BODY)));
    let answers = futures_util::future::join_all(answers).await;
    let said = |code| answers.iter().filter(|(status, _)| *status == code).count();
    assert_eq!((said(StatusCode::ACCEPTED), said(StatusCode::OK)), (20, 40));
    assert_eq!(stored(&server).await.len(), 20);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn either_of_two_active_secrets_signs(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    for (guid, secret) in [("one", SECRETS[0]), ("two", SECRETS[1])] {
        assert_eq!(answer(delivery(&server, guid, secret, BODY)).await.0, StatusCode::ACCEPTED);
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_not_signed_is_not_stored(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    let (status, problem) = answer(delivery(&server, "guid", "a stranger's", BODY)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(problem["detail"].as_str().unwrap().contains("github.webhook_secrets"), "{problem}");
    let unsigned = server.post("/webhooks/github").body(BODY);
    assert_eq!(answer(unsigned).await.0, StatusCode::UNAUTHORIZED);
    assert!(stored(&server).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_not_json_or_has_no_guid_is_refused(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    for body in ["{", "", "\"\u{0}", "zen=Keep"] {
        let (status, problem) = answer(delivery(&server, "guid", SECRETS[0], body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}: {problem}");
    }
    let nameless = delivery(&server, "", SECRETS[0], BODY);
    assert_eq!(answer(nameless).await.0, StatusCode::BAD_REQUEST);
    let form = server
        .post("/webhooks/github")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-hub-signature-256", signature(SECRETS[0], b"payload=x"))
        .body("payload=x");
    let (status, problem) = answer(form).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(problem["detail"].as_str().unwrap().contains("application/json"), "{problem}");
    assert!(stored(&server).await.is_empty());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_largest_payload_fits_and_a_larger_one_is_told_so(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let largest = format!("\"{}\"", "x".repeat(25 * 1024 * 1024 - 2));
    let (status, problem) = answer(delivery(&server, "large", SECRETS[0], &largest)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
    let larger = format!("\"{}\"", "x".repeat(25 * 1024 * 1024 - 1));
    let (status, problem) = answer(delivery(&server, "larger", SECRETS[0], &larger)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
    assert_eq!(problem["status"], 413);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_secret_nothing_is_believed(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::with(pool, options, Access::Loopback, &[]).await;
    let (status, problem) = answer(delivery(&server, "guid", "", BODY)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        problem["detail"].as_str().unwrap().contains("GREENROOM_GITHUB_WEBHOOK_SECRET"),
        "{problem}"
    );
}
