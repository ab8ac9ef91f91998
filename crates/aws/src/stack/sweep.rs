//! All stacks of one account and region that say they are Greenroom's.
//!
//! What always holds: a stack is listed by its tags alone, whoever wrote them; nested stacks carry
//! their parent's tags and are no stacks of their own.

use aws_sdk_cloudformation::types;
use model::Region;
use model::sweep::TaggedStack;

use super::look::stack;
use super::{GreenroomTags, StackError, Stacks};
use crate::failure::Failure;

impl Stacks {
    /// The stacks with the tag `greenroom:app`; `region` is that of this client. Deleted ones are
    /// none.
    pub async fn tagged(&self, region: &Region) -> Result<Vec<TaggedStack>, StackError> {
        let mut pages = self.cloudformation.describe_stacks().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let failure = Failure::of(&error);
                StackError::of(failure, "DescribeStacks", "* (all stacks of the region)")
            })?;
            found.extend(page.stacks().iter().filter_map(|sdk| tagged(sdk, region)));
        }
        Ok(found)
    }
}

fn tagged(sdk: &types::Stack, region: &Region) -> Option<TaggedStack> {
    if sdk.parent_id().is_some() {
        return None;
    }
    let stack = stack(sdk);
    let GreenroomTags { app, stage, service, build } = GreenroomTags::of(&stack.tags)?;
    Some(TaggedStack {
        region: region.clone(),
        app,
        stage,
        service,
        build,
        status: stack.status.to_string(),
        created_at: stack.created_at,
        changed_at: stack.changed_at(),
        name: stack.name,
        id: stack.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        "eu-west-1".parse().expect("a region")
    }

    fn sdk(tags: &[(&str, &str)]) -> types::builders::StackBuilder {
        let tag =
            |(key, value): &(&str, &str)| types::Tag::builder().key(*key).value(*value).build();
        types::Stack::builder()
            .stack_name("shop-dev")
            .stack_id("arn:aws:cloudformation:eu-west-1:111111111111:stack/shop-dev/1")
            .stack_status(types::StackStatus::DeleteFailed)
            .set_tags(Some(tags.iter().map(tag).collect()))
    }

    #[test]
    fn a_stack_is_listed_with_what_its_tags_say() {
        let tags =
            [("greenroom:app", "shop"), ("greenroom:stage", "dev"), ("greenroom:build", "7")];
        let stack = tagged(&sdk(&tags).build(), &region()).expect("it is tagged");
        assert_eq!((stack.app.as_str(), stack.stage.as_deref()), ("shop", Some("dev")));
        assert_eq!((stack.service, stack.build), (None, Some(7)));
        assert_eq!((stack.region.as_str(), stack.status.as_str()), ("eu-west-1", "DELETE_FAILED"));
    }

    #[test]
    fn neither_the_stacks_of_others_nor_nested_ones_are_listed() {
        assert_eq!(tagged(&sdk(&[("team", "blue")]).build(), &region()), None);
        let nested = sdk(&[("greenroom:app", "shop")]).parent_id("arn:parent").build();
        assert_eq!(tagged(&nested, &region()), None);
    }
}
