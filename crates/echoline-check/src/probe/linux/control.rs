//! Other ports of the same host: does it answer at all, and from how far away?

use std::time::{Duration, Instant};

use super::flight::{Flight, Manner, wait};
use super::hops;
use super::job::{Job, on_port};
use crate::evidence::{Connect, Control, Hop};

/// SSH, HTTP, HTTPS, and one that is rarely in use (tcpmux): open or closed, a host without a firewall answers each.
pub(super) const CONTROL_PORTS: [u16; 4] = [22, 80, 443, 1];

/// How long other ports are waited for, once the port in question has answered.
const PATIENCE: Duration = Duration::from_millis(300);

/// From how far away do the port in question and a control port answer? Empty if no control port answers.
///
/// A firewall that answers in the host's place is nearer than the host.
pub(super) fn compare(job: &Job<'_>, controls: &mut Vec<Control>) -> (Vec<Hop>, Vec<Hop>) {
    *controls = ask(job);
    let host = job.address.ip();
    let Some(port) = controls.iter().find(|control| control.shows_host(host)).map(|control| control.port)
    else {
        return (Vec::new(), Vec::new());
    };
    let to_control = hops::one_by_one(job, on_port(job.address, port));
    (hops::one_by_one(job, job.address), to_control)
}

/// Asks each of them once.
pub(super) fn ask(job: &Job<'_>) -> Vec<Control> {
    let ports = CONTROL_PORTS.into_iter().filter(|port| *port != job.address.port());
    let manner = Manner { source: job.source, hop_limit: None };
    let start = |port| Some((port, Flight::start(on_port(job.address, port), manner).ok()?));
    let mut under_way: Vec<(u16, Flight)> = ports.filter_map(start).collect();
    let until = (Instant::now() + PATIENCE).min(job.deadline);
    let mut controls = Vec::new();
    while !under_way.is_empty() {
        let flights: Vec<&Flight> = under_way.iter().map(|(_, flight)| flight).collect();
        let ready = wait(&flights, until, job.cancel);
        if ready.is_empty() {
            break;
        }
        controls.extend(ready.into_iter().rev().map(|at| land(under_way.swap_remove(at))));
    }
    controls.extend(under_way.into_iter().map(land));
    controls.sort_by_key(|control: &Control| CONTROL_PORTS.iter().position(|port| *port == control.port));
    controls
}

fn land((port, flight): (u16, Flight)) -> Control {
    let Connect { ended, icmp, took_us, .. } = flight.land().connect;
    Control { port, ended, icmp, took_us }
}
