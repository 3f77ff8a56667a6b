//! `echoline check` alone: what this machine has, and who can reach it.

use std::net::SocketAddr;

use echoline::AddressKind;
use echoline_check::evidence::{Address, Machine};
use echoline_diagnosis::units::count;
use echoline_diagnosis::{ExitStatus, Text, foreign, host as named, plain, text};

use super::redact::Redactor;
use crate::failure::Stop;
use crate::output::Output;

pub(super) fn describe(json: bool, redact: bool) -> Result<ExitStatus, Stop> {
    let report = echoline_check::machine();
    let mut redactor = redact.then(|| Redactor::new(""));
    let mut output = Output::new()?;
    match (json, &mut redactor) {
        (true, None) => output.json(&report)?,
        (true, Some(redactor)) => output.json(&redactor.document(&report))?,
        (false, None) => output.text(text(&report.machine, Clone::clone))?,
        (false, Some(redactor)) => output.text(text(&report.machine, |row| redactor.text(row)))?,
    }
    Ok(ExitStatus::Success)
}

/// Each row as `shown` makes it.
fn text(machine: &Machine, mut shown: impl FnMut(&Text) -> Text) -> String {
    let outside = machine.addresses.iter().filter(|address| !address.address.is_loopback()).count();
    let plural = if outside == 1 { "" } else { "es" };
    let mut text = format!(
        "This machine has {outside} address{plural} beside loopback, {}, {} and {}.\n\n",
        count(machine.routers.len() as u64, "router"),
        count(machine.name_servers.len() as u64, "name server"),
        count(machine.listening.len() as u64, "listening port")
    );
    let mut section = |name: &str, rows: Vec<Text>| {
        let rows = if rows.is_empty() { vec!["none".into()] } else { rows };
        let mut head = name;
        for row in rows {
            text.push_str(&format!("{head:<8}  {}\n", shown(&row)));
            head = "";
        }
    };
    let row = |address: &Address| {
        text!("{} on {}   {}", address.address, foreign(&address.interface), meaning(address))
    };
    section("address", machine.addresses.iter().map(row).collect());
    let rows = machine.routers.iter().map(|router| {
        let family = if router.address.is_ipv4() { "IPv4" } else { "IPv6" };
        text!("{} on {}, for {}", router.address, foreign(&router.interface), family)
    });
    section("router", rows.collect());
    section("names", machine.name_servers.iter().map(named).collect());
    let rows = machine.listening.iter().map(|listening| {
        let program = match &listening.program {
            None => "another user's program".into(),
            Some(program) => text!("{} (process {})", foreign(&program.name), plain(program.pid.to_string())),
        };
        text!("{}   {}   {}", listening.address, program, who(listening.address))
    });
    section("listens", rows.collect());
    text
}

fn meaning(address: &Address) -> Text {
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
        _ => return address.kind.clone().into(),
    };
    text!("{}: {}", address.kind.clone(), more)
}

/// Who can connect, as far as the address decides; firewalls are not looked at.
fn who(address: SocketAddr) -> &'static str {
    match AddressKind::of(address.ip()) {
        AddressKind::Loopback => "this machine only",
        AddressKind::Unspecified if address.is_ipv6() => "every network of this machine, mostly IPv4 too",
        AddressKind::Unspecified => "every network of this machine",
        AddressKind::Private | AddressKind::CarrierGradeNat => "its own network",
        AddressKind::LinkLocal => "the same link",
        _ => "whoever reaches this address",
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use echoline_check::evidence::{HolderProcess, Listening, Router};

    use super::*;

    fn machine() -> Machine {
        let address = |text: &str, interface: &str| {
            let address: IpAddr = text.parse().unwrap();
            Address {
                address,
                kind: AddressKind::of(address).as_str().into(),
                interface: interface.to_owned(),
            }
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
            text(&machine(), Clone::clone),
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
