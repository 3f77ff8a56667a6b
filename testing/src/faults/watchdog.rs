//! The whole ends, whatever hangs: each wait has its end, but a test, a lab or a kernel may have none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Args;
use super::bench::Bench;
use super::report::engine_of;
use super::row::Row;

/// Several times what it takes on a slow machine.
pub(super) fn most(args: &Args) -> Duration {
    Duration::from_secs(if args.quick { 15 * 60 } else { 60 * 60 })
}

/// Names the row that is being provoked.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<String>>);

impl UnderWay {
    pub(super) fn is(&self, row: &Row, bench: &Bench) {
        let name = format!("row {} ({}) on {}", row.number, row.fault, engine_of(row, bench).unwrap_or("-"));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    fn name(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends this process, and with it all that it started in its namespaces, when the time is over.
pub(super) fn start(args: &Args) -> UnderWay {
    let (under_way, most) = (UnderWay::default(), most(args));
    let watched = under_way.clone();
    std::thread::spawn(move || {
        std::thread::sleep(most);
        eprintln!("xtask: not done within {} minutes; under way: {}", most.as_secs() / 60, watched.name());
        std::process::exit(1);
    });
    under_way
}
