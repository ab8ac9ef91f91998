//! The environment of a job's steps. Pure.
//!
//! What always holds: AWS credentials are in the environment of the steps that need them and of
//! no other; a parameter can never stand in for a variable of ours.

use std::collections::BTreeMap;
use std::path::Path;

use model::ServiceName;
use model::worker_api::{Assignment, AwsCredentials, AwsEndpoint, Target};

/// How often the framework looks at the stack, in milliseconds: often at a local AWS, seldom
/// enough for the limits of a real account.
const POLL_LOCAL_MS: &str = "200";
const POLL_REAL_MS: &str = "2000";

type Environment = BTreeMap<String, String>;

/// What every step of the job sees, parameters included.
pub(crate) fn of_step(
    assignment: &Assignment,
    service: &ServiceName,
    target: Option<&Target>,
) -> Environment {
    let mut env = Environment::new();
    let parameters = target.iter().flat_map(|target| &target.parameters);
    env.extend(parameters.map(|(key, parameter)| (key.variable(), parameter.value.clone())));
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("CI", "true".to_owned());
    set("GREENROOM", "true".to_owned());
    set("GREENROOM_APP", assignment.app.to_string());
    set("GREENROOM_SERVICE", service.to_string());
    set("GREENROOM_BUILD", assignment.build_number.to_string());
    set("GREENROOM_BUILD_URL", assignment.build_url.clone());
    let source = &assignment.source;
    set("GREENROOM_COMMIT", source.commit.to_string());
    let optional = |value: Option<String>| value.unwrap_or_default();
    set("GREENROOM_BRANCH", optional(source.branch.as_ref().map(ToString::to_string)));
    set("GREENROOM_TAG", optional(source.tag.as_ref().map(ToString::to_string)));
    set("GREENROOM_PULL_REQUEST", optional(source.pull_request.map(|number| number.to_string())));
    if let Some(target) = target {
        set("GREENROOM_STAGE", target.stage.to_string());
        set("GREENROOM_STAGE_KIND", target.stage_kind.as_str().to_owned());
        set("GREENROOM_REGION", target.region.to_string());
        set("SERVERLESS_STAGE", target.stage.to_string());
    }
    // The frameworks' own noise: questions, update notices, usage reports.
    set("SLS_TELEMETRY_DISABLED", "1".to_owned());
    set("SLS_TRACKING_DISABLED", "1".to_owned());
    set("SLS_NOTIFICATIONS_MODE", "off".to_owned());
    set("NODE_NO_WARNINGS", "1".to_owned());
    set("npm_config_update_notifier", "false".to_owned());
    set("npm_config_fund", "false".to_owned());
    set("npm_config_audit", "false".to_owned());
    env
}

/// What a step that works with AWS sees besides. `ca_bundle` is the file as the step knows it.
pub(crate) fn with_aws(
    mut env: Environment,
    credentials: &AwsCredentials,
    target: &Target,
    endpoint: &AwsEndpoint,
    ca_bundle: Option<&Path>,
) -> Environment {
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    set("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    set("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    set("AWS_SESSION_TOKEN", &credentials.session_token);
    set("AWS_REGION", target.region.as_str());
    set("AWS_DEFAULT_REGION", target.region.as_str());
    set("AWS_EC2_METADATA_DISABLED", "true");
    let local = endpoint.url.is_some();
    set("SLS_AWS_MONITORING_FREQUENCY", if local { POLL_LOCAL_MS } else { POLL_REAL_MS });
    if let Some(url) = &endpoint.url {
        set("AWS_ENDPOINT_URL", url);
    }
    if let Some(ca_bundle) = ca_bundle {
        let path = ca_bundle.to_string_lossy();
        set("NODE_EXTRA_CA_CERTS", &path);
        set("AWS_CA_BUNDLE", &path);
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::{assignment, target};

    fn service() -> ServiceName {
        "api".parse().expect("a name")
    }

    #[test]
    fn parameters_are_variables_but_cannot_replace_ours() {
        let target = target(&[("db-host", "h"), ("GREENROOM_APP", "forged")]);
        let env = of_step(&assignment(), &service(), Some(&target));
        assert_eq!(env["db_host"], "h");
        assert_eq!(env["GREENROOM_APP"], "workshop");
        assert_eq!(env["SERVERLESS_STAGE"], "feature-x");
    }

    #[test]
    fn a_fork_pull_requests_test_knows_no_stage_and_no_credentials() {
        let env = of_step(&assignment(), &service(), None);
        assert!(!env.contains_key("GREENROOM_STAGE"));
        assert!(env.keys().all(|name| !name.starts_with("AWS_")));
    }

    #[test]
    fn steps_that_work_with_aws_get_the_credentials_region_and_certificate() {
        let credentials = AwsCredentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: "s".to_owned(),
            session_token: "t".to_owned(),
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        let endpoint =
            AwsEndpoint { url: Some("https://127.0.0.1:4566".to_owned()), ca_bundle: None };
        let env = with_aws(
            Environment::new(),
            &credentials,
            &target(&[]),
            &endpoint,
            Some(Path::new("/job/ca.pem")),
        );
        assert_eq!(env["AWS_SESSION_TOKEN"], "t");
        assert_eq!(env["AWS_REGION"], "us-east-1");
        assert_eq!(env["AWS_ENDPOINT_URL"], "https://127.0.0.1:4566");
        assert_eq!(env["NODE_EXTRA_CA_CERTS"], "/job/ca.pem");
    }
}
