//! Rounds of every server under every workload, in an order that nobody chose.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use xtask_tools::run;

use super::load::Load;
use super::servers::{FLOOR, Places, SERVERS, Server};
use super::workload::{Shape, Workload};
use crate::running::{Running, cores, cost, free_port, pinned};

/// What one round gave. A figure that a contender cannot have is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_line: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lines_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes_per_connection: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_bytes_per_connection: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// One contender under one workload once.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) round: usize,
    pub(crate) workload: String,
    pub(crate) server: &'static str,
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

pub(crate) enum Contender {
    Floor,
    Server(&'static Server),
}

impl Contender {
    pub(crate) fn all(names: &[String], quick: bool) -> Vec<Self> {
        let wanted = |name: &str| match (names.is_empty(), quick) {
            (false, _) => names.iter().any(|wanted| wanted == name),
            (true, true) => name == FLOOR || name.starts_with("echoline-") || name.starts_with("tokio-"),
            (true, false) => true,
        };
        let servers = SERVERS.iter().map(Self::Server);
        std::iter::once(Self::Floor).chain(servers).filter(|contender| wanted(contender.name())).collect()
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Floor => FLOOR,
            Self::Server(server) => server.name,
        }
    }

    /// Why this contender is not asked to do `workload` at all.
    pub(crate) fn unfit(&self, workload: Workload) -> Option<String> {
        match self {
            Self::Floor if !matches!(workload, Workload::Ping | Workload::Many | Workload::Pipe) => {
                Some("it is one recv and one send, and this workload is more".to_owned())
            }
            Self::Floor => None,
            Self::Server(server) => server.absent().or_else(|| server.unfit(workload).map(str::to_owned)),
        }
    }

    /// One round of `workload` for `duration`.
    pub(crate) fn race(
        &self,
        workload: Workload,
        duration: Duration,
        places: &Places,
        load: &dyn Load,
    ) -> Result<Figures> {
        match (self, workload.shape()) {
            (Self::Floor, Some(shape)) => floor(shape, duration, places),
            (Self::Floor, None) => Ok(Figures::default()),
            (Self::Server(server), Some(shape)) => under_load(&start(server, places)?, shape, duration, load),
            (Self::Server(server), None) => silent(&mut start(server, places)?, server.silent),
        }
    }
}

fn start(server: &Server, places: &Places) -> Result<Running> {
    let port = free_port()?;
    Running::start(server.name, &(server.command)(places, port)?, port, &places.scratch)
}

fn under_load(server: &Running, shape: Shape, duration: Duration, load: &dyn Load) -> Result<Figures> {
    let before = server.processor_time()?;
    let seen = load.apply(shape, server.address, duration)?;
    let spent = server.processor_time()?.saturating_sub(before);
    Ok(Figures {
        cpu_us_per_line: Some(spent.as_secs_f64() * 1e6 / seen.lines as f64),
        lines_per_s: Some(seen.lines_per_s),
        p99_us: Some(seen.p99_us),
        warnings: seen.warnings,
        ..Figures::default()
    })
}

fn floor(shape: Shape, duration: Duration, places: &Places) -> Result<Figures> {
    #[derive(Deserialize)]
    struct Floor {
        lines: u64,
        cpu_us: u64,
    }
    let mut program = Command::new(places.peers.join("floor"));
    program.args([shape.connections, shape.size, shape.depth].map(|number| number.to_string()));
    program.arg(duration.as_millis().to_string());
    let json = run::captured(pinned(&program, &[cores().server]).stdin(Stdio::null()))?;
    let floor: Floor = serde_json::from_str(&json).context("the floor printed no figures")?;
    Ok(Figures { cpu_us_per_line: Some(floor.cpu_us as f64 / floor.lines as f64), ..Figures::default() })
}

/// Memory a connection: `count` of them are opened and say nothing.
fn silent(server: &mut Running, count: usize) -> Result<Figures> {
    // It listens before it has all that it needs, whoever connects.
    let own_before = settled(|| server.memory())?;
    let kernel_before = cost::kernel_memory()?;
    let connections = open(server.address, count)?;
    let own = settled(|| server.memory())?;
    let kernel = cost::kernel_memory()?;
    server.still_runs()?;
    let each = |after: u64, before: u64| Some(after.saturating_sub(before) as f64 / connections.len() as f64);
    Ok(Figures {
        memory_bytes_per_connection: each(own, own_before),
        kernel_bytes_per_connection: each(kernel, kernel_before),
        ..Figures::default()
    })
}

fn open(to: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    debug_assert_eq!(to.ip(), Ipv4Addr::LOCALHOST);
    (0..count)
        .map(|opened| {
            let timeout = Duration::from_secs(10);
            TcpStream::connect_timeout(&to, timeout)
                .with_context(|| format!("after {opened} silent connections"))
        })
        .collect()
}

/// The value of `read` once it stands still for 300 ms, or after 10 s.
fn settled(read: impl Fn() -> Result<u64>) -> Result<u64> {
    let (mut last, mut still) = (read()?, 0);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        let now = read()?;
        still = if now.abs_diff(last) < 64 * 1024 { still + 1 } else { 0 };
        last = now;
        if still == 3 {
            break;
        }
    }
    Ok(last)
}

/// Puts `items` in an order that `seed` decides (Fisher and Yates, with the generator splitmix64).
pub(crate) fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for last in (1..items.len()).rev() {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = bits ^ (bits >> 31);
        items.swap(last, (bits % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_order_and_loses_nobody() {
        let order = |mut seed: u64| {
            let mut items: Vec<u32> = (0..50).collect();
            shuffle(&mut items, &mut seed);
            items
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_quick_race_is_ours_against_tokio_and_the_floor() {
        let names: Vec<_> = Contender::all(&[], true).iter().map(Contender::name).collect();
        assert_eq!(names, ["floor", "echoline-uring", "echoline-portable", "tokio-bytes", "tokio-lines"]);
    }
}
