//! Edges that no client can reach are provoked by tests of the server. A row runs those by name.

use anyhow::{Context, Result, ensure};
use xtask_tools::run;

use super::bench::Bench;
use super::here;
use super::seen::Seen;
use crate::running::{cores, pinned};

/// Every order of completions, and every error at every call, from thousands of seeds.
pub(crate) const SIMULATION: &str =
    "no_order_of_completions_and_no_error_loses_changes_or_reorders_a_byte_or_leaks_a_buffer";

/// Tests of the ring inside the server, by their names.
pub(crate) fn of_the_ring(bench: &Bench, names: &[&str]) -> Result<Seen> {
    here::uring()?;
    of_the_server(bench, names)
}

/// Tests inside the server, by their names.
pub(crate) fn of_the_server(bench: &Bench, names: &[&str]) -> Result<Seen> {
    run_all(bench, "--lib", names)
}

/// Tests of the conformance suite on one engine, as `closing::a_reset_is_counted`.
pub(crate) fn of_conformance(bench: &Bench, module: &str, names: &[&str]) -> Result<Seen> {
    let engine = bench.engine().name();
    let names: Vec<_> = names.iter().map(|name| format!("{module}::{engine}::{name}")).collect();
    run_all(bench, "--test=conformance", &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Tests of another test binary of the server.
pub(crate) fn of_binary(bench: &Bench, binary: &str, names: &[&str]) -> Result<Seen> {
    run_all(bench, &format!("--test={binary}"), names)
}

fn run_all(bench: &Bench, binary: &str, names: &[&str]) -> Result<Seen> {
    let mut command = run::cargo();
    command.args(["test", "--offline", "--quiet", "-p", "echoline-server", binary, "--"]).args(names);
    // A test that this machine cannot run must not count as one that ran.
    command.env("ECHOLINE_TEST_ALL", "1");
    if bench.quick {
        // CI plays all of the simulation's seeds as a test.
        command.env("ECHOLINE_SEEDS", "500");
    }
    let both = [cores().server, cores().load];
    let output = pinned(&command, &both).output().context("cannot start `cargo test`")?;
    let text = String::from_utf8(output.stdout).context("`cargo test` wrote bytes that are not UTF-8")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    let passed = passed(&text);
    let tests = if passed == 1 { "test" } else { "tests" };
    let mut seen = Seen::new(format!("{passed} {tests} of the server passed"));
    seen.tests = names.iter().map(|name| (*name).to_owned()).collect();
    ensure!(
        output.status.success(),
        "tests of the server failed: {}",
        text.lines()
            .chain(talk.lines())
            .filter(|line| line.contains("FAILED") || line.contains("panicked") || line.contains("error"))
            .take(5)
            .collect::<Vec<_>>()
            .join(" ")
    );
    Ok(seen
        .must(passed == names.len(), format!("all {} tests of these names are there and pass", names.len())))
}

/// As `test result: ok. 3 passed; 0 failed; ...`, over all binaries.
fn passed(text: &str) -> usize {
    text.lines()
        .filter_map(|line| {
            line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse::<usize>().ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_over_all_binaries() {
        let text = "running 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored\n\
            test result: ok. 1 passed; 0 failed\ntest result: FAILED. 5 passed; 1 failed\n";
        assert_eq!(passed(text), 3);
    }
}
