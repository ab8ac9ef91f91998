//! Health, readiness, metrics.

use reqwest::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::Story;
use crate::support::{Server, answer};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_server_says_that_it_lives_is_ready_and_how_it_fares(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    assert_eq!(answer(server.get("/healthz")).await.0, StatusCode::OK);
    assert_eq!(answer(server.get("/readyz")).await.0, StatusCode::OK);
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    let (status, metrics) = answer(server.get("/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    let metrics = metrics.as_str().unwrap();
    for line in [
        "greenroom_jobs_queued 1",
        "route=\"/api/v1/apps/{app}/builds\"",
        "greenroom_http_request_seconds_bucket",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}
