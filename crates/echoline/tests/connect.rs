//! Connecting and listening, over real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use echoline::attempt::Outcome;
use echoline::{ConnectEvent, Endpoint, Error, Family, Keepalive, Listener, Operation, Socket, Target, code};
use echoline_testing::has_ipv6;

fn on(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// A port of `ip` that refuses for as long as the socket lives: bound, so that nobody else gets it, not listening.
fn closed_port(ip: IpAddr) -> (socket2::Socket, Endpoint) {
    let address = SocketAddr::new(ip, 0);
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
    if ip.is_ipv6() {
        socket.set_only_v6(true).unwrap();
    }
    socket.bind(&address.into()).unwrap();
    let endpoint = socket.local_addr().unwrap().as_socket().unwrap().into();
    (socket, endpoint)
}

/// A listener whose queue is full, so that the kernel drops further requests. They live as long as it is full.
fn full_backlog() -> (TcpListener, Vec<TcpStream>, Endpoint) {
    let listener: TcpListener = Socket::new().backlog(1).listen(&on("127.0.0.1:0")).unwrap().into();
    let address = listener.local_addr().unwrap();
    // On loopback, a request that the queue takes is connected at once, on a busy machine in a moment.
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        held.push(stream);
        assert!(held.len() < 100, "a backlog of 1 takes a few");
    }
    (listener, held, address.into())
}

fn port_of(listener: &Listener) -> u16 {
    listener.local().port()
}

#[test]
fn a_closed_port_is_refused_with_the_attempt_on_record() {
    for ip in ["127.0.0.1", "127.9.9.9", "::1"] {
        if ip == "::1" && !has_ipv6("a_closed_port_is_refused_with_the_attempt_on_record") {
            return;
        }
        let (_bound, endpoint) = closed_port(ip.parse().unwrap());
        let error = Socket::new().connect(&endpoint).unwrap_err();
        assert_eq!(error.code(), code::REFUSED);
        assert_eq!(error.to_string(), format!("{endpoint} refused the connection"));
        assert_eq!(
            (error.operation(), error.endpoint()),
            (Some(Operation::Connect), Some(&Target::from(&endpoint)))
        );
        assert!(error.remedy().starts_with("start the server"));
        let [attempt] = error.attempts() else { panic!("{error:?}") };
        assert_eq!(Endpoint::from(attempt.address), endpoint);
        assert_eq!(attempt.outcome, Outcome::Failed { code: code::REFUSED, os_error: Some(111) });
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("refused"));
    }
}

#[test]
fn a_full_backlog_is_no_answer_at_the_deadline() {
    let (_listener, _held, endpoint) = full_backlog();
    let begin = Instant::now();
    let error = Socket::new().connect_timeout(Duration::from_millis(300)).connect(&endpoint).unwrap_err();
    assert_eq!(error.code(), code::NO_ANSWER);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("{endpoint} did not answer in ")) && message.ends_with(" ms"),
        "{message}"
    );
    let [attempt] = error.attempts() else { panic!("{error:?}") };
    assert_eq!(attempt.outcome, Outcome::Failed { code: code::NO_ANSWER, os_error: None });
    assert_eq!(attempt.source.unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[test]
fn localhost_tries_ipv6_and_then_ipv4() {
    let listener = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let endpoint = Endpoint::try_from(("localhost", port_of(&listener))).unwrap();
    let connection = Socket::new().connect(&endpoint).unwrap();
    assert_eq!(connection.peer(), listener.local());
    let [v6, v4] = connection.attempts() else { panic!("{:?}", connection.attempts()) };
    assert!(v6.address.is_ipv6() && matches!(v6.outcome, Outcome::Failed { .. }));
    assert_eq!((v4.address, v4.outcome), (listener.local(), Outcome::Connected));
    assert_eq!(v4.source, Some(connection.local()));

    if !has_ipv6("localhost_tries_ipv6_and_then_ipv4") {
        return;
    }
    let error = Socket::new().family(Family::V6).connect(&endpoint).unwrap_err();
    let whom = format!("localhost:{} (::1)", port_of(&listener));
    assert_eq!(error.to_string(), format!("{whom} refused the connection"));
}

#[test]
fn a_failure_of_several_addresses_says_so() {
    if !has_ipv6("a_failure_of_several_addresses_says_so") {
        return;
    }
    // Held for both families, so that both refuse. Somebody else may have the port in IPv4: then another.
    let held = (0..100).find_map(|_| {
        let (v6, endpoint) = closed_port("::1".parse().unwrap());
        let v4 = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        v4.bind(&SocketAddr::from(([127, 0, 0, 1], endpoint.port().get())).into()).ok()?;
        Some((v6, v4, endpoint))
    });
    let (v6, v4, endpoint) = held.expect("a port that is free in both families");
    let error = Socket::new()
        .connect(&Endpoint::try_from(("localhost", endpoint.port().get())).unwrap())
        .unwrap_err();
    let port = endpoint.port();
    assert_eq!(error.to_string(), format!("localhost:{port} (2 addresses tried) refused the connection"));
    drop((v6, v4));
}

#[test]
fn what_happens_is_told_as_it_happens() {
    let listener = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let mut told = Vec::new();
    let mut observe = |event: ConnectEvent<'_>| {
        told.push(match event {
            ConnectEvent::Resolved { addresses, .. } => format!("resolved {addresses:?}"),
            ConnectEvent::Started(address) => format!("started {address}"),
            ConnectEvent::Ended(attempt) => format!("ended {:?}", attempt.outcome),
            _ => "new".into(),
        });
    };
    let address = listener.local();
    Socket::new().connect_with(&address.into(), &mut observe).unwrap();
    assert_eq!(
        told,
        [format!("resolved [{address}]"), format!("started {address}"), "ended Connected".into()]
    );
}

#[test]
fn the_source_address_is_where_the_connection_comes_from() {
    let listener = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let source: IpAddr = "127.0.0.77".parse().unwrap();
    let connection = Socket::new().source(source).connect(&listener.local().into()).unwrap();
    assert_eq!(connection.local().ip(), source);
    assert_eq!(listener.accept().unwrap().peer(), connection.local());

    // A failure at the start ends it; nothing is left to wait for.
    let socket = Socket::new().connect_timeout(Duration::MAX).source("192.0.2.7".parse().unwrap());
    let error = socket.connect(&listener.local().into()).unwrap_err();
    assert_eq!(error.code(), code::ADDRESS_NOT_AVAILABLE);
    assert!(error.to_string().starts_with("192.0.2.7 is no address of this machine"), "{error}");

    let error = Socket::new().source(source).connect(&on("[::1]:1")).unwrap_err();
    assert_eq!(error.code(), code::NO_ADDRESS_OF_FAMILY);
    assert_eq!(error.to_string(), "::1 has no IPv4 address, and the source address 127.0.0.77 is one");
    assert!(error.remedy().starts_with("give a source address of the same IP version"));
    let error = Socket::new().source(source).family(Family::V6).connect(&on("localhost:1")).unwrap_err();
    assert_eq!(error.to_string(), "an IPv4 source address cannot reach localhost:1 over IPv6");
}

#[test]
fn options_reach_the_socket() {
    let listener = Socket::new().recv_buffer(20_000).no_delay(false).listen(&on("127.0.0.1:0")).unwrap();
    let keepalive = Keepalive { idle: Duration::from_secs(7), interval: Duration::from_secs(2), probes: 3 };
    let socket = Socket::new().keepalive(keepalive).send_buffer(30_000).recv_buffer(40_000);
    let (client, _) = socket.connect(&listener.local().into()).unwrap().into_stream();
    let (server, _) = listener.accept().unwrap().into_stream();
    let (client, server) = (socket2::SockRef::from(&client), socket2::SockRef::from(&server));
    assert!(client.keepalive().unwrap() && client.tcp_nodelay().unwrap());
    assert_eq!(client.tcp_keepalive_time().unwrap(), keepalive.idle);
    assert_eq!(client.tcp_keepalive_interval().unwrap(), keepalive.interval);
    assert_eq!(client.tcp_keepalive_retries().unwrap(), keepalive.probes);
    assert!(client.send_buffer_size().unwrap() >= 30_000 && client.recv_buffer_size().unwrap() >= 40_000);
    assert!(!server.keepalive().unwrap() && !server.tcp_nodelay().unwrap());
    assert_eq!(server.recv_buffer_size().unwrap(), 40_000, "inherited, and doubled by Linux");
}

#[test]
fn the_longest_timeout_is_no_overflow() {
    let (_bound, endpoint) = closed_port(Ipv4Addr::LOCALHOST.into());
    let error = Socket::new().connect_timeout(Duration::MAX).connect(&endpoint).unwrap_err();
    assert_eq!(error.code(), code::REFUSED);
}

#[test]
fn port_0_and_addresses_of_groups_are_refused_before_anything_is_sent() {
    for (target, code) in [
        ("127.0.0.1:0", code::BAD_PORT),
        ("no-such-host.invalid:0", code::BAD_PORT),
        ("224.0.0.1:7", code::BAD_ADDRESS),
        ("255.255.255.255:7", code::BAD_ADDRESS),
        ("[ff02::1]:7", code::BAD_ADDRESS),
        ("[::ffff:239.1.2.3]:7", code::BAD_ADDRESS),
    ] {
        let error = Socket::new().connect(&on(target)).unwrap_err();
        assert_eq!(error.code(), code, "{target}: {error}");
        assert_eq!((error.operation(), error.attempts()), (Some(Operation::Connect), &[][..]), "{target}");
        assert_eq!(error.endpoint(), Some(&Target::from(&on(target))));
    }
    for target in ["127.0.0.1:1", "0.0.0.0:7", "[fe80::1%1]:7", "223.255.255.255:65535", "somewhere:7"] {
        assert!(on(target).can_be_connected_to().is_ok(), "{target}");
    }
}

#[test]
fn no_time_at_all_is_no_answer_without_an_attempt() {
    let (_bound, endpoint) = closed_port(Ipv4Addr::LOCALHOST.into());
    let error = Socket::new().connect_timeout(Duration::ZERO).connect(&endpoint).unwrap_err();
    assert_eq!((error.code(), error.attempts().len()), (code::NO_ANSWER, 0));
}

#[test]
fn a_port_that_listens_already_is_in_use() {
    let first = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let endpoint = Endpoint::from(first.local());
    let error = Socket::new().listen(&endpoint).unwrap_err();
    assert_eq!(error.code(), code::ADDRESS_IN_USE);
    assert_eq!(error.to_string(), format!("{endpoint} is in use by another program"));
    assert_eq!(
        (error.operation(), error.endpoint()),
        (Some(Operation::Listen), Some(&Target::from(&endpoint)))
    );
}

#[test]
fn a_port_is_free_again_while_old_connections_wait_out_their_minute() {
    let listener = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let endpoint = Endpoint::from(listener.local());
    let mut client = Socket::new().connect(&endpoint).unwrap();
    let server = listener.accept().unwrap();
    // The side that closes first keeps TIME_WAIT: here the server's, on the listener's port.
    server.close();
    assert_eq!(client.recv(1).unwrap(), b"");
    client.close();
    drop(listener);
    Socket::new().listen(&endpoint).unwrap();
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    let error = Socket::new().listen(&on("192.0.2.1:0")).unwrap_err();
    assert_eq!(error.code(), code::ADDRESS_NOT_AVAILABLE);
    assert_eq!(error.to_string(), "192.0.2.1 is no address of this machine");
}

#[test]
fn localhost_listens_on_both_loopbacks_with_one_port() {
    let listeners = Socket::new().listen_all(&on("localhost:0")).unwrap();
    let port = port_of(&listeners[0]);
    assert!(
        listeners.iter().all(|listener| port_of(listener) == port && listener.local().ip().is_loopback())
    );
    // A machine without IPv6 has one.
    let ipv6 = TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(listeners.len(), if ipv6 { 2 } else { 1 });
    for listener in &listeners {
        TcpStream::connect(listener.local()).unwrap();
    }
    let error = Socket::new().listen_all(&Endpoint::try_from(("localhost", port)).unwrap()).unwrap_err();
    assert_eq!(error.code(), code::ADDRESS_IN_USE);
}

#[test]
fn everywhere_means_every_interface_and_both_families_side_by_side() {
    let listeners = Socket::new().listen_everywhere(0).unwrap();
    assert!(listeners.iter().all(|listener| listener.local().ip().is_unspecified()));
    let port = port_of(&listeners[0]);
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    TcpStream::connect(("127.3.2.1", port)).unwrap();
    let only_v4 = Socket::new().family(Family::V4).listen_everywhere(0).unwrap();
    assert_eq!(only_v4.len(), 1);
    assert!(only_v4[0].local().is_ipv4());
}

#[test]
fn accept_skips_nobody_and_knows_both_addresses() -> Result<(), Error> {
    let listeners = Socket::new().family(Family::V4).listen_everywhere(0)?;
    let target = Endpoint::try_from(("127.0.0.5", port_of(&listeners[0])))?;
    let client = Socket::new().connect(&target)?;
    let server = listeners[0].accept()?;
    assert_eq!(server.local(), client.peer(), "the address that was dialled, not 0.0.0.0");
    assert_eq!(server.peer(), client.local());
    assert!(server.attempts().is_empty());
    Ok(())
}

#[test]
fn a_connection_that_was_reset_while_it_waited_does_not_end_accept() {
    let listener = Socket::new().listen(&on("127.0.0.1:0")).unwrap();
    let gone = TcpStream::connect(listener.local()).unwrap();
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
    drop(gone);
    let here = TcpStream::connect(listener.local()).unwrap();
    let mut peers = Vec::new();
    while peers.last() != Some(&here.local_addr().unwrap()) {
        assert!(peers.len() < 3);
        peers.push(listener.accept().unwrap().peer());
    }
}
