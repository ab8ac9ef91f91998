//! What a page makes a browser fetch: how much, and from whom.

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::authority_ground::Ground;
use crate::injection_markup::{Element, elements};
use crate::support::{SECRETS, Server};

/// Of a page with its stylesheet and its script, as they are sent.
const MOST_BYTES: usize = 60 * 1024;

/// Where an element takes a file from, when it does: a link that somebody has to click is none.
fn fetched<'a>(element: &Element<'a>) -> Option<&'a str> {
    match element.name {
        "a" | "form" | "button" | "input" => None,
        "link" if element.attribute("rel") == Some("alternate") => None,
        "link" | "use" => element.attribute("href"),
        _ => element.attribute("src").or(element.attribute("srcset")),
    }
}

/// What goes over the wire to a browser that can unpack it.
async fn sent(server: &Server, path: &str) -> usize {
    let request = server.get(path).header("accept", "text/html").header("accept-encoding", "gzip");
    let answer = request.send().await.unwrap();
    assert!(!answer.status().is_server_error(), "{path}: {}", answer.status());
    answer.bytes().await.unwrap().len()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_page_with_all_it_needs_is_light_and_asks_no_other_host(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    let mut heavy = Vec::new();
    for (method, pattern) in web::routes() {
        if method != "GET" || pattern.contains("/live/") || pattern.starts_with("/api/") {
            continue;
        }
        let address = ground.address(&pattern);
        let answer = server.get(&address).header("accept", "text/html").send().await.unwrap();
        let kind = answer.headers().get(CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html")) {
            continue;
        }
        let html = answer.text().await.unwrap();
        let mut bytes = sent(&server, &address).await;
        for element in elements(&html) {
            let Some(file) = fetched(&element) else { continue };
            let own = file.starts_with('/') && !file.starts_with("//") || file.starts_with('#');
            assert!(own, "{address}: {element:?}");
            if matches!(element.name, "script" | "link") && !file.ends_with(".svg") {
                bytes += sent(&server, file).await;
            }
        }
        if bytes > MOST_BYTES {
            heavy.push(format!("{address}: {bytes} bytes"));
        }
    }
    assert!(heavy.is_empty(), "more than {MOST_BYTES} bytes: {heavy:#?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pages_are_sent_packed_to_those_who_can_unpack_them(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    for path in ["/", "/static/greenroom.css", "/static/greenroom.js"] {
        let packed = server.get(path).header("accept-encoding", "gzip, br").send().await.unwrap();
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip", "{path}");
        let packed = packed.bytes().await.unwrap().len();
        let plain = server.get(path).send().await.unwrap();
        assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{path}");
        assert!(packed * 2 < plain.bytes().await.unwrap().len(), "{path}: {packed}");
    }
    // what is told as it happens must not wait for a packet to be full
    let stream = server.get("/live/board").header("accept-encoding", "gzip").send().await.unwrap();
    assert!(!stream.headers().contains_key(CONTENT_ENCODING));
}
