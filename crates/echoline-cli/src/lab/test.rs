//! `lab test`: plays scenarios, a line each.

use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::units::{count, human_time};
use echoline_lab::{Played, SHIPPED_SCENARIOS, Scenario, enter};
use serde::Serialize;

use super::args::Test;
use super::{is_file, read, system};
use crate::failure::{Shown, Stop};
use crate::output::Output;

pub(super) fn test(args: &Test) -> Result<ExitStatus, Stop> {
    let ended = play(args);
    if let (true, Err(Stop::Failure(failure))) = (args.json, &ended) {
        Output::new()?.json(&Report {
            schema: SCHEMA,
            scenarios: Vec::new(),
            error: Some(Shown::of(failure)),
        })?;
    }
    ended
}

fn play(args: &Test) -> Result<ExitStatus, Stop> {
    let scenarios = scenarios(&args.scenarios)?;
    let longest = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    let mut output = Output::new()?;
    if args.list {
        for scenario in &scenarios {
            output.bytes(format!("{:<longest$}  {}\n", scenario.name, scenario.about).as_bytes())?;
        }
        output.flush()?;
        return Ok(ExitStatus::Success);
    }
    let inside = enter()?;
    let program = std::env::current_exe().map_err(system("find this program's own file"))?;
    let mut report = Report { schema: SCHEMA, scenarios: Vec::new(), error: None };
    for scenario in &scenarios {
        let Played { took, difference } = scenario.play(&inside, &program)?;
        if !args.json {
            let verdict = if difference.is_none() { "pass" } else { "FAIL" };
            let told = difference.as_ref().map(|text| format!("      {}\n", text.replace('\n', "\n      ")));
            let (told, took) = (told.unwrap_or_default(), human_time(took));
            output.text(format!("{verdict}  {:<longest$}  {took:>8}\n{told}", scenario.name))?;
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        report.scenarios.push(Line { name: &scenario.name, pass: difference.is_none(), took_us, difference });
    }
    let failed = report.scenarios.iter().filter(|line| !line.pass).count();
    let all = count(scenarios.len() as u64, "scenario");
    match (args.json, failed) {
        (true, _) => output.json(&report)?,
        (false, 0) => output.text(format!("{all}, all as expected."))?,
        (false, _) => output.text(format!("{all}, {failed} not as expected."))?,
    }
    Ok(if failed == 0 { ExitStatus::Success } else { ExitStatus::Refused })
}

const SCHEMA: &str = "echoline-lab-test/1";

/// The JSON document of `lab test --json`.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    scenarios: Vec<Line<'a>>,
    /// Why they were not played; then there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Shown>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    pass: bool,
    took_us: u64,
    /// Which step, what was wanted and what came.
    difference: Option<String>,
}

fn scenarios(names: &[String]) -> Result<Vec<Scenario>, Stop> {
    if names.is_empty() {
        let all = SHIPPED_SCENARIOS.iter().map(|shipped| Scenario::shipped(shipped.name));
        return Ok(all.collect::<Result<_, _>>()?);
    }
    names.iter().map(|name| scenario(name)).collect()
}

fn scenario(name: &str) -> Result<Scenario, Stop> {
    if !is_file(name) {
        return Ok(Scenario::shipped(name)?);
    }
    Ok(Scenario::parse(&read(name, "echoline lab test --list")?, name)?)
}
