//! Services of `serverless-compose.yml`.

use super::*;
use crate::detect::compose::composed;

const FILE: &str = "serverless-compose.yml";

fn parsed(text: &str) -> BTreeMap<crate::ServiceName, crate::compose::ComposeService> {
    crate::compose::parse(text).expect("a Compose file")
}

#[test]
fn compose_names_services_their_order_and_their_parameters() {
    let text = "services:
  api: { path: api, config: serverless.api.yml, dependsOn: jobs, params: { table: '${database.table}' } }
  database: { path: database }
  jobs: { path: jobs, region: eu-west-1 }
";
    let commit =
        Commit::of(&["api/serverless.api.yml", "database/serverless.yml", "jobs/serverless.js"]);
    let found = composed(FILE, parsed(text), &commit.listing()).expect("they are there");
    assert_eq!(
        shown(&found),
        [
            "api in api: serverless by api/serverless.api.yml",
            "database in database: serverless by database/serverless.yml",
            "jobs in jobs: serverless by jobs/serverless.js",
        ]
    );
    let api = &found.services[0].service;
    let on: Vec<String> = api
        .depends_on
        .iter()
        .map(|dependency| format!("{}: {}", dependency.service, dependency.place()))
        .collect();
    assert_eq!(on, ["jobs: serverless-compose.yml", "database: serverless-compose.yml"]);
    assert_eq!(api.parameters["table"], "${output:database.table}");
    assert_eq!(api.reads.len(), 1);
    assert_eq!(api.template.as_deref(), Some("serverless.api.yml"));
    assert!(found.services[2].service.notes[1].contains("region: eu-west-1"));
}

#[test]
fn a_service_whose_file_is_not_there_is_refused_as_the_user_sees_it() {
    let refused = |text: &str| {
        let commit = Commit::of(&["a/index.js"]);
        composed(FILE, parsed(text), &commit.listing()).expect_err("it is not there").message
    };
    insta::assert_snapshot!(refused("services: { a: { path: a } }"), @r#"serverless-compose.yml, services.a.path: the directory "a" holds no serverless.yml; correct the path, or write the file's name as `config:`"#);
    insta::assert_snapshot!(refused("services: { a: { path: a, config: sls.yml } }"), @r#"serverless-compose.yml, services.a.config: this commit has no file a/sls.yml; correct it (it is relative to "a"), or add the file"#);
}
