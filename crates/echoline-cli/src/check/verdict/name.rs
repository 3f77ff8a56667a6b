//! The name has no address.

use super::{Certainty, Verdict, sentence};
use crate::check::findings::{NameAnswer, NameFinding, NameServer, Problem};
use echoline_diagnosis::code;
use echoline_diagnosis::units::human_time;
use std::time::Duration;

/// SERVFAIL and REFUSED of RFC 1035 section 4.1.1.
const SERVER_FAILURE: u8 = 2;
const REFUSED: u8 = 5;

pub(super) fn judge(host: &str, name: &NameFinding, problem: &Problem) -> Verdict {
    let plain = Verdict::new(problem.code, Certainty::Certain, sentence(&problem.message));
    if !matches!(problem.code, code::NAME_LOOKUP_FAILED | code::NAME_LOOKUP_TIMED_OUT)
        || name.servers.is_empty()
    {
        return plain.next(&problem.remedy);
    }
    if name.servers.iter().all(is_mute) {
        return silent(host, &name.servers);
    }
    let code_of = |server: &NameServer| match server.answer {
        NameAnswer::Code(code) => Some((server.address.clone(), code)),
        _ => None,
    };
    let failing = name.servers.iter().filter_map(code_of);
    let failing = failing.filter(|(_, code)| matches!(*code, SERVER_FAILURE | REFUSED)).collect::<Vec<_>>();
    if let Some((address, code)) = failing.first() {
        let word = if *code == REFUSED {
            "refuses to answer (REFUSED): it does not serve this machine, or not this name"
        } else {
            "answers that it failed (SERVFAIL): the fault is behind it, at the name's own servers"
        };
        let sentence = format!("The name {host} could not be looked up: the name server {address} {word}.");
        return Verdict::new(code::NAME_LOOKUP_FAILED, Certainty::Certain, sentence).next(&problem.remedy);
    }
    let sentence = format!(
        "The name {host} could not be looked up, yet a name server answers now: the lookup was too slow, or a \
         server failed for a moment."
    );
    Verdict::new(problem.code, Certainty::CannotTell, sentence).next("try again").next(&problem.remedy)
}

/// Never certain: a healthy server, too, is silent for many seconds while it asks the name's own servers in vain
/// (RFC 1035 section 7.2), and check does not wait so long.
fn silent(host: &str, servers: &[NameServer]) -> Verdict {
    let list = servers.iter().map(|server| server.address.as_str()).collect::<Vec<_>>().join(", ");
    let (noun, does) = if servers.len() == 1 { ("server", "does") } else { ("servers", "do") };
    let asked = servers.iter().filter(|server| server.answer == NameAnswer::Silent);
    let slow = asked.map(|server| server.took_us).max().map_or_else(String::new, |us| {
        let time = human_time(Duration::from_micros(us));
        format!(" within {time}. One that still waits for the servers of the name itself looks the same")
    });
    let sentence = format!(
        "The name {host} could not be looked up, because the name {noun} {list} {does} not answer{slow}."
    );
    let mut verdict = Verdict::new(code::NAME_SERVER_SILENT, Certainty::Likely, sentence)
        .next("see which name servers are configured: cat /etc/resolv.conf, resolvectl status");
    for server in servers {
        verdict =
            verdict.next(format!("check {0} itself: echoline check {0} 53 --expect connect", server.address));
    }
    verdict
        .next("look up another name: getent hosts example.com; if that works, only this one is slow")
        .next("to go on without names: use the address of the host")
}

fn is_mute(server: &NameServer) -> bool {
    matches!(server.answer, NameAnswer::Silent | NameAnswer::Undelivered(_))
}
