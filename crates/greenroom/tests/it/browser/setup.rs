//! A server that knows nothing yet, from the printed link to its first build: with JavaScript, under
//! axe-core's eyes, and without.

use std::collections::BTreeSet;
use std::sync::Arc;

use fakes::GitHub;

use super::axe::Axe;
use super::chrome::{Browser, Script, Size, Theme};
use super::every_page::wrong;
use crate::aws::{DEVELOPMENT, LocalAws};
use crate::database::Rows;
use crate::sample::Sample;
use crate::server::{Server, until};
use crate::world::TOKEN;

const PIPELINE: &str = "services:\n  note:\n    path: note\n    framework: custom\n    deploy: echo \"at=$GREENROOM_COMMIT\" > \"$GREENROOM_PUBLISH_FILE\"\n    remove: 'true'\n";

/// What is passed through on the way, and no page.
const PASSED: [&str; 4] =
    ["/setup", "/setup/github/callback", "/setup/installed", "/setup/live/builds/{id}"];

struct Walk<'a> {
    browser: &'a Browser,
    axe: Option<&'a Axe>,
    visited: BTreeSet<String>,
    found: BTreeSet<String>,
}

impl Walk<'_> {
    /// The page that is shown is this one, and keeps nobody out.
    async fn at(&mut self, path: &str) {
        assert_eq!(self.browser.path().await.split('?').next(), Some(path));
        self.visited.insert(path.to_owned());
        if let Some(axe) = self.axe {
            self.found.extend(wrong(self.browser, axe).await);
        }
    }

    async fn connects_github(&mut self) {
        let browser = self.browser;
        browser.submit("#begin").await;
        self.at("/setup/github").await;
        browser.fill("#name", "Greenroom of acme").await;
        browser.fill("#admins", "ann").await;
        browser.submit("#choose").await;
        self.at("/setup/github/create").await;
        browser.submit("#create").await;
        self.at("/setup/install").await;
        browser.submit("#install").await;
        browser.shows("#installations", "acme").await;
        browser.submit("#next").await;
        self.at("/setup/repository").await;
        browser.fill("#repository", "acme/workshop").await;
        browser.submit("#look").await;
        self.at("/setup/services").await;
        browser.shows("#services", "note").await;
        browser.submit("#next").await;
    }

    async fn names_profiles_and_rules(&mut self) {
        let browser = self.browser;
        self.at("/setup/profiles").await;
        browser.fill("#region_0", "us-east-1").await;
        browser.fill("#role_arn_0", "arn:aws:iam::111111111111:role/nobodys").await;
        browser.submit("#try-0").await;
        browser.element("#tried-0.bad").await;
        let role = format!("arn:aws:iam::{DEVELOPMENT}:role/greenroom-deploy");
        browser.fill("#role_arn_0", &role).await;
        browser.fill("#external_id_0", &LocalAws::external_id()).await;
        browser.submit("#try-0").await;
        browser.element("#tried-0.ok").await;
        self.at("/setup/profiles").await;
        browser.submit("#next").await;
        self.at("/setup/rules").await;
        browser.fill("#app", "workshop").await;
        browser.fill("#branch_0", "master").await;
        browser.fill("#stage_0", "dev").await;
        browser.submit("#next").await;
        self.at("/setup/file").await;
        // a mistake is told beside what was written, and nothing is lost
        let file = browser.evaluate("return document.querySelector('#file').value").await;
        let file = file.as_str().unwrap();
        browser.fill("#file", "app: workshop\n").await;
        browser.submit("#apply").await;
        browser.shows("#mistakes", "repository").await;
        browser.fill("#file", file).await;
        browser.submit("#apply").await;
    }

    /// Its address.
    async fn builds(&mut self) -> String {
        let browser = self.browser;
        self.at("/setup/build").await;
        browser.submit("#start").await;
        self.at("/setup/build").await;
        browser.submit("#finish").await;
        // the setup is over, and with it what its link was good for: the admin signs in
        assert!(browser.path().await.starts_with("/login?back="), "{}", browser.path().await);
        browser.submit("form[action='/login/github'] button").await;
        browser.submit("button[name=login][value='ann']").await;
        browser.path().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_is_set_up_by_its_link_with_a_script_and_without() {
    let axe = Axe::load();
    for (script, size) in [(Script::On, Size::Laptop), (Script::Off, Size::Phone)] {
        let github = Arc::new(GitHub::builder().token(TOKEN).start().await.unwrap());
        github.user("ann");
        let repository = github.repo("acme/workshop");
        repository.create("master").await.unwrap();
        repository.commit("master", &Sample::of(PIPELINE).files(), "First").await.unwrap();
        let environment = [
            ("GREENROOM_GITHUB_API_URL", github.url()),
            ("GREENROOM_GITHUB_GIT_URL", github.url()),
        ];
        let mut server = Server::start(Rows::shared(), &environment).await;
        let made = server.run(&["setup-link"]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let link = String::from_utf8(made.stdout).unwrap();
        let link = link.trim().strip_prefix(&server.url).unwrap().to_owned();

        let browser = Browser::open(&server.url, script).await;
        browser.looks(size, Theme::Light).await;
        browser.goto(&link).await;
        let mut walk = Walk {
            browser: &browser,
            axe: (script == Script::On).then_some(&axe),
            visited: BTreeSet::new(),
            found: BTreeSet::new(),
        };
        walk.connects_github().await;
        walk.names_profiles_and_rules().await;
        let build = walk.builds().await;
        assert_eq!(build, "/apps/workshop/builds/1");
        let found: Vec<String> = walk.found.into_iter().collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
        let served = web::routes().into_iter().filter(|(method, path)| {
            method == "GET" && path.starts_with("/setup") && !path.ends_with(".yml")
        });
        let unseen: Vec<String> = served
            .map(|(_, path)| path)
            .filter(|path| !walk.visited.contains(path) && !PASSED.contains(&path.as_str()))
            .collect();
        assert!(unseen.is_empty(), "nobody walked over these: {unseen:?}");

        until("the first build to be through", async || {
            browser.goto(&build).await;
            browser.text("main").await.contains("succeeded").then_some(())
        })
        .await;
        browser.close().await;
        server.stop().await;
    }
}
