//! What is there of a service, as the account shows it: by the tags of its stacks, and by the names
//! that they have or may have.
//!
//! What always holds: looking changes nothing. What cannot be looked at is said, and is not taken for
//! gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::Stacks;
use aws::role::SessionScope;
use model::personal::{Asker, Found, Source, may_be_named};
use store::instance::Instance;

use super::begin::{Place, endpoint};
use crate::state::State;
use crate::worker_api::credentials::minted;

/// The stacks of the instance that stand now, the main one first.
pub(super) async fn stacks(
    state: &State,
    place: Place<'_>,
    asker: &Asker,
    source: &Source,
    instance: &Instance,
) -> Result<Vec<Found>, String> {
    let request = place.role(asker, source, SessionScope::Inspect);
    let credentials = minted(state, request).await.map_err(|error| error.to_string())?;
    let stacks = Stacks::new(Arc::new(credentials), place.region.as_str(), &endpoint(state))
        .map_err(|error| error.to_string())?;
    let tagged = stacks.tagged(place.region).await.map_err(|error| error.to_string())?;
    let ours = tagged.into_iter().filter(|stack| {
        stack.app == place.app.name.as_str()
            && stack.stage.as_deref() == Some(place.stage.name.as_str())
            && stack.service.as_deref() == Some(place.service.as_str())
    });
    let mut names: Vec<String> = instance.stacks.clone();
    names.extend(may_be_named(&instance.spec, &place.stage.name));
    names.extend(ours.map(|stack| stack.name));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let mut found = Vec::new();
    for name in names {
        let stack = stacks.look(&name).await.map_err(|error| error.to_string())?;
        found.extend(stack.map(|stack| Found {
            name: stack.name,
            status: stack.status.to_string(),
            outputs: stack.outputs,
        }));
    }
    Ok(found)
}
