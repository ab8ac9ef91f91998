//! The way to a stage, and what a stage has to give.

use super::*;

fn settings(rules: &str) -> Settings {
    let text = format!(
        "{{ \"app\": \"workshop\", \"repository\": \"acme/workshop\",
            \"default_profile\": \"one\",
            \"profiles\": {{ \"one\": {{
                \"role_arn\": \"arn:aws:iam::111111111111:role/deploy\", \"region\": \"us-east-1\"
            }} }},
            \"stages\": {{ \"staging\": {{ \"profile\": \"one\" }}, \"prod\": {{ \"profile\": \"one\" }} }},
            \"rules\": {rules} }}"
    );
    serde_json::from_str(&text).expect("settings")
}

fn way_to(rules: &str, tag: Option<&str>) -> Result<Way, String> {
    let stage = "prod".parse().expect("a stage");
    let tag: Option<TagName> = tag.map(|tag| tag.parse().expect("a tag"));
    way(&settings(rules), &stage, tag.as_ref()).map_err(|no| no.to_string())
}

fn branch(name: &str, trigger: Trigger) -> Result<Way, String> {
    Ok(Way::Branch { branch: name.parse().expect("a branch"), trigger })
}

#[test]
fn the_one_branch_that_is_named_for_a_stage_is_the_way_to_it() {
    let rules =
        r#"[{"branch": "master", "stage": "staging"}, {"branch": "prod", "stage": "prod"}]"#;
    assert_eq!(way_to(rules, None), branch("prod", Trigger::Auto));
    let manual = r#"[{"branch": "prod", "stage": "prod", "trigger": "manual"}]"#;
    assert_eq!(way_to(manual, None), branch("prod", Trigger::Manual));
    let both = r#"[{"branch": "prod", "stage": "prod", "trigger": "manual", "services": ["a"]},
                   {"branch": "prod", "stage": "prod", "services": ["b"]}]"#;
    assert_eq!(way_to(both, None), branch("prod", Trigger::Auto));
}

#[test]
fn without_one_branch_it_is_said_what_is_missing() {
    for (rules, tag, expected) in [
        ("[]", None, "no rule deploys prod"),
        (r#"[{"branch": "release/*", "stage": "prod"}]"#, None, "from branches like release/*"),
        (
            r#"[{"branch": "a", "stage": "prod"}, {"branch": "b", "stage": "prod"}]"#,
            None,
            "from several branches (a, b)",
        ),
        (r#"[{"tag": "v*", "stage": "prod"}]"#, None, "by tags like v*: name the new `tag`"),
        (r#"[{"tag": "v*", "stage": "prod"}]"#, Some("1.0"), "its tags are like v*"),
        (r#"[{"branch": "prod", "stage": "prod"}]"#, Some("v1"), "leave `tag` out"),
    ] {
        let said = way_to(rules, tag).expect_err(rules);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_tag_that_its_rule_matches_is_the_way() {
    let rules = r#"[{"tag": "v*", "stage": "prod", "trigger": "manual"}]"#;
    let expected = Way::Tag { tag: "v1".parse().expect("a tag"), trigger: Trigger::Manual };
    assert_eq!(way_to(rules, Some("v1")), Ok(expected));
    let stage = "PROD".parse().expect("a stage");
    assert_eq!(tag_patterns(&settings(rules), &stage), ["v*"]);
}

fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().expect("a commit")
}

fn given(
    services: &[(&str, InstanceState, Option<char>)],
    commit: Option<char>,
) -> Result<Vec<(String, CommitSha)>, String> {
    let region: Region = "us-east-1".parse().expect("a region");
    let rows: Vec<(ServiceName, InstanceState, Option<CommitSha>)> = services
        .iter()
        .map(|(name, state, commit)| (name.parse().expect("a name"), *state, commit.map(sha)))
        .collect();
    let standing: Vec<Standing<'_>> = rows
        .iter()
        .map(|(service, state, commit)| Standing {
            service,
            region: &region,
            state: *state,
            commit: commit.as_ref(),
        })
        .collect();
    let stage = "staging".parse().expect("a stage");
    let found = behind(&stage, &standing, commit.map(sha).as_ref()).map_err(|no| no.to_string())?;
    Ok(found.into_iter().map(|(service, commit)| (service.to_string(), commit.clone())).collect())
}

#[test]
fn services_that_did_not_change_stand_at_older_commits() {
    use InstanceState::{Deployed, Planned, Removed};
    let services = [
        ("api", Deployed, Some('b')),
        ("database", Deployed, Some('a')),
        ("tasks", Deployed, Some('a')),
        ("gone", Removed, Some('c')),
        ("new", Planned, None),
    ];
    assert_eq!(given(&services, Some('b')), Ok(vec![("database".to_owned(), sha('a'))]));
}

#[test]
fn a_stage_that_is_not_whole_has_nothing_to_give() {
    use InstanceState::{Deployed, Deploying, Failed};
    let broken =
        [("api", Deployed, Some('a')), ("web", Failed, Some('a')), ("db", Deploying, Some('a'))];
    assert_eq!(
        given(&broken, Some('a')),
        Err("staging is not whole: web in us-east-1 is failed, db in us-east-1 is deploying"
            .to_owned())
    );
    assert_eq!(given(&[], Some('a')), Err("nothing is deployed in staging".to_owned()));
    let one = [("api", Deployed, Some('a'))];
    assert_eq!(given(&one, None), Err("no build of staging has succeeded".to_owned()));
}
