//! The services of `serverless-compose.yml`.

use std::collections::BTreeMap;

use crate::ServiceName;
use crate::compose::ComposeService;
use crate::job::Failure;
use crate::pipeline::{Dependency, DependencyOrigin, Framework, Service};

use super::{Detected, Listing, Located, configuration, framework, within};

/// `file`: its name in this commit.
pub(super) fn composed(
    file: &str,
    services: BTreeMap<ServiceName, ComposeService>,
    listing: &Listing<'_>,
) -> Result<Detected, Failure> {
    let services =
        services.into_iter().map(|(name, written)| located(file, name, written, listing));
    Ok(Detected { services: services.collect::<Result<_, _>>()?, remarks: Vec::new() })
}

fn located(
    compose: &str,
    name: ServiceName,
    written: ComposeService,
    listing: &Listing<'_>,
) -> Result<Located, Failure> {
    let ComposeService { path, config, parameters, reads, depends_on, notes } = written;
    let file = match &config {
        Some(config) => Some(within(&path, config)).filter(|file| listing.has(file)).ok_or_else(|| {
            configuration(format!(
                "{compose}, services.{name}.config: this commit has no file {}; correct it (it is relative to {path:?}), or add the file",
                within(&path, config)
            ))
        })?,
        None => framework::serverless(&path, listing).ok_or_else(|| {
            configuration(format!(
                "{compose}, services.{name}.path: the directory {path:?} holds no serverless.yml; correct the path, or write the file's name as `config:`"
            ))
        })?,
    };
    let why = format!("named in {compose}; {file} makes it a service of the Serverless Framework");
    let dependency = |service| Dependency { service, origin: DependencyOrigin::Compose };
    let service = Service {
        template: config,
        parameters,
        reads,
        depends_on: depends_on.into_iter().map(dependency).collect(),
        notes: [vec![why], notes].concat(),
        ..Service::new(name, path, Framework::Serverless)
    };
    Ok(Located { service, config: Some(file) })
}
