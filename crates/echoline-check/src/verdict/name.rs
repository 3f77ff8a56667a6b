//! The name has no address.

use echoline_diagnosis::{Diagnosis, Text, code, host as named, text};

use super::conclude::{cannot_tell, likely, of_problem, remedy};
use crate::evidence::{NameAnswer, NameFinding, NameServer};
use crate::words::time;

/// SERVFAIL and REFUSED of RFC 1035 section 4.1.1.
const SERVER_FAILURE: u8 = 2;
const REFUSED: u8 = 5;

pub(super) fn judge(host: &str, name: &NameFinding, problem: &Diagnosis) -> Diagnosis {
    if !matches!(problem.code(), code::NAME_LOOKUP_FAILED | code::NAME_LOOKUP_TIMED_OUT)
        || name.servers.is_empty()
    {
        return of_problem(problem);
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
        let sentence = text!(
            "The name {} could not be looked up: the name server {} {}.",
            named(host),
            named(address),
            word
        );
        return Diagnosis::new(code::NAME_LOOKUP_FAILED, sentence).next(remedy(problem));
    }
    let sentence = text!(
        "The name {} could not be looked up, yet a name server answers now: the lookup was too slow, or a \
         server failed for a moment.",
        named(host)
    );
    cannot_tell(problem.code(), sentence).next("try again").next(remedy(problem))
}

/// Never certain: a healthy server, too, is silent for many seconds while it asks the name's own servers in vain
/// (RFC 1035 section 7.2), and check does not wait so long.
fn silent(host: &str, servers: &[NameServer]) -> Diagnosis {
    let list = Text::join(servers.iter().map(|server| named(&server.address)), ", ");
    let (noun, does) = if servers.len() == 1 { ("server", "does") } else { ("servers", "do") };
    let asked = servers.iter().filter(|server| server.answer == NameAnswer::Silent);
    let slow = asked.map(|server| server.took_us).max().map(|us| {
        let time = time(us);
        text!(" within {}. One that still waits for the servers of the name itself looks the same", time)
    });
    let sentence = text!(
        "The name {} could not be looked up, because the name {} {} {} not answer{}.",
        named(host),
        noun,
        list,
        does,
        slow
    );
    let mut verdict = likely(code::NAME_SERVER_SILENT, sentence)
        .next("see which name servers are configured: cat /etc/resolv.conf, resolvectl status");
    for server in servers {
        verdict = verdict.next(text!(
            "check {} itself: echoline check {} 53 --expect connect",
            named(&server.address),
            named(&server.address)
        ));
    }
    verdict
        .next("look up another name: getent hosts example.com; if that works, only this one is slow")
        .next("to go on without names: use the address of the host")
}

fn is_mute(server: &NameServer) -> bool {
    matches!(server.answer, NameAnswer::Silent | NameAnswer::Undelivered(_))
}
