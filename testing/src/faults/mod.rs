//! `cargo xtask faults`: every row of the fault catalogue, provoked against the real server beside an honest
//! connection. docs/FAULTS.md says how to read what it prints.

mod accept;
mod aside;
mod attack;
mod bench;
mod bytes;
mod canary;
mod catalogue;
mod client;
mod clock;
mod compare;
mod ending;
mod evidence;
mod files;
mod here;
mod inside;
mod kernel;
mod link;
mod many;
mod memory_group;
mod others;
mod outside;
mod provoke;
mod report;
mod ring;
mod row;
mod run;
mod seen;
mod shortage;
mod slow;
mod system;
mod victim;
mod watchdog;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::running::raise_open_files;
use others::Against;
use row::Row;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows of the catalogue, by number [default: all]
    #[arg(value_name = "ROW")]
    rows: Vec<u8>,
    /// This engine alone [default: both]
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// The fast rows, with fewer and smaller attacks: what CI runs
    #[arg(long)]
    quick: bool,
    /// Compare: ours and this other server, with the smaller attacks of --quick; may be given again
    #[arg(long, value_enum, value_name = "SERVER", value_delimiter = ',', conflicts_with = "quick")]
    against: Vec<Against>,
    /// Install the Debian packages of the other servers (as root)
    #[arg(long, requires = "against")]
    install: bool,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Name the rows, and what is expected of each, without provoking any
    #[arg(long, conflicts_with_all = ["json", "engine"])]
    list: bool,
    /// Set by this command itself, once it has put itself aside: where it may write
    #[arg(long, hide = true, value_name = "DIRECTORY")]
    inside: Option<PathBuf>,
    /// Why it could not put itself aside
    #[arg(long, hide = true, value_name = "REASON", requires = "inside")]
    not_aside: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Portable,
    Uring,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Uring => "uring",
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let rows = chosen(args)?;
    if args.list {
        let lines = rows.iter().map(|row| format!("{:>2}  {}: {}\n", row.number, row.fault, row.expected));
        return print(&lines.collect::<String>());
    }
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores >= 2, "server and attackers need a core each, and this process may use {cores}");
    raise_open_files()?;
    match &args.inside {
        None => inside::enter(args, &rows),
        Some(scratch) => run::all(args, &rows, scratch),
    }
}

/// To standard output. Whoever stopped reading, as `| head -1` does, misses nothing that it wanted.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

fn chosen(args: &Args) -> Result<Vec<&'static Row>> {
    if let Some(unknown) = args.rows.iter().find(|number| catalogue::all().all(|row| row.number != **number))
    {
        bail!("the catalogue has no row {unknown}; `cargo xtask faults --list` names them");
    }
    let asked = |row: &&Row| args.rows.is_empty() || args.rows.contains(&row.number);
    // A row that is asked for by its number is provoked even if it takes long.
    let in_time = |row: &&Row| !args.quick || row.fast || !args.rows.is_empty();
    let mut rows: Vec<_> = catalogue::all().filter(asked).filter(in_time).collect();
    if !args.against.is_empty() {
        let ours_alone = rows.iter().find(|row| !args.rows.is_empty() && !compare::is_for_any(row));
        if let Some(row) = ours_alone {
            bail!(
                "row {} is no question to other servers; see docs/FAULTS.md, Beside other servers",
                row.number
            );
        }
        rows.retain(|row| compare::is_for_any(row));
    }
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}
