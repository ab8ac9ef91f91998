//! Credentials of the stage's role, for the jobs that may have them.
//!
//! What always holds: the role is the profile's, and only a `package`, `deploy`, `remove` or
//! `post_deploy` job that is held gets it; the session says which app, build and person it is for; AWS is asked
//! outside any transaction. What AWS says when it refuses is passed on, so that the job fails with
//! words that help.

use std::time::Duration;

use aws::role::{AssumeRole, SessionScope, session_name};
use axum::Json;
use axum::extract::{Path, State as Extract};
use model::JobId;
use model::build::Purpose;
use model::job::JobKind;
use model::worker_api::{AwsCredentials, Held};
use secrecy::ExposeSecret;

use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

const SESSION: Duration = Duration::from_secs(60 * 60);

pub(super) async fn mint(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(held): Json<Held>,
) -> Result<Json<AwsCredentials>> {
    let id: JobId = segment("job", &id)?;
    let request = request(&state, id, held.attempt).await?;
    let role = request.role_arn.clone();
    let minted = state.minter.mint(request).await.map_err(|error| {
        tracing::warn!(role, %error, "no credentials");
        if error.is_transient() {
            Error::Upstream(error.to_string())
        } else {
            Error::Forbidden(error.to_string())
        }
    })?;
    Ok(Json(AwsCredentials {
        access_key_id: minted.access_key_id,
        secret_access_key: minted.secret_access_key.expose_secret().to_owned(),
        session_token: minted.session_token.expose_secret().to_owned(),
        expires_at: minted.expires_at,
    }))
}

async fn request(state: &State, id: JobId, attempt: i32) -> Result<AssumeRole> {
    let mut conn = state.db.acquire().await?;
    let job = store::job::held(&mut conn, id, attempt).await?;
    let scope = match job.kind {
        JobKind::Plan | JobKind::Test => {
            return Err(Error::Forbidden(format!(
                "a {} job gets no AWS credentials",
                job.kind.as_str()
            )));
        }
        JobKind::Package => SessionScope::ReadMostly,
        JobKind::Deploy | JobKind::Remove | JobKind::PostDeploy => SessionScope::Whole,
    };
    let build = store::build::get(&mut conn, job.build_id).await?;
    let stage = match (build.purpose, build.stage_id) {
        (Purpose::Deploy | Purpose::Remove, Some(stage)) => stage,
        (Purpose::Test, _) | (Purpose::Deploy | Purpose::Remove, None) => {
            return Err(Error::Forbidden("this build deploys nothing: no AWS credentials".into()));
        }
    };
    let app = store::app::get(&mut conn, build.app_id).await?;
    let stage = store::stage::get(&mut conn, stage).await?;
    let (_, profile) = stage.profile_in(&app.settings);
    let region = job.region.as_ref().unwrap_or(&profile.region);
    let service = job.service.as_ref().map_or("", |service| service.as_str());
    let number = build.number.to_string();
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Ok(AssumeRole {
        role_arn: profile.role_arn.to_string(),
        external_id: profile.external_id.clone(),
        region: region.to_string(),
        session_name: session_name(
            app.name.as_str(),
            &number,
            &format!("{}-{service}", job.kind.as_str()),
        ),
        tags: vec![
            tag("app", app.name.as_str()),
            tag("stage", stage.name.as_str()),
            tag("service", service),
            tag("build", &number),
            tag("commit", build.source.commit.as_str()),
        ],
        source_identity: Some(build.source.author).filter(|author| !author.is_empty()),
        duration: SESSION,
        scope,
    })
}
