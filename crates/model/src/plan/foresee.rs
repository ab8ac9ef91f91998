//! The jobs that look what a pull request would change in the stage it is meant for.
//!
//! What always holds: nothing waits for such a job, and its end decides nothing: a deploy is never
//! held up by a look at another stage.

use super::{Condition, Decision, Plan, PlannedJob, Regions};
use crate::job::JobKind;

/// Adds a job for each service that the plan runs, in each region that the other stage has it in.
/// It waits for the service's test: what does not pass reaches no other stage.
pub fn foresee(plan: &mut Plan, there: &Regions) {
    let mut seen = std::collections::BTreeSet::new();
    for planned in &plan.services {
        match planned.decision {
            Decision::Run { .. } => {}
            Decision::Follow { .. } | Decision::Skip { .. } => continue,
        }
        let service = &planned.service.name;
        if !seen.insert(service) {
            continue;
        }
        let test = plan
            .jobs
            .iter()
            .position(|job| job.kind == JobKind::Test && job.service.as_ref() == Some(service));
        plan.jobs.extend(there.of(service).iter().map(|region| PlannedJob {
            kind: JobKind::Foresee,
            service: Some(service.clone()),
            region: Some(region.clone()),
            needs: test.into_iter().collect(),
            condition: Condition::Always,
        }));
    }
}
