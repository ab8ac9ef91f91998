//! The configuration of each policy, read with the place of every mistake.
//!
//! The forms are those of Serverless Framework's safeguards (`@serverless/safeguards-plugin`), so
//! that what is configured there can be copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use super::demand::MIN_SUBNETS;
use super::{Allowed, ClosedTime, Demand, DescriptionLength, Moment, Policy, Replacement, Tool};
use crate::document::{Cursor, Fields};

/// `config` is the value of that key, if it has one; `safeguard` is where it would stand.
pub(super) fn demand(
    policy: Policy,
    config: Option<&Cursor<'_>>,
    safeguard: &Cursor<'_>,
) -> Option<Demand> {
    let wanted = |form: &str| {
        if config.is_none() {
            safeguard.problem(format!("`config` is missing; {form}"));
        }
        config
    };
    let plain = |demand: Demand| match config {
        None => Some(demand),
        Some(config) => {
            config.problem(format!("{} takes no configuration; remove this", policy.as_str()));
            None
        }
    };
    match policy {
        Policy::AllowedRegions => {
            let regions = wanted("list the regions, like [us-east-1]")?;
            Some(Demand::AllowedRegions(filled(regions)?))
        }
        Policy::AllowedStages => {
            let stages = wanted("list the stages, like [dev, prod], or write a pattern")?;
            Some(Demand::AllowedStages(allowed(stages)?))
        }
        Policy::AllowedRuntimes => {
            let runtimes = wanted("list the runtimes, like [nodejs22.x], or write a pattern")?;
            Some(Demand::AllowedRuntimes(allowed(runtimes)?))
        }
        Policy::FrameworkVersion => {
            let versions = wanted("write the versions that are allowed, like '>=3.40.0 <5.0.0'")?;
            Some(Demand::FrameworkVersion(framework_versions(versions)?))
        }
        Policy::RequiredStackTags => {
            let tags = wanted("name the tags and their patterns, like { team: '.+' }")?;
            Some(Demand::RequiredStackTags(stack_tags(tags)?))
        }
        Policy::NoWildIamRoleStatements => plain(Demand::NoWildIamRoleStatements),
        Policy::NoSecretEnvVars => plain(Demand::NoSecretEnvVars),
        Policy::RequireCfnRole => plain(Demand::RequireCfnRole),
        Policy::RequireDlq => plain(Demand::RequireDlq),
        Policy::RequireDescription => {
            Some(Demand::RequireDescription(config.map_or(Some(Default::default()), description)?))
        }
        Policy::RequireGlobalVpc => {
            let min_subnets = config.map_or(Some(MIN_SUBNETS), min_subnets)?;
            Some(Demand::RequireGlobalVpc { min_subnets })
        }
        Policy::AllowedFunctionNames => {
            let pattern = wanted("write a pattern, like ${SERVICE}-${STAGE}-${FUNCTION}")?;
            Some(Demand::AllowedFunctionNames(pattern.parse()?))
        }
        Policy::ForbidS3HttpAccess => plain(Demand::ForbidS3HttpAccess),
        Policy::RestrictedDeployTimes => {
            let times = wanted("write when, like { time: 2026-12-24, duration: P3D }")?;
            Some(Demand::RestrictedDeployTimes(closed_times(times)?))
        }
        Policy::NoReplacement => {
            Some(Demand::NoReplacement(config.map_or(Some(Default::default()), replacement)?))
        }
    }
}

/// A list with at least one item.
fn filled<T: FromStr<Err: Display>>(place: &Cursor<'_>) -> Option<Vec<T>> {
    let items = place.list()?;
    if items.is_empty() {
        place.problem("the list is empty, so nothing could be deployed; name at least one");
        return None;
    }
    Some(items)
}

/// A list of words, or one pattern.
fn allowed(place: &Cursor<'_>) -> Option<Allowed> {
    match place.scalar() {
        Some(_) => Some(Allowed::Like(place.parse()?)),
        None => Some(Allowed::Words(filled(place)?)),
    }
}

/// A text is the Serverless Framework's versions, a map has the versions of each tool.
fn framework_versions(place: &Cursor<'_>) -> Option<BTreeMap<Tool, super::Range>> {
    if place.scalar().is_some() {
        return Some(BTreeMap::from([(Tool::Serverless, place.parse()?)]));
    }
    if place.entries()?.is_empty() {
        place.problem("no version is named; write one, like { serverless: '>=3', cdk: '^2' }");
        return None;
    }
    let fields = place.fields(&Tool::ALL.map(|(word, _)| word))?;
    let mut found = BTreeMap::new();
    for (word, tool) in Tool::ALL {
        if fields.given(word).is_some() {
            let range = fields.required(word, "write a range of versions, like ^2")?;
            found.insert(tool, range.parse()?);
        }
    }
    Some(found)
}

fn stack_tags(place: &Cursor<'_>) -> Option<BTreeMap<String, super::Pattern>> {
    let entries = place.entries()?;
    if entries.is_empty() {
        place.problem("no tag is named; write at least one, like { team: '.+' }");
        return None;
    }
    let found: Vec<_> =
        entries.iter().map(|entry| Some((entry.key.to_owned(), entry.value.parse()?))).collect();
    found.into_iter().collect()
}

fn description(place: &Cursor<'_>) -> Option<DescriptionLength> {
    let fields = place.fields(&["minLength", "maxLength"])?;
    let usual = DescriptionLength::default();
    let bound = |key, usual| match fields.optional(key) {
        Some(place) => number(place, 1, DescriptionLength::MOST),
        None => Some(usual),
    };
    let max = bound("maxLength", usual.max);
    let min = bound("minLength", usual.min.min(max.unwrap_or(usual.max)));
    let (min, max) = (min?, max?);
    if min > max {
        place.problem(format!(
            "minLength is {min} and maxLength {max}, so no description fits; make minLength the smaller one"
        ));
        return None;
    }
    Some(DescriptionLength { min, max })
}

fn min_subnets(place: &Cursor<'_>) -> Option<usize> {
    let fields = place.fields(&["minNumSubnets"])?;
    // "VpcConfig" of Lambda's `CreateFunction`: at most 16 subnets
    fields.optional("minNumSubnets").map_or(Some(MIN_SUBNETS), |place| number(place, 1, 16))
}

fn number(place: &Cursor<'_>, least: usize, most: usize) -> Option<usize> {
    let number = place
        .scalar()
        .and_then(|text| text.parse().ok())
        .filter(|number| (least..=most).contains(number));
    if number.is_none() {
        place.problem(format!("this must be a whole number from {least} to {most}"));
    }
    number
}

/// A list of closed times, or one.
fn closed_times(place: &Cursor<'_>) -> Option<Vec<ClosedTime>> {
    if place.is_map() {
        return Some(vec![closed_time(&place.fields(&TIME_KEYS)?, place)?]);
    }
    let items = place.items()?;
    if items.is_empty() {
        place.problem("the list is empty; write at least one time, or remove the safeguard");
        return None;
    }
    let time = |item: &Cursor<'_>| closed_time(&item.fields(&TIME_KEYS)?, item);
    let times: Vec<Option<ClosedTime>> = items.iter().map(time).collect();
    times.into_iter().collect()
}

/// The keys of a closed time; another part of the file may have more beside them.
pub(in crate::app) const TIME_KEYS: [&str; 3] = ["time", "duration", "interval"];

/// The closed time whose keys are among `fields` of `place`.
pub(in crate::app) fn closed_time(fields: &Fields<'_>, place: &Cursor<'_>) -> Option<ClosedTime> {
    let time = fields
        .required("time", "write when it begins, like 2026-12-24 or 2026-12-24T18:00Z")
        .and_then(Cursor::parse::<Moment>);
    let duration = fields
        .required("duration", "write how long it lasts, like P3D or PT12H")
        .and_then(Cursor::parse);
    let interval = match fields.optional("interval") {
        Some(place) => Some(place.parse()?),
        None => None,
    };
    ClosedTime::new(time?, duration?, interval)
        .map_err(|error| place.problem(error.to_string()))
        .ok()
}

fn replacement(place: &Cursor<'_>) -> Option<Replacement> {
    let fields = place.fields(&["also", "except"])?;
    let types = |key| match fields.optional(key) {
        Some(place) => resource_types(place),
        None => Some(BTreeSet::new()),
    };
    let (also, except) = (types("also"), types("except"));
    Some(Replacement { also: also?, except: except? })
}

fn resource_types(place: &Cursor<'_>) -> Option<BTreeSet<String>> {
    let found: Vec<Option<String>> = place
        .items()?
        .iter()
        .map(|item| {
            let kind = item.text()?;
            let parts: Vec<&str> = kind.split("::").collect();
            let is_type = parts.len() >= 2
                && parts.iter().all(|part| {
                    !part.is_empty()
                        && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_@".contains(c))
                });
            if !is_type {
                item.problem("this must be a resource type, like AWS::Logs::LogGroup");
            }
            is_type.then(|| kind.to_owned())
        })
        .collect();
    found.into_iter().collect()
}
