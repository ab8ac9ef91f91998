//! A repository that has a `serverless-compose.yml` and no services in a `greenroom.yml`.

use serde_json::json;

use crate::look::{deployed, instance, job};
use crate::sample::Sample;
use crate::world::World;

const COMPOSE: &str = "
services:
  api:
    path: api
    params: { topic: '${topics.TopicName}' }
  topics: { path: topics }
";

const TOPICS: &str = "
service: composed-topics
provider: { name: aws, region: '${opt:region}' }
resources:
  Resources:
    Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: 'composed-${sls:stage}' } }
  Outputs:
    TopicName: { Value: !GetAtt Topic.TopicName }
";

const API: &str = "
service: composed-api
provider: { name: aws, region: '${opt:region}' }
resources:
  Resources:
    Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: 'after ${param:topic}' } }
  Outputs:
    After: { Value: '${param:topic}' }
";

#[tokio::test(flavor = "multi_thread")]
async fn serverless_compose_gives_the_services_their_order_and_what_one_reads_of_another() {
    let world = World::new().await;
    let sample = Sample::of("post_deploy: echo all is there\n")
        .file("serverless-compose.yml", COMPOSE)
        .serverless("topics", TOPICS)
        .serverless("api", API);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["api", "topics"].into());
    let time = |kind: &str, service: &str, key: &str| {
        job(&build, kind, service)[key].as_str().unwrap().to_owned()
    };
    assert!(time("deploy", "topics", "finished_at") <= time("package", "api", "started_at"));
    let stage = world.get("/apps/workshop/stages/dev").await;
    assert_eq!(instance(&stage, "api")["outputs"]["After"], json!("composed-dev"));
    let page = world.build_page(&build).await;
    assert!(page.contains("depends on topics: "), "{page}");
    assert!(page.contains("serverless-compose.yml"), "{page}");
    world.ends().await;
}
