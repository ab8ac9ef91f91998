//! Tells whoever supervises the process (systemd, `Type=notify`) how far it is.
//!
//! By the protocol of sd_notify(3): a datagram to the socket that `NOTIFY_SOCKET` names, a path or,
//! after an `@`, a name of Linux's abstract sockets. Without the variable nobody asked. What cannot
//! be told ends nothing: the supervisor has its own time limit.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

const VARIABLE: &str = "NOTIFY_SOCKET";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    /// The database has this program's schema, and connections are accepted.
    Ready,
    Stopping,
}

impl Phase {
    fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Stopping => "STOPPING=1",
        }
    }
}

pub(crate) fn tell(phase: Phase) {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    if let Err(error) = send(&name, phase) {
        tracing::warn!(%error, name, "the supervisor could not be told");
    }
}

fn send(name: &str, phase: Phase) -> io::Result<()> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(phase.message().as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_socket_with_a_path_hears_that_the_server_is_ready() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.to_str().unwrap(), Phase::Ready).unwrap();
        assert_eq!(heard(&socket), "READY=1");
    }

    #[test]
    fn a_socket_with_an_abstract_name_hears_that_it_stops() {
        let name = format!("greenroom-test-{}", std::process::id());
        let socket =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(&format!("@{name}"), Phase::Stopping).unwrap();
        assert_eq!(heard(&socket), "STOPPING=1");
    }
}
