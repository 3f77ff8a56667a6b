//! Names to addresses, with typed failures and a deadline.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType};
use echoline_diagnosis::{Diagnosis as Error, Operation, Text, foreign, host as quoted, text};

use crate::code;
use crate::endpoint::{Endpoint, Host, Zone};
use crate::error::{deadline, error, span};

/// How many lookups of one program may be under way, those included that were abandoned at their deadline.
const MAX_LOOKUPS: usize = 16;
/// How many addresses of a name are used; the rest is dropped.
const MAX_ADDRESSES: usize = 1000;

/// The IP versions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Family {
    /// IPv4 and IPv6.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// True if `ip` belongs to it.
    pub fn admits(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

impl Family {
    /// The family as people write it: `IPv4`, `IPv6`, or `IP` for both.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "IP",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The addresses of an endpoint's host, each with the endpoint's port, in the order in which the system prefers
/// them (RFC 6724); at most 1,000, each once.
///
/// An address is its own answer. `localhost` and the names below it are `::1` and `127.0.0.1`, whatever a name
/// server says (RFC 6761 section 6.3). All other names go to the system's `getaddrinfo`. That call cannot be
/// interrupted, so it runs on a thread that is abandoned after `timeout`; of such threads a program has at most 16.
///
/// # Errors
///
/// `name-not-found`, `name-lookup-failed`, `name-lookup-timed-out`, `no-address-of-family`; `resolver-busy` while 16
/// lookups are under way, `system` without a thread for one, and `bad-address` for a link-local IPv6 address without its zone (a name's other addresses go on), or with one that is no interface of this machine.
///
/// ```
/// use std::time::Duration;
/// use echoline::{Family, resolve};
///
/// let addresses = resolve(&"localhost:5151".parse()?, Family::Any, Duration::from_secs(5))?;
/// assert_eq!(addresses, ["[::1]:5151".parse().unwrap(), "127.0.0.1:5151".parse().unwrap()]);
/// # Ok::<(), echoline::Error>(())
/// ```
pub fn resolve(endpoint: &Endpoint, family: Family, timeout: Duration) -> Result<Vec<SocketAddr>, Error> {
    static SYSTEM: LazyLock<Resolver> = LazyLock::new(|| Resolver::new(getaddrinfo));
    let port = endpoint.port().get();
    let plain = |ip: IpAddr| SocketAddr::new(ip, port);
    let addresses = match endpoint.host() {
        Host::Ip(ip) => vec![plain(*ip)],
        Host::Scoped(ip, zone) => vec![SocketAddrV6::new(*ip, port, 0, scope_id(zone, endpoint)?).into()],
        host if host.is_localhost() => {
            vec![plain(Ipv6Addr::LOCALHOST.into()), plain(Ipv4Addr::LOCALHOST.into())]
        }
        Host::Name(name) => {
            SYSTEM.look_up(name.as_str(), family, timeout).map_err(|failure| failure.on(endpoint, family))?
        }
    };
    usable(addresses, endpoint, family)
}

/// Those of an endpoint's addresses that can be used, with its port; an error if that is none.
fn usable(addresses: Vec<SocketAddr>, endpoint: &Endpoint, family: Family) -> Result<Vec<SocketAddr>, Error> {
    let admitted = addresses.into_iter().filter(|address| family.admits(address.ip()));
    let (lost, mut usable): (Vec<_>, Vec<_>) = admitted.partition(lacks_zone);
    for address in &mut usable {
        address.set_port(endpoint.port().get());
    }
    match (usable.as_slice(), lost.first()) {
        ([], None) => Err(Failure::NoAddressOfFamily.on(endpoint, family)),
        ([], Some(lost)) => Err(zone_missing(lost.ip(), endpoint)),
        _ => Ok(usable),
    }
}

/// Why a lookup gave no address.
#[derive(Debug)]
enum Failure {
    NotFound,
    NoAddressOfFamily,
    /// What the system said.
    Failed(io::Error),
    /// Nothing could be asked.
    NoThread(io::Error),
    TimedOut(Duration),
    Busy,
}

impl Failure {
    fn on(self, endpoint: &Endpoint, family: Family) -> Error {
        let host = endpoint.host();
        let name = || quoted(host);
        let error = |code, sentence: Text| error(code, Operation::Resolve, sentence).on(endpoint);
        match self {
            Self::NotFound => error(code::NAME_NOT_FOUND, text!("the name {} does not exist", name())),
            Self::NoAddressOfFamily => {
                error(code::NO_ADDRESS_OF_FAMILY, text!("{} has no {} address", name(), family.as_str()))
            }
            Self::NoThread(source) => {
                let sentence = text!("the name {} could not be looked up: the system gave no thread", name());
                error(code::SYSTEM, sentence)
                    .next("look at the limit of processes and threads: ulimit -u")
                    .caused_by(source)
            }
            Self::Failed(source) => {
                let said = source.to_string();
                // The crate says first what this sentence says already.
                let said = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said);
                error(code::NAME_LOOKUP_FAILED, text!("the name {} could not be looked up", name()))
                    .caused_by(io::Error::new(source.kind(), said.to_owned()))
            }
            Self::TimedOut(timeout) => {
                let time = span(timeout);
                error(code::NAME_LOOKUP_TIMED_OUT, text!("the lookup of {} did not end in {}", name(), time))
            }
            Self::Busy => error(
                code::RESOLVER_BUSY,
                text!(
                    "{} was not looked up: {} lookups of this program are stuck already",
                    name(),
                    MAX_LOOKUPS
                ),
            ),
        }
    }
}

type Lookup = dyn Fn(&str, Family) -> Result<Vec<SocketAddr>, Failure> + Send + Sync;

/// Runs lookups that cannot be interrupted, each on a thread of its own, with a deadline and a cap.
struct Resolver {
    lookup: Arc<Lookup>,
    slots: Arc<Slots>,
}

impl Resolver {
    fn new(
        lookup: impl Fn(&str, Family) -> Result<Vec<SocketAddr>, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { lookup: Arc::new(lookup), slots: Arc::default() }
    }

    fn look_up(&self, name: &str, family: Family, timeout: Duration) -> Result<Vec<SocketAddr>, Failure> {
        let deadline = deadline(Instant::now(), timeout);
        let slot = Slot::take(&self.slots, deadline).ok_or(Failure::Busy)?;
        let (answer, answered) = mpsc::sync_channel(1);
        let (lookup, name) = (Arc::clone(&self.lookup), name.to_owned());
        let spawned = thread::Builder::new().name("echoline-lookup".into()).spawn(move || {
            // Nobody listens any more if the lookup was abandoned.
            let _ = answer.send(lookup(&name, family));
            drop(slot);
        });
        spawned.map_err(Failure::NoThread)?;
        match answered.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(result) => result.map(distinct),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::TimedOut(timeout)),
            // The thread died without an answer: only a panic in the lookup does that.
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failure::Failed(io::ErrorKind::Other.into())),
        }
    }
}

fn distinct(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

/// How many lookups are under way.
#[derive(Default)]
struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    fn lock(&self) -> MutexGuard<'_, usize> {
        // The count is right even if a holder of the lock panicked: it is changed in one step.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lookup under way; free again when dropped.
struct Slot(Arc<Slots>);

impl Slot {
    /// Waits for a slot until the deadline.
    fn take(slots: &Arc<Slots>, deadline: Instant) -> Option<Self> {
        let patience = deadline.saturating_duration_since(Instant::now());
        let full = |taken: &mut usize| *taken >= MAX_LOOKUPS;
        let waited = slots.freed.wait_timeout_while(slots.lock(), patience, full);
        let (mut taken, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        *taken += 1;
        Some(Self(Arc::clone(slots)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.freed.notify_one();
    }
}

/// The system's own lookup. May take very long. A link-local address keeps its zone, which name services of the link
/// give with it (mDNS, RFC 6762; LLMNR).
fn getaddrinfo(name: &str, family: Family) -> Result<Vec<SocketAddr>, Failure> {
    let found = asked(name, family);
    if cfg!(target_env = "gnu") { found } else { told_apart(found, family, || asked(name, Family::Any)) }
}

/// Only glibc says whether a name that has no address of a family exists; elsewhere, ask for any address of it.
fn told_apart(
    found: Result<Vec<SocketAddr>, Failure>,
    family: Family,
    any: impl FnOnce() -> Result<Vec<SocketAddr>, Failure>,
) -> Result<Vec<SocketAddr>, Failure> {
    match found {
        Err(Failure::NotFound) if family != Family::Any && any().is_ok() => Err(Failure::NoAddressOfFamily),
        found => found,
    }
}

fn asked(name: &str, family: Family) -> Result<Vec<SocketAddr>, Failure> {
    let address = match family {
        Family::Any => 0,
        Family::V4 => AddrFamily::Inet.into(),
        Family::V6 => AddrFamily::Inet6.into(),
    };
    let hints = AddrInfoHints { address, socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found =
        dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(|error| failure(error, family))?;
    Ok(found.filter_map(Result::ok).take(MAX_ADDRESSES).map(|info| info.sockaddr).collect())
}

fn failure(error: LookupError, family: Family) -> Failure {
    /// glibc's `EAI_ADDRFAMILY`, which the crate has no kind for.
    const EAI_ADDRFAMILY: i32 = -9;
    let other_family = cfg!(target_os = "linux") && error.error_num() == EAI_ADDRFAMILY;
    match error.kind() {
        // The name exists, but has no record of the kind asked for.
        LookupErrorKind::NoData if family != Family::Any => Failure::NoAddressOfFamily,
        _ if other_family => Failure::NoAddressOfFamily,
        LookupErrorKind::NoName | LookupErrorKind::NoData => Failure::NotFound,
        _ => Failure::Failed(error.into()),
    }
}

/// Such an address is used again on every link; without the link it leads nowhere (RFC 4007 section 6).
fn lacks_zone(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

fn zone_missing(ip: IpAddr, endpoint: &Endpoint) -> Error {
    let what = match endpoint.host() {
        Host::Name(name) => text!("{}, the address of {},", ip, quoted(name.as_str())),
        _ => ip.into(),
    };
    let sentence = text!("{} is link-local: the interface that leads to it is missing", what);
    let port = endpoint.port();
    error(code::BAD_ADDRESS, Operation::Resolve, sentence).on(endpoint).next(text!(
        "add the interface after a %, such as [{}%eth0]:{}",
        ip,
        port.get()
    ))
}

/// The number of the interface that a zone names, or is.
fn scope_id(zone: &Zone, endpoint: &Endpoint) -> Result<u32, Error> {
    let number = zone.as_str().parse().ok().filter(|number| *number != 0);
    number.or_else(|| interface_number(zone.as_str())).ok_or_else(|| {
        let sentence =
            text!("{} in {} is no interface of this machine", foreign(zone.as_str()), quoted(endpoint));
        error(code::BAD_ADDRESS, Operation::Resolve, sentence).on(endpoint).next(
            "list the interfaces with `ip link` (Linux) or `ifconfig`, and write one of their names after the %",
        )
    })
}

#[cfg(target_os = "linux")]
fn interface_number(name: &str) -> Option<u32> {
    // Asked of a socket, because /sys shows the interfaces of the network namespace that mounted it, which need not be
    // that of this thread.
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).ok()?;
    rustix::net::netdevice::name_to_index(&socket, name).ok()
}

/// Elsewhere the zone is given as a number.
#[cfg(not(target_os = "linux"))]
fn interface_number(_name: &str) -> Option<u32> {
    None
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
