//! `cargo xtask ci`: every gate, one after the other.

use std::process::Command;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::structure::{imports, length};
use crate::{arrows, first_run, fuzz, run, test, testing};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run these steps alone
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Leave these steps out
    #[arg(long, value_enum, conflicts_with = "steps")]
    skip: Vec<Step>,
    /// Let `imports` move what is out of order
    #[arg(long)]
    fix: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Step {
    /// Every test, as `cargo xtask test` runs them
    Test,
    /// Formatting
    Fmt,
    /// Lints of every target, warnings denied
    Clippy,
    /// Documentation of every crate, warnings denied
    Doc,
    /// Unsafe code under AddressSanitizer: the ring engine, the system calls and the lab
    Sanitize,
    /// Every fuzz target for 30 seconds, under AddressSanitizer
    Fuzz,
    /// The fast rows of the fault catalogue, on both engines
    Faults,
    /// Which crate may depend on which, and no circles between the modules of a crate
    Arrows,
    /// The order of imports in every file
    Imports,
    /// The length of files
    Length,
    /// Licences, banned crates and sources, by cargo-deny
    Deny,
    /// The README's first command in a fresh clone, through a terminal and through a pipe
    FirstRun,
}

/// Of the workspaces that the gates look at, for commands that build nothing.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "testing/Cargo.toml"];

pub(crate) fn run(args: &Args) -> Result<()> {
    let steps = if args.steps.is_empty() { Step::value_variants() } else { &args.steps };
    for step in steps.iter().filter(|step| !args.skip.contains(step)) {
        let name = step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        run::step(&name, || step.run(args.fix))?;
    }
    Ok(())
}

impl Step {
    fn run(self, fix: bool) -> Result<()> {
        match self {
            Self::Test => test::run(&test::Args::default()),
            Self::Fmt => fmt(),
            Self::Clippy => in_both("clippy", |cargo| {
                cargo.args(["--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
            }),
            Self::Doc => in_both("doc", |cargo| {
                cargo.args(["--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings")
            }),
            Self::Sanitize => sanitize(),
            Self::Fuzz => fuzz::run(&fuzz::Args::default()),
            Self::Faults => run::shown(&mut testing::program(["faults", "--quick"])),
            Self::Arrows => arrows::check(),
            Self::Imports => imports::check(fix),
            Self::Length => length::check(),
            Self::Deny => deny(),
            Self::FirstRun => first_run::check(),
        }
    }
}

/// `cargo SUBCOMMAND`, completed by `words`, in each workspace that the gates look at.
fn in_both(subcommand: &str, words: impl Fn(&mut Command) -> &mut Command) -> Result<()> {
    run::shown(words(run::cargo().arg(subcommand)))?;
    run::shown(words(&mut run::testing(subcommand)))
}

fn fmt() -> Result<()> {
    for manifest in MANIFESTS {
        run::shown(run::cargo().args(["fmt", "--all", "--check", "--manifest-path", manifest]))?;
    }
    Ok(())
}

/// Wherever unsafe code stands, with every access checked: in the engine buffers, rings and in-flight memory, and every
/// leak reported at the end.
fn sanitize() -> Result<()> {
    // Each step is many times slower, and its memory, not the seeds, is what is looked at here.
    sanitized(&["echoline-server", "--lib", "--", "uring"], &[("ECHOLINE_SEEDS", "500")])?;
    // The sanitizer brings an allocator of its own, which the one about glibc's says nothing of.
    sanitized(&["echoline-sys", "--lib", "--", "--skip", "allocator"], &[])?;
    // These end with their namespaces, in which no leak can be looked for any more.
    sanitized(&["echoline-lab", "--test", "lab", "--test", "link"], &[("ASAN_OPTIONS", "detect_leaks=0")])
}

/// Tests of a package under AddressSanitizer.
///
/// Sanitizers are a compiler flag that stable hides; the compiler and its runtime are the stable ones.
fn sanitized(tests: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        bail!("the sanitizer's runtime comes with {TARGET} alone; leave this out with `--skip sanitize`");
    }
    run::shown(
        run::cargo()
            .args(["test", "--quiet", "--target", TARGET, "--target-dir", "target/sanitize", "--package"])
            .args(tests)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .envs(environment.iter().copied()),
    )
}

fn deny() -> Result<()> {
    if run::captured(run::cargo().args(["deny", "--version"])).is_err() {
        bail!("cargo-deny is not installed; install it with `cargo install --locked cargo-deny`");
    }
    for manifest in MANIFESTS {
        // Not `advisories`: that check fetches a database, and a gate must not depend on the day it runs.
        run::shown(run::cargo().args([
            "deny",
            "--manifest-path",
            manifest,
            "--workspace",
            "--log-level",
            "error",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))?;
    }
    Ok(())
}
