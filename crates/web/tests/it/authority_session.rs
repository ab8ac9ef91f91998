//! A session is made by signing in and by nothing else: what was in the browser before is worth
//! nothing after it.

use model::permission::Role;
use reqwest::{Response, StatusCode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use web::Access;

use crate::support::{SECRETS, Server};

/// Over https; another name could be set by a neighbour.
const COOKIE: &str = "__Host-greenroom";

/// Signs in with a token in a browser that holds this cookie already.
async fn sign_in(server: &Server, token: &str, held: Option<&str>) -> Response {
    let form = [("token", token), ("back", "/")];
    let request = server.post("/login/token").form(&form);
    let request = match held {
        Some(text) => request.header("cookie", format!("{COOKIE}={text}")),
        None => request,
    };
    request.send().await.unwrap()
}

/// The session that an answer gives.
fn given(answer: &Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let session = cookies
        .filter_map(|value| value.to_str().unwrap().strip_prefix(COOKIE)?.strip_prefix('='))
        .next()
        .unwrap_or_else(|| panic!("no session in {:?}", answer.headers()));
    let (text, attributes) = session.split_once(';').unwrap();
    for part in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(attributes.contains(part), "{attributes}");
    }
    assert!(!attributes.contains("Domain"), "{attributes}");
    text.to_owned()
}

async fn is_signed_in(server: &Server, session: &str) -> bool {
    let request = server.get("/").header("accept", "text/html");
    let cookie = format!("{COOKIE}={session}");
    let status = request.header("cookie", cookie).send().await.unwrap().status();
    assert!(status == StatusCode::OK || status == StatusCode::SEE_OTHER, "{status}");
    status == StatusCode::OK
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_that_somebody_planted_is_worth_nothing(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let (mallory, ann) = (server.token(Role::Viewer).await, server.token(Role::Admin).await);

    // a text of mallory's own making
    let planted = "0".repeat(64);
    assert!(!is_signed_in(&server, &planted).await);
    let session = given(&sign_in(&server, &ann, Some(&planted)).await);
    assert_ne!(session, planted);
    assert!(!is_signed_in(&server, &planted).await, "the sign-in made a session of it");
    assert!(is_signed_in(&server, &session).await);

    // a session of mallory's own
    let planted = given(&sign_in(&server, &mallory, None).await);
    assert!(is_signed_in(&server, &planted).await);
    let session = given(&sign_in(&server, &ann, Some(&planted)).await);
    assert_ne!(session, planted);
    assert!(!is_signed_in(&server, &planted).await, "the session before lives on");
    assert!(is_signed_in(&server, &session).await);

    // two sign-ins are two sessions, and each text is stored as a hash alone
    let second = given(&sign_in(&server, &ann, None).await);
    assert_ne!(second, session);
    for text in [&session, &second] {
        let rows: String =
            sqlx::query_scalar("select coalesce(jsonb_agg(s)::text, '') from session s")
                .fetch_one(server.db.pool())
                .await
                .unwrap();
        assert!(!rows.contains(text.as_str()), "{rows}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn signing_out_ends_the_session_and_everywhere_ends_all(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let ann = server.token(Role::Admin).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(given(&sign_in(&server, &ann, None).await));
    }
    let post = async |path: &str, session: &str| {
        let request = server.post(path).header("cookie", format!("{COOKIE}={session}"));
        request.send().await.unwrap().status()
    };
    assert_eq!(post("/logout", &sessions[0]).await, StatusCode::SEE_OTHER);
    assert!(!is_signed_in(&server, &sessions[0]).await);
    assert!(is_signed_in(&server, &sessions[1]).await);
    assert_eq!(post("/logout/everywhere", &sessions[1]).await, StatusCode::SEE_OTHER);
    for session in &sessions {
        assert!(!is_signed_in(&server, session).await);
    }
    assert_eq!(
        sign_in(&server, &ann, None).await.status(),
        StatusCode::SEE_OTHER,
        "the token stays"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_ends_with_its_token_and_its_time(
    pool: PgPoolOptions,
    options: PgConnectOptions,
) {
    let server = Server::with(pool, options, Access::Token, &SECRETS).await;
    let (ann, bob) = (server.token(Role::Admin).await, server.token(Role::Admin).await);
    let (anns, bobs) =
        (given(&sign_in(&server, &ann, None).await), given(&sign_in(&server, &bob, None).await));
    sqlx::query("update token set revoked_at = now() where name = $1")
        .bind(&bob)
        .execute(server.db.pool())
        .await
        .unwrap();
    assert!(!is_signed_in(&server, &bobs).await, "the token was revoked");
    assert!(is_signed_in(&server, &anns).await);
    server.pass(chrono::TimeDelta::days(400));
    assert!(!is_signed_in(&server, &anns).await);
}
