//! What a pull request would change elsewhere is looked at beside its own deploys.

use super::*;

fn there(of: &[(&str, &[&str])]) -> Regions {
    let regions = |names: &[&str]| names.iter().map(|text| region(text)).collect();
    Regions {
        default: region("us-east-1"),
        of: of.iter().map(|(service, names)| (name(service), regions(names))).collect(),
    }
}

#[test]
fn each_region_of_the_other_stage_is_looked_at_when_the_test_has_passed() {
    let services = vec![service("restapi", &["database"]), bare("database", &[])];
    let mut plan = World::new(services).plan();
    let deploys = plan.jobs.clone();
    foresee(&mut plan, &there(&[("restapi", &["us-east-1", "eu-west-1"])]));
    assert_eq!(plan.jobs[..deploys.len()], deploys, "no deploy waits for it");
    let test = deploys.iter().position(|job| job.kind == JobKind::Test).expect("a test");
    assert_eq!(
        shown(&plan.jobs[deploys.len()..]),
        [
            "foresee database <- ".to_owned(),
            format!("foresee restapi <- {test}"),
            format!("foresee restapi <- {test}"),
        ]
    );
    let regions: Vec<_> = plan.jobs[deploys.len() + 1..].iter().map(|job| &job.region).collect();
    assert_eq!(regions, [&Some(region("us-east-1")), &Some(region("eu-west-1"))]);
}

#[test]
fn what_is_skipped_or_only_follows_is_not_looked_at() {
    let services = vec![bare("database", &[]), bare("restapi", &["database"]), bare("web", &[])];
    let world = World::new(services).deployed(&["database", "restapi", "web"]);
    let mut plan = world.changed(&["database/serverless.yml"]).plan();
    let before = plan.jobs.len();
    foresee(&mut plan, &there(&[]));
    assert_eq!(shown(&plan.jobs[before..]), ["foresee database <- "]);
}
