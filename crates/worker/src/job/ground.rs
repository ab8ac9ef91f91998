//! What a job that works for a stage stands on before its first step: its parameters complete,
//! what others have published, and the environment made of both.
//!
//! What always holds: a value read from AWS is masked in the log before anything could print it,
//! and is kept in this job's memory alone. A job that removes goes on without what is missing: a
//! parameter that is gone must not keep a stack alive. A job that only looks ahead has a fixed text
//! in its place.

use std::collections::BTreeMap;

use aws::Parameters;
use model::job::FailureKind;
use model::output::{self, Published};
use model::pipeline::{Framework, Service};
use model::plugin;
use model::worker_api::{Parameter, Target};
use secrecy::{ExposeSecret, SecretString};

use super::context::Job;
use super::environment::Scene;
use super::halt::Halt;
use super::{install, schema, session};
use crate::git::Workspace;

const OUTPUTS_FILE: &str = "outputs.json";
const PLUGIN_DIRECTORY: &str = "plugin";
pub(super) const NODE_OPTIONS: &str = "NODE_OPTIONS";

/// What to do about a value that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    Refused,
    /// Said in the log and left out.
    LeftOut,
    /// [`UNKNOWN`] stands in its place.
    Marked,
}

/// Stands for a value that a job is not given. It looks like no secret and fits most places.
pub(super) const UNKNOWN: &str = "greenroom-unknown-value";

pub(super) struct Ground {
    /// With the values that lie in AWS.
    pub(super) target: Target,
    /// The service's `parameters:`, with everything put in.
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) scene: Scene,
}

impl Ground {
    /// Without a service: that of the stage's own step.
    pub(super) async fn lay(
        job: &mut Job,
        service: Option<&Service>,
        target: &Target,
        gaps: Gaps,
    ) -> Result<Self, Halt> {
        let target = complete(job, target, gaps).await?;
        let inputs = match service {
            Some(service) => inputs(job, service, &target, gaps).await?,
            None => BTreeMap::new(),
        };
        let scene = scene(job, service, &target, &inputs)?;
        Ok(Self { target, inputs, scene })
    }

    /// Installs the service's dependencies, and makes its framework ready.
    pub(super) async fn install(
        &mut self,
        job: &mut Job,
        workspace: &Workspace,
        service: &Service,
        trust: &str,
    ) -> Result<(), Halt> {
        let installed = install::run(job, workspace, service, &self.scene, trust).await?;
        match service.framework {
            Framework::Serverless => {
                // Only now: an install has no use for the plugin.
                let directory = job.show_directory(PLUGIN_DIRECTORY, &plugin::FILES)?;
                if let Some(installed) = installed {
                    let options = plugin::node_options(&directory, None);
                    schema::bring(job, workspace, service, &installed, &options).await?;
                }
                let theirs = self.scene.env.get(NODE_OPTIONS).map(String::as_str);
                self.scene.set(NODE_OPTIONS, plugin::node_options(&directory, theirs));
            }
            Framework::Cloudformation | Framework::Sam | Framework::Cdk | Framework::Custom => {}
        }
        Ok(())
    }

    /// Lets later steps read what the service has published just now.
    pub(super) fn add(
        &mut self,
        job: &mut Job,
        service: &Service,
        outputs: &BTreeMap<String, String>,
    ) -> Result<(), Halt> {
        let own = Published {
            app: self.target.outputs.app.clone(),
            stage: self.target.stage.clone(),
            region: self.target.region.clone(),
            service: service.name.clone(),
            published_as: service.published_as.clone(),
            outputs: outputs.clone(),
        };
        let published = &mut self.target.outputs.published;
        published.retain(|other| {
            (&other.app, &other.stage, &other.region, &other.service)
                != (&own.app, &own.stage, &own.region, &own.service)
        });
        published.push(own);
        let variables = output::environment(&self.target.outputs);
        self.scene.env.extend(variables);
        show_outputs(job, &self.target).map(drop)
    }
}

fn scene(
    job: &mut Job,
    service: Option<&Service>,
    target: &Target,
    inputs: &BTreeMap<String, String>,
) -> Result<Scene, Halt> {
    let file = show_outputs(job, target)?;
    Ok(Scene::of_stage(job.assignment(), service, target, inputs, &file))
}

fn show_outputs(job: &mut Job, target: &Target) -> Result<std::path::PathBuf, Halt> {
    let text = serde_json::to_vec(&target.outputs).map_err(Halt::internal)?;
    job.show_file(OUTPUTS_FILE, &text)
}

/// The target with the parameters that lie in AWS.
async fn complete(job: &Job, target: &Target, gaps: Gaps) -> Result<Target, Halt> {
    let mut target = target.clone();
    if target.references.is_empty() {
        return Ok(target);
    }
    let session = session::open(job).await?;
    let region = target.region.as_str();
    let parameters = Parameters::new(session.credentials, region, &session.endpoint)?;
    for (key, remote) in &target.references {
        let value: SecretString = match job.or_stopped(parameters.read(remote)).await? {
            Ok(value) => value,
            Err(error) => match gaps {
                Gaps::Refused => return Err(Halt::unread(key, &error)),
                Gaps::LeftOut => {
                    job.log().note(&format!("parameter {key} is left out: {error}")).await;
                    continue;
                }
                Gaps::Marked => UNKNOWN.into(),
            },
        };
        if !value.expose_secret().is_empty() {
            job.log().mask(std::slice::from_ref(&value)).await?;
        }
        let parameter = Parameter { value: value.expose_secret().to_owned(), secret: true };
        target.parameters.insert(key.clone(), parameter);
    }
    let keys: Vec<&str> = target.references.keys().map(model::ParameterKey::as_str).collect();
    job.log().note(&format!("parameters read from AWS: {}", keys.join(", "))).await;
    Ok(target)
}

async fn inputs(
    job: &Job,
    service: &Service,
    target: &Target,
    gaps: Gaps,
) -> Result<BTreeMap<String, String>, Halt> {
    let values: BTreeMap<_, _> = target
        .parameters
        .iter()
        .map(|(key, parameter)| (key.clone(), parameter.value.clone()))
        .collect();
    let mut inputs = BTreeMap::new();
    for (name, text) in &service.parameters {
        match (output::substitute(text, &target.outputs, &values), gaps) {
            (Ok(value), _) => drop(inputs.insert(name.clone(), value)),
            (Err(error), Gaps::Refused) => {
                return Err(Halt::failed(
                    FailureKind::Configuration,
                    format!("greenroom.yml, services.{}.parameters.{name}: {error}", service.name),
                ));
            }
            (Err(error), Gaps::LeftOut) => {
                job.log().note(&format!("parameter {name} is left out: {error}")).await;
            }
            (Err(error), Gaps::Marked) => {
                job.log().note(&format!("parameter {name} is not known: {error}")).await;
                inputs.insert(name.clone(), UNKNOWN.to_owned());
            }
        }
    }
    Ok(inputs)
}
