//! One question to one name server (RFC 1035 section 4), to see whether it answers at all.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use echoline::{Endpoint, Family, Host, resolve};

use crate::cancel::Cancel;
use crate::evidence::NameAnswer;

const PORT: u16 = 53;
/// Nothing is looked up: a server stands there by its address.
const AT_ONCE: Duration = Duration::ZERO;
const HEADER: usize = 12;

/// Asks for the IPv4 address of a name. What the answer holds does not matter here, only its code.
pub(super) fn ask(server: &Host, name: &str, patience: Duration, cancel: &Cancel) -> NameAnswer {
    let address = match resolve(&Endpoint::new(server.clone(), PORT), Family::Any, AT_ONCE).as_deref() {
        Ok([address, ..]) => *address,
        Ok([]) => return NameAnswer::Undelivered("it has no address".to_owned()),
        Err(error) => return NameAnswer::Undelivered(error.to_string()),
    };
    let Some(question) = question(id(), name) else {
        return NameAnswer::Undelivered("the name is too long for the DNS".to_owned());
    };
    match exchange(address, &question, patience, cancel) {
        Ok(Some(code)) => NameAnswer::Code(code),
        Ok(None) => NameAnswer::Silent,
        Err(error) => NameAnswer::Undelivered(error.to_string()),
    }
}

fn exchange(
    server: SocketAddr,
    question: &[u8],
    patience: Duration,
    cancel: &Cancel,
) -> std::io::Result<Option<u8>> {
    let until = Instant::now() + patience;
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut answer = [0; 512];
    loop {
        let Some(step) = cancel.step(until) else { return Ok(None) };
        socket.set_read_timeout(Some(step.max(Duration::from_micros(1))))?;
        match socket.recv(&mut answer) {
            Ok(length) => {
                if let Some(code) = code_of(&answer[..length], question) {
                    return Ok(Some(code));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Hard enough to guess for a question whose answer is only counted.
fn id() -> [u8; 2] {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos().to_be_bytes()[2..].try_into().unwrap_or_default()
}

/// The response code, if this answers that question.
fn code_of(answer: &[u8], question: &[u8]) -> Option<u8> {
    let header = answer.get(..HEADER)?;
    let is_answer = header[2] & 0x80 != 0 && header[..2] == question[..2];
    is_answer.then_some(header[3] & 0x0F)
}

/// A query for the A record, recursion desired; `None` if a label or the name is too long.
fn question(id: [u8; 2], name: &str) -> Option<Vec<u8>> {
    let mut message = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    (message.len() <= HEADER + 255 + 4).then_some(message)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_question_is_encoded_as_the_rfc_has_it() {
        let message = question([7, 9], "a.bcd.").unwrap();
        assert_eq!(message, b"\x07\x09\x01\0\0\x01\0\0\0\0\0\0\x01a\x03bcd\0\0\x01\0\x01");
        assert_eq!(question([0, 0], &"x".repeat(64)), None);
        assert_eq!(question([0, 0], "a..b"), None);
    }

    #[test]
    fn an_answer_gives_its_code_and_silence_and_strays_give_none() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let asked = question([7, 9], "lab.test").unwrap();
        let patience = Duration::from_millis(20);
        assert_eq!(exchange(address, &asked, patience, &Cancel::new()).unwrap(), None);
        let mut seen = [0; 512];
        server.recv_from(&mut seen).unwrap();
        let answering = thread::spawn(move || {
            let (length, from) = server.recv_from(&mut seen).unwrap();
            // First one for another question, then its own with SERVFAIL.
            server.send_to(b"\x08\x09\x81\x83\0\0\0\0\0\0\0\0", from).unwrap();
            seen[2] |= 0x80;
            seen[3] = 2;
            server.send_to(&seen[..length], from).unwrap();
        });
        assert_eq!(exchange(address, &asked, Duration::from_secs(20), &Cancel::new()).unwrap(), Some(2));
        answering.join().unwrap();
    }
}
