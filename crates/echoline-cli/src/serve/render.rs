//! What `serve` says on standard error before it serves.

use crate::reach::Reach;
use std::fmt::Write;

/// Addresses shown of one service; a machine full of containers has hundreds.
const SHOWN: usize = 12;

/// Who can reach a service, as lines.
pub(super) fn audience(service: &str, reach: &[Reach]) -> String {
    let addresses: Vec<_> = reach.iter().map(|one| one.address.to_string()).collect();
    if reach.iter().all(Reach::is_this_machine_only) {
        let port = reach.first().map_or(0, |one| one.address.port());
        return format!(
            "Serving {service} to this machine only: {}\n  Other machines too: echoline serve {service}=:{port}",
            addresses.join(", ")
        );
    }
    let width = addresses.iter().map(String::len).max().unwrap_or_default();
    let interface = |one: &Reach| one.interface.clone().unwrap_or_default();
    let interface_width = reach.iter().map(|one| interface(one).len()).max().unwrap_or_default();
    let mut text = format!("Serving {service} on");
    for (one, address) in reach.iter().zip(&addresses).take(SHOWN) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {address:<width$}  {:<interface_width$}  {}", interface(one), one.who());
    }
    if reach.len() > SHOWN {
        let _ = write!(text, "\n  and {} more addresses", reach.len() - SHOWN);
    }
    text.push_str("\n  A firewall, here or on the way, can still keep them out.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use echoline::AddressKind;

    fn reach(address: &str, interface: &str, network: &str) -> Reach {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let kind = AddressKind::of(address.ip());
        Reach { address, interface: Some(interface.into()), network: Some(network.into()), kind }
    }

    #[test]
    fn loopback_alone_says_how_to_serve_others() {
        let both = [reach("127.0.0.1:5151", "lo", "127.0.0.0/8"), reach("[::1]:5151", "lo", "::1/128")];
        assert_eq!(
            audience("echo", &both),
            "Serving echo to this machine only: 127.0.0.1:5151, [::1]:5151\n  \
             Other machines too: echoline serve echo=:5151"
        );
    }

    #[test]
    fn each_address_of_a_network_says_who_is_there() {
        let all = [
            reach("127.0.0.1:7", "lo", "127.0.0.0/8"),
            reach("192.168.1.10:7", "eth0", "192.168.1.0/24"),
            reach("8.8.8.8:7", "wlan0", "8.8.8.0/24"),
        ];
        let expected = "\
Serving echo on
  127.0.0.1:7     lo     this machine only
  192.168.1.10:7  eth0   machines of 192.168.1.0/24 (private: the internet only through a forwarded port)
  8.8.8.8:7       wlan0  anybody on the internet whom no firewall stops (global)
  A firewall, here or on the way, can still keep them out.";
        assert_eq!(audience("echo", &all), expected);
    }

    #[test]
    fn a_machine_with_many_addresses_shows_some_and_counts_the_rest() {
        let many: Vec<_> =
            (0..40).map(|host| reach(&format!("10.0.0.{host}:7"), "eth0", "10.0.0.0/8")).collect();
        let text = audience("echo", &many);
        assert_eq!(text.lines().count(), 1 + SHOWN + 2);
        assert!(text.contains("\n  and 28 more addresses\n"));
    }
}
