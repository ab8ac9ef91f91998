//! Outputs as environment variables, for commands that no framework resolves references for.

use std::collections::BTreeMap;

use super::{Published, Scope};

/// `GREENROOM_OUTPUT_<SERVICE>_<KEY>` for all that `${output:service.key}` would find, under both
/// names of a service. Of two that come to the same name, the stage's own goes before the
/// fallback's, and Greenroom's name of a service before the framework's.
pub fn environment(scope: &Scope) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for stage in std::iter::once(&scope.stage).chain(&scope.fallback_stage) {
        let here = || {
            scope.published.iter().filter(move |published| {
                published.app == scope.app
                    && published.region == scope.region
                    && published.stage == *stage
            })
        };
        let mut add = |service: &str, published: &Published| {
            for (key, value) in &published.outputs {
                variables.entry(variable(service, key)).or_insert_with(|| value.clone());
            }
        };
        here().for_each(|published| add(published.service.as_str(), published));
        for published in here() {
            if let Some(name) = &published.published_as {
                add(name, published);
            }
        }
    }
    variables
}

fn variable(service: &str, key: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("GREENROOM_OUTPUT_{service}_{key}").chars().map(upper).collect()
}
