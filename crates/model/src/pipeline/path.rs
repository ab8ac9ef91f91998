//! Paths of services: they come from a commit, so they must neither leave the checkout nor be
//! read as an option.

use std::fmt;

/// Why a path cannot be a service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPath(&'static str);

impl std::error::Error for InvalidPath {}

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The path in the one form that [`super::Service`] holds: relative to the repository's root,
/// parts joined by single slashes, `.` for the root itself.
pub fn normalise(path: &str) -> Result<String, InvalidPath> {
    let refuse = |reason| Err(InvalidPath(reason));
    if path.is_empty() {
        return refuse(
            "the path is empty; write the service's directory, or . for the repository's root",
        );
    }
    if path.len() > 1024 {
        return refuse("the path is longer than 1024 bytes");
    }
    if path.starts_with('/') {
        return refuse(
            "the path must be relative to the repository's root; remove the leading slash",
        );
    }
    if path.starts_with('-') {
        return refuse(
            "the path begins with a dash and could be read as an option; write it with ./ and rename the directory",
        );
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return refuse("the path has a backslash or a control character; write it with slashes");
    }
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return refuse(
            "the path leads out of the repository; name a directory inside it, without ..",
        );
    }
    if parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
        return refuse(
            "the path leads into git's own directory; name a directory of the working tree",
        );
    }
    match parts.first() {
        None => Ok(".".to_owned()),
        Some(first) if first.starts_with('-') => refuse(
            "the path begins with a dash and could be read as an option; rename the directory",
        ),
        Some(_) => Ok(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(".", ".")]
    #[case("./", ".")]
    #[case("backend", "backend")]
    #[case("./a//b/./c/", "a/b/c")]
    #[case("a/-b", "a/-b")]
    #[case("a/..b", "a/..b")]
    #[case("mit leerzeichen/日本", "mit leerzeichen/日本")]
    fn a_path_is_brought_into_one_form(#[case] path: &str, #[case] normal: &str) {
        assert_eq!(normalise(path).as_deref(), Ok(normal));
    }

    #[rstest]
    #[case("")]
    #[case("/etc")]
    #[case("..")]
    #[case("a/../..")]
    #[case("-rf")]
    #[case("./-rf")]
    #[case(".git/hooks")]
    #[case("a/.GIT")]
    #[case("a\\..\\b")]
    #[case("a\0b")]
    #[case("a\nb")]
    fn a_path_that_could_leave_the_checkout_is_refused(#[case] path: &str) {
        assert!(normalise(path).is_err());
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_inside_and_stays_as_it_is(path in "[a-z./\\-]{0,20}") {
            if let Ok(normal) = normalise(&path) {
                prop_assert_eq!(normalise(&normal), Ok(normal.clone()));
                prop_assert!(!normal.starts_with(['/', '-']));
                prop_assert!(normal.split('/').all(|part| part != ".." && !part.is_empty()));
            }
        }
    }
}
