//! The services that `greenroom.yml` names.

use std::collections::BTreeSet;

use crate::ServiceName;
use crate::job::Failure;
use crate::pipeline::files::{self, CDK, MORE_TEMPLATES, TEMPLATES};
use crate::pipeline::{Dependency, Framework, PipelineFile, Service, ServiceEntry};

use super::framework::{self, Candidate, candidates, label};
use super::{Detected, Listing, Located, configuration, within};

/// The texts that tell of which framework a named service is.
pub(super) fn wanted(file: &PipelineFile) -> Vec<String> {
    let of = |entry: &ServiceEntry| {
        let names = TEMPLATES.iter().chain(&MORE_TEMPLATES).map(|name| (*name).to_owned());
        let names = names.chain(entry.template.clone());
        names.map(|name| within(&entry.path, &name)).collect::<Vec<_>>()
    };
    file.services.values().flat_map(of).collect()
}

pub(super) fn named(file: &PipelineFile, listing: &Listing<'_>) -> Result<Detected, Failure> {
    let services = file.services.iter().map(|(name, entry)| located(name, entry, listing));
    Ok(Detected { services: services.collect::<Result<_, _>>()?, remarks: Vec::new() })
}

fn located(
    name: &ServiceName,
    entry: &ServiceEntry,
    listing: &Listing<'_>,
) -> Result<Located, Failure> {
    let (framework, config, why) = choose(name, entry, listing)?;
    let template = match framework {
        Framework::Cloudformation | Framework::Sam => config.as_deref().and_then(|file| {
            if entry.path == "." {
                Some(file)
            } else {
                file.strip_prefix(&format!("{}/", entry.path))
            }
        }),
        Framework::Serverless | Framework::Cdk | Framework::Custom => {
            if entry.stack.is_some() {
                return Err(configuration(format!(
                    "greenroom.yml, services.{name}.stack: only for frameworks cloudformation and sam, and this is a service of {}; remove it",
                    label(framework)
                )));
            }
            None
        }
    };
    let service = Service {
        depends_on: entry.depends_on.iter().cloned().map(Dependency::declared).collect(),
        watch: entry.watch.clone(),
        template: template.map(str::to_owned),
        stack: entry.stack.clone(),
        parameters: entry.parameters.clone(),
        commands: entry.commands.clone(),
        notes: why,
        ..Service::new(name.clone(), &entry.path, framework)
    };
    Ok(Located { service, config })
}

type Chosen = (Framework, Option<String>, Vec<String>);

/// The framework, its file, and why.
fn choose(
    name: &ServiceName,
    entry: &ServiceEntry,
    listing: &Listing<'_>,
) -> Result<Chosen, Failure> {
    let path = &entry.path;
    let makes = |file: &str, framework| {
        format!("named in greenroom.yml; {file} makes it a service of {}", label(framework))
    };
    let says = |framework: Framework| {
        format!("named in greenroom.yml, with framework: {}", framework.as_str())
    };
    if !has_directory(path, listing) {
        return Err(configuration(no_directory(name, path, listing)));
    }
    match (entry.framework, &entry.template) {
        (Some(Framework::Custom), _) => {
            Ok((Framework::Custom, None, vec![says(Framework::Custom)]))
        }
        (Some(framework @ Framework::Serverless), _) => {
            let file = framework::serverless(path, listing)
                .ok_or_else(|| no_file(name, path, framework, "serverless.yml"))?;
            Ok((framework, Some(file), vec![says(framework)]))
        }
        (Some(framework @ Framework::Cdk), _) => {
            let file =
                listing.first(path, &[CDK]).ok_or_else(|| no_file(name, path, framework, CDK))?;
            Ok((framework, Some(file), vec![says(framework)]))
        }
        (Some(framework @ (Framework::Cloudformation | Framework::Sam)), template) => {
            let file = match template {
                Some(template) => Some(given(name, path, template, listing)?),
                None => {
                    listing.first(path, &TEMPLATES).or_else(|| listing.first(path, &MORE_TEMPLATES))
                }
            };
            let file = file.ok_or_else(|| {
                no_file(
                    name,
                    path,
                    framework,
                    "template.yaml (write its name as `template:` if it has another)",
                )
            })?;
            Ok((framework, Some(file), vec![says(framework)]))
        }
        (None, Some(template)) => {
            let file = given(name, path, template, listing)?;
            let key = format!("greenroom.yml, services.{name}.template");
            let framework = framework::of_template(&key, &file, listing)?;
            Ok((framework, Some(file.clone()), vec![makes(&file, framework)]))
        }
        (None, None) => {
            let found = candidates(path, listing);
            match found.first() {
                Some(Candidate { framework, file }) => {
                    let mut why = vec![makes(file, *framework)];
                    why.extend(framework::others(&found));
                    Ok((*framework, Some(file.clone()), why))
                }
                None => by_commands(name, entry),
            }
        }
    }
}

/// Without a framework's file the commands are all there is.
fn by_commands(name: &ServiceName, entry: &ServiceEntry) -> Result<Chosen, Failure> {
    let commands = &entry.commands;
    match (&commands.deploy, &commands.remove) {
        (Some(_), Some(_)) => {
            let why = "named in greenroom.yml; it holds no framework's file: its own commands deploy and remove it";
            Ok((Framework::Custom, None, vec![why.to_owned()]))
        }
        (Some(_), None) => Err(configuration(format!(
            "greenroom.yml, services.{name}: {:?} holds no framework's file, so it needs a `remove` command beside its `deploy`; write \"true\" (in quotes) if there is nothing to remove",
            entry.path
        ))),
        (None, _) => Err(configuration(format!(
            "greenroom.yml, services.{name}.path: the directory {:?} holds no serverless.yml, template.yaml or cdk.json; correct the path, add the file, or write `deploy` and `remove` commands",
            entry.path
        ))),
    }
}

fn given(
    name: &ServiceName,
    path: &str,
    template: &str,
    listing: &Listing<'_>,
) -> Result<String, Failure> {
    let file = within(path, template);
    if listing.has(&file) {
        return Ok(file);
    }
    Err(configuration(format!(
        "greenroom.yml, services.{name}.template: this commit has no file {file}; correct it (it is relative to {path:?}), or add the file"
    )))
}

fn no_file(name: &ServiceName, path: &str, framework: Framework, file: &str) -> Failure {
    configuration(format!(
        "greenroom.yml, services.{name}.framework: {} is written, and the directory {path:?} holds no {file}; add the file, or correct the path or the framework",
        framework.as_str()
    ))
}

fn has_directory(path: &str, listing: &Listing<'_>) -> bool {
    let prefix = within(path, "");
    path == "." || listing.files.iter().any(|file| file.starts_with(&prefix))
}

fn no_directory(name: &ServiceName, path: &str, listing: &Listing<'_>) -> String {
    let meant: BTreeSet<&str> = listing
        .files
        .iter()
        .map(|file| super::split(file))
        .filter(|(_, base)| files::all().any(|known| known == *base))
        .map(|(directory, _)| directory)
        .collect();
    let hint = if meant.is_empty() {
        "no directory of this commit holds a serverless.yml, template.yaml or cdk.json".to_owned()
    } else {
        let meant: Vec<&str> = meant.into_iter().take(10).collect();
        format!("directories with a framework's file: {}", meant.join(", "))
    };
    format!("greenroom.yml, services.{name}.path: this commit has no directory {path:?}; {hint}")
}
