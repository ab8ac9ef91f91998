//! What changes a stage's digest, and what does not.

use chrono::TimeDelta;
use rstest::rstest;

use super::*;
use crate::app::parse_yaml;

const FILE: &str = "app: workshop
repository: acme/workshop
default_profile: development
profiles:
  development:
    role_arn: arn:aws:iam::111111111111:role/g
    region: us-east-1
    parameters: { env: dev, token: { secret: hunter2 }, far: { ssm: /dev/far } }
stages:
  dev: { profile: development, parameters: { key: { secret: tr0ub4dor } } }
  staging: { profile: development }
";

fn times(seconds: i64) -> SecretTimes {
    let place = |place: SecretPlace, key: &str| (place, key.parse().expect("a key"));
    let profile = SecretPlace::Profile("development".parse().expect("a profile"));
    let stage = SecretPlace::Stage("dev".parse().expect("a stage"));
    let at = DateTime::UNIX_EPOCH;
    BTreeMap::from([
        (place(profile, "token"), at),
        (place(stage, "key"), at + TimeDelta::seconds(seconds)),
    ])
}

fn digest(file: &str, stage: &str, times: &SecretTimes) -> String {
    let settings = parse_yaml(file).unwrap_or_else(|problems| panic!("{problems:?}")).settings;
    parameters_digest(&settings, &stage.parse().expect("a stage"), times)
}

#[test]
fn the_same_parameters_have_the_same_digest() {
    let one = digest(FILE, "dev", &times(0));
    assert_eq!(one, digest(FILE, "dev", &times(0)));
    assert_eq!(one.len(), 64);
    assert_ne!(one, digest(FILE, "staging", &times(0)));
}

#[rstest]
#[case("env: dev", "env: test")]
#[case("env: dev", "environment: dev")]
#[case("env: dev", "env: dev, more: ''")]
#[case("ssm: /dev/far", "ssm: /dev/near")]
#[case("ssm: /dev/far", "secretsmanager: /dev/far")]
#[case("{ ssm: /dev/far }", "ssm:/dev/far")]
#[case("key: { secret: tr0ub4dor }", "key: plain")]
fn another_parameter_value_or_source_is_another_digest(#[case] from: &str, #[case] to: &str) {
    assert!(FILE.contains(from));
    assert_ne!(digest(FILE, "dev", &times(0)), digest(&FILE.replace(from, to), "dev", &times(0)));
}

#[test]
fn a_secret_that_got_another_value_changes_the_digest_of_the_stages_that_have_it() {
    assert_ne!(digest(FILE, "dev", &times(0)), digest(FILE, "dev", &times(1)));
    assert_eq!(digest(FILE, "staging", &times(0)), digest(FILE, "staging", &times(1)));
}

#[test]
fn a_secret_of_another_place_changes_the_digest_whatever_its_time() {
    let moved = FILE.replace("key: { secret: tr0ub4dor }", "token: { secret: tr0ub4dor }");
    let all_at_once: SecretTimes = [("profiles", "token"), ("stages", "token"), ("stages", "key")]
        .map(|(whose, key)| {
            let place = match whose {
                "stages" => SecretPlace::Stage("dev".parse().expect("a stage")),
                _ => SecretPlace::Profile("development".parse().expect("a profile")),
            };
            ((place, key.parse().expect("a key")), DateTime::UNIX_EPOCH)
        })
        .into();
    let without = FILE.replace("key: { secret: tr0ub4dor }", "");
    assert_ne!(digest(&without, "dev", &all_at_once), digest(&moved, "dev", &all_at_once));
}

#[test]
fn what_is_no_parameter_does_not_change_the_digest() {
    let other = FILE.replace("us-east-1", "eu-west-1").replace("role/g", "role/h");
    assert_eq!(digest(FILE, "dev", &times(0)), digest(&other, "dev", &times(0)));
}
