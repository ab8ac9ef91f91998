//! The stage a job works for, as its worker may know it.
//!
//! What always holds: profile, parameters and safeguards come from the app's settings, never from
//! the commit; a test job runs what anybody may have pushed, so it learns nothing of a secret,
//! neither its value nor where it lies, and nothing of what is deployed.

use std::collections::BTreeMap;

use model::app::{Policy, RemoteParameter, StageParameter, Value};
use model::worker_api::{Parameter, Target};
use model::{ParameterKey, Region};
use secrecy::ExposeSecret;
use store::PgConnection;
use store::app::App;
use store::stage::Stage;

use super::assignment::Assigned;
use crate::state::State;

/// The target of a test job.
pub(super) fn for_test(app: &App, stage: &Stage) -> Target {
    let (_, profile) = stage.profile_in(&app.settings);
    Target {
        stage: stage.name.clone(),
        stage_kind: stage.kind,
        region: profile.region.clone(),
        parameters: plain(&stage.parameters_in(&app.settings)),
        references: BTreeMap::new(),
        outputs: store::output::nothing(app, stage, &profile.region),
        safeguards: Vec::new(),
        approved: None,
    }
}

/// The target of a job that works with the stage's role; without a region of its own it works in
/// the profile's.
pub(crate) async fn whole(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    region: Option<&Region>,
) -> Assigned<Target> {
    let (_, profile) = stage.profile_in(&app.settings);
    let region = region.unwrap_or(&profile.region);
    let written = stage.parameters_in(&app.settings);
    let mut parameters = plain(&written);
    for (key, value) in store::secret::open(conn, &state.vault, app.id, &written).await? {
        let value = value.expose_secret().to_owned();
        parameters.insert(key, Parameter { value, secret: true });
    }
    Ok(Target {
        stage: stage.name.clone(),
        stage_kind: stage.kind,
        region: region.clone(),
        parameters,
        references: references(&written),
        outputs: store::output::scope(conn, app, stage, region).await?,
        safeguards: profile.safeguards.clone(),
        approved: None,
    })
}

/// The target of a rollback: no time is closed to it, for it is what mends a stage.
pub(super) async fn for_rollback(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    region: &Region,
) -> Assigned<Target> {
    let mut target = whole(state, conn, app, stage, Some(region)).await?;
    target.safeguards.retain(|safeguard| safeguard.policy() != Policy::RestrictedDeployTimes);
    Ok(target)
}

/// The target of a look at the stage that a pull request is meant for. Its code learns nothing of
/// a secret of that stage, neither its value nor where it lies: the worker puts another value in
/// the place of each that is empty here, and tells no difference that comes of it.
pub(super) async fn for_foresight(
    conn: &mut PgConnection,
    app: &App,
    stage: &Stage,
    region: &Region,
) -> Assigned<Target> {
    let written = stage.parameters_in(&app.settings);
    let mut parameters = plain(&written);
    for (key, parameter) in &written {
        match parameter.value {
            Value::Plain(_) => {}
            Value::Secret(_) | Value::Remote(_) => {
                let nothing = Parameter { value: String::new(), secret: true };
                parameters.insert((*key).clone(), nothing);
            }
        }
    }
    Ok(Target {
        stage: stage.name.clone(),
        stage_kind: stage.kind,
        region: region.clone(),
        parameters,
        references: BTreeMap::new(),
        outputs: store::output::scope(conn, app, stage, region).await?,
        safeguards: Vec::new(),
        approved: None,
    })
}

fn plain(
    written: &BTreeMap<&ParameterKey, StageParameter<'_>>,
) -> BTreeMap<ParameterKey, Parameter> {
    let plain = |(key, parameter): (&&ParameterKey, &StageParameter<'_>)| match parameter.value {
        Value::Plain(value) => {
            Some(((*key).clone(), Parameter { value: value.clone(), secret: false }))
        }
        Value::Secret(_) | Value::Remote(_) => None,
    };
    written.iter().filter_map(plain).collect()
}

fn references(
    written: &BTreeMap<&ParameterKey, StageParameter<'_>>,
) -> BTreeMap<ParameterKey, RemoteParameter> {
    let remote = |(key, parameter): (&&ParameterKey, &StageParameter<'_>)| match parameter.value {
        Value::Remote(remote) => Some(((*key).clone(), remote.clone())),
        Value::Plain(_) | Value::Secret(_) => None,
    };
    written.iter().filter_map(remote).collect()
}
