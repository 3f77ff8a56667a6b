//! One source cannot take all places.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;

use echoline_server::{Server, ServiceKind};
use socket2::{Domain, Socket, Type};

use crate::support::*;

on_each_engine! {
    one_source_too_many_times_is_reset_and_others_are_served,
    an_ipv4_client_of_a_listener_for_both_families_is_the_same_source,
    without_a_limit_a_source_may_have_them_all,
}

/// Connects from another address of this machine: all of 127/8 is.
fn connect_from(last: u8, server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&address(server).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn one_source_too_many_times_is_reset_and_others_are_served(case: &Case) {
    let server =
        case.server(ServiceKind::Echo, |config| config.max_connections_per_source = NonZeroUsize::new(2));
    let mut first = connect_from(1, &server);
    let mut second = connect_from(1, &server);
    exchange(&mut first, b"one\n");
    exchange(&mut second, b"two\n");
    let refused = connect_from(1, &server).read(&mut [0; 10]).unwrap_err();
    assert!(is_reset(&refused), "{refused}");
    exchange(&mut connect_from(2, &server), b"another source\n");
    let stats = until(&server, |stats| stats.open == 2);
    assert_eq!((stats.accepted, stats.refused_at_source_limit, stats.refused_at_limit), (3, 1, 0));
    drop(first);
    until(&server, |stats| stats.open == 1);
    exchange(&mut connect_from(1, &server), b"a place is free again\n");
    exchange(&mut second, b"two\n");
}

fn an_ipv4_client_of_a_listener_for_both_families_is_the_same_source(case: &Case) {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&SocketAddr::from(([0_u16; 8], 0)).into()).unwrap();
    socket.listen(16).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    let mut config = case.config();
    config.max_connections_per_source = NonZeroUsize::new(1);
    let server = Server::builder(config)
        .listen(ServiceKind::Echo, listener)
        .listen(ServiceKind::Echo, crate::support::listener())
        .start()
        .unwrap();
    exchange(&mut connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))), b"mapped\n");
    until(&server, |stats| stats.open == 0);
    let mut plain = connect_to(server.endpoints()[1].address);
    exchange(&mut plain, b"plain\n");
    let refused = connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).read(&mut [0]).unwrap_err();
    assert!(is_reset(&refused), "{refused}");
    let other = IpAddr::from(std::net::Ipv6Addr::LOCALHOST);
    if case.has_ipv6() {
        exchange(&mut connect_to(SocketAddr::from((other, port))), b"another family, another source\n");
    }
}

fn without_a_limit_a_source_may_have_them_all(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| {
        config.max_connections = 3;
        config.max_connections_per_source = None;
    });
    let mut all: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    all.iter_mut().for_each(|one| exchange(one, b"here\n"));
    let refused = connect(&server).read(&mut [0]).unwrap_err();
    assert!(is_reset(&refused), "{refused}");
    assert_eq!(server.stats().refused_at_limit, 1);
}
