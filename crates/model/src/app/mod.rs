//! The app file: what the server decides about a repository (where its builds go, and as whom).
//!
//! What always holds: a [`Settings`] value that [`parse_yaml`] or [`parse_json`] answered is whole:
//! every stage and the default name a profile that exists, every rule names a stage that exists, no
//! two stages differ in case alone, and no preview rule's fixed stage has the name of a stage. Stored settings are read back with serde, which does not look
//! again; text from outside never goes that way.

mod consequence;
mod count;
mod diff;
mod digest;
mod drift_every;
mod edit;
mod file;
mod freeze;
mod lifetime;
mod notifications;
mod parameter;
mod pattern;
mod personal;
mod profiles;
mod remote;
mod rule;
mod rules;
pub mod safeguard;
mod services;
mod settings;
mod stages;
mod warnings;
mod write;
mod written;

pub use consequence::{Consequence, consequences};
pub use count::{Concurrency, InvalidConcurrency, InvalidPreviewLimit, PreviewLimit};
pub use diff::{Change, diff};
pub use digest::{SecretTimes, digest_of, parameters_digest};
pub use drift_every::{DriftEvery, InvalidInterval};
pub use edit::{Edit, ParameterForm, edit};
pub use file::{AppFile, Secrets, parse_json, parse_yaml};
pub use freeze::FreezeWindow;
pub use lifetime::{InvalidLifetime, Lifetime};
pub use parameter::SecretInput;
pub use pattern::{InvalidRefPattern, RefGlob, RefPattern};
pub use remote::{InvalidRemote, RemoteParameter};
pub use rule::{Destroy, Drafts, PreviewDeploy, PreviewRule, PreviewStageName, Rule, Trigger};
pub use safeguard::{Level, Policy, Safeguard};
pub use settings::{
    PersonalSettings, Profile, SecretPlace, SecretSource, ServiceSettings, Settings,
    StageParameter, StageSettings, Value,
};
pub use write::write;

pub use crate::document::Problem;
