//! A policy's configuration as it is stored and shown: what reading it again gives the same of.

use serde_json::{Map, Value, json};

use super::demand::MIN_SUBNETS;
use super::{Allowed, Demand, DescriptionLength, Replacement, Tool};

/// Null where the policy has no configuration, or its usual one.
pub(super) fn config(demand: &Demand) -> Value {
    match demand {
        Demand::AllowedRegions(regions) => json!(regions),
        Demand::AllowedStages(allowed) | Demand::AllowedRuntimes(allowed) => match allowed {
            Allowed::Words(words) => json!(words),
            Allowed::Like(pattern) => json!(pattern.as_str()),
        },
        Demand::FrameworkVersion(versions) => match versions.get(&Tool::Serverless) {
            Some(range) if versions.len() == 1 => json!(range.as_str()),
            Some(_) | None => versions
                .iter()
                .map(|(tool, range)| (tool.as_str().to_owned(), json!(range.as_str())))
                .collect(),
        },
        Demand::RequiredStackTags(tags) => {
            tags.iter().map(|(key, pattern)| (key.clone(), json!(pattern.as_str()))).collect()
        }
        Demand::NoWildIamRoleStatements
        | Demand::NoSecretEnvVars
        | Demand::RequireCfnRole
        | Demand::RequireDlq
        | Demand::ForbidS3HttpAccess => Value::Null,
        Demand::RequireDescription(length) if *length == DescriptionLength::default() => {
            Value::Null
        }
        Demand::RequireDescription(length) => {
            json!({ "minLength": length.min, "maxLength": length.max })
        }
        Demand::RequireGlobalVpc { min_subnets: MIN_SUBNETS } => Value::Null,
        Demand::RequireGlobalVpc { min_subnets } => json!({ "minNumSubnets": min_subnets }),
        Demand::AllowedFunctionNames(pattern) => json!(pattern.as_str()),
        Demand::RestrictedDeployTimes(times) => match times.as_slice() {
            [time] => json!(time),
            times => json!(times),
        },
        Demand::NoReplacement(replacement) => types(replacement),
    }
}

fn types(replacement: &Replacement) -> Value {
    let given: Map<String, Value> = [("also", &replacement.also), ("except", &replacement.except)]
        .into_iter()
        .filter(|(_, types)| !types.is_empty())
        .map(|(key, types)| (key.to_owned(), json!(types)))
        .collect();
    if given.is_empty() { Value::Null } else { Value::Object(given) }
}
