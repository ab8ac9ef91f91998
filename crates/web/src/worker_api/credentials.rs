//! Credentials of the stage's role, for the jobs that may have them.
//!
//! What always holds: the role is the profile's, and only a job that is held and works with AWS
//! gets it: the whole of it to change stacks, little to package, and what only reads to look, which
//! is all that a pull request gets of another stage. The session says which app, build and person
//! it is for; AWS is asked outside any transaction. What AWS says when it refuses is passed on, so that the job fails with
//! words that help.

use std::time::Duration;

use aws::Credentials;
use aws::role::{AssumeRole, SessionScope, session_name};
use axum::Json;
use axum::extract::{Path, State as Extract};
use model::app::Profile;
use model::build::Purpose;
use model::job::JobKind;
use model::worker_api::{AwsCredentials, Held};
use model::{JobId, ProfileName};
use secrecy::ExposeSecret;
use store::app::App;
use store::build::Build;
use store::job::{Job, Work};
use store::stage::Stage;

use super::assignment::{self, Unassignable};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

pub(crate) const SESSION: Duration = Duration::from_secs(60 * 60);

pub(super) async fn mint(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    Json(held): Json<Held>,
) -> Result<Json<AwsCredentials>> {
    let id: JobId = segment("job", &id)?;
    let request = request(&state, id, held.attempt).await?;
    Ok(Json(told(minted(&state, request).await?)))
}

/// What AWS says when it refuses is passed on.
pub(crate) async fn minted(state: &State, request: AssumeRole) -> Result<Credentials> {
    let role = request.role_arn.clone();
    state.minter.mint(request).await.map_err(|error| {
        tracing::warn!(role, %error, "no credentials");
        if error.is_transient() {
            Error::Upstream(error.to_string())
        } else {
            Error::Forbidden(error.to_string())
        }
    })
}

/// As they go over the wire to whoever may have them.
pub(crate) fn told(minted: Credentials) -> AwsCredentials {
    AwsCredentials {
        access_key_id: minted.access_key_id,
        secret_access_key: minted.secret_access_key.expose_secret().to_owned(),
        session_token: minted.session_token.expose_secret().to_owned(),
        expires_at: minted.expires_at,
    }
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
        JobKind::Deploy
        | JobKind::Remove
        | JobKind::PostDeploy
        | JobKind::Rollback
        | JobKind::Recover => SessionScope::Whole,
        JobKind::Foresee => SessionScope::ReadOnly,
        JobKind::Sweep | JobKind::Drift => SessionScope::Inspect,
    };
    let build = store::build::get(&mut conn, job.build_id).await?;
    let app = store::app::get(&mut conn, build.app_id).await?;
    let (stage, profile) = match as_whom(&mut conn, &app, &build, &job).await? {
        As::Stage(stage) => (stage.name.to_string(), stage.profile_in(&app.settings).1),
        As::Profile(profile) => (String::new(), profile_named(&app, &profile)?),
    };
    let commit = match &job.work {
        Some(Work::Rollback { commit, .. }) => commit,
        Some(
            Work::Service(_)
            | Work::Step(_)
            | Work::Removal { .. }
            | Work::Recover { .. }
            | Work::Foresee { .. }
            | Work::Sweep { .. }
            | Work::Discard { .. },
        )
        | None => &build.source.commit,
    };
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
            tag("stage", &stage),
            tag("service", service),
            tag("build", &number),
            tag("commit", commit.as_str()),
        ],
        source_identity: Some(build.source.author).filter(|author| !author.is_empty()),
        duration: SESSION,
        scope,
    })
}

/// Whose role a job works with.
enum As {
    Stage(Box<Stage>),
    /// It looks through the account of a profile, for no stage.
    Profile(ProfileName),
}

async fn as_whom(
    conn: &mut store::PgConnection,
    app: &App,
    build: &Build,
    job: &Job,
) -> Result<As> {
    let nothing = || Error::Forbidden("this build deploys nothing: no AWS credentials".into());
    match (&job.work, build.purpose) {
        (_, Purpose::Test) => Err(nothing()),
        (Some(Work::Sweep { profile, .. } | Work::Discard { profile, .. }), _) => {
            Ok(As::Profile(profile.clone()))
        }
        (Some(Work::Foresee { .. }), _) => match assignment::stage_foreseen(conn, app, job).await {
            Ok(stage) => Ok(As::Stage(Box::new(stage))),
            Err(Unassignable::Fails(why)) => Err(Error::Conflict(why)),
            Err(Unassignable::Store(error)) => Err(error.into()),
        },
        (
            Some(
                Work::Service(_)
                | Work::Step(_)
                | Work::Removal { .. }
                | Work::Rollback { .. }
                | Work::Recover { .. },
            )
            | None,
            Purpose::Deploy
            | Purpose::Remove
            | Purpose::Rollback
            | Purpose::Recover
            | Purpose::Inspect,
        ) => {
            let stage = build.stage_id.ok_or_else(nothing)?;
            Ok(As::Stage(Box::new(store::stage::get(conn, stage).await?)))
        }
    }
}

fn profile_named<'a>(app: &'a App, name: &ProfileName) -> Result<&'a Profile> {
    app.settings.profiles.get(name).ok_or_else(|| {
        Error::Conflict(format!("the settings of {} have no profile {name} any more", app.name))
    })
}
