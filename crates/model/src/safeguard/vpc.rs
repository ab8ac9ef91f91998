//! `require-global-vpc`: every function is in a network, over enough subnets to outlive one.

use serde_json::Value;

use super::{Named, View, Violation};
use crate::template::{alternatives, given};

pub(super) fn check(min_subnets: usize, view: &View<'_>) -> Vec<Violation> {
    view.functions().filter_map(|named| function(min_subnets, &named)).collect()
}

fn function(min_subnets: usize, named: &Named<'_>) -> Option<Violation> {
    let fewest = |key| {
        let cases = named.function.entries("VpcConfig", key);
        cases.into_iter().map(|list| list.map_or(0, at_most)).min().unwrap_or(0)
    };
    let (groups, subnets) = (fewest("SecurityGroupIds"), fewest("SubnetIds"));
    let name = named.name();
    let problem = if groups == 0 || subnets == 0 {
        format!("the function {name} is in no VPC")
    } else if subnets < min_subnets {
        format!(
            "the function {name} is in {subnets} {}, and at least {min_subnets} are required",
            if subnets == 1 { "subnet" } else { "subnets" }
        )
    } else {
        return None;
    };
    let least = if min_subnets == 1 { "subnet" } else { "subnets" };
    let remedy = match named.declared {
        Some(_) => format!(
            "write `provider.vpc` in serverless.yml with securityGroupIds and at least {min_subnets} {least} in subnetIds"
        ),
        None => format!(
            "write `VpcConfig` of {} with SecurityGroupIds and at least {min_subnets} {least} in SubnetIds",
            named.function.resource.id
        ),
    };
    Some(Violation { place: named.function.resource.place("VpcConfig"), problem, remedy })
}

/// How many items a list has in the poorest case; no bound for a list that only AWS knows, like a
/// parameter's.
fn at_most(list: &Value) -> usize {
    let items = |list: &Value| match list {
        Value::Array(items) => items.iter().filter(|item| given(item).is_some()).count(),
        other => given(other).map_or(0, |_| usize::MAX),
    };
    alternatives(list).into_iter().map(items).min().unwrap_or(0)
}
