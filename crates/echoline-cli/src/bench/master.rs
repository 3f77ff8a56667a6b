//! Starts the generator's threads, gathers what they tell, and ends them.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use echoline_diagnosis::{Diagnosis, code};
use mio::Waker;

use super::generator::Generator;
use super::load::{Control, Failures, Load, Message, Outcome, Share, Tick, Totals};
use super::samples::Samples;
use super::verify::Faults;
use super::watch::ClockWatch;
use crate::failure::Stop;

/// Everything that was measured, added up over the threads.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) seconds: Vec<Second>,
    pub(super) latency: Samples,
    /// `None` in a closed loop: the same as `latency`.
    pub(super) service: Option<Samples>,
    pub(super) connect: Samples,
    pub(super) bytes: u64,
    pub(super) faults: Faults,
    pub(super) failures: Failures,
    pub(super) unsent: u64,
    /// Measured lines of each connection.
    pub(super) per_connection: Vec<u64>,
    /// How many connections were open when the load began.
    pub(super) opened: usize,
    pub(super) elapsed: Duration,
    pub(super) threads: Vec<ThreadTime>,
    pub(super) latest_send: Duration,
    pub(super) clock_step: Option<Duration>,
    pub(super) interrupted: bool,
}

/// How one thread of the generator spent its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadTime {
    pub(super) cpu: Duration,
    /// Runnable, without a processor.
    pub(super) waited: Duration,
    pub(super) wall: Duration,
}

/// One second of the measured time; the last one may be shorter.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) number: usize,
    /// What was left over at the end of the run.
    pub(super) last: bool,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    pub(super) latency: Samples,
}

/// What is shown while it runs.
pub(super) trait Observer {
    /// Every connection is open or has failed.
    fn started(&mut self, load: &Load);
    /// A second is over on every thread.
    fn second(&mut self, second: &Second) -> Result<(), Stop>;
    /// Called some ten times a second.
    fn turn(&mut self, elapsed: Duration);
}

/// What this machine did not let the command do, with the system's reason.
pub(super) fn own_fault<E: Error + Send + Sync + 'static>(what: &'static str) -> impl Fn(E) -> Diagnosis {
    move |error| Diagnosis::new(code::SYSTEM, what).caused_by(error)
}

const TURN: Duration = Duration::from_millis(100);

/// Runs `load`; `first` is a connection that is open already. Ends early when `interrupt` is set.
pub(super) fn run(
    load: &Load,
    first: TcpStream,
    interrupt: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Measured, Stop> {
    let fault = own_fault("cannot generate the load");
    let mut crew = Crew::start(load, first).map_err(&fault)?;
    let mut sum = Sum::new(load.shape.threads);
    let mut clock = ClockWatch::new();
    let (mut ready, mut done) = (0, 0);
    while done < load.shape.threads {
        let message = crew.messages.recv_timeout(TURN);
        if interrupt.load(Ordering::Relaxed) {
            sum.measured.interrupted = true;
            crew.stop();
        }
        clock.look();
        observer.turn(crew.since_start());
        match message {
            Ok(Message::Ready { opened }) => {
                sum.measured.opened += opened;
                ready += 1;
                if ready == load.shape.threads {
                    observer.started(load);
                    crew.control.start(crew.control.now_ns());
                    crew.wake();
                }
            }
            Ok(Message::Tick(tick)) => sum.tick(*tick, observer)?,
            Ok(Message::Done(outcome)) => {
                done += 1;
                sum.outcome(*outcome);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Every thread has ended, one of them without its report.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    crew.join().map_err(fault)?;
    sum.finish(clock.step(), observer)
}

/// The threads. Dropping it ends them.
struct Crew {
    control: Arc<Control>,
    wakers: Vec<Waker>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    messages: Receiver<Message>,
}

impl Crew {
    fn start(load: &Load, first: TcpStream) -> io::Result<Self> {
        let (to_master, messages) = mpsc::channel();
        let mut crew =
            Self { control: Arc::new(Control::new()), wakers: Vec::new(), threads: Vec::new(), messages };
        let mut first = Some(first);
        for thread in 0..load.shape.threads {
            let share = Share { load: load.clone(), thread, first: first.take() };
            let (generator, waker) = Generator::new(share, Arc::clone(&crew.control), to_master.clone())?;
            let name = format!("bench-{thread}");
            let spawned = std::thread::Builder::new().name(name).spawn(move || generator.run_guarded())?;
            crew.wakers.push(waker);
            crew.threads.push(spawned);
        }
        Ok(crew)
    }

    fn since_start(&self) -> Duration {
        let started = self.control.started_at_ns();
        started.map_or(Duration::ZERO, |at| Duration::from_nanos(self.control.now_ns().saturating_sub(at)))
    }

    fn wake(&self) {
        for waker in &self.wakers {
            // A thread whose poll is gone needs no waking.
            let _ = waker.wake();
        }
    }

    fn stop(&self) {
        self.control.stop();
        self.wake();
    }

    fn join(&mut self) -> io::Result<()> {
        self.stop();
        let mut result = Ok(());
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(ended) => result = result.and(ended),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // Its failure, if any, is not the one that is being reported.
            let _ = thread.join();
        }
    }
}

struct Sum {
    measured: Measured,
    threads: usize,
    /// Seconds that not every thread has told yet, with how many have.
    partial: BTreeMap<usize, (usize, Second)>,
}

impl Sum {
    fn new(threads: usize) -> Self {
        let measured = Measured {
            seconds: Vec::new(),
            latency: Samples::new(),
            service: None,
            connect: Samples::new(),
            bytes: 0,
            faults: Faults::default(),
            failures: Failures::default(),
            unsent: 0,
            per_connection: Vec::new(),
            opened: 0,
            elapsed: Duration::ZERO,
            threads: Vec::new(),
            latest_send: Duration::ZERO,
            clock_step: None,
            interrupted: false,
        };
        Self { measured, threads, partial: BTreeMap::new() }
    }

    fn tick(&mut self, tick: Tick, observer: &mut dyn Observer) -> Result<(), Stop> {
        self.measured.latency.add(&tick.latency);
        self.measured.bytes += tick.bytes;
        if let Some(service) = &tick.service {
            self.measured.service.get_or_insert_with(Samples::new).add(service);
        }
        let (told, second) = match self.partial.remove(&tick.second) {
            None => {
                let Tick { second: number, last, bytes, errors, latency, .. } = tick;
                (1, Second { number, last, bytes, errors, latency })
            }
            Some((told, mut second)) => {
                second.last |= tick.last;
                second.bytes += tick.bytes;
                second.errors += tick.errors;
                second.latency.add(&tick.latency);
                (told + 1, second)
            }
        };
        if told == self.threads {
            return self.whole(second, observer);
        }
        self.partial.insert(second.number, (told, second));
        Ok(())
    }

    fn whole(&mut self, second: Second, observer: &mut dyn Observer) -> Result<(), Stop> {
        if !second.last || second.bytes > 0 || second.errors > 0 {
            observer.second(&second)?;
            self.measured.seconds.push(second);
        }
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) {
        let Outcome { measured: totals, faults, failures, unsent, per_connection, .. } = outcome;
        let Totals { connect, from_ns, last_answer_ns, cpu, waited, wall, measured, latest_send_ns } = totals;
        let sum = &mut self.measured;
        sum.connect.add(&connect);
        sum.faults.add(faults);
        sum.failures.add(&failures);
        sum.unsent += unsent;
        sum.per_connection.extend(per_connection);
        let to_last_answer = Duration::from_nanos(last_answer_ns.saturating_sub(from_ns));
        sum.elapsed = sum.elapsed.max(measured).max(to_last_answer);
        sum.threads.push(ThreadTime { cpu, waited, wall });
        sum.latest_send = sum.latest_send.max(Duration::from_nanos(latest_send_ns));
    }

    fn finish(mut self, clock_step: Option<Duration>, observer: &mut dyn Observer) -> Result<Measured, Stop> {
        for (_, second) in std::mem::take(&mut self.partial).into_values() {
            self.whole(second, observer)?;
        }
        self.measured.clock_step = clock_step;
        Ok(self.measured)
    }
}
