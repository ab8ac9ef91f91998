//! Artifacts in a bucket of S3, as `docs/install/s3.md` says to set it up: with the policy of that page
//! and no more, for the local AWS holds the server's user to it.

use serde_json::Value;

use crate::aws::LocalAws;
use crate::world::World;

const BUCKET: &str = "acme-greenroom";
const PIPELINE: &str = "services:
  queue: { path: queue, framework: cloudformation, stack: 'from-bucket-${stage}' }
";
const TEMPLATE: &str = "Resources:
  Queue: { Type: AWS::SQS::Queue }
Outputs:
  Url: { Value: !Ref Queue }
";

/// The policy on the page, as a person copies it.
fn policy() -> Value {
    let page = include_str!("../../../../docs/install/s3.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (policy, _) = rest.split_once("```").unwrap();
    serde_json::from_str(policy).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_lie_in_a_bucket_encrypted_and_are_deployed_from_there() {
    LocalAws::make_bucket_of_the_server(BUCKET).await;
    LocalAws::allow_the_server("artifacts-in-s3", &policy()).await;
    let (place, authority) = (format!("s3://{BUCKET}/artifacts"), LocalAws::authority());
    let world = World::with(&[
        ("GREENROOM_OBJECT_STORE", place.as_str()),
        ("SSL_CERT_FILE", authority.as_str()),
    ])
    .await;
    let files = [("greenroom.yml", PIPELINE), ("queue/template.yml", TEMPLATE)];
    let sha = world.repository.commit("develop", &files, "A queue").await.unwrap();
    world.succeeds(&format!("commit={sha}&stage=dev")).await;

    let keys = LocalAws::objects_of_the_server(BUCKET, "artifacts/artifact/").await;
    assert!(!keys.is_empty());
    for key in keys {
        let object = LocalAws::object_of_the_server(BUCKET, &key).await;
        assert!(object.starts_with(b"greenroom-1 "), "{key}");
        let plain = object.windows(5).any(|bytes| bytes == b"Queue");
        assert!(!plain, "{key} can be read by whoever reads the bucket");
    }
    let beside = std::fs::read_dir(world.server.data_dir.join("objects"));
    assert!(beside.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound));
    world.ends().await;
}
