//! What `serve` says on standard error: who can reach it before it serves, and what it did afterwards.

use std::fmt::Write;

use echoline_check::Reach;
use echoline_diagnosis::units::{count, human_size, human_time};
use echoline_server::Ending;

use super::report::Summary;

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

/// One line, and one more for each limit that acted and for whatever was not as it should be.
pub(super) fn summary(ended: &Summary) -> String {
    let stats = &ended.stats;
    let mut text = format!(
        "Served {} in {}: {}, {} in, {} out.",
        count(stats.accepted, "connection"),
        human_time(ended.ran),
        count(stats.lines, "line"),
        human_size(stats.bytes_in),
        human_size(stats.bytes_out),
    );
    if stats.open > 0 {
        text.push_str(&format!(" {} open.", count(stats.open, "connection")));
    }
    let notes = Ending::ALL.into_iter().filter_map(|ending| Some((stats.ended_by(ending), meaning(ending)?)));
    let limits = [
        (
            stats.refused_at_limit,
            if ended.once {
                "refused: one connection alone is served (--once)"
            } else {
                "refused: the maximum of connections was open (--max-connections)"
            },
        ),
        (
            stats.refused_at_source_limit,
            "refused: their source had its share of connections open (--max-connections-per-source)",
        ),
        (stats.passed_for_memory, "unfinished lines passed on: memory was used up (--max-buffered)"),
        (stats.passed_as_long, "long lines passed on as they came (--max-line)"),
        (
            stats.held_up,
            "times that nothing was read from a client before it had read (--max-pending-output)",
        ),
        (stats.accept_shortages, "failed accepts: descriptors or memory were short (ulimit -n)"),
        (ended.log_dropped, "log records dropped: standard error was too slow"),
    ];
    for (number, meaning) in notes.chain(limits).filter(|(number, _)| *number > 0) {
        text.push_str(&format!("\n  {number} {meaning}"));
    }
    text
}

/// What to say of connections that ended so; nothing of those that came to their end.
fn meaning(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Done => None,
        Ending::Reset => Some("reset by the client"),
        Ending::Lost => Some("lost: the client's side answered no more (--keepalive, --user-timeout)"),
        Ending::Slow => Some("closed: too slow in the middle of a line, or in reading (--min-progress)"),
        Ending::Memory => Some("closed: they held the most when memory was used up (--max-buffered)"),
        Ending::Idle => Some("closed: nothing moved for the idle timeout (--idle-timeout)"),
        Ending::LongLine => Some("closed: a line was longer than --max-line"),
        Ending::Drained => Some("finished by the server when the drain's time was over (--drain)"),
        Ending::CutOff => Some("cut off: the client did not take its last bytes in time"),
        Ending::Fault => Some("ended by a fault of the server"),
        _ => Some("ended otherwise"),
    }
}

#[cfg(test)]
mod tests {
    use echoline::AddressKind;

    use super::*;

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
