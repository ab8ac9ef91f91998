//! Jobs from claim to report, through a real worker: git, bubblewrap, HTTP. The server is a
//! stand-in that fails on demand.

mod aws;
mod bench;
mod custom;
#[cfg(feature = "frameworks")]
mod frameworks;
mod lease;
mod package;
mod plan;
mod server;
mod stacks;
mod stage;
mod test;
