//! Jobs from claim to report, through a real worker: git, bubblewrap, HTTP. The server is a
//! stand-in that fails on demand.

mod bench;
mod lease;
mod package;
mod plan;
mod server;
mod test;
