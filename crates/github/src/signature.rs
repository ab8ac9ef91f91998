//! The proof that a webhook came from GitHub: HMAC-SHA256 over the raw body, in the header
//! `x-hub-signature-256`.
//!
//! What always holds: the bytes are verified as they were received, before anything parses
//! them, and the comparison takes the same time whatever differs. Several secrets may be
//! active, so that a secret can be changed without losing a delivery.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// Why a delivery is not believed. None of these says anything about the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error(
        "no webhook secret is configured, so no delivery can be verified: set \
         `github.webhook_secrets` (GREENROOM_GITHUB_WEBHOOK_SECRET)"
    )]
    NoSecret,
    #[error(
        "the header x-hub-signature-256 is missing: give the webhook a secret on GitHub, the same \
         as in `github.webhook_secrets`"
    )]
    Missing,
    #[error("the header x-hub-signature-256 is not `sha256=` and 64 hexadecimal digits")]
    Malformed,
    #[error(
        "the signature does not fit the body: the webhook's secret on GitHub is none of \
         `github.webhook_secrets`"
    )]
    Mismatch,
}

/// Accepts `body` if `header` signs it with one of `secrets`.
///
/// An empty secret is no secret: anyone could sign with it, so it never matches.
pub fn verify(
    secrets: &[SecretString],
    body: &[u8],
    header: Option<&str>,
) -> Result<(), SignatureError> {
    let mut usable = secrets
        .iter()
        .map(|secret| secret.expose_secret().as_bytes())
        .filter(|secret| !secret.is_empty())
        .peekable();
    if usable.peek().is_none() {
        return Err(SignatureError::NoSecret);
    }

    let digits = header
        .ok_or(SignatureError::Missing)?
        .strip_prefix("sha256=")
        .ok_or(SignatureError::Malformed)?;
    let mut tag = [0_u8; 32];
    hex::decode_to_slice(digits, &mut tag).map_err(|_| SignatureError::Malformed)?;

    let signed = usable.any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, body, &tag).is_ok()
    });
    if signed { Ok(()) } else { Err(SignatureError::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vector that GitHub publishes in "Validating webhook deliveries".
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEADER: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secrets(list: &[&str]) -> Vec<SecretString> {
        list.iter().map(|s| SecretString::from(*s)).collect()
    }

    #[test]
    fn the_published_vector_is_accepted() {
        assert_eq!(verify(&secrets(&[SECRET]), BODY, Some(HEADER)), Ok(()));
    }

    #[test]
    fn any_active_secret_may_have_signed() {
        let both = secrets(&["the new one", SECRET]);
        assert_eq!(verify(&both, BODY, Some(HEADER)), Ok(()));
    }

    #[test]
    fn another_body_or_secret_is_a_mismatch() {
        let mismatch = Err(SignatureError::Mismatch);
        assert_eq!(verify(&secrets(&[SECRET]), b"Hello, World?", Some(HEADER)), mismatch);
        assert_eq!(verify(&secrets(&["other"]), BODY, Some(HEADER)), mismatch);
    }

    #[test]
    fn a_missing_header_is_told_from_a_malformed_one() {
        let secrets = secrets(&[SECRET]);
        assert_eq!(verify(&secrets, BODY, None), Err(SignatureError::Missing));
        for header in [
            "",
            "sha256=",
            "sha1=757107ea",
            "sha256=xyz",
            &HEADER[..HEADER.len() - 2],
            &format!("{HEADER}00"),
        ] {
            assert_eq!(
                verify(&secrets, BODY, Some(header)),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let forged = format!("sha256={}", hex::encode(hmac::sign(&key, BODY)));
        assert_eq!(verify(&secrets(&[""]), BODY, Some(&forged)), Err(SignatureError::NoSecret));
        assert_eq!(
            verify(&secrets(&["", SECRET]), BODY, Some(&forged)),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(verify(&[], BODY, Some(HEADER)), Err(SignatureError::NoSecret));
    }
}
