//! No echo was expected, but a connection; or what a URL promises.

use echoline_diagnosis::{Certainty, Diagnosis, code, text};

use super::conclude::{explain, likely, ok};
use super::said::{WHOSE_RESET, said, speaks};
use crate::evidence::{Broke, Conversation, Scheme};
use crate::words::time;

pub(super) fn judge(scheme: Option<Scheme>, conversation: &Conversation) -> Diagnosis {
    let with = conversation.with;
    let speaks = speaks(conversation);
    match scheme {
        _ if !conversation.fits(scheme) => unfit(scheme, conversation),
        Some(Scheme::Https) if speaks.is_none() => ok(text!(
            "{} accepts connections and waits for the client to speak, as with TLS. Whether it speaks TLS and HTTP \
             was not looked at: nothing was sent.",
            with
        ))
        .with_certainty(Certainty::CannotTell),
        _ => ok(text!("{} accepts connections.{}", with, speaks)),
    }
}

/// The other side did something else than was expected.
fn unfit(scheme: Option<Scheme>, conversation: &Conversation) -> Diagnosis {
    let with = conversation.with;
    if let Some(greeting) = &conversation.greeting {
        return another_protocol(scheme, conversation, greeting);
    }
    let when = match scheme {
        Some(Scheme::Http) => "without an answer to a HEAD request of HTTP",
        _ => "at once, before anything was sent",
    };
    match conversation.broke {
        Some(Broke::Reset) => Diagnosis::new(code::RESET, text!("{} accepted the connection and reset it {}. {}", with, when, WHOSE_RESET))
        .next("look at the log of the program there: it turns this client away, or broke down"),
        Some(Broke::Closed) => Diagnosis::new(code::CLOSED_EARLY, text!("{} accepted the connection and closed it {}.", with, when))
        .next("look at the log of the program there: it turns this client away, or is a proxy without a server behind"),
        None => likely(code::NO_REPLY, text!("{} accepts connections, but gave no answer to a HEAD request of HTTP in {}. The program waits \
                 for something else or is stuck, or its answer is lost on the way.", with, time(conversation.took_us)))
        .next("check that a web server listens there, and not another program")
        .next("if another program is meant: HOST PORT without http://"),
    }
}

fn another_protocol(scheme: Option<Scheme>, conversation: &Conversation, greeting: &str) -> Diagnosis {
    let with = conversation.with;
    let asked = if scheme == Some(Scheme::Http) {
        "does not answer a HEAD request as HTTP does"
    } else {
        "speaks first, which no TLS server does"
    };
    let speaks = speaks(conversation);
    let certainty = if speaks.is_some() { Certainty::Certain } else { Certainty::Likely };
    let code = code::UNEXPECTED_REPLY;
    let sentence = text!("{} accepts connections, but {}.{}{}", with, asked, speaks, said(Some(greeting)));
    let verdict = Diagnosis::new(code, sentence).with_certainty(certainty);
    let verdict = match conversation.recognised.as_deref() {
        Some("TLS") => verdict.next("it may be a web server with TLS: https://"),
        _ => verdict.next("check the port; if this program is the right one: HOST PORT without a scheme"),
    };
    verdict.next(explain(code))
}

#[cfg(test)]
mod tests {
    use echoline_diagnosis::Certainty::{CannotTell, Certain, Likely};

    use super::*;

    /// What came back, what it was recognised as, and how the connection ended.
    type Seen = (Option<&'static str>, Option<&'static str>, Option<Broke>);

    fn judged(scheme: Scheme, (greeting, recognised, broke): Seen) -> (&'static str, Certainty, String) {
        let conversation = Conversation {
            with: "203.0.113.10:80".parse().unwrap(),
            greeting: greeting.map(str::to_owned),
            recognised: recognised.map(Into::into),
            broke,
            exchanges: Vec::new(),
            took_us: 2_000_000,
        };
        let verdict = judge(Some(scheme), &conversation);
        assert_eq!(verdict.code() == code::OK, verdict.steps().is_empty(), "{verdict:?}");
        (verdict.code().as_str(), verdict.certainty(), verdict.to_string())
    }

    #[test]
    fn of_a_url_with_http_it_is_said_whether_http_is_spoken() {
        for (seen, code, certainty, words) in [
            ((Some("HTTP/1.0 404 No"), Some("HTTP"), None), "ok", Certain, "It speaks HTTP."),
            ((Some("HTTP/1.1 200 OK"), Some("HTTP"), Some(Broke::Closed)), "ok", Certain, "It speaks HTTP."),
            ((Some("SSH-2.0-x"), Some("SSH"), None), "unexpected-reply", Certain, "It speaks SSH."),
            ((Some("what?"), None, None), "unexpected-reply", Likely, "It sent: \"what?\"."),
            ((None, None, None), "no-reply", Likely, "no answer to a HEAD request of HTTP in 2.0 s"),
            ((None, None, Some(Broke::Closed)), "closed-early", Certain, "without an answer"),
            ((None, None, Some(Broke::Reset)), "reset", Certain, "without an answer"),
        ] {
            let judged = judged(Scheme::Http, seen);
            assert_eq!((judged.0, judged.1), (code, certainty), "{judged:?}");
            assert!(judged.2.contains(words) && !judged.2.contains("before anything"), "{judged:?}");
        }
    }

    #[test]
    fn of_a_url_with_https_it_is_said_that_tls_was_not_looked_at_and_who_speaks_first_has_none() {
        for (seen, code, certainty, words) in [
            ((None, None, None), "ok", CannotTell, "TLS and HTTP was not looked at"),
            ((Some("SSH-2.0-x"), Some("SSH"), None), "unexpected-reply", Certain, "no TLS server does"),
            ((Some("hello"), None, None), "unexpected-reply", Likely, "no TLS server does"),
            ((Some("\\x15\\x03"), Some("TLS"), None), "ok", Certain, "It speaks TLS."),
            ((None, None, Some(Broke::Closed)), "closed-early", Certain, "before anything was sent"),
        ] {
            let judged = judged(Scheme::Https, seen);
            assert_eq!((judged.0, judged.1), (code, certainty), "{judged:?}");
            assert!(judged.2.contains(words), "{judged:?}");
        }
    }
}
