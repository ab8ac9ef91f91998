//! axe-core over a page: what keeps people from using it. `script/test` fetches it from npm.

use serde_json::Value;

use super::chrome::Browser;

const RUN: &str = "
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ['violations'] }).then(
  (found) => done(found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${rule.help}: ${node.html} (${node.failureSummary})`))),
  (error) => done([String(error)]));
";

pub(crate) struct Axe(String);

impl Axe {
    pub(crate) fn load() -> Self {
        let path = std::env::var("GREENROOM_TEST_AXE")
            .expect("GREENROOM_TEST_AXE says where axe-core is: run script/test, which fetches it");
        Self(std::fs::read_to_string(path).unwrap())
    }

    /// Brings it into the page that is shown.
    pub(crate) async fn bring_to(&self, browser: &Browser) {
        browser.evaluate(&self.0).await;
    }

    /// What it finds on the page as it looks now; nothing on a good one.
    pub(crate) async fn complaints(browser: &Browser) -> Vec<String> {
        let found = browser.page.execute_async(RUN, Vec::new()).await.unwrap();
        let Value::Array(found) = found else { panic!("axe-core answers {found}") };
        found.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }
}
