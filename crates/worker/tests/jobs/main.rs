//! Jobs from claim to report, through a real worker: git, bubblewrap, HTTP. The server is a
//! stand-in that fails on demand.

mod aws;
mod bench;
mod custom;
mod foresee;
#[cfg(feature = "frameworks")]
mod frameworks;
mod lab;
mod lease;
mod look;
mod osls;
mod package;
mod plan;
mod recovery;
mod removal;
mod server;
mod stacks;
mod stage;
mod test;
