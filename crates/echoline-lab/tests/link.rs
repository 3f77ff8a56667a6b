//! Links between real network stacks. The process enters namespaces first, so this binary has no test harness.
//!
//! Hosts a and b have one interface each; the far ends of both stand in `wires`, joined by a forwarder.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use echoline_lab::capture::{Frame, Narrator, Packet, Segment, StreamReport};
use echoline_lab::link::{Counters, Direction, Forwarder, ForwarderConfig, LinkSettings, offload_off};
use echoline_lab::{Lab, Options, Topology, enter};
use echoline_testing::{Outcome, run_suite, skip};

use self::support::{Listening, on};

/// Nothing here may wait for longer.
const DEADLINE: Duration = Duration::from_secs(60);

macro_rules! tests {
    ($($name:ident),* $(,)?) => { const TESTS: &[(&str, fn() -> Outcome)] = &[$((stringify!($name), $name)),*]; };
}

tests![
    a_conversation_through_nat_is_told_on_both_sides_of_the_router,
    a_clean_link_carries_every_byte,
    a_link_that_loses_reorders_doubles_and_delays_carries_every_byte,
    a_link_that_corrupts_carries_every_byte,
    a_link_with_the_smallest_mtu_carries_every_byte,
    a_conversation_outlives_a_cut_that_is_mended,
    after_a_first_message_that_never_arrives_no_other_is_seen,
    a_reply_takes_at_least_the_delay_of_both_ways,
    a_rate_is_not_exceeded,
    captures_at_both_ends_say_what_it_took_to_deliver_every_byte,
    the_same_seed_loses_the_same_datagrams,
    a_link_on_an_interface_that_is_not_there_says_which,
];

fn main() {
    if let Err(error) = enter() {
        skip("echoline-lab link tests", &format!("{error}; {}", error.remedy().unwrap_or_default()));
        return;
    }
    run_suite(TESTS.iter().copied());
}

/// Two hosts and the link between them; gone when dropped.
struct Network {
    link: Option<Forwarder>,
}

impl Network {
    fn new(settings: &str, mtu: u32) -> Result<Self, Box<dyn std::error::Error>> {
        let mut network = Self { link: None }; // from here on, dropping takes away what is there
        for place in ["wires", "a", "b"] {
            ip(&format!("netns add {place}"))?;
            // Frames that nobody sent on purpose would shift the count of a seed.
            on(place, || fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"))??;
        }
        let mut lines = Vec::new();
        for (host, address) in [("a", 1), ("b", 2)] {
            lines.push(format!(
                "link add {host}.w netns wires mtu {mtu} type veth peer eth0 netns {host} mtu {mtu}"
            ));
            lines.push(format!("-n wires link set {host}.w up"));
            lines.push(format!("-n {host} address add 203.0.113.{address}/24 dev eth0"));
            lines.push(format!("-n {host} link set eth0 up"));
        }
        for line in &lines {
            ip(line)?;
        }
        on("a", || offload_off("eth0"))??;
        on("b", || offload_off("eth0"))??;
        let settings: LinkSettings = settings.parse()?;
        let config = ForwarderConfig {
            a: "a.w".into(),
            b: "b.w".into(),
            settings: [settings.clone(), settings],
            seed: 1,
        };
        network.link = Some(on("wires", || Forwarder::start(config))??);
        Ok(network)
    }

    fn link(&self) -> &Forwarder {
        self.link.as_ref().expect("built")
    }

    /// A conversation from a to b: what a said, and what b hears.
    fn connect(&self) -> Result<(TcpStream, TcpStream), Box<dyn std::error::Error>> {
        let listener = on("b", || TcpListener::bind("203.0.113.2:0"))??;
        let server = listener.local_addr()?;
        let client = on("a", || TcpStream::connect_timeout(&server, DEADLINE))??;
        let (accepted, _) = listener.accept()?;
        for stream in [&client, &accepted] {
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
        }
        Ok((client, accepted))
    }

    fn counters(&self) -> Counters {
        self.link().counters(Direction::AToB)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.link = None;
        for place in ["a", "b", "wires"] {
            // One that was never made cannot be taken away; the next test says so if it matters.
            let _ = Command::new("ip").args(["netns", "delete", place]).stderr(Stdio::null()).status();
        }
    }
}

fn ip(line: &str) -> Outcome {
    let done = Command::new("ip").args(line.split(' ')).output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("ip {line}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}

/// Bytes that repeat nowhere near, so that a lost, doubled or moved piece cannot go unnoticed.
struct Pattern(fastrand::Rng);

impl Pattern {
    fn new() -> Self {
        Self(fastrand::Rng::with_seed(7))
    }

    fn next(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }
}

/// Sends `total` bytes from a to b and compares each byte that arrives. Returns how long it took.
fn carry(network: &Network, total: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    const PIECE: usize = 64 << 10;
    let (mut client, mut server) = network.connect()?;
    let begun = Instant::now();
    let sender = thread::spawn(move || -> io::Result<()> {
        let mut pattern = Pattern::new();
        for _ in 0..total / PIECE {
            client.write_all(&pattern.next(PIECE))?;
        }
        Ok(())
    });
    let (mut pattern, mut got) = (Pattern::new(), vec![0; PIECE]);
    for piece in 0..total / PIECE {
        server.read_exact(&mut got)?;
        assert!(got == pattern.next(PIECE), "piece {piece} arrived changed");
    }
    assert_eq!(server.read(&mut got)?, 0, "more arrived than was sent");
    let took = begun.elapsed();
    sender.join().expect("the sender does not panic")?;
    println!("  {} MiB in {took:.1?}: {:.0} Mbit/s", total >> 20, total as f64 * 8e-6 / took.as_secs_f64());
    println!("  {:?}", network.counters());
    Ok(took)
}

fn a_clean_link_carries_every_byte() -> Outcome {
    let network = Network::new("", 1500)?;
    carry(&network, 64 << 20)?;
    let seen = network.counters();
    assert_eq!((seen.lost, seen.duplicated, seen.reordered, seen.held), (0, 0, 0, 0));
    Ok(())
}

fn a_link_that_loses_reorders_doubles_and_delays_carries_every_byte() -> Outcome {
    let network = Network::new("loss=5% reorder=10% duplicate=1% delay=10ms", 1500)?;
    carry(&network, 4 << 20)?;
    let seen = network.counters();
    assert!(seen.lost > 50 && seen.reordered > 100 && seen.duplicated > 10, "{seen:?}");
    Ok(())
}

fn a_link_that_corrupts_carries_every_byte() -> Outcome {
    let network = Network::new("corrupt=2%", 1500)?;
    carry(&network, 4 << 20)?;
    assert!(network.counters().corrupted > 20);
    Ok(())
}

fn a_link_with_the_smallest_mtu_carries_every_byte() -> Outcome {
    let network = Network::new("", 576)?;
    carry(&network, 4 << 20)?;
    let seen = network.counters();
    // 576 bytes of IP and 14 of Ethernet at most, so at least so many frames.
    assert!(seen.frames >= (4 << 20) / 590 && seen.bytes <= seen.frames * 590, "{seen:?}");
    Ok(())
}

fn a_conversation_outlives_a_cut_that_is_mended() -> Outcome {
    let network = Network::new("", 1500)?;
    let (mut client, mut server) = network.connect()?;
    let mut got = [0; 7];
    client.write_all(b"before\n")?;
    server.read_exact(&mut got)?;
    network.link().cut(true);
    client.write_all(b"during\n")?;
    server.set_read_timeout(Some(Duration::from_millis(300)))?;
    let silence = server.read(&mut got).expect_err("a cut link carries nothing");
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    assert!(network.counters().dropped_cut > 0);
    network.link().cut(false);
    server.set_read_timeout(Some(DEADLINE))?;
    server.read_exact(&mut got)?;
    assert_eq!(&got, b"during\n");
    Ok(())
}

fn after_a_first_message_that_never_arrives_no_other_is_seen() -> Outcome {
    let network = Network::new("", 1500)?;
    let (mut client, mut server) = network.connect()?;
    client.set_nodelay(true)?;
    network.link().set(Direction::AToB, "lose_text=first".parse()?);
    for message in ["the first\n", "the second\n", "the third\n"] {
        client.write_all(message.as_bytes())?;
    }
    let enough = Instant::now() + DEADLINE;
    while network.counters().lost < 3 {
        assert!(Instant::now() < enough, "the first message was not sent again: {:?}", network.counters());
        thread::sleep(Duration::from_millis(10));
    }
    server.set_read_timeout(Some(Duration::from_millis(300)))?;
    assert!(server.read(&mut [0; 64]).is_err(), "a later message overtook the lost one");
    network.link().set(Direction::AToB, LinkSettings::default());
    server.set_read_timeout(Some(DEADLINE))?;
    let mut all = [0; 31];
    server.read_exact(&mut all)?;
    assert_eq!(&all, b"the first\nthe second\nthe third\n");
    Ok(())
}

fn a_reply_takes_at_least_the_delay_of_both_ways() -> Outcome {
    let network = Network::new("delay=20ms", 1500)?;
    let (mut client, mut server) = network.connect()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::spawn(move || {
        let mut byte = [0];
        while server.read_exact(&mut byte).is_ok() && server.write_all(&byte).is_ok() {}
    });
    let mut over = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        client.write_all(b"x")?;
        client.read_exact(&mut [0])?;
        over.push(begun.elapsed().checked_sub(Duration::from_millis(40)).expect("never earlier"));
    }
    over.sort_unstable();
    println!("  a round trip of 40 ms took longer by: median {:.0?}, 49th of 50 {:.0?}", over[25], over[48]);
    Ok(())
}

fn a_rate_is_not_exceeded() -> Outcome {
    let network = Network::new("rate=20mbit", 1500)?;
    let took = carry(&network, 2 << 20)?;
    // 2 MiB of payload at 20 Mbit/s; the headers make it longer.
    assert!(took >= Duration::from_millis(838), "{took:?}");
    Ok(())
}

fn the_same_seed_loses_the_same_datagrams() -> Outcome {
    /// Which of 64 arrived, and at which frame of the link they began. `None` if others were among them.
    type Run = Option<(u64, Vec<u8>)>;
    let try_once = || -> Result<Run, Box<dyn std::error::Error>> {
        let network = Network::new("", 1500)?;
        let server = on("b", || UdpSocket::bind("203.0.113.2:0"))??;
        let to = server.local_addr()?;
        let client = on("a", || UdpSocket::bind("203.0.113.1:0"))??;
        server.set_read_timeout(Some(DEADLINE))?;
        // Once through the clean link, so that no ARP is lost.
        client.send_to(&[255], to)?;
        server.recv(&mut [0])?;
        network.link().set(Direction::AToB, "loss=50%".parse()?);
        let before = network.counters();
        for n in 0..64 {
            client.send_to(&[n], to)?;
        }
        let done = Instant::now() + DEADLINE;
        while network.counters().frames < before.frames + 64 && Instant::now() < done {
            thread::yield_now();
        }
        network.link().set(Direction::AToB, LinkSettings::default());
        client.send_to(&[254], to)?;
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while server.recv(&mut byte)? == 1 && byte[0] != 254 {
            seen.push(byte[0]);
        }
        Ok((network.counters().frames == before.frames + 65).then_some((before.frames, seen)))
    };
    // On a busy machine ARP may ask twice, and each frame takes the luck of the next: then once more.
    let (mut runs, enough) = (BTreeMap::new(), Instant::now() + DEADLINE);
    loop {
        assert!(Instant::now() < enough, "no two runs were alike: {runs:?}");
        let Some((begins, seen)) = try_once()? else { continue };
        assert!((16..48).contains(&seen.len()), "{seen:?}");
        if let Some(earlier) = runs.insert(begins, seen.clone()) {
            assert_eq!(earlier, seen);
            break;
        }
    }
    Ok(())
}

/// The segments that go to host b, from one side of the link.
fn segments_to_b(frames: &[Frame], outgoing: bool) -> impl Iterator<Item = Segment<'_>> {
    frames.iter().filter(move |frame| frame.outgoing == outgoing).filter_map(|frame| {
        match Packet::parse(&frame.bytes) {
            Some(Packet::Tcp(segment)) if segment.dst.ip().to_string() == "203.0.113.2" => Some(segment),
            _ => None,
        }
    })
}

fn captures_at_both_ends_say_what_it_took_to_deliver_every_byte() -> Outcome {
    const TOTAL: usize = 4 << 20;
    let network = Network::new("loss=5% reorder=10% duplicate=1% delay=10ms", 1500)?;
    let (near, far) = (Listening::at("a.w", |_| true)?, Listening::at("b.w", |_| true)?);
    carry(&network, TOTAL)?;
    let (near, far) = (near.end()?, far.end()?);
    let report = StreamReport::of(segments_to_b(&near, false), segments_to_b(&far, true));
    println!("  {}", report.to_string().replace('\n', "\n  "));
    assert_eq!((report.bytes, report.delivered_bytes), (TOTAL as u64, TOTAL as u64));
    let counted = network.counters();
    // The link also carries handshakes and bare ACKs, which the report leaves out; nearly all frames this way are data.
    assert!(report.lost <= counted.lost && report.lost + 20 >= counted.lost, "{report:?} {counted:?}");
    assert!(
        report.duplicated <= counted.duplicated && report.duplicated + 10 >= counted.duplicated,
        "{report:?} {counted:?}"
    );
    // What was lost has been sent again, or it would not be there.
    assert!(report.sent_again >= report.lost && report.held_back > 100, "{report:?}");
    Ok(())
}

fn a_conversation_through_nat_is_told_on_both_sides_of_the_router() -> Outcome {
    // The process stands inside since `main`; this only gives the proof of it again.
    let lab = Lab::build(&enter()?, &Topology::shipped("home")?, Options::default())?;
    let server = lab.on("server", || TcpListener::bind("203.0.113.10:0"))??;
    let to = server.local_addr()?;
    let (home, wan) = (Listening::at("laptop.a", |_| true)?, Listening::at("wan.a", |_| true)?);
    let mut client = lab.on("laptop", || TcpStream::connect_timeout(&to, DEADLINE))??;
    let (mut accepted, seen_as) = server.accept()?;
    client.write_all(b"hello\n")?;
    accepted.read_exact(&mut [0; 6])?;
    drop((client, accepted));
    let mut frames: Vec<_> = home.end()?.into_iter().map(|frame| ("laptop", frame)).collect();
    frames.extend(wan.end()?.into_iter().map(|frame| ("wan", frame)));
    frames.sort_by_key(|(_, frame)| frame.at);
    let mut narrator = Narrator::new();
    let lines: Vec<_> = frames.iter().filter_map(|(link, frame)| narrator.feed(link, frame)).collect();
    let story = lines.join("\n");
    println!("{story}");
    let rewritten =
        lines.iter().find(|line| line.contains(" ms  wan ") && line.contains("SYN, ")).ok_or("no SYN")?;
    assert!(rewritten.contains(&format!("{seen_as} > {to}")), "{story}");
    assert!(rewritten.contains("NAT: from was 192.168.1.10:"), "{story}");
    assert!(
        lines.iter().any(|line| line.contains(" ms  laptop ") && line.contains("data 1..7 \"hello\\n\"")),
        "{story}"
    );
    Ok(())
}

fn a_link_on_an_interface_that_is_not_there_says_which() -> Outcome {
    let settings = [LinkSettings::default(), LinkSettings::default()];
    let config = ForwarderConfig { a: "nowhere".into(), b: "lo".into(), settings, seed: 1 };
    let error = Forwarder::start(config).expect_err("no such interface").to_string();
    assert!(error.contains("'nowhere'") && error.contains("No such device"), "{error}");
    Ok(())
}
