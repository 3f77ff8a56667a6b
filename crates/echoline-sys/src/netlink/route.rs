//! The route that a packet would take (rtnetlink(7), `RTM_GETROUTE`).

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;

use rustix::io::Errno;

use super::REQUEST;
use super::exchange::ask_one;
use super::message::{Malformed, Request, address, attributes, family_of, octets};
use crate::Outcome;

/// The route that the kernel chooses for a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The index of the outgoing interface. [`crate::interface_name`] has its name.
    pub interface: NonZeroU32,
    /// The next router. `None`: the destination is on the interface's own network, or is this
    /// machine. An IPv4 route may have an IPv6 router (`RTA_VIA`).
    pub gateway: Option<IpAddr>,
    /// The source address: the one in the question, else the one that the kernel prefers. `None`:
    /// this machine has no address to send from.
    pub source: Option<IpAddr>,
}

/// The errors that are a no.
const DEFINITE: [Errno; 5] =
    [Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::ACCESS, Errno::INVAL, Errno::NODEV];

/// The route to `destination`, as the kernel's rules and tables choose it for a packet of this
/// process's user without a mark.
///
/// Rules may depend on the source (ip-rule(8)): `from` sets it. `interface` is the index of the
/// outgoing interface; a link-local destination needs it (its scope).
///
/// A no is one of these (ip-route(8)):
///
/// | errno | meaning |
/// |---|---|
/// | `ENETUNREACH` | no route; or the interface is down; or the IPv4 address `from` is not local |
/// | `EHOSTUNREACH` | a route of the type `unreachable` |
/// | `EACCES` | a route of the type `prohibit` |
/// | `EINVAL` | a route of the type `blackhole`; or an address that no packet may have |
/// | `ENODEV` | no interface has the index |
///
/// Any other error is a failed question, for example `EOPNOTSUPP` from a kernel without IPv6.
///
/// # Examples
///
/// ```
/// use echoline_sys::{Outcome, route_to};
///
/// match route_to([127, 0, 0, 1].into(), None, None) {
///     Outcome::Answer(route) => assert_eq!(route.gateway, None),
///     Outcome::No(errno) => println!("there is no route: {errno}"),
///     Outcome::Failed(reason) => println!("no answer, which proves nothing: {reason}"),
/// }
/// ```
pub fn route_to(destination: IpAddr, from: Option<IpAddr>, interface: Option<NonZeroU32>) -> Outcome<Route> {
    if from.is_some_and(|from| from.is_ipv4() != destination.is_ipv4()) {
        let reason = "the source and the destination are of different families";
        return Outcome::Failed(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let request = request(destination, from, interface);
    match ask_one(None, &request, libc::RTM_NEWROUTE, read) {
        Ok(Ok(route)) => Outcome::Answer(Route { source: from.or(route.source), ..route }),
        Ok(Err(errno)) => Outcome::No(errno),
        Err(none) => none.outcome(&DEFINITE),
    }
}

fn request(destination: IpAddr, from: Option<IpAddr>, interface: Option<NonZeroU32>) -> Request {
    // rtmsg: family, then how many bits of the destination and of the source count.
    let bits = if destination.is_ipv4() { 32 } else { 128 };
    let mut fixed = [0; RTMSG];
    fixed[..3].copy_from_slice(&[family_of(destination), bits, if from.is_some() { bits } else { 0 }]);
    let mut request =
        Request::new(libc::RTM_GETROUTE, REQUEST, &fixed).with_attribute(libc::RTA_DST, &octets(destination));
    if let Some(from) = from {
        request = request.with_attribute(libc::RTA_SRC, &octets(from));
    }
    if let Some(interface) = interface {
        request = request.with_attribute(libc::RTA_OIF, &interface.get().to_ne_bytes());
    }
    request
}

/// The bytes of `rtmsg`, and where its type stands.
const RTMSG: usize = 12;
const TYPE: usize = 7;
/// Not in every C library's headers (linux/rtnetlink.h).
const RTA_VIA: u16 = 18;

/// Parses `rtmsg` and its attributes. The kernel replies with an error if the route is of a type
/// that takes no packets. Should a reply have such a type, it is a no as well.
fn read(body: &[u8]) -> Result<Result<Route, Errno>, Malformed> {
    let (fixed, rest) = body.split_first_chunk::<RTMSG>().ok_or(Malformed("a route that is too short"))?;
    match fixed[TYPE] {
        libc::RTN_UNREACHABLE => return Ok(Err(Errno::HOSTUNREACH)),
        libc::RTN_PROHIBIT => return Ok(Err(Errno::ACCESS)),
        libc::RTN_BLACKHOLE => return Ok(Err(Errno::INVAL)),
        libc::RTN_THROW => return Ok(Err(Errno::NETUNREACH)),
        _ => {}
    }
    let (mut interface, mut gateway, mut source) = (None, None, None);
    for attribute in attributes(rest) {
        match attribute? {
            (libc::RTA_OIF, data) => interface = Some(index(data)?),
            (libc::RTA_GATEWAY, data) => gateway = Some(address(data)?),
            (libc::RTA_PREFSRC, data) => source = Some(address(data)?),
            (RTA_VIA, data) => gateway = Some(via(data)?),
            _ => {}
        }
    }
    let interface = interface.ok_or(Malformed("a route without an interface"))?;
    Ok(Ok(Route { interface, gateway, source }))
}

fn index(data: &[u8]) -> Result<NonZeroU32, Malformed> {
    let index = data.try_into().ok().map(u32::from_ne_bytes).and_then(NonZeroU32::new);
    index.ok_or(Malformed("an interface that is no index"))
}

/// `rtvia`, a router of another family than the route: the family, then the address.
fn via(data: &[u8]) -> Result<IpAddr, Malformed> {
    let (family, router) = data.split_first_chunk().ok_or(Malformed("a router without a family"))?;
    let router = address(router)?;
    let is_told = u16::from_ne_bytes(*family) == u16::from(family_of(router));
    is_told.then_some(router).ok_or(Malformed("a router of a wrong family"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::messages;
    use super::*;

    /// The body of a route of this type with these attributes.
    fn body(kind: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut fixed = [0; RTMSG];
        fixed[TYPE] = kind;
        let route = attributes
            .iter()
            .fold(Request::new(0, 0, &fixed), |route, (kind, data)| route.with_attribute(*kind, data));
        messages(&route.bytes(0)).next().unwrap().unwrap().body.to_vec()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const SECOND: &[u8] = &2_u32.to_ne_bytes();

    #[test]
    fn loopback_is_reached_through_its_own_interface_from_itself() {
        let route = route_to(ip("127.0.0.1"), None, None).answer().unwrap();
        assert_eq!(crate::interface_name(route.interface).answer().as_deref(), Some("lo"));
        assert_eq!(route.gateway, None);
        assert_eq!(route.source, Some(ip("127.0.0.1")));
    }

    #[test]
    fn a_given_source_and_interface_are_those_of_the_route() {
        let lo = NonZeroU32::MIN;
        let route = route_to(ip("127.0.0.1"), Some(ip("127.0.0.7")), Some(lo)).answer().unwrap();
        assert_eq!(route, Route { interface: lo, gateway: None, source: Some(ip("127.0.0.7")) });
    }

    #[test]
    fn an_interface_that_does_not_exist_is_a_definite_no() {
        let none = NonZeroU32::new(i32::MAX.cast_unsigned());
        let outcome = route_to(ip("127.0.0.1"), None, none);
        assert!(matches!(outcome, Outcome::No(Errno::NODEV)), "{outcome:?}");
    }

    #[test]
    fn a_source_that_is_not_local_is_a_definite_no() {
        let outcome = route_to(ip("127.0.0.1"), Some(ip("192.0.2.1")), None);
        assert!(matches!(outcome, Outcome::No(Errno::NETUNREACH)), "{outcome:?}");
    }

    #[test]
    fn a_source_of_another_family_fails_and_is_not_a_no() {
        let outcome = route_to(ip("127.0.0.1"), Some(ip("::1")), None);
        let Outcome::Failed(reason) = outcome else { panic!("{outcome:?}") };
        assert_eq!(reason.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_request_names_what_is_asked_for() {
        let bytes = request(ip("192.0.2.9"), Some(ip("192.0.2.1")), NonZeroU32::new(7)).bytes(1);
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags), (26, 1));
        assert_eq!(message.body[..RTMSG], [2, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let seven = 7_u32.to_ne_bytes();
        let all: Vec<_> = attributes(&message.body[RTMSG..]).collect::<Result<_, _>>().unwrap();
        assert_eq!(all, [(1, &[192, 0, 2, 9][..]), (2, &[192, 0, 2, 1]), (4, &seven)]);
        let bytes = request(ip("2001:db8::9"), None, None).bytes(1);
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!(message.body[..RTMSG], [10, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(attributes(&message.body[RTMSG..]).count(), 1);
    }

    #[test]
    fn a_reply_names_interface_router_and_source() {
        let reply = body(
            libc::RTN_UNICAST,
            &[
                (15, &[254, 0, 0, 0]),
                (1, &[198, 51, 100, 7]),
                (4, SECOND),
                (5, &[192, 0, 2, 1]),
                (7, &[192, 0, 2, 9]),
            ],
        );
        let (gateway, source) = (Some(ip("192.0.2.1")), Some(ip("192.0.2.9")));
        let interface = NonZeroU32::new(2).unwrap();
        assert_eq!(read(&reply), Ok(Ok(Route { interface, gateway, source })));
    }

    #[test]
    fn an_ipv4_route_may_have_an_ipv6_router() {
        let router = octets(ip("fe80::1"));
        let data = |family: i32| [&u16::try_from(family).unwrap().to_ne_bytes()[..], &router].concat();
        let of = |family| read(&body(libc::RTN_UNICAST, &[(4, SECOND), (18, &data(family))]));
        assert_eq!(of(libc::AF_INET6).unwrap().unwrap().gateway, Some(ip("fe80::1")));
        assert!(of(libc::AF_INET).is_err());
    }

    #[test]
    fn a_route_that_takes_no_packets_is_a_no() {
        let of = |kind| read(&body(kind, &[(4, SECOND)])).unwrap().unwrap_err();
        assert_eq!(of(libc::RTN_UNREACHABLE), Errno::HOSTUNREACH);
        assert_eq!(of(libc::RTN_PROHIBIT), Errno::ACCESS);
        assert_eq!(of(libc::RTN_BLACKHOLE), Errno::INVAL);
        assert_eq!(of(libc::RTN_THROW), Errno::NETUNREACH);
    }

    #[test]
    fn a_route_without_an_interface_is_no_answer() {
        assert!(read(&body(libc::RTN_UNICAST, &[])).is_err());
        assert!(read(&body(libc::RTN_UNICAST, &[(4, &[0; 4])])).is_err());
        assert!(read(&body(libc::RTN_UNICAST, &[(4, &[1; 3])])).is_err());
    }

    #[test]
    fn a_truncated_reply_is_malformed_instead_of_a_route_without_a_router() {
        let whole = body(libc::RTN_UNICAST, &[(4, SECOND), (5, &[192, 0, 2, 1])]);
        assert!(read(&whole).is_ok());
        // Between its attributes only the message's length shows the cut.
        for end in (0..whole.len()).filter(|end| *end != RTMSG + 8) {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }

        #[test]
        fn any_attributes_are_read_without_a_panic(
            kind: u8,
            attributes in prop::collection::vec(
                (0..30_u16, prop::collection::vec(any::<u8>(), 0..24)), 0..6
            ),
        ) {
            let attributes: Vec<_> =
                attributes.iter().map(|(kind, data)| (*kind, data.as_slice())).collect();
            let _ = read(&body(kind, &attributes));
        }
    }
}
