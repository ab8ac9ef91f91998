//! Path and query parts as names of ours: what does not parse is a clear answer, not a 500.

use std::str::FromStr;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use chrono::{DateTime, Datelike, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, Result};

const LAST_YEAR: i32 = 9999;

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

/// A JSON body: an object. An absent one reads as `{}`, so that an action without options needs none.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T> {
    if !body.is_empty() && !is_json(headers) {
        return Err(Error::UnsupportedType(
            "send the body as JSON, with `content-type: application/json`".into(),
        ));
    }
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { body };
    let whole: Value = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    // a list would be taken for the values of the keys in their order
    if !whole.is_object() {
        return Err(Error::invalid("body", "send a JSON object: `{\"key\": value}`"));
    }
    if let Some(key) = nul(&whole, String::new()) {
        return Err(Error::invalid(key, "it holds the character NUL, which no text can keep"));
    }
    serde_json::from_slice(bytes).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Error {
    match error.classify() {
        serde_json::error::Category::Data => Error::invalid("body", error.to_string()),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            Error::BadRequest(format!("the body is no JSON: {error}"))
        }
    }
}

/// Where a text with a NUL stands, which PostgreSQL takes neither in a text nor in JSON.
fn nul(value: &Value, place: String) -> Option<String> {
    let at = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match value {
        Value::String(text) => text.contains('\0').then_some(place),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| nul(item, at(&index.to_string())))
        }
        Value::Object(object) => object.iter().find_map(|(key, inner)| {
            if key.contains('\0') { Some(at("a key")) } else { nul(inner, at(key)) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A text to look for: one that PostgreSQL takes, and no longer than anything it could be found in.
pub(crate) fn plain<'t>(key: &str, text: &'t str, longest: usize) -> Result<&'t str> {
    if text.contains('\0') {
        return Err(Error::invalid(key, "it holds the character NUL, which no text can keep"));
    }
    if text.chars().count() > longest {
        return Err(Error::invalid(key, format!("write at most {longest} characters")));
    }
    Ok(text)
}

/// How many of a list are wanted: at least one; more than the most are not given at once.
pub(crate) fn limit(wanted: Option<i64>, usual: i64, most: i64) -> Result<i64> {
    match wanted {
        Some(wanted) if wanted < 1 => Err(Error::invalid("limit", "ask for at least 1")),
        wanted => Ok(wanted.unwrap_or(usual).min(most)),
    }
}

/// A moment as RFC 3339 writes it, or none: the years of four digits, which PostgreSQL keeps and
/// every client reads.
pub(crate) fn some_moment<'de, D>(
    deserializer: D,
) -> std::result::Result<Option<DateTime<Utc>>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let moment = DateTime::parse_from_rfc3339(&text).ok().map(|moment| moment.to_utc());
    let moment = moment.filter(|moment| (0..=LAST_YEAR).contains(&moment.year()));
    moment.map(Some).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is no moment: write one like 2026-12-24T18:00:00Z"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        #[serde(default)]
        reason: String,
        #[serde(default, deserialize_with = "some_moment")]
        until: Option<DateTime<Utc>>,
    }

    fn read(body: &'static str) -> Result<Wish> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        json(&headers, &Bytes::from_static(body.as_bytes()))
    }

    #[rstest]
    #[case::a_list_of_values(r#"["x"]"#)]
    #[case::nothing_but_null("null")]
    #[case::a_nul(r#"{"reason": "a\u0000b"}"#)]
    #[case::a_year_that_nobody_reads(r#"{"until": "+12026-01-01T00:00:00Z"}"#)]
    #[case::a_year_before_all(r#"{"until": "0000-01-01T00:00:00+23:00"}"#)]
    #[case::no_time(r#"{"until": "tomorrow"}"#)]
    #[case::an_unknown_key(r#"{"why": "x"}"#)]
    #[case::a_key_twice(r#"{"reason": "x", "reason": "y"}"#)]
    fn what_cannot_be_kept_or_meant_is_refused(#[case] body: &'static str) {
        assert!(matches!(read(body), Err(Error::Invalid(_))), "{body}");
    }

    #[test]
    fn what_is_meant_is_read_and_nothing_is_an_empty_object() {
        let wish = read(r#"{"reason": "\\u0000", "until": "2026-12-24T18:00:00+01:00"}"#).unwrap();
        assert_eq!((wish.reason.as_str(), wish.until.unwrap().year()), ("\\u0000", 2026));
        assert!(read("").unwrap().until.is_none());
        assert!(matches!(read("{"), Err(Error::BadRequest(_))));
    }

    #[test]
    fn a_list_gives_at_least_one_and_at_most_its_most() {
        assert_eq!(limit(None, 30, 100).unwrap(), 30);
        assert_eq!(limit(Some(1000), 30, 100).unwrap(), 100);
        assert!(limit(Some(0), 30, 100).is_err());
    }
}
