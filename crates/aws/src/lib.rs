//! What Greenroom does with AWS: roles on the server's side, stacks on the worker's.
//!
//! - [`role`]: the server assumes the role of a stage's profile and hands out short-lived
//!   credentials. Only the server has an identity of its own; it never leaves the server.
//! - [`stack`]: with such credentials a worker looks at a stack, follows its events, waits it
//!   out, recovers it and removes it with proof that it is gone.
//! - [`outputs`]: which outputs of a stack are addresses that people can open.
//!
//! CloudFormation is the truth about a stack. Nothing here is kept between calls, so after a
//! crash a new process looks again and goes on from what it sees.

pub mod credentials;
pub mod endpoint;
mod failure;
pub mod outputs;
pub mod role;
pub mod stack;

pub use credentials::{CredentialSource, CredentialSourceError, Credentials};
pub use endpoint::{AwsEndpoint, EndpointError};
pub use outputs::{ServiceUrl, endpoints};
pub use role::{AssumeRole, RoleError, RoleMinter, SessionScope};
pub use stack::{Removal, Stack, StackError, StackPhase, StackStatus, Stacks};
