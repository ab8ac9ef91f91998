//! The fifth step: AWS accounts, each as a profile with a role that this server may assume, and a
//! button that really does so.
//!
//! What always holds: whatever the button, what was entered is kept first. A profile without a role
//! is left out of the app.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use aws::role::{AssumeRole, CallerIdentity, Checked, SessionScope, session_name};
use axum::extract::{Extension, Form, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::{Region, RoleArn};

use super::{Ground, Shell, Step, StepView, html, shell, to};
use crate::auth::Caller;
use crate::error::{Mistake, Result};
use crate::setup::door::Holder;
use crate::setup::draft::{Draft, Profile, Tried, external_id, profile_name};
use crate::setup::role;
use crate::state::State;

/// A page is not kept waiting longer for a machine that has no identity.
const WITHIN: Duration = Duration::from_secs(5);
/// More are written into the app's file.
const MOST_PROFILES: usize = 12;

#[derive(Template)]
#[template(path = "setup_profiles.html")]
struct ProfilesPage {
    shell: Shell,
    steps: Vec<StepView>,
    mistakes: Vec<Mistake>,
    /// As whom this server comes to AWS.
    principal: Option<String>,
    /// Why that is not known.
    unknown: Option<String>,
    profiles: Vec<ProfileView>,
    may_add: bool,
}

struct ProfileView {
    number: usize,
    profile: Profile,
    trust_policy: Option<String>,
    console: String,
    quick_create: Option<String>,
    command: String,
}

pub(super) async fn show(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
) -> Result<Response> {
    let mut ground = Ground::load(&state, &holder).await?;
    if ground.draft.repository.is_none() {
        return Ok(to(Step::Repository).into_response());
    }
    if ground.draft.profiles.is_empty() {
        ground.draft.profiles = Draft::usual_profiles();
        // the external ids are shown from here on: they must not change
        ground.save(&state, &holder).await?;
    }
    page(&state, &caller, &ground, Vec::new()).await
}

async fn page(
    state: &State,
    caller: &Caller,
    ground: &Ground,
    mistakes: Vec<Mistake>,
) -> Result<Response> {
    let profiles = &ground.draft.profiles;
    let server = server(state, profiles).await;
    let (principal, unknown) = match server {
        Ok(identity) => (Some(identity.principal()), None),
        Err(why) => (None, Some(why)),
    };
    let view = |(number, profile): (usize, &Profile)| ProfileView {
        number,
        profile: profile.clone(),
        trust_policy: principal
            .as_deref()
            .map(|principal| role::trust_policy(principal, &profile.external_id)),
        console: role::console(&profile.region),
        quick_create: role::quick_create(principal.as_deref(), profile),
        command: role::command(profile),
    };
    let status =
        if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = html(&ProfilesPage {
        shell: shell(Step::Profiles, caller),
        steps: ground.steps(Step::Profiles),
        mistakes,
        profiles: profiles.iter().enumerate().map(view).collect(),
        may_add: profiles.len() < MOST_PROFILES,
        principal,
        unknown,
    })?;
    Ok((status, page).into_response())
}

/// As whom this server comes to AWS, or why nobody knows.
pub(super) async fn server(
    state: &State,
    profiles: &[Profile],
) -> std::result::Result<CallerIdentity, String> {
    let region = profiles.first().map_or("us-east-1", |profile| profile.region.as_str());
    match tokio::time::timeout(WITHIN, state.minter.identity(region)).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "AWS did not say within {} s as whom this server comes; look at its credentials and \
             its way to sts.{region}.amazonaws.com",
            WITHIN.as_secs()
        )),
    }
}

/// What the buttons of the form want.
enum Wish {
    Next,
    Add,
    Remove(usize),
    Try(usize),
}

impl Wish {
    fn of(text: &str) -> Self {
        let (word, number) = text.split_once(':').unwrap_or((text, ""));
        match (word, number.parse()) {
            ("try", Ok(number)) => Self::Try(number),
            ("remove", Ok(number)) => Self::Remove(number),
            ("add", _) => Self::Add,
            _ => Self::Next,
        }
    }
}

pub(super) async fn enter(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(holder): Extension<Holder>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let mut ground = Ground::load(&state, &holder).await?;
    ground.draft.profiles = entered(&ground.draft.profiles, &fields);
    let wish = fields.iter().find(|(name, _)| name == "do");
    let wish = wish.map_or(Wish::Next, |(_, value)| Wish::of(value));
    let profiles = &mut ground.draft.profiles;
    let at = match &wish {
        Wish::Next => {
            let mistakes = mistakes(profiles);
            ground.save(&state, &holder).await?;
            if !mistakes.is_empty() {
                return page(&state, &caller, &ground, mistakes).await;
            }
            return Ok(to(Step::Rules).into_response());
        }
        Wish::Add => {
            if profiles.len() < MOST_PROFILES {
                profiles.push(Profile::new(""));
            }
            profiles.len().saturating_sub(1)
        }
        Wish::Remove(number) => {
            if *number < profiles.len() && profiles.len() > 1 {
                profiles.remove(*number);
            }
            0
        }
        Wish::Try(number) => {
            // kept first: the call takes a while
            ground.save(&state, &holder).await?;
            if let Some(profile) = ground.draft.profiles.get_mut(*number) {
                profile.tried = Some(tried(&state, profile).await);
            }
            *number
        }
    };
    ground.save(&state, &holder).await?;
    Ok(Redirect::to(&format!("/setup/profiles#profile-{at}")).into_response())
}

/// The profiles as the form has them: in its order, each known by its number.
fn entered(known: &[Profile], fields: &[(String, String)]) -> Vec<Profile> {
    let numbers: BTreeSet<usize> = fields
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("name_")?.parse().ok())
        .filter(|number| *number < MOST_PROFILES)
        .collect();
    if numbers.is_empty() {
        return known.to_vec();
    }
    let field = |name: &str, number: usize| {
        let wanted = format!("{name}_{number}");
        let found = fields.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let profile = |number: usize| {
        let external = field("external_id", number);
        let mut profile = Profile {
            name: field("name", number),
            role_arn: role::role_arn(&field("role_arn", number)),
            region: field("region", number),
            external_id: if external.is_empty() { external_id() } else { external },
            template_url: field("template_url", number),
            tried: None,
        };
        // what was found out holds for what was tried
        if let Some(before) = known.get(number) {
            let same = Profile { tried: before.tried.clone(), ..profile.clone() };
            if same == (Profile { template_url: same.template_url.clone(), ..before.clone() }) {
                profile.tried = before.tried.clone();
            }
        }
        profile
    };
    numbers.into_iter().map(profile).collect()
}

/// What stands in the way of going on.
fn mistakes(profiles: &[Profile]) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for (number, profile) in profiles.iter().enumerate().filter(|(_, one)| !one.is_empty()) {
        let mut mistake = |key: &str, message: String| {
            found.push(Mistake::new(format!("{key}_{number}"), message));
        };
        match profile_name(&profile.name) {
            Ok(name) if !names.insert(name.clone()) => {
                mistake("name", format!("two profiles are called {name}"));
            }
            Ok(_) => {}
            Err(problem) => mistake("name", problem),
        }
        if let Err(error) = profile.role_arn.parse::<RoleArn>() {
            mistake("role_arn", error.to_string());
        }
        if let Err(error) = profile.region.parse::<Region>() {
            mistake("region", error.to_string());
        }
    }
    if profiles.iter().all(Profile::is_empty) {
        let message = "give one profile at least the number of its account, or its role's ARN";
        found.push(Mistake::new("role_arn_0", message));
    }
    found
}

/// Assumes the role as a job would.
async fn tried(state: &State, profile: &Profile) -> Tried {
    let bad = |words: String| Tried { class: "bad".into(), words, detail: String::new() };
    if profile.is_empty() {
        return bad("There is no role to try yet: make it, and write its ARN above.".into());
    }
    if let Err(error) = profile.region.parse::<Region>() {
        return bad(error.to_string());
    }
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let request = AssumeRole {
        role_arn: profile.role_arn.clone(),
        external_id: Some(profile.external_id.clone()).filter(|id| !id.is_empty()),
        region: profile.region.clone(),
        session_name: session_name("setup", &profile.name, "test"),
        tags: vec![tag("app", "setup"), tag("stage", "none"), tag("service", "none")],
        source_identity: Some("greenroom-setup".into()),
        duration: Duration::from_secs(15 * 60),
        scope: SessionScope::Whole,
    };
    match state.minter.check(request).await {
        Ok(Checked::Works(identity)) => Tried {
            class: "ok".into(),
            words: format!(
                "It works: this server is in account {} as {}.",
                identity.account, identity.arn
            ),
            detail: String::new(),
        },
        Ok(Checked::Powerless { identity, detail }) => Tried {
            class: "warn".into(),
            words: format!(
                "The role lets this server into account {}, but may not look at stacks there: give \
                 it the deploy policy (its statements Stacks and StackCallsWithoutAResource).",
                identity.account
            ),
            detail,
        },
        Ok(Checked::Refused { statement, detail }) => {
            Tried { class: "bad".into(), words: statement.to_string(), detail }
        }
        Err(error) => bad(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn form(role: &str) -> Vec<(String, String)> {
        vec![
            field("name_0", "development"),
            field("role_arn_0", role),
            field("region_0", "us-east-1"),
            field("external_id_0", "e"),
        ]
    }

    #[test]
    fn what_was_found_out_holds_as_long_as_nothing_it_was_found_with_changes() {
        let mut known = entered(&[], &form("111111111111"));
        known[0].tried = Some(Tried { class: "ok".into(), words: "w".into(), detail: "".into() });
        assert!(entered(&known, &form("111111111111"))[0].tried.is_some());
        assert!(entered(&known, &form("222222222222"))[0].tried.is_none());
        let moved = [form("111111111111"), vec![field("template_url_0", "https://x")]].concat();
        assert!(entered(&known, &moved)[0].tried.is_some());
    }

    #[test]
    fn a_profile_without_a_role_is_no_mistake_but_none_with_one_is() {
        let usual = Draft::usual_profiles();
        assert_eq!(mistakes(&usual)[0].key, "role_arn_0");
        let mut one = usual.clone();
        one[1].role_arn = "arn:aws:iam::111111111111:role/greenroom-deploy".into();
        assert!(mistakes(&one).is_empty());
        one[2].role_arn = "nonsense".into();
        assert_eq!(mistakes(&one)[0].key, "role_arn_2");
        one[2] = Profile { name: "staging".into(), ..one[1].clone() };
        assert_eq!(mistakes(&one)[0].key, "name_2");
    }

    #[test]
    fn a_form_without_profiles_takes_none_away() {
        let usual = Draft::usual_profiles();
        assert_eq!(entered(&usual, &[field("do", "next")]), usual);
    }
}
