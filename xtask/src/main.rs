//! `cargo xtask`: what a contributor or CI runs.
#![forbid(unsafe_code)]

mod arrows;
mod ci;
mod debian;
mod faults;
mod first_run;
mod fuzz;
mod machine;
mod peers;
mod run;
mod running;
mod soak;
mod structure;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a contributor or CI runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test that this machine can run, and list those that it cannot
    Test(test::Args),
    /// Run every gate, or those that are named: test, fmt, clippy, doc, sanitize, fuzz, faults, arrows, imports, length, deny, first-run
    Ci(ci::Args),
    /// Look for inputs that break what reads the bytes of others
    Fuzz(fuzz::Args),
    /// Race our server against others under the same load
    Peers(peers::Args),
    /// Talk to our server for a long time in every way that is allowed, and compare every byte
    Soak(soak::Args),
    /// Provoke the faults that a server on a network must survive, on both engines
    Faults(faults::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Peers(args) => peers::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Faults(args) => faults::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
