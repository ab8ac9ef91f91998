//! Starts processes from one thread that lives as long as its executor.
//!
//! `--die-with-parent` ends a sandbox when the *thread* that started it ends, and the threads of
//! an async runtime come and go.

use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::SandboxError;

#[derive(Debug)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
struct Order {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<std::io::Result<Child>>,
}

impl Spawner {
    pub(super) fn start() -> Result<Self, SandboxError> {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for Order { mut command, runtime, answer } in inbox {
                    let _runtime = runtime.enter();
                    // Who asked may have gone; the child is then killed as it is dropped.
                    let _ = answer.send(command.spawn());
                }
            })
            .map_err(SandboxError::io("starting the thread that starts steps"))?;
        Ok(Self { orders })
    }

    pub(super) async fn spawn(&self, command: Command) -> std::io::Result<Child> {
        let (answer, reply) = oneshot::channel();
        let order = Order { command, runtime: Handle::current(), answer };
        let gone = || std::io::Error::other("the thread that starts steps has ended");
        self.orders.send(order).map_err(|_| gone())?;
        reply.await.map_err(|_| gone())?
    }
}
