//! What CloudFormation would leave behind: buckets that are not empty, and logs.

use std::collections::BTreeSet;

use aws::stack::RemoveHow;
use aws::{Removal, StackStatus};
use serde_json::{Value, json};

use crate::bench::{Account, PATIENCE, account, development, fresh, reading};
use crate::direct::Owner;

/// A stack with one bucket of each kind, named after it as the deploy policy allows.
struct Buckets {
    versioned: String,
    plain: String,
    kept: String,
}

impl Buckets {
    fn of(stack: &str) -> Self {
        let named = |kind: &str| format!("{}-frontend-{kind}", &stack[stack.len() - 16..]);
        Self { versioned: named("versioned"), plain: named("plain"), kept: named("kept") }
    }

    fn template(&self) -> String {
        json!({ "Resources": {
            "Versioned": { "Type": "AWS::S3::Bucket", "Properties": {
                "BucketName": self.versioned,
                "VersioningConfiguration": { "Status": "Enabled" }
            } },
            "Plain": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete",
                       "Properties": { "BucketName": self.plain } },
            "Kept": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain",
                      "Properties": { "BucketName": self.kept } },
        } })
        .to_string()
    }

    async fn fill(&self) {
        let owner = Owner::new();
        for bucket in [&self.versioned, &self.plain, &self.kept] {
            owner.put(bucket, "a%20b/c%26d%3Ce%3E.txt", b"one").await;
            owner.put(bucket, "a%20b/c%26d%3Ce%3E.txt", b"two").await;
            owner.put(bucket, "gone.txt", b"three").await;
            owner.delete(bucket, "gone.txt").await;
            owner.begin_upload(bucket, "half.bin").await;
        }
        // No XML may hold this name.
        owner.put(&self.versioned, "odd%EF%BF%BE", b"four").await;
        // Two of the first, the second with its marker, the odd one and the upload.
        assert_eq!(owner.holds(&self.versioned).await, Some(6));
        assert_eq!(owner.holds(&self.plain).await, Some(2));
    }
}

async fn remove(account: &Account, name: &str) -> (Removal, Vec<String>) {
    let mut told = Vec::new();
    let removal = account
        .stacks
        .remove(name, name, RemoveHow::Careful, PATIENCE, &mut |event| {
            let reason = event.reason.clone().unwrap_or_default();
            told.push(format!("{} {} {reason}", event.status, event.logical_id));
        })
        .await
        .expect("CloudFormation answers");
    (removal, told)
}

#[tokio::test]
async fn buckets_that_go_with_the_stack_are_emptied_and_kept_ones_are_not_touched() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("full");
    let buckets = Buckets::of(&name);
    account.create(&name, &buckets.template()).await;
    buckets.fill().await;

    let holdings = account.stacks.holdings(&name).await.expect("answered");
    let mut going: Vec<_> = holdings.buckets().collect();
    going.sort_unstable();
    assert_eq!(going, [&buckets.plain, &buckets.versioned]);

    // Asked for by itself, since this CloudFormation empties buckets where the real one refuses.
    let mut told = Vec::new();
    let left = account
        .stacks
        .empty_buckets(&holdings, &mut |event| {
            told.push(format!("{} {:?}", event.status, event.reason));
        })
        .await;
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(owner.holds(&buckets.versioned).await, Some(0));
    assert_eq!(owner.holds(&buckets.plain).await, Some(0));
    assert!(owner.holds(&buckets.kept).await > Some(0));
    assert_eq!(told.len(), 2, "{told:?}");
    let words = "5 object versions and 1 unfinished upload deleted";
    assert!(told.iter().any(|line| line.contains(words)), "{told:?}");

    let again = account.stacks.empty_buckets(&holdings, &mut |event| panic!("{event:?}")).await;
    assert!(again.is_empty(), "nothing is left to tell: {again:?}");
}

#[tokio::test]
async fn a_removal_empties_the_buckets_before_its_order_and_names_what_the_template_keeps_nowhere()
{
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("filled");
    let buckets = Buckets::of(&name);
    account.create(&name, &buckets.template()).await;
    buckets.fill().await;

    let (removal, told) = remove(&account, &name).await;
    let Removal::Removed { stack_id: Some(_), retained } = removal else { panic!("{removal:?}") };
    assert!(retained.is_empty(), "the template keeps it, nobody else: {retained:?}");
    let place = |words: &str| told.iter().position(|line| line.starts_with(words));
    assert!(place("EMPTY_COMPLETE Versioned") < place("DELETE_IN_PROGRESS"), "{told:#?}");
    assert!(place("EMPTY_COMPLETE Versioned").is_some(), "{told:#?}");
    assert_eq!(owner.holds(&buckets.plain).await, None);
    assert!(owner.holds(&buckets.kept).await > Some(0));
}

#[tokio::test]
async fn a_bucket_with_more_than_one_page_is_emptied_to_its_end() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("pages");
    let buckets = Buckets::of(&name);
    account.create(&name, &buckets.template()).await;
    // One page holds 1000.
    for batch in 0..41 {
        let puts = (0..25).map(|index| {
            let (owner, bucket) = (&owner, &buckets.versioned);
            async move { owner.put(bucket, &format!("{batch}-{index}"), b"x").await }
        });
        futures_util::future::join_all(puts).await;
    }
    let holdings = account.stacks.holdings(&name).await.expect("answered");
    let mut told = String::new();
    let left = account
        .stacks
        .empty_buckets(&holdings, &mut |event| told.clone_from(event.reason.as_ref().expect("why")))
        .await;
    assert!(left.is_empty(), "{left:?}");
    assert!(told.contains("1025 object versions deleted"), "{told}");
    assert_eq!(owner.holds(&buckets.versioned).await, Some(0));
    remove(&account, &name).await;
}

#[tokio::test]
async fn without_the_right_the_bucket_and_the_missing_action_are_named() {
    let account = development().await;
    let name = fresh("foreign");
    // A name that the deploy policy does not cover.
    let bucket = format!("{}-data", &name[name.len() - 16..]);
    let template = json!({ "Resources": { "B": {
        "Type": "AWS::S3::Bucket", "Properties": { "BucketName": bucket }
    } } });
    account.create(&name, &template.to_string()).await;
    Owner::new().put(&bucket, "a", b"x").await;

    let holdings = account.stacks.holdings(&name).await.expect("answered");
    let mut statuses = Vec::new();
    let left = account
        .stacks
        .empty_buckets(&holdings, &mut |event| statuses.push(event.status.clone()))
        .await;
    assert_eq!(statuses, ["EMPTY_FAILED"]);
    assert!(left[0].contains(&bucket) && left[0].contains("s3:DeleteObjectVersion"), "{left:?}");
    remove(&account, &name).await;
}

#[tokio::test]
async fn a_bucket_that_is_gone_by_now_is_no_trouble() {
    let account = development().await;
    let name = fresh("sold");
    let buckets = Buckets::of(&name);
    account.create(&name, &buckets.template()).await;
    let holdings = account.stacks.holdings(&name).await.expect("answered");
    remove(&account, &name).await;
    let left = account.stacks.empty_buckets(&holdings, &mut |event| panic!("{event:?}")).await;
    assert!(left.is_empty(), "{left:?}");
}

/// A function with its role, and a log group for its logs where that is wanted.
fn function(name: &str, log_group: Option<&Value>) -> String {
    let short = &name[name.len() - 12..];
    let mut template = json!({ "Resources": {
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "RoleName": format!("{short}-lambdaRole"),
            "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole"
            }] }
        } },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": name, "Runtime": "nodejs20.x", "Handler": "index.handler",
            "Role": { "Fn::GetAtt": ["Role", "Arn"] },
            "Code": { "ZipFile": "exports.handler = async () => 'hello'" }
        } },
        "Rest": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Name": name } },
    } });
    if let Some(group) = log_group {
        template["Resources"]["Logs"] = group.clone();
    }
    template.to_string()
}

async fn physical(account: &Account, stack: &str, logical_id: &str) -> String {
    let resources = account.stacks.resources(stack).await.expect("answered");
    let resource = resources.into_iter().find(|one| one.logical_id == logical_id);
    resource.and_then(|one| one.physical_id).expect("it is there")
}

#[tokio::test]
async fn the_logs_of_functions_and_apis_go_after_their_stack() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("logging");
    account.create(&name, &function(&name, None)).await;
    let api = physical(&account, &name, "Rest").await;
    let left = [format!("/aws/lambda/{name}"), format!("API-Gateway-Execution-Logs_{api}/dev")];
    let others = [format!("/aws/lambda/{name}-other"), format!("/aws/api-gateway/{name}")];
    for group in left.iter().chain(&others) {
        owner.make_log_group(group).await;
    }

    let (removal, told) = remove(&account, &name).await;
    assert!(matches!(removal, Removal::Removed { .. }), "{removal:?}");
    for group in &left {
        assert!(!owner.has_log_group(group).await, "{group}");
        assert!(told.iter().any(|line| line.starts_with(&format!("DELETE_COMPLETE {group} "))));
    }
    for group in &others {
        assert!(owner.has_log_group(group).await, "{group} is somebody else's");
    }
}

#[tokio::test]
async fn logs_that_the_template_keeps_stay() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("audited");
    let group = format!("/aws/lambda/{name}");
    let kept = json!({ "Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain",
                       "Properties": { "LogGroupName": group } });
    account.create(&name, &function(&name, Some(&kept))).await;
    let (removal, _) = remove(&account, &name).await;
    assert!(matches!(removal, Removal::Removed { .. }), "{removal:?}");
    assert!(owner.has_log_group(&group).await);
}

#[tokio::test]
async fn logs_are_deleted_by_what_was_known_before_somebody_else_deleted_the_stack() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("framework");
    let stack = account.create(&name, &function(&name, None)).await;
    let group = format!("/aws/lambda/{name}");
    owner.make_log_group(&group).await;
    let holdings = account.stacks.holdings(&name).await.expect("answered");
    account.stacks.delete(&stack.id, "by-hand").await.expect("the order is taken");
    let gone = account.settled(&stack.id).await;
    assert_eq!(gone.status, StackStatus::DeleteComplete);

    let stayed = BTreeSet::from([name.clone()]);
    account.stacks.delete_logs(&holdings, &stayed, &mut |event| panic!("{event:?}")).await;
    assert!(owner.has_log_group(&group).await, "its function stayed, and so do its logs");
    account.stacks.delete_logs(&holdings, &BTreeSet::new(), &mut |_| {}).await;
    assert!(!owner.has_log_group(&group).await);
}

#[tokio::test]
async fn what_a_nested_stack_holds_goes_too() {
    let (account, owner) = (development().await, Owner::new());
    let name = fresh("around");
    let store = Buckets::of(&fresh("store"));
    account.create(&format!("{name}-store"), &store.template()).await;
    let buckets = Buckets::of(&name);
    account.create_around(&name, &store.plain, &buckets.template()).await;
    buckets.fill().await;

    let holdings = account.stacks.holdings(&name).await.expect("answered");
    let mut going: Vec<_> = holdings.buckets().collect();
    going.sort_unstable();
    assert_eq!(going, [&buckets.plain, &buckets.versioned]);
    let (removal, told) = remove(&account, &name).await;
    assert!(matches!(removal, Removal::Removed { .. }), "{removal:?}: {told:#?}");
    assert_eq!(owner.holds(&buckets.versioned).await, None);
    remove(&account, &format!("{name}-store")).await;
}

#[tokio::test]
async fn whoever_may_only_look_empties_nothing() {
    let (deployer, reader) = (development().await, account(reading().await));
    let name = fresh("onlooker");
    let buckets = Buckets::of(&name);
    deployer.create(&name, &buckets.template()).await;
    buckets.fill().await;
    let holdings = reader.stacks.holdings(&name).await.expect("looking is allowed");
    let left = reader.stacks.empty_buckets(&holdings, &mut |_| {}).await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(Owner::new().holds(&buckets.versioned).await, Some(6));
    remove(&deployer, &name).await;
}
