//! Foreseeing a change with the session of a package, and templates too large for a request.

use std::sync::Arc;

use aws::Template;
use aws::stack::{ChangeError, UploadError};
use model::change_set::{Effect, StackChangeKind};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;

use crate::bench::{PATIENCE, REGION, account, development, endpoint, fresh, reading};
use crate::changes::{deploy, table, waiting, wanted};

/// A table and a text that no request has room for.
fn large(name: &str, units: u32) -> String {
    format!("{}Metadata: {{ Filler: '{}' }}\n", table(name, units), "x".repeat(60_000))
}

/// The same as the Serverless Framework makes it: with an output that names its bucket.
fn with_bucket(name: &str, units: u32, bucket: &str) -> String {
    let output = format!("  ServerlessDeploymentBucketName: {{ Value: {bucket} }}\nMetadata:");
    large(name, units).replace("Metadata:", &output)
}

async fn objects(bucket: &str) -> usize {
    use futures_util::StreamExt;
    let endpoint = endpoint();
    let pem = endpoint.ca_bundle_pem.expect("it has a CA");
    let ca = object_store::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let store: Arc<dyn ObjectStore> = Arc::new(
        AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(REGION)
            .with_endpoint(endpoint.url.expect("it has a URL"))
            .with_access_key_id("111111111111")
            .with_secret_access_key("root")
            .with_client_options(object_store::ClientOptions::new().with_root_certificate(ca))
            .build()
            .expect("a bucket"),
    );
    store.list(None).count().await
}

#[tokio::test]
async fn the_change_of_a_new_stack_is_foreseen_without_making_one() {
    let reader = account(reading().await);
    let name = fresh("unborn");
    let wanted = wanted(&name, &table(&name, 1));
    let change = reader.stacks.foresee(&wanted, PATIENCE).await.expect("answered");
    assert_eq!((change.kind, change.changes.len()), (StackChangeKind::New, 1));
    assert_eq!(change.changes[0].effect, Effect::Added);
    assert_eq!(reader.stacks.look(&name).await.expect("answered"), None);
}

#[tokio::test]
async fn the_change_of_a_stack_is_foreseen_by_a_package_and_nothing_is_left_behind() {
    let (deployer, reader) = (development().await, account(reading().await));
    let name = fresh("foreseen");
    deploy(&deployer, &wanted(&name, &table(&name, 1))).await;
    let before = reader.stacks.look(&name).await.expect("answered");

    let same = wanted(&name, &table(&name, 1));
    let change = reader.stacks.foresee(&same, PATIENCE).await.expect("answered");
    assert_eq!((change.kind, change.changes.len()), (StackChangeKind::Update, 0));

    let mut other = wanted(&name, &table(&format!("{name}-b"), 1));
    other.tags.insert("greenroom:app".to_owned(), "shop".to_owned());
    let change = reader.stacks.foresee(&other, PATIENCE).await.expect("answered");
    assert_eq!(change.changes[0].effect, Effect::Replaced);
    assert_eq!(change.note, None);

    assert_eq!(reader.stacks.look(&name).await.expect("answered"), before);
    assert_eq!(waiting(&deployer, &name).await, 0);
}

#[tokio::test]
async fn a_template_too_large_for_a_request_goes_by_the_bucket_and_does_not_stay_there() {
    let deployer = development().await;
    let name = fresh("large");
    let bucket = format!("{name}-s");
    let room = format!(
        "Resources: {{ B: {{ Type: AWS::S3::Bucket, Properties: {{ BucketName: {bucket} }} }} }}"
    );
    deploy(&deployer, &wanted(&bucket, &room)).await;

    let mut wanted = wanted(&name, &with_bucket(&name, 1, &bucket));
    wanted.bucket = Some(bucket.clone());
    deploy(&deployer, &wanted).await;
    assert_eq!(objects(&bucket).await, 0);

    let reader = account(reading().await);
    wanted.bucket = None;
    wanted.template = Template::parse(&with_bucket(&name, 2, &bucket)).expect("a template");
    let change = reader.stacks.foresee(&wanted, PATIENCE).await.expect("answered");
    assert_eq!(change.changes[0].because, ["ProvisionedThroughput"]);
    assert_eq!((change.changes[0].effect, change.note), (Effect::Changed, None));

    let error = reader.stacks.propose(&wanted, PATIENCE).await.expect_err("a deploy's place");
    assert!(matches!(error, ChangeError::Upload(UploadError::Bucket { .. })), "{error:?}");
    assert_eq!(objects(&bucket).await, 0);
}

#[tokio::test]
async fn without_a_bucket_a_large_template_is_compared_with_the_deployed_one() {
    let (deployer, reader) = (development().await, account(reading().await));
    let name = fresh("compared");
    deploy(&deployer, &wanted(&name, &table(&name, 1))).await;
    let wanted = wanted(&name, &large(&name, 2));
    let change = reader.stacks.foresee(&wanted, PATIENCE).await.expect("answered");
    assert_eq!(change.changes.len(), 1);
    assert_eq!(change.changes[0].effect, Effect::MayBeReplaced);
    assert_eq!(change.changes[0].because, ["ProvisionedThroughput"]);
    let note = change.note.expect("it says so");
    assert!(note.contains("CloudFormation was not asked") && note.contains("51200"), "{note}");
}
