//! Parameters that a service names and this look does not know the values of. Pure but for reading
//! the service's files.
//!
//! What always holds: a parameter whose value is there keeps it. One name too many does no harm:
//! what differs by the fixed text alone is not told.

use std::collections::BTreeSet;

use model::ParameterKey;
use model::pipeline::Service;
use model::worker_api::{Parameter, Target};

use crate::detect::within;
use crate::git::Workspace;
use crate::job::ground::UNKNOWN;

/// Where a service refers to parameters: its configuration, in whatever language.
const FILES: [&str; 10] = [
    "serverless.yml",
    "serverless.yaml",
    "serverless.json",
    "serverless.js",
    "serverless.cjs",
    "serverless.ts",
    "template.yml",
    "template.yaml",
    "samconfig.toml",
    "cdk.json",
];
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Puts the fixed text into the place of each; their names.
pub(super) fn fill_in(
    workspace: &Workspace,
    service: &Service,
    target: &mut Target,
) -> BTreeSet<String> {
    let mut unknown: BTreeSet<ParameterKey> = target.references.keys().cloned().collect();
    target.references.clear();
    let hidden = target.parameters.iter().filter(|(_, one)| one.secret && one.value.is_empty());
    unknown.extend(hidden.map(|(key, _)| key.clone()));
    for text in texts(workspace, service) {
        let named = referred(&text).filter_map(|name| name.parse::<ParameterKey>().ok());
        unknown.extend(named.filter(|key| !target.parameters.contains_key(key)));
    }
    for key in &unknown {
        let parameter = Parameter { value: UNKNOWN.to_owned(), secret: false };
        target.parameters.insert(key.clone(), parameter);
    }
    unknown.into_iter().map(|key| key.to_string()).collect()
}

fn texts(workspace: &Workspace, service: &Service) -> Vec<String> {
    let files = service.template.as_deref().into_iter().chain(FILES);
    let read = |file: &str| {
        let bytes = workspace.read(within(&service.path, file), FILE_MAX_BYTES).ok()?;
        String::from_utf8(bytes).ok()
    };
    files.filter_map(read).chain(service.parameters.values().cloned()).collect()
}

/// The names in `${param:name}` and in `param:name` behind another source. One with a value behind
/// a comma is left to that value.
fn referred(text: &str) -> impl Iterator<Item = &str> {
    text.split("param:").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))?;
        let (name, after) = rest.split_at(end);
        after.trim_start().starts_with('}').then_some(name).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::target;
    use model::pipeline::Framework;

    #[test]
    fn a_parameter_is_named_wherever_it_stands_unless_it_has_another_value() {
        let text = "a: ${param:api_key}\nb: x-${env:A, param:db-host }-y\nc: ${param:size, 'small'}\nd: ${param:";
        assert_eq!(referred(text).collect::<Vec<_>>(), ["api_key", "db-host"]);
    }

    #[test]
    fn what_is_not_known_is_filled_in_and_what_is_known_stays() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("serverless.yml"), "a: ${param:env} ${param:key}")
            .expect("a file");
        let workspace = Workspace::new(root.path().to_owned());
        let mut service = Service::new("api".parse().expect("a name"), ".", Framework::Serverless);
        service.parameters.insert("url".to_owned(), "https://${param:host}".to_owned());
        let mut target = target(&[("env", "staging")]);
        let hidden = Parameter { value: String::new(), secret: true };
        target.parameters.insert("password".parse().expect("a key"), hidden);

        let unknown = fill_in(&workspace, &service, &mut target);
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["host", "key", "password"]);
        let value = |key: &str| {
            target.parameters[&key.parse::<ParameterKey>().expect("a key")].value.clone()
        };
        assert_eq!((value("env"), value("password")), ("staging".to_owned(), UNKNOWN.to_owned()));
    }
}
