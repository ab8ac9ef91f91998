//! What every page has around its content: the navigation, and who looks at it.
//!
//! What always holds: the navigation leads to no page that would answer with a refusal. A page
//! without a caller (an error, the sign-in) shows no navigation but the way home.

use model::permission::{Action, Scope};

use crate::auth::Caller;

pub(crate) struct Shell {
    pub(crate) title: String,
    /// Which entry of the navigation this is.
    pub(crate) place: &'static str,
    /// The colour of the icon: `idle`, `running`, `failed` or `ok`.
    pub(crate) icon: &'static str,
    /// Where changes of this page are announced.
    pub(crate) events: Option<String>,
    pub(crate) nav: Vec<Entry>,
    pub(crate) who: Option<Who>,
}

/// A page of the navigation.
pub(crate) struct Entry {
    pub(crate) place: &'static str,
    pub(crate) url: &'static str,
    pub(crate) name: &'static str,
}

/// Who looks at the page.
pub(crate) struct Who {
    pub(crate) name: String,
    /// What that one may, in words.
    pub(crate) role: String,
    /// Signed in, and so may sign out.
    pub(crate) leaves: bool,
    /// The page about themselves.
    pub(crate) account: Option<&'static str>,
}

impl Shell {
    pub(crate) fn new(title: impl Into<String>, place: &'static str) -> Self {
        let title = title.into();
        Self { title, place, icon: "idle", events: None, nav: Vec::new(), who: None }
    }

    pub(crate) fn plain(title: impl Into<String>) -> Self {
        Self::new(title, "")
    }

    /// As this one sees it.
    pub(crate) fn of(self, caller: &Caller) -> Self {
        Self { nav: nav(caller), who: Some(who(caller)), ..self }
    }
}

fn nav(caller: &Caller) -> Vec<Entry> {
    let on_server = |action| caller.rights.allows(action, Scope::Server);
    let everywhere = [("board", "/", "Board"), ("builds", "/builds", "Builds")];
    let everywhere = everywhere
        .into_iter()
        .chain([("previews", "/previews", "Previews"), ("settings", "/settings", "Settings")]);
    let system = on_server(Action::Read).then_some(("system", "/system", "System"));
    let people = caller.rights.allows_somewhere(Action::Configure);
    let people = people.then_some(("people", "/members", "People"));
    everywhere
        .chain(system)
        .chain(people)
        .map(|(place, url, name)| Entry { place, url, name })
        .collect()
}

fn who(caller: &Caller) -> Who {
    let role = match caller.rights.role(Scope::Server) {
        Some(role) => format!("{} of this server", role.as_str()),
        None => "with roles in single apps".to_owned(),
    };
    let leaves = caller.session().is_some();
    let account = leaves.then_some("/account");
    Who { name: caller.name.clone(), role, leaves, account }
}
