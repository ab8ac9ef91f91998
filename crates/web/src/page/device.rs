//! Letting a command line in: the code that it shows is entered here, and confirmed or refused.

use askama::Template;
use axum::extract::{Extension, Form, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::permission::Role;
use serde::Deserialize;
use store::device::Device;

use super::view::Time;
use super::{Shell, html};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::value;
use crate::login::device::PAGE;
use crate::login::device::code::UserCode;
use crate::login::device::decide::{self, DAYS, Found, USUAL_DAYS, lendable};
use crate::state::State;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    shell: Shell,
    who: String,
    step: Step,
}

/// How far somebody is.
enum Step {
    /// A code is to be entered; what is wrong with the one that was.
    Enter {
        code: String,
        mistake: Option<&'static str>,
    },
    Decide(Box<Waiting>),
    Done,
    Refused,
}

struct Waiting {
    code: String,
    machine: String,
    from: String,
    asked: Time,
    over: Time,
    /// (role, what it may, chosen)
    roles: Vec<(&'static str, &'static str, bool)>,
    /// (days, in words, chosen)
    days: Vec<(u16, &'static str, bool)>,
}

const NOTHING: &str =
    "No command line shows this code now. A code is good for a quarter of an hour, and once.";
const TOO_MANY: &str = "Too many codes that were none. Try again in a quarter of an hour.";
const TOO_LATE: &str = "The code is over, or was decided about elsewhere. Begin again there.";

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    code: String,
    #[serde(default)]
    done: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    let code = wanted.code.trim();
    let step = match (wanted.done.as_str(), code) {
        ("confirmed", _) => Step::Done,
        ("refused", _) => Step::Refused,
        (_, "") => Step::Enter { code: String::new(), mistake: None },
        (_, code) => match decide::find(&state, &caller, code).await? {
            Found::Waiting(device) => {
                Step::Decide(Box::new(waiting(&state, &caller, code, device)))
            }
            Found::Nothing => return wrong(&caller, code, NOTHING),
            Found::TooMany => return wrong(&caller, code, TOO_MANY),
        },
    };
    page(&caller, StatusCode::OK, step)
}

fn page(caller: &Caller, status: StatusCode, step: Step) -> Result<Response> {
    let shell = Shell::new("Let a command line in", "account").of(caller);
    let page = DevicePage { shell, who: caller.name.clone(), step };
    Ok((status, html(&page)?).into_response())
}

fn wrong(caller: &Caller, code: &str, mistake: &'static str) -> Result<Response> {
    let step = Step::Enter { code: code.to_owned(), mistake: Some(mistake) };
    page(caller, StatusCode::UNPROCESSABLE_ENTITY, step)
}

fn waiting(state: &State, caller: &Caller, code: &str, device: Device) -> Waiting {
    let now = state.now();
    let lendable = lendable(caller);
    let chosen = if lendable.contains(&device.role) { Some(device.role) } else { None };
    let chosen = chosen.or(lendable.first().copied());
    let may = |role| match role {
        Role::Admin => "everything, settings too",
        Role::Deployer => "read, build and deploy",
        Role::Viewer => "read",
        Role::Worker => "nothing",
    };
    let roles = lendable.iter().map(|role| (role.as_str(), may(*role), Some(*role) == chosen));
    Waiting {
        code: UserCode::parse(code).map_or_else(String::new, |code| code.to_string()),
        machine: device.machine,
        from: device.from_ip.unwrap_or_else(|| "unknown".into()),
        asked: Time::new(device.created_at, now),
        over: Time::new(device.expires_at, now),
        roles: roles.collect(),
        days: DAYS.map(|(days, words)| (days, words, days == USUAL_DAYS)).to_vec(),
    }
}

#[derive(Deserialize)]
pub(super) struct Decision {
    #[serde(default)]
    code: String,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    days: String,
}

pub(super) async fn decide(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(decision): Form<Decision>,
) -> Result<Response> {
    let code = decision.code.trim();
    let device = match decide::find(&state, &caller, code).await? {
        Found::Waiting(device) => device,
        Found::Nothing => return wrong(&caller, code, NOTHING),
        Found::TooMany => return wrong(&caller, code, TOO_MANY),
    };
    let (done, to) = match decision.decision.as_str() {
        "confirm" => {
            let role = role(&decision.role)?;
            let days = days(&decision.days)?;
            (decide::grant(&state, &caller, &device, role, days).await?, "confirmed")
        }
        "refuse" => (decide::refuse(&state, &caller, &device).await?, "refused"),
        _ => return Err(Error::invalid("decision", "take confirm or refuse")),
    };
    if !done {
        return wrong(&caller, code, TOO_LATE);
    }
    Ok(Redirect::to(&format!("{PAGE}?done={to}")).into_response())
}

fn role(text: &str) -> Result<Role> {
    match text {
        "admin" => Ok(Role::Admin),
        "deployer" => Ok(Role::Deployer),
        "viewer" => Ok(Role::Viewer),
        _ => Err(Error::invalid("role", "take admin, deployer or viewer")),
    }
}

fn days(text: &str) -> Result<u16> {
    let days: u16 = value("days", text)?;
    if DAYS.iter().any(|(known, _)| *known == days) {
        return Ok(days);
    }
    Err(Error::invalid("days", "take 1, 7, 30, 90 or 365"))
}
