//! `cargo xtask`: what a contributor or CI runs.
#![forbid(unsafe_code)]

mod arrows;
mod ci;
mod first_run;
mod fuzz;
mod structure;
mod test;
mod testing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask_tools::{debian, run};

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
    #[command(disable_help_flag = true)]
    Peers(testing::Words),
    /// Talk to our server for a long time in every way that is allowed, and compare every byte
    #[command(disable_help_flag = true)]
    Soak(testing::Words),
    /// Provoke the faults that a server on a network must survive, on both engines
    #[command(disable_help_flag = true)]
    Faults(testing::Words),
}

fn main() -> ExitCode {
    let result = match Args::parse_from(testing::asked_directly(std::env::args_os())).command {
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Peers(words) => testing::become_program("peers", words),
        Command::Soak(words) => testing::become_program("soak", words),
        Command::Faults(words) => testing::become_program("faults", words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
