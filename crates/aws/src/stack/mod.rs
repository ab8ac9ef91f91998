//! Stacks as CloudFormation has them: look, events, resources, change, delete.
//!
//! The calls in `look` and `events` are thin and keep nothing; `wait`, `change`, `recover` and
//! `remove` build the long movements from them. Each looks first, so a worker that died in the
//! middle is simply followed by one that looks again.

mod bucket;
mod change;
mod clear;
mod drift;
mod error;
mod events;
mod failed;
mod holdings;
mod kept;
mod logs;
mod look;
mod orders;
mod recover;
mod remove;
mod status;
mod sweep;
mod tags;
mod template;
mod upload;
mod validate;
mod wait;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::config::{BehaviorVersion, Region};
use aws_sdk_cloudformation::primitives::DateTime as SdkTime;
use chrono::{DateTime, Utc};

use crate::count::Counted;
use crate::credentials::{CredentialSource, Provider};
use crate::endpoint::{AwsEndpoint, EndpointError};
pub use change::{Capability, ChangeError, Proposal, Proposed, Wanted};
pub use error::StackError;
pub use events::{EventCursor, StackEvent};
pub use failed::FailedResource;
pub use holdings::Holdings;
pub use model::worker_api::RemoveHow;
pub use recover::Recovery;
pub use remove::{Importer, Removal, Why};
pub use status::{Rollback, StackPhase, StackStatus, Stuck, WayOut};
pub use tags::{GreenroomTags, greenroom_tags};
use upload::Storage;
pub use upload::{Upload, UploadError};
pub use validate::{DeclaredParameter, Validated};
pub use wait::{Patience, Prepared};

/// Calls are repeated this often when throttled: many jobs share an account's small limits.
const ATTEMPTS: u32 = 6;

/// One stack as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    /// The ARN: it stays valid for 90 days after the deletion and is never used again.
    pub id: String,
    pub status: StackStatus,
    pub status_reason: Option<String>,
    pub outputs: BTreeMap<String, String>,
    /// Names under which outputs are exported to other stacks of the account and region.
    pub exports: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    pub termination_protection: bool,
}

impl Stack {
    /// When it was last made or changed: the moment that change began.
    pub fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.updated_at.or(self.created_at)
    }
}

/// One resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: String,
    pub reason: Option<String>,
}

/// The stacks of one account and region, as one session may see them.
#[derive(Clone)]
pub struct Stacks {
    cloudformation: Client,
    /// For the buckets of templates that do not fit into a request.
    storage: Storage,
}

impl fmt::Debug for Stacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stacks").finish_non_exhaustive()
    }
}

impl Stacks {
    /// Credentials are fetched at the first call, and again whenever they are about to end.
    pub fn new(
        credentials: Arc<dyn CredentialSource>,
        region: &str,
        endpoint: &AwsEndpoint,
    ) -> Result<Self, EndpointError> {
        let mut config = aws_sdk_cloudformation::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .credentials_provider(Provider(Arc::clone(&credentials)))
            .interceptor(Counted)
            .http_client(endpoint.http_client()?);
        if let Some(url) = &endpoint.url {
            config = config.endpoint_url(url);
        }
        let storage = Storage::new(credentials, region, endpoint);
        Ok(Self { cloudformation: Client::from_conf(config.build()), storage })
    }
}

/// The SDK's time as ours; `None` for what no calendar can hold.
pub(crate) fn utc(time: &SdkTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}
