//! `greenroom.yml` as written, read and checked whole: every problem is found, not only the first.

use std::collections::BTreeMap;

use super::{Commands, PipelineFile, Problem, ServiceEntry, Watch, normalise};
use crate::ServiceName;
use crate::document::{Cursor, Fields, from_yaml, read};

const KEYS: [&str; 11] = [
    "path",
    "depends_on",
    "watch",
    "install",
    "lint",
    "test",
    "package",
    "deploy",
    "remove",
    "after_deploy",
    "before_remove",
];

/// Reads the text of a pipeline file. An empty one says nothing: services are then detected.
pub fn parse(text: &str) -> Result<PipelineFile, Vec<Problem>> {
    read(&from_yaml(text)?, |root| {
        if root.is_null() {
            return Some(PipelineFile::default());
        }
        let fields = root.fields(&["services"])?;
        let services = fields.optional("services").map(services).unwrap_or_default();
        Some(PipelineFile { services })
    })
}

fn services(cursor: &Cursor<'_>) -> BTreeMap<ServiceName, ServiceEntry> {
    let mut found: BTreeMap<ServiceName, ServiceEntry> = BTreeMap::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<ServiceName>(entry.key);
        let service = service(&entry.value);
        let (Some(name), Some(service)) = (name, service) else { continue };
        if service.depends_on.contains(&name) {
            entry.value.problem("a service cannot depend on itself; remove it from depends_on");
        }
        if let Some((other, _)) = found.iter().find(|(_, other)| other.path == service.path) {
            entry.value.problem(format!(
                "{other} has the path {} already; remove one of them",
                service.path
            ));
        }
        found.insert(name, service);
    }
    found
}

fn service(cursor: &Cursor<'_>) -> Option<ServiceEntry> {
    let fields = cursor.fields(&KEYS)?;
    let path = fields
        .required("path", "write the service's directory, or . for the repository's root")
        .and_then(|place| {
            let written = place.parse::<String>()?;
            normalise(&written).map_err(|error| place.problem(error.to_string())).ok()
        });
    let depends_on = match fields.optional("depends_on") {
        Some(place) => place.list(),
        None => Some(Vec::new()),
    };
    let watch = match fields.optional("watch") {
        Some(place) => watch(place),
        None => Some(Vec::new()),
    };
    let commands = Commands {
        install: command(&fields, "install"),
        lint: command(&fields, "lint"),
        test: command(&fields, "test"),
        package: command(&fields, "package"),
        deploy: command(&fields, "deploy"),
        remove: command(&fields, "remove"),
        after_deploy: command(&fields, "after_deploy"),
        before_remove: command(&fields, "before_remove"),
    };
    Some(ServiceEntry { path: path?, depends_on: depends_on?, watch: watch?, commands })
}

fn watch(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    let mut patterns = Vec::new();
    for item in cursor.items()? {
        let Some(pattern) = item.parse::<String>() else { continue };
        if let Err(message) = Watch::new(std::slice::from_ref(&pattern)) {
            item.problem(message);
        }
        patterns.push(pattern);
    }
    Some(patterns)
}

fn command(fields: &Fields<'_>, key: &str) -> Option<String> {
    let place = fields.optional(key)?;
    let text = place.text()?;
    if text.trim().is_empty() {
        place.problem("the command is empty; leave the key out for the default, or write \"true\" (in quotes) to do nothing");
        return None;
    }
    if text.contains('\0') {
        place.problem("a command cannot hold the character NUL");
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests;
