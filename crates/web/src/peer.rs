//! Who is at the other end of a loopback connection: a person's program, or a step in its sandbox.
//!
//! What always holds: steps share the machine's network, so their connections come from loopback
//! too; being local must not make a commit's code a person. Steps live in a user namespace of
//! their own, which a process cannot leave, so a peer counts as a person's only if a process that
//! holds its socket lives in the server's own. What cannot be found out is not trusted.
//!
//! Finding it out walks the kernel's table of sockets, which takes longer than most pages: it is done
//! once for a connection that turns out to be trusted: who made it does not change.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

/// The kernel shows its table of sockets piece by piece, and one that closes meanwhile may hide
/// its neighbour: what is not found is looked for again.
const READINGS: usize = 3;

/// A connection to this server, for handlers that ask who is there.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(crate) peer: SocketAddr,
    here: SocketAddr,
    trusted: Arc<AtomicBool>,
}

impl Connection {
    fn between(peer: SocketAddr, here: SocketAddr) -> Self {
        Self { peer, here, trusted: Arc::default() }
    }

    /// Whether it was made outside of any sandbox.
    pub(crate) async fn is_outside_sandboxes(&self) -> bool {
        if self.trusted.load(Ordering::Relaxed) {
            return true;
        }
        let (peer, here) = (self.peer, self.here);
        let looked = tokio::task::spawn_blocking(move || is_outside_sandboxes(peer, here)).await;
        let is_outside = looked.is_ok_and(|is_outside| is_outside);
        self.trusted.fetch_or(is_outside, Ordering::Relaxed);
        is_outside
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let peer = *stream.remote_addr();
        // a socket that is closed already has no address, and then no answer to send either
        Self::between(peer, stream.io().local_addr().unwrap_or(peer))
    }
}

/// Reads `/proc`, so it is for a thread that may block.
fn is_outside_sandboxes(peer: SocketAddr, here: SocketAddr) -> bool {
    let Some(own) = user_namespace(Path::new("/proc/self")) else { return false };
    let socket = (0..READINGS).find_map(|_| {
        ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .find_map(|table| inode_of(&table, peer, here))
    });
    socket.is_some_and(|inode| {
        holders(&format!("socket:[{inode}]"))
            .any(|process| user_namespace(&process) == Some(own.clone()))
    })
}

fn user_namespace(process: &Path) -> Option<PathBuf> {
    fs::read_link(process.join("ns/user")).ok()
}

/// The processes that hold a file of this name and that we may look at.
fn holders(name: &str) -> impl Iterator<Item = PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    });
    numbered.map(|entry| entry.path()).filter(move |process| {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == Path::new(name))
    })
}

/// The inode of the peer's socket, by the kernel's table of TCP sockets (`proc_pid_net(5)`: the
/// second column is the socket's own address, the third the other end's, the tenth the inode). A
/// port alone names no socket: a program may use it towards several servers, and closed
/// connections stay in the table for a minute, with the inode 0.
fn inode_of(table: &str, peer: SocketAddr, here: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (own, other) = (address(columns.get(1)?)?, address(columns.get(2)?)?);
        if !(same(own, peer) && same(other, here)) {
            return None;
        }
        columns.get(9)?.parse().ok().filter(|inode| *inode != 0)
    })
}

fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

/// `0100007F:1F90` is 127.0.0.1:8080: words of the machine's byte order, a port in plain digits.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = ip
        .as_bytes()
        .chunks(8)
        .map(|word| {
            let word = std::str::from_utf8(word).ok()?;
            u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
        })
        .collect::<Option<_>>()?;
    let ip: IpAddr = match words.as_slice() {
        [word] => Ipv4Addr::from(*word).into(),
        [a, b, c, d] => {
            let bytes: [u8; 16] = [*a, *b, *c, *d].concat().try_into().ok()?;
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::{Connection, address, inode_of};

    #[tokio::test]
    async fn a_connection_of_this_very_process_is_no_sandbox_s() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let stream = TcpStream::connect(here).unwrap();
        let connection = Connection::between(stream.local_addr().unwrap(), here);
        assert!(connection.is_outside_sandboxes().await);
        assert!(connection.is_outside_sandboxes().await);
    }

    #[tokio::test]
    async fn a_connection_that_nobody_holds_is_not_trusted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let peer = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!Connection::between(peer, here).is_outside_sandboxes().await);
    }

    #[test]
    fn a_port_that_was_used_towards_another_server_is_not_taken_for_it() {
        let row = |own: &str, other: &str, inode: u32| {
            format!("0: 0100007F:{own} 0100007F:{other} 01 0:0 00:0 00000000 0 0 {inode} 1 0")
        };
        let table = [
            "  sl  local_address rem_address   st".to_owned(),
            row("C350", "0051", 41),
            row("C350", "0050", 0),
            row("0050", "C350", 43),
            row("C350", "0050", 42),
        ];
        let [peer, here] = ["127.0.0.1:50000", "127.0.0.1:80"].map(|end| end.parse().unwrap());
        assert_eq!(inode_of(&table.join("\n"), peer, here), Some(42));
    }

    #[test]
    fn the_kernel_s_addresses_are_read() {
        assert_eq!(address("0100007F:1F90"), Some("127.0.0.1:8080".parse().unwrap()));
        let loopback = "00000000000000000000000001000000:0050";
        assert_eq!(address(loopback), Some("[::1]:80".parse().unwrap()));
        assert_eq!(address("x:y"), None);
    }
}
