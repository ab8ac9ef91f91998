//! `serverless-compose.yml`: services, their order and what they hand each other, as the Serverless
//! Framework's Compose writes it (`serverless/compose` 1.3.0, `src/configuration` and
//! `src/ComponentsService.js`; `@osls/compose` reads the same).
//!
//! What always holds: a file that is read has a place for each service, every service that it
//! names is in it, and what cannot be followed here is either refused or told in a note.

use std::collections::BTreeMap;

use crate::ServiceName;
use crate::document::{Cursor, Problem, from_yaml, read};
use crate::output::Reference;
use crate::pipeline::normalise;

/// The only kind of service that Compose brings along.
const COMPONENT: &str = "serverless-framework";

/// What Compose says about one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeService {
    pub path: String,
    /// The configuration's file in `path`, where it has a name of its own.
    pub config: Option<String>,
    /// `params`, each `${service.output}` written as `${output:service.output}`.
    pub parameters: BTreeMap<String, String>,
    /// The references among the parameters.
    pub reads: Vec<Reference>,
    /// `dependsOn`, then the services whose outputs are read; each once.
    pub depends_on: Vec<ServiceName>,
    /// What is written there and not followed, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the text of a Compose file.
pub fn parse(text: &str) -> Result<BTreeMap<ServiceName, ComposeService>, Vec<Problem>> {
    read(&from_yaml(text)?, |root| {
        let fields = root.fields(&["services", "state"])?;
        let services =
            fields.required("services", "name each service with its path below it")?.entries()?;
        let mut known: Vec<ServiceName> = Vec::new();
        for entry in &services {
            known.extend(entry.value.parsed::<ServiceName>(entry.key));
        }
        let mut found: BTreeMap<ServiceName, ComposeService> = BTreeMap::new();
        for entry in &services {
            let Ok(name) = entry.key.parse::<ServiceName>() else { continue };
            let Some(service) = service(&entry.value, &name, &known) else { continue };
            if let Some((other, _)) = found.iter().find(|(_, other)| other.path == service.path) {
                entry.value.problem(format!(
                    "{other} has the path {} already; give each service a directory of its own",
                    service.path
                ));
            }
            found.insert(name, service);
        }
        Some(found)
    })
}

fn service(
    cursor: &Cursor<'_>,
    name: &ServiceName,
    known: &[ServiceName],
) -> Option<ComposeService> {
    let fields =
        cursor.fields(&["path", "config", "params", "dependsOn", "region", "component"])?;
    let path =
        fields.required("path", "write the service's directory").and_then(|place| inside(place));
    let mut service = ComposeService::default();
    if let Some(place) = fields.optional("config") {
        service.config = inside(place);
    }
    if let Some(place) = fields.optional("component")
        && place.scalar() != Some(COMPONENT)
    {
        place.problem(
            "only services of the Serverless Framework are deployed by Compose here; name the services in greenroom.yml, this one with framework: custom",
        );
    }
    if let Some(place) = fields.optional("region") {
        service.notes.push(format!(
            "region: {} in serverless-compose.yml is not followed: the app's settings say where it is deployed",
            place.scalar().unwrap_or("a value")
        ));
    }
    let mut depends_on = Vec::new();
    if let Some(place) = fields.optional("dependsOn") {
        depends_on = dependencies(place, name, known);
    }
    if let Some(place) = fields.optional("params") {
        for entry in place.entries()? {
            let Some(text) = entry.value.scalar() else {
                entry.value.problem("a parameter's value is one text, like ${service.output}");
                continue;
            };
            let Some(value) = value(&entry.value, text, name, known) else { continue };
            service.parameters.insert(entry.key.to_owned(), value.text);
            service.reads.extend(value.reads);
            depends_on.extend(value.services);
        }
    }
    for dependency in depends_on {
        if !service.depends_on.contains(&dependency) {
            service.depends_on.push(dependency);
        }
    }
    Some(ComposeService { path: path?, ..service })
}

fn inside(place: &Cursor<'_>) -> Option<String> {
    let written = place.parse::<String>()?;
    normalise(&written).map_err(|error| place.problem(error.to_string())).ok()
}

/// One name or a list of names.
fn dependencies(place: &Cursor<'_>, own: &ServiceName, known: &[ServiceName]) -> Vec<ServiceName> {
    if let Some(text) = place.scalar() {
        return dependency(place, text, own, known).into_iter().collect();
    }
    let items = place.items().unwrap_or_default();
    let named = items.iter().filter_map(|item| {
        let text: String = item.parse()?;
        dependency(item, &text, own, known)
    });
    named.collect()
}

fn dependency(
    place: &Cursor<'_>,
    text: &str,
    own: &ServiceName,
    known: &[ServiceName],
) -> Option<ServiceName> {
    let found = known.iter().find(|name| name.as_str() == text);
    match found {
        None => {
            place.problem(format!("there is no service {text:?} in this file; {}", list(known)));
        }
        Some(name) if name == own => {
            place.problem("a service cannot depend on itself; remove it here");
            return None;
        }
        Some(_) => {}
    }
    found.cloned()
}

fn list(known: &[ServiceName]) -> String {
    let names: Vec<&str> = known.iter().map(ServiceName::as_str).collect();
    format!("its services are {}", names.join(", "))
}

/// A parameter's value with what it reads.
#[derive(Default)]
struct Value {
    text: String,
    reads: Vec<Reference>,
    services: Vec<ServiceName>,
}

/// Rewrites the variables of Compose; `None` when one of them cannot be had.
fn value(
    place: &Cursor<'_>,
    text: &str,
    own: &ServiceName,
    known: &[ServiceName],
) -> Option<Value> {
    let mut value = Value::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        value.text.push_str(before);
        let Some((variable, after)) = after.split_once('}') else {
            place.problem(format!(
                "${{{after} begins a variable and does not end it: add the missing }}"
            ));
            return None;
        };
        match variable.split_once(':') {
            // the outputs and parameters of Greenroom, and the stage, are replaced when they are known
            Some(("sls" | "param" | "output", _)) => {
                value.text.push_str(&format!("${{{variable}}}"));
            }
            Some((source, key)) => {
                place.problem(format!(
                    "${{{variable}}}: {source} is not known in serverless-compose.yml here; give the app a parameter in its settings and write ${{param:{}}}",
                    if key.is_empty() { "name" } else { key }
                ));
                return None;
            }
            None => {
                let (reference, service) = output(place, variable, own, known)?;
                value.text.push_str(reference.raw());
                value.reads.push(reference);
                value.services.push(service);
            }
        }
        rest = after;
    }
    value.text.push_str(rest);
    Some(value)
}

/// `service.output` of this file.
fn output(
    place: &Cursor<'_>,
    variable: &str,
    own: &ServiceName,
    known: &[ServiceName],
) -> Option<(Reference, ServiceName)> {
    // a name may hold dots; outputs do not
    let parts = variable.trim().rsplit_once('.');
    let reference = parts.and_then(|_| format!("${{output:{}}}", variable.trim()).parse().ok());
    let (Some((service, _)), Some(reference)) = (parts, reference) else {
        place.problem(format!("${{{variable}}} is no output; write ${{service.output}}"));
        return None;
    };
    dependency(place, service, own, known).map(|service| (reference, service))
}

#[cfg(test)]
mod tests;
