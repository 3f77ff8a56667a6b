//! This machine: its addresses, the routers it uses, its name servers, and who listens.

use std::net::IpAddr;
use std::num::NonZeroU32;

use echoline::AddressKind;
use echoline_sys::{interface_name, route_to};
use if_addrs::get_if_addrs;
use procfs::net::{TcpNetEntry, TcpState};

use crate::evidence::{Address, Listening, Machine, Router};
use crate::probe::holder::processes_of;
use crate::probe::name::configured_servers;
use crate::probe::sockets::tcp_sockets;

/// A look at it; what the system does not show is left out.
pub(crate) fn look() -> Machine {
    let interfaces = get_if_addrs().unwrap_or_default();
    let addresses = interfaces.into_iter().map(|interface| Address {
        address: interface.ip(),
        kind: AddressKind::of(interface.ip()).as_str().into(),
        interface: interface.name,
    });
    let routers = NOWHERE.iter().filter_map(|texts| texts.iter().find_map(|text| router(text)));
    Machine {
        addresses: addresses.collect(),
        routers: routers.collect(),
        name_servers: configured_servers().iter().map(ToString::to_string).collect(),
        listening: listening(),
    }
}

/// The name of the interface of a route. It may have gone since.
pub(super) fn name_of(interface: NonZeroU32) -> String {
    interface_name(interface).answer().unwrap_or_else(|| "?".to_owned())
}

/// Nobody has these addresses (RFC 5737, RFC 3849, RFC 9637), so the way to them is the default route; several, in
/// case one of their networks is this machine's own.
const NOWHERE: [&[&str]; 2] = [&["192.0.2.1", "198.51.100.1", "203.0.113.1"], &["2001:db8::1", "3fff::1"]];

/// The router of IPv4 towards everywhere else.
pub(super) fn router_of_ipv4() -> Option<IpAddr> {
    NOWHERE[0].iter().find_map(|text| router(text)).map(|router| router.address)
}

fn router(towards: &str) -> Option<Router> {
    let route = route_to(towards.parse().ok()?, None, None).answer()?;
    Some(Router { address: route.gateway?, interface: name_of(route.interface) })
}

/// In the order of ports.
fn listening() -> Vec<Listening> {
    let mut entries = tcp_sockets().unwrap_or_default();
    entries.retain(|entry| entry.state == TcpState::Listen);
    let inodes: Vec<u64> = entries.iter().map(|entry| entry.inode).collect();
    let holders = processes_of(&inodes);
    let one = |entry: &TcpNetEntry| Listening {
        address: entry.local_address,
        program: holders.get(&entry.inode).and_then(|processes| processes.first()).cloned(),
    };
    let mut listening: Vec<_> = entries.iter().map(one).collect();
    listening.sort_by_key(|listening| (listening.address.port(), listening.address));
    listening
}
