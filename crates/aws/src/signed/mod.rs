//! Calls to two services of which too little is needed for an SDK each: S3, where it is about what
//! a bucket holds, and CloudWatch Logs. Signed and sent with what `object_store` brings along.
//!
//! What always holds: a call is repeated while the service is busy or away, as the SDKs do it, so
//! only calls that may be repeated go this way. Credentials are asked for anew well before they can
//! have ended, and at once when they are turned down.

mod service;
#[cfg(test)]
mod tests;
mod text;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector, HttpRequestBody, ReqwestConnector};
use object_store::{Certificate, ClientOptions};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::count;
use crate::credentials::CredentialSource;
use crate::endpoint::AwsEndpoint;
use crate::failure::Failure;
pub(crate) use service::Service;
pub(crate) use text::{decoded, encoded, encoded_path};

const CONNECT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);
/// As often as the SDKs of this crate.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The shortest session that STS makes lasts three times as long.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// One call.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    /// Begins with a slash and is percent-encoded.
    pub(crate) path: String,
    /// Percent-encoded, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

/// The services of one account and region, as one session may use them.
pub(crate) struct Signed {
    credentials: Arc<dyn CredentialSource>,
    region: String,
    endpoint: AwsEndpoint,
    client: HttpClient,
    known: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("region", &self.region).finish_non_exhaustive()
    }
}

/// How to reach what lies at `base`, with the endpoint's own authority if it has one.
pub(crate) fn client_options(endpoint: &AwsEndpoint, base: &str) -> Result<ClientOptions, String> {
    let mut options = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        .with_timeout(TIMEOUT)
        .with_allow_http(base.starts_with("http://"));
    if let Some(pem) = &endpoint.ca_bundle_pem {
        options = options.with_no_system_certificates(true);
        let bundle = Certificate::from_pem_bundle(pem.as_bytes());
        for certificate in bundle.map_err(|error| error.to_string())? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

impl Signed {
    pub(crate) fn new(
        credentials: Arc<dyn CredentialSource>,
        region: &str,
        endpoint: &AwsEndpoint,
    ) -> Result<Self, Failure> {
        let base = Service::S3.base(region, endpoint);
        let client = client_options(endpoint, &base).and_then(|options| {
            ReqwestConnector::default().connect(&options).map_err(|error| error.to_string())
        });
        Ok(Self::over(client.map_err(Failure::Unavailable)?, credentials, region, endpoint))
    }

    fn over(
        client: HttpClient,
        credentials: Arc<dyn CredentialSource>,
        region: &str,
        endpoint: &AwsEndpoint,
    ) -> Self {
        let (region, endpoint) = (region.to_owned(), endpoint.clone());
        Self { credentials, region, endpoint, client, known: Mutex::new(None) }
    }

    /// The body of the answer.
    pub(crate) async fn send(&self, call: &Call) -> Result<Bytes, Failure> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let tried = self.try_once(call).await;
            count::signed(call.service, &call.method, &tried);
            let failure = match tried {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            match &failure {
                Failure::Unavailable(_) if attempt < ATTEMPTS => {
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
                }
                Failure::BadCredentials(_) if attempt == 1 => *self.known.lock().await = None,
                Failure::Unavailable(_)
                | Failure::BadCredentials(_)
                | Failure::NoCredentials(_)
                | Failure::Denied(_)
                | Failure::Invalid { .. } => return Err(failure),
            }
        }
    }

    async fn try_once(&self, call: &Call) -> Result<Bytes, Failure> {
        let credential = self.credential().await?;
        let base = call.service.base(&self.region, &self.endpoint);
        let query = if call.query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{base}{}{query}{}", call.path, call.query))
            .body(HttpRequestBody::from(call.body.clone()))
            .map_err(|error| malformed(&error))?;
        for (name, value) in &call.headers {
            let value = HeaderValue::from_str(value).map_err(|error| malformed(&error))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        AwsAuthorizer::new(&credential, call.service.name(), &self.region)
            .try_authorize(&mut request, None)
            .map_err(|error| malformed(&error))?;
        let answer = self.client.execute(request).await.map_err(|error| away(&error))?;
        let status = answer.status();
        let body = answer.into_body().bytes().await.map_err(|error| away(&error))?;
        if status.is_success() {
            return Ok(body);
        }
        let (code, message) = call.service.error(&body, status);
        Err(Failure::of_answer(code, message, Some(status.as_u16())))
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>, Failure> {
        let mut known = self.known.lock().await;
        match &*known {
            Some((since, credential)) if since.elapsed() < FRESH => Ok(Arc::clone(credential)),
            Some(_) | None => {
                let fresh = self.credentials.fetch().await;
                let fresh = fresh.map_err(|error| Failure::NoCredentials(error.to_string()))?;
                let token = fresh.session_token.expose_secret();
                let credential = Arc::new(AwsCredential {
                    key_id: fresh.access_key_id.clone(),
                    secret_key: fresh.secret_access_key.expose_secret().to_owned(),
                    token: (!token.is_empty()).then(|| token.to_owned()),
                });
                *known = Some((Instant::now(), Arc::clone(&credential)));
                Ok(credential)
            }
        }
    }
}

/// A call that cannot even be written down is no better later.
fn malformed(error: &(dyn Error + 'static)) -> Failure {
    Failure::Invalid { code: "Malformed".to_owned(), message: whole(error) }
}

fn away(error: &(dyn Error + 'static)) -> Failure {
    Failure::Unavailable(whole(error))
}

/// The error with its causes, which is where the reason stands.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
