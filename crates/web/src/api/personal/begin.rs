//! A command begins, or goes on with credentials for another hour.
//!
//! What always holds: rows are first tried in a transaction that is rolled back, so that a role which
//! lets nobody in leaves no stage behind; what is handed out was written down before. After a crash
//! between the two nobody has credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::role::{AssumeRole, SessionScope, session_name};
use aws::stack::greenroom_tags;
use aws::{AwsEndpoint, Credentials, Parameters};
use model::personal::{
    Admission, Asker, Begin, Begun, MAX_COMMAND, Source, environment, without_values,
};
use model::worker_api::{AwsCredentials, Parameter, Target};
use model::{InstanceId, LaptopSessionId, Region, ServiceName, StageName};
use secrecy::ExposeSecret;
use serde_json::json;
use store::app::App;
use store::audit::Deed;
use store::order;
use store::personal::NewSession;
use store::signals::Topic;
use store::stage::Stage;

use super::prepare::{self, Prepared, Wanted, inputs, prepare};
use super::{asker, own};
use crate::api::app;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::state::State;
use crate::worker_api::credentials::{SESSION, minted, told};

/// What a machine may call itself.
const MACHINE_CHARS: usize = 60;
/// A shorter value stands in a command by chance.
const SHORTEST_SECRET: usize = 4;

pub(super) async fn begin(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &StageName,
    wish: Begin,
) -> Result<Begun> {
    let mut tried = state.db.begin().await?;
    let app = app(&mut tried, name).await?;
    let asker = asker(caller, &app)?;
    let wanted = Wanted { app: &app, stage, asker: &asker, wish: &wish };
    let prepared = prepare(state, &mut tried, wanted).await?;
    tried.rollback().await.map_err(Error::internal)?;

    let Prepared { stage: as_tried, spec, region, mut target, .. } = prepared;
    let place = Place { app: &app, stage: &as_tried, service: &spec.name, region: &region };
    let credentials = minted(state, place.role(&asker, &wish.source, SessionScope::Whole)).await?;
    complete(state, &mut target, &credentials).await?;
    let inputs = inputs(&spec, &target)?;

    let (id, stage, stage_expires_at) = write(state, caller, wanted, &target, &credentials).await?;
    let mut parameters: BTreeMap<String, String> = target
        .parameters
        .iter()
        .map(|(key, parameter)| (key.to_string(), parameter.value.clone()))
        .collect();
    parameters.extend(inputs.clone());
    Ok(Begun {
        id,
        account: stage.profile_in(&app.settings).1.role_arn.account().to_owned(),
        environment: environment(&app.name, &spec.name, &target, &inputs, &wish.source),
        parameters,
        stack_tags: stack_tags(&app, &stage, &spec.name),
        app: app.name,
        stage: stage.name,
        stage_kind: stage.kind,
        service: spec.name,
        region,
        outputs: target.outputs,
        aws: state.settings.aws_endpoint.clone(),
        credentials: told(credentials),
        stage_expires_at,
    })
}

/// No build makes these stacks.
fn stack_tags(app: &App, stage: &Stage, service: &ServiceName) -> BTreeMap<String, String> {
    let mut tags = greenroom_tags(&app.name, &stage.name, service, "");
    tags.retain(|_, value| !value.is_empty());
    tags
}

async fn write(
    state: &State,
    caller: &Caller,
    wanted: Wanted<'_>,
    target: &Target,
    credentials: &Credentials,
) -> Result<(LaptopSessionId, Stage, Option<chrono::DateTime<chrono::Utc>>)> {
    let Wanted { app, asker, wish, .. } = wanted;
    let now = state.now();
    let id = LaptopSessionId(state.id());
    let command = written(wish, target);
    let mut tx = state.db.begin().await?;
    let Prepared { stage, admission, spec, region, digest, .. } =
        prepare(state, &mut tx, wanted).await?;
    let instance = match admission {
        Admission::Make | Admission::Reuse => {
            order::use_personal(&mut tx, app, stage.id, now).await?;
            let id = InstanceId(state.id());
            Some(store::personal::begun(&mut tx, id, stage.id, &region, &spec, now).await?)
        }
        // whose instances the builds write
        Admission::LongLived => None,
    };
    let machine = wish.machine.as_deref().map(machine);
    let new = NewSession {
        id,
        stage: stage.id,
        owner: &asker.owner,
        service: &spec.name,
        region: &region,
        instance,
        purpose: wish.purpose,
        command: &command,
        source: &wish.source,
        machine: machine.as_deref(),
        from_ip: caller.from.map(|address| address.to_string()),
        parameters_digest: &digest,
        began_at: now,
        expires_at: credentials.expires_at,
    };
    store::personal::insert(&mut tx, &new).await?;
    let did = Did::new(Deed::Exec, &app.name).stage(&stage.name).detail(json!({
        "service": spec.name,
        "region": region,
        "command": command,
        "commit": wish.source.commit,
        "dirty": wish.source.dirty,
        "machine": machine,
    }));
    audit::record(state, &mut tx, caller, did).await?;
    let personal = store::personal::of(&mut tx, stage.id).await?;
    tx.commit().await.map_err(Error::internal)?;
    tracing::info!(app = %app.name, stage = %stage.name, by = caller.name, "credentials for a laptop");
    state.signals.touched(Topic::Board);
    Ok((id, stage, personal.and_then(|personal| personal.expires_at)))
}

/// The command as it is kept: no value of a parameter stands in it, by whatever way it came there.
fn written(wish: &Begin, target: &Target) -> String {
    let mut text = without_values(&wish.command).join(" ");
    let secrets = target.parameters.values().filter(|parameter| parameter.secret);
    for Parameter { value, .. } in secrets.filter(|one| one.value.len() >= SHORTEST_SECRET) {
        text = text.replace(value.as_str(), "…");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_COMMAND).collect()
}

fn machine(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MACHINE_CHARS).collect()
}

/// Credentials for another hour, for whoever may have them still.
pub(super) async fn renew(
    state: &State,
    caller: &Caller,
    name: &str,
    stage: &str,
    id: &str,
) -> Result<AwsCredentials> {
    let mut conn = state.db.acquire().await?;
    let (app, stage, session) = own(&mut conn, caller, (name, stage, id)).await?;
    if session.ended_at.is_some() {
        return Err(Error::Conflict("this command has ended: begin anew".into()));
    }
    let asker = asker(caller, &app)?;
    prepare::admission(state, &mut conn, &app, &stage.name, Some(&stage), &asker).await?;
    drop(conn);
    let place =
        Place { app: &app, stage: &stage, service: &session.service, region: &session.region };
    let credentials =
        minted(state, place.role(&asker, &session.source(), SessionScope::Whole)).await?;
    let mut conn = state.db.acquire().await?;
    store::personal::renewed(&mut conn, session.id, credentials.expires_at).await?;
    Ok(told(credentials))
}

/// Where a command works.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) app: &'a App,
    pub(super) stage: &'a Stage,
    pub(super) service: &'a ServiceName,
    pub(super) region: &'a Region,
}

impl Place<'_> {
    /// The profile's role, in a session that says whose and what for.
    pub(super) fn role(self, asker: &Asker, source: &Source, scope: SessionScope) -> AssumeRole {
        let profile = self.stage.profile_in(&self.app.settings).1;
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        AssumeRole {
            role_arn: profile.role_arn.to_string(),
            external_id: profile.external_id.clone(),
            region: self.region.to_string(),
            session_name: session_name(self.app.name.as_str(), "laptop", self.service.as_str()),
            tags: vec![
                tag("app", self.app.name.as_str()),
                tag("stage", self.stage.name.as_str()),
                tag("service", self.service.as_str()),
                tag("commit", source.commit.as_str()),
            ],
            source_identity: Some(asker.owner.name.clone()),
            duration: SESSION,
            scope,
        }
    }
}

pub(super) fn endpoint(state: &State) -> AwsEndpoint {
    let settings = &state.settings.aws_endpoint;
    AwsEndpoint { url: settings.url.clone(), ca_bundle_pem: settings.ca_bundle.clone() }
}

/// The target with the parameters that lie in AWS, read with the command's own credentials.
async fn complete(state: &State, target: &mut Target, credentials: &Credentials) -> Result<()> {
    if target.references.is_empty() {
        return Ok(());
    }
    let credentials = Arc::new(credentials.clone());
    let parameters = Parameters::new(credentials, target.region.as_str(), &endpoint(state))
        .map_err(Error::internal)?;
    for (key, remote) in &target.references {
        let value = parameters
            .read(remote)
            .await
            .map_err(|error| Error::Conflict(format!("parameter {key}: {error}")))?;
        let value = Parameter { value: value.expose_secret().to_owned(), secret: true };
        target.parameters.insert(key.clone(), value);
    }
    Ok(())
}
