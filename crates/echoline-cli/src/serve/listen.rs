//! Opens the listeners, and says why one cannot be had.

use std::net::{IpAddr, SocketAddr};

use echoline::{Endpoint, Error, Listener, Socket};
use echoline_check::{Hold, Holder, Place, holder_of};
use echoline_diagnosis::{Diagnosis, Text, code, plain};
use echoline_server::ServiceKind;
use if_addrs::get_if_addrs;

use super::target::{Target, services};

/// Everything that `serve` listens on.
pub(super) struct Opened {
    /// In the order asked for, IPv4 before IPv6.
    pub(super) listeners: Vec<(ServiceKind, Listener)>,
    /// The family that this machine lacks, where both were asked for.
    pub(super) missing_family: Option<&'static str>,
}

impl Opened {
    /// The own listener because of which there can be none at `wanted`. Those for IPv6 leave IPv4 alone.
    fn keeps(&self, wanted: SocketAddr) -> Option<SocketAddr> {
        let collides = |held: &SocketAddr| {
            let any = held.ip().is_unspecified() || wanted.ip().is_unspecified();
            held.port() == wanted.port()
                && (held.ip() == wanted.ip() || any && held.is_ipv4() == wanted.is_ipv4())
        };
        self.listeners.iter().map(|(_, listener)| listener.local()).find(collides)
    }
}

pub(super) fn open(targets: &[Target]) -> Result<Opened, Diagnosis> {
    let mut opened = Opened { listeners: Vec::new(), missing_family: None };
    for target in targets {
        let mut listeners =
            open_one(&target.place).map_err(|error| refused(error, &target.place, &opened))?;
        listeners.sort_by_key(|listener| listener.local().is_ipv6());
        if let ([only], Place::Loopbacks(_) | Place::Everywhere(_)) = (listeners.as_slice(), &target.place) {
            opened.missing_family = Some(if only.local().is_ipv4() { "IPv6" } else { "IPv4" });
        }
        opened.listeners.extend(listeners.into_iter().map(|listener| (target.service, listener)));
    }
    Ok(opened)
}

fn open_one(place: &Place) -> Result<Vec<Listener>, Error> {
    match place {
        Place::Loopbacks(port) => Socket::new().listen_all(&Endpoint::try_from(("localhost", port.get()))?),
        Place::Everywhere(port) => Socket::new().listen_everywhere(*port),
        Place::At(endpoint) => Socket::new().listen_all(endpoint),
    }
}

/// Says what this machine knows of the reason, in place of what is true in general.
fn refused(error: Error, place: &Place, opened: &Opened) -> Diagnosis {
    let mut failure = error;
    let not_found = matches!(
        failure.code(),
        code::NAME_NOT_FOUND
            | code::NAME_LOOKUP_FAILED
            | code::NAME_LOOKUP_TIMED_OUT
            | code::NO_ADDRESS_OF_FAMILY
    );
    if let Place::At(endpoint) = place
        && not_found
        && !endpoint.host().to_string().contains('.')
    {
        let remedy = failure.remedy();
        let steps = vec![plain(remedy), plain(format!("if a service is meant, there are {}", services()))];
        failure = failure.with_next(steps);
    }
    let tried = failure.endpoint().and_then(|target| Some((target.host.parse().ok()?, target.port)));
    let Some((ip, port)): Option<(IpAddr, u16)> = tried else { return failure };
    let address = SocketAddr::new(ip, port);
    match failure.code() {
        code::ADDRESS_IN_USE => match opened.keeps(address) {
            Some(held) => asked_for_twice(address, held),
            None => in_use(failure, holder_of(address)),
        },
        code::PERMISSION_DENIED => match unprivileged_from() {
            Some(first) if port < first => reserved(failure, first),
            _ => failure,
        },
        code::ADDRESS_NOT_AVAILABLE => {
            let own = get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
            let own: Vec<_> =
                own.filter(|own| own.is_ipv4() == ip.is_ipv4()).map(|own| own.to_string()).collect();
            if own.is_empty() { failure } else { failure.evidence("have", own.join(", ")) }
        }
        _ => failure,
    }
}

fn asked_for_twice(address: SocketAddr, held: SocketAddr) -> Diagnosis {
    Diagnosis::new(code::ADDRESS_IN_USE, format!("{address} is asked for twice"))
        .evidence("held", format!("by this very command, which listens on {held} already"))
        .next("leave one of them out, or give it another port")
}

fn in_use(failure: Diagnosis, holder: Option<Holder>) -> Diagnosis {
    let (held, free) = match holder {
        Some(Holder { how: Hold::Ended(peer), .. }) => (
            format!("by a connection to {peer} that has ended; the system keeps its port for a minute"),
            Some("or wait for a minute".to_owned()),
        ),
        Some(Holder { address, how, process: Some(process), .. }) => (
            format!("by {} (process {}), {}", process.name, process.pid, doing(how, address)),
            Some(format!("or end that program: kill {}", process.pid)),
        ),
        Some(Holder { address, how, uid, process: None }) => (
            format!("by a process of user {uid}, {}; only root sees which one", doing(how, address)),
            Some(format!("or find that program: sudo ss -tanp 'sport = {}'", address.port())),
        ),
        None => (
            "by a socket that the system does not list: one that is bound and does not listen".to_owned(),
            None,
        ),
    };
    let other = "echoline serve 0 picks a free port".to_owned();
    let next = [Some(other), free].into_iter().flatten().map(Text::from).collect();
    failure.evidence("held", held).with_next(next)
}

fn doing(how: Hold, address: SocketAddr) -> String {
    match how {
        Hold::Listens => format!("which listens on {address}"),
        Hold::Connected(peer) | Hold::Ended(peer) => format!("whose connection to {peer} has this port"),
    }
}

fn reserved(failure: Diagnosis, first: u16) -> Diagnosis {
    let so =
        format!("ports below {first} need the capability CAP_NET_BIND_SERVICE, which this process has not");
    let next = vec![
        format!("use a port from {first} up: echoline serve 5151"),
        "or give it the right: sudo setcap cap_net_bind_service=+ep \"$(command -v echoline)\"".to_owned(),
        format!("or lower net.ipv4.ip_unprivileged_port_start, which is {first} here (sysctl)"),
    ];
    failure.evidence("so", so).with_next(next.into_iter().map(Text::from).collect())
}

/// The lowest port that needs no right; `None` where the system has no such setting.
fn unprivileged_from() -> Option<u16> {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?.trim().parse().ok()
}
