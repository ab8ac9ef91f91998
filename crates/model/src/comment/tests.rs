//! What stands on a pull request, from its first build to the end of its preview.

use insta::assert_snapshot;
use proptest::prelude::*;
use secrecy::SecretString;

use super::*;
use crate::change_set::{Effect, ResourceChange, StackChangeKind};

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn resource(logical_id: &str, resource_type: &str, effect: Effect) -> ResourceChange {
    ResourceChange {
        logical_id: logical_id.into(),
        physical_id: None,
        resource_type: resource_type.into(),
        effect,
        because: Vec::new(),
    }
}

fn stack(name: &str, changes: Vec<ResourceChange>) -> StackChange {
    StackChange { stack: name.into(), kind: StackChangeKind::Update, changes, note: None }
}

fn status(state: StatusState, description: &str) -> Status {
    Status { context: "greenroom".into(), state, description: description.into() }
}

struct Scene {
    app: AppName,
    stage: StageName,
    commit: CommitSha,
    api: ServiceName,
    site: ServiceName,
    region: Region,
    endpoints: Vec<String>,
    outputs: BTreeMap<String, String>,
    none: BTreeMap<String, String>,
    change: Vec<StackChange>,
    secrets: Secrets,
}

impl Scene {
    fn new() -> Self {
        let outputs = [
            ("TableName", "submissions-feature-hello"),
            ("Endpoint", "https://api.example.com/?key=key-of-dev-7f3a9c"),
            ("AdminPassword", "hunter2"),
        ];
        Self {
            app: "workshop".parse().unwrap(),
            stage: "feature-hello".parse().unwrap(),
            commit: "abc1234def".repeat(4).parse().unwrap(),
            api: "restapi".parse().unwrap(),
            site: "frontend".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            endpoints: vec!["https://api.example.com/hello".into()],
            outputs: outputs.map(|(key, value)| (key.into(), value.into())).into(),
            none: BTreeMap::new(),
            change: vec![stack(
                "fullstack-restapi-feature-hello",
                vec![
                    resource("HelloFunction", "AWS::Lambda::Function", Effect::Changed),
                    resource("Submissions", "AWS::DynamoDB::Table", Effect::Replaced),
                    resource("Topic", "AWS::SNS::Topic", Effect::Added),
                ],
            )],
            secrets: Secrets::known([SecretString::from("key-of-dev-7f3a9c".to_owned())]),
        }
    }

    fn comment<'a>(&'a self, life: Life, status: &'a Status) -> Comment<'a> {
        Comment {
            app: &self.app,
            place: Place::Preview {
                stage: &self.stage,
                url: "https://greenroom.example/apps/workshop/stages/feature-hello",
                life,
            },
            build: Some(self.build(status)),
            rows: vec![
                Row {
                    service: &self.api,
                    region: Some(&self.region),
                    standing: Standing::Deployed,
                    endpoints: &self.endpoints,
                    outputs: &self.outputs,
                    change: Some(&self.change),
                },
                Row {
                    service: &self.site,
                    region: Some(&self.region),
                    standing: Standing::Skipped { reason: "nothing changed since abc1234".into() },
                    endpoints: &[],
                    outputs: &self.none,
                    change: None,
                },
            ],
            foreseen: &[],
            notes: Vec::new(),
            asked: &[],
            secrets: &self.secrets,
        }
    }

    fn build<'a>(&'a self, status: &'a Status) -> BuildLine<'a> {
        BuildLine {
            number: 12,
            url: "https://greenroom.example/apps/workshop/builds/12",
            commit: &self.commit,
            status,
        }
    }
}

fn standing_until(expires_at: Option<DateTime<Utc>>) -> Life {
    Life::Standing { expires_at }
}

#[test]
fn a_preview_that_is_ready_says_where_it_is_and_what_changed() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let text = markdown(&scene.comment(standing_until(Some(at())), &status));
    assert_snapshot!(text, @r#"
    <!-- greenroom:workshop:pr -->
    ### Preview [feature-hello](https://greenroom.example/apps/workshop/stages/feature-hello): ready

    [Build 12](https://greenroom.example/apps/workshop/builds/12) of `abc1234`: <code>every job succeeded</code>

    | Service | State | Endpoints | Change |
    |---|---|---|---|
    | restapi | deployed | <https://api.example.com/hello> | **1 replaced**, 1 changed, 1 added |
    | frontend | skipped: <code>nothing changed since abc1234</code> |  |  |

    <details><summary>What this does to the stacks</summary>

    restapi, stack <code>fullstack-restapi-feature-hello</code>:

    - replaced <code>Submissions</code> <code>AWS::DynamoDB::Table</code>
    - changed <code>HelloFunction</code> <code>AWS::Lambda::Function</code>
    - added <code>Topic</code> <code>AWS::SNS::Topic</code>


    </details>
    <details><summary>Outputs</summary>

    | Service | Output | Value |
    |---|---|---|
    | restapi | <code>AdminPassword</code> | *not shown: it may be a secret* |
    | restapi | <code>Endpoint</code> | *not shown: it may be a secret* |
    | restapi | <code>TableName</code> | <code>submissions-feature-hello</code> |

    </details>

    <sub>Removed with the branch, or on 2027-01-15 at 08:00 UTC if nobody works on it until then.</sub>
    "#);
    for secret in ["7f3a9c", "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_failure_stands_in_the_table_and_speaks_to_nobody() {
    let scene = Scene::new();
    let status = status(StatusState::Failure, "test of restapi failed: npm test ended with 1");
    let mut comment = scene.comment(standing_until(None), &status);
    let what = "deploy failed: <b>no</b> | ask @acme/ops about #7";
    comment.rows[0].standing = Standing::Failed { what: what.into() };
    let text = markdown(&comment);
    assert!(text.contains("feature-hello): not deployed as it should be\n"), "{text}");
    assert!(text.contains("**failed**: <code>deploy failed: &#60;b&#62;no"), "{text}");
    for read_as_more in ["<b>", "@acme", "#7", "| ask"] {
        assert!(!text.contains(read_as_more), "{text}");
    }
}

#[test]
fn a_preview_that_is_gone_says_so_and_nothing_else() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let text = markdown(&scene.comment(Life::Removed { at: at() }, &status));
    assert_snapshot!(text, @"
    <!-- greenroom:workshop:pr -->
    ### Preview [feature-hello](https://greenroom.example/apps/workshop/stages/feature-hello): removed

    It was removed on 2027-01-15 at 08:00 UTC. Nothing of it is left.
    ");
}

#[test]
fn one_that_could_not_be_removed_says_why() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let reason = "remove restapi: the bucket assets is not empty".to_owned();
    let mut comment = scene.comment(Life::RemoveFailed { reason }, &status);
    comment.rows[0].standing = Standing::RemoveFailed { reason: "DELETE_FAILED".into() };
    let text = markdown(&comment);
    assert!(text.contains("): could not be removed\n"), "{text}");
    assert!(text.contains("> [!CAUTION]\n> The preview could not be removed whole: <code>remove restapi: the bucket assets is not empty</code>"), "{text}");
    assert!(text.contains("**left over**: <code>DELETE&#95;FAILED</code>"), "{text}");
}

#[test]
fn what_the_rows_do_not_tell_is_said_first() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let mut comment = scene.comment(standing_until(Some(at())), &status);
    comment.notes = vec![Note::Expires { at: at() }];
    let text = markdown(&comment);
    let warning = "> [!WARNING]\n> Nobody has worked on this preview for a while: it is removed on 2027-01-15 at 08:00 UTC.";
    assert!(text.contains(warning), "{text}");
    assert!(text.find("[!WARNING]").unwrap() < text.find("| Service |").unwrap());
}

#[test]
fn a_pull_request_beyond_the_limit_says_why_it_has_no_preview() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let mut comment = scene.comment(standing_until(None), &status);
    comment.place = Place::None;
    comment.rows.clear();
    comment.notes = vec![Note::NoPreview { limit: 20 }];
    let text = markdown(&comment);
    assert!(text.contains("### No preview; tests passed\n"), "{text}");
    assert!(text.contains("the app has 20 already"), "{text}");
    comment.build = None;
    assert!(markdown(&comment).contains("### No preview; nothing was tested\n"));
}

#[test]
fn a_shared_stage_says_whose_it_is_now() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let text = markdown(&scene.comment(Life::TakenOver { by: 41 }, &status));
    assert!(text.contains("the last to deploy there is number 41."), "{text}");
}

#[test]
fn what_would_change_in_the_next_stage_is_told_apart_from_what_did_here() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let foresight = |service: &ServiceName, answer| Foresight {
        service: service.clone(),
        region: scene.region.clone(),
        stage: "staging".parse().unwrap(),
        answer,
    };
    let removed = resource("Queue", "AWS::SQS::Queue", Effect::Removed);
    let change = vec![stack("fullstack-restapi-staging", vec![removed])];
    let foreseen = [
        foresight(
            &scene.api,
            Answer::Change { change, notes: vec!["secrets are not known".into()] },
        ),
        foresight(&scene.site, Answer::Unknown { reason: "package failed: no".into() }),
    ];
    let mut comment = scene.comment(standing_until(None), &status);
    comment.foreseen = &foreseen;
    let text = markdown(&comment);
    for expected in [
        "<summary>What this would change in staging: 1 removed</summary>",
        "- restapi: <code>secrets are not known</code>",
        "- removed <code>Queue</code> <code>AWS::SQS::Queue</code>",
        "- frontend: not known: <code>package failed: no</code>",
        "<summary>What this does to the stacks</summary>",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let awaited = [foresight(&scene.api, Answer::Awaited)];
    comment.foreseen = &awaited;
    assert!(markdown(&comment).contains("in staging: not looked at yet"));
}

#[test]
fn the_regions_of_a_service_are_told_apart() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let mut comment = scene.comment(standing_until(None), &status);
    let elsewhere: Region = "eu-west-1".parse().unwrap();
    comment.rows[1].service = &scene.api;
    comment.rows[1].region = Some(&elsewhere);
    let text = markdown(&comment);
    assert!(text.contains("| restapi in us-east-1 |") && text.contains("| restapi in eu-west-1 |"));
}

#[test]
fn what_people_asked_for_is_told_with_what_came_of_it() {
    let scene = Scene::new();
    let status = status(StatusState::Success, "every job succeeded");
    let asked = [
        Asked {
            by: "ada".parse().unwrap(),
            said: "deploy".into(),
            at: at(),
            answer: command::Answer::Done { what: "build 12 for the stage feature-hello".into() },
        },
        Asked {
            by: "mallory".parse().unwrap(),
            said: "@acme/all | x\n/greenroom remove".into(),
            at: at(),
            answer: command::Answer::Refused { why: "may not".into() },
        },
    ];
    for life in [standing_until(None), Life::Removed { at: at() }] {
        let mut comment = scene.comment(life, &status);
        comment.asked = &asked;
        let text = markdown(&comment);
        assert!(
            text.contains(
                "- <code>deploy</code> by <code>ada</code> on 2027-01-15 at 08:00 UTC: done: \
             <code>build 12 for the stage feature-hello</code>\n"
            ),
            "{text}"
        );
        assert!(text.contains(": **refused**: <code>may not</code>\n"), "{text}");
        assert!(!text.contains("@acme"), "{text}");
        // it is ours, and what it tells asks for nothing
        assert!(is_ours(&text));
        assert_eq!(command::read(&text), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_comment_begins_with_its_marker_and_is_never_longer_than_github_takes(
        count in 0..1_500_usize,
        message in "\\PC{0,200}",
    ) {
        let scene = Scene::new();
        let status = status(StatusState::Failure, &message);
        let outputs: BTreeMap<String, String> =
            (0..count).map(|n| (format!("Output{n}"), message.clone())).collect();
        let mut comment = scene.comment(Life::RemoveFailed { reason: message.clone() }, &status);
        comment.rows[0].outputs = &outputs;
        let many: Vec<ResourceChange> = (0..count)
            .map(|n| resource(&format!("Resource{n}"), &message, Effect::Changed))
            .collect();
        let change = [stack(&message, many)];
        comment.rows[1].change = Some(&change);
        let text = markdown(&comment);
        prop_assert!(text.starts_with("<!-- greenroom:workshop:pr -->\n"));
        prop_assert!(text.len() <= LONGEST, "{}", text.len());
        prop_assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
