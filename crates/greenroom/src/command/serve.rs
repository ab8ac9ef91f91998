//! `greenroom serve`: the whole server in one process.
//!
//! What always holds: whatever is accepted is in PostgreSQL before it is answered, so the process
//! may be killed at any point and started again. Parts stop in this order: worker (its jobs end or
//! are given back by their leases), web, engine, database.

use std::sync::Arc;

use anyhow::Context;
use aws::RoleMinter;
use model::worker_api::AwsEndpoint;
use secrecy::SecretString;
use store::signals::Signals;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::config::Config;
use crate::{identity, open, supervisor};

pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let data_dir = open::data_dir(&config)?;
    let _lock = open::lock(&data_dir)?;
    let opened = open::database(&config, &data_dir).await?;
    let outcome = serve(&config, &data_dir, opened.db.clone()).await;
    opened.close().await?;
    outcome
}

async fn serve(
    config: &Config,
    data_dir: &std::path::Path,
    db: store::Database,
) -> anyhow::Result<()> {
    web::begin_metrics();
    let (clock, ids) = clock::system();
    let signals = Signals::new();
    let worker_token = store::token::generate();
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {} (listen, GREENROOM_LISTEN)", config.listen)
    })?;
    let address = listener.local_addr()?;

    // an endpoint and an authority set for the server hold for the deploy steps too
    let aws = aws::AwsEndpoint::from_env()?;
    let vault = open::vault(config, data_dir)?;
    let github = identity::connect(config, clock.clone(), &db, &vault).await?;
    let router = web::router(web::Parts {
        db: db.clone(),
        vault: vault.clone(),
        objects: open::objects(config, data_dir)?,
        signals: signals.clone(),
        github: github.clone(),
        minter: RoleMinter::from_default_chain(&aws).await?,
        settings: web::Settings {
            public_url: config.public_url.clone(),
            git_url: config.github.git_url.clone(),
            webhook_secrets: config.github.webhook_secrets.clone(),
            access: if address.ip().is_loopback() {
                web::Access::Loopback
            } else {
                web::Access::Token
            },
            login: login(&config.login),
            lease: config.worker.lease,
            reconcile_every: config.reconcile.every,
            embedded_worker_token: Some(worker_token.clone()),
            aws_endpoint: AwsEndpoint {
                url: aws.url.clone(),
                ca_bundle: aws.ca_bundle_pem.clone(),
            },
            secret_env: Arc::new(secret_variable),
        },
        clock: clock.clone(),
        ids: ids.clone(),
    });

    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    // each part stops after the one before it has
    let (web_stop, engine_stop) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();

    let (kept, until) = ((db.clone(), vault.clone(), github.clone()), engine_stop.clone());
    tasks.spawn(async move {
        let (db, vault, github) = kept;
        tokio::select! {
            () = web::identity::follow(db, vault, github) => {}
            () = until.cancelled() => {}
        }
    });
    let until = engine_stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = web::keep_metrics() => {}
            () = until.cancelled() => {}
        }
    });
    tasks.spawn(signals.clone().bridge(db.clone(), engine_stop.clone().cancelled_owned()));
    let notify = notify::Sender::new(&config.notify)?;
    let invited = db.clone();
    let engine = engine::Engine::new(engine::Parts {
        db,
        signals,
        github,
        public_url: config.public_url.clone(),
        clock,
        ids,
        reconcile: config.reconcile,
        vault,
        notify,
        roles: config.login.roles.clone(),
    });
    tasks.spawn(engine.run(engine_stop.clone()));
    let web = tokio::spawn(
        axum::serve(listener, router.into_make_service_with_connect_info::<web::Connection>())
            .with_graceful_shutdown(web_stop.clone().cancelled_owned())
            .into_future(),
    );
    tracing::info!(address = %address, public_url = config.public_url, "greenroom is ready");
    supervisor::tell(supervisor::Phase::Ready);
    identity::invite(config, &invited).await?;

    if config.worker.count == 0 {
        stop.cancelled().await;
    } else {
        worker::run(
            worker::Config {
                server_url: format!("http://{}", reachable(address)),
                token: worker_token,
                name: format!("embedded:{}", data_dir.display()),
                work_dir: data_dir.join("worker"),
                cache_dir: config.worker.cache_dir.clone(),
                slots: config.worker.count,
                executor: config.worker.executor,
                retry_waits: model::transient::WAITS.to_vec(),
            },
            stop,
        )
        .await?;
    }
    web_stop.cancel();
    // a browser that follows a log would hold the server open for ever
    let _ = tokio::time::timeout(WEB_GRACE, web).await;
    engine_stop.cancel();
    tasks.close();
    tasks.wait().await;
    tracing::info!("stopped");
    Ok(())
}

const WEB_GRACE: std::time::Duration = std::time::Duration::from_secs(3);

/// Where the embedded worker finds its own server: an address to listen on need not be one to
/// connect to.
fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    reachable
}

fn login(config: &crate::config::Login) -> web::Login {
    let client = match &config.client {
        Some(client) => {
            web::LoginClient::Configured { id: client.id.clone(), secret: client.secret.clone() }
        }
        None => web::LoginClient::OfApp,
    };
    web::Login { client, roles: config.roles.clone(), anonymous_read: config.anonymous_read }
}

fn secret_variable(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().map(SecretString::from)
}

/// The first SIGTERM or SIGINT asks for an orderly stop; a second one ends the process at once.
pub(crate) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for signals_seen in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if signals_seen > 1 {
                std::process::exit(130);
            }
            tracing::info!("stopping: running jobs may end; a second signal stops at once");
            supervisor::tell(supervisor::Phase::Stopping);
            stop.cancel();
        }
    });
    Ok(())
}
