//! Who holds a port, as far as the system shows it.

#[cfg(target_os = "linux")]
use std::collections::HashMap;
#[cfg(target_os = "linux")]
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::evidence::HolderProcess;

/// A socket on the port that we want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its own end.
    pub address: SocketAddr,
    /// How it holds the port.
    pub how: Hold,
    /// The user it belongs to.
    pub uid: u32,
    /// The process; `None` if it is another user's, which only root may see.
    pub process: Option<HolderProcess>,
}

/// How a socket holds its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It listens.
    Listens,
    /// It is an end of a connection to there: the system gave it the port that we want.
    Connected(SocketAddr),
    /// The same, and over: the system keeps the port for a minute (TIME_WAIT, RFC 9293 section 3.6.1).
    Ended(SocketAddr),
}

/// The socket that keeps `wanted` from being listened on; `None` if the system shows none (a socket that is bound and
/// does not listen is in no table).
#[cfg(target_os = "linux")]
pub fn holder_of(wanted: SocketAddr) -> Option<Holder> {
    use procfs::net::TcpState;

    use super::sockets::tcp_sockets;

    let entry = tcp_sockets()?
        .into_iter()
        .filter(|entry| collides(entry.local_address, wanted))
        // Whoever listens is who a person wants to know of.
        .max_by_key(|entry| (entry.state == TcpState::Listen, entry.inode))?;
    let how = match entry.state {
        TcpState::Listen => Hold::Listens,
        TcpState::TimeWait => Hold::Ended(entry.remote_address),
        _ => Hold::Connected(entry.remote_address),
    };
    Some(Holder { address: entry.local_address, how, uid: entry.uid, process: process_of(entry.inode) })
}

/// The socket that keeps `wanted` from being listened on: no system but Linux is asked.
#[cfg(not(target_os = "linux"))]
pub fn holder_of(_wanted: SocketAddr) -> Option<Holder> {
    None
}

/// The process that has the socket with this inode open.
#[cfg(target_os = "linux")]
fn process_of(inode: u64) -> Option<HolderProcess> {
    processes_of(&[inode]).remove(&inode).map(|processes| processes.into_iter().next())?
}

/// Which processes have these sockets open, by the sockets' inodes. Other users' processes show only to root.
#[cfg(target_os = "linux")]
pub(crate) fn processes_of(inodes: &[u64]) -> HashMap<u64, Vec<HolderProcess>> {
    use procfs::process::{FDTarget, all_processes};

    let mut holders: HashMap<u64, Vec<HolderProcess>> = HashMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        // Processes come and go while we look, and those of others hide their descriptors: look at the rest.
        let Ok(descriptors) = process.fd() else { continue };
        let mut held: Vec<u64> = descriptors
            .flatten()
            .filter_map(|descriptor| match descriptor.target {
                FDTarget::Socket(inode) if inodes.contains(&inode) => Some(inode),
                _ => None,
            })
            .collect();
        held.sort_unstable();
        held.dedup();
        if held.is_empty() {
            continue;
        }
        let stat = process.stat().ok();
        let is_stopped = stat.as_ref().is_some_and(|stat| matches!(stat.state, 'T' | 't'));
        let name = stat.map_or_else(|| "a process".to_owned(), |stat| stat.comm);
        for inode in held {
            let holder = HolderProcess { pid: process.pid, name: name.clone(), is_stopped };
            holders.entry(inode).or_default().push(holder);
        }
    }
    holders
}

/// Do two listeners exclude each other? They do on the same port, unless their addresses differ and neither is
/// "any". An IPv6 "any" is taken to include IPv4, as it does unless the socket says otherwise.
#[cfg(target_os = "linux")]
fn collides(held: SocketAddr, wanted: SocketAddr) -> bool {
    let (held_ip, wanted_ip) = (held.ip().to_canonical(), wanted.ip().to_canonical());
    let any = |ip: IpAddr| ip.is_unspecified();
    let same_family = held_ip.is_ipv4() == wanted_ip.is_ipv4();
    held.port() == wanted.port()
        && (held_ip == wanted_ip
            || (same_family && (any(held_ip) || any(wanted_ip)))
            || (held_ip.is_ipv6() && any(held_ip)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_held_by_this_process_names_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let holder = holder_of(address).unwrap();
        assert_eq!(holder.address, address);
        assert_eq!(holder.process.unwrap().pid, i32::try_from(std::process::id()).unwrap());
        drop(listener);
        assert_eq!(holder_of(address), None);
    }

    #[test]
    fn listeners_collide_when_one_port_would_have_two() {
        let cases = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.2:80", true),
            ("127.0.0.2:80", "0.0.0.0:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::1]:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
        ];
        for (held, wanted, expected) in cases {
            assert_eq!(collides(held.parse().unwrap(), wanted.parse().unwrap()), expected, "{held} {wanted}");
        }
    }
}
