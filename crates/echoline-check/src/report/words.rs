//! Words that several steps use.

use crate::evidence::Ended;

pub(super) fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Connected => "connected",
        Ended::Refused => "refused",
        Ended::Reset => "reset",
        Ended::NetUnreachable => "network unreachable",
        Ended::HostUnreachable => "host unreachable",
        Ended::Denied => "denied by this machine",
        Ended::NoAnswer => "no answer",
        Ended::NoLocalPort => "no local port is free",
        Ended::NoSuchSource => "the source address is none of this machine",
        Ended::Other => "failed",
    }
}
