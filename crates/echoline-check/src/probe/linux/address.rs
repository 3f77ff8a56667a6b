//! One address: the way there, the connection, and when that fails what else there is to see.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use echoline::AddressKind;
use echoline_sys::{NeighbourState, route_to};

use super::control::{self, CONTROL_PORTS};
use super::firewall::Rules;
use super::flight::{FIRST_REPETITION, Flight, Landed, Manner, unsent, wait};
use super::hops::{self, MAX_HOPS};
use super::job::{Job, on_port};
use super::machine::name_of;
use super::{firewall, own};
use crate::cancel::Cancel;
use crate::evidence::{AddressFinding, Connect, Control, Ended, Hop, Neighbour, Route, Way, end_of};
use crate::firewall::{Packet, Way as Direction};
use crate::probe::time::micros;

/// How much longer than the deadline reading this machine's rules may take.
const RULES_PATIENCE: Duration = Duration::from_millis(150);

/// Connects, and looks around when that fails. The stream is there when it stands.
pub(crate) fn probe(job: &Job<'_>) -> (AddressFinding, Option<TcpStream>) {
    let ip = job.address.ip();
    let own = own::is_own(ip);
    let (route, index) = route(job.address, job.source);
    let far = !own && route.found.as_ref().is_some_and(|way| way.gateway.is_some());
    let mut finding = AddressFinding {
        address: job.address,
        kind: AddressKind::of(ip).as_str().into(),
        own,
        listens: None,
        queue: None,
        route,
        connect: unsent(&std::io::ErrorKind::TimedOut.into()),
        neighbour: None,
        own_rules: Vec::new(),
        controls: Vec::new(),
        hops: Vec::new(),
        control_hops: Vec::new(),
    };
    let mut rules = None;
    let stream = match Flight::start(job.address, Manner { source: job.source, hop_limit: None }) {
        Err(error) => {
            finding.connect = unsent(&error);
            None
        }
        Ok(flight) => fly(job, flight, far, &mut finding, &mut rules),
    };
    finding.connect.ended = without_source(finding.connect.ended, &finding.route);
    if finding.connect.ended == Ended::NoSuchSource {
        // No socket has it, so only what was asked for can be told.
        finding.connect.source = job.source.map(|source| SocketAddr::new(source, 0));
    }
    if stream.is_none() && own {
        let listener = own::listener(job.address);
        (finding.listens, finding.queue) = (listener.map(|listener| listener.is_some()), listener.flatten());
    }
    if stream.is_none() && !own {
        let took_us = finding.connect.took_us;
        finding.neighbour = neighbour(ip, finding.route.found.as_ref(), index, took_us, job.cancel);
    }
    if far && job.controls && is_sent_back(&finding.connect) {
        finding.controls = control::ask(job);
    }
    if far && job.controls && is_bare_refusal(&finding.connect) {
        let compared = control::compare(job, &mut finding.controls);
        (finding.hops, finding.control_hops) = compared;
    } else if far && job.hops && finding.hops.is_empty() {
        finding.hops = hops::one_by_one(job, job.address);
    }
    finding.own_rules = own_rule(&finding, rules, job).into_iter().collect();
    (finding, stream)
}

/// Linux says EADDRNOTAVAIL both where every local port is taken and where it has no address to send from: with IPv6
/// switched off, to every IPv6 address. The route tells them apart.
fn without_source(ended: Ended, route: &Route) -> Ended {
    let has_source = route.found.as_ref().is_some_and(|way| way.source.is_some());
    if ended == Ended::NoLocalPort && !has_source { Ended::NetUnreachable } else { ended }
}

/// The rule of this machine that is in the way, where it seems that there is one.
fn own_rule(finding: &AddressFinding, reading: Option<JoinHandle<Rules>>, job: &Job<'_>) -> Option<String> {
    let connect = &finding.connect;
    // A port on which nothing listens is refused without any rule, and silent only by one.
    let by_a_rule = match connect.ended {
        Ended::NoAnswer => true,
        Ended::Refused => finding.listens != Some(false),
        _ => false,
    };
    let shut_here = finding.own && by_a_rule;
    let refused_near = end_of(&finding.hops) == Some(1) && is_bare_refusal(connect);
    if !(is_kept_here(connect) || shut_here || refused_near || connect.ended == Ended::Denied) {
        return None;
    }
    let read = reading.and_then(|reading| reading.join().ok());
    let rules =
        read.unwrap_or_else(|| firewall::read(job.deadline.max(Instant::now()) + RULES_PATIENCE, job.cancel));
    let to = finding.address;
    let interface = finding.route.found.as_ref().map(|way| way.interface.as_str());
    let packet = |way| Packet {
        way,
        ipv4: to.is_ipv4(),
        port: to.port(),
        from: connect.source.map(|source| source.ip()).filter(|source| !source.is_unspecified()),
        to: Some(to.ip()),
        interface,
        tracked: true,
    };
    let going_out = rules.against(packet(Direction::Out));
    going_out.or_else(|| finding.own.then(|| rules.against(packet(Direction::In))).flatten())
}

/// A reset: it says nothing about who sent it.
fn is_bare_refusal(connect: &Connect) -> bool {
    connect.ended == Ended::Refused && connect.icmp.is_none()
}

/// A router says that it cannot be reached: of the host, or of this port alone?
fn is_sent_back(connect: &Connect) -> bool {
    connect.icmp.as_ref().is_some_and(|icmp| {
        !icmp.from_this_machine && (icmp.is_host_unreachable() || icmp.is_net_unreachable())
    })
}

/// This machine did not let it out, or said no itself.
fn is_kept_here(connect: &Connect) -> bool {
    connect.requests.is_some_and(|requests| requests.left_this_machine == Some(false))
        || connect.icmp.as_ref().is_some_and(|icmp| icmp.from_this_machine)
}

/// Waits for the request to end. While nothing comes back, asks around.
///
/// Reading this machine's rules takes time, so that begins as soon as they are suspected.
fn fly(
    job: &Job<'_>,
    flight: Flight,
    far: bool,
    finding: &mut AddressFinding,
    rules: &mut Option<JoinHandle<Rules>>,
) -> Option<TcpStream> {
    let patience = (Instant::now() + FIRST_REPETITION).min(job.deadline);
    let silent = wait(&[&flight], patience, job.cancel).is_empty();
    if silent && (finding.own || flight.is_kept_here()) {
        let until = job.deadline + RULES_PATIENCE;
        let cancel = job.cancel.clone();
        // Without a thread they are not read.
        *rules = thread::Builder::new().spawn(move || firewall::read(until, &cancel)).ok();
    }
    if silent && !finding.own {
        look_around(job, &flight, far, finding);
    } else {
        wait(&[&flight], job.deadline, job.cancel);
    }
    let Landed { connect, stream } = flight.land();
    finding.connect = connect;
    stream
}

/// Asks other ports, and the routers on the way, until `main` has ended.
fn look_around(job: &Job<'_>, main: &Flight, far: bool, finding: &mut AddressFinding) {
    let to = |port| on_port(job.address, port);
    let ports: &[u16] = if job.controls { &CONTROL_PORTS } else { &[] };
    let mut under_way: Vec<(Asked, Flight)> = Vec::new();
    let mut send = |asked, address, hop_limit| {
        let manner = Manner { source: job.source, hop_limit };
        under_way.extend(Flight::start(address, manner).ok().map(|flight| (asked, flight)));
    };
    for port in ports.iter().filter(|port| **port != job.address.port()) {
        send(Asked::Control(*port), to(*port), None);
    }
    for ttl in 1..=if far { MAX_HOPS } else { 0 } {
        send(Asked::Hop(ttl), job.address, Some(ttl));
    }
    loop {
        let flights: Vec<&Flight> =
            under_way.iter().map(|(_, flight)| flight).chain(std::iter::once(main)).collect();
        let last = flights.len() - 1;
        let ready = wait(&flights, job.deadline, job.cancel);
        if ready.is_empty() || ready.contains(&last) {
            break;
        }
        for at in ready.into_iter().rev() {
            let (asked, flight) = under_way.swap_remove(at);
            note(finding, asked, flight.land().connect);
        }
    }
    for (asked, flight) in under_way {
        note(finding, asked, flight.land().connect);
    }
    finding.controls.sort_by_key(|control| CONTROL_PORTS.iter().position(|port| *port == control.port));
    finding.hops.sort_by_key(|hop| hop.ttl);
}

/// What a request beside the main one is about.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Control(u16),
    Hop(u8),
}

fn note(finding: &mut AddressFinding, asked: Asked, connect: Connect) {
    match asked {
        Asked::Control(port) => {
            let Connect { ended, icmp, took_us, .. } = connect;
            finding.controls.push(Control { port, ended, icmp, took_us });
        }
        Asked::Hop(ttl) => {
            finding.hops.push(Hop { ttl, answer: hops::answer(&connect), took_us: connect.took_us });
        }
    }
}

fn route(address: SocketAddr, source: Option<IpAddr>) -> (Route, Option<NonZeroU32>) {
    let begin = Instant::now();
    let scope = if let SocketAddr::V6(v6) = address { NonZeroU32::new(v6.scope_id()) } else { None };
    // One that is not of this machine is told of when the socket is bound to it; the kernel has no route for it.
    let source = source.filter(|source| {
        own::is_own(*source) && !source.is_unspecified() && source.is_ipv4() == address.is_ipv4()
    });
    let answer = route_to(address.ip(), source, scope).into_result();
    let found = answer.map(|route| {
        let way = Way {
            interface: name_of(route.interface),
            gateway: route.gateway,
            source: route.source,
            source_kind: route.source.map(|source| AddressKind::of(source).as_str().into()),
        };
        (way, route.interface)
    });
    let took_us = micros(begin.elapsed());
    match found {
        Err(error) => (Route { found: None, missing: Some(error.to_string()), took_us }, None),
        Ok((way, index)) => (Route { found: Some(way), missing: None, took_us }, Some(index)),
    }
}

/// Does the next machine on the way answer now? `None` where that is not known.
///
/// An entry from before is asked about 5 s after the request that used it (`delay_first_probe_time` of arp(7)), just
/// when a check with the usual time ends. Where it is the host's own, the answer is worth a moment: the kernel's timer
/// may be half a second late, and a loaded machine adds to that.
fn neighbour(
    ip: IpAddr,
    way: Option<&Way>,
    interface: Option<NonZeroU32>,
    asked_us: u64,
    cancel: &Cancel,
) -> Option<Neighbour> {
    const ASKED_AGAIN: Duration = Duration::from_millis(5_950);
    /// A check of 5 s ends before that: by as much as the name and the threads took, on a busy
    /// machine some 100 ms.
    const MOMENT: Duration = Duration::from_millis(1_500);
    let gateway = way?.gateway;
    let address = gateway.unwrap_or(ip);
    let left = ASKED_AGAIN.saturating_sub(Duration::from_micros(asked_us));
    let is_worth_it = gateway.is_none() && left <= MOMENT;
    let until = Instant::now() + if is_worth_it { left } else { Duration::ZERO };
    loop {
        match hardware(echoline_sys::neighbour(address, interface?).answer()?) {
            Hardware::Told => return Some(Neighbour { address, answers: true }),
            Hardware::Missing => return Some(Neighbour { address, answers: false }),
            Hardware::Doubted if cancel.step(until).is_some() => thread::sleep(Duration::from_millis(5)),
            Hardware::Doubted | Hardware::Old => return None,
        }
    }
}

/// What the state of a neighbour's entry says about now (arp(7), RFC 4861 section 7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hardware {
    /// It told its hardware address a moment ago: it is up.
    Told,
    /// It was asked in vain, so far or for good.
    Missing,
    /// It told it once. It is in use again, and will be asked whether it still holds.
    Doubted,
    /// It told it once, or somebody wrote it down, or there is none: that says nothing about now.
    Old,
}

fn hardware(state: NeighbourState) -> Hardware {
    match state {
        NeighbourState::Reachable => Hardware::Told,
        NeighbourState::Incomplete | NeighbourState::Failed => Hardware::Missing,
        NeighbourState::Delay | NeighbourState::Probe => Hardware::Doubted,
        NeighbourState::Stale
        | NeighbourState::NoArp
        | NeighbourState::Permanent
        | NeighbourState::Other(_) => Hardware::Old,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_neighbour_told_just_now_shows_that_it_is_up() {
        use NeighbourState::{Delay, Failed, Incomplete, NoArp, Other, Permanent, Probe, Reachable, Stale};

        assert_eq!(hardware(Reachable), Hardware::Told);
        assert_eq!([Incomplete, Failed].map(hardware), [Hardware::Missing; 2]);
        assert_eq!([Delay, Probe].map(hardware), [Hardware::Doubted; 2]);
        assert_eq!([Other(0), Stale, NoArp, Permanent].map(hardware), [Hardware::Old; 4]);
    }

    #[test]
    fn without_an_address_to_send_from_it_is_the_way_that_is_missing_and_not_a_port() {
        let route = |source: Option<&str>| {
            let source = source.map(|source| source.parse().unwrap());
            let found = Some(Way { interface: "eth0".to_owned(), gateway: None, source, source_kind: None });
            Route { found, missing: None, took_us: 5 }
        };
        let none = Route { found: None, missing: Some("Network is unreachable".to_owned()), took_us: 5 };
        assert_eq!(without_source(Ended::NoLocalPort, &none), Ended::NetUnreachable);
        assert_eq!(without_source(Ended::NoLocalPort, &route(None)), Ended::NetUnreachable);
        assert_eq!(without_source(Ended::NoLocalPort, &route(Some("192.0.2.1"))), Ended::NoLocalPort);
        assert_eq!(without_source(Ended::NoSuchSource, &none), Ended::NoSuchSource);
    }
}
