//! Preflight: limits that AWS would refuse a template for, found before anything is touched.
//!
//! CloudFormation looks at a name or a size only when it comes to the resource, minutes into a
//! deploy, and then rolls everything back. The same is said here at once, with what to shorten.
//!
//! What always holds: only what is certain is an error. A name of which AWS alone knows a part is
//! counted by the parts that are known, so a finding is never wrong for want of knowledge.
//!
//! Where a limit comes from (pages of AWS's documentation) stands beside it.

mod iam;
mod lambda;
mod name;
mod names;
mod shorter;
mod whole;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::Level;
use crate::finding::{Check, Finding};
use crate::stage::StageKind;
use crate::template::Surroundings;
use crate::{Region, StageName};

/// What is to be deployed, and where.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub stack: &'a str,
    pub stage: &'a StageName,
    pub kind: StageKind,
    pub region: &'a Region,
    /// The account's number, where it is known.
    pub account: Option<&'a str>,
    /// The values of the template's parameters, as far as they are known.
    pub parameters: &'a BTreeMap<String, String>,
    /// How many bytes the template has as it is sent; `None`: as compact JSON, which is how the
    /// Serverless Framework sends it.
    pub body_bytes: Option<usize>,
}

/// Holds a template against the limits of CloudFormation and of the resources in it.
pub fn check(template: &Value, about: &About<'_>) -> Vec<Finding> {
    let view = View {
        template,
        about,
        surroundings: Surroundings {
            template,
            stack: about.stack,
            region: about.region.as_str(),
            account: about.account,
            parameters: about.parameters,
        },
    };
    [whole::check(&view), names::check(&view), lambda::check(&view), iam::check(&view)].concat()
}

struct View<'a> {
    template: &'a Value,
    about: &'a About<'a>,
    surroundings: Surroundings<'a>,
}

fn refused(place: impl Into<String>, problem: String, remedy: impl Into<String>) -> Finding {
    Finding {
        check: Check::Limit,
        level: Level::Error,
        place: place.into(),
        problem,
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests;
