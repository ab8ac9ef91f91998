//! The web flow of OAuth: GitHub's page that asks, and the exchange of its code. A code is taken
//! once, by the client it was given to, for the verifier that its challenge was made of.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::guid;
use crate::people::{CLIENT_ID, CLIENT_SECRET, Code, Consent};
use crate::state::{Shared, Stand};

pub(crate) fn routes() -> Router<Stand> {
    Router::new()
        .route("/login/oauth/authorize", get(authorize).post(chosen))
        .route("/login/oauth/access_token", post(exchange))
        // a browser that was sent here asks for it by itself
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
}

/// What the client asks for; the page sends it on with the person that was chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    state: String,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    /// Empty: no.
    #[serde(default)]
    login: String,
}

async fn authorize(State(stand): State<Stand>, Query(asked): Query<Asked>) -> Response {
    if let Some(refusal) = refusal(&stand, &asked) {
        return refusal;
    }
    let consent = stand.state().people.consent.clone();
    match consent {
        Consent::As { login } => granted(&stand, &asked, &login),
        Consent::Deny => denied(&asked),
        Consent::Ask => Html(question(&stand, &asked)).into_response(),
    }
}

async fn chosen(State(stand): State<Stand>, Form(asked): Form<Asked>) -> Response {
    match refusal(&stand, &asked) {
        Some(refusal) => refusal,
        None if asked.login.is_empty() => denied(&asked),
        None => granted(&stand, &asked, &asked.login),
    }
}

/// The secret of a client: of the one that is always there, or of the App that was made.
fn secret_of(stand: &Shared, client_id: &str) -> Option<String> {
    if client_id == CLIENT_ID {
        return Some(CLIENT_SECRET.to_owned());
    }
    let state = stand.state();
    let made = state.made_app.as_ref().filter(|made| made.client_id == client_id);
    made.map(|made| made.client_secret.clone())
}

fn refusal(stand: &Shared, asked: &Asked) -> Option<Response> {
    if secret_of(stand, &asked.client_id).is_none() {
        return Some((StatusCode::NOT_FOUND, "there is no such client").into_response());
    }
    let is_plain =
        asked.code_challenge.is_some() && asked.code_challenge_method.as_deref() != Some("S256");
    let text = "code_challenge_method must be S256";
    is_plain.then(|| (StatusCode::BAD_REQUEST, text).into_response())
}

fn question(stand: &Shared, asked: &Asked) -> String {
    let escaped =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let field = |name: &str, value: &str| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
    };
    let mut fields = field("client_id", &asked.client_id)
        + &field("redirect_uri", &asked.redirect_uri)
        + &field("state", &asked.state);
    if let Some(challenge) = &asked.code_challenge {
        fields += &field("code_challenge", challenge);
        fields += &field("code_challenge_method", "S256");
    }
    let people: String = stand
        .state()
        .people
        .users
        .iter()
        .map(|user| {
            let login = escaped(&user.login);
            format!("<p><button name=\"login\" value=\"{login}\">{login}</button></p>")
        })
        .collect();
    format!(
        "<!doctype html><html lang=\"en\"><title>Sign in (stand-in)</title>\
         <h1>GitHub stand-in: sign in to Greenroom as</h1>\
         <form method=\"post\" action=\"/login/oauth/authorize\">{fields}{people}\
         <p><button name=\"login\" value=\"\">nobody: cancel</button></p></form></html>"
    )
}

fn granted(stand: &Shared, asked: &Asked, login: &str) -> Response {
    let mut state = stand.state();
    let Some(user) = state.people.user(login).cloned() else {
        return (StatusCode::NOT_FOUND, "there is nobody of this login").into_response();
    };
    let code = guid().simple().to_string();
    state.people.codes.push(Code {
        code: code.clone(),
        login: user.login,
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.code_challenge.clone(),
    });
    drop(state);
    back(asked, &[("code", &code)])
}

fn denied(asked: &Asked) -> Response {
    let why = "The user has denied your application access.";
    back(asked, &[("error", "access_denied"), ("error_description", why)])
}

fn back(asked: &Asked, parts: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(&asked.redirect_uri) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is no address").into_response();
    };
    url.query_pairs_mut().extend_pairs(parts).append_pair("state", &asked.state);
    Redirect::to(url.as_str()).into_response()
}

#[derive(Deserialize)]
struct Exchange {
    client_id: String,
    client_secret: String,
    code: String,
    #[serde(default)]
    redirect_uri: Option<String>,
    #[serde(default)]
    code_verifier: Option<String>,
}

/// Answers 200 to a refusal too, as GitHub does.
async fn exchange(State(stand): State<Stand>, headers: HeaderMap, body: Bytes) -> Response {
    let wants_json = headers
        .get("accept")
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    let Ok(wanted) = serde_json::from_slice::<Exchange>(&body) else {
        return answer(wants_json, &refused("bad_verification_code", "The code is incorrect."));
    };
    let Some(secret) = secret_of(&stand, &wanted.client_id) else {
        return (StatusCode::NOT_FOUND, Json(json!({ "error": "Not Found" }))).into_response();
    };
    if wanted.client_secret != secret {
        let why = "The client_id and/or client_secret passed are incorrect.";
        return answer(wants_json, &refused("incorrect_client_credentials", why));
    }
    let mut state = stand.state();
    let at = state.people.codes.iter().position(|known| known.code == wanted.code);
    // right or wrong, a code is used up by the try
    let code = at.map(|at| state.people.codes.swap_remove(at));
    let verified = code.filter(|code| {
        let verifier = wanted.code_verifier.as_deref();
        code.challenge.as_deref() == verifier.map(challenge).as_deref()
    });
    let Some(code) = verified else {
        let why = "The code passed is incorrect or expired.";
        return answer(wants_json, &refused("bad_verification_code", why));
    };
    if wanted.redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
        let why = "The redirect_uri MUST match the registered callback URL for this application.";
        return answer(wants_json, &refused("redirect_uri_mismatch", why));
    }
    let token = format!("ghu_{}", guid().simple());
    state.people.tokens.insert(token.clone(), code.login);
    drop(state);
    answer(wants_json, &json!({ "access_token": token, "scope": "", "token_type": "bearer" }))
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

fn refused(code: &str, why: &str) -> Value {
    json!({ "error": code, "error_description": why, "error_uri": "https://docs.github.com" })
}

/// In the form of a query, unless JSON was asked for.
fn answer(json: bool, body: &Value) -> Response {
    if json {
        return Json(body).into_response();
    }
    let pairs: BTreeMap<&str, &str> = body
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    let mut url = Url::parse("http://x").expect("an address");
    url.query_pairs_mut().extend_pairs(pairs);
    let kind = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    (kind, url.query().unwrap_or_default().to_owned()).into_response()
}
