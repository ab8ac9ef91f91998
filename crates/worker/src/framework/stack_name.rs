//! The name of a stack where Greenroom chooses it: `stack:` of `greenroom.yml`, or the service
//! and the stage. Pure.
//!
//! What always holds: the stage stands in it, so no two stages of an app share a stack. A name
//! that would have to be bent into shape is refused: two services bent alike would share one.

use model::StageName;
use model::job::Failure;
use model::pipeline::Service;

use crate::detect::configuration;

const DEFAULT: &str = "${service}-${stage}";
/// `StackName` of `CreateStack` in the CloudFormation API reference.
const MAX_LENGTH: usize = 128;

pub(super) fn of(service: &Service, stage: &StageName) -> Result<String, Failure> {
    let pattern = service.stack.as_deref().unwrap_or(DEFAULT);
    let name =
        pattern.replace("${service}", service.name.as_str()).replace("${stage}", stage.as_str());
    let valid = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= MAX_LENGTH;
    if valid {
        return Ok(name);
    }
    Err(configuration(format!(
        "{name:?} is no name for a stack (letters, digits and dashes, a letter first, at most {MAX_LENGTH}): write `stack: name-${{stage}}` at services.{} in greenroom.yml",
        service.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::pipeline::Framework;

    fn name(service: &str, pattern: Option<&str>) -> Result<String, Failure> {
        let name = service.parse().expect("a name");
        let mut service = Service::new(name, ".", Framework::Cloudformation);
        service.stack = pattern.map(str::to_owned);
        of(&service, &"feature-x".parse().expect("a stage"))
    }

    #[test]
    fn a_stack_is_named_after_the_service_and_the_stage() {
        assert_eq!(name("network", None).as_deref(), Ok("network-feature-x"));
    }

    #[test]
    fn a_pattern_of_ones_own_is_filled_in() {
        let pattern = Some("acme-${stage}-${service}");
        assert_eq!(name("network", pattern).as_deref(), Ok("acme-feature-x-network"));
    }

    #[test]
    fn a_name_that_cloudformation_would_refuse_is_refused_with_the_remedy() {
        for service in ["a.b", "3d"] {
            let message = name(service, None).expect_err("no name for a stack").message;
            assert!(message.contains("stack: name-${stage}"), "{message}");
        }
        assert_eq!(name("a.b", Some("a-b-${stage}")).as_deref(), Ok("a-b-feature-x"));
    }
}
