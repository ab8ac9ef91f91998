//! The first start of a server, as somebody goes through it with a browser and the printed link.

use std::sync::Arc;

use fakes::GitHub;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};

use crate::aws::{DEVELOPMENT, LocalAws};
use crate::database::Rows;
use crate::sample::Sample;
use crate::server::{Server, until};

/// Needs no framework and makes no stack.
const PIPELINE: &str =
    "services:\n  notes: { path: notes, test: 'true', deploy: 'true', remove: 'true' }\n";

/// A browser on another machine: nobody is let in for being here.
struct Visitor {
    client: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

struct Page {
    status: StatusCode,
    /// Where the last redirect led to.
    path: String,
    html: String,
}

impl Page {
    fn text(&self) -> String {
        crate::page::text(&self.html)
    }

    /// The value of the field of this name, as its browser would send it.
    fn field(&self, name: &str) -> String {
        let marked = format!("name=\"{name}\"");
        let at = self.html.find(&marked).unwrap_or_else(|| panic!("no {name} in {}", self.html));
        let tag = &self.html[self.html[..at].rfind('<').unwrap()..];
        let tag = &tag[..tag.find('>').unwrap()];
        let value = tag.split_once("value=\"").map_or("", |(_, rest)| rest);
        unescaped(value.split('"').next().unwrap())
    }

    /// Where the form with this id is sent to.
    fn action(&self, form: &str) -> String {
        let at = self.html.find(&format!("id=\"{form}\"")).unwrap();
        let tag = &self.html[self.html[..at].rfind('<').unwrap()..at];
        unescaped(tag.split_once("action=\"").unwrap().1.split('"').next().unwrap())
    }
}

fn unescaped(text: &str) -> String {
    [("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&#38;", "&"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

impl Visitor {
    fn of(server: &Server) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .unwrap();
        Self { client, base: server.url.clone(), cookie: None }
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let url = if url.starts_with('/') { format!("{}{url}", self.base) } else { url.to_owned() };
        let request = self
            .client
            .request(method, url)
            .header("accept", "text/html")
            .header("x-forwarded-for", "203.0.113.7");
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    /// Follows redirects, and keeps the cookie that it is given.
    async fn follow(&mut self, request: RequestBuilder, path: &str) -> Page {
        let mut path = path.to_owned();
        let mut answer = request.send().await.unwrap();
        while let Some(to) = self.redirected(&answer) {
            path = to.strip_prefix(&self.base).unwrap_or(&to).to_owned();
            answer = self.request(Method::GET, &to).send().await.unwrap();
        }
        let status = answer.status();
        Page { status, path, html: answer.text().await.unwrap() }
    }

    fn redirected(&mut self, answer: &Response) -> Option<String> {
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let to = answer.headers().get(LOCATION)?.to_str().unwrap().to_owned();
        answer.status().is_redirection().then_some(to)
    }

    async fn open(&mut self, path: &str) -> Page {
        let request = self.request(Method::GET, path);
        self.follow(request, path).await
    }

    async fn send(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.request(Method::POST, path).form(form);
        self.follow(request, path).await
    }

    /// Uses the printed link.
    async fn begin(&mut self, link: &str) -> Page {
        let offered = self.open(link).await;
        assert_eq!(offered.status, StatusCode::OK);
        let key = offered.field("key");
        self.send("/setup/begin", &[("key", &key)]).await
    }

    /// As far as GitHub brings people back with the code of a new App.
    async fn create_app(&mut self) -> String {
        let form =
            [("name", "Greenroom of Acme"), ("organization", ""), ("admins", "mona, nobody1")];
        let create = self.send("/setup/github", &form).await;
        assert_eq!(create.path, "/setup/github/create", "{}", create.text());
        let (action, manifest) = (create.action("manifest-form"), create.field("manifest"));
        let made = self.client.post(&action).form(&[("manifest", &manifest)]).send().await.unwrap();
        assert_eq!(made.status(), StatusCode::FOUND);
        made.headers()[LOCATION].to_str().unwrap().to_owned()
    }
}

async fn github() -> (Arc<GitHub>, fakes::Repository) {
    let github = Arc::new(GitHub::builder().token("ghp_of_somebody").start().await.unwrap());
    let repository = github.repo("acme/workshop");
    repository.create("master").await.unwrap();
    let files = Sample::of(PIPELINE);
    repository.commit("master", &files.files(), "First").await.unwrap();
    (github, repository)
}

async fn server(github: &GitHub) -> Server {
    Server::start(
        Rows::OwnPostgres,
        &[("GREENROOM_GITHUB_API_URL", github.url()), ("GREENROOM_GITHUB_GIT_URL", github.url())],
    )
    .await
}

/// The link that the server printed last.
async fn printed(server: &Server) -> String {
    until("the link to be printed", async || {
        let log = server.log();
        let line = log.lines().rev().find_map(|line| line.strip_prefix("Set up this server: "))?;
        Some(line.trim().to_owned())
    })
    .await
}

fn links(server: &Server) -> usize {
    server.log().lines().filter(|line| line.starts_with("Set up this server: ")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_link_leads_to_the_first_build() {
    let (github, repository) = github().await;
    let mut server = server(&github).await;
    let link = printed(&server).await;
    let mut visitor = Visitor::of(&server);

    // GitHub
    let page = visitor.begin(&link).await;
    assert_eq!(page.path, "/setup/github", "{}", page.text());
    let back = visitor.create_app().await;
    let forged = back.replace("state=", "state=0");
    let refused = visitor.open(&forged).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    let installation = visitor.open(&back).await;
    assert_eq!(installation.path, "/setup/install", "{}", installation.text());
    assert!(installation.text().contains("nobody is called nobody1"), "{}", installation.text());
    let again = visitor.open(&back).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "a code is taken once: {}", again.text());

    // its installation
    assert!(!installation.text().contains("can be seen"), "it is installed nowhere");
    let install = format!("{}/apps/greenroom-of-acme/installations/new", github.url());
    assert!(installation.html.contains(&install), "{}", installation.html);
    let installed = visitor.open(&install).await;
    assert_eq!(installed.path, "/setup/install");
    assert!(installed.text().contains("1 repository can be seen"), "{}", installed.text());

    // the repository
    let chosen = visitor.open("/setup/repository").await.field("repository");
    assert_eq!(chosen, "acme/workshop");
    let services = visitor.send("/setup/repository", &[("repository", &chosen)]).await;
    assert_eq!(services.path, "/setup/services");
    assert!(services.text().contains("greenroom.yml names them"), "{}", services.text());
    assert!(services.text().contains("notes"), "{}", services.text());

    // the account
    let profiles = visitor.open("/setup/profiles").await;
    let external_id = profiles.field("external_id_0");
    assert!(external_id.starts_with("greenroom-"), "{external_id}");
    let template = visitor.open("/setup/role.yml?profile=0").await.html;
    assert!(template.contains(&format!("Default: \"{external_id}\"")), "{template}");
    let profile = |external_id: &str, what: &str| {
        [
            ("name_0", "development"),
            ("role_arn_0", DEVELOPMENT),
            ("region_0", "us-east-1"),
            ("external_id_0", external_id),
            ("do", what),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |visitor: &mut Visitor, fields: [(String, String); 5]| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        visitor.send("/setup/profiles", &fields).await
    };
    let refused = send(&mut visitor, profile(&external_id, "try:0")).await;
    assert!(refused.text().contains("sts:ExternalId must be"), "{}", refused.text());
    let granted = send(&mut visitor, profile(&LocalAws::external_id(), "try:0")).await;
    let words = format!("this server is in account {DEVELOPMENT}");
    assert!(granted.text().contains(&words), "{}", granted.text());
    let rules = send(&mut visitor, profile(&LocalAws::external_id(), "next")).await;
    assert_eq!(rules.path, "/setup/rules", "{}", rules.text());

    // the rules, and the file that they make
    assert_eq!(rules.field("branch_0"), "master");
    let form = [
        ("app", "workshop"),
        ("branch_0", "master"),
        ("stage_0", "first-setup"),
        ("profile_0", "development"),
        ("default_profile", "development"),
        ("previews", "yes"),
    ];
    let file = visitor.send("/setup/rules", &form).await;
    assert_eq!(file.path, "/setup/file", "{}", file.text());
    let written = file.html.split_once("<textarea").unwrap().1.split_once('>').unwrap().1;
    let written = unescaped(written.split_once("</textarea>").unwrap().0.trim_start());
    let mistaken = written.replace("us-east-1", "nowhere");
    let mistaken = visitor.send("/setup/file", &[("file", &mistaken)]).await;
    assert_eq!(mistaken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistaken.text().contains("line "), "{}", mistaken.text());
    let build = visitor.send("/setup/file", &[("file", &written)]).await;
    assert_eq!(build.path, "/setup/build", "{}", build.text());

    // the first build; ordered twice it is one
    for _ in 0..2 {
        let started = visitor.send("/setup/build", &[]).await;
        assert!(started.text().contains("Build 1"), "{}", started.text());
    }
    until("the first build to succeed", async || {
        let page = visitor.open("/setup/build").await.text();
        assert!(!page.contains("failed"), "{page}");
        page.contains("succeeded").then_some(())
    })
    .await;

    // the App's webhooks come signed with its own secret
    let head = repository.commit("master", &[("notes/README", "more")], "More").await.unwrap();
    github.settle_deliveries().await;
    let push = github.deliveries().into_iter().rfind(|one| one.event == "push").unwrap();
    assert_eq!(push.outcome.map(|outcome| outcome.status_code), Some(202));

    // a restart forgets nothing, and prints no other way in
    server.kill().await;
    server.start_again().await;
    assert_eq!(links(&server), 1);
    let page = visitor.open("/setup/install").await;
    assert!(page.text().contains("the GitHub App greenroom-of-acme"), "{}", page.text());
    until("the push to be built and told to GitHub", async || {
        let statuses = repository.statuses(&head);
        statuses.iter().any(|status| status.state == "success").then_some(())
    })
    .await;

    // the end
    let end = visitor.request(Method::POST, "/setup/finish").send().await.unwrap();
    assert_eq!(end.headers()[LOCATION], "/apps/workshop/builds/1");
    let closed = visitor.open("/setup/github").await;
    assert!(closed.path.starts_with("/login"), "{}: {}", closed.path, closed.text());
    assert_eq!(visitor.begin(&link).await.status, StatusCode::FORBIDDEN);
    let db = server.database().await;
    let mut conn = db.acquire().await.unwrap();
    let admins = store::person::server_admins(&mut conn).await.unwrap();
    let admins: Vec<&str> = admins.iter().map(model::Login::as_str).collect();
    assert_eq!(admins, ["developer", "mona"]);
    drop(conn);
    db.pool().close().await;
    let unknown = github.unknown_calls();
    assert!(unknown.is_empty(), "GitHub does not know these: {unknown:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_once_and_only_the_last_one() {
    let (github, _repository) = github().await;
    let mut server = server(&github).await;
    let first = printed(&server).await;
    let mut stranger = Visitor::of(&server);
    let closed = stranger.open("/setup").await;
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
    assert!(closed.text().contains("greenroom setup-link"), "{}", closed.text());
    assert_eq!(stranger.open("/setup/github").await.status, StatusCode::UNAUTHORIZED);
    let wrong = format!("{}/setup?key=0123456789", server.url);
    let refused = stranger.begin(&wrong).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("not good any more"), "{}", refused.text());

    // a restart before anybody came ends the first link
    server.kill().await;
    server.start_again().await;
    until("another link to be printed", async || (links(&server) == 2).then_some(())).await;
    let second = printed(&server).await;
    assert_ne!(first, second);
    assert_eq!(stranger.begin(&first).await.status, StatusCode::FORBIDDEN);

    // to look at it is not to use it
    let mut visitor = Visitor::of(&server);
    assert_eq!(visitor.open(&second).await.status, StatusCode::OK);
    assert_eq!(visitor.begin(&second).await.status, StatusCode::OK);
    assert_eq!(Visitor::of(&server).begin(&second).await.status, StatusCode::FORBIDDEN);
    // the session is for these pages alone
    assert!(visitor.open("/system").await.path.starts_with("/login"));

    // whoever is on the machine makes another, and its session ends the one before
    let made = server.run(&["setup-link"]).await;
    let third = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(third.starts_with(&format!("{}/setup?key=", server.url)), "{third}");
    assert_eq!(visitor.open("/setup/github").await.status, StatusCode::OK);
    assert_eq!(Visitor::of(&server).begin(&third).await.status, StatusCode::OK);
    assert_eq!(visitor.open("/setup/github").await.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_somebody_configured_prints_no_link() {
    let (github, _repository) = github().await;
    let mut server = Server::start(
        Rows::shared(),
        &[
            ("GREENROOM_GITHUB_API_URL", github.url()),
            ("GREENROOM_GITHUB_GIT_URL", github.url()),
            ("GREENROOM_GITHUB_TOKEN", "ghp_of_somebody"),
        ],
    )
    .await;
    server.stop().await;
    assert_eq!(links(&server), 0);
}
