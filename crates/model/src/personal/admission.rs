//! Whether somebody gets credentials for a stage on their own machine. Pure.
//!
//! What always holds: a name that the settings give to a long-lived stage, or to the previews of a
//! rule, is never a person's; a preview and another's stage are their owner's whatever role asks; a
//! long-lived stage is only for roles that its profile names, and for nobody while it is frozen.

use std::fmt;

use crate::app::Settings;
use crate::freeze::Freeze;
use crate::permission::Role;
use crate::stage::{StageKind, StageState, same_stage};
use crate::{AppName, BranchName, ProfileName, StageName};

use super::Owner;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub owner: Owner,
    /// In the app.
    pub role: Role,
}

/// What has the name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    pub kind: StageKind,
    pub state: StageState,
    pub profile: ProfileName,
    /// Of a personal stage; one without is nobody's.
    pub owner: Option<Owner>,
    /// Of a preview.
    pub branch: Option<BranchName>,
}

/// How somebody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A stage of their own is made.
    Make,
    /// It is there.
    Reuse,
    LongLived,
}

/// Why nobody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    LongLived { stage: StageName, profile: ProfileName, roles: Vec<Role>, held: Role },
    Frozen { stage: StageName, why: String },
    NeverBuilt { stage: StageName },
    SharedPreview { stage: StageName },
    Preview { stage: StageName, branch: Option<BranchName> },
    Anothers { stage: StageName, owner: Option<String> },
    Removing { stage: StageName },
    NoRight { app: AppName },
}

/// `there`: the open stage of that name; `freezes`: all that freezes it now.
pub fn admit(
    settings: &Settings,
    name: &StageName,
    there: Option<&There>,
    asker: &Asker,
    freezes: &[Freeze],
) -> Result<Admission, Refusal> {
    if !matches!(asker.role, Role::Admin | Role::Deployer) {
        return Err(Refusal::NoRight { app: settings.app.clone() });
    }
    let stage = || name.clone();
    if let Some((name, _)) = settings.stage(name) {
        let profile = settings.profile_of(name);
        long_lived(name, profile.0, &profile.1.laptop, asker)?;
        if let Some(freeze) = freezes.first() {
            return Err(Refusal::Frozen { stage: stage(), why: freeze.sentence() });
        }
        // its row is made by its first build
        return match there {
            Some(_) => Ok(Admission::LongLived),
            None => Err(Refusal::NeverBuilt { stage: stage() }),
        };
    }
    if settings.shared_previews().any(|shared| same_stage(shared, name)) {
        return Err(Refusal::SharedPreview { stage: stage() });
    }
    let Some(there) = there else { return Ok(Admission::Make) };
    match there.kind {
        // one that the settings name no more: nobody decided who may use it
        StageKind::LongLived => {
            long_lived(name, &there.profile, &[], asker).map(|()| Admission::LongLived)
        }
        StageKind::Preview => {
            Err(Refusal::Preview { stage: stage(), branch: there.branch.clone() })
        }
        StageKind::Personal => match &there.owner {
            Some(owner) if owner.is(&asker.owner) => match there.state {
                StageState::Active | StageState::RemoveFailed => Ok(Admission::Reuse),
                StageState::Removing | StageState::Closed => {
                    Err(Refusal::Removing { stage: stage() })
                }
            },
            other => Err(Refusal::Anothers {
                stage: stage(),
                owner: other.as_ref().map(|owner| owner.name.clone()),
            }),
        },
    }
}

fn long_lived(
    stage: &StageName,
    profile: &ProfileName,
    roles: &[Role],
    asker: &Asker,
) -> Result<(), Refusal> {
    if roles.contains(&asker.role) {
        return Ok(());
    }
    Err(Refusal::LongLived {
        stage: stage.clone(),
        profile: profile.clone(),
        roles: roles.to_vec(),
        held: asker.role,
    })
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongLived { stage, profile, roles, held } if roles.is_empty() => write!(
                f,
                "{stage} is a long-lived stage: it is deployed by builds, and you have the role {}. \
                 Choose a name of your own; or an admin names the roles that may, in the app file: \
                 `profiles.{profile}.laptop: [{}]`",
                held.as_str(),
                held.as_str()
            ),
            Self::LongLived { stage, profile, roles, held } => {
                let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                write!(
                    f,
                    "{stage} is a long-lived stage, and its profile {profile} lets only the role {} \
                     in from a laptop; you have the role {}. Choose a name of your own",
                    roles.join(" or "),
                    held.as_str()
                )
            }
            Self::Frozen { stage, why } => write!(f, "{stage} takes no deploy now: {why}"),
            Self::NeverBuilt { stage } => write!(
                f,
                "{stage} is a long-lived stage that was never built: start its first build, \
                 `greenroom build --stage {stage}`"
            ),
            Self::SharedPreview { stage } => write!(
                f,
                "{stage} is the name that a preview rule gives to the previews of pull requests: \
                 choose another"
            ),
            Self::Preview { stage, branch: Some(branch) } => write!(
                f,
                "{stage} is the preview of the branch {branch}: pushes deploy it. Choose another name"
            ),
            Self::Preview { stage, branch: None } => {
                write!(f, "{stage} is a preview of pull requests: choose another name")
            }
            Self::Anothers { stage, owner: Some(owner) } => write!(
                f,
                "{stage} is the personal stage of {owner}, and nobody else deploys to it: choose \
                 another name"
            ),
            Self::Anothers { stage, owner: None } => write!(
                f,
                "{stage} is a personal stage, and of whom is not known any more: choose another name"
            ),
            Self::Removing { stage } => write!(
                f,
                "{stage} is being removed: wait for the end of that, or choose another name"
            ),
            Self::NoRight { app } => {
                write!(f, "to deploy {app} from a laptop needs the role deployer or admin")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::app::parse_json;

    fn settings(laptop: &[&str]) -> Settings {
        let role = "arn:aws:iam::111111111111:role/r";
        let file = json!({
            "app": "workshop", "repository": "acme/workshop", "default_profile": "dev",
            "profiles": {
                "dev": { "role_arn": role, "region": "us-east-1", "laptop": laptop },
                "prod": { "role_arn": role, "region": "us-east-1" },
            },
            "stages": { "dev": { "profile": "dev" }, "prod": { "profile": "prod" } },
            "rules": [{ "preview": { "base": ["master"], "stage_name": { "fixed": "review" } } }],
        });
        parse_json(&file).expect("a file").settings
    }

    fn ann(role: Role) -> Asker {
        Asker { owner: Owner { person: None, name: "ann".into() }, role }
    }

    fn there(kind: StageKind, owner: Option<&str>) -> There {
        There {
            kind,
            state: StageState::Active,
            profile: "dev".parse().unwrap(),
            owner: owner.map(|name| Owner { person: None, name: name.into() }),
            branch: (kind == StageKind::Preview).then(|| "feature/x".parse().unwrap()),
        }
    }

    fn asked(name: &str, there: Option<&There>, asker: &Asker) -> Result<Admission, String> {
        admit(&settings(&[]), &name.parse().unwrap(), there, asker, &[])
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_free_name_becomes_a_stage_of_ones_own_and_is_ones_own_from_then_on() {
        let ann = ann(Role::Deployer);
        assert_eq!(asked("ann", None, &ann), Ok(Admission::Make));
        let mine = there(StageKind::Personal, Some("ann"));
        assert_eq!(asked("ann", Some(&mine), &ann), Ok(Admission::Reuse));
        let failed = There { state: StageState::RemoveFailed, ..mine.clone() };
        assert_eq!(asked("ann", Some(&failed), &ann), Ok(Admission::Reuse));
        let going = There { state: StageState::Removing, ..mine };
        assert!(asked("ann", Some(&going), &ann).unwrap_err().contains("is being removed"));
    }

    #[test]
    fn what_is_anothers_is_refused_with_whose_it_is_even_to_an_admin() {
        let bobs = there(StageKind::Personal, Some("bob"));
        let refused = asked("bob", Some(&bobs), &ann(Role::Admin)).unwrap_err();
        assert!(refused.contains("personal stage of bob"), "{refused}");
        let preview = there(StageKind::Preview, None);
        let refused = asked("feature-x", Some(&preview), &ann(Role::Admin)).unwrap_err();
        assert!(refused.contains("the branch feature/x"), "{refused}");
        let shared = asked("Review", None, &ann(Role::Admin)).unwrap_err();
        assert!(shared.contains("preview rule"), "{shared}");
        let nobodys = there(StageKind::Personal, None);
        assert!(asked("old", Some(&nobodys), &ann(Role::Admin)).is_err());
    }

    #[test]
    fn a_long_lived_stage_is_for_the_roles_that_its_profile_names() {
        let dev = there(StageKind::LongLived, None);
        let refused = asked("DEV", Some(&dev), &ann(Role::Deployer)).unwrap_err();
        assert!(refused.contains("`profiles.dev.laptop: [deployer]`"), "{refused}");
        let open = settings(&["admin"]);
        let asked = |name: &str, role| {
            admit(&open, &name.parse().unwrap(), Some(&dev), &ann(role), &[])
                .map_err(|refusal| refusal.to_string())
        };
        assert_eq!(asked("dev", Role::Admin), Ok(Admission::LongLived));
        let refused = asked("dev", Role::Deployer).unwrap_err();
        assert!(refused.contains("only the role admin"), "{refused}");
        assert!(asked("prod", Role::Admin).is_err(), "another profile");
        assert!(asked("forgotten", Role::Admin).is_err(), "the settings name it no more");
        let never = admit(&open, &"dev".parse().unwrap(), None, &ann(Role::Admin), &[]);
        assert!(never.unwrap_err().to_string().contains("never built"));
    }

    #[test]
    fn a_frozen_stage_is_refused_with_the_reason() {
        let frozen = crate::freeze::Frozen {
            reason: "the sales".into(),
            by: "bob".into(),
            since: chrono::DateTime::UNIX_EPOCH,
            until: None,
        };
        let now = chrono::DateTime::UNIX_EPOCH;
        let freezes = crate::freeze::in_force(Some(&frozen), &[], now);
        let dev = there(StageKind::LongLived, None);
        let asker = ann(Role::Admin);
        let refused =
            admit(&settings(&["admin"]), &"dev".parse().unwrap(), Some(&dev), &asker, &freezes);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("takes no deploy now") && refused.contains("sales"), "{refused}");
    }

    #[test]
    fn a_viewer_has_no_right() {
        for role in [Role::Viewer, Role::Worker] {
            let refused = asked("ann", None, &ann(role)).unwrap_err();
            assert!(refused.contains("needs the role deployer or admin"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn nobody_makes_a_stage_of_a_name_that_the_settings_or_an_open_stage_have(
            name in "(dev|DEV|Prod|review|REVIEW|ann|x-1)",
            kind in prop_oneof![
                Just(None), Just(Some(StageKind::LongLived)), Just(Some(StageKind::Preview)),
                Just(Some(StageKind::Personal)),
            ],
            owner in prop_oneof![Just(None), Just(Some("ann")), Just(Some("bob"))],
            admin in any::<bool>(),
        ) {
            let settings = settings(&["admin", "deployer"]);
            let stage: StageName = name.parse().unwrap();
            let there = kind.map(|kind| there(kind, owner));
            let asker = ann(if admin { Role::Admin } else { Role::Deployer });
            let admission = admit(&settings, &stage, there.as_ref(), &asker, &[]);
            let named = settings.stage(&stage).is_some()
                || settings.shared_previews().any(|shared| same_stage(shared, &stage));
            match admission {
                Ok(Admission::Make) => prop_assert!(!named && there.is_none()),
                Ok(Admission::Reuse) => {
                    prop_assert!(!named);
                    prop_assert_eq!(kind, Some(StageKind::Personal));
                    prop_assert_eq!(owner, Some("ann"));
                }
                Ok(Admission::LongLived) => prop_assert!(settings.stage(&stage).is_some()),
                Err(_) => {}
            }
        }
    }
}
