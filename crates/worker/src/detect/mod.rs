//! What a commit's files make of it: which directories are services is decided in
//! [`model::detect`], for the server asks the same; whose outputs they read, here.

pub(crate) mod reads;

pub(crate) use model::detect::{
    Detected, Listing, Located, PIPELINE_FILE, Way, configuration, found, label, pipeline, texts,
    way, within,
};
