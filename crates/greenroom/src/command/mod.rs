//! One command, one file.

pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod migrate;
pub(crate) mod serve;
pub(crate) mod setup_link;
pub(crate) mod token;
pub(crate) mod worker;
