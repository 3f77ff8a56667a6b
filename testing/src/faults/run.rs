//! Row after row, engine after engine.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, disable_transparent_huge_pages, sched_setaffinity};

use super::bench::Bench;
use super::provoke::provoke;
use super::report::Report;
use super::row::{Kind, Row};
use super::victim::Subject;
use super::{Args, Engine, compare, inside, watchdog};
use crate::machine::Machine;
use crate::{programs, running};

pub(super) fn all(args: &Args, rows: &[&Row], scratch: &Path) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    if args.not_aside.is_none() {
        inside::settle(scratch)?;
    }
    // Attackers and canary; servers are started on the other core.
    let core = running::cores().load;
    let mut load = CpuSet::new();
    load.set(core);
    sched_setaffinity(None, &load).with_context(|| format!("cannot move to core {core}"))?;
    // A huge page counts whole in a server's memory as soon as one of its bytes is used. Inherited; where it cannot be
    // switched off, figures of memory are higher.
    let _ = disable_transparent_huge_pages(true);
    let under_way = watchdog::start(args);
    let bench = |subject| Bench {
        subject,
        echoline: programs::ours(),
        scratch: scratch.to_path_buf(),
        quick: args.quick || !args.against.is_empty(),
        compared: !args.against.is_empty(),
        not_aside: args.not_aside.clone(),
    };
    if !args.against.is_empty() {
        return compare::compare(args, rows, Machine::this(cores), bench, &under_way);
    }
    let mut lines = Vec::new();
    for row in rows {
        let engines = match (&row.kind, args.engine) {
            (Kind::Once(_) | Kind::Later(_), engine) => vec![engine.unwrap_or(Engine::Portable)],
            (_, Some(engine)) => vec![engine],
            (_, None) => vec![Engine::Portable, Engine::Uring],
        };
        for engine in engines {
            let bench = bench(Subject::Ours(engine));
            under_way.is(row, &bench);
            let line = provoke(row, &bench);
            eprintln!("{}", line.progress());
            lines.push(line);
        }
    }
    let report =
        Report { schema: "echoline-faults/1", machine: Machine::this(cores), quick: args.quick, rows: lines };
    if args.json {
        super::print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        super::print(&report.table())?;
    }
    // The table says which; the command that started us says that.
    std::process::exit(i32::from(!report.holds()))
}
