//! A stage is taken back from its roots.

use super::*;

fn returning(text: &str, depends_on: &[&str]) -> Returning {
    Returning {
        service: name(text),
        region: region("us-east-1"),
        depends_on: depends_on.iter().map(|text| name(text)).collect(),
    }
}

#[test]
fn a_rollback_takes_back_first_what_others_depend_on() {
    let jobs = plan_rollback(&[
        returning("web", &["restapi", "database"]),
        returning("restapi", &["database", "left-alone"]),
        returning("database", &[]),
    ]);
    assert_eq!(
        shown(&jobs),
        ["rollback database <- ", "rollback restapi <- 0", "rollback web <- 0 1"]
    );
}

#[test]
fn every_region_of_what_is_depended_on_comes_before_its_reader() {
    let abroad = Returning { region: region("eu-west-1"), ..returning("database", &[]) };
    let jobs =
        plan_rollback(&[returning("api", &["database"]), returning("database", &[]), abroad]);
    assert_eq!(
        shown(&jobs),
        ["rollback database <- ", "rollback database <- ", "rollback api <- 0 1"]
    );
}

#[test]
fn services_of_different_commits_that_depend_on_each_other_go_side_by_side() {
    let jobs = plan_rollback(&[returning("a", &["b"]), returning("b", &["a"])]);
    assert_eq!(shown(&jobs), ["rollback a <- ", "rollback b <- "]);
}
