//! Bytes out are bytes in, and lines leave whole.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::num::NonZeroUsize;

use echoline_server::{Ending, LongLines, ServiceKind};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use socket2::SockRef;

use crate::support::*;

on_each_engine! {
    random_bytes_in_random_segments_come_back_identical,
    a_line_in_two_pieces_leaves_in_one_write,
    lines_that_arrive_together_leave_together,
    every_byte_but_lf_is_data,
    an_unfinished_last_line_comes_back_before_the_fin,
    a_client_that_finishes_at_once_gets_a_fin,
    sixty_four_mebibytes_come_back_after_a_half_close,
    lines_around_the_limit_come_back_identical,
    a_line_over_the_limit_is_refused_after_the_lines_before_it,
    an_urgent_byte_is_data_in_its_place,
    one_byte_at_a_time_comes_back,
}

fn random_bytes_in_random_segments_come_back_identical(case: &Case) {
    for kind in [ServiceKind::Echo, ServiceKind::EchoBytes] {
        let server = case.server(kind, |config| {
            config.max_line = NonZeroUsize::new(500).unwrap();
            config.max_pending_output = NonZeroUsize::new(3000).unwrap();
        });
        let input = (any::<u64>(), 0..50_000_usize, 2..1000_u64);
        let segments = prop::collection::vec(1..5000_usize, 1..40);
        let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
        let body = |((seed, len, line), segments): ((u64, usize, u64), Vec<usize>)| {
            let bytes = noise(seed, len, line);
            let mut rest = &bytes[..];
            let mut sizes = segments.iter().cycle();
            let mut pieces = Vec::new();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                pieces.push(piece.to_vec());
                rest = later;
            }
            let mut client = connect(&server);
            let sender = send_behind(&client, pieces);
            let back = read_to_end(&mut client);
            sender.join().unwrap();
            prop_assert!(back == bytes, "{} bytes came back, changed", back.len());
            Ok(())
        };
        TestRunner::new(config).run(&(input, segments), body).unwrap();
    }
}

fn a_line_in_two_pieces_leaves_in_one_write(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    client.write_all(b"hel").unwrap();
    until(&server, |stats| stats.bytes_in == 3);
    client.write_all(b"lo\n").unwrap();
    assert_eq!(one_read(&mut client), b"hello\n");
}

fn lines_that_arrive_together_leave_together(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    let lines = b"a line\n".repeat(100);
    client.write_all(&lines).unwrap();
    assert_eq!(one_read(&mut client), lines);
    let stats = until(&server, |stats| stats.bytes_out == 700);
    assert_eq!((stats.bytes_in, stats.lines), (700, 100));
}

fn every_byte_but_lf_is_data(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    let all: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').chain([b'\n']).collect();
    let lines: [&[u8]; 7] = [b"crlf\r\n", b"\n", b"\r\n", b"a\rb\n", b"\0\n", b"\xff\xfe\n", &all];
    for line in lines {
        exchange(&mut client, line);
    }
    let together = lines.concat();
    exchange(&mut client, &together);
}

fn an_unfinished_last_line_comes_back_before_the_fin(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    client.write_all(b"whole\nunfinished").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut client), b"whole\nunfinished");
    drop(client);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Done), 1);
}

fn a_client_that_finishes_at_once_gets_a_fin(case: &Case) {
    for kind in [ServiceKind::Echo, ServiceKind::EchoBytes] {
        let server = case.server(kind, |_| {});
        let mut client = connect(&server);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut client), b"");
    }
}

fn sixty_four_mebibytes_come_back_after_a_half_close(case: &Case) {
    const PIECE: usize = 1 << 20;
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    let all = noise(1, 2 * PIECE, 80);
    let piece = |n| &all[n * PIECE / 64..][..PIECE];
    let mut output = client.try_clone().unwrap();
    let sent = all.clone();
    let sender = std::thread::spawn(move || {
        (0..64).for_each(|n| output.write_all(&sent[n * PIECE / 64..][..PIECE]).unwrap());
        output.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = vec![0; PIECE];
    for n in 0..64 {
        client.read_exact(&mut back).unwrap();
        assert!(back == piece(n), "mebibyte {n} was changed");
    }
    assert_eq!(read_to_end(&mut client), b"");
    sender.join().unwrap();
}

fn lines_around_the_limit_come_back_identical(case: &Case) {
    for limit in [1, 100, 64 * 1024, 100_000] {
        let server =
            case.server(ServiceKind::Echo, |config| config.max_line = NonZeroUsize::new(limit).unwrap());
        for len in [limit - 1, limit, limit + 1, 3 * limit, 1 << 20] {
            let mut line = vec![b'x'; len.max(1)];
            *line.last_mut().unwrap() = b'\n';
            let mut client = connect(&server);
            let sender = send_behind(&client, vec![b"before\n".to_vec(), line.clone(), b"after".to_vec()]);
            let back = read_to_end(&mut client);
            sender.join().unwrap();
            assert!(back == [b"before\n", &line[..], b"after"].concat(), "line of {len}, limit {limit}");
        }
    }
}

fn a_line_over_the_limit_is_refused_after_the_lines_before_it(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| {
        config.max_line = NonZeroUsize::new(100).unwrap();
        config.long_lines = LongLines::Close;
    });
    let mut client = connect(&server);
    let fits = [&[b'x'; 99][..], b"\n"].concat();
    exchange(&mut client, &fits);
    client.write_all(&[&fits[..], &[b'y'; 101]].concat()).unwrap();
    assert_eq!(read_to_end(&mut client), fits);
    // What comes after the refusal neither hurts the client nor is answered.
    client.write_all(&[b'z'; 5000]).unwrap();
    drop(client);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::LongLine), 1);
}

fn an_urgent_byte_is_data_in_its_place(case: &Case) {
    for kind in [ServiceKind::Echo, ServiceKind::EchoBytes] {
        let server = case.server(kind, |_| {});
        let mut client = connect(&server);
        for _ in 0..200 {
            client.write_all(b"ab").unwrap();
            SockRef::from(&client).send_out_of_band(b"!").unwrap();
            client.write_all(b"cd\n").unwrap();
            let mut back = [0; 6];
            client.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"ab!cd\n");
        }
    }
}

fn one_byte_at_a_time_comes_back(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    let bytes = noise(7, 20_000, 100);
    let sender = send_behind(&client, bytes.chunks(1).map(<[u8]>::to_vec).collect());
    assert!(read_to_end(&mut client) == bytes);
    sender.join().unwrap();
}
