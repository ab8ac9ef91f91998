//! The words by which a commit or a pull request asks that nothing is built.

/// GitHub's own list ("Skipping workflow runs" in the documentation of GitHub Actions).
const MARKERS: [&str; 5] =
    ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];

/// The first of the words that stands anywhere in the text, in whatever case.
pub(super) fn marker(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    MARKERS.into_iter().find(|marker| text.contains(marker))
}
