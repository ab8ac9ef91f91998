//! Every address, tried by everybody: who gets in, who is turned away, and with which answer.
//!
//! What always holds: the table names every address that the router serves. A route that is added
//! without a row fails here, and so does one that is served past the rights.

use std::collections::BTreeSet;
use std::path::Path;

use model::permission::Role::{self, Admin, Deployer, Viewer};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::authority_ground::Ground;
use crate::authority_table::For::{App, Approvers, Maker, Readers, SignedIn, Somewhere};
use crate::authority_table::{For, OF_WORKERS, OPEN, TABLE, TOLD_OTHERWISE};
use crate::support::{COMMIT, EMBEDDED, SECRETS, Server};

#[test]
fn the_table_names_every_address_that_is_served() {
    let served: BTreeSet<(String, String)> =
        web::routes().into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    let named: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    let unnamed: Vec<_> = served.difference(&named).collect();
    assert!(unnamed.is_empty(), "who may use these? {unnamed:#?}");
    let gone: Vec<_> = named.difference(&served).collect();
    assert!(gone.is_empty(), "nothing serves these: {gone:#?}");
    assert_eq!(named.len(), TABLE.len(), "an address has two rows");
}

#[test]
fn no_address_is_served_past_the_rights_but_those_that_say_why() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![source];
    let mut found = BTreeSet::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let routes = text.split(".route(").skip(1);
            found.extend(routes.filter_map(|rest| {
                Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned())
            }));
        }
    }
    let known = OPEN.iter().map(|(path, _)| *path).chain(OF_WORKERS.iter().map(|(_, path)| *path));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(found, known, "each of these is named here, or made through `Routes`");
}

/// Somebody who tries.
struct Person {
    who: &'static str,
    token: Option<String>,
    server: Option<Role>,
    app: Option<Role>,
    /// In the other app.
    elsewhere: Option<Role>,
}

impl Person {
    /// The role that counts in the workshop.
    fn here(&self) -> Option<Role> {
        self.server.or(self.app)
    }

    fn shows(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn reads_anything(&self) -> bool {
        self.token.is_some() && self.server != Some(Role::Worker)
    }
}

fn nobody(who: &'static str) -> Person {
    Person { who, token: None, server: None, app: None, elsewhere: None }
}

/// The strongest come last: what they do is done.
async fn everybody(server: &Server) -> Vec<Person> {
    let in_server = async |who, role| Person {
        who,
        token: Some(server.token(role).await),
        server: Some(role),
        app: None,
        elsewhere: None,
    };
    let elsewhere = Some(server.token_in("other", Admin).await);
    let in_app = async |who, role| Person {
        who,
        token: Some(server.token_in("workshop", role).await),
        server: None,
        app: Some(role),
        elsewhere: None,
    };
    let worker = Some(EMBEDDED.to_owned());
    vec![
        nobody("nobody"),
        Person { token: worker, server: Some(Role::Worker), ..nobody("a worker") },
        Person { token: elsewhere, elsewhere: Some(Admin), ..nobody("an admin of another app") },
        in_app("a viewer of the app", Viewer).await,
        in_server("a viewer", Viewer).await,
        in_app("a deployer of the app", Deployer).await,
        in_server("a deployer", Deployer).await,
        in_app("an admin of the app", Admin).await,
        in_server("an admin", Admin).await,
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Whatever comes of it.
    Done,
    /// Whoever this is.
    Unknown,
    /// Not with this role.
    Refused,
    /// Nobody is told what they may not read, not even that it is there.
    NotThere,
}

fn at_least(held: Option<Role>, wanted: Role) -> bool {
    match wanted {
        Viewer => matches!(held, Some(Viewer | Deployer | Admin)),
        Deployer => matches!(held, Some(Deployer | Admin)),
        Admin => held == Some(Admin),
        Role::Worker => held == Some(Role::Worker),
    }
}

fn expected(wanted: For, person: &Person) -> Answer {
    if person.token.is_none() {
        return Answer::Unknown;
    }
    if matches!(wanted, SignedIn) {
        return Answer::Done;
    }
    if !person.reads_anything() {
        return Answer::Refused;
    }
    let (role, held) = match wanted {
        Readers | SignedIn => return Answer::Done,
        Somewhere(role) => (role, person.here().or(person.elsewhere)),
        For::Server(role) => (role, person.server),
        App(role) | Maker(role) => (role, person.here()),
        Approvers => (Admin, person.here()),
    };
    match wanted {
        App(_) | Approvers if !at_least(held, Viewer) => Answer::NotThere,
        _ if at_least(held, role) => Answer::Done,
        _ => Answer::Refused,
    }
}

fn answered(status: StatusCode) -> Answer {
    match status {
        StatusCode::UNAUTHORIZED => Answer::Unknown,
        StatusCode::FORBIDDEN => Answer::Refused,
        StatusCode::NOT_FOUND => Answer::NotThere,
        _ => Answer::Done,
    }
}

async fn ground(options: PgConnectOptions, pool: PgPoolOptions) -> (Server, Ground) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let ground = Ground::on(&server).await;
    server.other_app().await;
    (server, ground)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_address_answers_each_role_as_the_table_says(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let (server, ground) = ground(options, pool).await;
    let people = everybody(&server).await;
    let form = [("confirm", "nothing of this name"), ("commit", COMMIT), ("bound_to", "0000")];
    let mut wrong = Vec::new();
    for (method, pattern, wanted) in TABLE {
        let elsewise = TOLD_OTHERWISE.iter().any(|told| (told.0, told.1) == (*method, *pattern));
        let address = ground.address(pattern);
        let method: Method = method.parse().unwrap();
        for person in &people {
            let request = person.shows(server.request(method.clone(), &address));
            let sent = match (&method, pattern.starts_with("/api/")) {
                (&Method::GET | &Method::DELETE, _) => request,
                (_, true) if pattern.ends_with("/reject") => {
                    request.json(&json!({ "reason": "no" }))
                }
                (_, true) => request.json(&json!({ "commit": COMMIT })),
                (_, false) => request.form(&form),
            };
            let answer = sent.send().await.unwrap();
            let status = answer.status();
            let expected = expected(*wanted, person);
            if elsewise && expected == Answer::Done && !status.is_server_error() {
                continue;
            }
            if answered(status) != expected || status == StatusCode::INTERNAL_SERVER_ERROR {
                wrong.push(format!(
                    "{method} {address}: {}: {status}, not {expected:?}",
                    person.who
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn workers_are_alone_at_their_door(pool: PgPoolOptions, options: PgConnectOptions) {
    let (server, ground) = ground(options, pool).await;
    for (method, pattern) in OF_WORKERS {
        let address = ground.address(&format!("/worker/v1{pattern}"));
        for person in everybody(&server).await {
            let request = server.request(method.parse().unwrap(), &address);
            let status = person.shows(request).send().await.unwrap().status();
            let expected = match (&person.token, person.server) {
                (None, _) => Answer::Unknown,
                (Some(_), Some(Role::Worker)) => continue,
                (Some(_), _) => Answer::Refused,
            };
            assert_eq!(answered(status), expected, "{method} {address}: {}", person.who);
        }
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lists_show_nothing_of_an_app_that_one_may_not_read(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let (server, ground) = ground(options, pool).await;
    let stranger = server.token_in("other", Admin).await;
    for (method, pattern, wanted) in TABLE {
        // the styleguide shows examples of our own
        let is_list = matches!(wanted, Readers) && *pattern != "/styleguide";
        if *method != "GET" || !is_list || pattern.starts_with("/live/") {
            continue;
        }
        let address = ground.address(pattern);
        for query in ["", "?app=workshop", "?q=workshop"] {
            let request = server.get(&format!("{address}{query}")).bearer_auth(&stranger);
            let text = request.send().await.unwrap().text().await.unwrap();
            for theirs in ["/apps/workshop", "acme/workshop", "restapi", "feature-x"] {
                assert!(!text.contains(theirs), "{address}{query} shows {theirs}: {text}");
            }
        }
    }
}

/// Everything that a form could have changed.
async fn rows(server: &Server) -> Vec<String> {
    let tables = [
        "app",
        "stage",
        "build",
        "job",
        "instance",
        "deployment",
        "stage_freeze",
        "audit",
        "token",
        "delivery",
        "orphan",
    ];
    let mut rows = Vec::new();
    for table in tables {
        let sql = format!("select coalesce(jsonb_agg(t order by t), '[]')::text from {table} t");
        let text: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(server.db.pool()).await.unwrap();
        rows.push(text);
    }
    rows
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_form_is_taken_from_another_site(pool: PgPoolOptions, options: PgConnectOptions) {
    // whoever sits at this machine needs no token: the worst case
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    let before = rows(&server).await;
    let open = web::open_routes().into_iter().map(|(method, path)| (method.to_string(), path));
    let behind = TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
    for (method, pattern) in open.chain(behind) {
        if method == "GET" || pattern.starts_with("/api/") {
            continue;
        }
        let address = ground.address(&pattern);
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let form = [("confirm", "staging"), ("reason", "none"), ("service", "restapi")];
            let request = server.post(&address).header(name, value).form(&form);
            let status = request.send().await.unwrap().status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{address} with {name}: {value}");
        }
    }
    assert_eq!(rows(&server).await, before, "nothing was done");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn reading_changes_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    let before = rows(&server).await;
    for (method, pattern, _) in TABLE {
        if *method == "GET" {
            let address = ground.address(pattern);
            server.get(&address).send().await.unwrap();
            let head = server.request(Method::HEAD, &address).send().await.unwrap();
            assert_ne!(head.status(), StatusCode::INTERNAL_SERVER_ERROR, "{address}");
        }
    }
    assert_eq!(rows(&server).await, before);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_api_takes_no_cookie_and_no_nearness(pool: PgPoolOptions, options: PgConnectOptions) {
    // a page of another site could send both
    let server = Server::with(pool, options, Access::Loopback, &SECRETS).await;
    let ground = Ground::on(&server).await;
    let admin = server.token(Admin).await;
    let cookies = format!("greenroom={admin}; __Host-greenroom={admin}");
    for (method, pattern, _) in TABLE {
        if pattern.starts_with("/api/") {
            let address = ground.address(pattern);
            let request = server.request(method.parse().unwrap(), &address);
            let status = request.header("cookie", &cookies).send().await.unwrap().status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {address}");
        }
    }
}
