//! Markup as a browser would take it apart: the elements of a page with their attributes. It knows
//! as much of HTML as it takes to see an element that should not be there.

/// A start tag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a str,
    pub(crate) attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Element<'a> {
    pub(crate) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// Every start tag, in order.
pub(crate) fn elements(html: &str) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let end = rest.find([' ', '\n', '\t', '/', '>']).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let mut attributes = Vec::new();
        while let Some((attribute, after)) = next_attribute(rest) {
            attributes.push(attribute);
            rest = after;
        }
        found.push(Element { name, attributes });
    }
    found
}

/// The next attribute of a start tag, and what comes after; nothing at the tag's end.
fn next_attribute(tag: &str) -> Option<((&str, &str), &str)> {
    let tag = tag.trim_start_matches([' ', '\n', '\t', '/']);
    if tag.is_empty() || tag.starts_with('>') {
        return None;
    }
    // a name may begin with `=`, as in a browser
    let from = tag.chars().next()?.len_utf8();
    let end = tag[from..].find([' ', '\n', '\t', '/', '>', '=']).map_or(tag.len(), |at| at + from);
    let (name, rest) = tag.split_at(end);
    let Some(value) = rest.trim_start().strip_prefix('=') else {
        return Some(((name, ""), rest));
    };
    let value = value.trim_start();
    let quote = value.chars().next().filter(|first| ['"', '\''].contains(first));
    let (value, rest) = match quote {
        Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
        None => value.split_at(value.find([' ', '\n', '\t', '>']).unwrap_or(value.len())),
    };
    Some(((name, value), rest))
}

#[test]
fn a_page_is_taken_apart_as_a_browser_does() {
    let html = "<!doctype html><p class=\"a > b\" hidden>1 < 2<br/><img src=x onerror=pwned()></p>";
    let found = elements(html);
    let names: Vec<&str> = found.iter().map(|element| element.name).collect();
    assert_eq!(names, ["p", "br", "img"]);
    assert_eq!(found[0].attributes, [("class", "a > b"), ("hidden", "")]);
    assert_eq!(found[2].attribute("onerror"), Some("pwned()"));
    let broken = elements("<a title=''><svg/onload=pwned()>'>x</a>");
    assert_eq!(broken[1].name, "svg");
    assert_eq!(broken[1].attribute("onload"), Some("pwned()"));
}
