//! Labs really built. One process is every host: it enters first, so this binary has no test harness.

mod support;

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use echoline_lab::capture::{Frame, Packet, Segment, StreamReport};
use echoline_lab::{Inside, Lab, Options, Topology, enter};
use echoline_testing::{Outcome, run_suite, skip};

use self::support::Listening;

type Test = fn(&Inside) -> Outcome;

const TESTS: &[(&str, Test)] = &[
    (
        "a_stream_over_a_bad_link_is_identical_and_its_capture_says_what_that_took",
        a_stream_over_a_bad_link_is_identical_and_its_capture_says_what_that_took,
    ),
    ("names_are_answered_as_told", names_are_answered_as_told),
    (
        "a_second_lab_in_one_process_begins_where_the_first_ended",
        a_second_lab_in_one_process_begins_where_the_first_ended,
    ),
    ("home_is_up_and_gone_at_once", home_is_up_and_gone_at_once),
    ("an_unimpaired_link_is_fast", an_unimpaired_link_is_fast),
    (
        "a_conversation_goes_on_while_its_link_is_impaired_and_cleared",
        a_conversation_goes_on_while_its_link_is_impaired_and_cleared,
    ),
    (
        "a_connection_through_nat_shows_the_router_to_the_server",
        a_connection_through_nat_shows_the_router_to_the_server,
    ),
    (
        "a_command_sees_the_network_and_the_name_of_its_host",
        a_command_sees_the_network_and_the_name_of_its_host,
    ),
];

fn main() {
    let inside = match enter() {
        Ok(inside) => inside,
        Err(error) => {
            return skip(
                "echoline-lab lab tests",
                &format!("{error}; {}", error.remedy().unwrap_or_default()),
            );
        }
    };
    let inside = &inside;
    run_suite(TESTS.iter().map(|&(name, test)| (name, move || test(inside))))
}

fn home(inside: &Inside) -> Result<Lab, Box<dyn std::error::Error>> {
    Ok(Lab::build(inside, &Topology::shipped("home")?, Options::default())?)
}

fn a_connection_through_nat_shows_the_router_to_the_server(inside: &Inside) -> Outcome {
    let lab = home(inside)?;
    let listener = lab.on("server", || TcpListener::bind("0.0.0.0:5151"))??;
    let mut laptop = lab.on("laptop", || TcpStream::connect("203.0.113.10:5151"))??;
    let (mut server, peer) = listener.accept()?;
    laptop.write_all(b"hello\n")?;
    let mut got = [0; 6];
    server.read_exact(&mut got)?;
    assert_eq!(&got, b"hello\n");
    assert_eq!(peer.ip().to_string(), "203.0.113.2");
    assert_eq!(laptop.local_addr()?.ip().to_string(), "192.168.1.10");
    Ok(())
}

fn a_command_sees_the_network_and_the_name_of_its_host(inside: &Inside) -> Outcome {
    let lab = home(inside)?;
    let mut command = Command::new("sh");
    command.args(["-c", "hostname; ip -4 -o addr show eth0; cat /etc/resolv.conf"]).stdout(Stdio::piped());
    let output = lab.spawn("laptop", &mut command)?.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.starts_with("laptop\n"), "{text}");
    assert!(text.contains("192.168.1.10/24"), "{text}");
    assert!(text.contains("nameserver 203.0.113.53"), "{text}");
    Ok(())
}

/// Bytes that anybody can make again from their number.
fn made(number: u64) -> [u8; 8] {
    let mut x = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)).to_le_bytes()
}

/// Sends so many bytes from the laptop to an echo on the server and compares all that comes back.
fn echo_through(lab: &Lab, total: u64) -> Result<Duration, Box<dyn std::error::Error>> {
    let listener = lab.on("server", || TcpListener::bind("203.0.113.10:5151"))??;
    let echo = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; 65_536];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                length => stream.write_all(&buffer[..length])?,
            }
        }
    });
    let laptop = lab.on("laptop", || TcpStream::connect("203.0.113.10:5151"))??;
    let begun = Instant::now();
    let mut output = laptop.try_clone()?;
    let send = thread::spawn(move || -> io::Result<()> {
        for block in 0..total / 65_536 {
            let block: Vec<u8> = (block * 8192..(block + 1) * 8192).flat_map(made).collect();
            output.write_all(&block)?;
        }
        output.shutdown(Shutdown::Write)
    });
    let mut input = BufReader::with_capacity(65_536, laptop);
    let mut word = [0; 8];
    for number in 0..total / 8 {
        input.read_exact(&mut word)?;
        assert_eq!(word, made(number), "byte {}", number * 8);
    }
    assert_eq!(input.read(&mut word)?, 0, "nothing follows the last byte");
    send.join().expect("no panic")?;
    echo.join().expect("no panic")?;
    Ok(begun.elapsed())
}

fn to_server(frames: &[Frame]) -> impl Iterator<Item = Segment<'_>> {
    frames.iter().filter_map(|frame| match Packet::parse(&frame.bytes) {
        Some(Packet::Tcp(segment)) if segment.dst.port() == 5151 => Some(segment),
        _ => None,
    })
}

/// 8 MiB, or as many as `ECHOLINE_STREAM_MIB` says: the figures in docs/BENCHMARKS.md are of 64.
fn a_stream_over_a_bad_link_is_identical_and_its_capture_says_what_that_took(inside: &Inside) -> Outcome {
    let mebibytes = std::env::var("ECHOLINE_STREAM_MIB").map_or(Ok(8), |text| text.parse::<u64>())?;
    let lab = home(inside)?;
    lab.change(&"link wan loss=5% reorder=10% duplicate=1% delay=10ms".parse()?)?;
    let (sent, arrived) =
        (Listening::at("wan.a", |frame| !frame.outgoing)?, Listening::at("wan.b", |frame| frame.outgoing)?);
    let total = mebibytes << 20;
    let took = echo_through(&lab, total)?;
    let (sent, arrived) = (sent.end()?, arrived.end()?);
    let report = StreamReport::of(to_server(&sent), to_server(&arrived));
    println!(
        "  {mebibytes} MiB there and back through NAT, identical, in {:.1} s; there:",
        took.as_secs_f64()
    );
    println!("  {}", report.to_string().replace('\n', "\n  "));
    assert_eq!((report.bytes, report.delivered_bytes), (total, total));
    // What was lost has been sent again, or it would not be there.
    assert!(report.lost > 100 && report.sent_again >= report.lost && report.held_back > 100, "{report:?}");
    Ok(())
}

fn names_are_answered_as_told(inside: &Inside) -> Outcome {
    let lab = home(inside)?;
    let ask = |name: &str| -> Result<(bool, String), Box<dyn std::error::Error>> {
        let mut command = Command::new("getent");
        command.args(["ahosts", name]).stdout(Stdio::piped());
        let output = lab.spawn("laptop", &mut command)?.wait_with_output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    let (found, text) = ask("echo.lab.test")?;
    assert!(found && text.contains("203.0.113.10") && text.contains("2001:db8::10"), "{text}");
    assert!(ask("server")?.0, "the search list has the lab's domain");
    assert!(!ask("wrong.lab.test")?.0);
    lab.change(&"names set wrong.lab.test 203.0.113.99".parse()?)?;
    assert!(ask("wrong.lab.test")?.1.contains("203.0.113.99"));
    let many: Vec<String> = (0..1000).map(|n| format!("203.0.{}.{}", n / 250, n % 250 + 1)).collect();
    lab.change(&format!("names set many.lab.test {}", many.join(" ")).parse()?)?;
    let (_, text) = ask("many.lab.test")?;
    assert_eq!(text.lines().filter(|line| line.contains("STREAM")).count(), 1000, "all come, over TCP");
    lab.change(&"names delay=300ms".parse()?)?;
    let begun = Instant::now();
    assert!(ask("echo.lab.test")?.0 && begun.elapsed() >= Duration::from_millis(300));
    lab.change(&"names servfail".parse()?)?;
    assert!(!ask("echo.lab.test")?.0);
    Ok(())
}

fn a_second_lab_in_one_process_begins_where_the_first_ended(inside: &Inside) -> Outcome {
    let old = home(inside)?;
    let listener = old.on("server", || TcpListener::bind("203.0.113.10:5151"))??;
    drop(old);
    // A socket keeps the old server's namespace alive; the new one is another.
    let new = home(inside)?;
    let refused =
        new.on("laptop", || TcpStream::connect("203.0.113.10:5151"))?.expect_err("nobody listens there");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    drop(listener);
    Ok(())
}

/// Figures, and no bound: a busy machine is no failure.
fn home_is_up_and_gone_at_once(inside: &Inside) -> Outcome {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let lab = home(inside)?;
        let up = begun.elapsed();
        drop(lab);
        times.push((up, begun.elapsed() - up));
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_millis()
    };
    let (up, down) = times.into_iter().unzip();
    println!("  home: up in {} ms, let go in {} ms (medians of 5)", median(up), median(down));
    Ok(())
}

/// A figure, and no bound.
fn an_unimpaired_link_is_fast(inside: &Inside) -> Outcome {
    const BLOCKS: usize = 4096;
    let lab = home(inside)?;
    let listener = lab.on("server", || TcpListener::bind("203.0.113.10:5151"))??;
    let mut laptop = lab.on("laptop", || TcpStream::connect("203.0.113.10:5151"))??;
    let begun = Instant::now();
    let send = thread::spawn(move || (0..BLOCKS).try_for_each(|_| laptop.write_all(&[0; 65_536])));
    let (mut server, _) = listener.accept()?;
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    while let length @ 1.. = server.read(&mut buffer)? {
        total += length;
    }
    send.join().expect("no panic")?;
    assert_eq!(total, BLOCKS * 65_536);
    let rate = total as f64 * 8.0 / begun.elapsed().as_secs_f64() / 1e6;
    println!("  unimpaired, from the laptop through NAT to the server: {rate:.0} Mbit/s");
    Ok(())
}

fn a_conversation_goes_on_while_its_link_is_impaired_and_cleared(inside: &Inside) -> Outcome {
    for (topology, client, server, link) in
        [("home", "laptop", "203.0.113.10", "wan"), ("pair", "alice", "192.0.2.2", "wire")]
    {
        let lab = Lab::build(inside, &Topology::shipped(topology)?, Options::default())?;
        let host = if topology == "home" { "server" } else { "bob" };
        let listener = lab.on(host, || TcpListener::bind((server, 5151)))??;
        let mut client = lab.on(client, || TcpStream::connect((server, 5151)))??;
        client.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (mut server, _) = listener.accept()?;
        let changes = ["delay=1ms", "none", "loss=20%", "cut", "none", "mend", "rate=10mbit", "none"];
        let (mut due, mut cut) = (0, false);
        for change in changes {
            lab.change(&format!("link {link} {change}").parse()?)?;
            server.write_all(&[b'x'; 1000])?;
            due += 1000;
            cut = change == "cut" || cut && change != "mend";
            // A cut link stays cut while its settings change; what was held up then comes once it is mended.
            if !cut {
                client.read_exact(&mut vec![0; due])?;
                due = 0;
            }
        }
    }
    Ok(())
}
