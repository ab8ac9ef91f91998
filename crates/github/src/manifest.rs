//! A GitHub App made by manifest: what we ask GitHub to make, and the exchange of the code that
//! GitHub gives afterwards for the App and its secrets ("Registering a GitHub App from a
//! manifest", docs.github.com).
//!
//! What always holds: the App asks for what our calls need and no more. A code works once, within
//! an hour; if the answer is lost, the App is there without anybody who knows its key: it is
//! deleted on GitHub and another one made.

use http::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::api::{Api, escape_all};
use crate::client::NO_BODY;
use crate::connection::Connection;
use crate::error::Error;

/// GitHub takes no longer name of an App.
pub const LONGEST_APP_NAME: usize = 34;

/// Where GitHub finds this server.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The server's address, without a slash at the end.
    pub public_url: &'a str,
    /// Where GitHub comes back to with the code.
    pub redirect: &'a str,
    /// Where people come back to when they have signed in.
    pub sign_in: &'a str,
    /// Where people come back to when they have installed the App.
    pub installed: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    name: String,
    url: String,
    description: &'static str,
    hook_attributes: Hook,
    redirect_url: String,
    callback_urls: [String; 1],
    setup_url: String,
    setup_on_update: bool,
    public: bool,
    request_oauth_on_install: bool,
    default_permissions: Permissions,
    default_events: &'static [&'static str],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Hook {
    url: String,
    active: bool,
}

/// One line a permission: what for is said by [`PERMISSIONS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Permissions {
    contents: &'static str,
    deployments: &'static str,
    issues: &'static str,
    members: &'static str,
    metadata: &'static str,
    pull_requests: &'static str,
    statuses: &'static str,
}

/// What the App may do, and why, for whoever is asked to grant it.
pub const PERMISSIONS: [(&str, &str, &str); 7] = [
    ("Contents", "read and write", "clones commits; a promotion moves a branch or makes a tag"),
    ("Commit statuses", "read and write", "shows how a commit fares"),
    ("Deployments", "read and write", "shows what is deployed where"),
    ("Pull requests", "read and write", "reads what is proposed, and comments with the preview"),
    ("Issues", "read and write", "GitHub counts a pull request's comments among these"),
    ("Metadata", "read", "comes with every App"),
    ("Members (of an organization)", "read", "who is in a team, for who may do what here"),
];

const EVENTS: [&str; 6] =
    ["create", "delete", "issue_comment", "pull_request", "push", "repository"];

impl Manifest {
    pub fn new(name: &str, places: Places<'_>) -> Self {
        Self {
            name: name.to_owned(),
            url: places.public_url.to_owned(),
            description: "Builds, deploys and previews applications of CloudFormation stacks.",
            hook_attributes: Hook {
                url: format!("{}/webhooks/github", places.public_url),
                active: true,
            },
            redirect_url: places.redirect.to_owned(),
            callback_urls: [places.sign_in.to_owned()],
            setup_url: places.installed.to_owned(),
            setup_on_update: true,
            public: false,
            request_oauth_on_install: false,
            default_permissions: Permissions {
                contents: "write",
                deployments: "write",
                issues: "write",
                members: "read",
                metadata: "read",
                pull_requests: "write",
                statuses: "write",
            },
            default_events: &EVENTS,
        }
    }
}

/// The App that GitHub made.
#[derive(Clone, Debug)]
pub struct CreatedApp {
    pub id: u64,
    pub slug: String,
    pub html_url: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub webhook_secret: Option<SecretString>,
    pub private_key_pem: SecretString,
    pub owner: Owner,
}

/// Whose the App is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Owner {
    pub id: u64,
    pub login: String,
    #[serde(rename = "type")]
    pub kind: OwnerKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum OwnerKind {
    User,
    Organization,
    /// Of an Enterprise, and what GitHub may yet think of.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    slug: String,
    html_url: String,
    client_id: String,
    client_secret: String,
    #[serde(default)]
    webhook_secret: Option<String>,
    pem: String,
    owner: Owner,
}

impl Connection {
    /// The App that this code stands for. Asked twice, GitHub knows nothing of it any more.
    pub async fn created_app(&self, code: &str) -> Result<CreatedApp, Error> {
        let unusable = |error: crate::ConfigError| Error::transport(error.to_string());
        let api = Api::new(self.api_url(), self.clock()).map_err(unusable)?;
        let path = format!("/app-manifests/{}/conversions", escape_all(code));
        let wire: Wire = api.send_openly(Method::POST, &path, NO_BODY).await?.json()?;
        Ok(CreatedApp {
            id: wire.id,
            slug: wire.slug,
            html_url: wire.html_url,
            client_id: wire.client_id,
            client_secret: wire.client_secret.into(),
            webhook_secret: wire.webhook_secret.map(SecretString::from),
            private_key_pem: wire.pem.into(),
            owner: wire.owner,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_says_where_webhooks_and_people_come_back_to() {
        let manifest = Manifest::new(
            "Greenroom of Acme",
            Places {
                public_url: "https://ci.example.com",
                redirect: "https://ci.example.com/setup/github/callback",
                sign_in: "https://ci.example.com/login/callback",
                installed: "https://ci.example.com/setup/installed",
            },
        );
        let json = serde_json::to_value(&manifest).unwrap();
        assert_eq!(json["hook_attributes"]["url"], "https://ci.example.com/webhooks/github");
        assert_eq!(json["redirect_url"], "https://ci.example.com/setup/github/callback");
        assert_eq!(json["callback_urls"][0], "https://ci.example.com/login/callback");
        assert_eq!(json["public"], false);
        let permissions = json["default_permissions"].as_object().unwrap();
        assert_eq!(permissions.len(), PERMISSIONS.len());
        assert!(!permissions.contains_key("administration"));
    }
}
