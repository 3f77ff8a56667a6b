//! `echoline check` alone: what this machine has, and who can reach it.

use super::redact::Redactor;
use crate::failure::Stop;
use crate::holder::HolderProcess;
use crate::output::Output;
use echoline::AddressKind;
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::escape::escape;
use echoline_diagnosis::units::count;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

/// What there is, as it was seen.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) addresses: Vec<Address>,
    /// Towards everywhere else: one for each family at most.
    pub(super) routers: Vec<Router>,
    pub(super) name_servers: Vec<String>,
    pub(super) listening: Vec<Listening>,
}

#[derive(Debug, Serialize)]
pub(super) struct Address {
    pub(super) address: IpAddr,
    pub(super) kind: &'static str,
    pub(super) interface: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Router {
    pub(super) address: IpAddr,
    pub(super) interface: String,
}

/// A port on which a program waits for connections.
#[derive(Debug, Serialize)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    /// `None`: another user's, which only root may see.
    pub(super) program: Option<HolderProcess>,
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    machine: &'a Machine,
}

pub(super) fn describe(json: bool, redact: bool) -> Result<ExitStatus, Stop> {
    let machine = super::probe::look_at_machine();
    let mut redactor = redact.then(|| Redactor::new(""));
    let mut output = Output::new()?;
    if json {
        let document = Document { schema: "echoline-check-machine/1", machine: &machine };
        let mut document = serde_json::to_value(document).unwrap_or_default();
        if let Some(redactor) = &mut redactor {
            redactor.value(&mut document);
        }
        output.json(&document)?;
    } else {
        let text = machine.text();
        output.text(redactor.map_or_else(|| text.clone(), |mut redactor| redactor.text(&text)))?;
    }
    Ok(ExitStatus::Success)
}

impl Machine {
    fn text(&self) -> String {
        let outside = self.addresses.iter().filter(|address| !address.address.is_loopback()).count();
        let plural = if outside == 1 { "" } else { "es" };
        let mut text = format!(
            "This machine has {outside} address{plural} beside loopback, {}, {} and {}.\n\n",
            count(self.routers.len() as u64, "router"),
            count(self.name_servers.len() as u64, "name server"),
            count(self.listening.len() as u64, "listening port")
        );
        let rows = self
            .addresses
            .iter()
            .map(|address| format!("{} on {}   {}", address.address, address.interface, meaning(address)));
        section(&mut text, "address", rows.collect());
        let rows = self.routers.iter().map(|router| {
            let family = if router.address.is_ipv4() { "IPv4" } else { "IPv6" };
            format!("{} on {}, for {family}", router.address, router.interface)
        });
        section(&mut text, "router", rows.collect());
        section(&mut text, "names", self.name_servers.clone());
        let rows = self.listening.iter().map(|listening| {
            let program = listening.program.as_ref();
            let program = program.map_or_else(
                || "another user's program".to_owned(),
                |program| format!("{} (process {})", escape(program.name.as_bytes()), program.pid),
            );
            format!("{}   {program}   {}", listening.address, listening.who())
        });
        section(&mut text, "listens", rows.collect());
        text
    }
}

fn section(text: &mut String, name: &str, rows: Vec<String>) {
    let rows = if rows.is_empty() { vec!["none".to_owned()] } else { rows };
    let mut head = name;
    for row in rows {
        text.push_str(&format!("{head:<8}  {row}\n"));
        head = "";
    }
}

fn meaning(address: &Address) -> String {
    let more = match AddressKind::of(address.address) {
        AddressKind::Loopback => "this machine only",
        AddressKind::Private if address.address.is_ipv4() => {
            "probably behind a router with NAT; the outside address needs an outside server to be seen"
        }
        AddressKind::CarrierGradeNat => {
            "behind the provider's NAT: nobody outside can begin a connection to it"
        }
        AddressKind::LinkLocal => "machines on the same link only",
        AddressKind::Global => "reachable from the internet, unless a firewall stops it",
        _ => return address.kind.to_owned(),
    };
    format!("{}: {more}", address.kind)
}

impl Listening {
    /// Who can connect, as far as the address decides; firewalls are not looked at.
    fn who(&self) -> &'static str {
        match AddressKind::of(self.address.ip()) {
            AddressKind::Loopback => "this machine only",
            AddressKind::Unspecified if self.address.is_ipv6() => {
                "every network of this machine, mostly IPv4 too"
            }
            AddressKind::Unspecified => "every network of this machine",
            AddressKind::Private | AddressKind::CarrierGradeNat => "its own network",
            AddressKind::LinkLocal => "the same link",
            _ => "whoever reaches this address",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let address = |text: &str, interface: &str| {
            let address: IpAddr = text.parse().unwrap();
            Address { address, kind: AddressKind::of(address).as_str(), interface: interface.to_owned() }
        };
        Machine {
            addresses: vec![address("127.0.0.1", "lo"), address("192.168.1.10", "eth0")],
            routers: vec![Router { address: "192.168.1.1".parse().unwrap(), interface: "eth0".to_owned() }],
            name_servers: Vec::new(),
            listening: vec![
                Listening {
                    address: "0.0.0.0:22".parse().unwrap(),
                    program: Some(HolderProcess { pid: 7, name: "sshd\u{1b}".to_owned(), is_stopped: false }),
                },
                Listening { address: "[::1]:631".parse().unwrap(), program: None },
            ],
        }
    }

    #[test]
    fn a_machine_is_described_with_who_can_reach_it() {
        assert_eq!(
            machine().text(),
            "This machine has 1 address beside loopback, 1 router, 0 name servers and 2 listening ports.\n\n\
             address   127.0.0.1 on lo   loopback: this machine only\n          \
             192.168.1.10 on eth0   private: probably behind a router with NAT; the outside address needs an outside \
             server to be seen\n\
             router    192.168.1.1 on eth0, for IPv4\n\
             names     none\n\
             listens   0.0.0.0:22   sshd\\x1b (process 7)   every network of this machine\n          \
             [::1]:631   another user's program   this machine only\n"
        );
    }
}
