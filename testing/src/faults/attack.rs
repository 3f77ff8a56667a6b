//! What attackers are made of: sockets with odd habits, and bytes that tell where they belong.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use socket2::{Domain, SockRef, Socket, Type};

/// How long an attacker waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection as an attacker wants it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Client {
    pub(crate) from: Option<IpAddr>,
    /// Set before it connects, so that the window is as small.
    pub(crate) receive_buffer: Option<usize>,
}

impl Client {
    pub(crate) fn connect(self, to: SocketAddr) -> Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).context("no socket")?;
        if let Some(size) = self.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        if let Some(from) = self.from {
            socket
                .bind(&SocketAddr::from((from, 0)).into())
                .with_context(|| format!("cannot bind {from}"))?;
        }
        socket.connect_timeout(&to.into(), PATIENCE).context("an attacker cannot connect")?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

pub(crate) fn connect(to: SocketAddr) -> Result<TcpStream> {
    Client::default().connect(to)
}

/// Many addresses of loopback, a thousand connections each, so that no limit a source is met by accident.
pub(crate) fn source(index: usize) -> IpAddr {
    let host = u8::try_from(index / 1000 % 200).unwrap_or(0);
    Ipv4Addr::new(127, 0, 1, host + 1).into()
}

/// A connect that does not wait for its end.
pub(crate) fn begin(to: SocketAddr, index: usize) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source(index), 0)).into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error).context("an attacker cannot connect"),
    }
    Ok(socket.into())
}

/// `count` connections from many addresses.
pub(crate) fn crowd(to: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    crowd_of(to, count, Client::default())
}

pub(crate) fn crowd_of(to: SocketAddr, count: usize, like: Client) -> Result<Vec<TcpStream>> {
    (0..count)
        .map(|index| {
            Client { from: Some(source(index)), ..like }
                .connect(to)
                .with_context(|| format!("after {index} connections"))
        })
        .collect()
}

/// Closes with RST.
pub(crate) fn reset(stream: TcpStream) -> Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    drop(stream);
    Ok(())
}

/// Sends a line and reads it back.
pub(crate) fn exchange(mut stream: &TcpStream, line: &[u8]) -> Result<()> {
    stream.write_all(line).context("a line could not be sent")?;
    let mut back = vec![0; line.len()];
    stream.read_exact(&mut back).context("a line did not come back")?;
    ensure!(back == line, "{} came back as {}", line.escape_ascii(), back.escape_ascii());
    Ok(())
}

/// What becomes of somebody who connects and sends a line.
pub(crate) enum Fate {
    Served(TcpStream),
    Reset,
    /// Without a reset.
    Closed,
}

/// Connects and sends a line; anything but a service or an end is an error.
pub(crate) fn ask(to: SocketAddr, like: Client) -> Result<Fate> {
    let asked = like.connect(to).and_then(|client| exchange(&client, b"may I\n").map(|()| client));
    match asked {
        Ok(client) => Ok(Fate::Served(client)),
        Err(error) if is_one_of(&error, &[ErrorKind::ConnectionReset, ErrorKind::BrokenPipe]) => {
            Ok(Fate::Reset)
        }
        Err(error) if is_one_of(&error, &[ErrorKind::UnexpectedEof]) => Ok(Fate::Closed),
        Err(error) => Err(error),
    }
}

pub(crate) fn is_one_of(error: &anyhow::Error, kinds: &[ErrorKind]) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| kinds.contains(&error.kind()))
}

/// What a client that does not read finds on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Finished,
    Reset,
}

/// Looks without waiting. Bytes that arrived are thrown away.
pub(crate) fn state(mut stream: &TcpStream) -> Result<State> {
    stream.set_nonblocking(true)?;
    let mut piece = [0; 16 * 1024];
    let found = loop {
        match stream.read(&mut piece) {
            Ok(0) => break State::Finished,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break State::Open,
            Err(_) => break State::Reset,
        }
    };
    stream.set_nonblocking(false)?;
    Ok(found)
}

/// How many of the connections the server has ended.
pub(crate) fn ended(crowd: &[TcpStream]) -> Result<usize> {
    let mut count = 0;
    for stream in crowd {
        count += usize::from(state(stream)? != State::Open);
    }
    Ok(count)
}

/// Waits until `look` holds, at most so long; says whether it did.
pub(crate) fn wait_until(patience: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        if look()? {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Writes until nobody takes any more; the bytes that were taken.
pub(crate) fn fill(mut stream: &TcpStream, bytes: &[u8], most: usize) -> Result<usize> {
    stream.set_nonblocking(true)?;
    let mut taken = 0;
    while taken < most {
        match stream.write(&bytes[taken % bytes.len()..]) {
            Ok(some) => taken += some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error).context("a flooder could not write"),
        }
    }
    stream.set_nonblocking(false)?;
    Ok(taken)
}

/// An endless stream in which every eight bytes depend on where they stand and on a seed.
#[derive(Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) seed: u64,
    /// Where a line feed may stand; without it the stream is one line.
    pub(crate) lines: bool,
}

impl Pattern {
    /// The bytes from `offset` on, which is a multiple of eight.
    pub(crate) fn fill(self, offset: u64, piece: &mut [u8]) {
        for (index, chunk) in piece.chunks_mut(8).enumerate() {
            let mut bits =
                (offset / 8 + index as u64).wrapping_add(self.seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits ^= bits >> 29;
            if !self.lines {
                // No byte is a line feed: each has its highest bit set.
                bits |= 0x8080_8080_8080_8080;
            }
            chunk.copy_from_slice(&bits.to_le_bytes()[..chunk.len()]);
            if self.lines && bits.is_multiple_of(16) {
                chunk[0] = b'\n';
            }
        }
    }
}

const PIECE: usize = 256 * 1024;

/// Sends `length` bytes of the pattern and compares what comes back, both at once; with half-close at the end.
pub(crate) fn pour(stream: &TcpStream, pattern: Pattern, length: u64) -> Result<()> {
    let mut output = stream.try_clone()?;
    let sender = std::thread::spawn(move || -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        let mut sent = 0;
        while sent < length {
            let part = usize::try_from(length - sent).unwrap_or(PIECE).min(PIECE);
            pattern.fill(sent, &mut piece[..part]);
            output.write_all(&piece[..part])?;
            sent += part as u64;
        }
        output.shutdown(Shutdown::Write)
    });
    let compared = compare(stream, pattern, length);
    let sent = sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?;
    compared?;
    sent.context("not everything could be sent")
}

fn compare(mut stream: &TcpStream, pattern: Pattern, length: u64) -> Result<()> {
    let (mut back, mut wanted) = (vec![0; PIECE], vec![0; PIECE]);
    let mut got = 0;
    while got < length {
        let part = usize::try_from(length - got).unwrap_or(PIECE).min(PIECE);
        stream.read_exact(&mut back[..part]).with_context(|| format!("after {got} of {length} bytes"))?;
        pattern.fill(got, &mut wanted[..part]);
        ensure!(back[..part] == wanted[..part], "bytes changed between {got} and {}", got + part as u64);
        got += part as u64;
    }
    let surplus = stream.read(&mut back).context("no FIN after the last byte")?;
    ensure!(surplus == 0, "{surplus} bytes more than were sent");
    Ok(())
}
