//! The name has no address.

use super::{Certainty, Verdict, sentence};
use crate::check::findings::{NameAnswer, NameFinding, NameServer, Problem};
use echoline::Code;

/// SERVFAIL and REFUSED of RFC 1035 section 4.1.1.
const SERVER_FAILURE: u8 = 2;
const REFUSED: u8 = 5;

pub(super) fn judge(host: &str, name: &NameFinding, problem: &Problem) -> Verdict {
    let plain = Verdict::new(problem.code, Certainty::Certain, sentence(&problem.message));
    if !matches!(problem.code, Code::NameLookupFailed | Code::NameLookupTimedOut) || name.servers.is_empty() {
        return plain.next(&problem.remedy);
    }
    let list = name.servers.iter().map(|server| server.address.to_string()).collect::<Vec<_>>().join(", ");
    let many = if name.servers.len() == 1 { ("server", "does") } else { ("servers", "do") };
    if name.servers.iter().all(is_mute) {
        let sentence = format!(
            "The name {host} could not be looked up, because the name {} {list} {} not answer.",
            many.0, many.1
        );
        return Verdict::new(Code::NameServerSilent, Certainty::Certain, sentence)
            .next("see which name servers are configured: cat /etc/resolv.conf, resolvectl status")
            .next(format!("check {list} itself: echoline check {list} 53 --expect connect"))
            .next("to go on without names: use the address of the host");
    }
    let code_of = |server: &NameServer| match server.answer {
        NameAnswer::Code(code) => Some((server.address, code)),
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
        return Verdict::new(Code::NameLookupFailed, Certainty::Certain, sentence).next(&problem.remedy);
    }
    let sentence = format!(
        "The name {host} could not be looked up, yet a name server answers now: the lookup was too slow, or a \
         server failed for a moment."
    );
    Verdict::new(problem.code, Certainty::CannotTell, sentence).next("try again").next(&problem.remedy)
}

fn is_mute(server: &NameServer) -> bool {
    matches!(server.answer, NameAnswer::Silent | NameAnswer::Undelivered(_))
}
