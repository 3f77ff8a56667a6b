//! Labs really built. One process is every host: it enters first, so this binary has no test harness.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;

use echoline_lab::{Inside, Lab, Options, Topology, enter};

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Test = fn(&Inside) -> Outcome;

const TESTS: &[(&str, Test)] = &[
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
        Err(error) => panic!("{error}; {}", error.remedy().unwrap_or_default()),
    };
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut failed = 0;
    for (name, test) in TESTS {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let begun = Instant::now();
        match test(&inside) {
            Ok(()) => println!("test {name} ... ok ({} ms)", begun.elapsed().as_millis()),
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED: {error}");
            }
        }
    }
    std::process::exit(i32::from(failed > 0));
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
