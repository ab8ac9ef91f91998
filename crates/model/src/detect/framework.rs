//! Which framework a directory's files speak of.

use crate::pipeline::Framework;
use crate::pipeline::files::{CDK, SERVERLESS_DATA, SERVERLESS_PROGRAMS, TEMPLATES};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Listing, configuration};
use crate::job::Failure;

/// A file that makes its directory a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) framework: Framework,
    /// Relative to the repository's root.
    pub(super) file: String,
}

pub fn label(framework: Framework) -> &'static str {
    match framework {
        Framework::Serverless => "the Serverless Framework",
        Framework::Cloudformation => "CloudFormation",
        Framework::Sam => "AWS SAM",
        Framework::Cdk => "AWS CDK",
        Framework::Custom => "custom",
    }
}

/// What a directory holds, one for each framework, the one that counts first: a template beside
/// another framework's file is most often a part of it.
pub(super) fn candidates(directory: &str, listing: &Listing<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    if let Some(file) = serverless(directory, listing) {
        found.push(Candidate { framework: Framework::Serverless, file });
    }
    if let Some(file) = listing.first(directory, &[CDK]) {
        found.push(Candidate { framework: Framework::Cdk, file });
    }
    for name in TEMPLATES {
        let Some(file) = listing.first(directory, &[name]) else { continue };
        let Some(framework) = listing.text(&file).and_then(|text| template(&text)) else {
            continue;
        };
        if !found.iter().any(|known| known.framework == framework) {
            found.push(Candidate { framework, file });
        }
    }
    found
}

pub(super) fn serverless(directory: &str, listing: &Listing<'_>) -> Option<String> {
    listing
        .first(directory, &SERVERLESS_DATA)
        .or_else(|| listing.first(directory, &SERVERLESS_PROGRAMS))
}

pub(super) fn is_program(file: &str) -> bool {
    SERVERLESS_PROGRAMS.contains(&super::split(file).1)
}

/// What the rest of a directory's files are, for a note: the first was chosen.
pub(super) fn others(candidates: &[Candidate]) -> Option<String> {
    let others: Vec<String> = candidates
        .iter()
        .skip(1)
        .map(|other| format!("{} ({})", other.file, label(other.framework)))
        .collect();
    let meant = candidates.get(1).map(|other| other.framework.as_str())?;
    Some(format!(
        "also there: {}; write `framework: {meant}` for the service in greenroom.yml if that is meant",
        others.join(", ")
    ))
}

/// Which framework deploys a template; `None` when the text is none.
pub(super) fn template(text: &str) -> Option<Framework> {
    #[derive(Deserialize)]
    struct Written {
        #[serde(default, rename = "Transform")]
        transform: Option<serde_json::Value>,
        #[serde(default, rename = "AWSTemplateFormatVersion")]
        version: Option<IgnoredAny>,
        #[serde(default, rename = "Resources")]
        resources: Option<IgnoredAny>,
    }
    match serde_saphyr::from_str::<Written>(text) {
        Ok(written) => {
            let is_sam = match &written.transform {
                Some(serde_json::Value::String(name)) => transforms(name),
                Some(serde_json::Value::Array(names)) => {
                    names.iter().any(|name| name.as_str().is_some_and(transforms))
                }
                Some(_) | None => false,
            };
            if is_sam {
                Some(Framework::Sam)
            } else {
                (written.version.is_some() || written.resources.is_some())
                    .then_some(Framework::Cloudformation)
            }
        }
        // a mistake inside is told by who deploys it; what it is stands at its beginning
        Err(_) if text.lines().any(|line| line.starts_with("Transform:") && transforms(line)) => {
            Some(Framework::Sam)
        }
        Err(_) if text.lines().any(|line| line.starts_with("AWSTemplateFormatVersion")) => {
            Some(Framework::Cloudformation)
        }
        Err(_) => None,
    }
}

fn transforms(name: &str) -> bool {
    name.contains("AWS::Serverless-")
}

/// Which framework deploys the template that the pipeline file names.
pub(super) fn of_template(
    key: &str,
    file: &str,
    listing: &Listing<'_>,
) -> Result<Framework, Failure> {
    listing.text(file).and_then(|text| template(&text)).ok_or_else(|| {
        configuration(format!(
            "{key}: {file} is no CloudFormation template: it has neither Resources nor AWSTemplateFormatVersion nor the Transform of AWS SAM; correct the path, or write `framework:`"
        ))
    })
}
