//! A command on somebody's machine, as the API shows it.

use chrono::{DateTime, Utc};
use model::{CommitSha, LaptopSessionId, Region, ServiceName};
use serde::Serialize;
use store::personal::Session;
use utoipa::ToSchema;

use crate::openapi::wire;

#[derive(Serialize, ToSchema)]
#[schema(as = LaptopCommand)]
pub(in crate::api) struct LaptopView {
    #[schema(value_type = uuid::Uuid)]
    id: LaptopSessionId,
    /// The login, or the name of the token.
    who: String,
    #[schema(value_type = wire::ServiceName)]
    service: ServiceName,
    #[schema(value_type = wire::Region)]
    region: Region,
    #[schema(value_type = wire::LaptopUse)]
    purpose: &'static str,
    /// Its words, without the values of parameters.
    command: String,
    #[schema(value_type = wire::LaptopState)]
    state: &'static str,
    /// What was checked out.
    #[schema(value_type = wire::CommitSha)]
    commit: CommitSha,
    /// The newest commit below it that a remote had.
    #[schema(value_type = Option<wire::CommitSha>)]
    pushed: Option<CommitSha>,
    branch: Option<String>,
    /// Files differed from the commit.
    dirty: bool,
    /// What the machine calls itself.
    machine: Option<String>,
    began_at: DateTime<Utc>,
    /// When its credentials are over.
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// `null`: it runs, or its end was never told.
    exit_code: Option<i16>,
}

impl LaptopView {
    pub(super) fn of(session: Session, now: DateTime<Utc>) -> Self {
        Self {
            state: state_of(&session, now),
            id: session.id,
            who: session.who,
            service: session.service,
            region: session.region,
            purpose: session.purpose.as_str(),
            command: session.command,
            commit: session.commit,
            pushed: session.pushed,
            branch: session.branch.map(Into::into),
            dirty: session.dirty,
            machine: session.machine,
            began_at: session.began_at,
            expires_at: session.expires_at,
            ended_at: session.ended_at,
            exit_code: session.exit_code,
        }
    }
}

/// Whether it runs, has ended, or its end was never told.
pub(crate) fn state_of(session: &Session, now: DateTime<Utc>) -> &'static str {
    match session.exit_code {
        Some(_) => "ended",
        None if session.runs(now) => "running",
        None => "over",
    }
}
