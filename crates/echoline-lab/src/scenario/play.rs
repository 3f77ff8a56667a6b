//! Playing a scenario.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::process::Process;
use super::{Act, Expect, Played, Scenario, Step};
use crate::enter::Inside;
use crate::error::LabError;
use crate::lab::{Lab, Options};

impl Scenario {
    /// Builds the topology, plays every step, and takes all down. `program` is the `echoline` that hosts run.
    ///
    /// # Errors
    /// A lab that cannot be built. What is not as expected is no error but a difference.
    pub fn play(&self, inside: &Inside, program: &Path) -> Result<Played, LabError> {
        let begun = Instant::now();
        let options = Options { program: Some(program.to_owned()), ..Options::default() };
        let lab = Lab::build(inside, &self.topology, options)?;
        let mut running = BTreeMap::new();
        let mut difference = None;
        for step in &self.steps {
            if let Err(found) = play(&lab, step, &mut running) {
                difference = Some(format!("line {}: {}\n{found}", step.line, described(&step.act)));
                break;
            }
        }
        drop(running);
        drop(lab);
        Ok(Played { took: begun.elapsed(), difference })
    }
}

fn described(act: &Act) -> String {
    match act {
        Act::Change(change) => change.to_string(),
        Act::Run { on, command, .. } | Act::Start { on, command, .. } => {
            format!("on {on}: {}", command.trim())
        }
        Act::Send { to, text } => format!("to {to}: {}", text.escape_debug()),
        Act::End { name } => format!("end of {name}"),
    }
}

fn play(lab: &Lab, step: &Step, running: &mut BTreeMap<String, Process>) -> Result<(), String> {
    let expect = &step.expect;
    let deadline = Instant::now() + expect.within;
    let told = |error: LabError| format!("  {error}");
    match &step.act {
        Act::Change(change) => lab.change(change).map(drop).map_err(told),
        Act::Run { on, command, input } => {
            let mut process = Process::start(lab, on, command).map_err(told)?;
            process.send(input);
            ended(&mut process, expect, deadline)
        }
        Act::Start { name, on, command } => {
            let process = Process::start(lab, on, command).map_err(told)?;
            shown(&process, expect, deadline)?;
            running.insert(name.clone(), process);
            Ok(())
        }
        Act::Send { to, text } => {
            let process = running.get_mut(to).ok_or_else(|| format!("  {to} has ended"))?;
            let before = process.text().0.len();
            process.send(text);
            shown(process, expect, deadline)?;
            if expect.silent.is_zero() {
                return Ok(());
            }
            let more = |stdout: &[u8]| stdout.len() > before;
            if process.wait_for(Instant::now() + expect.silent, more) {
                let came = process.text().0;
                return Err(differs("standard output to stay silent", came.get(before..).unwrap_or(&came)));
            }
            Ok(())
        }
        Act::End { name } => {
            let mut process = running.remove(name).ok_or_else(|| format!("  {name} has ended"))?;
            ended(&mut process, expect, deadline)
        }
    }
}

fn shown(process: &Process, expect: &Expect, deadline: Instant) -> Result<(), String> {
    for part in &expect.shows {
        let has = |stdout: &[u8]| stdout.windows(part.len().max(1)).any(|window| window == part.as_bytes());
        if !process.wait_for(deadline, has) {
            let (stdout, stderr) = process.text();
            return Err(differs(&format!("standard output with {part:?}"), &(stdout + &stderr)));
        }
    }
    Ok(())
}

fn ended(process: &mut Process, expect: &Expect, deadline: Instant) -> Result<(), String> {
    process.end_input();
    let code = process.wait(deadline);
    let (stdout, stderr) = process.text();
    let Some(code) = code else {
        return Err(differs(&format!("an end within {:?}", expect.within), &(stdout + &stderr)));
    };
    if code != expect.exit {
        return Err(differs(&format!("exit code {}", expect.exit), &format!("{code}\n{stdout}{stderr}")));
    }
    if let Some(prints) = expect.prints.as_ref().filter(|prints| **prints != stdout) {
        return Err(differs(&format!("standard output {prints:?}"), &format!("{stdout:?}")));
    }
    for (stream, text, parts) in [("output", &stdout, &expect.shows), ("error", &stderr, &expect.says)] {
        if let Some(part) = parts.iter().find(|part| !text.contains(part.as_str())) {
            return Err(differs(&format!("standard {stream} with {part:?}"), text));
        }
    }
    match expect.lacks.iter().find(|part| stdout.contains(part.as_str())) {
        Some(part) => Err(differs(&format!("standard output without {part:?}"), &stdout)),
        None => Ok(()),
    }
}

fn differs(wanted: &str, came: &str) -> String {
    let came = came.trim_end().replace('\n', "\n         ");
    format!("  wanted {wanted}\n  came   {came}")
}
