//! Services in several regions: a row for each of them.

use super::*;

/// `service@region: run|follow|skip`.
fn rows(plan: &Plan) -> Vec<String> {
    let row = |planned: &PlannedService| {
        let decision = match planned.decision {
            Decision::Run { .. } => "run",
            Decision::Follow { .. } => "follow",
            Decision::Skip { .. } => "skip",
        };
        let region = planned.region.as_ref().expect("a region");
        format!("{}@{region}: {decision}", planned.service.name)
    };
    plan.services.iter().map(row).collect()
}

fn where_shown(plan: &Plan) -> Vec<String> {
    let place = |job: &PlannedJob| job.region.as_ref().map_or(String::new(), |r| format!(" @{r}"));
    let jobs = shown(&plan.jobs);
    jobs.iter().zip(&plan.jobs).map(|(text, job)| format!("{text}{}", place(job))).collect()
}

#[test]
fn a_service_has_a_row_for_each_region_and_is_tested_once() {
    let world = World::new(vec![service("api", &[])]);
    let plan = world.in_regions("api", &["us-east-1", "eu-west-1"]).plan();
    assert_eq!(rows(&plan), ["api@us-east-1: run", "api@eu-west-1: run"]);
    assert_eq!(
        where_shown(&plan),
        [
            "test api <- ",
            "package api <- 0 @us-east-1",
            "deploy api <- 1 @us-east-1",
            "package api <- 0 @eu-west-1",
            "deploy api <- 3 @eu-west-1",
        ]
    );
}

#[test]
fn a_region_that_came_later_runs_while_the_others_are_left_alone() {
    let world = World::new(vec![bare("api", &[])]).deployed(&["api"]);
    let plan = world.in_regions("api", &["us-east-1", "eu-west-1"]).plan();
    assert_eq!(rows(&plan), ["api@us-east-1: skip", "api@eu-west-1: run"]);
}

#[test]
fn a_dependency_in_the_same_region_is_the_one_to_wait_for() {
    let both = ["us-east-1", "eu-west-1"];
    let world = World::new(vec![bare("database", &[]), bare("api", &["database"])]);
    let plan = world.in_regions("database", &both).in_regions("api", &both).plan();
    assert_eq!(
        where_shown(&plan)[4..],
        [
            "package api <- 1 @us-east-1",
            "deploy api <- 1 4 @us-east-1",
            "package api <- 3 @eu-west-1",
            "deploy api <- 3 6 @eu-west-1",
        ]
    );
}

#[test]
fn a_dependency_that_is_in_no_region_of_ours_is_waited_for_in_all_of_its_own() {
    let world = World::new(vec![bare("database", &[]), bare("api", &["database"])]);
    let world = world.in_regions("database", &["us-east-1", "eu-west-1"]);
    let plan = world.in_regions("api", &["eu-central-1"]).plan();
    assert_eq!(where_shown(&plan)[4], "package api <- 1 3 @eu-central-1");
}

#[test]
fn a_service_follows_the_deploy_of_its_own_region() {
    let both = ["us-east-1", "eu-west-1"];
    let world = World::new(vec![bare("database", &[]), bare("api", &["database"])]);
    let world = world.in_regions("database", &both).in_regions("api", &both);
    let plan = world.deployed(&["database", "api"]).changed(&["database/x"]).plan();
    assert_eq!(
        where_shown(&plan)[4..],
        [
            "package api <- 1, if outputs of 1 changed @us-east-1",
            "deploy api <- 1 4, if any of 4 ran @us-east-1",
            "package api <- 3, if outputs of 3 changed @eu-west-1",
            "deploy api <- 3 6, if any of 6 ran @eu-west-1",
        ]
    );
}

#[test]
fn nothing_follows_a_deploy_of_another_region_while_its_own_stays() {
    let both = ["us-east-1", "eu-west-1"];
    let world = World::new(vec![bare("database", &[]), bare("api", &["database"])]);
    let mut world = world.in_regions("database", &both).in_regions("api", &both);
    world = world.deployed(&["database", "api"]);
    world.deployed.remove(&(name("database"), region("eu-west-1")));
    assert_eq!(
        rows(&world.plan()),
        [
            "database@us-east-1: skip",
            "database@eu-west-1: run",
            "api@us-east-1: skip",
            "api@eu-west-1: follow",
        ]
    );
}

#[test]
fn a_reference_that_names_a_region_waits_for_the_deploys_of_every_region() {
    let both = ["us-east-1", "eu-west-1"];
    let api = reader("api", "database", "${output:::eu-west-1:database.table}");
    let world = World::new(vec![bare("database", &[]), api]);
    let world = world.in_regions("database", &both).in_regions("api", &["us-east-1"]);
    assert_eq!(where_shown(&world.plan())[4], "package api <- 1 3 @us-east-1");
    let mut world = world.deployed(&["database", "api"]);
    world.deployed.remove(&(name("database"), region("eu-west-1")));
    assert_eq!(rows(&world.plan())[2], "api@us-east-1: follow");
}
