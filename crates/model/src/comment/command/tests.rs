//! What is read of a comment, and what is not.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn asks(body: &str) -> Vec<String> {
    read(body).iter().map(Line::said).collect()
}

fn why(body: &str) -> String {
    match read(body).as_slice() {
        [Line::NotUnderstood { why, .. }] => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case("/greenroom deploy", Command::Deploy { services: BTreeSet::new() })]
#[case("/greenroom  Deploy  api site ", Command::Deploy { services: ["api", "site"].map(|s| s.parse().unwrap()).into() })]
#[case("/greenroom redeploy", Command::Redeploy { services: BTreeSet::new() })]
#[case("   /greenroom remove", Command::Remove)]
#[case("/greenroom approve", Command::Approve { stage: None, commit: None })]
#[case("/greenroom extend", Command::Extend { span: Span::WholeTime })]
#[case("/greenroom extend 14d", Command::Extend { span: Span::Days(14) })]
#[case("/greenroom extend 3 days", Command::Extend { span: Span::Days(3) })]
#[case("/greenroom", Command::Help)]
#[case("/greenroom help\r\n", Command::Help)]
fn a_line_that_begins_with_the_word_asks_for_something(
    #[case] body: &str,
    #[case] wanted: Command,
) {
    assert_eq!(read(body), [Line::Asks(wanted)]);
}

#[test]
fn an_approval_names_a_stage_a_commit_or_both_in_any_order() {
    let prefix = |text: &str| CommitPrefix::try_from(text.to_owned()).unwrap();
    let both =
        Command::Approve { stage: Some("prod".parse().unwrap()), commit: Some(prefix("1a2b3c4d")) };
    assert_eq!(read("/greenroom approve prod 1A2B3C4D"), [Line::Asks(both.clone())]);
    assert_eq!(read("/greenroom approve 1a2b3c4d prod"), [Line::Asks(both)]);
    let commit: CommitSha = format!("1a2b3c4d{}", "0".repeat(32)).parse().unwrap();
    assert!(prefix("1a2b3c4").names(&commit) && !prefix("1a2b3c5").names(&commit));
    assert!(why("/greenroom approve prod staging").contains("a stage, a commit or both"));
    assert!(why("/greenroom approve 1a2b3c4 1a2b3c5").contains("a stage, a commit or both"));
}

#[rstest]
#[case("deploy it please")]
#[case("see /greenroom deploy")]
#[case("> /greenroom deploy")]
#[case("    /greenroom deploy")]
#[case("/greenrooms deploy")]
#[case("```\n/greenroom deploy\n```")]
#[case("~~~sh\n/greenroom deploy\n```\n/greenroom deploy\n~~~")]
#[case("<!--\n/greenroom remove\n-->")]
#[case("")]
fn what_only_looks_like_it_asks_for_nothing(#[case] body: &str) {
    assert_eq!(read(body), []);
}

#[test]
fn what_stands_behind_a_block_or_a_hidden_part_is_read_again() {
    let body = "```\n/greenroom remove\n```\n<!-- x -->\n/greenroom deploy\n<!--\n/greenroom \
                remove\n-->\nthanks\n/greenroom extend";
    assert_eq!(asks(body), ["deploy", "extend"]);
}

#[rstest]
#[case(
    "/greenroom deplyo",
    "\"deplyo\" is nothing that can be asked for here: there is /greenroom deploy"
)]
#[case("/greenroom remove now", "nothing comes after remove: write /greenroom remove")]
#[case("/greenroom deploy ../api", "\"../api\" is not a valid service")]
#[case("/greenroom extend 0", "a number of days from 1 to 90")]
#[case("/greenroom extend 91", "a number of days from 1 to 90")]
#[case("/greenroom extend for ever", "a number of days from 1 to 90")]
fn what_is_not_understood_whole_is_answered_with_what_there_is(
    #[case] body: &str,
    #[case] says: &str,
) {
    let why = why(body);
    assert!(why.contains(says), "{why}");
}

#[test]
fn a_comment_that_asks_for_too_much_asks_for_nothing() {
    let most = "/greenroom deploy\n".repeat(MOST);
    assert_eq!(asks(&most).len(), MOST);
    assert!(why(&format!("{most}/greenroom remove")).contains("nothing of it was done"));
}

#[test]
fn a_refusal_is_what_a_comment_is_answered_by() {
    let done = Answer::Done { what: String::new() };
    let refused = Answer::Refused { why: String::new() };
    let strange = Answer::NotUnderstood { why: String::new() };
    assert_eq!(Reaction::to(std::slice::from_ref(&done)), Reaction::PlusOne);
    assert_eq!(Reaction::to(&[done.clone(), strange.clone()]), Reaction::Confused);
    assert_eq!(Reaction::to(&[strange, done, refused]), Reaction::MinusOne);
}

fn service() -> impl Strategy<Value = ServiceName> {
    "[a-z][a-z0-9]{0,8}".prop_map(|name| name.parse().unwrap())
}

fn services() -> impl Strategy<Value = BTreeSet<ServiceName>> {
    prop::collection::btree_set(service(), 0..4)
}

fn any_command() -> impl Strategy<Value = Command> {
    let stage = prop::option::of("[g-z][a-z0-9]{0,8}".prop_map(|name| name.parse().unwrap()));
    let commit =
        prop::option::of("[0-9a-f]{7,40}".prop_map(|text| CommitPrefix::try_from(text).unwrap()));
    prop_oneof![
        services().prop_map(|services| Command::Deploy { services }),
        services().prop_map(|services| Command::Redeploy { services }),
        Just(Command::Remove),
        (stage, commit).prop_map(|(stage, commit)| Command::Approve { stage, commit }),
        Just(Command::Extend { span: Span::WholeTime }),
        (1..=MOST_DAYS).prop_map(|days| Command::Extend { span: Span::Days(days) }),
        Just(Command::Help),
    ]
}

proptest! {
    #[test]
    fn a_command_is_read_as_it_is_written(commands in prop::collection::vec(any_command(), 1..=MOST)) {
        let body: Vec<String> = commands.iter().map(|one| format!("{WORD} {one}")).collect();
        let expected: Vec<Line> = commands.into_iter().map(Line::Asks).collect();
        prop_assert_eq!(read(&body.join("\r\n\r\nand\r\n")), expected);
    }

    #[test]
    fn whatever_is_written_gives_few_short_lines(
        body in "(/greenroom|```|<!--|-->|[ \\n\\r\\t]|deploy|approve|\\PC){0,60}"
    ) {
        let lines = read(&body);
        prop_assert!(lines.len() <= MOST);
        for line in &lines {
            prop_assert!(line.said().chars().count() <= 4 * LONGEST_LINE);
        }
        // and it can be kept
        let kept = serde_json::to_string(&lines).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Line>>(&kept).unwrap(), lines);
    }

    #[test]
    fn a_comment_without_the_word_asks_for_nothing(body in "\\PC{0,200}") {
        prop_assume!(!body.contains(WORD));
        prop_assert_eq!(read(&body), []);
    }
}
