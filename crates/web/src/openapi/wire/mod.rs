//! The schemas of what stands on the wire and is no struct of this crate's: names, words out of a
//! fixed set, and the types of `model`, which knows nothing of OpenAPI.
//!
//! What always holds: a type here is only named (`#[schema(value_type = wire::AppName)]`), never
//! made. Its schema takes all that the parser takes, and where a rule cannot be said by a pattern
//! it takes more: what the server refuses beyond it is answered with 422, or 404 in an address.

mod app_file;
mod model;
mod names;
mod words;

use serde_json::Value;

/// Makes a type for each schema, and the table of them.
macro_rules! wire {
    ($($name:ident = $schema:tt;)+) => {
        $(
            pub(crate) enum $name {}

            impl utoipa::PartialSchema for $name {
                // the table has the real one: `super::super::complete` puts it in its place
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                    utoipa::openapi::schema::Object::default().into()
                }
            }

            impl utoipa::ToSchema for $name {}
        )+

        pub(super) fn all() -> Vec<(String, serde_json::Value)> {
            vec![$((
                <$name as utoipa::ToSchema>::name().into_owned(),
                serde_json::json!($schema),
            )),+]
        }
    };
}

use wire;

pub(crate) use self::app_file::*;
pub(crate) use self::model::*;
pub(crate) use self::names::*;
pub(crate) use self::words::*;

/// Each schema by its name.
pub(super) fn all() -> Vec<(String, Value)> {
    [names::all(), words::all(), model::all(), app_file::all()].concat()
}
