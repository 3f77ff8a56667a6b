//! The same attacks on other servers, ours beside them.
//!
//! docs/FAULTS.md says what makes the comparison fair.

mod score;

use std::time::{Duration, Instant};

use anyhow::Result;
use xtask_tools::debian;

use super::bench::Bench;
use super::others::{Against, OTHERS, Other};
use super::provoke::provoke;
use super::row::{Kind, Row};
use super::victim::Subject;
use super::watchdog::UnderWay;
use super::{Args, Engine};
use crate::machine::Machine;
use crate::programs;
use score::Score;

/// After so long no further row is begun: the whole takes a quarter of an hour on two cores that are ours alone.
const MOST: Duration = Duration::from_secs(30 * 60);

fn chosen(args: &Args) -> impl Iterator<Item = &'static Other> {
    let all = args.against.contains(&Against::All);
    OTHERS.iter().filter(move |other| all || args.against.contains(&other.which))
}

/// Rows that mean something against any server.
pub(super) fn is_for_any(row: &Row) -> bool {
    matches!(row.kind, Kind::AnyServer(_))
}

/// Installs what is missing if that is asked for, and builds the echoes on tokio.
pub(super) fn prepare(args: &Args) -> Result<()> {
    let packages: Vec<_> = chosen(args).flat_map(|other| other.packages).collect();
    debian::provide(&packages, args.install)?;
    if chosen(args).any(|other| !other.relays) {
        programs::build_peers()?;
    }
    Ok(())
}

/// Every row against every server, ours first.
pub(super) fn compare(
    args: &Args,
    rows: &[&Row],
    machine: Machine,
    bench: impl Fn(Subject) -> Bench,
    under_way: &UnderWay,
) -> Result<()> {
    let start = Instant::now();
    let engines = args.engine.map_or(vec![Engine::Portable, Engine::Uring], |engine| vec![engine]);
    let others: Vec<_> = chosen(args).collect();
    let subjects: Vec<_> = engines
        .into_iter()
        .map(Subject::Ours)
        .chain(others.iter().map(|other| Subject::Other(other)))
        .collect();
    let mut score = Score::new(machine);
    for other in &others {
        score.add_server(other.name, other.version());
    }
    for row in rows {
        for subject in &subjects {
            let bench = bench(*subject);
            under_way.is(row, &bench);
            let (unfit, absent) = match subject {
                Subject::Ours(_) => (None, None),
                Subject::Other(other) => ((other.unfit)(row.number), other.absent()),
            };
            let late = (start.elapsed() > MOST).then(|| "the time for the comparison was over".to_owned());
            let cell = match (unfit, absent.or(late)) {
                (Some(why), _) => score::unfit(row, &bench, why),
                (None, Some(why)) => score::not_shown(row, &bench, why),
                (None, None) => score::of(&bench, provoke(row, &bench)),
            };
            eprintln!("{}", cell.progress());
            score.add(cell);
        }
    }
    score.print(args.json)
}
