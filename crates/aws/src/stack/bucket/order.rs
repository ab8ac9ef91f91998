//! S3's order to delete many versions at once, and its answer (S3 API reference, `DeleteObjects`).
//! Pure.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::list::Versioned;
use crate::failure::Failure;

/// The body of a call, with the checksum that S3 demands for it.
pub(super) struct Order {
    pub(super) body: String,
    pub(super) checksum: String,
}

/// Whether XML can hold the name: of the control characters it has three.
pub(super) fn can_hold(version: &Versioned) -> bool {
    let held = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    version.key.chars().all(held)
}

pub(super) fn of(versions: &[&Versioned]) -> Order {
    let mut body = String::from(
        r#"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>"#,
    );
    for Versioned { key, id } in versions {
        body.push_str("<Object><Key>");
        escape(key, &mut body);
        body.push_str("</Key><VersionId>");
        escape(id, &mut body);
        body.push_str("</VersionId></Object>");
    }
    body.push_str("</Delete>");
    let checksum = STANDARD.encode(digest(&SHA256, body.as_bytes()));
    Order { body, checksum }
}

/// Line ends as numbers, or a parser makes others of them.
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '\r' => into.push_str("&#13;"),
            '\n' => into.push_str("&#10;"),
            '\t' => into.push_str("&#9;"),
            other => into.push(other),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(rename = "Error")]
    errors: Vec<Refused>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Refused {
    key: String,
    code: String,
    message: String,
}

/// Each name that was not deleted, with the reason.
pub(super) fn refusals(body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let unreadable = |detail: String| Failure::Invalid {
        code: "Unreadable".to_owned(),
        message: format!("S3's answer to a deletion cannot be read: {detail}"),
    };
    let text = std::str::from_utf8(body).map_err(|error| unreadable(error.to_string()))?;
    let answer: Answer =
        quick_xml::de::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let one = |Refused { key, code, message }| (key, format!("{code}: {message}"));
    Ok(answer.errors.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versioned(key: &str) -> Versioned {
        Versioned { key: key.to_owned(), id: "v1".to_owned() }
    }

    #[test]
    fn an_order_names_each_version_whatever_it_is_called() {
        let order = of(&[&versioned("a&b<c>\n"), &versioned("ü")]);
        let objects = "<Object><Key>a&amp;b&lt;c&gt;&#10;</Key><VersionId>v1</VersionId></Object>\
                       <Object><Key>ü</Key><VersionId>v1</VersionId></Object></Delete>";
        assert!(order.body.ends_with(objects), "{}", order.body);
        assert_eq!(order.checksum.len(), 44);
    }

    #[test]
    fn a_name_that_no_xml_can_hold_is_told_apart() {
        assert!(can_hold(&versioned("a\tb\nü\u{1F600}")));
        assert!(!can_hold(&versioned("a\u{1}")));
    }

    #[test]
    fn what_was_refused_is_read_with_its_reason() {
        let body = "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Error>\
                    <Key>a&amp;b</Key><VersionId>v1</VersionId><Code>AccessDenied</Code>\
                    <Message>locked</Message></Error></DeleteResult>";
        let refused = refusals(body.as_bytes()).expect("an answer");
        assert_eq!(refused, [("a&b".to_owned(), "AccessDenied: locked".to_owned())]);
        let none = "<?xml version=\"1.0\"?><DeleteResult/>";
        assert_eq!(refusals(none.as_bytes()).expect("an answer"), []);
    }
}
