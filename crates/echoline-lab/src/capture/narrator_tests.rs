use etherparse::{PacketBuilder, TcpOptionElement};
use proptest::prelude::*;

use super::*;

const LAPTOP: ([u8; 4], u16) = ([192, 168, 1, 10], 40_000);
const ROUTER: ([u8; 4], u16) = ([203, 0, 113, 2], 40_000);
const SERVER: ([u8; 4], u16) = ([203, 0, 113, 10], 5151);

/// The segments of one conversation; every frame has an identification of its own, as Linux gives them.
struct Sender {
    src: ([u8; 4], u16),
    dst: ([u8; 4], u16),
    next_id: u16,
    clock: u32,
}

impl Sender {
    fn new(src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> Self {
        Self { src, dst, next_id: 1, clock: 1 }
    }

    fn frame(&mut self, flags: &str, seq: u32, ack: u32, payload: &[u8]) -> Frame {
        let mut header = etherparse::TcpHeader::new(self.src.1, self.dst.1, seq, 1000);
        header.syn = flags.contains('S');
        header.fin = flags.contains('F');
        header.rst = flags.contains('R');
        header.ack = flags.contains('A');
        header.acknowledgment_number = ack;
        self.clock += 1;
        header.set_options(&[TcpOptionElement::Timestamp(self.clock, 0)]).expect("fits");
        let mut ip = etherparse::Ipv4Header::new(0, 64, etherparse::IpNumber::TCP, self.src.0, self.dst.0)
            .expect("fits");
        ip.identification = self.next_id;
        self.next_id += 1;
        let ip = etherparse::IpHeaders::Ipv4(ip, etherparse::Ipv4Extensions::default());
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ip(ip).tcp_header(header);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, payload).expect("memory");
        Frame { at: SystemTime::UNIX_EPOCH, outgoing: false, bytes }
    }
}

/// The line without its time and its link.
fn tell(narrator: &mut Narrator, link: &str, frame: &Frame) -> String {
    let line = narrator.feed(link, frame).expect("decoded");
    let told = line.split_once(" ms  ").expect("a time").1;
    told.strip_prefix(&format!("{link:<8}  ")).expect("the link").to_owned()
}

#[test]
fn a_conversation_is_told_with_numbers_that_count_from_its_syn() {
    let (mut narrator, mut client, mut server) =
        (Narrator::new(), Sender::new(LAPTOP, SERVER), Sender::new(SERVER, LAPTOP));
    let isn = u32::MAX - 2; // it wraps in the middle of the data
    let lines = [
        tell(&mut narrator, "home", &client.frame("S", isn, 0, b"")),
        tell(&mut narrator, "home", &server.frame("SA", 7000, isn.wrapping_add(1), b"")),
        tell(&mut narrator, "home", &client.frame("A", isn.wrapping_add(1), 7001, b"hello\n")),
        tell(&mut narrator, "home", &server.frame("A", 7001, isn.wrapping_add(7), b"")),
        tell(&mut narrator, "home", &client.frame("FA", isn.wrapping_add(7), 7001, b"")),
        tell(&mut narrator, "home", &server.frame("R", 7001, 0, b"")),
    ];
    assert_eq!(
        lines,
        [
            "192.168.1.10:40000 > 203.0.113.10:5151  SYN",
            "203.0.113.10:5151 > 192.168.1.10:40000  SYN ACK",
            "192.168.1.10:40000 > 203.0.113.10:5151  data 1..7 \"hello\\n\"",
            "203.0.113.10:5151 > 192.168.1.10:40000  ACK 7",
            "192.168.1.10:40000 > 203.0.113.10:5151  FIN",
            "203.0.113.10:5151 > 192.168.1.10:40000  RST",
        ]
    );
}

#[test]
fn what_is_sent_again_late_doubled_or_missing_is_named() {
    let (mut narrator, mut client) = (Narrator::new(), Sender::new(LAPTOP, SERVER));
    let what = |line: String| line.rsplit_once("  ").expect("two columns").1.to_owned();
    tell(&mut narrator, "l", &client.frame("S", 100, 0, b""));
    let first = client.frame("A", 101, 1, b"aaa");
    let second = client.frame("A", 104, 1, b"bbb");
    let third = client.frame("A", 107, 1, b"ccc");
    let mut told = |frame: &Frame| what(tell(&mut narrator, "l", frame));
    assert_eq!(told(&first), "data 1..4 \"aaa\"");
    assert_eq!(told(&third), "data 7..10 \"ccc\"; 4..7 is missing");
    assert_eq!(told(&third), "data 7..10 \"ccc\"; a copy of the same frame");
    assert_eq!(told(&second), "data 4..7 \"bbb\"; late, fills the gap");
    assert_eq!(told(&client.frame("A", 104, 1, b"bbb")), "data 4..7 \"bbb\"; sent again");
    assert_eq!(told(&client.frame("A", 113, 1, b"eee")), "data 13..16 \"eee\"; 10..13 is missing");
    assert_eq!(told(&client.frame("A", 110, 1, b"ddd")), "data 10..13 \"ddd\"; sent again, fills the gap");
    assert_eq!(told(&client.frame("A", 115, 1, b"")), "ACK 1 again; keep-alive");
}

#[test]
fn the_same_handshake_on_two_links_shows_what_nat_rewrote() {
    let mut narrator = Narrator::new();
    let syn = Sender::new(LAPTOP, SERVER).frame("S", 100, 0, b"");
    let rewritten = Sender::new(ROUTER, SERVER).frame("S", 100, 0, b"");
    let answer = Sender::new(SERVER, ROUTER).frame("SA", 900, 101, b"");
    let answer_inside = Sender::new(SERVER, LAPTOP).frame("SA", 900, 101, b"");
    tell(&mut narrator, "home", &syn);
    assert!(tell(&mut narrator, "wan", &rewritten).ends_with("SYN; NAT: from was 192.168.1.10:40000"));
    assert!(tell(&mut narrator, "wan", &answer).ends_with("SYN ACK"));
    assert!(tell(&mut narrator, "home", &answer_inside).ends_with("SYN ACK; NAT: to was 203.0.113.2:40000"));
    // A router that rewrites nothing is not said to.
    assert!(tell(&mut narrator, "far", &rewritten).ends_with("SYN; NAT: from was 192.168.1.10:40000"));
    let mut plain = Narrator::new();
    tell(&mut plain, "home", &syn);
    assert!(tell(&mut plain, "wan", &syn).ends_with("  SYN"));
}

#[test]
fn what_a_peer_sends_cannot_write_to_the_terminal() {
    let mut narrator = Narrator::new();
    let line = tell(&mut narrator, "l", &Sender::new(LAPTOP, SERVER).frame("A", 1, 1, b"\x1b[2J\xff\r\n"));
    assert!(line.ends_with(r#"data 1..8 "\x1b[2J\xff\r\n""#), "{line}");
}

#[test]
fn arp_udp_and_icmp_errors_are_told() {
    let mut narrator = Narrator::new();
    let mut frame = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        tell(&mut narrator, "l", &Frame { at: SystemTime::UNIX_EPOCH, outgoing: false, bytes })
    };
    let arp = |operation| {
        etherparse::ArpPacket::new(
            etherparse::ArpHardwareId::ETHERNET,
            etherparse::EtherType::IPV4,
            operation,
            &[2; 6],
            &[192, 168, 1, 10],
            &[0; 6],
            &[192, 168, 1, 1],
        )
        .expect("an ARP packet")
    };
    let ask = frame(&|bytes| {
        PacketBuilder::ethernet2([2; 6], [255; 6])
            .arp(arp(etherparse::ArpOperation::REQUEST))
            .write(bytes)
            .expect("memory");
    });
    assert_eq!(ask, "192.168.1.10  ARP: who has 192.168.1.1?");
    let udp = frame(&|bytes| {
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(LAPTOP.0, SERVER.0, 64)
            .udp(4000, 5000)
            .write(bytes, b"xyz")
            .expect("memory");
    });
    assert_eq!(udp, "192.168.1.10:4000 > 203.0.113.10:5000  UDP, 3 bytes");
    let quote = Sender::new(LAPTOP, SERVER).frame("S", 1, 0, b"").bytes;
    let host =
        etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Host);
    let icmp = frame(&|bytes| {
        let builder =
            PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(ROUTER.0, LAPTOP.0, 64).icmpv4(host.clone());
        builder.write(bytes, &quote[14..42]).expect("memory"); // IP header and eight bytes, as RFC 792 has it
    });
    assert_eq!(
        icmp,
        "203.0.113.2 > 192.168.1.10  ICMP host unreachable, about a packet to 203.0.113.10:5151"
    );
}

#[test]
fn what_it_remembers_is_bounded() {
    let mut narrator = Narrator::new();
    for port in 1..6000 {
        narrator.feed("l", &Sender::new((LAPTOP.0, port), SERVER).frame("S", 1, 0, b""));
    }
    assert_eq!((narrator.halves.len(), narrator.order.len()), (MAX_HALVES, MAX_HALVES));
    assert_eq!(narrator.handshakes.len(), MAX_HANDSHAKES);
}

proptest! {
    #[test]
    fn no_frame_makes_it_panic_or_write_control_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 0..4u8) {
        if bytes.len() > 40 {
            let header: &[u8] = match kind {
                0 => &[0x08, 0x00, 0x45],
                1 => &[0x86, 0xdd, 0x60],
                2 => &[0x08, 0x06, 0x00],
                _ => &[],
            };
            bytes[12..12 + header.len()].copy_from_slice(header);
            bytes[23] = [6, 17, 1, bytes[23]][usize::from(kind)];
        }
        let frame = Frame { at: SystemTime::now(), outgoing: false, bytes };
        if let Some(line) = Narrator::new().feed("l", &frame) {
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
