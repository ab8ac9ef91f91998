//! The tags of a stack: who deployed it, and which differences of tags are no change. Pure.

use std::collections::BTreeMap;

use model::{AppName, ServiceName, StageName};

use crate::role::tag_value;

const APP: &str = "greenroom:app";
const STAGE: &str = "greenroom:stage";
const SERVICE: &str = "greenroom:service";
const BUILD: &str = "greenroom:build";

/// The tags of a stack that Greenroom deploys itself. CloudFormation gives them to its resources.
/// `greenroom:build` is the build that last changed the stack.
pub fn greenroom_tags(
    app: &AppName,
    stage: &StageName,
    service: &ServiceName,
    build: &str,
) -> BTreeMap<String, String> {
    [(APP, app.as_str()), (STAGE, stage.as_str()), (SERVICE, service.as_str()), (BUILD, build)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), tag_value(value)))
        .collect()
}

/// What the tags of a stack say about who deployed it. Anybody with rights in the account can write
/// them, so they are texts and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GreenroomTags {
    pub app: String,
    pub stage: Option<String>,
    pub service: Option<String>,
    /// The number of the build that changed the stack last.
    pub build: Option<i64>,
}

impl GreenroomTags {
    /// `None`: the stack does not say that it is Greenroom's.
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let text = |key| tags.get(key).filter(|value| !value.is_empty()).cloned();
        Some(Self {
            app: text(APP)?,
            stage: text(STAGE),
            service: text(SERVICE),
            build: text(BUILD).and_then(|build| build.parse().ok()),
        })
    }
}

/// The tags to ask for. Those that the stack has and nobody mentions stay: people set tags too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TagsAfter {
    /// None are wanted: CloudFormation leaves the tags alone.
    AsTheyAre,
    Become(BTreeMap<String, String>),
    /// Only the build differs, which by itself is no reason to touch a stack and all of its
    /// resources. If there is another reason, it comes up to date with it.
    BuildFollows {
        kept: BTreeMap<String, String>,
        renewed: BTreeMap<String, String>,
    },
}

impl TagsAfter {
    pub(super) fn of(wanted: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Self {
        if wanted.is_empty() {
            return Self::AsTheyAre;
        }
        // AWS sets tags of its own, which nobody may send.
        let kept: BTreeMap<_, _> =
            now.iter().filter(|(key, _)| !key.starts_with("aws:")).map(owned).collect();
        let mut renewed = kept.clone();
        renewed.extend(wanted.iter().map(owned));
        let differing: Vec<&str> = renewed
            .iter()
            .filter(|(key, value)| kept.get(*key) != Some(value))
            .map(|(key, _)| key.as_str())
            .collect();
        if differing == [BUILD] && kept.contains_key(BUILD) {
            Self::BuildFollows { kept, renewed }
        } else {
            Self::Become(renewed)
        }
    }
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_stack_says_app_stage_service_and_build() {
        let tags = greenroom_tags(
            &"workshop".parse().unwrap(),
            &"dev".parse().unwrap(),
            &"restapi".parse().unwrap(),
            "#41",
        );
        let expected = [(APP, "workshop"), (BUILD, "_41"), (SERVICE, "restapi"), (STAGE, "dev")];
        assert_eq!(tags, map(&expected));
    }

    #[test]
    fn what_a_stack_says_of_itself_is_read_back_and_nonsense_is_left_out() {
        let tags = greenroom_tags(
            &"workshop".parse().unwrap(),
            &"dev".parse().unwrap(),
            &"restapi".parse().unwrap(),
            "41",
        );
        let read = GreenroomTags::of(&tags).unwrap();
        assert_eq!((read.app.as_str(), read.stage.as_deref()), ("workshop", Some("dev")));
        assert_eq!((read.service.as_deref(), read.build), (Some("restapi"), Some(41)));

        let doubtful = GreenroomTags::of(&map(&[(APP, "shop"), (BUILD, "new"), (STAGE, "")]));
        let only_app =
            GreenroomTags { app: "shop".to_owned(), stage: None, service: None, build: None };
        assert_eq!(doubtful, Some(only_app));
        assert_eq!(GreenroomTags::of(&map(&[("team", "blue"), (BUILD, "7")])), None);
    }

    #[test]
    fn tags_of_others_stay_and_those_of_aws_are_not_sent() {
        let now = map(&[("team", "blue"), ("aws:x", "y"), (APP, "old")]);
        let after = TagsAfter::of(&map(&[(APP, "shop")]), &now);
        assert_eq!(after, TagsAfter::Become(map(&[("team", "blue"), (APP, "shop")])));
        assert_eq!(TagsAfter::of(&map(&[]), &now), TagsAfter::AsTheyAre);
    }

    #[test]
    fn another_build_alone_is_no_change() {
        let now = map(&[(APP, "shop"), (BUILD, "1")]);
        let after = TagsAfter::of(&map(&[(APP, "shop"), (BUILD, "2")]), &now);
        let renewed = map(&[(APP, "shop"), (BUILD, "2")]);
        assert_eq!(after, TagsAfter::BuildFollows { kept: now, renewed });
        let first = TagsAfter::of(&map(&[(BUILD, "2")]), &map(&[]));
        assert_eq!(first, TagsAfter::Become(map(&[(BUILD, "2")])));
    }
}
