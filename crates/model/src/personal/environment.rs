//! What a command on somebody's machine sees besides its own variables. Pure.
//!
//! What always holds: it is what a job's steps see, without `CI`; neither a parameter nor an output
//! can stand in for a variable of ours.

use std::collections::BTreeMap;

use crate::output;
use crate::worker_api::Target;
use crate::{AppName, ServiceName};

use super::Source;

/// Where a program might find other credentials than those that it is given: none of these reaches
/// the command from its surroundings.
pub const CREDENTIALS: [&str; 14] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// `inputs`: the service's `parameters:`, with everything put in.
pub fn environment(
    app: &AppName,
    service: &ServiceName,
    target: &Target,
    inputs: &BTreeMap<String, String>,
    source: &Source,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let parameters = target.parameters.iter();
    env.extend(parameters.map(|(key, parameter)| (key.variable(), parameter.value.clone())));
    env.extend(output::environment(&target.outputs));
    env.extend(inputs.clone());
    let branch = source.branch.as_ref().map(ToString::to_string).unwrap_or_default();
    for (name, value) in [
        ("GREENROOM", "true".to_owned()),
        ("GREENROOM_APP", app.to_string()),
        ("GREENROOM_SERVICE", service.to_string()),
        ("GREENROOM_STAGE", target.stage.to_string()),
        ("GREENROOM_STAGE_KIND", target.stage_kind.as_str().to_owned()),
        ("GREENROOM_REGION", target.region.to_string()),
        ("GREENROOM_COMMIT", source.commit.to_string()),
        ("GREENROOM_BRANCH", branch),
        ("SERVERLESS_STAGE", target.stage.to_string()),
        // our plugin ends a command that would work for another
        ("GREENROOM_ONLY_STAGE", target.stage.to_string()),
        ("AWS_REGION", target.region.to_string()),
        ("AWS_DEFAULT_REGION", target.region.to_string()),
    ] {
        env.insert(name.to_owned(), value);
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Scope;
    use crate::stage::StageKind;
    use crate::worker_api::Parameter;

    #[test]
    fn parameters_are_variables_that_replace_none_of_ours_and_it_is_no_ci() {
        let parameter = |value: &str| Parameter { value: value.to_owned(), secret: false };
        let (app, stage): (AppName, crate::StageName) =
            ("workshop".parse().unwrap(), "ann".parse().unwrap());
        let region: crate::Region = "us-east-1".parse().unwrap();
        let target = Target {
            stage: stage.clone(),
            stage_kind: StageKind::Personal,
            region: region.clone(),
            parameters: [
                ("db-host".parse().unwrap(), parameter("h")),
                ("GREENROOM_STAGE".parse().unwrap(), parameter("forged")),
            ]
            .into(),
            references: BTreeMap::new(),
            outputs: Scope {
                app: app.clone(),
                stage,
                region,
                fallback_stage: None,
                published: Vec::new(),
            },
            safeguards: Vec::new(),
            approved: None,
        };
        let source = Source {
            commit: "a".repeat(40).parse().unwrap(),
            pushed: None,
            branch: None,
            dirty: true,
        };
        let inputs = [("size".to_owned(), "1".to_owned())].into();
        let env = environment(&app, &"api".parse().unwrap(), &target, &inputs, &source);
        assert_eq!((env["db_host"].as_str(), env["size"].as_str()), ("h", "1"));
        assert_eq!(env["GREENROOM_STAGE"], "ann");
        assert_eq!(env["GREENROOM_STAGE_KIND"], "personal");
        assert_eq!(env["SERVERLESS_STAGE"], "ann");
        assert!(!env.contains_key("CI"));
        assert!(CREDENTIALS.iter().all(|name| !env.contains_key(*name)));
    }
}
