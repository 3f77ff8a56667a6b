//! What this machine has that a row needs, each looked for once. What is missing makes the row *not shown*, with the
//! reason: that is no fault of the server.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use io_uring::IoUring;
use rustix::process::{Resource, getrlimit};
use xtask_tools::debian;

use super::seen::not_shown;
use crate::running;

/// Said of what was looked for: nothing, or why it is missing.
type Found<T = ()> = OnceLock<Result<T, String>>;

fn once<T: Clone>(found: &Found<T>, look: impl FnOnce() -> Result<T>) -> Result<T> {
    found.get_or_init(|| look().map_err(|error| format!("{error:#}"))).clone().map_err(not_shown)
}

/// A ring as the engine sets one up. The engine is not asked: one that breaks must not count as one that is denied.
pub(super) fn uring() -> Result<()> {
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let ring: std::io::Result<IoUring> =
            IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(4);
        ring.map(drop).map_err(|error| {
            let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            let by = match disabled.trim() {
                "" | "0" => String::new(),
                value => format!(" (kernel.io_uring_disabled is {value})"),
            };
            anyhow::anyhow!("no io_uring with DEFER_TASKRUN (Linux 6.1 and later) here: {error}{by}")
        })
    })
}

/// Where strace is, and that it may trace here and make calls fail as rows want it.
pub(super) fn strace() -> Result<String> {
    static FOUND: Found<String> = OnceLock::new();
    once(&FOUND, || {
        let strace = installed("strace", "strace")?;
        let words =
            "-f -qq --seccomp-bpf -o /dev/null -e trace=accept4 -e inject=accept4:error=EINTR:when=4..8";
        works(Command::new(&strace).args(words.split(' ')).arg("true"), "no tracing of processes here")?;
        Ok(strace)
    })
}

/// Rules of nftables as rows and labs use them, the translation of addresses included. Only in a network of our own.
pub(super) fn nftables() -> Result<()> {
    const RULES: &str = "add table inet probe; \
        add chain inet probe inward { type filter hook input priority 0; policy accept; }; \
        add chain inet probe outside { type nat hook postrouting priority 100; }; \
        add rule inet probe outside oifname \"none\" meta nfproto ipv4 masquerade; \
        delete table inet probe";
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let nft = installed("nft", "nftables")?;
        works(Command::new(nft).arg(RULES), "this kernel has not all of nf_tables")
    })
}

/// A cable between two networks. Only in a network of our own.
pub(super) fn cables() -> Result<()> {
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let ip = installed("ip", "iproute2")?;
        let add = ["link", "add", "probe", "type", "veth", "peer", "name", "eborp"];
        works(Command::new(&ip).args(add), "this kernel has no veth")?;
        works(Command::new(&ip).args(["link", "del", "probe"]), "a veth does not go away")
    })
}

/// A terminal for a program that is none.
pub(super) fn script() -> Result<()> {
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let script = installed("script", "bsdutils")?;
        let words = ["--quiet", "--return", "--echo", "never", "--command", "true", "/dev/null"];
        works(Command::new(script).args(words), "`script` has no terminal here")
    })
}

/// Signals at their defaults, whatever we ignore (coreutils 8.31 and later).
pub(super) fn default_signals() -> Result<()> {
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let mut env = Command::new("env");
        works(env.args(["--default-signal=PIPE", "true"]), "no `env --default-signal` here (GNU coreutils)")
    })
}

/// The words that start a command under a clock that began so many seconds earlier.
pub(super) const OLD_CLOCK: [&str; 7] =
    ["unshare", "--time", "--monotonic=1000000000", "--boottime=1000000000", "--fork", "--kill-child", "--"];

pub(super) fn time_namespaces() -> Result<()> {
    static FOUND: Found = OnceLock::new();
    once(&FOUND, || {
        let mut command = Command::new(OLD_CLOCK[0]);
        works(command.args(&OLD_CLOCK[1..]).arg("true"), "no time namespaces here")
    })
}

/// So many connections of one process, and what else it has open.
pub(super) fn connections(count: usize) -> Result<()> {
    const BESIDE: usize = 100;
    let most = getrlimit(Resource::Nofile).maximum.and_then(|most| usize::try_from(most).ok());
    let needed = count + BESIDE;
    match most {
        Some(most) if most < needed => Err(not_shown(format!(
            "a process may have {most} open files here (hard limit), and {needed} are needed"
        ))),
        _ => Ok(()),
    }
}

/// Whether the kernel moves memory elsewhere when it runs short of it.
pub(super) fn swaps() -> bool {
    // A line for each place, below a heading.
    fs::read_to_string("/proc/swaps").is_ok_and(|places| places.lines().count() > 1)
}

fn installed(program: &str, package: &str) -> Result<String> {
    let path = debian::find(program);
    let path = path.with_context(|| format!("{program} is not installed (Debian package {package})"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Runs it and fails unless it succeeds, with the first thing that it said.
fn works(command: &mut Command, otherwise: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| otherwise.to_owned())?;
    ensure!(output.status.success(), "{otherwise}: {}", running::first_line(&output.stderr));
    Ok(())
}

/// Settings of TCP that a new network takes over from the machine, at the values that Linux is made with. What an older
/// kernel keeps for the whole machine cannot be set here, and stays.
pub(super) fn plain_tcp() {
    for (name, value) in [
        ("ipv4/tcp_rmem", "4096 131072 6291456"),
        ("ipv4/tcp_wmem", "4096 16384 4194304"),
        // Always there.
        ("ipv4/tcp_congestion_control", "reno"),
        ("ipv4/tcp_congestion_control", "cubic"),
        ("ipv4/tcp_syncookies", "1"),
        ("ipv4/ip_forward", "0"),
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        ("ipv6/conf/lo/disable_ipv6", "0"),
        // Attackers leave by the ten thousand. Where all of them linger, the kernel takes milliseconds to find a free
        // port.
        ("ipv4/tcp_max_tw_buckets", "2000"),
    ] {
        let _ = fs::write(format!("/proc/sys/net/{name}"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::seen::NotShown;

    #[test]
    fn what_is_missing_is_not_shown_and_looked_for_once() {
        let found: Found = OnceLock::new();
        for _ in 0..2 {
            let error = once(&found, || works(&mut Command::new("false"), "none here")).expect_err("false");
            assert!(error.is::<NotShown>());
            assert_eq!(error.to_string(), "none here: it said nothing");
        }
        assert!(once(&found, || -> Result<()> { panic!("looked for again") }).is_err());
    }

    #[test]
    fn more_connections_than_the_hard_limit_are_not_shown() {
        assert!(connections(1).is_ok());
        let limit = getrlimit(Resource::Nofile).maximum;
        assert_eq!(connections(usize::MAX / 2).is_err(), limit.is_some());
    }
}
