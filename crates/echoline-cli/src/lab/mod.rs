//! `echoline lab`: a small internet on this machine, to run commands in.

mod args;
mod attach;
mod host;
mod show;
mod test;
mod watch;

pub(crate) use args::Args;

use crate::failure::Stop;
use args::Verb;
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::{Diagnosis, code};
use echoline_lab::{LabError, Topology};
use std::path::Path;

pub(crate) fn run(args: Args) -> Result<ExitStatus, Stop> {
    match args.verb {
        Verb::List => show::list(),
        Verb::Show(args) => show::show(&args),
        Verb::Run(args) => host::run(args),
        Verb::Up(args) => host::up(&args),
        Verb::Enter(args) => attach::enter(args),
        Verb::Link(args) => {
            attach::change(&args.attach, &format!("link {} {}", args.name, args.words.join(" ")))
        }
        Verb::Firewall(args) => {
            attach::change(&args.attach, &format!("firewall {} {}", args.host, args.rule.join(" ")))
        }
        Verb::Forward(args) => {
            attach::change(&args.attach, &format!("forward {} {} {}", args.router, args.port, args.host))
        }
        Verb::Address(args) => {
            attach::change(&args.attach, &format!("address {} {}", args.interface, args.network))
        }
        Verb::Names(args) => attach::change(&args.attach, &format!("names {}", args.words.join(" "))),
        Verb::Watch(args) => watch::watch(&args),
        Verb::Test(args) => test::test(&args),
        Verb::Down(args) => attach::down(&args),
    }
}

/// A file of one's own, or a shipped topology.
fn topology(name: &str) -> Result<Topology, Stop> {
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        return Ok(Topology::shipped(name)?);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        Diagnosis::new(code::LAB_TOPOLOGY, format!("cannot read {name}"))
            .caused_by(error)
            .next("echoline lab list")
    })?;
    Ok(Topology::parse(&text, name)?)
}

impl From<echoline_lab::TopologyError> for Stop {
    fn from(error: echoline_lab::TopologyError) -> Self {
        LabError::from(error).into()
    }
}

impl From<LabError> for Stop {
    fn from(error: LabError) -> Self {
        Diagnosis::from(error).into()
    }
}
