//! The dialog that goes on with a rollback of CloudFormation's own which failed.

use askama::Template;
use axum::extract::{Extension, Form, Path, Query, State as Extract};
use axum::response::{Html, Redirect};
use model::stuck::{StuckResource, stuck_at};
use model::{Region, ServiceName};
use serde::Deserialize;

use super::super::build::to;
use super::super::{Shell, html};
use super::{Reach, given};
use crate::api;
use crate::auth::Caller;
use crate::error::Result;
use crate::extract::value;
use crate::state::State;

#[derive(Template)]
#[template(path = "dialog_recover.html")]
struct RecoverPage {
    shell: Shell,
    reach: Reach,
    service: String,
    region: String,
    /// Why its last change failed.
    reason: Option<String>,
    /// What may be skipped: CloudFormation takes no other resource.
    stuck: Vec<StuckResource>,
    /// The same, as they are written into the form.
    example: String,
}

#[derive(Deserialize)]
pub(in crate::page) struct Wanted {
    service: String,
    #[serde(default)]
    region: String,
}

impl Wanted {
    fn service(&self) -> Result<ServiceName> {
        value("service", self.service.trim())
    }

    fn region(&self) -> Result<Option<Region>> {
        given(&self.region).map(|region| value("region", region)).transpose()
    }
}

pub(in crate::page) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let (service, region) = (wanted.service()?, wanted.region()?);
    let mut conn = state.db.acquire().await?;
    let app = api::app(&mut conn, &name).await?;
    let stage = api::stages::find(&mut conn, &app, &stage).await?;
    let instance = store::order::recoverable(&mut conn, &stage, &service, region.as_ref()).await?;
    drop(conn);
    let stuck = instance.reason.as_deref().map(stuck_at).unwrap_or_default();
    let ids: Vec<&str> = stuck.iter().map(|one| one.logical_id.as_str()).collect();
    html(&RecoverPage {
        shell: Shell::new(format!("Recover {service}"), "board").of(&caller),
        reach: Reach::of(&app, &stage, std::slice::from_ref(&instance)),
        service: instance.service.to_string(),
        region: instance.region.to_string(),
        example: if ids.is_empty() { "Table, Api".to_owned() } else { ids.join(", ") },
        reason: instance.reason,
        stuck,
    })
}

#[derive(Deserialize)]
pub(in crate::page) struct Filled {
    service: String,
    #[serde(default)]
    region: String,
    /// Logical ids with spaces or commas between them.
    #[serde(default)]
    skip: String,
}

pub(in crate::page) async fn act(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    Form(filled): Form<Filled>,
) -> Result<Redirect> {
    let skip = filled
        .skip
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect();
    let named = Wanted { service: filled.service, region: filled.region };
    let wanted = api::recover::Wanted { service: named.service()?, region: named.region()?, skip };
    Ok(to(&api::recover::recover_stage(&state, &caller, &name, &stage, wanted).await?))
}
