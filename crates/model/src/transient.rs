//! The failures of AWS that pass by themselves: the one list of what a job tries again instead of
//! failing at once. Pure.
//!
//! What always holds: nothing is here for a guess: each entry is a piece of AWS's own sentence and
//! says where that is known from. A sentence that is not here is a failure like any other.

use std::time::Duration;

/// What a job waits before the second try, the third and the last.
pub const WAITS: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(20), Duration::from_secs(30)];

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A deploy or a rollback.
    Deploy,
    Remove,
}

/// A failure that is known to pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// What AWS's sentence holds, in whatever case.
    pub fragment: &'static str,
    during: &'static [Doing],
    /// Why it passes, for the log.
    pub because: &'static str,
    /// Where that is known from.
    pub source: &'static str,
}

const SEED: &str = "the retries of Seed, a server of this kind";
const BOTH: &[Doing] = &[Doing::Deploy, Doing::Remove];

pub const KNOWN: [Known; 8] = [
    Known {
        fragment: "Another Deployment is in progress for rest api",
        during: &[Doing::Deploy],
        because: "API Gateway takes one deployment of an API at a time",
        source: SEED,
    },
    Known {
        fragment: "No integration defined for method",
        during: &[Doing::Deploy],
        because: "API Gateway saw the deployment before the methods it was made of",
        source: SEED,
    },
    Known {
        fragment: "Rate exceeded",
        during: BOTH,
        because: "the account's calls were more than AWS takes at once",
        source: "the retries of Seed (for removals); `Throttling` in \"Common errors\" of the API references",
    },
    Known {
        fragment: "Too Many Requests",
        during: BOTH,
        because: "the account's calls were more than AWS takes at once",
        source: "`TooManyRequestsException` in the API references of Lambda and API Gateway",
    },
    Known {
        fragment: "cannot be assumed by Lambda",
        during: &[Doing::Deploy],
        because: "a role that was just made is not known everywhere yet",
        source: "IAM user guide, \"Changes that I make are not always immediately visible\"; Lambda's sentence for it",
    },
    Known {
        fragment: "An update is in progress for resource",
        during: BOTH,
        because: "Lambda is still at work on an earlier change of the function",
        source: "Lambda developer guide, \"Lambda function states\" (`ResourceConflictException`)",
    },
    Known {
        fragment: "A conflicting conditional operation is currently in progress against this resource",
        during: BOTH,
        because: "S3 is still at work on a bucket of that name",
        source: "S3 API reference, \"Error responses\" (`OperationAborted`)",
    },
    Known {
        fragment: "has a dependent object",
        during: &[Doing::Remove],
        because: "the network interface of a function in a VPC is given back after the function",
        source: "EC2 API reference, \"Error codes\" (`DependencyViolation`)",
    },
];

/// The first entry whose fragment stands in any of the sentences.
pub fn transient<'m>(
    messages: impl IntoIterator<Item = &'m str>,
    doing: Doing,
) -> Option<&'static Known> {
    let messages: Vec<String> = messages.into_iter().map(str::to_ascii_lowercase).collect();
    KNOWN.iter().filter(|known| known.during.contains(&doing)).find(|known| {
        let fragment = known.fragment.to_ascii_lowercase();
        messages.iter().any(|message| message.contains(&fragment))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(message: &str, doing: Doing) -> Option<&'static str> {
        transient([message], doing).map(|known| known.fragment)
    }

    #[test]
    fn a_sentence_of_aws_is_known_by_its_fragment_in_any_case() {
        let busy =
            "ApiGatewayDeployment1: Another deployment is in progress for REST API with id x";
        assert_eq!(
            known(busy, Doing::Deploy),
            Some("Another Deployment is in progress for rest api")
        );
        let throttled = "Resource handler returned message: \"Rate exceeded (Service: Iam)\"";
        assert_eq!(known(throttled, Doing::Remove), Some("Rate exceeded"));
    }

    #[test]
    fn what_passes_in_a_deploy_need_not_pass_in_a_removal() {
        let busy = "Another Deployment is in progress for rest api";
        assert_eq!(known(busy, Doing::Remove), None);
        let held = "resource sg-1 has a dependent object";
        assert_eq!(known(held, Doing::Deploy), None);
        assert!(known(held, Doing::Remove).is_some());
    }

    #[test]
    fn any_other_failure_is_not_tried_again() {
        for message in ["", "name taken", "rate", "AccessDenied: not authorized"] {
            assert_eq!(known(message, Doing::Deploy), None, "{message}");
        }
        assert_eq!(transient([], Doing::Deploy), None);
    }

    #[test]
    fn every_entry_says_where_it_is_known_from_and_why_it_passes() {
        for known in &KNOWN {
            assert!(!known.during.is_empty(), "{known:?}");
            assert!(known.source.len() > 10 && known.because.len() > 10, "{known:?}");
            assert!(known.fragment.len() > 10, "too short to mean one thing: {known:?}");
        }
    }
}
