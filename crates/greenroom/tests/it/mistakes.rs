//! Mistakes of a commit, as whoever pushed it reads them on the page of the build.

use crate::aws::LocalAws;
use crate::look::{end, job};
use crate::sample::Sample;
use crate::world::World;

/// A service of commands alone.
fn custom(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{ path: {name}, framework: custom, deploy: 'true', remove: 'true', {more} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_on_the_page_of_the_build_with_its_place_and_what_to_change() {
    let world = World::new().await;
    let services = |entries: &[String]| Sample::of(&format!("services:\n{}", entries.concat()));
    let serverless = |version: &str| {
        Sample::of("services: { api: { path: api } }\n")
            .file("api/serverless.yml", "service: api\n")
            .file("api/package.json", version)
    };
    let cases = [
        (
            services(&[
                custom("api", "parameters: { Table: '${output:base.table}' }"),
                custom("base", "depends_on: [site]"),
                custom("site", "depends_on: [api]"),
            ]),
            "services depend on each other in a circle: api -> base -> site -> api; remove one of: \
             api -> base (${output:base.table} in greenroom.yml), \
             base -> site (depends_on in greenroom.yml), site -> api (depends_on in greenroom.yml)",
        ),
        (
            services(&[custom("api", "depends_on: [databse]")]),
            "service api depends on databse, which is no service of this repository \
             (greenroom.yml, services.api.depends_on)",
        ),
        (services(&[custom("api", "depends_on: [")]), "greenroom.yml:2: "),
        (
            serverless(r#"{ "devDependencies": { "serverless": "^4.4.1" } }"#),
            "api/package.json asks for serverless ^4.4.1: version 4 is a download that needs a \
             licence and cannot run here; use osls instead: `npm uninstall serverless && npm \
             install --save-dev osls@4`",
        ),
        (
            services(&[custom("api", "parameters: { Url: '${param:endpont}' }")]),
            "greenroom.yml, services.api.parameters.Url: ",
        ),
    ];
    for (at, (sample, text)) in cases.iter().enumerate() {
        let branch = ["develop", "master"][at % 2];
        let sha = world.repository.commit(branch, &sample.files(), "Try").await.unwrap();
        let build = world.fails(&format!("commit={sha}")).await;
        let page = world.build_page(&build).await;
        assert!(page.contains(text), "{text:?} is not in: {page}");
    }
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cannot_be_deployed_is_refused_before_the_deploy_with_what_to_change() {
    let world = World::new().await;
    let too_long = "q".repeat(81);
    let queue = format!(
        "Resources: {{ Q: {{ Type: AWS::SQS::Queue, Properties: {{ QueueName: {too_long} }} }} }}\n"
    );
    let topic =
        "Parameters: { Size: { Type: String } }\nResources: { T: { Type: AWS::SNS::Topic } }\n";
    for (template, text) in [
        (
            topic,
            "the template of stack refused-dev needs Size: give a value under `parameters` of the \
             service in greenroom.yml, or as a parameter of that name in the app's profile or \
             stage, or write a Default into the template",
        ),
        (queue.as_str(), "the name of an SQS queue has at most 80 characters, and qqq"),
        ("Resources: { T: { Type: AWS::Nothing::AtAll } }\n", "AWS::Nothing::AtAll"),
    ] {
        let sample = Sample::of(
            "services: { net: { path: net, template: net.yml, stack: 'refused-${stage}' } }\n",
        );
        let sample = sample.file("net/net.yml", template);
        let sha = world.repository.commit("develop", &sample.files(), "Try").await.unwrap();
        let build = world.fails(&format!("commit={sha}")).await;
        let (outcome, reason) = end(job(&build, "package", "net"));
        assert!(outcome == "failed" && reason.contains(text), "{text:?} is not in: {reason}");
        let page = world.build_page(&build).await;
        assert!(page.contains(text), "{text:?} is not in: {page}");
    }
    assert!(LocalAws::accounts_with("refused-dev").await.is_empty());
    world.ends().await;
}
