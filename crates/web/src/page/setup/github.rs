//! The first step: as whom the server speaks to GitHub. A GitHub App made by manifest, or a token.
//!
//! What always holds: the answer of GitHub counts only for who asked for it (the state in the draft),
//! and once. An identity of the configuration is not touched.

use ::github::{LONGEST_APP_NAME, Manifest, Origin, PERMISSIONS, Places};
use askama::Template;
use axum::extract::{Extension, Form, Query, State as Extract};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::Login;
use secrecy::ExposeSecret;
use serde::Deserialize;
use store::github_app::{AppIdentity, Identity};

use super::identity::{keep, who};
use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::auth::Caller;
use crate::error::{Error, Mistake, Result};
use crate::login::CALLBACK;
use crate::setup::door::Holder;
use crate::state::State;

/// Where GitHub comes back to with the App's code.
const BACK: &str = "/setup/github/callback";
const INSTALLED: &str = "/setup/installed";

#[derive(Template)]
#[template(path = "setup_github.html")]
struct GithubPage {
    shell: Shell,
    steps: Vec<StepView>,
    mistakes: Vec<Mistake>,
    /// As whom the server speaks already.
    connected: Option<String>,
    configured: bool,
    name: String,
    longest_name: usize,
    organization: String,
    admins: String,
    token_webhook_secret: String,
    webhook_url: String,
    /// GitHub will not find this server where it says it is.
    unreachable: Option<String>,
}

#[derive(Template)]
#[template(path = "setup_github_create.html")]
struct CreatePage {
    shell: Shell,
    steps: Vec<StepView>,
    /// GitHub's page for it.
    action: String,
    manifest: String,
    name: String,
    owner: String,
    permissions: [(&'static str, &'static str, &'static str); 7],
    webhook_url: String,
}

fn page(
    state: &State,
    caller: &Caller,
    ground: &Ground,
    mistakes: Vec<Mistake>,
) -> Result<Html<String>> {
    let draft = &ground.draft;
    let url = &state.settings.public_url;
    html(&GithubPage {
        shell: shell(Step::Github, caller),
        steps: ground.steps(Step::Github),
        mistakes,
        connected: ground.identity.as_deref().map(who),
        configured: state.github.origin() == Origin::Configuration,
        name: if draft.app_name.is_empty() { usual_name(url) } else { draft.app_name.clone() },
        longest_name: LONGEST_APP_NAME,
        organization: draft.organization.clone(),
        admins: draft.admins.join(", "),
        token_webhook_secret: store::setup::key().expose_secret().to_owned(),
        webhook_url: format!("{url}/webhooks/github"),
        unreachable: is_here_alone(url).then(|| url.clone()),
    })
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Html<String>> {
    let ground = Ground::load(&state, &holder).await?;
    page(&state, &caller, &ground, Vec::new())
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    name: String,
    #[serde(default)]
    organization: String,
    #[serde(default)]
    admins: String,
}

/// Keeps what the App is to be, and leads to the button that has GitHub make it.
pub(super) async fn choose(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(wanted): Form<Wanted>,
) -> Result<Response> {
    let mut ground = Ground::load(&state, &holder).await?;
    let mut mistakes = Vec::new();
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_APP_NAME {
        let message = format!("give the App a name of 1 to {LONGEST_APP_NAME} characters");
        mistakes.push(Mistake::new("name", message));
    }
    let organization = wanted.organization.trim();
    if !organization.is_empty() && organization.parse::<Login>().is_err() {
        mistakes.push(Mistake::new("organization", "write it as in its address on GitHub"));
    }
    let admins = logins(&wanted.admins, &mut mistakes);
    ground.draft.app_name = name.to_owned();
    ground.draft.organization = organization.to_owned();
    ground.draft.admins = admins;
    if !mistakes.is_empty() {
        let page = page(&state, &caller, &ground, mistakes)?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    ground.draft.state = Some(store::setup::key().expose_secret().to_owned());
    ground.save(&state, &holder).await?;
    Ok(Redirect::to("/setup/github/create").into_response())
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    may_connect(&state)?;
    let ground = Ground::load(&state, &holder).await?;
    let draft = &ground.draft;
    let Some(expected) = &draft.state else { return Ok(to(Step::Github).into_response()) };
    let url = &state.settings.public_url;
    let (redirect, sign_in) = (format!("{url}{BACK}"), format!("{url}{CALLBACK}"));
    let installed = format!("{url}{INSTALLED}");
    let places =
        Places { public_url: url, redirect: &redirect, sign_in: &sign_in, installed: &installed };
    let manifest = Manifest::new(&draft.app_name, places);
    let github = &state.settings.git_url;
    let settings = match draft.organization.as_str() {
        "" => "settings".to_owned(),
        organization => format!("organizations/{organization}/settings"),
    };
    let page = html(&CreatePage {
        shell: shell(Step::Github, &caller),
        steps: ground.steps(Step::Github),
        action: format!("{github}/{settings}/apps/new?state={expected}"),
        manifest: serde_json::to_string(&manifest).map_err(Error::internal)?,
        name: draft.app_name.clone(),
        owner: match draft.organization.as_str() {
            "" => "your own account".to_owned(),
            organization => format!("the organization {organization}"),
        },
        permissions: PERMISSIONS,
        webhook_url: format!("{url}/webhooks/github"),
    })?;
    Ok(page.into_response())
}

#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// GitHub has made the App: its code is exchanged for the App and its secrets.
pub(super) async fn back(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Query(answer): Query<Answer>,
) -> Result<Redirect> {
    may_connect(&state)?;
    let mut ground = Ground::load(&state, &holder).await?;
    if answer.code.is_empty() || ground.draft.state.as_deref() != Some(answer.state.as_str()) {
        return Err(Error::Forbidden(
            "this answer of GitHub's belongs to no question of yours (it may have been asked \
             again since): begin again at /setup/github"
                .into(),
        ));
    }
    let app = state.github.created_app(&answer.code).await.map_err(|error| match error {
        ::github::Error::Rejected { status: 404, .. } => Error::Conflict(
            "GitHub does not know this code any more: it works once and for an hour. Delete the \
             App on GitHub if it was made, and begin again at /setup/github"
                .into(),
        ),
        error => error.into(),
    })?;
    let owner = app.owner.clone();
    let identity = Identity::App(AppIdentity {
        app_id: app.id,
        slug: app.slug,
        html_url: app.html_url,
        owner: owner.login.clone(),
        client_id: app.client_id,
        client_secret: app.client_secret,
        webhook_secret: app.webhook_secret,
        private_key_pem: app.private_key_pem,
    });
    let maker = match owner.kind {
        ::github::OwnerKind::User => Some((owner.id, owner.login)),
        ::github::OwnerKind::Organization | ::github::OwnerKind::Other => None,
    };
    keep(&state, &caller, &holder, &mut ground, identity, maker).await?;
    Ok(to(Step::Install))
}

#[derive(Deserialize)]
pub(super) struct WithToken {
    #[serde(default)]
    token: String,
    #[serde(default)]
    webhook_secret: String,
    #[serde(default)]
    admins: String,
}

pub(super) async fn token(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(given): Form<WithToken>,
) -> Result<Response> {
    may_connect(&state)?;
    let mut ground = Ground::load(&state, &holder).await?;
    let mut mistakes = Vec::new();
    ground.draft.admins = logins(&given.admins, &mut mistakes);
    let secret = given.webhook_secret.trim();
    if secret.len() < 16 {
        let message = "take at least 16 random characters: whoever knows it can start builds";
        mistakes.push(Mistake::new("webhook_secret", message));
    }
    let owner = match state.github.client(::github::Auth::Token(given.token.trim().into())) {
        Ok(github) => match github.own_account().await {
            Ok(account) => account,
            Err(error) => {
                mistakes.push(Mistake::new("token", error.to_string()));
                None
            }
        },
        Err(_) => {
            mistakes.push(Mistake::new("token", "this is no token: paste it whole"));
            None
        }
    };
    if !mistakes.is_empty() {
        let page = page(&state, &caller, &ground, mistakes)?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let identity =
        Identity::Token { token: given.token.trim().into(), webhook_secret: secret.into() };
    let maker = owner.map(|account| (account.id, account.login));
    keep(&state, &caller, &holder, &mut ground, identity, maker).await?;
    Ok(to(Step::Install).into_response())
}

fn may_connect(state: &State) -> Result<()> {
    match state.github.origin() {
        Origin::Setup => Ok(()),
        Origin::Configuration => Err(Error::Conflict(
            "the configuration names the identity on GitHub (github.app_id or github.token), and \
             goes before what is made here: take it out there first"
                .into(),
        )),
    }
}

/// Logins as people list them.
fn logins(text: &str, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let mut found = Vec::new();
    let words = text.split(|c: char| c == ',' || c.is_whitespace());
    for word in words.map(|word| word.trim_start_matches('@')).filter(|word| !word.is_empty()) {
        match word.parse::<Login>() {
            Ok(login) => found.push(login.to_string()),
            Err(_) => {
                let message = format!("{word:?} is no login: write them with commas between");
                mistakes.push(Mistake::new("admins", message));
            }
        }
    }
    found
}

/// Names of Apps are unique in all of GitHub: the server's host is in it.
fn usual_name(public_url: &str) -> String {
    let uri = public_url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    format!("Greenroom {host}").trim().chars().take(LONGEST_APP_NAME).collect()
}

/// An address that means another machine to everybody else.
fn is_here_alone(public_url: &str) -> bool {
    let uri = public_url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || match host.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(address)) => {
                address.is_loopback() || address.is_private() || address.is_unspecified()
            }
            Ok(std::net::IpAddr::V6(address)) => address.is_loopback() || address.is_unspecified(),
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_listed_with_commas_spaces_and_at_signs() {
        let mut mistakes = Vec::new();
        assert_eq!(logins("@octocat, mona\nhub-ot", &mut mistakes), ["octocat", "mona", "hub-ot"]);
        assert!(mistakes.is_empty());
        logins("not/a/login", &mut mistakes);
        assert_eq!(mistakes[0].key, "admins");
    }

    #[test]
    fn the_usual_name_fits_github() {
        assert_eq!(usual_name("https://ci.example.com"), "Greenroom ci.example.com");
        let long = usual_name("https://a-very-long-name-of-a-server.example.com");
        assert_eq!(long.chars().count(), LONGEST_APP_NAME);
    }

    #[test]
    fn a_server_that_github_cannot_reach_is_told_so() {
        for here in
            ["http://127.0.0.1:8080", "http://localhost:1", "http://10.0.0.7", "http://[::1]"]
        {
            assert!(is_here_alone(here), "{here}");
        }
        assert!(!is_here_alone("https://ci.example.com"));
    }
}
