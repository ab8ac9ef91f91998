//! Every page there is, in light and dark, on a phone and at a desk: nobody is kept out of it, and
//! nothing of it stands beyond the edge. `GREENROOM_TEST_PICTURES` names a directory for a picture
//! of each, to be looked at by people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use model::OrphanId;
use model::sweep::{TaggedStack, Why};
use model::worker_api::DeployedStack;
use serde_json::{Value, json};
use store::instance::Success;
use store::orphan::Look;

use super::axe::Axe;
use super::chrome::{Browser, Script, Size, Theme};
use crate::aws::DEVELOPMENT;
use crate::sample::Sample;
use crate::server::{client, until};
use crate::world::{World, app, jobs};

const DEV: &str = "/apps/workshop/stages/dev";
/// No program shows it, and the form says so.
const WRONG_CODE: &str = "/device?code=BCDF-GHJK";
const LOOKS: [(Size, Theme); 6] = [
    (Size::Wide, Theme::Light),
    (Size::Wide, Theme::Dark),
    (Size::Laptop, Theme::Light),
    (Size::Laptop, Theme::Dark),
    (Size::Phone, Theme::Dark),
    (Size::Phone, Theme::Light),
];

/// Not what is read by programs, or as it happens; the setup pages have a walk of their own.
fn is_page(path: &str) -> bool {
    let others = ["/api/", "/live/", "/setup"];
    let ends = [".atom", ".json", ".svg", ".txt", ".xml", ".yml", "/metrics", "/body"];
    // parts of a log, for the build's page
    let parts = ["/jobs/{id}/log/find", "/jobs/{id}/log/lines", "/jobs/{id}/log/text"];
    !parts.contains(&path)
        && !others.iter().any(|other| path.starts_with(other))
        && !ends.iter().any(|end| path.ends_with(end))
}

/// One service that says what it does in colours, and publishes; its deploy may be told to fail.
fn note(text: &str) -> Sample {
    let pipeline = "services:\n  note:\n    path: note\n    framework: custom\n    test: printf '\\033[31mred\\033[0m \\033[38;5;208morange\\033[0m\\n' && test ! -e broken\n    deploy: echo \"at=$GREENROOM_COMMIT\" > \"$GREENROOM_PUBLISH_FILE\"\n    remove: 'true'\n  second: { path: second, framework: custom, deploy: 'true', remove: 'true' }\n";
    Sample::of(pipeline).file("note/NOTE", text)
}

struct Ground {
    world: World,
    waiting: i64,
    failed: Value,
    orphan: OrphanId,
}

impl Ground {
    /// A team's server on some day: something deployed twice, something that waits for somebody,
    /// something broken, a preview, a freeze, a stack that nobody knows.
    async fn new() -> Self {
        let world = World::new().await;
        let mut file = app();
        file["stages"]["staging"]["approvers"] = json!(["ann"]);
        file["stages"]["qa"] = json!({ "profile": "development" });
        file["stages"]["prod"]["promote_from"] = json!("qa");
        let rules = file["rules"].as_array_mut().unwrap();
        rules.insert(0, json!({ "branch": "qa", "stage": "qa" }));
        world.apply(&file).await;
        let repository = &world.repository;
        let mut first = String::new();
        for text in ["one", "two"] {
            let files = note(text);
            let commit = repository.commit("develop", &files.files(), text).await.unwrap();
            world.succeeds(&format!("commit={commit}")).await;
            first = commit;
        }
        repository.set_branch("qa", &first).await.unwrap();
        world.succeeds(&format!("commit={first}&stage=qa")).await;
        repository.set_branch("master", &first).await.unwrap();
        let build = world.build(&format!("commit={first}&stage=staging")).await;
        let waiting = build["number"].as_i64().unwrap();
        until("the build of staging to wait", async || {
            let build = world.get(&format!("/apps/workshop/builds/{waiting}")).await;
            (build["state"] == "waiting").then_some(())
        })
        .await;
        let changed = [("note/NOTE", Some("three"))];
        let head = repository.commit_on("feature/x", Some("master"), &changed, "Three").await;
        repository.open_pr("feature/x", "master", "Three").await.unwrap();
        world.succeeds(&format!("commit={}", head.unwrap())).await;
        let changed = [("note/broken", Some("yes"))];
        let head = repository.commit_on("develop", None, &changed, "Break it").await.unwrap();
        let failed = world.fails(&format!("commit={head}")).await;
        let freeze = json!({ "reason": "the sales weekend" });
        let (status, said) = world.post(&format!("{DEV}/freeze"), &freeze).await;
        assert_eq!(status, 200, "{said}");
        let orphan = rows(&world).await;
        Self { world, waiting, failed, orphan }
    }

    /// A token of no use, to be revoked.
    async fn revocable(&self) -> String {
        let body = json!({ "name": "old", "role": "viewer", "app": "workshop" });
        let (status, made) = self.world.post("/tokens", &body).await;
        assert_eq!(status, 201, "{made}");
        format!("/tokens/{}/revoke", made["id"].as_str().unwrap())
    }

    /// Where a command line waits to be let in.
    async fn device(&self) -> String {
        let url = format!("{}/login/device/code", self.world.server.url);
        let asked = client().post(url).form(&[("scope", "deployer"), ("machine", "laptop")]);
        let codes: Value = asked.send().await.unwrap().json().await.unwrap();
        format!("/device?code={}", codes["user_code"].as_str().unwrap())
    }

    /// Each page's pattern, and where it is shown. A pattern may have several.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let (waiting, failed) = (self.waiting, &self.failed["number"]);
        let job = jobs(&self.failed).find(|job| job["outcome"] == "failed").unwrap();
        let job = job["id"].as_str().unwrap();
        let build = "/apps/{app}/builds/{number}";
        let stage = "/apps/{app}/stages/{stage}";
        let staging = "/apps/workshop/stages/staging";
        let settings = |rest: &str| format!("/apps/workshop/settings{rest}");
        vec![
            ("/", "/".into()),
            ("/builds", "/builds".into()),
            ("/builds", "/builds?q=nothing+is+like+this".into()),
            (build, format!("/apps/workshop/builds/{waiting}")),
            (build, "/apps/workshop/builds/1".into()),
            (build, format!("/apps/workshop/builds/{failed}?job={job}")),
            (
                "/apps/{app}/builds/{number}/approve",
                format!("/apps/workshop/builds/{waiting}/approve"),
            ),
            (stage, DEV.into()),
            (stage, staging.into()),
            (stage, "/apps/workshop/stages/feature-x".into()),
            ("/apps/{app}/stages/{stage}/freeze", format!("{staging}/freeze")),
            ("/apps/{app}/stages/{stage}/unfreeze", format!("{DEV}/unfreeze")),
            ("/apps/{app}/stages/{stage}/promote", "/apps/workshop/stages/prod/promote".into()),
            ("/apps/{app}/stages/{stage}/recover", format!("{DEV}/recover?service=second")),
            ("/apps/{app}/stages/{stage}/remove", "/apps/workshop/stages/feature-x/remove".into()),
            ("/apps/{app}/stages/{stage}/rollback", format!("{DEV}/rollback")),
            ("/apps/{app}/stages/{stage}/rollback", format!("{DEV}/rollback?build=1")),
            ("/orphans/{id}/remove", format!("/orphans/{}/remove", self.orphan)),
            ("/previews", "/previews".into()),
            ("/system", "/system".into()),
            ("/system/deliveries", "/system/deliveries".into()),
            ("/settings", "/settings".into()),
            ("/audit", "/audit".into()),
            ("/styleguide", "/styleguide".into()),
            ("/docs/api", "/docs/api".into()),
            ("/docs/api/{operation}", "/docs/api/startBuild".into()),
            ("/tokens", "/tokens".into()),
            ("/members", "/members".into()),
            ("/account", "/account".into()),
            ("/device", "/device".into()),
            ("/device", WRONG_CODE.into()),
            ("/device", "/device?done=confirmed".into()),
            ("/device", "/device?done=refused".into()),
            ("/login", "/login".into()),
            ("/apps/new", "/apps/new".into()),
            ("/apps/{app}/settings", settings("")),
            ("/apps/{app}/settings/edit", settings("/edit")),
            ("/apps/{app}/settings/history", settings("/history")),
            ("/apps/{app}/settings/history/{number}", settings("/history/1")),
            ("/apps/{app}/settings/parameter", settings("/parameter?place=stages.dev")),
            ("/apps/{app}/settings/approvers", settings("/approvers?stage=staging")),
            ("/apps/{app}/settings/rule", settings("/rule")),
            ("/apps/{app}/settings/freeze", settings("/freeze?stage=staging")),
            ("error", "/nowhere".into()),
            ("error", "/apps/nothing/builds/1".into()),
        ]
    }
}

/// What no small build leaves behind: a stuck service, and a stack that says it is ours.
async fn rows(world: &World) -> OrphanId {
    let db = world.server.database().await;
    let mut conn = db.acquire().await.unwrap();
    let app = store::app::find(&mut conn, &"workshop".parse().unwrap()).await.unwrap().unwrap();
    let dev = "dev".parse().unwrap();
    let dev = store::stage::find_open(&mut conn, app.id, &dev).await.unwrap().unwrap();
    let now: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    for instance in store::instance::list(&mut conn, dev.id).await.unwrap() {
        if instance.service.as_str() == "second" {
            let stack = DeployedStack {
                stacks: vec!["second-dev".into()],
                left_at: BTreeMap::new(),
                outputs: BTreeMap::new(),
                endpoints: Vec::new(),
            };
            let success = Success {
                commit: instance.commit.as_ref().unwrap(),
                build_number: instance.build_number.unwrap(),
                artifact: instance.artifact_id.unwrap(),
                spec: &instance.spec,
                stack: &stack,
                read_at: None,
                parameters_digest: None,
                outputs_changed: false,
            };
            store::instance::deployed(&mut conn, instance.id, &success, now).await.unwrap();
            let reason = "the stack is UPDATE_ROLLBACK_FAILED";
            store::instance::failed(&mut conn, instance.id, reason, now).await.unwrap();
        }
    }
    let stack = TaggedStack {
        name: "note-feature-gone".into(),
        id: format!("arn:aws:cloudformation:us-east-1:{DEVELOPMENT}:stack/note-feature-gone/1"),
        region: "us-east-1".parse().unwrap(),
        app: "workshop".into(),
        stage: Some("feature-gone".into()),
        service: Some("note".into()),
        build: Some(7),
        status: "CREATE_COMPLETE".into(),
        created_at: None,
        changed_at: None,
    };
    let why = Why::UnknownStage { app: "workshop".into(), stage: stack.stage.clone() };
    let orphan: OrphanId = "01a1fe91-5a1a-740a-8445-d794cfd7dd8c".parse().unwrap();
    let profile = "development".parse().unwrap();
    let look = Look { app: app.id, profile: &profile, account: DEVELOPMENT, now };
    store::orphan::seen(&mut conn, orphan, &stack, &why, look).await.unwrap();
    drop(conn);
    db.pool().close().await;
    orphan
}

/// What is wrong with the page that is shown, in every size and colour.
pub(crate) async fn wrong(browser: &Browser, axe: &Axe) -> BTreeSet<String> {
    let path = browser.path().await;
    axe.bring_to(browser).await;
    let mut wrong = BTreeSet::new();
    for (size, theme) in LOOKS {
        browser.looks(size, theme).await;
        for complaint in Axe::complaints(browser).await {
            wrong.insert(format!("{path} ({size:?}, {theme:?}): {complaint}"));
        }
        let wide = browser.evaluate("return document.documentElement.scrollWidth").await;
        let (edge, _) = size.pixels();
        if wide.as_u64().unwrap() > u64::from(edge) {
            wrong.insert(format!("{path} ({size:?}): {wide} pixels wide"));
        }
        if let Some(directory) = std::env::var_os("GREENROOM_TEST_PICTURES") {
            let page: String = path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
            let name = format!("{page:.80}-{size:?}-{theme:?}.png");
            std::fs::write(Path::new(&directory).join(name), browser.picture(size).await).unwrap();
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_of_any_page() {
    let ground = Ground::new().await;
    let axe = Axe::load();
    let browser = Browser::open(&ground.world.server.url, Script::On).await;
    browser.looks(Size::Laptop, Theme::Light).await;
    let mut found = BTreeSet::new();
    let mut visited = BTreeSet::new();
    let mut pages = ground.pages();
    pages.push(("/tokens/{id}/revoke", ground.revocable().await));
    pages.push(("/device", ground.device().await));
    browser.goto("/system/deliveries").await;
    let first = "return document.querySelector('[data-row] a[data-open]').pathname";
    let delivery = browser.evaluate(first).await.as_str().unwrap().to_owned();
    pages.push(("/system/deliveries/{guid}/replay", format!("{delivery}/replay")));
    pages.push(("/system/deliveries/{guid}", delivery));
    for (pattern, path) in pages {
        browser.goto(&path).await;
        visited.insert(pattern.to_owned());
        found.extend(wrong(&browser, &axe).await);
        if pattern == "error" {
            continue;
        }
        let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
        let expected = if path == WRONG_CODE { 422 } else { 200 };
        assert_eq!(browser.evaluate(status).await, json!(expected), "{path}");
        let heading = browser.text("h1").await;
        assert!(!heading.is_empty(), "{path} is no page of ours");
    }
    browser.close().await;
    let served: BTreeSet<String> = web::routes()
        .into_iter()
        .filter(|(method, path)| method == "GET" && is_page(path))
        .map(|(_, path)| path)
        .collect();
    let unseen: Vec<_> = served.difference(&visited).collect();
    assert!(unseen.is_empty(), "nobody looked at these: {unseen:#?}");
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // a build waits for somebody to the end: the server is stopped as it is
    ground.world.stops().await;
}
