//! `cargo xtask peers`: our server and others under the same load, one at a time, on the same core.

mod load;
mod race;
mod report;
mod servers;
mod workload;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use xtask_tools::{debian, run};

use crate::machine::Machine;
use crate::programs;
use crate::running::raise_open_files;
use load::Bench;
use race::{Contender, Round, shuffle};
use report::{Report, Row, Section};
use servers::{Places, SERVERS};
use workload::Workload;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install the Debian packages of the other servers (as root)
    #[arg(long)]
    install: bool,
    /// Finish within a minute (after the build): ping, many and pipe, against tokio and the floor
    #[arg(long)]
    quick: bool,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// How often each server does each workload [default: 5, quick: 3]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// How long one run sends lines [default: 3, quick: 1]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// This workload alone; may be given again [default: all]
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    /// This server alone; may be given again [default: all]
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// Repeats the order of an earlier race
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores >= 2, "the server and the load need a core each, and this process may use {cores}");
    let packages: Vec<_> = SERVERS.iter().filter_map(|server| server.package.as_ref()).collect();
    if !args.quick {
        debian::provide(&packages, args.install)?;
    }
    let contenders = Contender::all(&args.server, args.quick);
    if contenders.is_empty() {
        let names = SERVERS.iter().map(|server| server.name).collect::<Vec<_>>().join(", ");
        bail!("no server of that name; there are floor, {names}");
    }
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let places = build(scratch.path())?;
    raise_open_files()?;

    let workloads = match (args.workload.as_slice(), args.quick) {
        ([], true) => Workload::QUICK,
        ([], false) => Workload::value_variants(),
        (chosen, _) => chosen,
    };
    let seconds = args.seconds.unwrap_or(if args.quick { 1.0 } else { 3.0 });
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 5 });
    // The standard library's own source of a number that differs each time.
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    eprintln!("{rounds} rounds of {seconds} s, seed {seed}; server on core 0, load on core 1");

    let raw = race(&contenders, workloads, rounds, Duration::from_secs_f64(seconds), seed, &places);
    let results = workloads.iter().map(|workload| section(*workload, &contenders, &raw)).collect();
    let machine = Machine::this(cores);
    let report =
        Report { schema: "echoline-peers/1", machine, seed, rounds, seconds_per_run: seconds, results, raw };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table());
    }
    Ok(())
}

fn race(
    contenders: &[Contender],
    workloads: &[Workload],
    rounds: usize,
    duration: Duration,
    seed: u64,
    places: &Places,
) -> Vec<Round> {
    let load = Bench { binary: places.ours.clone() };
    let mut seed = seed;
    let mut raw = Vec::new();
    for round in 1..=rounds {
        let mut plan: Vec<_> = workloads
            .iter()
            .flat_map(|workload| contenders.iter().map(move |contender| (*workload, contender)))
            .filter(|(workload, contender)| contender.unfit(*workload).is_none())
            .collect();
        shuffle(&mut plan, &mut seed);
        for (workload, contender) in plan {
            let result = contender.race(workload, duration, places, &load);
            let (figures, failed) = match result {
                Ok(figures) => (figures, None),
                Err(error) => (race::Figures::default(), Some(format!("{error:#}"))),
            };
            let name = workload.name();
            let state = failed.as_deref().unwrap_or("done");
            eprintln!("round {round} of {rounds}  {name:<8} {:<18} {state}", contender.name());
            raw.push(Round { round, workload: name, server: contender.name(), figures, failed });
        }
    }
    raw
}

fn section(workload: Workload, contenders: &[Contender], raw: &[Round]) -> Section {
    let name = workload.name();
    let rows = contenders.iter().map(|contender| {
        let of_this = |round: &&Round| round.workload == name && round.server == contender.name();
        let rounds: Vec<_> = raw.iter().filter(of_this).collect();
        Row::of(contender.name(), &rounds, contender.unfit(workload))
    });
    Section { rows: rows.collect(), sentence: workload.sentence(), workload: name }
}

/// Builds what races, all of it optimised.
fn build(scratch: &Path) -> Result<Places> {
    let sources = programs::peer_sources();
    let ours = programs::build_ours()?;
    let peers = programs::build_peers()?;
    if let Some(go) = debian::find("go") {
        let mut build = Command::new(go);
        build.arg("build").arg("-o").arg(peers.join("go-echo")).arg(sources.join("echo.go"));
        run::shown(&mut build)?;
    }
    Ok(Places { ours, peers, sources, scratch: scratch.to_path_buf() })
}
