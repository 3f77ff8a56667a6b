//! What a process and all that it started cost, from /proc (see proc(5)).

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// The fields of /proc/PID/stat that we use.
#[derive(Debug, PartialEq)]
struct Stat {
    pid: u32,
    parent: u32,
    group: u32,
    /// User and system time of the process itself, in clock ticks.
    own_ticks: u64,
    /// The same of children that have ended and were waited for.
    reaped_ticks: u64,
}

/// User and system time of process group `leader` and of all descendants, those already reaped included.
///
/// Living threads are counted in nanoseconds (schedstat), reaped children in clock ticks (10 ms, rounded once a
/// process that reaps).
pub(crate) fn processor_time(leader: u32) -> Result<Duration> {
    let tick = Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second())?;
    let mut total = Duration::ZERO;
    for process in family(leader)? {
        let ticks = u32::try_from(process.reaped_ticks)?;
        total += tick * ticks;
        total += match scheduled(process.pid) {
            Some(time) => time,
            None => tick * u32::try_from(process.own_ticks)?,
        };
    }
    Ok(total)
}

/// Proportional set size (each shared page divided by its users) of the family, in bytes.
pub(crate) fn memory(leader: u32) -> Result<u64> {
    let mut total = 0;
    for process in family(leader)? {
        // A process that has just ended has no memory.
        let rollup =
            std::fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).unwrap_or_default();
        total += kilobytes(&rollup, "Pss:") * 1024;
    }
    Ok(total)
}

/// Resident memory of one process, in bytes: page by page, as its counters (`VmRSS`) are off by up to hundreds of KiB
/// in older kernels, which add up what each processor counted now and then.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let rollup = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    Ok(kilobytes(&rollup, "Rss:") * 1024)
}

/// Processes that `pid` started, those that have ended and were not waited for included, oldest number first.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let all = processes().unwrap_or_default();
    let mut children: Vec<_> =
        all.iter().filter(|process| process.parent == pid).map(|child| child.pid).collect();
    children.sort_unstable();
    children
}

/// What the kernel holds for everybody: slab, stacks, page tables and socket buffers, in bytes.
pub(crate) fn kernel_memory() -> Result<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let slab: u64 = ["Slab:", "KernelStack:", "PageTables:"].map(|key| kilobytes(&meminfo, key)).iter().sum();
    let sockstat = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let pages = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:")?.split(" mem ").nth(1)?.trim().parse().ok());
    let buffers = pages.unwrap_or(0u64) * rustix::param::page_size() as u64;
    Ok(slab * 1024 + buffers)
}

/// `leader`, its process group, and every descendant of those.
fn family(leader: u32) -> Result<Vec<Stat>> {
    Ok(select(leader, processes()?))
}

fn processes() -> Result<Vec<Stat>> {
    let entries = std::fs::read_dir("/proc").context("cannot read /proc")?;
    let all = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let pid: u32 = name.to_str()?.parse().ok()?;
        parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    });
    Ok(all.collect())
}

fn select(leader: u32, mut all: Vec<Stat>) -> Vec<Stat> {
    let mut members: HashSet<u32> =
        all.iter().filter(|process| process.group == leader).map(|process| process.pid).collect();
    members.insert(leader);
    loop {
        let before = members.len();
        let children =
            all.iter().filter(|process| members.contains(&process.parent)).map(|process| process.pid);
        let children: Vec<u32> = children.collect();
        members.extend(children);
        if members.len() == before {
            break;
        }
    }
    all.retain(|process| members.contains(&process.pid));
    all
}

fn parse(stat: &str) -> Option<Stat> {
    // The name stands in parentheses and may hold any byte: the fields begin after the last one.
    let (head, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid: head.split_once(' ')?.0.parse().ok()?,
        parent: u32::try_from(number(4)?).ok()?,
        group: u32::try_from(number(5)?).ok()?,
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
    })
}

/// The time on a processor of every living thread of `pid`, where the kernel counts it.
fn scheduled(pid: u32) -> Option<Duration> {
    let mut total = 0;
    for task in Path::new(&format!("/proc/{pid}/task")).read_dir().ok()? {
        let line = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        total += line.split(' ').next()?.parse::<u64>().ok()?;
    }
    (total > 0).then(|| Duration::from_nanos(total))
}

fn kilobytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, group: u32) -> Stat {
        Stat { pid, parent, group, own_ticks: 0, reaped_ticks: 0 }
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let line = "42 (a ) b) S 7 40 1 0 -1 4194304 119 0 0 0 11 22 33 44 20 0 1 0 100 0 0";
        assert_eq!(
            parse(line),
            Some(Stat { pid: 42, parent: 7, group: 40, own_ticks: 33, reaped_ticks: 77 })
        );
    }

    #[test]
    fn the_family_holds_orphans_of_the_group_and_grandchildren_elsewhere() {
        let all = vec![
            process(10, 1, 10),
            process(11, 1, 10),  // its parent has ended; the group is still ours
            process(12, 11, 12), // in a group of its own
            process(13, 12, 13),
            process(99, 1, 99),
        ];
        let pids: Vec<_> = select(10, all).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [10, 11, 12, 13]);
    }

    #[test]
    fn work_done_here_is_counted_here() {
        let before = processor_time(std::process::id()).expect("our own time");
        let mut sum = 0u64;
        while processor_time(std::process::id()).expect("our own time") < before + Duration::from_millis(30) {
            sum = (0..1_000_000u64).fold(sum, u64::wrapping_add);
        }
        assert!(std::hint::black_box(sum) > 0);
    }
}
