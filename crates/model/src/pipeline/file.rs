//! `greenroom.yml` as written, read and checked whole: every problem is found, not only the first.

use std::collections::BTreeMap;

use super::{
    Commands, Framework, PipelineFile, Problem, ServiceEntry, Step, Watch, keys, normalise,
};
use crate::ServiceName;
use crate::document::{Cursor, Fields, from_yaml, read};

/// Reads the text of a pipeline file. An empty one says nothing: services are then detected.
pub fn parse(text: &str) -> Result<PipelineFile, Vec<Problem>> {
    read(&from_yaml(text)?, |root| {
        if root.is_null() {
            return Some(PipelineFile::default());
        }
        let fields = root.fields(&keys::names(&keys::ROOT))?;
        let services = fields.optional("services").map(services).unwrap_or_default();
        let post_deploy = step(&fields, "post_deploy");
        Some(PipelineFile { services, post_deploy })
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
    let fields = cursor.fields(&keys::names(&keys::SERVICE))?;
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
        install: step(&fields, "install"),
        lint: step(&fields, "lint"),
        test: step(&fields, "test"),
        package: step(&fields, "package"),
        deploy: step(&fields, "deploy"),
        remove: step(&fields, "remove"),
        after_deploy: step(&fields, "after_deploy"),
        before_remove: step(&fields, "before_remove"),
    };
    let framework = match fields.optional("framework") {
        Some(place) => {
            Some(place.choice(&Framework::ALL.map(|framework| (framework.as_str(), framework)))?)
        }
        None => None,
    };
    let template = match fields.optional("template") {
        Some(place) => Some(file_below(place)?),
        None => None,
    };
    let stack = match fields.optional("stack") {
        Some(place) => Some(stack_pattern(place)?),
        None => None,
    };
    let parameters = match fields.optional("parameters") {
        Some(place) => parameters(place)?,
        None => BTreeMap::new(),
    };
    for (key, given) in [("template", template.is_some()), ("stack", stack.is_some())] {
        let chosen = framework.is_some_and(|framework| match framework {
            Framework::Cloudformation | Framework::Sam => false,
            Framework::Serverless | Framework::Cdk | Framework::Custom => true,
        });
        if let (true, true, Some(place)) = (given, chosen, fields.given(key)) {
            place.problem(format!(
                "`{key}` is for frameworks cloudformation and sam; remove it: this one names its own"
            ));
        }
    }
    let custom = framework == Some(Framework::Custom);
    if custom && commands.deploy.is_none() && fields.given("deploy").is_none() {
        cursor.problem("a service with framework: custom needs a `deploy` command");
    }
    if custom && commands.remove.is_none() && fields.given("remove").is_none() {
        cursor.problem(
            "a service with framework: custom needs a `remove` command; write \"true\" (in quotes) if there is nothing to remove",
        );
    }
    Some(ServiceEntry {
        path: path?,
        framework,
        depends_on: depends_on?,
        watch: watch?,
        template,
        stack,
        parameters,
        commands,
    })
}

fn file_below(place: &Cursor<'_>) -> Option<String> {
    let written = place.parse::<String>()?;
    normalise(&written).map_err(|error| place.problem(error.to_string())).ok()
}

/// The characters of a stack's name (`CreateStack` in the CloudFormation API reference), with
/// `${stage}` in it, or every stage would have the same stack.
fn stack_pattern(place: &Cursor<'_>) -> Option<String> {
    let text = place.parse::<String>()?;
    let filled = text.replace("${stage}", "s").replace("${service}", "s");
    let valid = filled.starts_with(|first: char| first.is_ascii_alphabetic())
        && filled.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !valid {
        place.problem("a stack's name has letters, digits and dashes, begins with a letter, and may hold ${stage} and ${service}");
        return None;
    }
    if !text.contains("${stage}") {
        place.problem(
            "the name must hold ${stage}, or the stages would share one stack; write ${service}-${stage}",
        );
        return None;
    }
    Some(text)
}

fn parameters(cursor: &Cursor<'_>) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in cursor.entries()? {
        let name_is_valid = !entry.key.is_empty()
            && entry.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && entry.key.starts_with(|first: char| first.is_ascii_alphabetic());
        if !name_is_valid {
            entry.value.problem(
                "a parameter's name has letters, digits and underscores, and begins with a letter",
            );
        }
        match entry.value.scalar() {
            Some(value) => drop(found.insert(entry.key.to_owned(), value.to_owned())),
            None => entry.value.problem("a parameter's value is one text, like ${param:endpoint}"),
        }
    }
    Some(found)
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

fn step(fields: &Fields<'_>, key: &str) -> Option<Step> {
    let place = fields.optional(key)?;
    if !place.is_map() {
        return Some(Step { run: command(place)?, timeout: None });
    }
    let fields = place.fields(&keys::names(&keys::STEP))?;
    let run = fields.required("run", "write the command").and_then(command);
    let timeout = match fields.optional("timeout") {
        Some(place) => Some(place.parse()?),
        None => None,
    };
    Some(Step { run: run?, timeout })
}

fn command(place: &Cursor<'_>) -> Option<String> {
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
