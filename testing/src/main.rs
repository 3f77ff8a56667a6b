//! What `cargo xtask faults`, `soak` and `peers` run. They start servers as a user does and attack,
//! exercise or measure them from outside: no crate of the product is linked here.
#![forbid(unsafe_code)]

mod faults;
mod machine;
mod peers;
mod programs;
mod running;
mod soak;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Test our server from outside.
#[derive(Parser)]
// As it is called: xtask hands its words over.
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Race our server against others under the same load
    Peers(peers::Args),
    /// Talk to our server for a long time in every way that is allowed, and compare every byte
    Soak(soak::Args),
    /// Provoke the faults that a server on a network must survive, on both engines
    Faults(faults::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
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
