//! Single changes of settings, as the small forms of the settings page ask for them.
//!
//! What always holds: what comes of a change is read like any other file, so it holds together or
//! every problem is named; what is removed is what whoever removes it saw.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{AppFile, Problem, SecretPlace, Settings, parse_json};
use crate::StageName;

/// One change.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Adds a parameter, or gives it another value.
    SetParameter {
        place: SecretPlace,
        key: String,
        form: ParameterForm,
    },
    RemoveParameter {
        place: SecretPlace,
        key: String,
    },
    /// Who may approve, and for how long an approval is waited for as the file writes it; empty:
    /// the usual.
    Approvers {
        stage: StageName,
        names: Vec<String>,
        expires_after: String,
    },
    /// A rule as the file writes it.
    AddRule(Value),
    /// The rule of this number, if it still is what was seen.
    RemoveRule {
        at: usize,
        seen: Value,
    },
    /// A freeze window as the file writes it.
    AddFreeze {
        stage: StageName,
        window: Value,
    },
    RemoveFreeze {
        stage: StageName,
        at: usize,
        seen: Value,
    },
}

/// Where the value of a parameter is to come from.
#[derive(Debug, Clone)]
pub enum ParameterForm {
    Plain(String),
    /// Kept by the server, encrypted.
    Secret(SecretString),
    /// The name of a variable of the server's environment.
    SecretEnv(String),
    Ssm(String),
    SecretsManager(String),
}

/// The settings with the change, as a file.
pub fn edit(settings: &Settings, edit: &Edit) -> Result<AppFile, Vec<Problem>> {
    let mut file = serde_json::to_value(settings).expect("settings are plain data with text keys");
    carry_out(&mut file, edit).map_err(|problem| vec![problem])?;
    parse_json(&file)
}

fn carry_out(file: &mut Value, edit: &Edit) -> Result<(), Problem> {
    match edit {
        Edit::SetParameter { place, key, form } => {
            let value = match form {
                ParameterForm::Plain(text) => json!(text),
                ParameterForm::Secret(value) if value.expose_secret().is_empty() => {
                    return Err(problem(place, key, "the secret is empty; type its value"));
                }
                ParameterForm::Secret(value) => json!({ "secret": value.expose_secret() }),
                ParameterForm::SecretEnv(name) => json!({ "secret_env": name }),
                ParameterForm::Ssm(name) => json!({ "ssm": name }),
                ParameterForm::SecretsManager(name) => json!({ "secretsmanager": name }),
            };
            let whose = owner(file, place).ok_or_else(|| gone(place))?;
            let parameters = whose.entry("parameters").or_insert_with(|| json!({}));
            parameters[key.as_str()] = value;
        }
        Edit::RemoveParameter { place, key } => {
            let parameters = owner(file, place).and_then(|whose| whose.get_mut("parameters"));
            let removed = parameters.and_then(Value::as_object_mut).and_then(|all| all.remove(key));
            removed.ok_or_else(|| problem(place, key, "there is no such parameter any more"))?;
        }
        Edit::Approvers { stage, names, expires_after } => {
            let whose = staged(file, stage)?;
            set(whose, "approvers", (!names.is_empty()).then(|| json!(names)));
            let given = Some(expires_after).filter(|text| !text.is_empty());
            set(whose, "approval_expires_after", given.map(|text| json!(text)));
        }
        Edit::AddRule(rule) => list(file, "rules").push(rule.clone()),
        Edit::RemoveRule { at, seen } => take(list(file, "rules"), "rules", *at, seen)?,
        Edit::AddFreeze { stage, window } => {
            let whose = staged(file, stage)?;
            windows(whose).push(window.clone());
        }
        Edit::RemoveFreeze { stage, at, seen } => {
            let key = format!("stages.{stage}.freeze");
            take(windows(staged(file, stage)?), &key, *at, seen)?;
        }
    }
    Ok(())
}

fn owner<'v>(file: &'v mut Value, place: &SecretPlace) -> Option<&'v mut Map<String, Value>> {
    let whose = match place {
        SecretPlace::Profile(name) => file.get_mut("profiles")?.get_mut(name.as_str()),
        SecretPlace::Stage(name) => file.get_mut("stages")?.get_mut(name.as_str()),
        // it has no parameters
        SecretPlace::Receiver(_) => None,
    };
    whose?.as_object_mut()
}

fn staged<'v>(
    file: &'v mut Value,
    stage: &StageName,
) -> Result<&'v mut Map<String, Value>, Problem> {
    let place = SecretPlace::Stage(stage.clone());
    owner(file, &place).ok_or_else(|| gone(&place))
}

fn list<'v>(file: &'v mut Value, key: &str) -> &'v mut Vec<Value> {
    let place = &mut file[key];
    if !place.is_array() {
        *place = json!([]);
    }
    place.as_array_mut().expect("it was made a list")
}

fn windows(stage: &mut Map<String, Value>) -> &mut Vec<Value> {
    let place = stage.entry("freeze").or_insert_with(|| json!([]));
    if !place.is_array() {
        *place = json!([place.take()]);
    }
    place.as_array_mut().expect("it was made a list")
}

fn set(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
}

/// Removes an item only if it is the one that was seen: others may have come or gone meanwhile.
fn take(list: &mut Vec<Value>, key: &str, at: usize, seen: &Value) -> Result<(), Problem> {
    if list.get(at) != Some(seen) {
        return Err(Problem {
            key: format!("{key}[{at}]"),
            line: None,
            message: "it was changed or removed meanwhile; look at the settings again".into(),
        });
    }
    list.remove(at);
    Ok(())
}

fn problem(place: &SecretPlace, key: &str, message: &str) -> Problem {
    Problem { key: format!("{place}.parameters.{key}"), line: None, message: message.into() }
}

fn gone(place: &SecretPlace) -> Problem {
    Problem {
        key: place.to_string(),
        line: None,
        message: "the settings have no such part any more; look at them again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{SecretInput, diff};

    fn settings() -> Settings {
        let value = json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "dev",
            "profiles": { "dev": {
                "role_arn": "arn:aws:iam::111111111111:role/r", "region": "us-east-1",
                "parameters": { "level": "info" },
            } },
            "stages": { "prod": {
                "profile": "dev",
                "freeze": { "time": "2026-12-24", "duration": "P3D", "reason": "Christmas" },
            } },
            "rules": [{ "branch": "master", "stage": "prod" }],
        });
        parse_json(&value).expect("a file").settings
    }

    fn changes(change: &Edit) -> Vec<String> {
        let file = edit(&settings(), change).expect("a file");
        diff(Some(&settings()), &file.settings).iter().map(ToString::to_string).collect()
    }

    fn profile() -> SecretPlace {
        SecretPlace::Profile("dev".parse().unwrap())
    }

    fn stage() -> StageName {
        "prod".parse().unwrap()
    }

    #[test]
    fn a_parameter_is_added_changed_and_removed() {
        let set = |key: &str, text: &str| Edit::SetParameter {
            place: profile(),
            key: key.into(),
            form: ParameterForm::Plain(text.into()),
        };
        assert_eq!(changes(&set("new", "x")), ["+ profiles.dev.parameters.new: x"]);
        assert_eq!(changes(&set("level", "x")), ["~ profiles.dev.parameters.level: info -> x"]);
        let remove = Edit::RemoveParameter { place: profile(), key: "level".into() };
        assert_eq!(changes(&remove), ["- profiles.dev.parameters.level: info"]);
        let gone = Edit::RemoveParameter { place: profile(), key: "no".into() };
        assert_eq!(edit(&settings(), &gone).unwrap_err()[0].key, "profiles.dev.parameters.no");
        let wrong = edit(&settings(), &set("no key", "x")).unwrap_err();
        assert!(wrong[0].message.contains("parameter key"), "{wrong:?}");
    }

    #[test]
    fn the_value_of_a_secret_leaves_the_settings_at_once() {
        let place = SecretPlace::Stage(stage());
        let form = ParameterForm::Secret("s3cr3t".into());
        let change = Edit::SetParameter { place: place.clone(), key: "key".into(), form };
        let file = edit(&settings(), &change).expect("a file");
        assert!(!serde_json::to_string(&file.settings).unwrap().contains("s3cr3t"));
        let secret = &file.secrets[&(place.clone(), "key".parse().unwrap())];
        assert!(matches!(secret, SecretInput::Given(value) if value.expose_secret() == "s3cr3t"));
        let form = ParameterForm::Secret("".into());
        let empty = Edit::SetParameter { place, key: "key".into(), form };
        assert!(edit(&settings(), &empty).is_err(), "an empty field keeps nothing by accident");
    }

    #[test]
    fn approvers_are_set_and_taken_away() {
        let with = |names: &[&str], expires_after: &str| Edit::Approvers {
            stage: stage(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            expires_after: expires_after.into(),
        };
        assert_eq!(
            changes(&with(&["ann", "bob"], "2d")),
            [
                "+ stages.prod.approval_expires_after: 2d",
                "+ stages.prod.approvers: [\"ann\",\"bob\"]"
            ]
        );
        assert_eq!(changes(&with(&[], "")), Vec::<String>::new());
        assert!(edit(&settings(), &with(&["ann"], "soon")).is_err());
    }

    #[test]
    fn what_is_removed_is_what_was_seen() {
        let rules = serde_json::to_value(&settings().rules).unwrap();
        let seen = Edit::RemoveRule { at: 0, seen: rules[0].clone() };
        assert_eq!(edit(&settings(), &seen).unwrap().settings.rules, []);
        let other = Edit::RemoveRule { at: 0, seen: json!({ "branch": "x", "stage": "prod" }) };
        assert!(edit(&settings(), &other).unwrap_err()[0].message.contains("meanwhile"));
        let window = serde_json::to_value(&settings().stages[&stage()].freeze).unwrap();
        let thaw = Edit::RemoveFreeze { stage: stage(), at: 0, seen: window[0].clone() };
        assert_eq!(edit(&settings(), &thaw).unwrap().settings.stages[&stage()].freeze, []);
    }

    #[test]
    fn a_rule_and_a_window_are_added_behind_the_others() {
        let rule = Edit::AddRule(json!({ "tag": "v*", "stage": "prod", "trigger": "manual" }));
        assert_eq!(edit(&settings(), &rule).unwrap().settings.rules.len(), 2);
        let again = Edit::AddRule(json!({ "branch": "master", "stage": "prod" }));
        assert!(edit(&settings(), &again).unwrap_err()[0].message.contains("already"));
        let window = json!({ "time": "2027-01-01", "duration": "P1D", "reason": "New Year" });
        let freeze = Edit::AddFreeze { stage: stage(), window };
        assert_eq!(edit(&settings(), &freeze).unwrap().settings.stages[&stage()].freeze.len(), 2);
    }
}
