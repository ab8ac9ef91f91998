//! People of the stand-in: what they may in repositories, which teams they are in, and their way
//! through OAuth. A person exists once somebody said so; nobody has a password.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::state::State;

/// The OAuth side of the App.
pub const CLIENT_ID: &str = "Iv1.greenroomfakes";
pub const CLIENT_SECRET: &str = "the-oauth-secret-of-the-fakes";

/// An account of a person.
#[derive(Clone, Debug, Serialize)]
pub struct User {
    pub id: u64,
    pub login: String,
    pub name: Option<String>,
}

/// How somebody answers GitHub's question whether to sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Consent {
    /// A page asks who one is.
    #[default]
    Ask,
    /// At once, as this person.
    As {
        login: String,
    },
    Deny,
}

/// A code that was given out and not exchanged yet.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) login: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
}

#[derive(Default)]
pub(crate) struct People {
    pub(crate) users: Vec<User>,
    pub(crate) consent: Consent,
    pub(crate) codes: Vec<Code>,
    /// Token to login.
    pub(crate) tokens: BTreeMap<String, String>,
    /// (repository, login) to `admin`, `maintain`, `write`, `triage` or `read`, in lower case.
    pub(crate) rights: BTreeMap<(String, String), String>,
    /// `org/team` to logins, all in lower case.
    pub(crate) teams: BTreeMap<String, BTreeSet<String>>,
}

impl People {
    pub(crate) fn user(&self, login: &str) -> Option<&User> {
        self.users.iter().find(|user| user.login.eq_ignore_ascii_case(login))
    }

    pub(crate) fn right(&self, repository: &str, login: &str) -> Option<&str> {
        let key = (repository.to_ascii_lowercase(), login.to_ascii_lowercase());
        self.rights.get(&key).map(String::as_str)
    }
}

impl State {
    pub(crate) fn put_user(&mut self, login: &str, name: Option<String>) -> User {
        if let Some(known) = self.people.user(login) {
            return known.clone();
        }
        let user = User { id: self.next_id(), login: login.to_owned(), name };
        self.people.users.push(user.clone());
        user
    }

    pub(crate) fn rename_user(&mut self, login: &str, to: &str) {
        let (old, new) = (login.to_ascii_lowercase(), to.to_ascii_lowercase());
        let same = |user: &&mut User| user.login.eq_ignore_ascii_case(login);
        if let Some(user) = self.people.users.iter_mut().find(same) {
            user.login = to.to_owned();
        }
        let rights = std::mem::take(&mut self.people.rights);
        self.people.rights = rights
            .into_iter()
            .map(|((repo, of), right)| ((repo, if of == old { new.clone() } else { of }), right))
            .collect();
        for members in self.people.teams.values_mut() {
            if members.remove(&old) {
                members.insert(new.clone());
            }
        }
    }

    pub(crate) fn remove_user(&mut self, login: &str) {
        let login = login.to_ascii_lowercase();
        self.people.users.retain(|user| user.login.to_ascii_lowercase() != login);
        self.people.rights.retain(|(_, of), _| *of != login);
        for members in self.people.teams.values_mut() {
            members.remove(&login);
        }
    }

    pub(crate) fn set_right(&mut self, full_name: &str, login: &str, right: Option<&str>) {
        self.put_user(login, None);
        let key = (full_name.to_ascii_lowercase(), login.to_ascii_lowercase());
        match right {
            Some(right) => drop(self.people.rights.insert(key, right.to_owned())),
            None => drop(self.people.rights.remove(&key)),
        }
    }

    pub(crate) fn set_member(&mut self, team: &str, login: &str, is_in: bool) {
        self.put_user(login, None);
        let login = login.to_ascii_lowercase();
        let members = self.people.teams.entry(team.to_ascii_lowercase()).or_default();
        if is_in {
            members.insert(login);
        } else {
            members.remove(&login);
        }
    }
}
