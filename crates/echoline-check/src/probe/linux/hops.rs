//! The routers on the way, by requests that may travel only so many hops (as traceroute does, RFC 1393 section 2).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::flight::{Flight, Manner, wait};
use super::job::Job;
use crate::evidence::{Connect, Ended, Hop, HopAnswer};

/// How far the series goes.
pub(super) const MAX_HOPS: u8 = 16;

/// How long one router may take, when one is asked after the other.
const PATIENCE: Duration = Duration::from_millis(300);
/// How many in a row may stay silent before the series ends.
const MAX_SILENT: usize = 3;

/// Asks one hop after the other until the end of the way answers: at most one connection comes of it.
pub(super) fn one_by_one(job: &Job<'_>, address: SocketAddr) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    for ttl in 1..=MAX_HOPS {
        let Ok(flight) = Flight::start(address, Manner { source: job.source, hop_limit: Some(ttl) }) else {
            break;
        };
        wait(&[&flight], (Instant::now() + PATIENCE).min(job.deadline), job.cancel);
        let connect = flight.land().connect;
        let hop = Hop { ttl, answer: answer(&connect), took_us: connect.took_us };
        let is_over = hop.answer.is_final();
        hops.push(hop);
        let silent = hops.iter().rev().take_while(|hop| hop.answer == HopAnswer::Silent).count();
        if is_over || silent >= MAX_SILENT || Instant::now() >= job.deadline || job.cancel.is_cancelled() {
            break;
        }
    }
    hops
}

pub(super) fn answer(connect: &Connect) -> HopAnswer {
    match (&connect.icmp, connect.ended) {
        (Some(icmp), _) if icmp.is_time_exceeded() => icmp.from.map_or(HopAnswer::Silent, HopAnswer::Router),
        (Some(icmp), _) => HopAnswer::Unreachable(icmp.from),
        (None, Ended::Connected) => HopAnswer::Connected,
        (None, Ended::Refused) => HopAnswer::Refused,
        _ => HopAnswer::Silent,
    }
}
