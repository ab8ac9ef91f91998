//! A profile's role, tried out: the same call that a job's credentials come from, as the setup pages
//! try a role before it is written down.

use std::time::Duration;

use aws::role::{AssumeRole, Checked, SessionScope, session_name};
use axum::Json;
use axum::extract::{Extension, Path, State as Extract};
use model::ProfileName;
use serde::Serialize;
use utoipa::ToSchema;

use super::app;
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

/// As short as AWS takes it.
const SESSION: Duration = Duration::from_secs(15 * 60);

#[derive(Serialize, ToSchema)]
#[schema(as = RoleCheck)]
pub(super) struct CheckView {
    outcome: Outcome,
    /// A sentence: what it comes to, and what would mend it.
    says: String,
    /// As whom the server is there; `null`: it does not get in.
    arn: Option<String>,
    account: Option<String>,
    /// In AWS's words.
    detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RoleCheckOutcome)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Works,
    /// It lets the server in, and not even look at stacks.
    Powerless,
    Refused,
}

/// Try the role of a profile
///
/// The server assumes it as for a job, looks, and lets go of it.
#[utoipa::path(
    post,
    path = "/apps/{app}/profiles/{profile}/check",
    operation_id = "checkProfile",
    tag = "apps",
    responses(
        (status = 200, description = "What came of it", body = CheckView),
        (status = 502, description = "AWS does not answer, or not to this server"),
    ),
)]
pub(super) async fn check(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, profile)): Path<(String, String)>,
) -> Result<Json<CheckView>> {
    let profile: ProfileName = segment("profile", &profile)?;
    let app = {
        let mut conn = state.db.acquire().await?;
        app(&mut conn, &name).await?
    };
    let gone = || Error::NotFound(format!("{} has no profile {profile}", app.name));
    let settings = app.settings.profiles.get(&profile).ok_or_else(gone)?;
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let request = AssumeRole {
        role_arn: settings.role_arn.to_string(),
        external_id: settings.external_id.clone(),
        region: settings.region.to_string(),
        session_name: session_name(app.name.as_str(), profile.as_str(), "test"),
        tags: vec![tag("app", app.name.as_str()), tag("stage", "none"), tag("service", "none")],
        source_identity: Some("greenroom-check".into()),
        duration: SESSION,
        scope: SessionScope::Whole,
    };
    let checked = state.minter.check(request).await;
    tracing::info!(app = %app.name, %profile, by = caller.name, "a role was tried");
    Ok(Json(view(checked.map_err(|error| Error::Upstream(error.to_string()))?)))
}

fn view(checked: Checked) -> CheckView {
    match checked {
        Checked::Works(identity) => CheckView {
            outcome: Outcome::Works,
            says: format!(
                "It works: this server is in account {} as {}.",
                identity.account, identity.arn
            ),
            arn: Some(identity.arn),
            account: Some(identity.account),
            detail: None,
        },
        Checked::Powerless { identity, detail } => CheckView {
            outcome: Outcome::Powerless,
            says: "The role lets this server in, but may not look at stacks there: give it the \
                   deploy policy (its statements Stacks and StackCallsWithoutAResource)."
                .into(),
            arn: Some(identity.arn),
            account: Some(identity.account),
            detail: Some(detail),
        },
        Checked::Refused { statement, detail } => CheckView {
            outcome: Outcome::Refused,
            says: statement.to_string(),
            arn: None,
            account: None,
            detail: Some(detail),
        },
    }
}
