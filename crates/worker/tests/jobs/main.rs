//! Jobs from claim to report, through a real worker: git, bubblewrap, HTTP. The server is a
//! stand-in that fails on demand.

mod aws;
mod bench;
mod custom;
mod foresee;
mod lab;
mod lease;
mod look;
mod osls;
mod package;
mod plan;
mod recovery;
mod removal;
#[cfg(feature = "frameworks")]
mod sam_and_cdk;
mod server;
mod stacks;
mod stage;
mod test;
