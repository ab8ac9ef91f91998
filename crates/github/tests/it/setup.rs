//! A GitHub App made by manifest, where it is installed, and what a repository has before anything
//! of it is cloned.

use greenroom_github::{Auth, Connection, Error, GitHub, Manifest, OwnerKind, Places};

use crate::support::{TOKEN, World, workshop};

/// What a browser does with the form of the manifest; where it is led to.
async fn make(world: &World, path: &str) -> String {
    let places = Places {
        public_url: "https://ci.example.com",
        redirect: "https://ci.example.com/setup/github/callback",
        sign_in: "https://ci.example.com/login/callback",
        installed: "https://ci.example.com/setup/installed",
    };
    let manifest = serde_json::to_string(&Manifest::new("Greenroom of Acme", places)).unwrap();
    world.fake.make_app(path, &manifest).await.unwrap()
}

fn connection(world: &World) -> Connection {
    Connection::open(world.fake.url(), world.clock())
}

fn code(led_to: &str) -> &str {
    led_to.split_once("code=").unwrap().1.split('&').next().unwrap()
}

async fn app(world: &World, connection: &Connection) -> GitHub {
    let led_to = make(world, "/settings/apps/new?state=s").await;
    assert!(led_to.starts_with("https://ci.example.com/setup/github/callback?"), "{led_to}");
    assert!(led_to.ends_with("&state=s"), "{led_to}");
    let app = connection.created_app(code(&led_to)).await.unwrap();
    assert_eq!((app.slug.as_str(), app.owner.kind), ("greenroom-of-acme", OwnerKind::User));
    let auth = Auth::App { app_id: app.id, private_key_pem: app.private_key_pem };
    connection.client(auth).unwrap()
}

#[tokio::test]
async fn a_code_becomes_an_app_once() {
    let world = World::new().await;
    let connection = connection(&world);
    let led_to = make(&world, "/organizations/acme/settings/apps/new").await;
    let app = connection.created_app(code(&led_to)).await.unwrap();
    assert_eq!((app.owner.login.as_str(), app.owner.kind), ("acme", OwnerKind::Organization));
    assert!(app.webhook_secret.is_some());
    let again = connection.created_app(code(&led_to)).await.unwrap_err();
    assert!(matches!(again, Error::Rejected { status: 404, .. }), "{again:?}");
}

#[tokio::test]
async fn an_app_sees_nothing_until_it_is_installed() {
    let world = World::new().await;
    let github = app(&world, &connection(&world)).await;
    assert_eq!(github.installations().await.unwrap(), []);
    assert_eq!(github.visible_repositories().await.unwrap().repositories, []);
    assert!(github.repository(&workshop()).await.is_err());

    world.fake.install_app().await.unwrap();
    let installations = github.installations().await.unwrap();
    assert_eq!(installations[0].account, "acme");
    let visible = github.visible_repositories().await.unwrap();
    let names: Vec<&str> =
        visible.repositories.iter().map(|repository| repository.name.as_str()).collect();
    assert_eq!((names, visible.cut), (vec!["acme/workshop"], false));
    assert_eq!(github.repository(&workshop()).await.unwrap().name, workshop());
}

#[tokio::test]
async fn a_token_sees_its_repositories_without_an_installation() {
    let world = World::new().await;
    let github = world.with_token(TOKEN.to_owned());
    assert_eq!(github.installations().await.unwrap(), []);
    assert_eq!(github.visible_repositories().await.unwrap().repositories.len(), 1);
    assert_eq!(github.own_account().await.unwrap().unwrap().login, fakes::DEVELOPER);
}

#[tokio::test]
async fn an_account_is_found_by_its_login() {
    let world = World::new().await;
    let github = world.app();
    let mona = github.account("mona").await.unwrap().unwrap();
    assert_eq!((mona.login.as_str(), mona.kind.as_str()), ("mona", "User"));
    assert_eq!(github.account("nobody").await.unwrap(), None);
    assert_eq!(github.account("acme").await.unwrap().unwrap().kind, "Organization");
}

#[tokio::test]
async fn the_files_of_a_commit_are_listed_with_those_in_directories_and_read() {
    let world = World::new().await;
    let text = "service: notes\n# ümläut\n";
    let files = [("notes/serverless.yml", text), ("notes/src/deep/a.js", "")];
    let head = world.workshop.commit("master", &files, "More").await.unwrap();
    let github = world.app();
    let tree = github.tree(&workshop(), &head.parse().unwrap()).await.unwrap();
    let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "notes/serverless.yml", "notes/src/deep/a.js"]);
    assert!(!tree.truncated);
    let file = &tree.files[1];
    assert_eq!(file.size_bytes, text.len() as u64);
    assert_eq!(github.blob(&workshop(), file).await.unwrap(), text.as_bytes());
}
