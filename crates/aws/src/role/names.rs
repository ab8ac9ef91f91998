//! Names and tags as STS takes them, from whatever apps, branches and people are called.
//!
//! STS refuses a whole request for one bad character in a tag. These functions never fail and
//! never change a good value, and applying one twice changes nothing more. Pure.

/// The longest session name and source identity.
const NAME_MAX: usize = 64;
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

/// A session name that says who used the role: app, build number and job. It stands in
/// CloudTrail and in ARNs. When too long the app's name gives way, for build and job are unique.
pub fn session_name(app: &str, build: &str, job: &str) -> String {
    let (app, build, job) = (name_chars(app), name_chars(build), name_chars(job));
    let suffix = cut(&format!("-{build}-{job}"), NAME_MAX - 2);
    let app = cut(if app.is_empty() { "greenroom" } else { &app }, NAME_MAX - suffix.len());
    at_least_two(format!("{app}{suffix}"))
}

/// Who caused the session, as `SourceIdentity` takes it (2 to 64 characters).
pub fn source_identity(who: &str) -> String {
    at_least_two(cut(&name_chars(who), NAME_MAX))
}

/// A session tag's value with characters that tags cannot hold replaced.
pub fn tag_value(value: &str) -> String {
    tag_text(value, TAG_VALUE_MAX)
}

/// A session tag's key with characters that tags cannot hold replaced.
pub fn tag_key(key: &str) -> String {
    tag_text(key, TAG_KEY_MAX)
}

/// STS's `[\w+=,.@-]`; anything else becomes a hyphen.
fn name_chars(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

/// STS's `[\p{L}\p{Z}\p{N}_.:/=+\-@]`; anything else becomes an underscore.
fn tag_text(text: &str, max: usize) -> String {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '_' }).take(max).collect()
}

fn cut(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

fn at_least_two(name: String) -> String {
    if name.len() < 2 { format!("greenroom-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits_sts(name: &str) -> bool {
        (2..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    }

    #[test]
    fn a_session_name_says_app_build_and_job() {
        assert_eq!(session_name("workshop", "41", "restapi.deploy"), "workshop-41-restapi.deploy");
    }

    #[test]
    fn a_session_name_always_fits_sts() {
        let long = "x".repeat(300);
        for app in ["", "a", "café/menü", "日本語", long.as_str()] {
            for job in ["", "0197a3c2-5b7e-7c00-8000-0242ac120002", long.as_str()] {
                let name = session_name(app, "41", job);
                assert!(fits_sts(&name), "{app:?} {job:?}: {name:?}");
            }
        }
    }

    #[test]
    fn a_long_app_name_leaves_build_and_job_whole() {
        let name = session_name(&"a".repeat(200), "1234", "restapi-deploy");
        assert!(name.ends_with("-1234-restapi-deploy") && name.len() == 64, "{name}");
    }

    #[test]
    fn a_source_identity_always_fits_sts_and_keeps_what_fits() {
        assert_eq!(source_identity("octocat"), "octocat");
        assert_eq!(source_identity("dependabot[bot]"), "dependabot-bot-");
        for who in ["", "x", "aws:me", &"é".repeat(99)] {
            assert!(fits_sts(&source_identity(who)), "{who:?}");
        }
    }

    #[test]
    fn a_tag_keeps_branches_and_loses_what_sts_refuses() {
        assert_eq!(tag_value("feature/a b=c:d@1.0+é"), "feature/a b=c:d@1.0+é");
        assert_eq!(tag_value("a#b*c\nd"), "a_b_c_d");
        assert_eq!(tag_value(&"ü".repeat(999)).chars().count(), 256);
        assert_eq!(tag_key(&"k".repeat(999)).len(), 128);
    }

    #[test]
    fn sanitising_twice_changes_nothing() {
        for text in ["", "a", "Ünï/cödé #7", &"long ".repeat(100)] {
            assert_eq!(tag_value(&tag_value(text)), tag_value(text));
            assert_eq!(source_identity(&source_identity(text)), source_identity(text));
        }
    }
}
