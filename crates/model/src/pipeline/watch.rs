//! The files outside a service's path that belong to it too.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The watched patterns of one service. `*` stays within a directory, `**` goes through them; a
/// pattern that names a directory stands for all that is below it.
#[derive(Default)]
pub(crate) struct Watch {
    globs: GlobSet,
}

impl Watch {
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            let pattern = check(pattern)?;
            for text in [pattern.to_owned(), format!("{}/**", pattern.trim_end_matches('/'))] {
                let glob = GlobBuilder::new(&text).literal_separator(true).build();
                globs.add(glob.map_err(|error| {
                    format!(
                        "this is no pattern for files ({}); write one like shared/**",
                        error.kind()
                    )
                })?);
            }
        }
        let globs =
            globs.build().map_err(|error| format!("these patterns are too large ({error})"))?;
        Ok(Self { globs })
    }

    pub(crate) fn covers(&self, file: &str) -> bool {
        self.globs.is_match(file)
    }
}

/// The pattern as compared with file names: they have no leading `./`.
fn check(pattern: &str) -> Result<&str, String> {
    let pattern = pattern.trim_start_matches("./");
    if pattern.is_empty() {
        Err("the pattern is empty; write one like shared/**".to_owned())
    } else if pattern.len() > 1024 {
        Err("the pattern is longer than 1024 bytes".to_owned())
    } else if pattern.starts_with('!') {
        Err("a pattern cannot exclude files; list what is watched".to_owned())
    } else if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        Err("the pattern must be relative to the repository's root, without ..".to_owned())
    } else {
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("shared/**", "shared/a/b.js", true)]
    #[case("shared", "shared/a/b.js", true)]
    #[case("shared/", "shared/a.js", true)]
    #[case("./shared/*.js", "shared/a.js", true)]
    #[case("shared/*.js", "shared/a/b.js", false)]
    #[case("**/*.graphql", "a/b/schema.graphql", true)]
    #[case("package.json", "package.json", true)]
    #[case("package.json", "a/package.json", false)]
    fn a_pattern_covers_files_and_directories(
        #[case] pattern: &str,
        #[case] file: &str,
        #[case] covered: bool,
    ) {
        let watch = Watch::new(&[pattern.to_owned()]).expect("valid");
        assert_eq!(watch.covers(file), covered);
    }

    #[rstest]
    #[case("")]
    #[case("./")]
    #[case("../x")]
    #[case("/etc/**")]
    #[case("!shared")]
    #[case("a[")]
    #[case("{a,b")]
    fn a_pattern_that_could_never_match_is_refused(#[case] pattern: &str) {
        assert!(Watch::new(&[pattern.to_owned()]).is_err());
    }
}
