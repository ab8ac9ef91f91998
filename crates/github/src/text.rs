//! Texts as GitHub takes them.

/// Cut between characters to what GitHub takes, with an ellipsis in place of what is missing.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_between_characters_to_what_github_takes() {
        assert_eq!(cut(&"ü".repeat(140), 140), "ü".repeat(140));
        let long = cut(&"ü".repeat(141), 140);
        assert_eq!(long.chars().count(), 140);
        assert!(long.ends_with("ü…"));
    }
}
