//! `lab watch`, and `lab run --watch`: what passes a link, a line a frame.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use echoline_check::no_thread;
use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use echoline_lab::capture::pcap::Writer;
use echoline_lab::{Running, Watch};

use super::args::Watch as Args;
use crate::failure::Stop;
use crate::output::Output;

/// How soon an end is noticed.
const BREATH: Duration = Duration::from_millis(100);

pub(super) fn watch(args: &Args) -> Result<ExitStatus, Stop> {
    if args.write.is_some() && args.links.len() != 1 {
        let message = "a pcap file holds one link: name it, as in `echoline lab watch wan --write wan.pcap`";
        return Err(Diagnosis::new(code::LAB_MISUSE, message).into());
    }
    let mut pcap =
        args.write.as_ref().map(|path| File::create(path).and_then(Writer::new)).transpose().map_err(file)?;
    let running = Running::find(args.lab.as_deref())?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(file)?;
    }
    let mut watch = running.watch(&args.links)?;
    let mut output = Output::new()?;
    while !interrupted.load(Ordering::Relaxed) && !running.has_ended() {
        for watched in watch.next(Instant::now() + BREATH) {
            if let Some(line) = watched.line {
                output.bytes(line.as_bytes())?;
                output.bytes(b"\n")?;
            }
            if let Some(pcap) = &mut pcap {
                pcap.write(watched.frame.at, &watched.frame.bytes).map_err(file)?;
            }
        }
        output.flush()?;
    }
    Ok(ExitStatus::Success)
}

/// A watch beside a command, on standard error.
pub(super) struct Beside {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

pub(super) fn beside(mut watch: Watch) -> Result<Beside, Stop> {
    let ended = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&ended);
    let print = move || {
        loop {
            // What passed before the end is still told.
            let last = noticed.load(Ordering::Relaxed);
            for line in watch.next(Instant::now() + BREATH).into_iter().filter_map(|watched| watched.line) {
                // Somebody who stopped reading misses nothing else.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            if last {
                return;
            }
        }
    };
    let spawned = std::thread::Builder::new().spawn(print);
    Ok(Beside { ended, thread: spawned.map_err(|error| no_thread("watch", &error))? })
}

impl Beside {
    pub(super) fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

fn file(error: std::io::Error) -> Stop {
    Diagnosis::new(code::OUTPUT, "cannot write what passes").caused_by(error).into()
}
