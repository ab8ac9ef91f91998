//! Health, readiness, and metrics: what is served is what `docs/monitoring.md` says.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use model::permission::Role;
use reqwest::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::Story;
use crate::support::{Server, answer};

async fn metrics(server: &Server) -> String {
    let (status, metrics) = answer(server.get("/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    metrics.as_str().unwrap().to_owned()
}

/// Of a text of Prometheus: each metric's type.
fn served(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// Of the page: each metric's type and its labels.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `greenroom_")?.split('|').map(str::trim);
        let name = format!("greenroom_{}", cells.next()?.trim_end_matches('`'));
        let (kind, labels) = (cells.next()?.to_owned(), cells.next()?);
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((name, (kind, labels)))
    });
    rows.collect()
}

/// The names of the labels of a line, but for the bucket's bound.
fn labels(line: &str) -> Vec<String> {
    let Some((_, rest)) = line.split_once('{') else { return Vec::new() };
    let names = rest.split("\",").filter_map(|part| part.split_once('=').map(|(name, _)| name));
    names.filter(|name| *name != "le").map(str::to_owned).collect()
}

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
    let metrics = metrics(&server).await;
    for line in [
        "greenroom_jobs_queued 1",
        "greenroom_queue_jobs{kind=\"plan\",state=\"queued\"} 1",
        "greenroom_queue_jobs{kind=\"deploy\",state=\"queued\"} 0",
        "greenroom_builds_running 1",
        "greenroom_workers{presence=\"here\"} 0",
        "route=\"/api/v1/apps/{app}/builds\"",
        "greenroom_http_request_seconds_bucket",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_metric_is_served_from_the_beginning_and_stands_on_the_page(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let metrics = metrics(&server).await;
    let documented = documented();
    let kinds: BTreeMap<String, String> =
        documented.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(served(&metrics), kinds);
    for name in kinds.keys() {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is not explained");
    }
    let lines = metrics.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .find(|base| documented.contains_key(*base))
            .unwrap_or(name);
        let (_, known) = &documented[base];
        let mut labels = labels(line);
        labels.sort();
        let mut known = known.clone();
        known.sort();
        assert_eq!(labels, known, "{line}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_job_is_counted_from_its_claim_to_its_end(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let admin = server.workshop().await;
    Story::build(&server, &admin).await;
    let worker = server.worker("machine").await;
    server.pass(TimeDelta::seconds(60));
    let waits = metrics(&server).await;
    assert!(waits.contains("greenroom_queue_oldest_age_seconds{kind=\"plan\"} 60"), "{waits}");
    // other tests of this process count into the same counters
    let before = count(&waits, "greenroom_job_wait_seconds_count{kind=\"plan\"}");
    let claimed = count(&waits, "greenroom_claims_total{result=\"assigned\"}");
    worker.job().await;
    let claims = metrics(&server).await;
    assert!(claims.contains("greenroom_queue_oldest_age_seconds{kind=\"plan\"} 0"), "{claims}");
    assert!(claims.contains("greenroom_queue_jobs{kind=\"plan\",state=\"running\"} 1"));
    assert!(claims.contains("greenroom_worker_slots_used 1"), "{claims}");
    assert!(count(&claims, "greenroom_job_wait_seconds_count{kind=\"plan\"}") > before);
    assert!(count(&claims, "greenroom_claims_total{result=\"assigned\"}") > claimed);
}

fn count(metrics: &str, series: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(series));
    value.unwrap_or_else(|| panic!("{series}: {metrics}")).trim().parse().unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn metrics_are_for_who_may_read_the_whole_server(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, web::Access::Token, &[]).await;
    server.workshop().await;
    let (whole, part) =
        (server.token(Role::Viewer).await, server.token_in("workshop", Role::Admin).await);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(status(server.get("/metrics").bearer_auth(&whole)).await, StatusCode::OK);
    let basic = server.get("/metrics").basic_auth("prometheus", Some(&whole));
    assert_eq!(status(basic).await, StatusCode::OK);
    assert_eq!(status(server.get("/metrics").bearer_auth(&part)).await, StatusCode::FORBIDDEN);
    assert_eq!(status(server.get("/metrics")).await, StatusCode::UNAUTHORIZED);
}
