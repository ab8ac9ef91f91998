//! Dependents follow when the outputs they read have changed.

use super::*;

#[test]
fn an_unchanged_service_follows_the_outputs_of_what_it_reads() {
    let services = vec![bare("database", &[]), bare("restapi", &["database"])];
    let plan =
        World::new(services).deployed(&["database", "restapi"]).changed(&["database/x"]).plan();
    assert_eq!(
        decisions(&plan)[1],
        "restapi: follow, nothing changed since abc1234; deployed only if the outputs of database change"
    );
    assert_eq!(
        shown(&plan.jobs),
        [
            "package database <- ",
            "deploy database <- 0",
            "package restapi <- 1, if outputs of 1 changed",
            "deploy restapi <- 1 2, if any of 2 ran",
        ]
    );
}

#[test]
fn one_that_follows_is_not_tested_again() {
    let services = vec![bare("database", &[]), service("restapi", &["database"])];
    let plan =
        World::new(services).deployed(&["database", "restapi"]).changed(&["database/x"]).plan();
    assert!(plan.jobs.iter().all(|job| job.kind != JobKind::Test));
}

#[test]
fn those_behind_one_that_follows_follow_it_in_turn() {
    let services = vec![bare("a", &[]), bare("b", &["a"]), bare("c", &["b"])];
    let plan = World::new(services).deployed(&["a", "b", "c"]).changed(&["a/x"]).plan();
    assert_eq!(
        shown(&plan.jobs)[2..],
        [
            "package b <- 1, if outputs of 1 changed",
            "deploy b <- 1 2, if any of 2 ran",
            "package c <- 3, if outputs of 3 changed",
            "deploy c <- 3 4, if any of 4 ran",
        ]
    );
}

#[test]
fn a_service_that_changed_itself_runs_whatever_the_outputs_are() {
    let services = vec![bare("a", &[]), bare("b", &["a"])];
    let plan = World::new(services).deployed(&["a", "b"]).changed(&["a/x", "b/x"]).plan();
    assert_eq!(decisions(&plan)[1], "b: run, b/x changed since abc1234");
    assert_eq!(shown(&plan.jobs)[2], "package b <- 1");
}

#[test]
fn every_service_it_may_follow_is_named() {
    let services = vec![bare("a", &[]), bare("b", &[]), bare("c", &["b", "a"])];
    let plan = World::new(services).deployed(&["a", "b", "c"]).changed(&["a/x", "b/x"]).plan();
    assert!(decisions(&plan)[2].ends_with("deployed only if the outputs of b or a change"));
}

#[test]
fn one_reference_to_this_stage_among_others_is_enough_to_follow() {
    let mut restapi = reader("restapi", "database", "${output::prod::database.table}");
    restapi.reads.push("${output:database.key}".parse().expect("a reference"));
    let world = World::new(vec![bare("database", &[]), restapi]);
    let plan = world.deployed(&["database", "restapi"]).changed(&["database/x"]).plan();
    assert!(decisions(&plan)[1].starts_with("restapi: follow"), "{:?}", decisions(&plan));
}

#[test]
fn a_reference_by_the_framework_s_name_counts_too() {
    let mut database = bare("database", &[]);
    database.published_as = Some("fullstack-database".into());
    let mut restapi = reader("restapi", "database", "${output::prod::fullstack-database.table}");
    restapi.reads.push("${output:fullstack-database.key}".parse().expect("a reference"));
    let world = World::new(vec![database, restapi]);
    let plan = world.deployed(&["database", "restapi"]).changed(&["database/x"]).plan();
    assert!(decisions(&plan)[1].starts_with("restapi: follow"), "{:?}", decisions(&plan));
}
