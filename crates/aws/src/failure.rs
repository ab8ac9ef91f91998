//! What went wrong in a call to AWS, in the few kinds that decide what happens next.
//!
//! Every SDK call of this crate ends here, so that "try again" and "somebody must act" are told
//! apart in one place.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A failed call, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There were no credentials to sign with.
    NoCredentials(String),
    /// The credentials themselves were turned down: expired, unknown or wrong.
    BadCredentials(String),
    /// Signed and understood, but not allowed.
    Denied(String),
    /// The service answered that this request makes no sense.
    Invalid { code: String, message: String },
    /// Throttled, unreachable, timed out or broken inside: later may work.
    Unavailable(String),
}

impl Failure {
    pub(crate) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                let code = meta.code().unwrap_or("Unknown").to_owned();
                let message = meta.message().unwrap_or("no message").to_owned();
                Self::of_answer(code, message, status)
            }
            _ => match credentials_cause(error) {
                Some(detail) => Self::NoCredentials(detail),
                None => Self::Unavailable(DisplayErrorContext(error).to_string()),
            },
        }
    }

    pub(crate) fn of_answer(code: String, message: String, status: Option<u16>) -> Self {
        const BAD_CREDENTIALS: [&str; 8] = [
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "MissingAuthenticationToken",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ];
        const UNAVAILABLE: [&str; 13] = [
            "InternalError",
            "InternalFailure",
            "OperationAborted",
            "OperationAbortedException",
            "PriorRequestNotComplete",
            "RequestExpired",
            "RequestLimitExceeded",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ];
        let described = format!("{code}: {message}");
        if code.starts_with("AccessDenied") || code == "UnauthorizedOperation" {
            Self::Denied(message)
        } else if BAD_CREDENTIALS.contains(&code.as_str()) {
            Self::BadCredentials(described)
        } else if UNAVAILABLE.contains(&code.as_str()) || status.is_some_and(|status| status >= 500)
        {
            Self::Unavailable(described)
        } else {
            Self::Invalid { code, message }
        }
    }
}

/// The reason why there is nothing to sign with, when that is what stopped the call. A source
/// that exists but failed or timed out just now is unavailable instead: it may answer later.
fn credentials_cause(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(
            found @ (CredentialsError::CredentialsNotLoaded(_)
            | CredentialsError::InvalidConfiguration(_)),
        ) = current.downcast_ref::<CredentialsError>()
        {
            return Some(DisplayErrorContext(found).to_string());
        }
        cause = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, status: u16) -> Failure {
        Failure::of_answer(code.to_owned(), "words".to_owned(), Some(status))
    }

    #[test]
    fn throttling_and_server_faults_may_work_later() {
        for (code, status) in [("Throttling", 400), ("Whatever", 503), ("InternalFailure", 500)] {
            assert!(matches!(answer(code, status), Failure::Unavailable(_)), "{code}");
        }
    }

    #[test]
    fn a_refusal_is_told_apart_from_bad_credentials_and_from_bad_requests() {
        assert_eq!(answer("AccessDenied", 403), Failure::Denied("words".to_owned()));
        assert!(matches!(answer("ExpiredToken", 403), Failure::BadCredentials(_)));
        assert!(matches!(answer("ValidationError", 400), Failure::Invalid { .. }));
    }
}
