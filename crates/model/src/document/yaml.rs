//! YAML as a tree, each node with its line.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Error, Location, Spanned};

use super::{Content, MAX_TEXT_BYTES, Node, Pair, Problem, ScalarKind};

/// Nesting of maps and lists, aliases followed. Our files need 6; each level takes tens of KiB of
/// stack in an unoptimised build, and a thread has 2 MiB.
const MAX_DEPTH: usize = 10;

/// Reads one YAML document. A text that is no YAML has one problem: the first that stands in the way.
pub(crate) fn from_yaml(text: &str) -> Result<Node, Vec<Problem>> {
    let whole = |message: String, line| vec![Problem { key: String::new(), line, message }];
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "the file has {} KiB, the most that is read is {} KiB; move what is no setting out of it",
            text.len() / 1024,
            MAX_TEXT_BYTES / 1024
        );
        return Err(whole(message, None));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 20_000,
            max_events: 60_000,
            max_depth: MAX_DEPTH,
            max_documents: 1,
        },
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Untyped>>(text, options) {
        Ok(root) => Ok(node(root, text)),
        Err(error) => Err(whole(sentence(&error), error.location().and_then(line))),
    }
}

/// The library's own sentence, but where it speaks to a programmer.
fn sentence(error: &Error) -> String {
    let error = error.without_snippet();
    match error {
        Error::AliasError { error, .. } => sentence(error),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a key");
            format!("`{key}` is written twice in one map; remove one of them")
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "the file has more than one YAML document; keep one and remove the line ---".to_owned()
        }
        Error::Budget { .. } => {
            "the file is longer or nested deeper than a right one can be, aliases followed; write it plainly".to_owned()
        }
        other => {
            let message = other.to_string();
            // it ends with the place, which stands before ours
            let end = message.find(" at line ").unwrap_or(message.len());
            let head = message[..end].trim_start_matches("error: ").trim_end_matches([':', '.']);
            format!("{head}; check the YAML around this place")
        }
    }
}

fn line(location: Location) -> Option<usize> {
    usize::try_from(location.line()).ok().filter(|line| *line > 0)
}

fn node(spanned: Spanned<Untyped>, source: &str) -> Node {
    let written = || {
        let span = spanned.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
        source.get(start..end).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let content = match spanned.value {
        Untyped::Null => Content::Null,
        Untyped::Text(text) => Content::Scalar { text, kind: ScalarKind::Text },
        Untyped::Number(text) => {
            Content::Scalar { text: written().unwrap_or(text), kind: ScalarKind::Number }
        }
        Untyped::Bool(value) => Content::Scalar {
            text: written().unwrap_or_else(|| value.to_string()),
            kind: ScalarKind::Bool,
        },
        Untyped::List(items) => {
            Content::List(items.into_iter().map(|item| node(item, source)).collect())
        }
        Untyped::Map(pairs) => Content::Map(
            pairs
                .into_iter()
                .map(|(key, value)| Pair {
                    line: line(key.referenced),
                    key: key.value,
                    value: node(value, source),
                })
                .collect(),
        ),
    };
    Node { line: line(spanned.referenced), content }
}

/// Any YAML value, its parts with their places.
enum Untyped {
    Null,
    Text(String),
    Number(String),
    Bool(bool),
    List(Vec<Spanned<Untyped>>),
    Map(Vec<(Spanned<String>, Spanned<Untyped>)>),
}

impl<'de> Deserialize<'de> for Untyped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntypedVisitor)
    }
}

struct UntypedVisitor;

impl<'de> Visitor<'de> for UntypedVisitor {
    type Value = Untyped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false, a list or a map")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Untyped, E> {
        Ok(Untyped::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Untyped, E> {
        Ok(Untyped::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Untyped, E> {
        Ok(Untyped::Number(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Untyped, E> {
        Ok(Untyped::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Untyped, E> {
        Ok(Untyped::Number(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Untyped, E> {
        Ok(Untyped::Number(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Untyped, E> {
        Ok(Untyped::Number(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Untyped, E> {
        Ok(Untyped::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Untyped, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Untyped::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Untyped, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Untyped::Map(pairs))
    }
}
