//! What the kernel counts and holds in this network.

use std::process::Command;

use anyhow::{Context, Result};
use xtask_tools::run;

/// Bytes that the kernel holds for the TCP sockets of this network, both ends of each connection.
pub(crate) fn socket_memory() -> Result<u64> {
    let text = run::captured(Command::new("ss").args(["--tcp", "--memory", "--numeric", "--no-header"]))?;
    Ok(text.lines().filter_map(of_socket).sum())
}

/// Connections to this port whose server has not closed them.
pub(crate) fn held(port: u16) -> Result<usize> {
    let mut ss = Command::new("ss");
    ss.args(["--tcp", "--numeric", "--no-header", "state", "established", "state", "close-wait"]);
    let text = run::captured(ss.arg("sport").arg("=").arg(format!(":{port}")))?;
    Ok(text.lines().count())
}

/// As `skmem:(r0,rb131072,t0,tb2626560,f0,w0,o0,bl0,d0)`: received, to be sent, and set aside for either.
fn of_socket(line: &str) -> Option<u64> {
    let inside = line.split_once("skmem:(")?.1.split_once(')')?.0;
    let mut total = 0;
    for field in inside.split(',') {
        let at = field.find(|character: char| character.is_ascii_digit())?;
        if ["r", "f", "w"].contains(&&field[..at]) {
            // What is set aside may be overdrawn for a moment: the kernel prints that number without its sign.
            total += i64::from(field[at..].parse::<u32>().ok()?.cast_signed());
        }
    }
    Some(u64::try_from(total).unwrap_or(0))
}

/// A counter of /proc/net/netstat, as `ListenOverflows`.
pub(crate) fn counter(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat").context("cannot read /proc/net/netstat")?;
    find(&text, name).with_context(|| format!("the kernel has no counter {name}"))
}

/// The file has pairs of lines: names, then values in the same places.
fn find(text: &str, name: &str) -> Option<u64> {
    let lines: Vec<_> = text.lines().collect();
    lines.chunks(2).find_map(|pair| {
        let at = pair.first()?.split(' ').position(|one| one == name)?;
        pair.get(1)?.split(' ').nth(at)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sockets_memory_is_what_it_holds_and_not_what_it_may() {
        let line = "ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 skmem:(r100,rb131072,t7,tb2626560,f20,w3,o0,bl0,d9)";
        assert_eq!(of_socket(line), Some(123));
        assert_eq!(of_socket("ESTAB 0 0"), None);
        assert_eq!(of_socket("skmem:(r0,rb9,t0,tb9,f4294963200,w5000,o0,bl0,d0)"), Some(904));
    }

    #[test]
    fn a_counter_is_found_by_the_place_of_its_name() {
        let text = "TcpExt: A B C\nTcpExt: 1 2 3\nIpExt: D E\nIpExt: 4 5\n";
        assert_eq!((find(text, "C"), find(text, "E"), find(text, "F")), (Some(3), Some(5), None));
    }
}
