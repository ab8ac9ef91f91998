//! Logs as they grow: whole, followed, resumed.

use model::job::JobKind;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::job::{Story, succeeded};
use crate::support::Server;

/// One server-sent event.
#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

/// Reads events until one of this name.
async fn until(answer: &mut Response, name: &str, seen: &mut String) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        while let Some((event, rest)) = seen.split_once("\n\n") {
            let field = |key: &str| {
                let line = event.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
                line.unwrap_or("").trim().to_owned()
            };
            let event = Event {
                name: field("event"),
                id: field("id"),
                data: serde_json::from_str(&field("data")).unwrap_or(Value::Null),
            };
            *seen = rest.to_owned();
            let last = event.name == name;
            if !event.name.is_empty() {
                events.push(event);
            }
            if last {
                return events;
            }
        }
        let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

fn text(events: &[Event]) -> String {
    events.iter().filter_map(|event| event.data["text"].as_str()).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_followed_log_resumes_where_it_was_cut_and_says_when_it_is_complete(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = worker.job().await;
    let path = format!("/api/v1/jobs/{}/log", job["job"].as_str().unwrap());
    let follow = || server.get(&format!("{path}?follow=true")).bearer_auth(&story.admin);

    worker.log(&job, 0, "installing\r\n").await;
    let mut first = follow().send().await.unwrap();
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let events = until(&mut first, "log", &mut seen).await;
    assert_eq!(text(&events), "installing\r\n");
    let last = events[0].id.clone();
    drop(first);

    worker.log(&job, 1, "testing ").await;
    worker.log(&job, 1, "testing ").await;
    worker.log(&job, 2, "\u{1b}[32mpassed\u{1b}[0m\n").await;
    let mut second = follow().header("last-event-id", last).send().await.unwrap();
    worker.finish(&job, succeeded(), Value::Null).await;
    let mut seen = String::new();
    let events = until(&mut second, "end", &mut seen).await;
    assert_eq!(text(&events), "testing \u{1b}[32mpassed\u{1b}[0m\n");
    let end = events.last().unwrap();
    assert_eq!(end.data, json!({ "complete": true, "outcome": "succeeded" }));
    assert_eq!(second.chunk().await.unwrap(), None, "nothing comes after the end");

    let whole = server.get(&path).bearer_auth(&story.admin).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(whole.text().await.unwrap(), "installing\r\ntesting \u{1b}[32mpassed\u{1b}[0m\n");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_pages_log_goes_on_from_where_the_page_ended(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::start(pool, options).await;
    let story = Story::planned(&server).await;
    let worker = server.worker("one").await;
    let job = worker.job().await;
    worker.log(&job, 0, "one\ntw").await;
    let (_, id) = story.jobs.iter().find(|(kind, _)| *kind == JobKind::Test).unwrap();
    let page = server.get(&format!("/apps/workshop/builds/1?job={id}")).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains(">one</code>"), "{page}");
    let (_, rest) = page.split_once("data-next=\"").unwrap();
    let (next, _) = rest.split_once('"').unwrap();

    let mut stream = server.get(&format!("/live/jobs/{id}?from={next}")).send().await.unwrap();
    worker.log(&job, 1, "o\nthree").await;
    worker.finish(&job, succeeded(), Value::Null).await;
    let mut seen = String::new();
    let events = until(&mut stream, "end", &mut seen).await;
    let parts = events.iter().filter_map(|event| event.data["parts"].as_array()).flatten();
    let html: String = parts.filter_map(|part| part["html"].as_str()).collect();
    assert!(html.contains("id=\"L2\"") && html.contains(">two</code>"), "{html}");
    assert!(html.contains("id=\"L3\"") && html.contains(">three</code>"), "{html}");
    assert!(!html.contains(">one</code>"), "{html}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn open_pages_hear_that_they_changed(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::start(pool, options).await;
    Story::planned(&server).await;
    let mut streams = Vec::new();
    for page in ["/", "/builds", "/apps/workshop/stages/staging", "/apps/workshop/builds/1"] {
        let page = server.get(page).send().await.unwrap().text().await.unwrap();
        let (_, rest) = page.split_once("data-events=\"").unwrap();
        let (events, _) = rest.split_once('"').unwrap();
        streams.push(server.get(events).send().await.unwrap());
    }
    let worker = server.worker("one").await;
    worker.job().await;
    for mut stream in streams {
        until(&mut stream, "changed", &mut String::new()).await;
    }
}
