//! All stacks of an account that say they are Greenroom's.

use aws::role::SessionScope;
use model::Region;

use crate::bench::{REGION, account, development, fresh, scoped};
use crate::direct::tag;

#[tokio::test]
async fn stacks_with_our_tags_are_listed_and_others_are_not() {
    let deployer = development().await;
    let [ours, others] = ["ours", "others"].map(fresh);
    let topic = r#"{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}"#;
    deployer
        .sdk
        .create_stack()
        .stack_name(&ours)
        .template_body(topic)
        .tags(tag("greenroom:app", "workshop"))
        .tags(tag("greenroom:stage", "pr-7"))
        .tags(tag("greenroom:service", "restapi"))
        .tags(tag("greenroom:build", "41"))
        .send()
        .await
        .expect("the order is taken");
    deployer.settled(&ours).await;
    deployer.create(&others, topic).await;
    // With the session of a sweep job.
    let looking = account(scoped(SessionScope::Inspect).await);
    let region: Region = REGION.parse().expect("a region");
    let found = looking.stacks.tagged(&region).await.expect("CloudFormation answers");
    let names: Vec<_> = found.iter().map(|stack| stack.name.as_str()).collect();
    assert!(!names.contains(&others.as_str()), "{names:?}");
    let stack = found.iter().find(|stack| stack.name == ours).expect("it is listed");
    assert_eq!((stack.app.as_str(), stack.stage.as_deref()), ("workshop", Some("pr-7")));
    assert_eq!((stack.service.as_deref(), stack.build), (Some("restapi"), Some(41)));
    assert_eq!((stack.status.as_str(), &stack.region), ("CREATE_COMPLETE", &region));
    assert!(stack.id.starts_with("arn:aws:cloudformation:") && stack.created_at.is_some());

    let removed = deployer.stacks.look(&ours).await.expect("answered").expect("it is there");
    deployer.stacks.delete(&removed.id, "token").await.expect("the order is taken");
    deployer.settled(&removed.id).await;
    let found = looking.stacks.tagged(&region).await.expect("CloudFormation answers");
    assert!(found.iter().all(|stack| stack.name != ours), "it is gone");
}
