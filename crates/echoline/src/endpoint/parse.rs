//! Reading endpoints from text. Every error quotes the offending part and says what was expected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use echoline_diagnosis::{Diagnosis as Error, Operation, Text, foreign, host as quoted, text};

use super::{Endpoint, Host, Name, Port, Zone};
use crate::code::{BAD_ADDRESS, BAD_PORT};
use crate::error::error;

/// The longest host name that DNS can carry, without the final dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// The longest label of a name.
const MAX_LABEL: usize = 63;

const SCHEMES: [(&str, Option<u16>); 3] = [("tcp", None), ("http", Some(80)), ("https", Some(443))];

fn bad_address(sentence: impl Into<Text>) -> Error {
    error(BAD_ADDRESS, Operation::Parse, sentence)
}

fn bad_port(sentence: impl Into<Text>) -> Error {
    error(BAD_PORT, Operation::Parse, sentence)
}

pub(super) fn endpoint(text: &str, default_port: Option<Port>) -> Result<Endpoint, Error> {
    let (authority, default_port) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let known = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
            let (_, port) = known.ok_or_else(|| {
                bad_address(text!(
                    "the scheme {} in {} is none of tcp, http and https",
                    quoted(scheme),
                    quoted(text)
                ))
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
            let meant = meant
                .map(|meant| text!("if {} is the port, write {}; else ", meant.port.get(), quoted(meant)));
            return Err(bad_port(text!("{} has no port", quoted(text))).next(text!(
                "{}add one, such as {}",
                meant,
                quoted(endpoint)
            )));
        }
    };
    Ok(Endpoint { host, port })
}

/// Host and port of a URL. A path has no place in an endpoint, except the bare slash that browsers add.
fn authority_of<'a>(rest: &'a str, text: &str) -> Result<&'a str, Error> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !matches!(path, "" | "/") {
        let message =
            text!("{} in {} is a path; an endpoint is a host and a port", quoted(path), quoted(text));
        return Err(bad_address(message).next(text!("leave {} out", quoted(path))));
    }
    match authority.rsplit_once('@') {
        // Not quoted: there may be a password in it.
        Some((_, host)) => Err(bad_address(text!("the part before @{} is a user, not a host", quoted(host)))
            .next(text!("write {} alone", quoted(host)))),
        None => Ok(authority),
    }
}

/// Splits host and port without looking into them. Brackets stay with the host.
fn split(authority: &str) -> Result<(&str, Option<&str>), Error> {
    if authority.starts_with('[') {
        let Some(end) = authority.find(']') else {
            return Err(bad_address(text!("the [ in {} is never closed by a ]", quoted(authority))));
        };
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(bad_address(text!(
                "{} in {} is out of place: after ] comes : and a port",
                quoted(rest),
                quoted(authority)
            ))),
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
        return Err(bad_port(text!("port {} is below 0", foreign(text))));
    }
    if !is_number(text) {
        return Err(bad_port(text!("port {} is no number", foreign(text))));
    }
    // Only an overflow is left to go wrong.
    text.parse().map(Port).map_err(|_| bad_port(text!("port {} is above 65535", foreign(text))))
}

pub(super) fn host(text: &str) -> Result<Host, Error> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some(inner) = rest.strip_suffix(']') else {
            return Err(bad_address(text!("the [ in {} is never closed by a ]", quoted(text))));
        };
        return if inner.contains(':') {
            v6(inner)
        } else {
            Err(bad_address(text!("{} is no IPv6 address; only those stand in brackets", quoted(inner))))
        };
    }
    if text.is_empty() {
        return Err(bad_address("the host is missing")
            .next("write a name or an IP address before the port; localhost is this machine"));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let (alone, _) = split(authority_of(rest, text)?)?;
        let error = bad_address(text!("{} is a URL, where only a host belongs", quoted(text)));
        return Err(match alone {
            "" => error,
            alone => error.next(text!("write {} alone; the port goes apart", quoted(alone))),
        });
    }
    if let Some((alone, port)) = text.split_once(':').filter(|(alone, _)| !alone.is_empty())
        && !port.contains(':')
    {
        return Err(bad_address(text!("{} is a host and a port, where only a host belongs", quoted(text)))
            .next(text!("write {} alone; the port goes apart", quoted(alone))));
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
    let error = bad_address(text!("{} is a number, not a host", quoted(text)));
    if text.parse::<u16>().is_ok() {
        error.next(text!("write localhost:{} for that port on this machine", quoted(text)))
    } else {
        error.next("write an IPv4 address as four numbers from 0 to 255, such as 127.0.0.1")
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
            return Err(bad_address(text!("a number is missing in {} beside a dot", quoted(text))));
        }
        if !is_number(part) {
            return Err(bad_address(text!(
                "{} in {} is no number from 0 to 255",
                quoted(part),
                quoted(text)
            )));
        }
        if part.len() > 1 && part.starts_with('0') {
            let message = text!(
                "{} in {} starts with 0, which some programs read as octal",
                quoted(part),
                quoted(text)
            );
            let plain = part.trim_start_matches('0');
            return Err(bad_address(message)
                .next(text!("write {}", foreign(if plain.is_empty() { "0" } else { plain }))));
        }
        if part.parse::<u8>().is_err() {
            return Err(bad_address(text!("{} in {} is above 255", quoted(part), quoted(text))));
        }
    }
    // Every part is a plain number now, so only their count can be wrong.
    text.parse().map_err(|_| {
        let count = parts.len();
        let numbers = if count == 1 { "number" } else { "numbers" };
        bad_address(text!("{} has {} {}, an IPv4 address has four", quoted(text), count, numbers))
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
        return Err(bad_address(text!(
            "the zone {} in {} is no name of an interface",
            quoted(format!("{zone:?}")),
            quoted(text)
        )));
    }
    if !(ip.is_unicast_link_local() || ip.is_multicast()) {
        return Err(bad_address(text!(
            "%{} in {} has no meaning: only link-local addresses have a zone",
            quoted(zone),
            quoted(text)
        ))
        .next(text!("write {} alone", IpAddr::V6(ip))));
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
        return bad_address(text!("{} in {} is no hexadecimal number", quoted(group), quoted(text)));
    }
    if let Some(group) = groups.find(|group| group.len() > 4) {
        let error = bad_address(text!("{} in {} is above ffff", quoted(group), quoted(text)));
        let port = group.parse::<u16>().is_ok();
        return if port { error.next("write an IPv6 address with a port as [address]:port") } else { error };
    }
    if address.matches("::").count() > 1 || address.contains(":::") {
        return bad_address(text!(":: stands more than once in {}", quoted(text)));
    }
    bad_address(text!(
        "{} has no eight groups, and no :: in their place, so it is no IPv6 address",
        quoted(text)
    ))
}

fn name(text: &str) -> Result<Host, Error> {
    if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        let error = bad_address(text!(
            "{} in {} has no place in a host name",
            quoted(format!("{bad:?}")),
            quoted(text)
        ));
        return Err(match bad {
            ' ' | '\t' | '\n' | '\r' => error.next("leave the white space out"),
            '/' => error.next("write the host and the port only"),
            c if !c.is_ascii() => error.next("write its form in ASCII, which starts with xn--"),
            _ => error.next("a name has letters, digits, hyphens and dots"),
        });
    }
    let plain = text.strip_suffix('.').unwrap_or(text);
    if plain.len() > MAX_NAME {
        let length = plain.len();
        return Err(bad_address(text!(
            "the host name has {} characters, at most {} are possible",
            length,
            MAX_NAME
        )));
    }
    for label in plain.split('.') {
        if label.is_empty() {
            return Err(bad_address(text!("a part of the name {} between dots is empty", quoted(text))));
        }
        if label.len() > MAX_LABEL {
            return Err(bad_address(text!(
                "{} in the name has more than {} characters",
                quoted(label),
                MAX_LABEL
            )));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(bad_address(text!(
                "{} in the name {} starts or ends with a hyphen",
                quoted(label),
                quoted(text)
            )));
        }
    }
    Ok(Host::Name(Name(text.to_owned())))
}
