//! The parameters that stand in an address, each with one meaning everywhere.

use serde_json::{Value, json};

/// A parameter by its name in the address; `None`: nobody has said yet what it is.
fn schema(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "app" => ("AppName", "The name of the app."),
        "stage" => ("StageName", "The name of the stage, in any case of letters."),
        "profile" => ("ProfileName", "The name of the profile."),
        "service" => ("ServiceName", "The name of the service."),
        "number" => ("RowNumber", "The number of the build or revision within its app."),
        "guid" => ("DeliveryGuid", "GitHub's id of the delivery."),
        "id" => ("Id", "The id, as lists tell it."),
        _ => return None,
    })
}

/// Those of a path, in order.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

pub(super) fn parameters(path: &str) -> Vec<Value> {
    let said = names(path).filter_map(|name| Some((name, schema(name)?)));
    said.map(|(name, (schema, about))| {
        json!({
            "name": name, "in": "path", "required": true, "description": about,
            "schema": { "$ref": format!("#/components/schemas/{schema}") },
        })
    })
    .collect()
}
