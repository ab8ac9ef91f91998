//! Keeps an identity that was just made, and takes it into use.
//!
//! What always holds: it is in the database, encrypted, before it is used; the people who were named
//! as admins are admins in the same transaction. Who could not be found on GitHub is told on the
//! next page, and stops nothing.

use ::github::GitHub;
use model::permission::Role;
use model::{Login, PersonId};
use serde_json::json;
use store::audit::Deed;
use store::github_app::Identity;

use super::Ground;
use crate::audit::{self, Did};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::setup::door::Holder;
use crate::setup::identity::usable;
use crate::state::State;

/// As whom the server speaks, in words.
pub(super) fn who(identity: &::github::Identity) -> String {
    match &identity.app {
        Some(app) => format!("the GitHub App {}", app.slug),
        None => "a token".to_owned(),
    }
}

/// `maker`: GitHub's number and login of the person whose it is.
pub(super) async fn keep(
    state: &State,
    caller: &Caller,
    holder: &Holder,
    ground: &mut Ground,
    identity: Identity,
    maker: Option<(u64, String)>,
) -> Result<()> {
    let usable = usable(&state.github, identity.clone())
        .map_err(|error| Error::Upstream(error.to_string()))?;
    let (people, remarks) = people(&usable.github, maker, &ground.draft.admins).await;
    ground.draft.state = None;
    ground.draft.remarks = remarks;
    let mut tx = state.db.begin().await?;
    store::github_app::put(&mut tx, &state.vault, state.id(), &identity, state.now()).await?;
    for (number, login) in &people {
        let (id, now) = (PersonId(state.id()), state.now());
        let person = store::person::signed_in(&mut tx, id, *number, login, None, now).await?;
        store::person::grant(&mut tx, person.id, Some(Role::Admin)).await?;
    }
    ground.draft.save(state, &mut tx, holder).await?;
    let admins: Vec<&str> = people.iter().map(|(_, login)| login.as_str()).collect();
    let detail = match &identity {
        Identity::App(app) => json!({ "app": app.slug, "owner": app.owner, "admins": admins }),
        Identity::Token { .. } => json!({ "token": true, "admins": admins }),
    };
    audit::record(state, &mut tx, caller, Did::of_server(Deed::ConnectGithub).detail(detail))
        .await?;
    tx.commit().await.map_err(Error::internal)?;
    ground.identity = Some(std::sync::Arc::new(usable.clone()));
    state.github.set(usable);
    tracing::info!("the server has an identity on GitHub");
    Ok(())
}

/// The accounts of the admins, and what to say of those that there are none of.
async fn people(
    github: &GitHub,
    maker: Option<(u64, String)>,
    admins: &[String],
) -> (Vec<(i64, Login)>, Vec<String>) {
    let (mut found, mut remarks) = (Vec::new(), Vec::new());
    let mut add = |number: u64, login: &str| {
        if let (Ok(number), Ok(login)) = (i64::try_from(number), login.parse::<Login>())
            && !found.iter().any(|(known, _)| *known == number)
        {
            found.push((number, login));
        }
    };
    if let Some((number, login)) = maker {
        add(number, &login);
    }
    for login in admins {
        match github.account(login).await {
            Ok(Some(account)) if account.kind == "User" => add(account.id, &account.login),
            Ok(Some(_)) => remarks.push(format!(
                "{login} is no person on GitHub and was not made an admin: name people one by one"
            )),
            Ok(None) => remarks
                .push(format!("nobody is called {login} on GitHub: they were not made an admin")),
            Err(error) => remarks
                .push(format!("{login} could not be looked up and was not made an admin: {error}")),
        }
    }
    (found, remarks)
}
