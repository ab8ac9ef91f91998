//! The template of a profile's role, to download.

use axum::extract::{Extension, Query, State as Extract};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Ground;
use super::profiles::server;
use crate::error::{Error, Result};
use crate::setup::door::Holder;
use crate::setup::role;
use crate::state::State;

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    profile: usize,
}

pub(super) async fn template(
    Extract(state): Extract<State>,
    Extension(holder): Extension<Holder>,
    Query(which): Query<Which>,
) -> Result<impl IntoResponse> {
    let ground = Ground::load(&state, &holder).await?;
    let profiles = &ground.draft.profiles;
    let profile = profiles.get(which.profile).ok_or_else(|| {
        Error::NotFound("there is no such profile among those of the setup".into())
    })?;
    let principal = server(&state, profiles).await.ok().map(|identity| identity.principal());
    let text = role::template(principal.as_deref(), profile);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let name: String = profile.name.chars().filter(|c| plain(*c)).collect();
    let disposition = format!("attachment; filename=\"greenroom-role-{name}.yml\"");
    let kind = "application/yaml; charset=utf-8".to_owned();
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], text))
}
