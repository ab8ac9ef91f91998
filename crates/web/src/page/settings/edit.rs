//! The whole app file as text: of an app that is there, or of a new one.

use axum::extract::{Extension, Form, Path, State as Extract};
use axum::response::{Html, Response};
use model::app::write;
use serde::Deserialize;

use super::draft::Draft;
use super::review::{self, Subject};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::state::State;

/// What a new app's file needs, with what most have.
const EMPTY: &str = "\
app: my-app
repository: owner/name
default_profile: development

profiles:
  development:
    role_arn: arn:aws:iam::123456789012:role/greenroom-deploy
    # external_id: of the role's trust policy
    region: us-east-1
    # parameters:
    #   key: value
    #   api_key: { secret: \"typed here once, kept encrypted, and shown to nobody again\" }

stages:
  staging: { profile: development }

rules:
  - { branch: main, stage: staging }
  - preview: { base: [main], expires_after: 7d }
";

#[derive(Deserialize)]
pub(super) struct Typed {
    text: String,
    #[serde(default)]
    revision: i64,
    /// Secrets that were typed elsewhere, sealed.
    #[serde(default)]
    carried: String,
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    draft: String,
}

async fn known(state: &State, name: &str) -> Result<Subject> {
    let mut conn = state.db.acquire().await?;
    Ok(Subject::known(api::app(&mut conn, name).await?))
}

/// The settings in force, and their number.
pub(super) async fn in_force(state: &State, name: &str) -> Result<(Subject, Draft)> {
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, name).await?;
    let base = store::revision::current(&mut conn, app.id).await?;
    let draft = Draft::typed(&write(&app.settings), base);
    Ok((Subject::known(app), draft))
}

fn typed(state: &State, caller: &Caller, subject: &Subject, filled: &Typed) -> Result<Draft> {
    let draft = Draft::typed(&filled.text, filled.revision);
    if filled.carried.is_empty() {
        return Ok(draft);
    }
    let carried = Draft::open(state, caller, subject.app(), &filled.carried)?;
    Ok(Draft { secrets: carried.secrets, ..draft })
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Html<String>> {
    let (subject, draft) = in_force(&state, &name).await?;
    review::editor(&state, &caller, &subject, &draft)
}

pub(super) async fn review(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(filled): Form<Typed>,
) -> Result<Response> {
    let subject = known(&state, &name).await?;
    let draft = typed(&state, &caller, &subject, &filled)?;
    review::review(&state, &caller, &subject, draft).await
}

/// Back from the difference to the text.
pub(super) async fn again(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(confirmed): Form<Confirmed>,
) -> Result<Html<String>> {
    let subject = known(&state, &name).await?;
    let draft = Draft::open(&state, &caller, subject.app(), &confirmed.draft)?;
    review::editor(&state, &caller, &subject, &draft)
}

pub(super) async fn save(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(confirmed): Form<Confirmed>,
) -> Result<Response> {
    let subject = known(&state, &name).await?;
    let draft = Draft::open(&state, &caller, subject.app(), &confirmed.draft)?;
    review::save(&state, &caller, &subject, draft).await
}

pub(super) async fn show_new(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Html<String>> {
    review::editor(&state, &caller, &Subject::New, &Draft::typed(EMPTY, 0))
}

pub(super) async fn review_new(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(filled): Form<Typed>,
) -> Result<Response> {
    let draft = typed(&state, &caller, &Subject::New, &filled)?;
    review::review(&state, &caller, &Subject::New, draft).await
}

pub(super) async fn again_new(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(confirmed): Form<Confirmed>,
) -> Result<Html<String>> {
    let draft = Draft::open(&state, &caller, None, &confirmed.draft)?;
    review::editor(&state, &caller, &Subject::New, &draft)
}

pub(super) async fn save_new(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Form(confirmed): Form<Confirmed>,
) -> Result<Response> {
    let draft = Draft::open(&state, &caller, None, &confirmed.draft)?;
    review::save(&state, &caller, &Subject::New, draft).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_that_a_new_app_begins_with_is_a_right_one() {
        let file = model::app::parse_yaml(super::EMPTY).expect("a right file");
        assert_eq!(file.settings.rules.len(), 2);
    }
}
