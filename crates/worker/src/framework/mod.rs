//! The frameworks that services are packaged and deployed with, one folder each.

pub(crate) mod serverless;
