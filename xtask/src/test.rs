//! `cargo xtask test`: every test that this machine can run, and a list of those that it cannot.
//!
//! A test that lacks something says so by `echoline_testing::skip`, which keeps the list.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::{debian, run};

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Install the Debian packages that the tests need (as root)
    #[arg(long)]
    install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    debian::provide(&debian::FOR_TESTS.iter().collect::<Vec<_>>(), args.install)?;

    let skips =
        tempfile::NamedTempFile::new().context("cannot make a temporary file for the list of skips")?;
    // Plain `cargo test`: it runs the doc tests too, and everybody has it.
    let ours = run::shown(
        run::cargo().args(["test", "--workspace", "--no-fail-fast"]).env("ECHOLINE_SKIPS", skips.path()),
    );
    let testing = run::shown(run::testing("test").arg("--no-fail-fast").env("ECHOLINE_SKIPS", skips.path()));

    let lines = std::fs::read_to_string(skips.path()).context("cannot read the list of skips")?;
    report(&skipped(&lines));
    eprintln!("Tests took {:.0} s.", start.elapsed().as_secs_f64());
    ours.and(testing)
}

fn report(skipped: &BTreeSet<&str>) {
    if skipped.is_empty() {
        println!("No test was skipped.");
        return;
    }
    println!("{} skipped on this machine:", skipped.len());
    for line in skipped {
        println!("  {line}");
    }
}

/// Each line once: a test may run in more than one binary.
fn skipped(lines: &str) -> BTreeSet<&str> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_listed_once_however_often_it_is_reported() {
        let lines = "SKIPPED a: needs ncat\n\nSKIPPED b: needs socat\nSKIPPED a: needs ncat\n";
        assert_eq!(
            skipped(lines).into_iter().collect::<Vec<_>>(),
            ["SKIPPED a: needs ncat", "SKIPPED b: needs socat"]
        );
    }
}
