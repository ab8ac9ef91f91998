//! The services of a commit that names none: every directory with a framework's file.
//!
//! What always holds: a template inside another service's directory is no service of its own: it
//! is a part of that one, or an example, and would be deployed unasked.

use std::collections::{BTreeMap, BTreeSet};

use crate::RepositoryName;
use crate::pipeline::files::{self, TEMPLATES};
use crate::pipeline::{Framework, Service};

use super::framework::{self, Candidate, candidates, label};
use super::naming::name_all;
use super::package::{PackageJson, upwards};
use super::{Detected, Listing, Located, split, within};

/// Below this many directories nothing is looked for: examples and fixtures live deep.
const MAX_DEPTH: usize = 3;
/// What builds leave behind.
const MADE: [&str; 2] = ["node_modules", "cdk.out"];

/// The texts that tell what a directory is: templates, and who installs the framework of a
/// configuration that is a program.
pub(super) fn wanted(files: &BTreeSet<String>) -> Vec<String> {
    let mut wanted = Vec::new();
    for file in files {
        let (directory, name) = split(file);
        if !is_looked_at(directory) {
            continue;
        }
        if TEMPLATES.contains(&name) {
            wanted.push(file.clone());
        } else if framework::is_program(file) {
            let above = upwards(directory).into_iter().map(|above| within(above, "package.json"));
            wanted.extend(above.filter(|file| files.contains(file)));
        }
    }
    wanted
}

pub(super) fn detected(listing: &Listing<'_>, repository: &RepositoryName) -> Detected {
    let mut directories = BTreeSet::new();
    let mut remarks = Vec::new();
    for file in listing.files {
        let (directory, name) = split(file);
        if !files::all().any(|known| known == name) || is_made(directory) {
            continue;
        }
        if is_looked_at(directory) {
            directories.insert(directory);
        } else if !TEMPLATES.contains(&name) {
            remarks.push(format!(
                "{file} lies deeper than {MAX_DEPTH} directories: name its service in greenroom.yml to build it"
            ));
        }
    }
    let mut found: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    // the root before all that lies in it
    let root_first =
        directories.iter().filter(|d| **d == ".").chain(directories.iter().filter(|d| **d != "."));
    for directory in root_first {
        let candidates = candidates(directory, listing);
        let Some(first) = candidates.first() else { continue };
        match left_out(first, directory, &found, listing) {
            Some(remark) => remarks.push(remark),
            None => drop(found.insert((*directory).to_owned(), candidates)),
        }
    }
    let names = name_all(found.keys(), repository);
    let services = found
        .iter()
        .filter_map(|(path, candidates)| {
            let chosen = candidates.first()?;
            let mut service = Service::new(names[path.as_str()].clone(), path, chosen.framework);
            service.notes.push(format!(
                "detected: {} makes it a service of {}",
                chosen.file,
                label(chosen.framework)
            ));
            service.notes.extend(framework::others(candidates));
            if let Framework::Cloudformation | Framework::Sam = chosen.framework {
                service.template = Some(split(&chosen.file).1.to_owned());
            }
            Some(Located { service, config: Some(chosen.file.clone()) })
        })
        .collect();
    Detected { services, remarks }
}

/// Why a directory is none of its own, though it holds a framework's file.
fn left_out(
    first: &Candidate,
    directory: &str,
    found: &BTreeMap<String, Vec<Candidate>>,
    listing: &Listing<'_>,
) -> Option<String> {
    let file = &first.file;
    match first.framework {
        Framework::Sam | Framework::Cloudformation => {
            let mut above = upwards(directory).into_iter().skip(1);
            let around = above.find(|above| found.contains_key(*above))?;
            Some(format!(
                "{file} lies inside the service in {around}: name it in greenroom.yml if it is to be deployed by itself"
            ))
        }
        Framework::Serverless if framework::is_program(file) && !installs(directory, listing) => {
            Some(format!(
                "{file} is a program, and no package.json beside or above it asks for osls or serverless: name its service in greenroom.yml to build it"
            ))
        }
        Framework::Serverless | Framework::Cdk | Framework::Custom => None,
    }
}

/// Whether the Serverless Framework is among a directory's dependencies.
fn installs(directory: &str, listing: &Listing<'_>) -> bool {
    upwards(directory).into_iter().any(|above| {
        let file = within(above, "package.json");
        listing.texts.get(&file).is_some_and(|text| {
            PackageJson::parse(&file, text).is_ok_and(|package| {
                ["osls", "serverless"].iter().any(|name| package.dependencies.contains_key(*name))
            })
        })
    })
}

fn is_looked_at(directory: &str) -> bool {
    let depth = if directory == "." { 0 } else { directory.split('/').count() };
    depth <= MAX_DEPTH && !is_made(directory)
}

/// Left behind by a build, or the affair of some other tool.
fn is_made(directory: &str) -> bool {
    directory != "."
        && directory.split('/').any(|part| part.starts_with('.') || MADE.contains(&part))
}
