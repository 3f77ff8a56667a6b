//! The order of the probes: name, then every address side by side, then one conversation.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use echoline::Family;
use echoline_diagnosis::{Diagnosis, code, plain, text};

use crate::cancel::Cancel;
use crate::evidence::{AddressFinding, Expect, Findings, MachineReport, NameFinding, Poke, Scheme, Target};
use crate::options::{HostOptions, Options};
use crate::probe::{
    IdlePlan, Job, Manners, ask_backends, ask_whoami, converse, hold_idle, look_at_listening,
    look_at_machine, look_up, on_port, probe_address,
};
use crate::report::Report;
use crate::shortage::no_thread;
use crate::verdict::verdict;

/// So many addresses of a name are probed.
const MAX_ADDRESSES: usize = 16;
/// The shortest time in which anything is looked at.
const SHORTEST: Duration = Duration::from_millis(1);

/// Looks at what `options` say, and says what that comes to.
///
/// Every wait in it is bounded, and ends when `cancel` is used: then the report holds what is known
/// by then. It sends nothing but what docs/CHECK.md lists, and changes nothing on this machine.
pub fn run(options: &Options, cancel: &Cancel) -> Report {
    let begin = Instant::now();
    match options {
        Options::Host(host) => Report::new(&gather(host, cancel), begin.elapsed()),
        Options::Listen(listen) => Report::of_listening(&look_at_listening(listen, cancel), begin.elapsed()),
    }
}

/// Describes this machine: its addresses, routers and name servers, and who listens.
pub fn machine() -> MachineReport {
    MachineReport::new(look_at_machine())
}

/// Looks at everything, each wait bounded.
fn gather(config: &HostOptions, cancel: &Cancel) -> Findings {
    let mut findings = look(config, cancel);
    findings.interrupted = cancel.is_cancelled();
    findings
}

fn look(config: &HostOptions, cancel: &Cancel) -> Findings {
    let timeout = config.timeout.max(SHORTEST);
    let deadline = Instant::now() + timeout;
    let mut findings = empty(config);
    let endpoint = match &config.endpoint {
        Ok(endpoint) => endpoint,
        Err(error) => {
            findings.unreadable = Some(error.clone());
            return findings;
        }
    };
    if let Err(error) = endpoint.can_be_connected_to() {
        findings.unreadable = Some(error);
        return findings;
    }
    let family = match family(config) {
        Ok(family) => family,
        Err(problem) => {
            findings.unreadable = Some(problem);
            return findings;
        }
    };
    findings.family = family;
    let (name, addresses) = look_up(endpoint, family, deadline, cancel);
    findings.narrowed_by = config.source.filter(|_| name.is_some() && config.family == Family::Any);
    findings.name = name.map(|name| NameFinding {
        problem: name.problem.map(|problem| of_the_source(config.source, problem)),
        ..name
    });
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(problem) => {
            let problem = of_the_source(config.source, problem);
            if findings.name.is_none() {
                findings.unreadable = Some(problem);
            }
            return findings;
        }
    };
    findings.addresses_left_out = addresses.len().saturating_sub(MAX_ADDRESSES);
    let probed = side_by_side(config, &addresses[..addresses.len().min(MAX_ADDRESSES)], deadline, cancel);
    let probed = match probed {
        Ok(probed) => probed,
        Err(error) => {
            findings.unreadable = Some(no_thread("check", &error));
            return findings;
        }
    };
    let mut stream = None;
    for (finding, opened) in probed {
        if stream.is_none()
            && let Some(opened) = opened
        {
            stream = Some((finding.address, opened));
        }
        findings.addresses.push(finding);
    }
    if let Some((with, stream)) = stream.filter(|_| !cancel.is_cancelled()) {
        let http_host = (config.scheme == Some(Scheme::Http)).then_some(findings.target.host.as_str());
        let nonce = nonce();
        let talked =
            converse(&stream, with, config.expect, &Manners { http_host, nonce, patience: timeout, cancel });
        (findings.conversation, findings.timing) = (Some(talked.0), talked.1);
        // The other conversation is over by now, or has failed for good.
        let whoami = config.whoami.map(|port| on_port(with, port));
        findings.whoami = whoami.map(|address| ask_whoami(address, nonce, timeout, cancel));
        findings.backends =
            whoami.zip(config.backends).map(|(address, asked)| ask_backends(address, asked, timeout, cancel));
        if let Some(longest) =
            config.idle.filter(|_| verdict(&findings).code() == code::OK && !cancel.is_cancelled())
        {
            drop(stream);
            let poke = if config.expect == Expect::Echo { Poke::Echo } else { Poke::Keepalive };
            let (source, patience) = (config.source, timeout);
            findings.idle = Some(hold_idle(&IdlePlan { with, source, longest, poke, patience }, cancel));
        }
    }
    findings
}

const ANOTHER_SOURCE: &str = "give --source an address of the same IP version as the host's, or leave it out";

/// The families that both the user and the source address allow.
fn family(config: &HostOptions) -> Result<Family, Diagnosis> {
    let (source, of_source) = match config.source {
        None => return Ok(config.family),
        Some(source @ IpAddr::V4(_)) => (source, Family::V4),
        Some(source @ IpAddr::V6(_)) => (source, Family::V6),
    };
    if config.family == Family::Any || config.family == of_source {
        return Ok(of_source);
    }
    let family = plain(config.family.to_string());
    let message = text!("the source address {} is no {} address", source, family);
    Err(Diagnosis::new(code::NO_ADDRESS_OF_FAMILY, message).next(ANOTHER_SOURCE))
}

/// That there is no address of a family, where the source address is why it was asked for.
fn of_the_source(source: Option<IpAddr>, problem: Diagnosis) -> Diagnosis {
    let Some(source) = source.filter(|_| problem.code() == code::NO_ADDRESS_OF_FAMILY) else {
        return problem;
    };
    problem.and(text!(", and the source address {} is one", source)).with_next(vec![ANOTHER_SOURCE.into()])
}

/// Tells our line from that of anybody else, and cannot be guessed: hash keys are random.
fn nonce() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn empty(config: &HostOptions) -> Findings {
    let (host, port) = match &config.endpoint {
        Ok(endpoint) => (endpoint.host().to_string(), endpoint.port().get()),
        Err(_) => (config.asked.clone(), 0),
    };
    Findings {
        target: Target { host, port, expect: config.expect, scheme: config.scheme },
        unreadable: None,
        name: None,
        addresses: Vec::new(),
        family: config.family,
        narrowed_by: None,
        addresses_left_out: 0,
        conversation: None,
        timing: None,
        whoami: None,
        backends: None,
        idle: None,
        interrupted: false,
    }
}

fn side_by_side(
    config: &HostOptions,
    addresses: &[SocketAddr],
    deadline: Instant,
    cancel: &Cancel,
) -> io::Result<Vec<(AddressFinding, Option<TcpStream>)>> {
    let job = |address| Job {
        address,
        source: config.source,
        deadline,
        controls: config.controls,
        hops: config.hops,
        cancel,
    };
    thread::scope(|scope| {
        let jobs = addresses.iter().map(|address| job(*address));
        let spawn = |job| thread::Builder::new().spawn_scoped(scope, move || probe_address(&job));
        let probes: Vec<_> = jobs.map(spawn).collect();
        // A probe that panicked is a defect of ours: let it be seen.
        let ended = |probe: thread::ScopedJoinHandle<'_, _>| {
            probe.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        probes.into_iter().map(|probe| probe.map(ended)).collect()
    })
}
