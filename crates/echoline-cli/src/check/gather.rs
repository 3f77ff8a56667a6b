//! The order of the probes: name, then every address side by side, then one conversation.

use super::args::Config;
use super::findings::{AddressFinding, Expect, Findings, NameFinding, Poke, Scheme, Target};
use super::probe::{
    IdlePlan, Job, ask_backends, ask_whoami, converse, hold_idle, look_up, on_port, probe_address,
};
use super::verdict::verdict;
use crate::shortage::no_thread;
use echoline::Family;
use echoline_diagnosis::{Diagnosis, code, plain, text};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

/// So many addresses of a name are probed.
const MAX_ADDRESSES: usize = 16;

/// Looks at everything, each wait bounded.
pub(super) fn gather(config: &Config) -> Findings {
    let deadline = Instant::now() + config.timeout;
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
    let (name, addresses) = look_up(endpoint, family, deadline);
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
    let probed = side_by_side(config, &addresses[..addresses.len().min(MAX_ADDRESSES)], deadline);
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
    if let Some((with, stream)) = stream {
        let http_host = (config.scheme == Some(Scheme::Http)).then_some(findings.target.host.as_str());
        let nonce = nonce();
        let talked = converse(&stream, with, config.expect, http_host, nonce, config.timeout);
        (findings.conversation, findings.timing) = (Some(talked.0), talked.1);
        // The other conversation is over by now, or has failed for good.
        let whoami = config.whoami.map(|port| on_port(with, port));
        findings.whoami = whoami.map(|address| ask_whoami(address, nonce, config.timeout));
        findings.backends =
            whoami.zip(config.backends).map(|(address, asked)| ask_backends(address, asked, config.timeout));
        if let Some(longest) = config.idle.filter(|_| verdict(&findings).code() == code::OK) {
            drop(stream);
            let poke = if config.expect == Expect::Echo { Poke::Echo } else { Poke::Keepalive };
            let (source, patience) = (config.source, config.timeout);
            findings.idle = Some(hold_idle(&IdlePlan { with, source, longest, poke, patience }));
        }
    }
    findings
}

const ANOTHER_SOURCE: &str = "give --source an address of the same IP version as the host's, or leave it out";

/// The families that both the user and the source address allow.
fn family(config: &Config) -> Result<Family, Diagnosis> {
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

fn empty(config: &Config) -> Findings {
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
    }
}

fn side_by_side(
    config: &Config,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> io::Result<Vec<(AddressFinding, Option<TcpStream>)>> {
    let job = |address| Job {
        address,
        source: config.source,
        deadline,
        controls: config.controls,
        hops: config.hops,
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
