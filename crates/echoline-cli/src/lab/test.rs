//! `lab test`: plays scenarios, a line each.

use super::args::Test;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Stop};
use crate::output::Output;
use crate::units::{count, human_time};
use echoline_lab::{SHIPPED_SCENARIOS, Scenario, enter};
use std::path::Path;

pub(super) fn test(args: &Test) -> Result<ExitStatus, Stop> {
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
    let program = std::env::current_exe().map_err(|error| {
        Failure::new("lab-system", ExitStatus::Usage, format!("cannot find this program's own file: {error}"))
    })?;
    let mut failed = 0;
    for scenario in &scenarios {
        let played = scenario.play(&inside, &program)?;
        let (verdict, difference) = match &played.difference {
            None => ("pass", String::new()),
            Some(difference) => ("FAIL", format!("      {}\n", difference.replace('\n', "\n      "))),
        };
        failed += u64::from(played.difference.is_some());
        let took = human_time(played.took);
        output.text(format!("{verdict}  {:<longest$}  {took:>8}\n{difference}", scenario.name))?;
    }
    let all = count(scenarios.len() as u64, "scenario");
    output.text(if failed == 0 {
        format!("{all}, all as expected.")
    } else {
        format!("{all}, {failed} not as expected.")
    })?;
    Ok(if failed == 0 { ExitStatus::Success } else { ExitStatus::Refused })
}

fn scenarios(names: &[String]) -> Result<Vec<Scenario>, Stop> {
    if names.is_empty() {
        let all = SHIPPED_SCENARIOS.iter().map(|shipped| Scenario::shipped(shipped.name));
        return Ok(all.collect::<Result<_, _>>()?);
    }
    names.iter().map(|name| scenario(name)).collect()
}

fn scenario(name: &str) -> Result<Scenario, Stop> {
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        return Ok(Scenario::shipped(name)?);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        Failure::new("lab-topology", ExitStatus::Usage, format!("cannot read {name}: {error}"))
            .next("echoline lab test --list")
    })?;
    Ok(Scenario::parse(&text, name)?)
}
