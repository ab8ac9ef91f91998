//! Counts the calls, for the metrics: of which service, whether they read or change, how each try
//! ended.
//!
//! What always holds: every SDK client of this crate is made with [`Counted`]; a label is one of a
//! few words, never the name of a stack, a bucket or a parameter.

use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use http::Method;

use crate::failure::Failure;
use crate::signed::Service;

/// How the names of operations begin that leave everything as it is.
const READS: [&str; 7] = ["Assume", "Describe", "Detect", "Get", "List", "Lookup", "Validate"];
/// How services say that it was too much ("Error retries", AWS SDKs and Tools Reference Guide).
const THROTTLED: [&[u8]; 6] = [
    b"Throttl",
    b"RequestLimitExceeded",
    b"TooManyRequests",
    b"SlowDown",
    b"LimitExceededException",
    b"Rate exceeded",
];

/// Counts each try of an SDK's call.
#[derive(Debug)]
pub(crate) struct Counted;

impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "Counted"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(call) = config.load::<Metadata>() else { return Ok(()) };
        let class =
            if READS.iter().any(|read| call.name().starts_with(read)) { "read" } else { "change" };
        let answer = context
            .response()
            .map(|answer| (answer.status().as_u16(), answer.body().bytes().unwrap_or_default()));
        count(service(call.service()), class, outcome(answer));
        Ok(())
    }
}

/// Counts one try of a call that no SDK makes.
pub(crate) fn signed<T>(service: Service, method: &Method, outcome: &Result<T, Failure>) {
    let class = if method.is_safe() { "read" } else { "change" };
    let outcome = match outcome {
        Ok(_) => "ok",
        Err(Failure::NoCredentials(_) | Failure::BadCredentials(_) | Failure::Denied(_)) => {
            "denied"
        }
        Err(Failure::Invalid { .. }) => "refused",
        Err(Failure::Unavailable(_)) => "unavailable",
    };
    count(service.name(), class, outcome);
}

fn count(service: &'static str, class: &'static str, outcome: &'static str) {
    let labels = [("service", service), ("class", class), ("outcome", outcome)];
    metrics::counter!("greenroom_aws_requests_total", &labels).increment(1);
}

fn service(sdk: &str) -> &'static str {
    match sdk {
        "STS" => "sts",
        "CloudFormation" => "cloudformation",
        "SSM" => "ssm",
        "Secrets Manager" => "secretsmanager",
        _ => "other",
    }
}

/// By the answer's status and, of a refusal, its text: of an XML service all refusals are 400.
fn outcome(answer: Option<(u16, &[u8])>) -> &'static str {
    match answer {
        Some((200..=399, _)) => "ok",
        Some((429 | 503, _)) => "throttled",
        Some((400..=499, text)) if throttled(text) => "throttled",
        Some((401 | 403, _)) => "denied",
        Some((400..=499, _)) => "refused",
        Some(_) | None => "unavailable",
    }
}

fn throttled(text: &[u8]) -> bool {
    THROTTLED.iter().any(|word| text.windows(word.len()).any(|part| part == *word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_ends_in_one_of_a_few_words() {
        for (answer, expected) in [
            (Some((200, "<ok/>")), "ok"),
            (Some((400, "<Code>Throttling</Code>")), "throttled"),
            (Some((400, "<Code>ValidationError</Code>")), "refused"),
            (Some((403, "AccessDenied")), "denied"),
            (Some((503, "SlowDown")), "throttled"),
            (Some((500, "InternalFailure")), "unavailable"),
            (None, "unavailable"),
        ] {
            let answer = answer.map(|(status, text)| (status, text.as_bytes()));
            assert_eq!(outcome(answer), expected, "{answer:?}");
        }
    }
}
