//! Texts from outside stay texts: branches, authors, titles, logs, outputs, reasons, tags of stacks,
//! what somebody searches for and addresses that do not exist, on every page there is.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::authority_ground::{EVIL, EVIL_BRANCH, EVIL_LINK, Ground, evil_form};
use crate::injection_markup::elements;
use crate::support::{SECRETS, Server};

/// What each page has in its address.
const QUERIES: [&str; 14] = [
    "q", "search", "app", "stage", "branch", "author", "state", "outcome", "purpose", "before",
    "job", "service", "next", "back",
];

/// The addresses of every page that is read.
fn pages(ground: &Ground) -> Vec<String> {
    let routes = web::routes().into_iter();
    routes
        .filter(|(method, path)| method == "GET" && !path.contains("/live/"))
        .map(|(_, path)| ground.address(&path))
        .collect()
}

/// Fails when a text became an element, an attribute that runs, or an address that does.
fn harmless(place: &str, headers: &HeaderMap, text: &str) {
    let kind = headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
    if !kind.starts_with("text/html") {
        assert!(
            headers.get("x-content-type-options").is_some_and(|value| value == "nosniff")
                || kind.contains("json"),
            "{place}: a browser may guess that {kind} is a page"
        );
        return;
    }
    let policy = headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{place}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{place}: {policy}");
    for element in elements(text) {
        for (name, value) in &element.attributes {
            let runs = name.to_ascii_lowercase().starts_with("on") || *name == "style";
            let leads = ["href", "src", "action", "formaction"].contains(name);
            let leads = leads && value.trim().to_ascii_lowercase().starts_with("javascript:");
            assert!(!runs && !leads, "{place}: {element:?}");
        }
        let foreign = element.name == "img" && element.attribute("src") == Some("x");
        let script = element.name == "script" && element.attribute("src").is_none();
        assert!(!foreign && !script && element.name != "style", "{place}: {element:?}");
    }
}

async fn look(server: &Server, address: &str) -> (StatusCode, String) {
    let answer = server.get(address).header("accept", "text/html").send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{address}: {text}");
    harmless(address, &headers, &text);
    (status, text)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_kept_becomes_markup_on_no_page(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    let mut shown = 0;
    for address in pages(&ground) {
        let (_, text) = look(&server, &address).await;
        shown += text.matches("pwned()").count();
    }
    for number in 2..=3 {
        let (_, text) = look(&server, &format!("/apps/workshop/builds/{number}")).await;
        shown += text.matches("pwned()").count();
    }
    look(&server, "/apps/workshop/stages/feature-x").await;
    assert!(shown > 30, "the pages show the texts: {shown}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_stands_in_an_address_becomes_markup_on_no_page(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    for address in pages(&ground) {
        for evil in [EVIL, EVIL_LINK] {
            let all: Vec<(&str, &str)> = QUERIES.iter().map(|name| (*name, evil)).collect();
            let request = server.get(&address).header("accept", "text/html").query(&all);
            let answer = request.send().await.unwrap();
            let headers = answer.headers().clone();
            harmless(&address, &headers, &answer.text().await.unwrap());
            for query in QUERIES {
                let one = reqwest::Url::parse_with_params("http://x/", [(query, evil)]).unwrap();
                look(&server, &format!("{address}?{}", one.query().unwrap())).await;
            }
        }
    }
    for pattern in [
        "/{evil}",
        "/apps/{evil}",
        "/apps/{evil}/builds/1",
        "/apps/workshop/builds/{evil}",
        "/apps/workshop/stages/{evil}",
        "/apps/workshop/stages/{evil}/remove",
        "/jobs/{evil}/log.txt",
        "/static/{evil}",
        "/orphans/{evil}/remove",
        "/api/v1/apps/{evil}",
    ] {
        let mut url = reqwest::Url::parse("http://x/").unwrap();
        url.path_segments_mut().unwrap().push(EVIL);
        let segment = url.path().trim_start_matches('/').to_owned();
        let (status, _) = look(&server, &pattern.replace("{evil}", &segment)).await;
        assert!(status.is_client_error(), "{pattern}: {status}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_form_sends_becomes_markup_in_no_answer(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    for (method, pattern) in web::routes() {
        if method == "GET" || pattern.starts_with("/api/") {
            continue;
        }
        let address = ground.address(&pattern);
        let answer = server.post(&address).form(&evil_form()).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{address}: {text}");
        if !text.is_empty() {
            harmless(&address, &headers, &text);
        }
        if let Some(to) = headers.get("location") {
            stays(to.to_str().unwrap());
        }
    }
    // what was sent and kept by then
    for address in pages(&ground) {
        look(&server, &address).await;
    }
}

/// A redirect that leads nowhere but to this server, as a browser reads it.
fn stays(location: &str) {
    let here = reqwest::Url::parse("https://ci.example.com/here").unwrap();
    let there = here.join(location).unwrap();
    assert_eq!(there.origin(), here.origin(), "{location:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn signing_in_leads_to_no_other_site(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let token = server.token(model::permission::Role::Viewer).await;
    for back in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "/../..//evil.example",
        "/.//evil.example",
        "javascript:pwned()",
        "@evil.example",
        "",
    ] {
        let form = [("token", token.as_str()), ("back", back)];
        let answer = server.post("/login/token").form(&form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{back:?}");
        stays(answer.headers()["location"].to_str().unwrap());
        let query = reqwest::Url::parse_with_params("http://x/", [("back", back)]).unwrap();
        look(&server, &format!("/login?{}", query.query().unwrap())).await;
    }
    let form = [("token", EVIL), ("back", EVIL_BRANCH)];
    let answer = server.post("/login/token").form(&form).send().await.unwrap();
    let headers = answer.headers().clone();
    harmless("/login/token", &headers, &answer.text().await.unwrap());
}
