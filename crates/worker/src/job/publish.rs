//! What a deployed service publishes for others to read.
//!
//! What always holds: what the outputs of the stacks and those that the Serverless Framework's plugin
//! left in the package come to, [`Declared`] says. What a command publishes is read up to a limit and never followed
//! out of the room.

use std::collections::BTreeMap;

use model::job::Failure;
use model::output::Declared;
use model::plugin::OUTPUTS_FILE;

use crate::detect::configuration;
use crate::git::{Workspace, WorkspaceError};

/// In the steps' home: a custom deploy command publishes by it.
pub(super) const PUBLISH_FILE: &str = "greenroom-publish";
const FILE_MAX_BYTES: u64 = 256 * 1024;

/// The outputs of a service whose stacks have these.
pub(super) fn published(
    files: &Workspace,
    of_stacks: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let text = match files.read(OUTPUTS_FILE, FILE_MAX_BYTES) {
        Ok(text) => text,
        Err(WorkspaceError::Missing(_)) => return Ok(Declared::default().published(of_stacks)),
        Err(
            error @ (WorkspaceError::Outside(_)
            | WorkspaceError::WrongKind { .. }
            | WorkspaceError::TooLarge { .. }
            | WorkspaceError::Io { .. }),
        ) => return Err(configuration(format!("the package's outputs: {error}"))),
    };
    let declared: Declared = serde_json::from_slice(&text).map_err(|error| {
        configuration(format!("{OUTPUTS_FILE} of the package cannot be read: {error}"))
    })?;
    Ok(declared.published(of_stacks))
}

/// What a command wrote into the publish file: lines `KEY=VALUE`, or a JSON object.
pub(super) fn by_command(home: &Workspace) -> Result<BTreeMap<String, String>, Failure> {
    match home.read(PUBLISH_FILE, FILE_MAX_BYTES) {
        Ok(text) => parse(&text),
        Err(WorkspaceError::Missing(_)) => Ok(BTreeMap::new()),
        Err(
            error @ (WorkspaceError::Outside(_)
            | WorkspaceError::WrongKind { .. }
            | WorkspaceError::TooLarge { .. }
            | WorkspaceError::Io { .. }),
        ) => Err(configuration(format!("$GREENROOM_PUBLISH_FILE: {error}"))),
    }
}

fn parse(text: &[u8]) -> Result<BTreeMap<String, String>, Failure> {
    let wrong = |what: String| configuration(format!("$GREENROOM_PUBLISH_FILE: {what}"));
    let text = std::str::from_utf8(text)
        .map_err(|_| wrong("it is not UTF-8 text; write KEY=VALUE lines".to_owned()))?;
    let mut outputs = BTreeMap::new();
    if text.trim_start().starts_with('{') {
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(text)
            .map_err(|error| wrong(format!("it is no JSON object: {error}")))?;
        for (key, value) in object {
            let value = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(truth) => truth.to_string(),
                serde_json::Value::Null
                | serde_json::Value::Array(_)
                | serde_json::Value::Object(_) => {
                    return Err(wrong(format!(
                        "the value of {key} is no text; write a string, a number, true or false"
                    )));
                }
            };
            outputs.insert(checked(&key).map_err(&wrong)?, value);
        }
        return Ok(outputs);
    }
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(wrong(format!("line {}: write KEY=VALUE, not {line:?}", index + 1)));
        };
        outputs.insert(checked(key.trim()).map_err(&wrong)?, value.trim_end().to_owned());
    }
    Ok(outputs)
}

/// A key that a reference to an output can name.
fn checked(key: &str) -> Result<String, String> {
    let valid = !key.is_empty()
        && key.len() <= 255
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if valid {
        Ok(key.to_owned())
    } else {
        Err(format!("{key:?} is no name of an output; use letters, digits, dashes and underscores"))
    }
}

/// Those of a command's outputs that people can open.
pub(super) fn endpoints(outputs: &BTreeMap<String, String>) -> Vec<String> {
    let is_address = |key: &str, value: &str| {
        let key = key.to_ascii_lowercase();
        (key.ends_with("url") || key.ends_with("endpoint"))
            && (value.starts_with("https://") || value.starts_with("http://"))
    };
    outputs
        .iter()
        .filter(|(key, value)| is_address(key, value))
        .map(|(_, value)| value.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn package(declared: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join(OUTPUTS_FILE), declared).expect("a file");
        root
    }

    #[test]
    fn stack_outputs_are_published_with_what_the_plugin_declared_in_their_place() {
        let root = package(
            r#"{"outputs":{"table":{"stack_output":"GreenroomOutputTable"},
                "bus":{"value":"shared"},"off":{"stack_output":"GreenroomOutputOff"}}}"#,
        );
        let of_stack = map(&[("HttpApiUrl", "https://x"), ("GreenroomOutputTable", "notes")]);
        let files = Workspace::new(root.path().to_owned());
        let found = published(&files, &of_stack).expect("outputs");
        assert_eq!(
            found,
            map(&[("HttpApiUrl", "https://x"), ("table", "notes"), ("bus", "shared")])
        );
    }

    #[test]
    fn a_package_without_declared_outputs_publishes_those_of_its_stacks() {
        let root = tempfile::tempdir().expect("a directory");
        let files = Workspace::new(root.path().to_owned());
        assert_eq!(published(&files, &map(&[("A", "1")])).expect("outputs"), map(&[("A", "1")]));
        let broken = package("{");
        let files = Workspace::new(broken.path().to_owned());
        assert!(published(&files, &BTreeMap::new()).is_err());
    }

    #[test]
    fn a_command_publishes_lines_or_an_object() {
        let lines = parse(b"# made by deploy.sh\nSITE_URL=https://a.example/?x=1\n\nsize=3\r\n");
        let expected = map(&[("SITE_URL", "https://a.example/?x=1"), ("size", "3")]);
        assert_eq!(lines.expect("lines"), expected);
        let object = parse(br#"{"siteUrl": "https://a.example", "size": 3, "live": true}"#);
        let expected = map(&[("siteUrl", "https://a.example"), ("size", "3"), ("live", "true")]);
        assert_eq!(object.expect("an object"), expected);
    }

    #[test]
    fn what_cannot_be_published_is_told_with_its_place() {
        for (text, part) in [
            ("SITE_URL", "line 1: write KEY=VALUE"),
            ("a b=1", "\"a b\" is no name of an output"),
            ("{\"a\": [1]}", "the value of a is no text"),
            ("{\"a\": ", "no JSON object"),
        ] {
            let message = parse(text.as_bytes()).expect_err(text).message;
            assert!(message.contains("$GREENROOM_PUBLISH_FILE: "), "{message}");
            assert!(message.contains(part), "{message}");
        }
        assert!(parse(b"\xff=1").is_err());
    }

    #[test]
    fn addresses_under_a_name_that_says_so_are_endpoints() {
        let outputs = map(&[
            ("SITE_URL", "https://a.example"),
            ("apiEndpoint", "http://b.example"),
            ("url", "s3://bucket"),
            ("homepage", "https://c.example"),
        ]);
        assert_eq!(endpoints(&outputs), ["https://a.example", "http://b.example"]);
    }
}
