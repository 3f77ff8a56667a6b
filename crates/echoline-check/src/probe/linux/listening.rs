//! The serving side of a port of this machine: who listens, for whom, does it take connections, does the firewall let
//! them in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use echoline::{Endpoint, Family, resolve};
use echoline_diagnosis::{Diagnosis, code, text};
use echoline_sys::interface_name;
use procfs::net::TcpState;

use super::diag::{self, ListeningSocket};
use super::flight::{Flight, Manner, wait};
use super::{firewall, machine, own};
use crate::cancel::Cancel;
use crate::evidence::{Ended, Firewall, Knock, ListenFindings, Listener, Place, Wanted};
use crate::firewall::{Packet, Way};
use crate::options::ListenOptions;
use crate::place::Place as Asked;
use crate::probe::holder::processes_of;
use crate::probe::reach::{Reach, reach_at};
use crate::probe::sockets::tcp_sockets;
use crate::shortage::no_thread;

/// So many of the own addresses are connected to.
const MAX_KNOCKS: usize = 16;
/// A connection to the own machine that takes longer than the first repetition is answered by nobody.
const KNOCK_PATIENCE: Duration = Duration::from_millis(1_500);
/// So long may a program take to accept a connection.
const ACCEPT_PATIENCE: Duration = Duration::from_millis(300);
/// So long may reading the rules take; there are machines with tens of thousands.
const RULES_PATIENCE: Duration = Duration::from_secs(5);
const ACCEPT_STEP: Duration = Duration::from_millis(5);

/// Looks at everything; what the system does not show is left out.
pub(crate) fn look(options: &ListenOptions, cancel: &Cancel) -> ListenFindings {
    let mut findings = seen(options, cancel);
    findings.interrupted = cancel.is_cancelled();
    findings
}

fn seen(options: &ListenOptions, cancel: &Cancel) -> ListenFindings {
    let (family, timeout) = (options.family, options.timeout.max(Duration::from_millis(1)));
    let mut findings = ListenFindings {
        asked: options.asked.clone(),
        wanted: Wanted { port: 0, addresses: Vec::new(), ipv4: true, ipv6: true, for_others: true },
        unreadable: None,
        sockets: None,
        places: Vec::new(),
        knocks: Vec::new(),
        firewalls: Vec::new(),
        router: None,
        interrupted: false,
    };
    match options.place.clone().and_then(|place| wanted(&place, family, timeout)) {
        Ok(wanted) => findings.wanted = wanted,
        Err(problem) => {
            findings.unreadable = Some(problem);
            return findings;
        }
    }
    let wanted = findings.wanted.clone();
    let Some(sockets) = diag::listening() else { return findings };
    let sockets: Vec<_> = sockets.into_iter().filter(|socket| socket.address.port() == wanted.port).collect();
    let listeners = listeners(sockets);
    findings.places = places(&wanted, &listeners);
    let served: Vec<SocketAddr> =
        findings.places.iter().filter(|place| place.served).map(|place| place.address).collect();
    let patience = timeout.min(KNOCK_PATIENCE);
    match knock(&served[..served.len().min(MAX_KNOCKS)], patience, cancel) {
        Ok(knocks) => findings.knocks = knocks,
        Err(error) => {
            findings.unreadable = Some(no_thread("check", &error));
            return findings;
        }
    }
    if wanted.for_others {
        findings.firewalls = firewalls(&findings.places, wanted.port, cancel);
        findings.router = machine::router_of_ipv4();
    }
    findings.sockets = Some(listeners);
    findings
}

fn wanted(place: &Asked, family: Family, timeout: Duration) -> Result<Wanted, Diagnosis> {
    let (port, addresses) = match place {
        Asked::Everywhere(port) => (port.get(), Vec::new()),
        Asked::Loopbacks(port) => (port.get(), vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Asked::At(endpoint) => (endpoint.port().get(), addresses(endpoint, family, timeout)?),
    };
    if port == 0 {
        let message = "port 0 is no port to listen on: it lets a server pick a free one";
        return Err(Diagnosis::new(code::BAD_PORT, message)
            .next("use the port that the server printed when it started"));
    }
    // 0.0.0.0 is every address of IPv4; [::] is every one of IPv6, and of IPv4 where the socket takes it.
    let any: Vec<IpAddr> = addresses.iter().copied().filter(IpAddr::is_unspecified).collect();
    let of_ipv4_alone = any.iter().any(IpAddr::is_ipv4);
    let of_ipv6_alone = any.iter().any(IpAddr::is_ipv6) && family != Family::Any;
    let addresses = if any.is_empty() { addresses } else { Vec::new() };
    let fits = |ip: &IpAddr| match family {
        Family::V4 => ip.is_ipv4(),
        Family::V6 => ip.is_ipv6(),
        _ => true,
    };
    let addresses: Vec<IpAddr> = addresses.into_iter().filter(fits).collect();
    let for_others = addresses.is_empty() || !addresses.iter().all(IpAddr::is_loopback);
    Ok(Wanted {
        port,
        addresses,
        ipv4: family != Family::V6 && !of_ipv6_alone,
        ipv6: family != Family::V4 && !of_ipv4_alone,
        for_others,
    })
}

fn addresses(endpoint: &Endpoint, family: Family, timeout: Duration) -> Result<Vec<IpAddr>, Diagnosis> {
    let found = match endpoint.host().ip() {
        Some(ip) => vec![ip],
        None => {
            let found = resolve(endpoint, family, timeout)?;
            found.iter().map(SocketAddr::ip).collect()
        }
    };
    match found.iter().find(|ip| !own::is_own(**ip)) {
        None => Ok(found),
        Some(foreign) => {
            let message =
                text!("{} belongs to no interface of this machine, so nothing can listen there", foreign);
            Err(Diagnosis::new(code::ADDRESS_NOT_AVAILABLE, message)
                .next("see which addresses there are: ip address"))
        }
    }
}

fn listeners(sockets: Vec<ListeningSocket>) -> Vec<Listener> {
    let inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mut holders = processes_of(&inodes);
    let one = |socket: ListeningSocket| Listener {
        address: socket.address,
        ipv6_only: socket.ipv6_only,
        queue: socket.queue,
        interface: socket.interface.map(|index| {
            let name = interface_name(index).answer();
            name.unwrap_or_else(|| format!("interface {index}"))
        }),
        uid: socket.uid,
        processes: holders.remove(&socket.inode).unwrap_or_default(),
    };
    let mut listeners: Vec<Listener> = sockets.into_iter().map(one).collect();
    listeners.sort_by_key(|listener| listener.address);
    listeners
}

fn places(wanted: &Wanted, listeners: &[Listener]) -> Vec<Place> {
    let mut all: Vec<Reach> = Vec::new();
    if wanted.ipv4 {
        all.extend(reach_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), wanted.port)));
    }
    if wanted.ipv6 {
        all.extend(reach_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), wanted.port)));
    }
    all.retain(|one| wanted.addresses.is_empty() || wanted.addresses.contains(&one.address.ip()));
    let place = |one: Reach| Place {
        served: listeners.iter().any(|listener| {
            let here = listener.interface.is_none() || listener.interface == one.interface;
            listener.serves(one.address.ip()) && here
        }),
        address: one.address,
        kind: one.kind.as_str().into(),
        who: one.who(),
        interface: one.interface,
    };
    all.into_iter().map(place).collect()
}

/// Connects to each, side by side.
fn knock(addresses: &[SocketAddr], patience: Duration, cancel: &Cancel) -> io::Result<Vec<Knock>> {
    let until = Instant::now() + patience;
    let one = |address: SocketAddr| {
        // A link-local address needs its interface, which is not in the list.
        let is_link_local = matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local());
        (!is_link_local).then(|| knock_one(address, until, cancel)).flatten()
    };
    thread::scope(|scope| {
        let spawn = |address: &SocketAddr| {
            let address = *address;
            thread::Builder::new().spawn_scoped(scope, move || one(address))
        };
        let knocks: Vec<_> = addresses.iter().map(spawn).collect::<io::Result<_>>()?;
        Ok(knocks.into_iter().filter_map(|knock| knock.join().ok().flatten()).collect())
    })
}

fn knock_one(address: SocketAddr, until: Instant, cancel: &Cancel) -> Option<Knock> {
    let flight = Flight::start(address, Manner::default()).ok()?;
    wait(&[&flight], until, cancel);
    let landed = flight.land();
    let client = landed.stream.as_ref().and_then(|stream| stream.local_addr().ok());
    let taken = client.filter(|_| landed.connect.ended == Ended::Connected).and_then(|client| {
        let until = Instant::now() + ACCEPT_PATIENCE;
        loop {
            let taken = is_taken(address, client)?;
            if taken || cancel.step(until).is_none() {
                return Some(taken);
            }
            thread::sleep(ACCEPT_STEP);
        }
    });
    Some(Knock { address, connect: landed.connect, taken })
}

/// Has the program taken the connection of that client? A connection that it has not taken belongs to no open file.
fn is_taken(server: SocketAddr, client: SocketAddr) -> Option<bool> {
    let same =
        |a: SocketAddr, b: SocketAddr| a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical();
    let waiting = tcp_sockets()?.into_iter().any(|entry| {
        entry.state == TcpState::Established
            && entry.inode == 0
            && same(entry.local_address, server)
            && same(entry.remote_address, client)
    });
    Some(!waiting)
}

/// What the rules say for each family that is served to others; of one that is not, whether they lead it elsewhere.
fn firewalls(places: &[Place], port: u16, cancel: &Cancel) -> Vec<Firewall> {
    let rules = firewall::read(Instant::now() + RULES_PATIENCE, cancel);
    let judge = |ipv4| {
        let (packet, is_asked) = packet_to(places, ipv4, port)?;
        Some(rules.judge(packet)).filter(|firewall| is_asked || firewall.led_elsewhere.is_some())
    };
    [true, false].into_iter().filter_map(judge).collect()
}

/// A connection from elsewhere to what is served in that family, or else to where it would be. And whether what the
/// rules let in matters: what is served in the other family alone is judged there.
fn packet_to(places: &[Place], ipv4: bool, port: u16) -> Option<(Packet<'_>, bool)> {
    let outside = || places.iter().filter(|place| !place.address.ip().is_loopback());
    let of_family: Vec<&Place> = outside().filter(|place| place.address.is_ipv4() == ipv4).collect();
    let served: Vec<&Place> = of_family.iter().copied().filter(|place| place.served).collect();
    let is_asked = !served.is_empty() || !outside().any(|place| place.served);
    let of = if served.is_empty() { of_family } else { served };
    let first = of.first()?;
    let same = of.iter().all(|place| place.interface == first.interface);
    let only = of.len() == 1;
    let packet = Packet {
        way: Way::In,
        ipv4,
        port,
        from: None,
        to: only.then(|| first.address.ip()),
        interface: first.interface.as_deref().filter(|_| same),
        tracked: true,
    };
    Some((packet, is_asked))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_taken_once_the_program_has_accepted_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(is_taken(address, client.local_addr().unwrap()), Some(false));
        let _accepted = listener.accept().unwrap();
        assert_eq!(is_taken(address, client.local_addr().unwrap()), Some(true));
    }

    #[test]
    fn the_rules_are_asked_where_it_is_served_and_where_nobody_serves_it() {
        let place = |address: &str, interface: &str, served| Place {
            address: address.parse().unwrap(),
            kind: "private".into(),
            interface: Some(interface.to_owned()),
            who: String::new(),
            served,
        };
        let places = |served: [bool; 3]| {
            vec![
                place("127.0.0.1:80", "lo", true),
                place("10.0.0.1:80", "eth0", served[0]),
                place("10.1.0.1:80", "eth1", served[1]),
                place("[fd00::1]:80", "eth0", served[2]),
            ]
        };
        let of = |served, ipv4| {
            let places = places(served);
            let (packet, is_asked) = packet_to(&places, ipv4, 80).unwrap();
            (packet.to.map(|to| to.to_string()), packet.interface.map(str::to_owned), is_asked)
        };
        let at = |to: &str, interface: &str| (Some(to.to_owned()), Some(interface.to_owned()));
        let (to, interface) = at("10.1.0.1", "eth1");
        assert_eq!(of([false, true, false], true), (to, interface, true));
        assert_eq!(of([true, true, false], true), (None, None, true));
        let (to, interface) = at("fd00::1", "eth0");
        assert_eq!(of([false, true, false], false), (to.clone(), interface.clone(), false));
        assert_eq!(of([false; 3], false), (to, interface, true));
        assert_eq!(of([false; 3], true), (None, None, true));
        assert!(packet_to(&places([false; 3])[..1], true, 80).is_none());
    }

    #[test]
    fn what_is_wanted_follows_from_how_it_is_written() {
        let of = |text: &str, family| {
            let place = Asked::parse(text, echoline::Port::DEFAULT).unwrap();
            wanted(&place, family, Duration::ZERO)
                .map(|it| (it.addresses.len(), it.ipv4, it.ipv6, it.for_others))
        };
        assert_eq!(of(":80", Family::Any).unwrap(), (0, true, true, true));
        assert_eq!(of(":80", Family::V6).unwrap(), (0, false, true, true));
        assert_eq!(of("localhost:80", Family::Any).unwrap(), (2, true, true, false));
        assert_eq!(of("127.0.0.1:80", Family::Any).unwrap(), (1, true, true, false));
        assert_eq!(of("0.0.0.0:80", Family::Any).unwrap(), (0, true, false, true));
        assert_eq!(of("[::]:80", Family::Any).unwrap(), (0, true, true, true));
        assert_eq!(of("192.0.2.7:80", Family::Any).unwrap_err().code(), code::ADDRESS_NOT_AVAILABLE);
        assert_eq!(of(":0", Family::Any).unwrap_err().code(), code::BAD_PORT);
    }
}
