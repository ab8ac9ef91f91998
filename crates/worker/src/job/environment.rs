//! Where a job's steps run and what all of them see. Pure.
//!
//! What always holds: AWS credentials are in the environment of the steps that need them and of
//! no other; neither a parameter nor an output can stand in for a variable of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::pipeline::Service;
use model::worker_api::{Assignment, AwsCredentials, AwsEndpoint, Target};
use model::{Region, output};

/// How often the framework looks at the stack, in milliseconds: often at a local AWS, seldom
/// enough for the limits of a real account.
const POLL_LOCAL_MS: &str = "200";
const POLL_REAL_MS: &str = "2000";

/// The frameworks' own noise: questions, update notices, usage reports.
const QUIET: [(&str, &str); 12] = [
    ("SLS_TELEMETRY_DISABLED", "1"),
    ("SLS_TRACKING_DISABLED", "1"),
    ("SLS_NOTIFICATIONS_MODE", "off"),
    ("SAM_CLI_TELEMETRY", "0"),
    ("CDK_DISABLE_VERSION_CHECK", "true"),
    ("CDK_DISABLE_CLI_TELEMETRY", "true"),
    ("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1"),
    ("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1"),
    ("NODE_NO_WARNINGS", "1"),
    ("npm_config_update_notifier", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_audit", "false"),
];

pub(crate) type Environment = BTreeMap<String, String>;

/// For a command of ours that starts a framework.
pub(crate) fn quiet() -> Environment {
    QUIET.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The place and the environment of a job's steps.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// Relative to the workspace.
    pub(crate) cwd: PathBuf,
    pub(crate) env: Environment,
    /// Where steps with credentials work.
    pub(crate) region: Option<Region>,
}

impl Scene {
    /// A test job's: it reads nobody's outputs.
    pub(crate) fn of_test(
        assignment: &Assignment,
        service: &Service,
        target: Option<&Target>,
    ) -> Self {
        Self {
            cwd: PathBuf::from(&service.path),
            env: of_step(assignment, Some(service), target, Environment::new()),
            region: None,
        }
    }

    /// That of a job that works for a stage: with its outputs, and `inputs`, the service's
    /// `parameters:`. Without a service it is the repository's root.
    pub(crate) fn of_stage(
        assignment: &Assignment,
        service: Option<&Service>,
        target: &Target,
        inputs: &BTreeMap<String, String>,
        outputs_file: &Path,
    ) -> Self {
        let mut given = output::environment(&target.outputs);
        given.extend(inputs.clone());
        let mut env = of_step(assignment, service, Some(target), given);
        env.insert(
            "GREENROOM_OUTPUTS_FILE".to_owned(),
            outputs_file.to_string_lossy().into_owned(),
        );
        Self {
            cwd: PathBuf::from(service.map_or(".", |service| &service.path)),
            env,
            region: Some(target.region.clone()),
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }
}

/// What every step of the job sees: parameters, then `given`, then what is ours.
fn of_step(
    assignment: &Assignment,
    service: Option<&Service>,
    target: Option<&Target>,
    given: Environment,
) -> Environment {
    let mut env = Environment::new();
    let parameters = target.iter().flat_map(|target| &target.parameters);
    env.extend(parameters.map(|(key, parameter)| (key.variable(), parameter.value.clone())));
    env.extend(given);
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("CI", "true".to_owned());
    set("GREENROOM", "true".to_owned());
    set("GREENROOM_APP", assignment.app.to_string());
    if let Some(service) = service {
        set("GREENROOM_SERVICE", service.name.to_string());
    }
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
    env.extend(quiet());
    env
}

/// What a step that works with AWS sees besides. `ca_bundle` is the file as the step knows it.
pub(crate) fn with_aws(
    mut env: Environment,
    credentials: &AwsCredentials,
    region: &Region,
    endpoint: &AwsEndpoint,
    ca_bundle: Option<&Path>,
) -> Environment {
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    set("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    set("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    set("AWS_SESSION_TOKEN", &credentials.session_token);
    set("AWS_REGION", region.as_str());
    set("AWS_DEFAULT_REGION", region.as_str());
    set("AWS_EC2_METADATA_DISABLED", "true");
    let local = endpoint.url.is_some();
    set("SLS_AWS_MONITORING_FREQUENCY", if local { POLL_LOCAL_MS } else { POLL_REAL_MS });
    if let Some(url) = &endpoint.url {
        set("AWS_ENDPOINT_URL", url);
        // CDK's uploads look at this one only.
        set("AWS_ENDPOINT_URL_S3", url);
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
    use crate::job::tests::{assignment, published, target};

    fn service() -> Service {
        let name = "api".parse().expect("a name");
        Service::new(name, "backend", model::pipeline::Framework::Serverless)
    }

    #[test]
    fn parameters_are_variables_but_cannot_replace_ours() {
        let target = target(&[("db-host", "h"), ("GREENROOM_APP", "forged")]);
        let scene = Scene::of_test(&assignment(), &service(), Some(&target));
        let env = scene.env;
        assert_eq!(scene.cwd, Path::new("backend"));
        assert_eq!(env["db_host"], "h");
        assert_eq!(env["GREENROOM_APP"], "workshop");
        assert_eq!(env["SERVERLESS_STAGE"], "feature-x");
    }

    #[test]
    fn a_fork_pull_requests_test_knows_no_stage_and_no_credentials() {
        let env = Scene::of_test(&assignment(), &service(), None).env;
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
            &"us-east-1".parse().expect("a region"),
            &endpoint,
            Some(Path::new("/job/ca.pem")),
        );
        assert_eq!(env["AWS_SESSION_TOKEN"], "t");
        assert_eq!(env["AWS_REGION"], "us-east-1");
        assert_eq!(env["AWS_ENDPOINT_URL"], "https://127.0.0.1:4566");
        assert_eq!(env["NODE_EXTRA_CA_CERTS"], "/job/ca.pem");
    }

    #[test]
    fn a_service_sees_its_own_parameters_and_what_others_published_and_neither_can_replace_ours() {
        let mut target = target(&[("table", "of the app"), ("size", "1")]);
        target.outputs.published.push(published("database", &[("table", "notes")]));
        let inputs = [("table", "of the service"), ("GREENROOM_STAGE", "forged")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let file = Path::new("/job/outputs.json");
        let env =
            Scene::of_stage(&assignment(), Some(&service()), &target, &inputs.into(), file).env;
        assert_eq!((env["table"].as_str(), env["size"].as_str()), ("of the service", "1"));
        assert_eq!(env["GREENROOM_OUTPUT_DATABASE_TABLE"], "notes");
        assert_eq!(env["GREENROOM_OUTPUTS_FILE"], "/job/outputs.json");
        assert_eq!(env["GREENROOM_STAGE"], "feature-x");
    }

    #[test]
    fn a_step_of_the_stage_stands_in_the_root_and_belongs_to_no_service() {
        let target = target(&[]);
        let file = Path::new("/job/outputs.json");
        let scene = Scene::of_stage(&assignment(), None, &target, &BTreeMap::new(), file);
        assert_eq!(scene.cwd, Path::new("."));
        assert!(!scene.env.contains_key("GREENROOM_SERVICE"));
    }
}
