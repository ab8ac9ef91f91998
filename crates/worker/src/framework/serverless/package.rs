//! What a package says about itself: `serverless-state.json` and the templates beside it. Pure.
//!
//! What always holds: the stage is the one the framework really packaged for. That is *not*
//! `service.provider.stage`, which repeats what `serverless.yml` says while `--stage` overrides
//! it; it is the stage in the S3 directory the package is to be uploaded to
//! (`serverless/SERVICE/STAGE/TIME`), which the framework makes of the effective one.

use std::collections::BTreeMap;

use model::job::Failure;
use model::{Region, StageName};
use serde::Deserialize;

use crate::detect::configuration;
use crate::framework::{Foresight, Package, PackagedStack};

pub(crate) const STATE_FILE: &str = "serverless-state.json";
/// What the stack is to become.
pub(crate) const TEMPLATE_FILE: &str = "cloudformation-template-update-stack.json";

/// For whom a package was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageState {
    pub(crate) service: String,
    pub(crate) stage: StageName,
    pub(crate) region: Region,
    pub(crate) stack: String,
    /// The bucket the user chose for packages; CloudFormation may read templates there.
    pub(crate) bucket: Option<String>,
    /// `provider.stackParameters`.
    pub(crate) parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct State {
    service: ServiceState,
    #[serde(default)]
    package: PackageEntry,
}

#[derive(Deserialize)]
struct ServiceState {
    service: String,
    provider: Provider,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    #[serde(default)]
    stage: Option<String>,
    region: String,
    #[serde(default)]
    stack_name: Option<String>,
    /// A name; older versions leave the settings with a name in them.
    #[serde(default)]
    deployment_bucket: Option<serde_json::Value>,
    #[serde(default)]
    stack_parameters: Vec<StackParameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StackParameter {
    parameter_key: String,
    #[serde(default)]
    parameter_value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PackageEntry {
    #[serde(default)]
    artifact_directory_name: Option<String>,
}

impl PackageState {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let state: State = serde_json::from_slice(text).map_err(|error| {
            configuration(format!(
                "{STATE_FILE} of the package is not what the framework writes: {error}; package with osls 3, osls 4 or serverless 3"
            ))
        })?;
        let uploaded_for =
            state.package.artifact_directory_name.as_deref().and_then(stage_of_directory);
        let stage = uploaded_for
            .map(str::to_owned)
            .or(state.service.provider.stage)
            .unwrap_or_else(|| "dev".to_owned());
        let stack = state
            .service
            .provider
            .stack_name
            .unwrap_or_else(|| format!("{}-{stage}", state.service.service));
        Ok(Self {
            service: state.service.service,
            stage: stage
                .parse()
                .map_err(|error| configuration(format!("{STATE_FILE}: {error}")))?,
            region: state
                .service
                .provider
                .region
                .parse()
                .map_err(|error| configuration(format!("{STATE_FILE}: {error}")))?,
            stack,
            bucket: state.service.provider.deployment_bucket.and_then(|bucket| {
                let name = bucket.as_str().or_else(|| bucket.get("name")?.as_str());
                name.map(str::to_owned)
            }),
            parameters: state
                .service
                .provider
                .stack_parameters
                .into_iter()
                .filter_map(|parameter| Some((parameter.parameter_key, parameter.parameter_value?)))
                .collect(),
        })
    }

    pub(super) fn package(self) -> Package {
        let stack = PackagedStack::new(self.stack, TEMPLATE_FILE, Foresight::Ask);
        Package { stage: self.stage, region: self.region, stacks: vec![stack] }
    }
}

/// `serverless/SERVICE/STAGE/TIME`, where the prefix may hold more slashes.
fn stage_of_directory(directory: &str) -> Option<&str> {
    let mut parts = directory.trim_end_matches('/').rsplit('/');
    let _time = parts.next()?;
    let stage = parts.next()?;
    let _service = parts.next()?;
    Some(stage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::worker_api::Target;

    fn state(provider: &str, directory: &str) -> Vec<u8> {
        format!(
            r#"{{"service":{{"service":"shop-api","provider":{provider},"functions":{{}}}},
                "package":{{"artifactDirectoryName":"{directory}","artifact":"shop-api.zip"}}}}"#
        )
        .into_bytes()
    }

    fn target(stage: &str, region: &str) -> Target {
        Target {
            stage: stage.parse().expect("a stage"),
            region: region.parse().expect("a region"),
            ..crate::job::tests::target(&[])
        }
    }

    const DIRECTORY: &str = "serverless/shop-api/feature-x/1795213011368-2026-11-20T22:16:51.368Z";

    #[test]
    fn the_stage_is_that_of_the_upload_directory_whatever_serverless_yml_says() {
        let text = state(r#"{"stage":"dev","region":"us-east-1"}"#, DIRECTORY);
        let parsed = PackageState::parse(&text).expect("a state");
        assert_eq!(parsed.stage.as_str(), "feature-x");
        assert_eq!(parsed.stack, "shop-api-feature-x");
        let target = target("feature-x", "us-east-1");
        parsed.package().check(&target).expect("the target it was made for");
    }

    #[test]
    fn a_deployment_prefix_with_slashes_does_not_hide_the_stage() {
        let text = state(r#"{"region":"us-east-1"}"#, "a/b/shop-api/rel/17-2026");
        assert_eq!(PackageState::parse(&text).expect("a state").stage.as_str(), "rel");
    }

    #[test]
    fn a_stack_name_of_ones_own_is_used() {
        let text = state(r#"{"region":"us-east-1","stackName":"legacy"}"#, DIRECTORY);
        assert_eq!(PackageState::parse(&text).expect("a state").stack, "legacy");
    }

    #[test]
    fn a_bucket_of_ones_own_is_told_however_it_is_written() {
        for bucket in [r#""acme""#, r#"{"name":"acme"}"#] {
            let provider = format!(r#"{{"region":"us-east-1","deploymentBucket":{bucket}}}"#);
            let parsed = PackageState::parse(&state(&provider, DIRECTORY)).expect("a state");
            assert_eq!(parsed.bucket.as_deref(), Some("acme"));
        }
    }

    #[test]
    fn a_package_for_another_stage_or_region_is_refused_with_the_remedy() {
        let parsed = PackageState::parse(&state(r#"{"region":"us-east-1"}"#, DIRECTORY))
            .expect("a state")
            .package();
        let stage = parsed.check(&target("prod", "us-east-1")).expect_err("another stage").message;
        assert!(stage.contains("feature-x") && stage.contains("prod"), "{stage}");
        let region =
            parsed.check(&target("feature-x", "eu-west-1")).expect_err("another region").message;
        assert!(region.contains("${opt:region}"), "{region}");
    }

    #[test]
    fn a_state_that_is_not_the_frameworks_is_refused_and_does_not_panic() {
        for text in ["", "[]", "{}", r#"{"service":{"service":1}}"#] {
            assert!(PackageState::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
