//! Rows 17, 18, 26 and 46: bad links, a flood of handshakes, hostile names.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Protocol, Socket, Type};
use xtask_tools::run;

use super::aside::{Aside, Network};
use super::attack::{PATIENCE, Pattern, connect, exchange, pour, wait_until};
use super::bench::Bench;
use super::canary::Canary;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Setup, descendant};
use super::{here, kernel};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 17,
        fault: "loss, reorder, duplication, delay",
        expected: "identical bytes",
        fast: true,
        tested: false,
        canary: Bound::BytesOnly("its own link is impaired"),
        kind: Kind::Server(bad_link),
    },
    Row {
        number: 18,
        fault: "tiny MTU",
        expected: "identical bytes",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Server(tiny_mtu),
    },
    Row {
        number: 26,
        fault: "SYN flood",
        expected: "established connections unaffected",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Server(syn_flood),
    },
    Row {
        number: 46,
        fault: "DNS slow, 1,000 records, first address dead, rebinding",
        expected: "resolved once, pinned, the address shown, one total deadline",
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Once(names),
    },
];

const TOPOLOGY: &str = r#"
name = "faults"
about = "A client and a server at the two ends of a bad line."
[host.client]
addresses = ["192.0.2.1/24"]
[host.server]
addresses = ["192.0.2.2/24"]
[link.wire]
between = ["client", "server"]
both = "delay=10ms jitter=2ms loss=5% duplicate=1% reorder=10%"
seed = 17
"#;

/// A lab that runs until this is dropped.
struct Lab {
    children: Vec<Child>,
    echoline: PathBuf,
}

impl Lab {
    fn up(bench: &Bench, topology: &str) -> Result<Self> {
        bench.must_be_aside()?;
        here::nftables()?;
        here::cables()?;
        let file = bench.scratch.join("faults.toml");
        std::fs::write(&file, topology).with_context(|| format!("cannot write {}", file.display()))?;
        let mut lab = Self { children: Vec::new(), echoline: bench.echoline.clone() };
        let out = bench.scratch.join("lab.out");
        let mut command = Command::new(&lab.echoline);
        command.args(["lab", "up", "--quiet"]).arg(file).stdin(Stdio::null());
        command.stdout(std::fs::File::create(&out)?);
        lab.children.push(command.spawn().context("cannot start `echoline lab`")?);
        // It prints its name once everything runs.
        let runs = wait_until(PATIENCE, || Ok(!std::fs::read_to_string(&out)?.is_empty()))?;
        ensure!(runs, "`echoline lab up` did not get ready");
        Ok(lab)
    }

    /// The network of one host, held by a command that does nothing there.
    fn host(&mut self, name: &str) -> Result<Network> {
        let mut command = Command::new(&self.echoline);
        command.args(["lab", "enter", name, "--", "sleep", "3600"]).stdin(Stdio::null());
        self.children.push(command.spawn().context("cannot start `echoline lab enter`")?);
        let pid = self.children.last().map(Child::id).context("no child")?;
        let mut found = None;
        wait_until(PATIENCE, || {
            found = sleeper(descendant(pid));
            Ok(found.is_some())
        })?;
        found.map(Network::of).with_context(|| format!("nothing runs on {name}"))
    }
}

fn sleeper(pid: u32) -> Option<u32> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "sleep").then_some(pid)
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // Its `up` takes everything down before it ends.
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
            let ended = wait_until(Duration::from_secs(3), || Ok(child.try_wait()?.is_some()));
            if !matches!(ended, Ok(true)) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn bad_link(bench: &Bench) -> Result<Seen> {
    let length: u64 = bench.size(2 << 20, 16 << 20);
    let mut lab = Lab::up(bench, TOPOLOGY)?;
    let (client, server) = (lab.host("client")?, lab.host("server")?);
    let there = server.words();
    let through: Vec<&str> = there.iter().map(String::as_str).collect();
    let victim = bench.serve(Setup { listen: "192.0.2.2:0", through: &through, ..Setup::default() })?;
    let to = victim.address;
    let quiet = bench.size(Duration::from_millis(400), Duration::from_secs(2));
    let canary = client.on(move || Canary::start(to, quiet))?;
    let start = Instant::now();
    client.on(move || pour(&connect(to)?, Pattern { seed: 17, lines: true }, length))?;
    let took = start.elapsed().as_secs_f64();
    let watched = canary.end()?;
    let end = victim.end()?;
    let mut seen = Seen::new(format!(
        "{} MiB identical in {took:.1} s over 5% loss, 10% reordering, 1% duplication, 10 ms",
        length >> 20
    ))
    .must(end.status.is_some_and(|status| status.code().is_some()), "the server ends in order");
    seen.canary = Some(watched);
    Ok(seen)
}

fn tiny_mtu(bench: &Bench) -> Result<Seen> {
    // 576: what every host must take (RFC 791).
    let length: u64 = bench.size(4 << 20, 64 << 20);
    let aside = Aside::with_mtu(bench, 576)?;
    bench.attack_on(Setup { listen: "0.0.0.0:0", ..Setup::default() }, |victim| {
        let to = SocketAddr::new(Aside::OURS.into(), victim.address.port());
        let times = bench.repeat(|| {
            aside.network.on(move || pour(&connect(to)?, Pattern { seed: 18, lines: true }, length))
        })?;
        Ok(Seen::new(format!("{times} times {} MiB identical over an MTU of 576", length >> 20)))
    })
}

fn syn_flood(bench: &Bench) -> Result<Seen> {
    let time = bench.size(Duration::from_secs(2), Duration::from_secs(10));
    let aside = Aside::new(bench)?;
    // Behind one neighbour: one for each forged address would fill the kernel's table of them, which is the machine's.
    let via = Aside::THEIRS.to_string();
    run::captured(Command::new("ip").args(["route", "add", FORGED, "via", &via, "dev", "cable"]))?;
    bench.attack_on(Setup { listen: "0.0.0.0:0", ..Setup::default() }, |victim| {
        let to = SocketAddrV4::new(Aside::OURS, victim.address.port());
        // The kernel counts each one for which its queue was full, whether it answers with a cookie or not at all.
        let overflows = || -> Result<u64> {
            Ok(kernel::counter("TCPReqQFullDoCookies")? + kernel::counter("TCPReqQFullDrop")?)
        };
        let (cookies, overflowed) = (kernel::counter("SyncookiesSent")?, overflows()?);
        let established = connect(victim.address.to_string().replace("0.0.0.0", "127.0.0.1").parse()?)?;
        let sent = aside.network.on(move || flood(to, time))?;
        exchange(&established, b"established before\n")?;
        let cookies = kernel::counter("SyncookiesSent")? - cookies;
        let overflowed = overflows()? - overflowed;
        exchange(&connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()))?, b"somebody new\n")?;
        let rate = sent as f64 / time.as_secs_f64();
        Ok(Seen::new(format!("{sent} SYNs from forged sources, {rate:.0}/s; the queue was full for {overflowed}, and the kernel answered {cookies} with cookies; established and new connections served"))
            .figure("syns_per_s", rate)
            .must(sent > 1000, "there was a flood")
            // What has a wrong sum or no route is sent, too.
            .must(overflowed > 1000, "the flood reached the listener and filled its queue"))
    })
}

/// Where forged SYNs come from: a network for tests of this kind (RFC 2544).
const FORGED: &str = "198.18.0.0/16";

/// Handshakes that nobody finishes, from addresses that nobody has. How many were sent.
fn flood(to: SocketAddrV4, time: Duration) -> Result<u64> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP)).context("no raw socket")?;
    socket.set_header_included_v4(true)?;
    let until = Instant::now() + time;
    let mut sent = 0_u64;
    while Instant::now() < until {
        for _ in 0..64 {
            let [.., high, low] = (sent as u32).to_be_bytes();
            let from =
                SocketAddrV4::new(Ipv4Addr::new(198, 18, high, low.max(1)), 1024 + (sent % 60_000) as u16);
            // A queue that is full for a moment drops some: there are more.
            if socket.send_to(&syn(from, to), &to.into()).is_ok() {
                sent += 1;
            }
        }
    }
    Ok(sent)
}

/// An IPv4 packet with a TCP segment that asks for a connection (RFC 791, RFC 9293).
fn syn(from: SocketAddrV4, to: SocketAddrV4) -> [u8; 40] {
    let mut packet = [0; 40];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&40_u16.to_be_bytes());
    (packet[8], packet[9]) = (64, 6);
    packet[12..16].copy_from_slice(&from.ip().octets());
    packet[16..20].copy_from_slice(&to.ip().octets());
    packet[20..22].copy_from_slice(&from.port().to_be_bytes());
    packet[22..24].copy_from_slice(&to.port().to_be_bytes());
    packet[24..28].copy_from_slice(&(u32::from(from.port()) << 12).to_be_bytes());
    (packet[32], packet[33]) = (5 << 4, 0x02);
    packet[34..36].copy_from_slice(&64_240_u16.to_be_bytes());
    // The kernel fills the header's own sum in; the segment's covers the addresses, the protocol and the length.
    let mut sum = 6 + 20;
    for pair in packet[12..40].chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[36..38].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet
}

/// One run of the client in the lab of the topology `home`, after changes to its names.
fn client(bench: &Bench, changes: &[&str], flags: &[&str]) -> Result<(Option<i32>, String, Duration)> {
    let mut command = Command::new(&bench.echoline);
    command.args(["lab", "run", "home", "laptop", "--watch", "dns"]);
    for change in changes {
        command.args(["--with", change]);
    }
    // The lab itself takes a moment: the time of the client alone is measured inside.
    command.args(["--", "bash", "-c", "s=$(date +%s%N); echo hello | echoline connect \"$@\"; c=$?; echo took $(( ($(date +%s%N) - s) / 1000000 )); exit $c", "client"]);
    command.args(flags).arg("echo.lab.test").stdin(Stdio::null());
    let output = command.output().context("cannot start `echoline lab run`")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let took = said.lines().find_map(|line| line.strip_prefix("took ")?.parse().ok());
    let Some(took) = took else {
        bail!("the lab did not run: {}", crate::running::first_line(&output.stderr))
    };
    let text = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code(), text, Duration::from_millis(took)))
}

fn names(bench: &Bench) -> Result<Seen> {
    bench.must_be_aside()?;
    here::nftables()?;
    here::cables()?;
    let slow = client(bench, &["names delay=10s"], &["-w", "1s"])?;
    let absent: Vec<String> = (0..1000).map(|number| format!("203.0.113.{}", 100 + number % 150)).collect();
    let thousand = format!("names set echo.lab.test {}", absent.join(" "));
    let many = client(bench, &[&thousand], &["-4", "-w", "2s"])?;
    // The name takes some of the time: what is left of it is the address's. With a deadline each it would be 4.5 s. A
    // name that takes 2 s would be asked for again, elsewhere, and an address that takes 3 s would be unreachable.
    let both = ["names set echo.lab.test 203.0.113.99", "names delay=1500ms"];
    let both = client(bench, &both, &["-4", "-w", "3s"])?;
    let dead_first = client(bench, &["names set echo.lab.test 203.0.113.99 203.0.113.10"], &["-v"])?;
    // A second look at the name could find another address: whoever answers names must not lead us elsewhere.
    let asked = dead_first.1.matches("asks for A of echo.lab.test").count();
    // A slow machine may take its time, and still is far from the 10 s of the name, or from the time of a second address.
    let within = |took: Duration, most_ms: u64| took < Duration::from_millis(most_ms);
    let ms = |took: Duration| took.as_millis();
    Ok(Seen::new(format!(
        "slow names: {} ms of 1 s; 1,000 dead addresses: {} ms of 2 s; a dead one of a name that takes 1.5 s: {} ms of 3 s; first address dead: connected after {} ms and says to which; {asked} question",
        ms(slow.2), ms(many.2), ms(both.2), ms(dead_first.2)
    ))
    .must(slow.0 == Some(1) && within(slow.2, 5000), format!("a slow name ends at the deadline (exit {:?})", slow.0))
    .must(many.0 == Some(1) && within(many.2, 6000), format!("1,000 addresses share one deadline (exit {:?})", many.0))
    .must(both.1.contains("[no-answer]"), "a name that takes 1.5 s is found, and its address tried")
    .must(both.0 == Some(1) && within(both.2, 4400), "a name and its address share one deadline")
    .must(dead_first.0 == Some(0) && dead_first.1.contains("203.0.113.10"), "the second address is taken and shown")
    .must(asked == 1, format!("the name is resolved once ({asked})")))
}
