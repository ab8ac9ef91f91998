//! The form of one parameter of a profile or a stage: add it, change it, remove it.
//!
//! What always holds: the value of a stored secret is not in the form, and a value that was typed
//! into the field for secrets does not come back in it.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Response};
use model::app::{Edit, ParameterForm, RemoteParameter, SecretPlace, SecretSource, Value};
use serde::Deserialize;
use store::app::App;

use super::super::{Shell, html};
use super::changes::ProblemRow;
use super::small::{in_force, place, propose};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;

#[derive(Template)]
#[template(path = "settings_parameter.html")]
struct ParameterPage {
    shell: Shell,
    app: String,
    place: String,
    /// Whose it is, in words.
    whose: String,
    key: String,
    /// It is there already.
    known: bool,
    kind: &'static str,
    /// What may be shown of it.
    value: String,
    kinds: Vec<(&'static str, &'static str)>,
    problems: Vec<ProblemRow>,
}

const KINDS: [(&str, &str); 5] = [
    ("plain", "a plain value, which everybody who sees these settings sees"),
    ("secret", "a secret, typed here and kept encrypted by the server"),
    ("secret_env", "a secret, from a variable of the server's environment"),
    ("ssm", "a parameter of SSM's Parameter Store, read when a job runs"),
    ("secretsmanager", "a secret of Secrets Manager, read when a job runs"),
];

#[derive(Deserialize)]
pub(super) struct Wanted {
    place: String,
    #[serde(default)]
    key: String,
}

fn page(
    caller: &Caller,
    app: &App,
    place: &SecretPlace,
    (key, kind, value): (&str, &'static str, String),
    problems: Vec<ProblemRow>,
) -> ParameterPage {
    let parameters = match place {
        SecretPlace::Profile(name) => app.settings.profiles.get(name).map(|it| &it.parameters),
        SecretPlace::Stage(name) => app.settings.stages.get(name).map(|it| &it.parameters),
        SecretPlace::Receiver(_) => None,
    };
    let known = parameters.is_some_and(|all| all.keys().any(|known| known.as_str() == key));
    let whose = match place {
        SecretPlace::Profile(name) => format!("the profile {name}"),
        SecretPlace::Stage(name) => format!("the stage {name}"),
        SecretPlace::Receiver(name) => format!("the receiver {name}"),
    };
    let title = format!("{} a parameter of {whose}", if known { "Change" } else { "Add" });
    ParameterPage {
        shell: Shell::new(title, "settings").of(caller),
        app: app.name.to_string(),
        place: place.to_string(),
        whose,
        key: key.to_owned(),
        known,
        kind,
        value,
        kinds: KINDS.into(),
        problems,
    }
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let (app, _) = in_force(&state, &name).await?;
    let place = place(&app, &wanted.place)?;
    let parameters = match &place {
        SecretPlace::Profile(name) => app.settings.profiles.get(name).map(|it| &it.parameters),
        SecretPlace::Stage(name) => app.settings.stages.get(name).map(|it| &it.parameters),
        SecretPlace::Receiver(_) => None,
    };
    let now = parameters
        .and_then(|all| all.iter().find(|(key, _)| key.as_str() == wanted.key))
        .map(|(_, value)| value);
    let (kind, value) = match now {
        None => ("plain", String::new()),
        Some(Value::Plain(text)) => ("plain", text.clone()),
        Some(Value::Secret(SecretSource::Given(()))) => ("secret", String::new()),
        Some(Value::Secret(SecretSource::SecretEnv(name))) => ("secret_env", name.clone()),
        Some(Value::Remote(RemoteParameter::Ssm { name })) => ("ssm", name.clone()),
        Some(Value::Remote(RemoteParameter::SecretsManager { id, key: None })) => {
            ("secretsmanager", id.clone())
        }
        Some(Value::Remote(RemoteParameter::SecretsManager { id, key: Some(key) })) => {
            ("secretsmanager", format!("{id}#{key}"))
        }
    };
    html(&page(&caller, &app, &place, (&wanted.key, kind, value), Vec::new()))
}

#[derive(Deserialize)]
pub(super) struct Filled {
    place: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    what: What,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    #[default]
    Set,
    Remove,
}

pub(super) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(filled): Form<Filled>,
) -> Result<Response> {
    let (app, base) = in_force(&state, &name).await?;
    let place = place(&app, &filled.place)?;
    let key = filled.key.trim().to_owned();
    // browsers end the lines of a text as Windows does
    let text = filled.value.replace("\r\n", "\n");
    let named = text.trim().to_owned();
    let (kind, form, shown) = match filled.kind.as_str() {
        "plain" | "" => ("plain", ParameterForm::Plain(text.clone()), text),
        "secret" => {
            let value = filled.secret.replace("\r\n", "\n");
            ("secret", ParameterForm::Secret(value.into()), String::new())
        }
        "secret_env" => ("secret_env", ParameterForm::SecretEnv(named.clone()), named),
        "ssm" => ("ssm", ParameterForm::Ssm(named.clone()), named),
        "secretsmanager" => ("secretsmanager", ParameterForm::SecretsManager(named.clone()), named),
        other => return Err(Error::invalid("kind", format!("there is no kind {other:?}"))),
    };
    let change = match filled.what {
        What::Set => Edit::SetParameter { place: place.clone(), key: key.clone(), form },
        What::Remove => Edit::RemoveParameter { place: place.clone(), key: key.clone() },
    };
    propose(&state, &caller, (app, base), &change, |app, problems| {
        page(&caller, app, &place, (&key, kind, shown), problems)
    })
    .await
}
