//! `lab run` and `lab up`: the commands that build a lab, and end with it.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use echoline_lab::{Control, Explain, Lab, LabError, Options, Running, SHIPPED, Topology, enter};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{Run, Up};
use super::{change, end_as, is_file, system, watch};
use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;

pub(super) fn run(args: Run) -> Result<ExitStatus, Stop> {
    let (name, host) = match args.place.as_slice() {
        [name] if is_topology(name) => {
            let message =
                format!("{name} is a topology, and the host on which to run the command is missing");
            return Err(misused(message, format!("echoline lab run {name} HOST -- COMMAND")));
        }
        [host] => ("home", host),
        [name, host] => (name.as_str(), host),
        [name, host, word, ..] => {
            let message = format!("{word} stands behind the host without -- before it");
            return Err(misused(message, format!("echoline lab run {name} {host} -- {word} ...")));
        }
        [] => return Ok(ExitStatus::Usage),
    };
    if args.command.is_empty() {
        return Err(misused(
            "there is no command behind --".to_owned(),
            format!("echoline lab run {name} {host} -- COMMAND"),
        ));
    }
    let topology = super::topology(name)?;
    let changes = args.with.iter().map(|text| change::parse(text)).collect::<Result<Vec<_>, _>>()?;
    if topology.node(host).is_none() {
        let known = topology.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(LabError::Unknown { what: "host", name: host.clone(), known }.into());
    }
    let interrupted = AtomicBool::new(false).into();
    let lab = build(&topology, args.explain, &interrupted)?;
    for change in &changes {
        lab.change(change)?;
    }
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitStatus::Interrupted);
    }
    let watching = if args.watch.is_empty() { None } else { Some(watch::beside(lab.watch(&args.watch)?)?) };
    let mut words = args.command.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    let status = lab.spawn(host, command.args(words))?.wait();
    if let Some(watching) = watching {
        watching.end();
    }
    let status = status.map_err(system("wait for the command"))?;
    drop(lab);
    end_as(status)
}

fn is_topology(name: &str) -> bool {
    is_file(name) || SHIPPED.iter().any(|shipped| shipped.name == name)
}

fn misused(message: String, next: String) -> Stop {
    Diagnosis::new(code::USAGE, message).next(next).into()
}

pub(super) fn up(args: &Up) -> Result<ExitStatus, Stop> {
    let topology = super::topology(&args.topology)?;
    Running::none_called(&topology.name)?;
    let interrupted = AtomicBool::new(false).into();
    let lab = Arc::new(build(&topology, args.explain, &interrupted)?);
    let control = Control::start(&lab)?;
    let end = control.ender();
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(system("prepare the lab"))?;
    let wait = move || signals.forever().for_each(|_| end());
    std::thread::Builder::new().spawn(wait).map_err(system("prepare the lab"))?;
    let talk = Talk::new(args.voice);
    talk.say(lab.topology().drawing());
    talk.say(format!(
        "Everything runs. In another terminal: echoline lab enter {}. Ctrl-C ends the lab.",
        topology.nodes[0].name
    ));
    Output::new()?.text(&topology.name)?;
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitStatus::Success);
    }
    control.wait();
    Ok(ExitStatus::Success)
}

/// Enters and builds. An interrupt is only noted from here on: what runs on the hosts has it too, and decides.
fn build(topology: &Topology, explain: bool, interrupted: &Arc<AtomicBool>) -> Result<Lab, Stop> {
    let inside = enter()?;
    signal_hook::flag::register(SIGINT, Arc::clone(interrupted)).map_err(system("prepare the lab"))?;
    let told: Explain = Box::new(|line| {
        // Somebody who stopped reading misses nothing else.
        let _ = writeln!(std::io::stderr(), "{line}");
    });
    let program = std::env::current_exe().map_err(system("prepare the lab"))?;
    let options = Options { explain: explain.then_some(told), program: Some(program) };
    Ok(Lab::build(&inside, topology, options)?)
}
