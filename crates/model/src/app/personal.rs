//! What an app file says of work from people's own machines: `personal`, and `laptop` of a profile.

use super::PersonalSettings;
use crate::document::Cursor;
use crate::permission::Role;

pub(super) fn personal(place: &Cursor<'_>) -> Option<PersonalSettings> {
    let fields = place.fields(&["expires_after"])?;
    let expires_after = fields
        .required(
            "expires_after",
            "write how long an unused one lives, like 14d; or leave `personal` out",
        )
        .and_then(Cursor::parse)?;
    Some(PersonalSettings { expires_after })
}

/// The roles of a list, none twice.
pub(super) fn laptop(place: &Cursor<'_>) -> Option<Vec<Role>> {
    let role = |item: &Cursor<'_>| match item.text()?.trim() {
        "admin" => Some(Role::Admin),
        "deployer" => Some(Role::Deployer),
        other => {
            item.problem(format!(
                "{other:?} is no role that deploys; write admin or deployer, or remove it"
            ));
            None
        }
    };
    let found: Vec<Option<Role>> = place.items()?.iter().map(role).collect();
    let mut roles: Vec<Role> = found.into_iter().collect::<Option<_>>()?;
    let all = roles.len();
    let mut seen = Vec::new();
    roles.retain(|role| {
        let is_new = !seen.contains(role);
        seen.push(*role);
        is_new
    });
    if roles.len() < all {
        place.problem("a role stands here twice; write each once");
        return None;
    }
    Some(roles)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::app::{diff, parse_json, parse_yaml, write};
    use crate::permission::Role;

    fn file(laptop: &Value, personal: &Value) -> Value {
        let mut file = json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "dev",
            "profiles": { "dev": {
                "role_arn": "arn:aws:iam::111111111111:role/r", "region": "us-east-1",
            } },
        });
        if !laptop.is_null() {
            file["profiles"]["dev"]["laptop"] = laptop.clone();
        }
        if !personal.is_null() {
            file["personal"] = personal.clone();
        }
        file
    }

    #[test]
    fn who_may_deploy_from_a_laptop_and_how_long_personal_stages_live_is_read_and_written() {
        let whole = file(&json!(["admin", "deployer"]), &json!({ "expires_after": "14d" }));
        let settings = parse_json(&whole).expect("a file").settings;
        let dev = &settings.profiles[&"dev".parse().unwrap()];
        assert_eq!(dev.laptop, [Role::Admin, Role::Deployer]);
        assert_eq!(settings.personal.unwrap().expires_after.to_string(), "14d");
        let text = write(&settings);
        assert!(text.contains("laptop: [admin, deployer]"), "{text}");
        assert!(text.contains("personal: { expires_after: 14d }"), "{text}");
        assert_eq!(parse_yaml(&text).expect("the same").settings, settings);
        let before = parse_json(&file(&Value::Null, &Value::Null)).expect("a file").settings;
        let changes: Vec<String> =
            diff(Some(&before), &settings).iter().map(ToString::to_string).collect();
        assert_eq!(
            changes,
            ["+ personal.expires_after: 14d", "+ profiles.dev.laptop: [\"admin\",\"deployer\"]",]
        );
    }

    #[test]
    fn what_is_wrong_in_them_is_told_with_its_place() {
        for (laptop, personal, place, part) in [
            (json!(["viewer"]), Value::Null, "profiles.dev.laptop[0]", "admin or deployer"),
            (json!(["admin", "admin"]), Value::Null, "profiles.dev.laptop", "twice"),
            (Value::Null, json!({}), "personal", "14d"),
            (Value::Null, json!({ "expires_after": "soon" }), "personal.expires_after", "7d"),
        ] {
            let problems = parse_json(&file(&laptop, &personal)).expect_err("a mistake");
            let told = &problems[0];
            assert_eq!(told.key, place, "{problems:?}");
            assert!(told.message.contains(part), "{told:?}");
        }
    }
}
