//! Changing a stack through a change set: asked for, read, then carried out or thrown away.
//!
//! What always holds: nothing of a stack changes before [`Proposal::execute`]; what is executed is
//! the very change set that was read, by its id; [`Stacks::foresee`] leaves nothing behind. After a
//! crash there is at most a change set, and for a new stack an empty one in `REVIEW_IN_PROGRESS`:
//! the next attempt with the same token replaces the first, and [`Stacks::prepare`] deletes the
//! second.

mod ask;
mod error;
mod execute;
mod foresee;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_sdk_cloudformation::types;
use model::change_set::{StackChange, StackChangeKind};

use super::tags::TagsAfter;
use super::upload::Reader;
use super::{Patience, Stack, StackPhase, StackStatus, Stacks, Stuck, Upload};
use crate::template::Template;
use ask::{Asked, Made, Question};
pub use error::ChangeError;

/// What a stack is to become.
#[derive(Clone)]
pub struct Wanted {
    /// The stack's name.
    pub stack: String,
    pub template: Template,
    /// Values of the template's parameters; only those that it declares may be given.
    pub parameters: BTreeMap<String, String>,
    /// Tags to set; others that the stack has stay. Empty: the tags stay as they are.
    pub tags: BTreeMap<String, String>,
    pub capabilities: BTreeSet<Capability>,
    /// The role CloudFormation acts with. Absent: that of the last change of the stack, or the
    /// caller's. The session of a package may pass no role, so [`Stacks::foresee`] passes none.
    pub role_arn: Option<String>,
    /// Where the template may lie if it does not fit into a request. Absent: the deployment bucket
    /// that the Serverless Framework made in the stack, if it did.
    pub bucket: Option<String>,
    /// The job's own, the same for all of its attempts: names the change set.
    pub token: String,
}

/// Parameters may hold secrets, so their values never print.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("stack", &self.stack)
            .field("parameters", &self.parameters.keys())
            .field("tags", &self.tags)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// What a template does that CloudFormation wants acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    Iam,
    NamedIam,
    AutoExpand,
}

impl Capability {
    pub const ALL: [Self; 3] = [Self::Iam, Self::NamedIam, Self::AutoExpand];

    fn sdk(self) -> types::Capability {
        match self {
            Self::Iam => types::Capability::CapabilityIam,
            Self::NamedIam => types::Capability::CapabilityNamedIam,
            Self::AutoExpand => types::Capability::CapabilityAutoExpand,
        }
    }
}

/// CloudFormation's answer.
#[derive(Debug)]
pub enum Proposed {
    /// The stack is as it is wanted already.
    NoChanges,
    Change(Box<Proposal>),
}

/// A change set that waits to be executed or discarded.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub change: StackChange,
    /// The change set's ARN.
    pub id: String,
    pub stack_id: String,
    stacks: Stacks,
}

impl Stacks {
    /// Asks CloudFormation what the change would be. The stack must be absent or take updates:
    /// [`Stacks::prepare`] brings it there.
    pub async fn propose(
        &self,
        wanted: &Wanted,
        patience: Patience,
    ) -> Result<Proposed, ChangeError> {
        let stack = self.look(&wanted.stack).await?;
        self.propose_for(wanted, stack.as_ref(), Reader::Deploy, patience).await
    }

    async fn propose_for(
        &self,
        wanted: &Wanted,
        stack: Option<&Stack>,
        reader: Reader,
        patience: Patience,
    ) -> Result<Proposed, ChangeError> {
        let kind = kind(stack.map(|stack| &stack.status));
        let now = stack.map(|stack| stack.tags.clone()).unwrap_or_default();
        let (first, then) = match TagsAfter::of(&wanted.tags, &now) {
            TagsAfter::AsTheyAre => (None, None),
            TagsAfter::Become(tags) => (Some(tags), None),
            TagsAfter::BuildFollows { kept, renewed } => (Some(kept), Some(renewed)),
        };
        let upload = wanted.upload(stack);
        let question = |tags| Question { wanted, kind, tags, upload: upload.as_ref(), reader };
        let Asked::Made(mut made) = self.ask(&question(first), patience).await? else {
            return Ok(Proposed::NoChanges);
        };
        if let (Reader::Deploy, Some(tags)) = (reader, then) {
            let Asked::Made(renewed) = self.ask(&question(Some(tags)), patience).await? else {
                return Ok(Proposed::NoChanges);
            };
            let changes = read::without_mere_tags(renewed.changes, &made.changes);
            made = Made { changes, ..renewed };
        }
        let Made { id, stack_id, changes } = made;
        let note = read::note(&changes);
        let change = StackChange { stack: wanted.stack.clone(), kind, changes, note };
        let stacks = self.clone();
        Ok(Proposed::Change(Box::new(Proposal { change, id, stack_id, stacks })))
    }
}

/// A stack that a change set made and nobody executed is as good as none.
fn kind(status: Option<&StackStatus>) -> StackChangeKind {
    match status.map(StackStatus::phase) {
        None | Some(StackPhase::Gone | StackPhase::Stuck(Stuck::Empty)) => StackChangeKind::New,
        Some(
            StackPhase::InProgress
            | StackPhase::Settled
            | StackPhase::RolledBack(_)
            | StackPhase::Stuck(_),
        ) => StackChangeKind::Update,
    }
}

/// The output by which the Serverless Framework names a stack's deployment bucket.
const DEPLOYMENT_BUCKET: &str = "ServerlessDeploymentBucketName";

impl Wanted {
    fn upload(&self, stack: Option<&Stack>) -> Option<Upload> {
        let made = || stack?.outputs.get(DEPLOYMENT_BUCKET).cloned();
        let bucket = self.bucket.clone().or_else(made)?;
        Some(Upload { bucket, token: format!("{}-{}", self.token, self.stack) })
    }
}
