//! Watching links of a lab: each frame as it passes, with a line that says what it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::capture::{Frame, Narrator, Tap};
use crate::error::LabError;
use crate::place;
use crate::topology::WIRES;

/// Frames of several links are put in order within this time.
const ORDERING: Duration = Duration::from_millis(20);
/// How soon a thread that hears nothing notices that the watch has ended.
const BREATH: Duration = Duration::from_millis(100);
/// Frames that wait for whoever watches; beyond that, the kernel's own buffer fills and then drops.
const MOST_WAITING: usize = 4096;

/// Hears the frames of links until it is dropped.
pub struct Watch {
    frames: Receiver<(usize, Frame)>,
    links: Vec<String>,
    narrator: Narrator,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A frame, where it was heard, and what it is.
#[derive(Debug)]
pub struct Watched {
    /// The link.
    pub link: String,
    /// The frame. `outgoing` is towards the link's interface, as the link sees it.
    pub frame: Frame,
    /// What it is, in a line; `None` for what is neither IP nor ARP.
    pub line: Option<String>,
}

/// A link and the interface at which it is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) link: String,
    pub(crate) interface: String,
}

impl Watch {
    /// Listens at these ports of the lab whose mounts the calling process shares.
    pub(crate) fn start(ports: Vec<Port>) -> Result<Self, LabError> {
        let (to, frames) = sync_channel(MOST_WAITING);
        let ended = Arc::new(AtomicBool::new(false));
        let mut watch =
            Self { frames, links: Vec::new(), narrator: Narrator::new(), ended, threads: Vec::new() };
        for (number, port) in ports.into_iter().enumerate() {
            let opened = place::on(WIRES, || Tap::open(&port.interface))?;
            let tap = opened.map_err(|e| LabError::io(format!("listen at the link {}", port.link), e))?;
            watch.links.push(port.link);
            let (to, ended) = (to.clone(), Arc::clone(&watch.ended));
            let hear = move || hear(tap, number, &to, &ended);
            let started = thread::Builder::new().name("watch".into()).spawn(hear);
            watch.threads.push(started.map_err(|e| LabError::io("start a thread that watches a link", e))?);
        }
        Ok(watch)
    }

    /// The frames that passed until `deadline`, in their order; it returns as soon as some have.
    pub fn next(&mut self, deadline: Instant) -> Vec<Watched> {
        let mut heard = Vec::new();
        let mut until = deadline;
        while let Ok(frame) = self.frames.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if heard.is_empty() {
                until = deadline.min(Instant::now() + ORDERING);
            }
            heard.push(frame);
            if heard.len() >= MOST_WAITING {
                break;
            }
        }
        settle_times(&mut heard);
        heard.sort_by_key(|(_, frame)| frame.at);
        heard
            .into_iter()
            .map(|(number, frame)| {
                let link = self.links[number].clone();
                let line = self.narrator.feed(&link, &frame);
                Watched { link, frame, line }
            })
            .collect()
    }
}

/// The kernel starts to stamp frames a moment after it was asked to; until then a frame has the time at which it was
/// read. But each tap hears in order, so none passed later than one that it heard after it.
fn settle_times(heard: &mut [(usize, Frame)]) {
    let mut next: BTreeMap<usize, SystemTime> = BTreeMap::new();
    for (tap, frame) in heard.iter_mut().rev() {
        let after = next.entry(*tap).or_insert(frame.at);
        frame.at = frame.at.min(*after);
        *after = frame.at;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // One that waits for room finds the channel closed instead.
        let (_, closed) = sync_channel(1);
        self.frames = closed;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn hear(mut tap: Tap, number: usize, to: &SyncSender<(usize, Frame)>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        // An interface that is gone has nothing left to pass.
        let Ok(heard) = tap.next(Instant::now() + BREATH) else { return };
        if let Some(frame) = heard
            && to.send((number, frame)).is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_was_stamped_late_stays_before_those_that_followed_it() {
        let frame = |ms| Frame {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(ms),
            outgoing: false,
            bytes: vec![],
        };
        let mut heard = vec![(0, frame(9)), (1, frame(7)), (0, frame(5)), (0, frame(6))];
        settle_times(&mut heard);
        let times: Vec<_> = heard.iter().map(|(_, heard)| heard.at).collect();
        assert_eq!(times, [frame(5).at, frame(7).at, frame(5).at, frame(6).at]);
    }
}
