//! Row after row, engine after engine.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, disable_transparent_huge_pages, sched_setaffinity};

use super::bench::Bench;
use super::report::{Line, Outcome, Report};
use super::row::{Bound, Kind, NotShown, Row, Seen};
use super::victim::Subject;
use super::{Args, Engine, inside, others, watchdog};
use crate::machine::Machine;
use crate::{run, running};

/// How often a row is provoked whose only fault is the canary's p99: a busy machine disturbs it, too.
const TRIES: u32 = 3;

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
        echoline: run::ours(),
        scratch: scratch.to_path_buf(),
        quick: args.quick || !args.against.is_empty(),
        compared: !args.against.is_empty(),
        not_aside: args.not_aside.clone(),
    };
    if !args.against.is_empty() {
        return others::compare(args, rows, Machine::this(cores), bench, &under_way);
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

/// One row on one engine.
pub(super) fn provoke(row: &Row, bench: &Bench) -> Line {
    let start = Instant::now();
    let attack = match &row.kind {
        Kind::Server(attack) | Kind::AnyServer(attack) | Kind::Once(attack) => attack,
        Kind::Later(feature) => return Line::new(row, bench, Outcome::Later, format!("waits for {feature}")),
    };
    let mut tries = 0;
    let (outcome, seen) = loop {
        tries += 1;
        let result = bench.can_run(&row.kind).and_then(|()| attack(bench));
        let (outcome, seen, again) = judge(row, result, bench.quick);
        if !again || tries == TRIES {
            break (outcome, seen);
        }
    };
    let mut line = Line::new(row, bench, outcome, seen.text);
    line.broken = seen.broken;
    line.figures = seen.figures;
    line.canary = seen.canary;
    line.tests = seen.tests;
    line.tries = tries;
    line.seconds = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    line
}

/// The outcome, and whether only the canary's p99 stands between it and a pass. A quick run is a gate, and a gate does not
/// judge by the clock: there the p99 is reported and has no bound.
fn judge(row: &Row, result: Result<Seen>, quick: bool) -> (Outcome, Seen, bool) {
    let mut seen = match result {
        Ok(seen) => seen,
        Err(error) if error.is::<NotShown>() => {
            return (Outcome::NotShown, Seen::new(format!("{error:#}")), false);
        }
        Err(error) => {
            let text = format!("{error:#}");
            return (Outcome::Fail, Seen::new(text.clone()).must(false, text), false);
        }
    };
    let mut is_late = false;
    match (row.canary, &seen.canary) {
        (Bound::None, _) => {}
        (_, None) => seen.broken.push("there was no canary".to_owned()),
        (bound, Some(watched)) => {
            if let Some(why) = &watched.broken {
                seen.broken.push(format!("the canary loses nothing ({why})"));
            }
            is_late = !quick && matches!(bound, Bound::Times(most) if watched.ratio > most);
        }
    }
    let again = is_late && seen.broken.is_empty();
    if let (true, Bound::Times(most)) = (is_late, row.canary) {
        seen.broken.push(format!("the canary's p99 stays within {most} times its quiet one"));
    }
    let outcome = if seen.broken.is_empty() { Outcome::Pass } else { Outcome::Fail };
    (outcome, seen, again)
}

#[cfg(test)]
mod tests {
    use super::super::canary::Watched;
    use super::super::row::not_shown;
    use super::*;

    const ROW: Row = Row {
        number: 1,
        fault: "a fault",
        expected: "that it is survived",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Later("nothing"),
    };

    fn watched(ratio: f64, broken: Option<String>) -> Watched {
        Watched { lines: 1, quiet_p99_us: 10, p99_us: 10, longest_us: 10, ratio, broken }
    }

    fn outcome(row: &Row, ratio: f64, broken: Option<&str>) -> (Outcome, bool) {
        let mut seen = Seen::new("seen");
        seen.canary = Some(watched(ratio, broken.map(str::to_owned)));
        let (outcome, _, again) = judge(row, Ok(seen), false);
        (outcome, again)
    }

    #[test]
    fn a_canary_that_waits_too_long_fails_the_row_unless_the_row_impairs_it() {
        assert_eq!(outcome(&ROW, 10.0, None), (Outcome::Pass, false));
        assert_eq!(outcome(&ROW, 10.1, None), (Outcome::Fail, true));
        let exempt = Row { canary: Bound::BytesOnly("stopped"), ..ROW };
        assert_eq!(outcome(&exempt, 100.0, None), (Outcome::Pass, false));
        assert_eq!(outcome(&exempt, 1.0, Some("lost")), (Outcome::Fail, false));
    }

    #[test]
    fn a_quick_run_judges_by_bytes_and_not_by_the_clock() {
        let mut seen = Seen::new("seen");
        seen.canary = Some(watched(100.0, None));
        assert_eq!(judge(&ROW, Ok(seen), true).0, Outcome::Pass);
        let mut seen = Seen::new("seen");
        seen.canary = Some(watched(1.0, Some("lost".to_owned())));
        assert_eq!(judge(&ROW, Ok(seen), true).0, Outcome::Fail);
    }

    #[test]
    fn what_cannot_be_shown_has_not_passed() {
        assert_eq!(judge(&ROW, Err(not_shown("no strace")), true).0, Outcome::NotShown);
        assert_eq!(judge(&ROW, Err(anyhow::anyhow!("it broke")), true).0, Outcome::Fail);
        assert_eq!(judge(&ROW, Ok(Seen::new("no canary")), true).0, Outcome::Fail);
    }
}
