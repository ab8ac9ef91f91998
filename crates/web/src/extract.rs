//! Path and query parts as names of ours: what does not parse is a clear answer, not a 500.

use std::str::FromStr;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A name inside a path: one that no row can have is simply not there.
pub(crate) fn segment<T: FromStr>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::NotFound(format!("there is no {what} {text:?}")))
}

/// A value of a query or body that must parse.
pub(crate) fn value<T: FromStr>(key: &str, text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Error::invalid(key, error.to_string()))
}

/// A JSON body. An absent one reads as `{}`, so that an action without options needs none.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T> {
    if !body.is_empty() && !is_json(headers) {
        return Err(Error::UnsupportedType(
            "send the body as JSON, with `content-type: application/json`".into(),
        ));
    }
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Error::invalid("body", error.to_string()),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            Error::BadRequest(format!("the body is no JSON: {error}"))
        }
    })
}

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    })
}

/// A value inside a query.
pub(crate) fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}
