//! One row on one engine, and its outcome.

use std::time::Instant;

use anyhow::Result;

use super::bench::Bench;
use super::report::{Line, Outcome};
use super::row::{Bound, Kind, Row};
use super::seen::{NotShown, Seen};
use super::victim::Subject;
use super::{Engine, here};

/// How often a row is provoked whose only fault is the canary's p99: a busy machine disturbs it, too.
const TRIES: u32 = 3;

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
        let result = can_run(&row.kind, bench.subject).and_then(|()| attack(bench));
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

/// An error if the engine under attack cannot run on this machine, whatever state it is in.
fn can_run(kind: &Kind, subject: Subject) -> Result<()> {
    match (kind, subject) {
        (Kind::Server(_) | Kind::AnyServer(_), Subject::Ours(Engine::Uring)) => here::uring(),
        _ => Ok(()),
    }
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
    use super::super::seen::not_shown;
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
