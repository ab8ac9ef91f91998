//! Where AWS is: the real one, or a local one behind a URL and a certificate authority of its own.
//!
//! The SDK reads `AWS_ENDPOINT_URL` by itself but knows nothing of `AWS_CA_BUNDLE`, which the
//! AWS CLI, boto3 and the frameworks honour. Here both count, and, as there, a bundle replaces
//! the system's certificates. A bundle is checked when it is read: the SDK would panic on it.

use std::path::PathBuf;

use aws_sdk_sts::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, HttpClientError};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Which AWS to talk to; the default is the real one with the system's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoint {
    pub url: Option<String>,
    pub ca_bundle_pem: Option<String>,
}

/// An endpoint that cannot be used, with the setting to correct.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("AWS_CA_BUNDLE: cannot read {path}: {source}. Name a readable PEM file, or unset it.")]
    UnreadableBundle { path: PathBuf, source: std::io::Error },
    #[error(
        "the AWS CA bundle holds no usable certificate: {detail}. It must be a PEM file with the authority's certificate."
    )]
    BadBundle { detail: String },
    #[error(
        "AWS_ENDPOINT_URL: {url:?} is no http or https URL. Write for example https://127.0.0.1:4566, or unset it."
    )]
    BadUrl { url: String },
    #[error("the HTTPS client could not be built: {0}")]
    Client(#[from] HttpClientError),
}

impl AwsEndpoint {
    /// Reads `AWS_ENDPOINT_URL` and the file that `AWS_CA_BUNDLE` names.
    pub fn from_env() -> Result<Self, EndpointError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let url = set("AWS_ENDPOINT_URL").map(|url| url.to_string_lossy().into_owned());
        let ca_bundle_pem = match set("AWS_CA_BUNDLE").map(PathBuf::from) {
            None => None,
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(pem) => Some(pem),
                Err(source) => return Err(EndpointError::UnreadableBundle { path, source }),
            },
        };
        let endpoint = Self { url, ca_bundle_pem };
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Whether URL and bundle are usable, without connecting to anything.
    pub fn check(&self) -> Result<(), EndpointError> {
        if let Some(url) = &self.url {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let usable = host.is_some_and(|host| {
                !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)
            });
            if !usable {
                return Err(EndpointError::BadUrl { url: url.clone() });
            }
        }
        self.ca_bundle_pem.as_deref().map_or(Ok(()), check_bundle)
    }

    /// An HTTPS client that trusts the bundle, or the system when there is none.
    pub(crate) fn http_client(&self) -> Result<SharedHttpClient, EndpointError> {
        self.check()?;
        let trust = match &self.ca_bundle_pem {
            None => TrustStore::default(),
            Some(pem) => TrustStore::empty().with_pem_certificate(pem.as_bytes()),
        };
        let tls = TlsContext::builder().with_trust_store(trust).build()?;
        Ok(Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls)
            .build_https())
    }
}

fn check_bundle(pem: &str) -> Result<(), EndpointError> {
    let bad = |detail: String| EndpointError::BadBundle { detail };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no BEGIN CERTIFICATE block in it".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bundle(pem: &str) -> Result<(), String> {
        let endpoint = AwsEndpoint { url: None, ca_bundle_pem: Some(pem.to_owned()) };
        endpoint.http_client().map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bundle_without_a_certificate_is_refused_and_does_not_panic() {
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        ] {
            let error = with_bundle(pem).expect_err("no certificate in it");
            assert!(error.contains("CA bundle"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_with_the_setting_named() {
        for url in ["127.0.0.1:4566", "ftp://x", "https://", "http:// x"] {
            let endpoint = AwsEndpoint { url: Some(url.to_owned()), ca_bundle_pem: None };
            let error = endpoint.check().expect_err("no URL").to_string();
            assert!(error.contains("AWS_ENDPOINT_URL") && error.contains(url), "{error}");
        }
    }

    #[test]
    fn the_real_aws_needs_no_setting() {
        assert!(AwsEndpoint::default().check().is_ok());
    }
}
