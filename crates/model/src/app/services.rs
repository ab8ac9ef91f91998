//! The `services:` of an app file, for the app and for a stage; and lists of services and regions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use super::ServiceSettings;
use crate::document::Cursor;
use crate::{Region, ServiceName};

pub(super) fn services(cursor: &Cursor<'_>) -> BTreeMap<ServiceName, ServiceSettings> {
    let mut found = BTreeMap::new();
    for entry in cursor.entries().unwrap_or_default() {
        let name = entry.value.parsed::<ServiceName>(entry.key);
        let service = service(&entry.value);
        if let (Some(name), Some(service)) = (name, service) {
            found.insert(name, service);
        }
    }
    found
}

fn service(cursor: &Cursor<'_>) -> Option<ServiceSettings> {
    let fields = cursor.fields(&["regions"])?;
    let place = fields.required(
        "regions",
        "list where the service is deployed, or remove the service to deploy it to the profile's \
         region",
    )?;
    let regions = distinct::<Region>(place)?;
    if regions.is_empty() {
        place.problem(
            "list at least one region, or remove the service to deploy it to the profile's region",
        );
        return None;
    }
    Some(ServiceSettings { regions })
}

/// The services that a rule is for.
pub(super) fn chosen(place: &Cursor<'_>) -> Option<BTreeSet<ServiceName>> {
    let services = distinct::<ServiceName>(place)?;
    if services.is_empty() {
        place.problem("list at least one service, or leave `services` out to build all of them");
        return None;
    }
    Some(services.into_iter().collect())
}

/// A list no item of which stands in it twice.
fn distinct<T: FromStr<Err: Display> + PartialEq + Display>(place: &Cursor<'_>) -> Option<Vec<T>> {
    let items: Vec<T> = place.list()?;
    for (position, item) in items.iter().enumerate() {
        if items[..position].contains(item) {
            place.problem(format!("{item} is listed twice; remove one of them"));
        }
    }
    Some(items)
}
