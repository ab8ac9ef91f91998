//! What Greenroom does with AWS: roles on the server's side, stacks and values on the worker's.
//!
//! - [`role`]: the server assumes the role of a stage's profile and hands out short-lived
//!   credentials. Only the server has an identity of its own; it never leaves the server.
//! - [`stack`]: with such credentials a worker looks at a stack, follows its events, waits it
//!   out, recovers it, changes it, compares it with its template, and removes it with proof that it
//!   is gone and with all that CloudFormation would leave behind.
//! - [`template`]: a template read from JSON or YAML, and two of them compared.
//! - [`parameters`]: values in SSM and Secrets Manager, read with a job's credentials.
//! - [`outputs`]: which outputs of a stack are addresses that people can open.
//!
//! CloudFormation is the truth about a stack. Nothing here is kept between calls, so after a
//! crash a new process looks again and goes on from what it sees.
//!
//! # Changing a stack
//!
//! A [`Template`] is read once with [`Template::parse`]; its `tree` is what the checks of `model`
//! look at, its `text` what CloudFormation gets.
//! [`stack::Stacks::validate_template`] has CloudFormation read it, and answers which parameters
//! it declares: only those may be given. [`stack::Wanted`] is the template with all that goes with
//! it. Then, with the session of a package (read-mostly):
//!
//! ```ignore
//! let change = stacks.foresee(&wanted, patience).await?; // a StackChange; nothing is changed
//! ```
//!
//! and with the session of a deploy:
//!
//! ```ignore
//! match stacks.prepare(&wanted.stack, token, patience, on_event).await? {
//!     Prepared::Blocked(stack) => …, // a person has to act
//!     Prepared::Absent | Prepared::Ready(_) => match stacks.propose(&wanted, patience).await? {
//!         Proposed::NoChanges => …, // the stack is as wanted
//!         Proposed::Change(proposal) => {
//!             show(&proposal.change);
//!             let settled = proposal.carry_out(patience, on_event).await?; // or discard(patience)
//!         }
//!     },
//! }
//! ```
//!
//! The `token` is the job's own and the same for all of its attempts: a repeated attempt finds the
//! change set that a lost one left and replaces it. A [`stack::ChangeError::Rejected`] holds
//! CloudFormation's own sentence about the template; everything else is about the way there.
//!
//! # Removing a stack
//!
//! [`stack::Stacks::remove`] does all of it: buckets emptied, the stack deleted and proven gone, the
//! logs of its functions deleted. Where somebody else deletes the stack (a framework's command), the
//! same is done around it, for afterwards nobody knows any more what the stack held:
//!
//! ```ignore
//! let holdings = stacks.holdings(name).await?;
//! stacks.empty_buckets(&holdings, on_event).await;
//! … // the framework's own removal
//! let removal = stacks.remove(name, token, how, patience, on_event).await?; // proof, or the rest
//! stacks.delete_logs(&holdings, &BTreeSet::new(), on_event).await; // once it is gone
//! ```

mod count;
pub mod credentials;
pub mod endpoint;
mod failure;
pub mod outputs;
pub mod parameters;
pub mod role;
mod signed;
pub mod stack;
pub mod template;

pub use credentials::{CredentialSource, CredentialSourceError, Credentials};
pub use endpoint::{AwsEndpoint, EndpointError};
pub use outputs::{ServiceUrl, endpoints};
pub use parameters::{ParameterError, Parameters};
pub use role::{AssumeRole, RoleError, RoleMinter, SessionScope};
pub use stack::{
    GreenroomTags, Recovery, Removal, Stack, StackError, StackPhase, StackStatus, Stacks,
};
pub use template::Template;
