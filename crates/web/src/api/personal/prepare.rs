//! What a command works with, found from the rows: the stage, which is made if it is new, and its
//! target, as a job gets it.
//!
//! What always holds: parameters, outputs and the role come from where a job's come from. The caller's
//! transaction holds whatever is made here.

use std::collections::BTreeMap;

use model::app::digest_of;
use model::output;
use model::personal::{Admission, Asker, Begin, Refusal, There, admit};
use model::pipeline::{Commands, Service, normalise};
use model::stage::StageKind;
use model::worker_api::Target;
use model::{Region, ServiceName, StageName};
use store::PgConnection;
use store::app::App;
use store::order;
use store::stage::Stage;

use crate::api::stages::freezes;
use crate::error::{Error, Mistake, Result};
use crate::order::moment;
use crate::state::State;
use crate::worker_api::target;

/// What somebody wants to work with.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) app: &'a App,
    pub(super) stage: &'a StageName,
    pub(super) asker: &'a Asker,
    pub(super) wish: &'a Begin,
}

/// All that is known before AWS is asked.
pub(super) struct Prepared {
    pub(super) stage: Stage,
    pub(super) admission: Admission,
    pub(super) spec: Service,
    pub(super) region: Region,
    pub(super) target: Target,
    pub(super) digest: String,
}

pub(super) async fn prepare(
    state: &State,
    conn: &mut PgConnection,
    wanted: Wanted<'_>,
) -> Result<Prepared> {
    let Wanted { app, stage: name, asker, wish } = wanted;
    let found = store::stage::find_open(conn, app.id, name).await?;
    let admission = admission(state, conn, app, name, found.as_ref(), asker).await?;
    let stage = match (admission, found) {
        (Admission::Make, _) => {
            match order::personal(conn, app, name, &asker.owner, moment(state)).await {
                Ok(stage) => stage,
                Err(error) if error.constraint() == Some("stage_name_key") => {
                    return Err(Error::Conflict(format!(
                        "somebody has just taken the name {name}: choose another"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        (Admission::Reuse | Admission::LongLived, Some(stage)) => stage,
        (Admission::Reuse | Admission::LongLived, None) => {
            return Err(Error::NotFound(format!("{} has no stage {name}", app.name)));
        }
    };
    let spec = spec(conn, app, wish).await?;
    let profile = stage.profile_in(&app.settings).1;
    let region = wish.region.clone().unwrap_or_else(|| profile.region.clone());
    let target = target::whole(state, conn, app, &stage, Some(&region)).await?;
    let times = store::secret::times(conn, app.id).await?;
    let digest = digest_of(&stage.parameters_in(&app.settings), &times);
    Ok(Prepared { stage, admission, spec, region, target, digest })
}

/// Whether they are let in, as the rows stand now.
pub(super) async fn admission(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    name: &StageName,
    found: Option<&Stage>,
    asker: &Asker,
) -> Result<Admission> {
    let there = match found {
        Some(stage) => Some(There {
            kind: stage.kind,
            state: stage.state,
            profile: stage.profile.clone(),
            owner: match stage.kind {
                StageKind::Personal => {
                    store::personal::of(conn, stage.id).await?.map(|personal| personal.owner())
                }
                StageKind::LongLived | StageKind::Preview => None,
            },
            branch: stage.branch.clone(),
        }),
        None => None,
    };
    let freezes = match found {
        Some(stage) => {
            let by_hand = store::freeze::of(conn, stage.id).await?;
            freezes(state, app, stage, by_hand.as_ref())
        }
        None => Vec::new(),
    };
    let admission = admit(&app.settings, name, there.as_ref(), asker, &freezes)
        .map_err(|refusal| refused(&refusal))?;
    if let (Admission::LongLived, Some(stage)) = (admission, found)
        && let Some(build) = store::build::unfinished_on(conn, stage.id).await?.first()
    {
        return Err(Error::Conflict(format!(
            "build {} of {name} is under way: wait for its end",
            build.number
        )));
    }
    Ok(admission)
}

fn refused(refusal: &Refusal) -> Error {
    let words = refusal.to_string();
    match refusal {
        Refusal::NoRight { .. } => Error::Forbidden(words),
        Refusal::LongLived { .. }
        | Refusal::Frozen { .. }
        | Refusal::NeverBuilt { .. }
        | Refusal::SharedPreview { .. }
        | Refusal::Preview { .. }
        | Refusal::Anothers { .. }
        | Refusal::Removing { .. } => Error::Conflict(words),
    }
}

/// The service as the clone has it, with what only a plan of the server finds out.
async fn spec(conn: &mut PgConnection, app: &App, wish: &Begin) -> Result<Service> {
    let known = store::personal::known(conn, app.id, &wish.service).await?;
    let Some(given) = wish.spec.as_deref() else {
        if let Some(known) = known {
            return Ok(known);
        }
        let names = store::personal::services(conn, app.id).await?;
        let names: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
        let which = match names.as_slice() {
            [] => "none of it was ever planned".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        return Err(Error::invalid(
            "service",
            format!("{} has no service {} that is known here: {which}", app.name, wish.service),
        ));
    };
    if given.name != wish.service {
        let message = format!("the service is {}, and this describes {}", wish.service, given.name);
        return Err(Error::invalid("spec.name", message));
    }
    let mut spec = given.clone();
    spec.path = inside("spec.path", &given.path)?;
    if let Some(template) = &given.template {
        spec.template = Some(inside("spec.template", template)?);
    }
    if let Some(known) = known.filter(|known| known.framework == spec.framework) {
        spec.published_as = spec.published_as.or(known.published_as);
        let Commands { install, lint, test, package, deploy, remove, after_deploy, before_remove } =
            spec.commands;
        spec.commands = Commands {
            install: install.or(known.commands.install),
            lint,
            test,
            package: package.or(known.commands.package),
            deploy: deploy.or(known.commands.deploy),
            remove: remove.or(known.commands.remove),
            after_deploy,
            before_remove,
        };
    }
    Ok(spec)
}

/// A place of the repository, and of nothing else.
fn inside(key: &str, path: &str) -> Result<String> {
    normalise(path).map_err(|error| Error::Invalid(vec![Mistake::new(key, error.to_string())]))
}

/// The service's own `parameters:`, with everything put in.
pub(super) fn inputs(spec: &Service, target: &Target) -> Result<BTreeMap<String, String>> {
    let values: BTreeMap<_, _> = target
        .parameters
        .iter()
        .map(|(key, parameter)| (key.clone(), parameter.value.clone()))
        .collect();
    let input = |(name, text): (&String, &String)| {
        let value = output::substitute(text, &target.outputs, &values).map_err(|error| {
            Error::invalid(format!("services.{}.parameters.{name}", spec.name), error.to_string())
        })?;
        Ok((name.clone(), value))
    };
    spec.parameters.iter().map(input).collect()
}
