//! Names for services that nobody named: from their directories, each another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{RepositoryName, ServiceName};

/// A name for each of these directories.
pub(super) fn name_all<'a>(
    paths: impl Iterator<Item = &'a String> + Clone,
    repository: &RepositoryName,
) -> BTreeMap<&'a str, ServiceName> {
    let short = |path: &str| match path.rsplit_once('/') {
        _ if path == "." => service_name(repository.name()),
        Some((_, last)) => service_name(last),
        None => service_name(path),
    };
    let mut counts: BTreeMap<ServiceName, usize> = BTreeMap::new();
    for path in paths.clone() {
        *counts.entry(short(path)).or_default() += 1;
    }
    let mut taken: BTreeSet<ServiceName> = BTreeSet::new();
    let mut named = BTreeMap::new();
    for path in paths {
        let mut name = short(path);
        if counts.get(&name).is_some_and(|count| *count > 1) && path != "." {
            name = service_name(&path.replace('/', "-"));
        }
        let mut number = 2;
        while taken.contains(&name) {
            name = service_name(&format!("{name}-{number}"));
            number += 1;
        }
        taken.insert(name.clone());
        named.insert(path.as_str(), name);
    }
    named
}

/// A directory's name as a service's name: what is not allowed becomes a dash.
fn service_name(text: &str) -> ServiceName {
    let mut name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(60)
        .collect();
    while name.contains("..") {
        name = name.replace("..", ".");
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    name.parse().unwrap_or_else(|_| "service".parse().expect("a plain word is a service name"))
}
