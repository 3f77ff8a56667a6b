//! Standing in a namespace of a lab, and hearing what passes an interface there.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use echoline_lab::capture::{Frame, Tap};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What a job gives that is done in that namespace.
pub(crate) fn on<T: Send>(place: &str, job: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(format!("/run/netns/{place}"))?;
    thread::scope(|scope| {
        let standing = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(job())
        });
        standing.join().expect("the job does not panic")
    })
}

/// A tap, read on a thread of its own until nothing has passed for a while after it was told to end.
pub(crate) struct Listening {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<io::Result<(Vec<Frame>, u64)>>,
}

impl Listening {
    /// Keeps those frames that pass this interface of `wires` and that `is_kept` wants.
    pub(crate) fn at(
        interface: &str,
        is_kept: impl Fn(&Frame) -> bool + Send + 'static,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut tap = on("wires", || Tap::open(interface))??;
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut frames = Vec::new();
            loop {
                match tap.next(Instant::now() + Duration::from_millis(100))? {
                    Some(frame) if is_kept(&frame) => frames.push(frame),
                    Some(_) => {}
                    None if told.load(Ordering::Acquire) => return Ok((frames, tap.missed())),
                    None => {}
                }
            }
        });
        Ok(Self { ended, thread })
    }

    pub(crate) fn end(self) -> io::Result<Vec<Frame>> {
        self.ended.store(true, Ordering::Release);
        let (frames, missed) = self.thread.join().expect("the listener does not panic")?;
        assert_eq!(missed, 0, "the capture has holes");
        Ok(frames)
    }
}
