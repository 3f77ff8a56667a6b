//! `echoline lab`: a small internet on this machine, to run commands in.

mod args;
mod attach;
mod host;
mod show;
mod test;
mod watch;

pub(crate) use args::Args;

use crate::code::{Code, Own};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use args::Verb;
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
        Failure::new(Own::LabTopology, ExitStatus::Usage, format!("cannot read {name}: {error}"))
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
        let failure = Failure::new(code_of(&error), ExitStatus::Usage, error.to_string());
        match error.remedy() {
            Some(remedy) => failure.next(remedy).into(),
            None => failure.into(),
        }
    }
}

/// The lab's own word for it, which the program has a page for.
fn code_of(error: &LabError) -> Code {
    Code::find(error.code()).unwrap_or(Own::LabSystem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_lab_has_its_page() {
        let source = include_str!("../../../echoline-lab/src/error.rs");
        let quoted = source.split('"').filter(|text| text.starts_with("lab-"));
        let codes: Vec<_> = quoted.collect();
        assert!(codes.len() >= 9, "{codes:?}");
        for code in codes {
            assert!(Code::find(code).is_some(), "echoline explain {code} has no page");
        }
    }
}
