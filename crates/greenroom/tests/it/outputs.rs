//! Outputs between services: found, missing, changed.

use serde_json::json;

use crate::look::{decision, deployed, end, instance, job};
use crate::sample::Sample;
use crate::world::World;

const MISSING: &str = "
services:
  base:
    path: base
    framework: custom
    deploy: echo table=visits > $GREENROOM_PUBLISH_FILE
    remove: 'true'
  site:
    path: site
    framework: custom
    parameters: { Table: '${output:base.tabel}' }
    deploy: 'true'
    remove: 'true'
  report:
    path: report
    framework: custom
    depends_on: [base]
    parameters: { Table: '${output::staging::base.table}' }
    deploy: 'true'
    remove: 'true'
  notes: { path: notes }
";

const NOTES: &str = "
service: lost-notes
frameworkVersion: '4'
provider: { name: aws, region: '${opt:region}' }
custom:
  table: ${output:base.tabel}
  url: ${param:endpont}
resources:
  Resources:
    Notes: { Type: AWS::SNS::Topic, Properties: { DisplayName: '${self:custom.table}' } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_output_fails_the_package_and_says_what_is_published() {
    let world = World::new().await;
    let sample = Sample::of(MISSING).serverless("notes", NOTES);
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.fails(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["base"].into());
    let lost = "${output:base.tabel} is not published: in stage dev (us-east-1) base publishes \
                table. Correct the reference, or deploy base with that output first";
    assert_eq!(
        end(job(&build, "package", "site")).1,
        format!("greenroom.yml, services.site.parameters.Table: {lost}")
    );
    assert_eq!(
        end(job(&build, "package", "report")).1,
        "greenroom.yml, services.report.parameters.Table: ${output::staging::base.table} is not \
         published: in stage staging (us-east-1) nothing is published that stage dev may read (it \
         reads the long-lived stages of its AWS account). Correct the reference, or deploy base \
         with that output first"
    );

    // in the framework's own file, where a parameter that nobody gives is told first
    let log = world.log(job(&build, "package", "notes")).await;
    let no_parameter = "Cannot resolve variable at \"custom.url\": Value not found at \"param\"";
    assert!(log.contains(no_parameter), "{log}");
    let corrected = NOTES.replace("endpont", "endpoint");
    let files = [("notes/serverless.yml", corrected.as_str())];
    let sha = world.repository.commit("develop", &files, "Second").await.unwrap();
    let build = world.fails(&format!("commit={sha}")).await;
    let log = world.log(job(&build, "package", "notes")).await;
    assert!(log.contains(&format!("Cannot resolve variable at \"custom.table\": {lost}")), "{log}");
    let page = world.build_page(&build).await;
    assert!(page.contains(&format!("\"custom.table\": {lost}")), "{page}");
    world.ends().await;
}

const CHAIN: &str = r#"
services:
  base:
    path: base
    framework: custom
    deploy: echo "table=$(cat table)" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  reader:
    path: reader
    framework: custom
    parameters: { Table: '${output:base.table}' }
    deploy: echo "copy=$Table" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  last:
    path: last
    framework: custom
    parameters: { Copy: '${output:reader.copy}' }
    deploy: echo "seen=$Copy" > "$GREENROOM_PUBLISH_FILE"
    remove: 'true'
  aside: { path: aside, framework: custom, deploy: 'true', remove: 'true' }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_output_redeploys_those_that_read_it_and_an_unchanged_one_does_not() {
    let world = World::new().await;
    let sample = Sample::of(CHAIN).file("base/table", "visits");
    let sha = world.repository.commit("develop", &sample.files(), "First").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["aside", "base", "last", "reader"].into());

    // the same outputs: nobody else has anything to do
    let files = [("base/NOTE", "as before")];
    let sha = world.repository.commit("develop", &files, "A note").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["base"].into());
    assert_eq!(job(&build, "deploy", "base")["changed_outputs"], json!([]));
    assert_eq!(decision(&build, "reader").0, "follow");
    let unneeded = ("unneeded", "the outputs of base did not change");
    assert_eq!(end(job(&build, "package", "reader")), unneeded);
    assert_eq!(end(job(&build, "deploy", "reader")), unneeded);
    assert_eq!(end(job(&build, "deploy", "last")).0, "unneeded");
    let page = world.build_page(&build).await;
    assert!(page.contains("not needed: the outputs of base did not change"), "{page}");
    world.status(&sha, "greenroom/reader/dev", "success").await;

    // another value: who reads it follows, and who reads that one too
    let files = [("base/table", "visitors")];
    let sha = world.repository.commit("develop", &files, "Another table").await.unwrap();
    let build = world.succeeds(&format!("commit={sha}")).await;
    assert_eq!(deployed(&build), ["base", "last", "reader"].into());
    assert_eq!(job(&build, "deploy", "base")["changed_outputs"], json!(["table"]));
    let stage = world.get("/apps/workshop/stages/dev").await;
    assert_eq!(instance(&stage, "last")["outputs"], json!({ "seen": "visitors" }));
    let page = world.page("/apps/workshop/stages/dev").await;
    assert!(page.contains("seen visitors Copy ${output:last.seen}"), "{page}");
    world.ends().await;
}
