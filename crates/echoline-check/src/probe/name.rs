//! The name: which addresses it has, from where, and which name server is to blame if it has none.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use echoline::{Endpoint, Family, Host, resolve};
use echoline_diagnosis::{Diagnosis, code, host, text};

use super::dns;
use super::time::micros;
use crate::cancel::{Cancel, Received};
use crate::evidence::{NameFinding, NameServer, NameSource};
use crate::shortage::no_thread;

/// A lookup that takes longer has probably met a silent server: glibc waits 5 s for each.
const SLOW: Duration = Duration::from_secs(1);
/// How long check's own question may take.
const OWN_PATIENCE: Duration = Duration::from_secs(2);

/// The addresses of an endpoint, and what there is to tell about its name if it has one.
pub(crate) fn look_up(
    endpoint: &Endpoint,
    family: Family,
    deadline: Instant,
    cancel: &Cancel,
) -> (Option<NameFinding>, Result<Vec<SocketAddr>, Diagnosis>) {
    let begin = Instant::now();
    let timeout = deadline.saturating_duration_since(begin);
    let Host::Name(name) = endpoint.host() else {
        return (None, resolve(endpoint, family, timeout));
    };
    let name = name.as_str();
    let (answer, answered) = mpsc::channel();
    let asked = endpoint.clone();
    // Nobody listens any more where the check was ended.
    let look_up = move || drop(answer.send(resolve(&asked, family, timeout)));
    if let Err(error) = thread::Builder::new().spawn(look_up) {
        return (None, Err(no_thread("check", &error)));
    }
    let mut servers = Vec::new();
    let mut looked_up = cancel.receive(&answered, begin + SLOW);
    if matches!(looked_up, Received::NotYet) {
        servers = ask_servers(name, deadline, cancel);
        // It ends by itself, shortly after the deadline.
        looked_up = cancel.receive(&answered, deadline + Duration::from_secs(60));
    }
    let result = match looked_up {
        Received::Here(result) => result,
        Received::Never => resolve(endpoint, family, Duration::ZERO),
        Received::NotYet => {
            let sentence = text!("the lookup of {} was ended early", host(name));
            Err(Diagnosis::new(code::NAME_LOOKUP_TIMED_OUT, sentence).next("let the check run to its end"))
        }
    };
    let failed = |problem: &Diagnosis| {
        matches!(problem.code(), code::NAME_LOOKUP_FAILED | code::NAME_LOOKUP_TIMED_OUT)
    };
    if servers.is_empty() && result.as_ref().is_err_and(failed) {
        servers = ask_servers(name, deadline, cancel);
    }
    let source = if endpoint.host().is_localhost() {
        NameSource::Loopback
    } else if in_hosts_file(&fs::read_to_string("/etc/hosts").unwrap_or_default(), name) {
        NameSource::HostsFile
    } else {
        NameSource::Resolver
    };
    let addresses = result.iter().flatten().map(SocketAddr::ip).collect();
    let problem = result.as_ref().err().cloned();
    let finding = NameFinding { source, addresses, problem, servers, took_us: micros(begin.elapsed()) };
    (Some(finding), result)
}

/// Asks every configured server, all at once.
fn ask_servers(name: &str, deadline: Instant, cancel: &Cancel) -> Vec<NameServer> {
    let patience = OWN_PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
    // A lookup that took all the time leaves a moment for a server that answers at once.
    let patience = patience.max(Duration::from_millis(100));
    let configured = configured_servers();
    thread::scope(|scope| {
        let ask = |server: Host| {
            thread::Builder::new().spawn_scoped(scope, move || {
                let begin = Instant::now();
                let answer = dns::ask(&server, name, patience, cancel);
                NameServer { address: server.to_string(), answer, took_us: micros(begin.elapsed()) }
            })
        };
        // Without a thread a server is not asked, and nothing is told of it.
        let asked: Vec<_> = configured.into_iter().filter_map(|server| ask(server).ok()).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

pub(super) fn configured_servers() -> Vec<Host> {
    servers_of(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

/// The name servers of a resolv.conf(5): three at most, and this machine's own only where there is no such line.
fn servers_of(text: &str) -> Vec<Host> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next().unwrap_or_default().parse::<Host>().ok())
    };
    let mut lines = text.lines().filter_map(server).peekable();
    if lines.peek().is_none() {
        return vec![Host::Ip(Ipv4Addr::LOCALHOST.into())];
    }
    lines.flatten().filter(|host| host.ip().is_some()).take(3).collect()
}

/// Does a hosts(5) file name it?
fn in_hosts_file(text: &str, name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(|line| line.split_whitespace().skip(1)).any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_without_servers_means_this_machine() {
        let text = "# nameserver 192.0.2.9\nsearch lab.test\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n";
        assert_eq!(written(text), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(written(""), ["127.0.0.1"]);
    }

    #[test]
    fn a_link_local_server_keeps_its_zone_and_one_that_cannot_be_read_is_not_this_machine() {
        assert_eq!(written("nameserver fe80::53%eth0\n"), ["fe80::53%eth0"]);
        assert!(written("nameserver dns.example\nnameserver\n").is_empty());
    }

    fn written(text: &str) -> Vec<String> {
        servers_of(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_is_in_the_hosts_file_as_a_whole_word_and_outside_of_remarks() {
        let text = "127.0.0.1 localhost\n192.0.2.7 Printer.lan printer # scanner\n";
        assert!(in_hosts_file(text, "printer") && in_hosts_file(text, "PRINTER.LAN."));
        assert!(!in_hosts_file(text, "scanner") && !in_hosts_file(text, "192.0.2.7"));
        assert!(!in_hosts_file(text, "print"));
    }
}
