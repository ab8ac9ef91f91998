//! `framework-version`: the versions of the framework that may package and deploy.
//!
//! A range for `serverless` is also that of `osls`, which goes on with its versions, unless there
//! is one for `osls`. A framework that no range is for is free.

use std::collections::BTreeMap;

use super::{Framework, Subject, Violation};
use crate::app::safeguard::{Range, Tool};

pub(super) fn check(versions: &BTreeMap<Tool, Range>, subject: &Subject<'_>) -> Vec<Violation> {
    let Some(Framework { tool, version }) = subject.framework else { return Vec::new() };
    let range = match tool {
        Tool::Osls => versions.get(&Tool::Osls).or_else(|| versions.get(&Tool::Serverless)),
        Tool::Serverless | Tool::Sam | Tool::Cdk => versions.get(&tool),
    };
    let Some(range) = range else { return Vec::new() };
    let (name, wanted) = (tool.as_str(), range.as_str());
    let problem = match version.map(|version| (version, range.contains(version))) {
        Some((_, Some(true))) => return Vec::new(),
        Some((version, Some(false))) => format!("{name} {version} is not allowed here"),
        Some((version, None)) => format!("{version:?} is no version of {name} that can be read"),
        None => format!("the version of {name} is not known"),
    };
    let remedy = match tool {
        Tool::Serverless | Tool::Osls | Tool::Cdk => format!(
            "install a version in the range {wanted} as a dependency of the service, and commit its lock file"
        ),
        Tool::Sam => format!("install a version in the range {wanted} on the worker"),
    };
    vec![Violation { place: "framework".to_owned(), problem, remedy }]
}
