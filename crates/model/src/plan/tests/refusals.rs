//! What cannot be planned, as people read it.

use super::*;

fn refused(services: Vec<Service>) -> String {
    let error = World::new(services).try_plan().expect_err("it cannot be planned");
    error.to_string()
}

#[test]
fn a_commit_without_services_says_what_makes_one() {
    insta::assert_snapshot!(refused(Vec::new()), @"no service found: no directory holds a serverless.yml, template.yaml or cdk.json; name one under `services:` in greenroom.yml");
    let checked = check(&[]).expect_err("there is none").to_string();
    assert_eq!(checked, refused(Vec::new()));
}

#[test]
fn a_dependency_that_is_not_there_names_the_key() {
    insta::assert_snapshot!(refused(vec![service("a", &["x"])]), @"service a depends on x, which is no service of this repository (greenroom.yml, services.a.depends_on)");
}

#[test]
fn two_services_of_one_name_are_told_apart_in_the_file() {
    insta::assert_snapshot!(refused(vec![service("a", &[]), service("a", &[])]), @"two services are called a; give each its own name below `services:` in greenroom.yml");
}

#[test]
fn a_circle_is_named_with_the_place_of_each_of_its_edges() {
    let mut tasks = bare("tasks", &[]);
    tasks.depends_on = vec![Dependency { service: name("web"), origin: DependencyOrigin::Compose }];
    let services = vec![
        bare("database", &["tasks"]),
        reader("restapi", "database", "${output:database.table}"),
        tasks,
        bare("web", &["free", "restapi"]),
        bare("free", &[]),
        bare("behind", &["web"]),
    ];
    insta::assert_snapshot!(refused(services), @"services depend on each other in a circle: web -> restapi -> database -> tasks -> web; remove one of: web -> restapi (depends_on in greenroom.yml), restapi -> database (${output:database.table} in restapi/serverless.yml), database -> tasks (depends_on in greenroom.yml), tasks -> web (serverless-compose.yml)");
}

#[test]
fn a_service_that_waits_for_itself_is_a_circle_too() {
    insta::assert_snapshot!(refused(vec![service("a", &["a"])]), @"services depend on each other in a circle: a -> a; remove one of: a -> a (depends_on in greenroom.yml)");
}
