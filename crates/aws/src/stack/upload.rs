//! A template that does not fit into a request lies in a bucket while CloudFormation reads it.
//!
//! What always holds: it lies there under a name made of the caller's token, and is deleted when
//! CloudFormation has read it; what a crash leaves behind, the next attempt overwrites and
//! deletes. What a package session may write (`greenroom/look/`) is never what a deploy reads
//! (`greenroom/deploy/`): the commands of a package belong to a commit that nobody has approved.

use std::fmt;
use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStoreExt, RetryConfig};
use secrecy::ExposeSecret;

use super::{ChangeError, Stacks};
use crate::credentials::CredentialSource;
use crate::endpoint::AwsEndpoint;
use crate::failure::Failure;
use crate::signed::{self, Service, Signed};
use crate::template::{INLINE_BYTES, Template};

const RETRIES: usize = 3;
/// How CloudFormation begins when it cannot read a template's object.
const UNREADABLE: &str = "S3 error";

/// Where a large template may lie for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub bucket: String,
    /// Names the object; the job's own, so that no other job writes there.
    pub token: String,
}

/// Why a template could not be laid into a bucket.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(
        "the template has {bytes} bytes and CloudFormation takes {INLINE_BYTES} without a bucket to \
         read it from; shorten it or give the stack a deployment bucket"
    )]
    NoBucket { bytes: usize },
    #[error(
        "the template does not fit into a request, and bucket {bucket} cannot be used: {detail}"
    )]
    Bucket { bucket: String, detail: String },
}

/// Who reads the template, which decides where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Look,
    Deploy,
}

impl Reader {
    fn prefix(self) -> &'static str {
        match self {
            Self::Look => "greenroom/look",
            Self::Deploy => "greenroom/deploy",
        }
    }
}

/// What a call is given.
pub(super) enum Body {
    Inline(String),
    Lying(Lying),
}

/// A template in a bucket; whoever holds this deletes it.
pub(super) struct Lying {
    url: String,
    name: String,
    bucket: AmazonS3,
    path: Path,
}

impl Body {
    pub(super) fn inline(&self) -> Option<String> {
        match self {
            Self::Inline(text) => Some(text.clone()),
            Self::Lying(_) => None,
        }
    }

    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::Inline(_) => None,
            Self::Lying(lying) => Some(lying.url.clone()),
        }
    }

    /// CloudFormation's refusal, unless it is about the bucket: then the template is not at fault.
    pub(super) fn told(&self, error: ChangeError) -> ChangeError {
        match (self, error) {
            (Self::Lying(lying), ChangeError::Rejected { reason, stack: _ })
                if reason.contains(UNREADABLE) =>
            {
                UploadError::Bucket { bucket: lying.name.clone(), detail: reason }.into()
            }
            (Self::Inline(_) | Self::Lying(_), error) => error,
        }
    }

    /// CloudFormation has read it. An object that stays does no harm, so this never fails.
    pub(super) async fn clear_away(self) {
        match self {
            Self::Inline(_) => {}
            Self::Lying(Lying { url, name: _, bucket, path }) => {
                if let Err(error) = bucket.delete(&path).await {
                    tracing::warn!(%error, url, "an uploaded template could not be deleted");
                }
            }
        }
    }
}

impl Stacks {
    /// The template as a call takes it: in the request if it fits, else in the bucket.
    pub(super) async fn body(
        &self,
        template: &Template,
        upload: Option<&Upload>,
        reader: Reader,
    ) -> Result<Body, UploadError> {
        if let Some(text) = template.inline() {
            return Ok(Body::Inline(text));
        }
        let text = template.smallest();
        let Some(Upload { bucket, token }) = upload else {
            return Err(UploadError::NoBucket { bytes: text.len() });
        };
        let path = Path::from(format!("{}/{}.template", reader.prefix(), object_name(token)));
        let failed = |detail| UploadError::Bucket { bucket: bucket.clone(), detail };
        let store = self.storage.bucket(bucket).await.map_err(failed)?;
        store.put(&path, text.into()).await.map_err(|error| failed(error.to_string()))?;
        let url = format!("{}/{bucket}/{path}", self.storage.base());
        Ok(Body::Lying(Lying { url, name: bucket.clone(), bucket: store, path }))
    }
}

fn object_name(token: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    token.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// S3 as one session may use it.
#[derive(Clone)]
pub(super) struct Storage {
    credentials: Arc<dyn CredentialSource>,
    region: String,
    endpoint: AwsEndpoint,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

impl Storage {
    pub(super) fn new(
        credentials: Arc<dyn CredentialSource>,
        region: &str,
        endpoint: &AwsEndpoint,
    ) -> Self {
        Self { credentials, region: region.to_owned(), endpoint: endpoint.clone() }
    }

    /// Path style, which every bucket name and every local AWS takes, and CloudFormation reads.
    fn base(&self) -> String {
        Service::S3.base(&self.region, &self.endpoint)
    }

    /// For the calls that need no object: what a bucket holds, and logs.
    pub(super) fn signed(&self) -> Result<Signed, Failure> {
        Signed::new(Arc::clone(&self.credentials), &self.region, &self.endpoint)
    }

    async fn bucket(&self, name: &str) -> Result<AmazonS3, String> {
        let credentials = self.credentials.fetch().await.map_err(|error| error.to_string())?;
        let base = self.base();
        let options = signed::client_options(&self.endpoint, &base)?;
        let mut bucket = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(&self.region)
            .with_endpoint(base)
            .with_access_key_id(credentials.access_key_id)
            .with_secret_access_key(credentials.secret_access_key.expose_secret())
            .with_retry(RetryConfig { max_retries: RETRIES, ..RetryConfig::default() })
            .with_client_options(options);
        let token = credentials.session_token.expose_secret();
        if !token.is_empty() {
            bucket = bucket.with_token(token);
        }
        bucket.build().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_makes_no_directories() {
        assert_eq!(object_name("a/../b c-1"), "a----b-c-1");
    }
}
