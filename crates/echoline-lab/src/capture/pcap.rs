//! The pcap file format (draft-ietf-opsawg-pcap), as Wireshark and tcpdump read and write it.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Frame;
use crate::packet::MAX_FRAME;

const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const ETHERNET: u32 = 1;

/// Writes Ethernet frames as pcap with time stamps in nanoseconds.
///
/// Each frame is written to `to` at once, in one piece; give it a `BufWriter` where speed matters.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Writes the file header.
    ///
    /// # Errors
    ///
    /// What `to` says.
    pub fn new(mut to: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(NANOSECONDS.to_le_bytes());
        header.extend([2, 0, 4, 0]); // version 2.4
        header.extend([0; 8]);
        header.extend((MAX_FRAME as u32).to_le_bytes());
        header.extend(ETHERNET.to_le_bytes());
        to.write_all(&header)?;
        Ok(Self { to })
    }

    /// Writes one frame.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a frame longer than any link carries; else what the writer says.
    pub fn write(&mut self, at: SystemTime, frame: &[u8]) -> io::Result<()> {
        if frame.len() > MAX_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame longer than any link carries"));
        }
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = (frame.len() as u32).to_le_bytes();
        let mut record = Vec::with_capacity(16 + frame.len());
        // The format's seconds wrap in 2106.
        record.extend((since.as_secs() as u32).to_le_bytes());
        record.extend(since.subsec_nanos().to_le_bytes());
        record.extend(length);
        record.extend(length);
        record.extend(frame);
        self.to.write_all(&record)
    }

    /// Hands buffered frames to the file, so that others can read them.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.to
    }
}

/// Reads the Ethernet frames of a pcap file. Their direction is not in the file: all count as arriving.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    big_endian: bool,
    nanoseconds_a_tick: u32,
}

impl<R: Read> Reader<R> {
    /// Reads the file header.
    ///
    /// # Errors
    /// `InvalidData` for what is no pcap file (pcapng is another format), or for frames that are not Ethernet.
    pub fn new(mut from: R) -> io::Result<Self> {
        let mut header = [0; 24];
        from.read_exact(&mut header)?;
        let magic = word(&header, 0, false);
        let (big_endian, nanoseconds_a_tick) = match (magic, magic.swap_bytes()) {
            (NANOSECONDS, _) => (false, 1),
            (MICROSECONDS, _) => (false, 1000),
            (_, NANOSECONDS) => (true, 1),
            (_, MICROSECONDS) => (true, 1000),
            _ => return Err(invalid("this is no pcap file")),
        };
        if word(&header, 20, big_endian) != ETHERNET {
            return Err(invalid("the frames in this pcap file are not Ethernet"));
        }
        Ok(Self { from, big_endian, nanoseconds_a_tick })
    }

    fn read(&mut self) -> io::Result<Option<Frame>> {
        let mut header = [0; 16];
        if self.from.read(&mut header[..1])? == 0 {
            return Ok(None);
        }
        self.from.read_exact(&mut header[1..])?;
        let [seconds, ticks, length, _] = [0, 4, 8, 12].map(|at| word(&header, at, self.big_endian));
        // A length is checked before it is trusted with memory.
        if length as usize > MAX_FRAME.max(262_144) {
            return Err(invalid("this pcap file is damaged: a frame longer than any"));
        }
        let nanoseconds = u64::from(ticks) * u64::from(self.nanoseconds_a_tick);
        let since = Duration::from_secs(seconds.into()) + Duration::from_nanos(nanoseconds);
        let mut bytes = vec![0; length as usize];
        self.from.read_exact(&mut bytes)?;
        Ok(Some(Frame { at: UNIX_EPOCH + since, outgoing: false, bytes }))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Frame>;

    fn next(&mut self) -> Option<io::Result<Frame>> {
        self.read().transpose()
    }
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            frames in proptest::collection::vec((0u64..4_000_000_000_000_000_000, proptest::collection::vec(any::<u8>(), 0..200)), 0..20)
        ) {
            let mut writer = Writer::new(Vec::new()).expect("memory");
            let at = |nanoseconds: u64| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
            for (nanoseconds, bytes) in &frames {
                writer.write(at(*nanoseconds), bytes).expect("memory");
            }
            let file = writer.into_inner();
            let read: Vec<Frame> = Reader::new(&file[..]).expect("ours").collect::<Result<_, _>>().expect("ours");
            prop_assert_eq!(read.len(), frames.len());
            for (read, (nanoseconds, bytes)) in read.iter().zip(&frames) {
                prop_assert_eq!((read.at, &read.bytes), (at(*nanoseconds), bytes));
            }
        }

        #[test]
        fn no_file_makes_the_reader_panic(mut file in proptest::collection::vec(any::<u8>(), 0..200), magic: bool) {
            if magic && file.len() >= 24 {
                file[..4].copy_from_slice(&MICROSECONDS.to_be_bytes());
                file[20..24].copy_from_slice(&ETHERNET.to_be_bytes());
            }
            if let Ok(reader) = Reader::new(&file[..]) {
                let _ = reader.collect::<Vec<_>>();
            }
        }
    }

    #[test]
    fn a_file_cut_short_gives_its_whole_frames_and_then_an_error() {
        let mut writer = Writer::new(Vec::new()).expect("memory");
        writer.write(UNIX_EPOCH, b"whole").expect("memory");
        writer.write(UNIX_EPOCH, b"partial").expect("memory");
        let mut file = writer.into_inner();
        file.pop();
        let mut reader = Reader::new(&file[..]).expect("ours");
        assert_eq!(reader.next().expect("one").expect("whole").bytes, b"whole");
        let error = reader.next().expect("another").expect_err("cut short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// Not in a lab: with one user ID in its namespace tcpdump fails to give up root.
    #[test]
    fn tcpdump_reads_what_is_written() {
        let mut writer = Writer::new(Vec::new()).expect("memory");
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 168, 1, 10], [203, 0, 113, 10], 64)
            .tcp(40_000, 5151, 7, 1000)
            .syn();
        builder.write(&mut frame, b"hello\n").expect("memory");
        writer.write(UNIX_EPOCH + Duration::new(1, 123_456_789), &frame).expect("memory");
        let mut command = Command::new("tcpdump");
        let command = command.args(["--nano", "-tt", "-nn", "-r", "-"]).stderr(Stdio::null());
        let Ok(mut tcpdump) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            return echoline_testing::skip("tcpdump_reads_what_is_written", "tcpdump");
        };
        tcpdump.stdin.take().expect("piped").write_all(&writer.into_inner()).expect("it reads");
        let told = String::from_utf8(tcpdump.wait_with_output().expect("it ends").stdout).expect("text");
        let line =
            "1.123456789 IP 192.168.1.10.40000 > 203.0.113.10.5151: Flags [S], seq 7:13, win 1000, length 6";
        assert_eq!(told.trim_end(), line);
    }
}
