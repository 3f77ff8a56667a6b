//! `lab list` and `lab show`: what there is, without building anything.

use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use echoline_lab::{SHIPPED, Topology};

use super::args::Show;
use crate::failure::Stop;
use crate::output::Output;

pub(super) fn list() -> Result<ExitStatus, Stop> {
    let mut text = String::new();
    for shipped in SHIPPED {
        let topology = Topology::shipped(shipped.name)?;
        text.push_str(&format!("{:<12}{}\n", topology.name, topology.about));
    }
    Output::new()?.text(text)?;
    Ok(ExitStatus::Success)
}

pub(super) fn show(args: &Show) -> Result<ExitStatus, Stop> {
    let topology = super::topology(&args.topology)?;
    if let Some(file) = &args.svg {
        std::fs::write(file, topology.svg()).map_err(|error| {
            Diagnosis::new(code::OUTPUT, format!("cannot write {}", file.display())).caused_by(error)
        })?;
        return Ok(ExitStatus::Success);
    }
    let shipped = SHIPPED.iter().find(|shipped| args.toml && shipped.name == args.topology);
    Output::new()?.text(shipped.map_or_else(|| topology.drawing(), |shipped| shipped.text.to_owned()))?;
    Ok(ExitStatus::Success)
}
