//! A harness for tests that share one process, which each of them is a part of: it has entered a
//! lab, and a test thread of the usual harness could not. For targets with `harness = false`.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::time::Instant;

/// How such a test ends.
pub type Outcome = Result<(), Box<dyn Error>>;

/// Runs the tests one by one, or those whose names contain an argument, and ends the process: with
/// 1 if one failed or panicked.
pub fn run_suite<T: FnOnce() -> Outcome>(tests: impl IntoIterator<Item = (&'static str, T)>) -> ! {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let mut failed = 0;
    for (name, test) in tests.into_iter().filter(|(name, _)| is_wanted(name)) {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(test));
        failed += i32::from(!matches!(ended, Ok(Ok(()))));
        match ended {
            Ok(Ok(())) => println!("test {name} ... ok ({} ms)", begun.elapsed().as_millis()),
            Ok(Err(error)) => println!("test {name} ... FAILED: {error}"),
            Err(_) => println!("test {name} ... FAILED"),
        }
    }
    process::exit(i32::from(failed > 0))
}
