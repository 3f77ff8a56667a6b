//! `echoline lab`: a small internet on this machine, to run commands in.
//!
//! | module | what it holds |
//! |---|---|
//! | `args`, `change` | the flags, and the changes of a lab that they ask for |
//! | `show`, `test` | `list` and `show` build nothing; `test` plays scenarios |
//! | `watch` | what passes a link, by itself or beside a command |
//! | `host`, `attach` | what builds a lab and ends with it; what changes one that runs already |
//!
//! A failure of a lab is a `LabError` until it leaves here.

mod args;
mod attach;
mod change;
mod host;
mod show;
mod test;
mod watch;

pub(crate) use args::Args;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process;

use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use echoline_lab::{LabError, Topology, TopologyError};

use self::args::Verb;
use crate::failure::Stop;

pub(crate) fn run(args: Args) -> Result<ExitStatus, Stop> {
    match args.verb {
        Verb::List => show::list(),
        Verb::Show(args) => show::show(&args),
        Verb::Run(args) => host::run(args),
        Verb::Up(args) => host::up(&args),
        Verb::Enter(args) => attach::enter(args),
        Verb::Link(args) => attach::change(&args.attach, &args.change()?),
        Verb::Firewall(args) => attach::change(&args.attach, &args.change()?),
        Verb::Forward(args) => attach::change(&args.attach, &args.change()?),
        Verb::Address(args) => attach::change(&args.attach, &args.change()?),
        Verb::Names(args) => attach::change(&args.attach, &args.change()?),
        Verb::Watch(args) => watch::watch(&args),
        Verb::Test(args) => test::test(&args),
        Verb::Down(args) => attach::down(&args),
    }
}

/// A file of one's own, or a shipped topology.
fn topology(name: &str) -> Result<Topology, Stop> {
    if !is_file(name) {
        return Ok(Topology::shipped(name)?);
    }
    Ok(Topology::parse(&read(name, "echoline lab list")?, name)?)
}

/// A name that ends so is a file of one's own; any other is of something shipped.
fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// The text of a file; `shipped` is the command that lists what needs none.
fn read(file: &str, shipped: &'static str) -> Result<String, Diagnosis> {
    std::fs::read_to_string(file).map_err(|error| {
        Diagnosis::new(code::LAB_TOPOLOGY, format!("cannot read {file}")).caused_by(error).next(shipped)
    })
}

/// What this machine did not let the command do, with the system's reason.
fn system(what: &'static str) -> impl Fn(io::Error) -> Diagnosis {
    move |error| Diagnosis::new(code::LAB_SYSTEM, format!("cannot {what}")).caused_by(error)
}

/// Ends this process with the code that a command on a host chose, or as a shell reports a signal.
fn end_as(status: process::ExitStatus) -> ! {
    process::exit(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

impl From<TopologyError> for Stop {
    fn from(error: TopologyError) -> Self {
        LabError::from(error).into()
    }
}

impl From<LabError> for Stop {
    fn from(error: LabError) -> Self {
        Diagnosis::from(error).into()
    }
}
