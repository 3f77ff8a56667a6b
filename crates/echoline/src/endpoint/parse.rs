//! Reading endpoints from text. Every error quotes the offending part and says what was expected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Endpoint, Host, Name, Port, Zone};
use crate::code::Code;
use crate::error::{Error, Operation};

/// The longest host name that DNS can carry, without the final dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// The longest label of a name.
const MAX_LABEL: usize = 63;

const SCHEMES: [(&str, Option<u16>); 3] = [("tcp", None), ("http", Some(80)), ("https", Some(443))];

fn bad_address(message: impl AsRef<str>) -> Error {
    Error::new(Code::BadAddress, Operation::Parse, message)
}

fn bad_port(message: impl AsRef<str>) -> Error {
    Error::new(Code::BadPort, Operation::Parse, message)
}

pub(super) fn endpoint(text: &str, default_port: Option<Port>) -> Result<Endpoint, Error> {
    let (authority, default_port) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let known = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
            let (_, port) = known.ok_or_else(|| {
                bad_address(format!("the scheme {scheme} in {text} is none of tcp, http and https"))
            })?;
            (authority_of(rest, text)?, port.map(Port).or(default_port))
        }
        None => (text, default_port),
    };
    let (host_text, port_text) = split(authority)?;
    let host = host(host_text)?;
    let port = match (port_text, default_port) {
        (Some(port_text), _) => port(port_text)?,
        (None, Some(default)) => default,
        (None, None) => {
            let endpoint = Endpoint::new(host, Port::DEFAULT);
            let meant = endpoint.with_port_in_brackets();
            let meant = meant.map(|meant| format!("if {} is the port, write {meant}; else ", meant.port));
            return Err(bad_port(format!("{text} has no port"))
                .with_remedy(format!("{}add one, such as {endpoint}", meant.unwrap_or_default())));
        }
    };
    Ok(Endpoint { host, port })
}

/// Host and port of a URL. A path has no place in an endpoint, except the bare slash that browsers add.
fn authority_of<'a>(rest: &'a str, text: &str) -> Result<&'a str, Error> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !matches!(path, "" | "/") {
        let message = format!("{path} in {text} is a path; an endpoint is a host and a port");
        return Err(bad_address(message).with_remedy(format!("leave {path} out")));
    }
    match authority.rsplit_once('@') {
        // Not quoted: there may be a password in it.
        Some((_, host)) => Err(bad_address(format!("the part before @{host} is a user, not a host"))
            .with_remedy(format!("write {host} alone"))),
        None => Ok(authority),
    }
}

/// Splits host and port without looking into them. Brackets stay with the host.
fn split(authority: &str) -> Result<(&str, Option<&str>), Error> {
    if authority.starts_with('[') {
        let Some(end) = authority.find(']') else {
            return Err(bad_address(format!("the [ in {authority} is never closed by a ]")));
        };
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => {
                Err(bad_address(format!("{rest} in {authority} is out of place: after ] comes : and a port")))
            }
        };
    }
    match authority.rsplit_once(':') {
        // More than one colon: an IPv6 address, which then has no port unless it stands in brackets.
        Some((host, _)) if host.contains(':') => Ok((authority, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

pub(super) fn port(text: &str) -> Result<Port, Error> {
    if text.is_empty() {
        return Err(bad_port("the port is missing"));
    }
    if let Some(digits) = text.strip_prefix('-')
        && is_number(digits)
    {
        return Err(bad_port(format!("port {text} is below 0")));
    }
    if !is_number(text) {
        return Err(bad_port(format!("port {text} is no number")));
    }
    // Only an overflow is left to go wrong.
    text.parse().map(Port).map_err(|_| bad_port(format!("port {text} is above 65535")))
}

pub(super) fn host(text: &str) -> Result<Host, Error> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some(inner) = rest.strip_suffix(']') else {
            return Err(bad_address(format!("the [ in {text} is never closed by a ]")));
        };
        return if inner.contains(':') {
            v6(inner)
        } else {
            Err(bad_address(format!("{inner} is no IPv6 address; only those stand in brackets")))
        };
    }
    if text.is_empty() {
        return Err(bad_address("the host is missing")
            .with_remedy("write a name or an IP address before the port; localhost is this machine"));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let (alone, _) = split(authority_of(rest, text)?)?;
        let error = bad_address(format!("{text} is a URL, where only a host belongs"));
        return Err(match alone {
            "" => error,
            alone => error.with_remedy(format!("write {alone} alone; the port goes apart")),
        });
    }
    if let Some((alone, port)) = text.split_once(':').filter(|(alone, _)| !alone.is_empty())
        && !port.contains(':')
    {
        return Err(bad_address(format!("{text} is a host and a port, where only a host belongs"))
            .with_remedy(format!("write {alone} alone; the port goes apart")));
    }
    if text.contains(':') {
        return v6(text);
    }
    if is_number(text) {
        return Err(bare_number(text));
    }
    if ends_in_a_number(text) {
        return v4(text).map(|ip| Host::Ip(ip.into()));
    }
    name(text)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn bare_number(text: &str) -> Error {
    let error = bad_address(format!("{text} is a number, not a host"));
    if text.parse::<u16>().is_ok() {
        error.with_remedy(format!("write localhost:{text} for that port on this machine"))
    } else {
        error.with_remedy("write an IPv4 address as four numbers from 0 to 255, such as 127.0.0.1")
    }
}

/// What `getaddrinfo` might read as an IPv4 address (`127.1`, `0x7f.1`) is never a name to us: a name's last label
/// is never a number (RFC 1123 section 2.1).
fn ends_in_a_number(text: &str) -> bool {
    let last = text.strip_suffix('.').unwrap_or(text).rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    is_number(last) || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Strictly four decimal numbers (RFC 6943 section 3.1.1 on why the loose forms are a danger).
fn v4(text: &str) -> Result<Ipv4Addr, Error> {
    let parts: Vec<&str> = text.split('.').collect();
    for part in &parts {
        if part.is_empty() {
            return Err(bad_address(format!("a number is missing in {text} beside a dot")));
        }
        if !is_number(part) {
            return Err(bad_address(format!("{part} in {text} is no number from 0 to 255")));
        }
        if part.len() > 1 && part.starts_with('0') {
            let message = format!("{part} in {text} starts with 0, which some programs read as octal");
            let plain = part.trim_start_matches('0');
            return Err(bad_address(message)
                .with_remedy(format!("write {}", if plain.is_empty() { "0" } else { plain })));
        }
        if part.parse::<u8>().is_err() {
            return Err(bad_address(format!("{part} in {text} is above 255")));
        }
    }
    // Every part is a plain number now, so only their count can be wrong.
    text.parse().map_err(|_| {
        let count = parts.len();
        let numbers = if count == 1 { "number" } else { "numbers" };
        bad_address(format!("{text} has {count} {numbers}, an IPv4 address has four"))
    })
}

fn v6(text: &str) -> Result<Host, Error> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let Ok(ip) = address.parse::<Ipv6Addr>() else { return Err(bad_v6(address, text)) };
    let Some(zone) = zone else { return Ok(Host::Ip(IpAddr::V6(ip))) };
    // Linux interface names have at most 15 bytes, no slash and no white space; others are no longer than this.
    let fits = (1..=64).contains(&zone.len());
    if !fits || zone.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '/' | '[' | ']' | '%')) {
        return Err(bad_address(format!("the zone {zone:?} in {text} is no name of an interface")));
    }
    if !(ip.is_unicast_link_local() || ip.is_multicast()) {
        return Err(bad_address(format!(
            "%{zone} in {text} has no meaning: only link-local addresses have a zone"
        ))
        .with_remedy(format!("write {ip} alone")));
    }
    Ok(Host::Scoped(ip, Zone(zone.to_owned())))
}

/// Points at what is wrong with an IPv6 address that did not parse.
fn bad_v6(address: &str, text: &str) -> Error {
    if let Some((_, dotted)) = address.rsplit_once(':').filter(|(_, tail)| tail.contains('.'))
        && let Err(error) = v4(dotted)
    {
        return error;
    }
    let mut groups = address.split(':').filter(|group| !group.contains('.'));
    if let Some(group) = groups.clone().find(|group| group.contains(|c: char| !c.is_ascii_hexdigit())) {
        return bad_address(format!("{group} in {text} is no hexadecimal number"));
    }
    if let Some(group) = groups.find(|group| group.len() > 4) {
        let error = bad_address(format!("{group} in {text} is above ffff"));
        let port = group.parse::<u16>().is_ok();
        return if port {
            error.with_remedy("write an IPv6 address with a port as [address]:port")
        } else {
            error
        };
    }
    if address.matches("::").count() > 1 || address.contains(":::") {
        return bad_address(format!(":: stands more than once in {text}"));
    }
    bad_address(format!("{text} has no eight groups, and no :: in their place, so it is no IPv6 address"))
}

fn name(text: &str) -> Result<Host, Error> {
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        let error = bad_address(format!("{bad:?} in {text} has no place in a host name"));
        return Err(match bad {
            ' ' | '\t' | '\n' | '\r' => error.with_remedy("leave the white space out"),
            '/' => error.with_remedy("write the host and the port only"),
            c if !c.is_ascii() => error.with_remedy("write its form in ASCII, which starts with xn--"),
            _ => error.with_remedy("a name has letters, digits, hyphens and dots"),
        });
    }
    let plain = text.strip_suffix('.').unwrap_or(text);
    if plain.len() > MAX_NAME {
        let length = plain.len();
        return Err(bad_address(format!(
            "the host name has {length} characters, at most {MAX_NAME} are possible"
        )));
    }
    for label in plain.split('.') {
        if label.is_empty() {
            return Err(bad_address(format!("a part of the name {text} between dots is empty")));
        }
        if label.len() > MAX_LABEL {
            return Err(bad_address(format!("{label} in the name has more than {MAX_LABEL} characters")));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(bad_address(format!("{label} in the name {text} starts or ends with a hyphen")));
        }
    }
    Ok(Host::Name(Name(text.to_owned())))
}
