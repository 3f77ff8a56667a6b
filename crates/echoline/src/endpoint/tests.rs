use proptest::prelude::*;

use super::*;

fn said(text: &str) -> String {
    let error = text.parse::<Endpoint>().expect_err(text);
    format!("{error} [{}]", error.code())
}

#[test]
fn what_is_written_parses_again() {
    for text in [
        "localhost:5151",
        "a_b.example.:0",
        "128.195.1.1:65535",
        "[::1]:5151",
        "[fe80::1%eth0]:7",
        "[::ffff:1.2.3.4]:1",
    ] {
        let endpoint: Endpoint = text.parse().expect(text);
        assert_eq!(endpoint.to_string(), text);
    }
}

#[test]
fn schemes_bring_their_ports() {
    let read = |text: &str| text.parse::<Endpoint>().expect(text).to_string();
    assert_eq!(read("http://example.com"), "example.com:80");
    assert_eq!(read("HTTPS://example.com/"), "example.com:443");
    assert_eq!(read("https://[::1]:8443"), "[::1]:8443");
    assert_eq!(read("tcp://10.0.0.1:9"), "10.0.0.1:9");
    assert_eq!(said("tcp://example.com"), "tcp://example.com has no port [bad-port]");
    assert_eq!(
        said("ftp://example.com"),
        "the scheme ftp in ftp://example.com is none of tcp, http and https [bad-address]"
    );
    assert_eq!(
        said("http://h/x"),
        "/x in http://h/x is a path; an endpoint is a host and a port [bad-address]"
    );
    assert!(!said("http://me:secret@h/").contains("secret"));
}

#[test]
fn a_left_out_port_is_the_default() {
    let read = |text: &str| Endpoint::parse_with_default(text, Port::DEFAULT).map(|e| e.to_string());
    assert_eq!(read("example.com").unwrap(), "example.com:5151");
    assert_eq!(read("::1").unwrap(), "[::1]:5151");
    assert_eq!(read("fe80::1%2").unwrap(), "[fe80::1%2]:5151");
    assert_eq!(read("[::1]").unwrap(), "[::1]:5151");
    assert_eq!(read("example.com:7").unwrap(), "example.com:7");
    assert_eq!(read("5151").unwrap_err().remedy(), "write localhost:5151 for that port on this machine");
}

#[test]
fn an_ipv6_address_that_may_end_in_a_port_says_where_the_brackets_go() {
    let remedy = |text: &str| text.parse::<Endpoint>().unwrap_err().remedy().to_owned();
    assert_eq!(remedy("::1:80"), "if 80 is the port, write [::1]:80; else add one, such as [::1:80]:5151");
    assert_eq!(remedy("fd00::10"), "add one, such as [fd00::10]:5151");
    assert_eq!(remedy("fd00::1:ab"), "add one, such as [fd00::1:ab]:5151");
    assert_eq!(remedy("::1"), "add one, such as [::1]:5151");
}

#[test]
fn an_error_points_at_the_offending_part() {
    for (text, expected) in [
        ("128.195.1.256:1", "256 in 128.195.1.256 is above 255 [bad-address]"),
        (
            "1.2.3.99999999999999999999:1",
            "99999999999999999999 in 1.2.3.99999999999999999999 is above 255 [bad-address]",
        ),
        ("127.1:1", "127.1 has 2 numbers, an IPv4 address has four [bad-address]"),
        ("1.2.3.4.5:1", "1.2.3.4.5 has 5 numbers, an IPv4 address has four [bad-address]"),
        ("010.0.0.1:1", "010 in 010.0.0.1 starts with 0, which some programs read as octal [bad-address]"),
        ("0x7f.1:1", "0x7f in 0x7f.1 is no number from 0 to 255 [bad-address]"),
        ("1.2.3.0x4:1", "0x4 in 1.2.3.0x4 is no number from 0 to 255 [bad-address]"),
        ("1..2.3:1", "a number is missing in 1..2.3 beside a dot [bad-address]"),
        ("5151", "5151 is a number, not a host [bad-address]"),
        ("2130706433:1", "2130706433 is a number, not a host [bad-address]"),
        (":5151", "the host is missing [bad-address]"),
        ("", "the host is missing [bad-address]"),
        ("localhost", "localhost has no port [bad-port]"),
        ("localhost:", "the port is missing [bad-port]"),
        ("localhost:70000", "port 70000 is above 65535 [bad-port]"),
        ("localhost:-1", "port -1 is below 0 [bad-port]"),
        ("localhost:+1", "port +1 is no number [bad-port]"),
        ("localhost:http", "port http is no number [bad-port]"),
        ("[::1:5151", "the [ in [::1:5151 is never closed by a ] [bad-address]"),
        ("[::1]5151", "5151 in [::1]5151 is out of place: after ] comes : and a port [bad-address]"),
        ("[localhost]:1", "localhost is no IPv6 address; only those stand in brackets [bad-address]"),
        ("[::g]:1", "g in ::g is no hexadecimal number [bad-address]"),
        ("[::12345]:1", "12345 in ::12345 is above ffff [bad-address]"),
        ("[1::2::3]:1", ":: stands more than once in 1::2::3 [bad-address]"),
        (
            "[1:2]:1",
            "1:2 has no eight groups, and no :: in their place, so it is no IPv6 address [bad-address]",
        ),
        ("[::ffff:1.2.3.256]:1", "256 in 1.2.3.256 is above 255 [bad-address]"),
        ("[::1%lo]:1", "%lo in ::1%lo has no meaning: only link-local addresses have a zone [bad-address]"),
        ("[fe80::1%]:1", "the zone \"\" in fe80::1% is no name of an interface [bad-address]"),
        ("exa mple:1", "' ' in exa mple has no place in a host name [bad-address]"),
        ("caf\u{e9}.example:1", "'\u{e9}' in caf\u{e9}.example has no place in a host name [bad-address]"),
        ("a..b:1", "a part of the name a..b between dots is empty [bad-address]"),
        ("-a.b:1", "-a in the name -a.b starts or ends with a hyphen [bad-address]"),
    ] {
        assert_eq!(said(text), expected);
    }
    let long = format!("{}:1", "a".repeat(64));
    assert!(said(&long).contains("more than 63"));
    assert!(said(&format!("{}:1", "a.".repeat(127) + "a")).contains("at most 253"));
}

#[test]
fn an_error_never_carries_a_control_byte() {
    assert_eq!(said("a\x1b[2Jb:1"), r"'\u{1b}' in a\x1b[2Jb has no place in a host name [bad-address]");
    assert!(!said("h:\x1b\n").contains(['\x1b', '\n']));
}

#[test]
fn host_and_port_apart_are_read_as_strictly() {
    assert_eq!(Endpoint::from_parts("::1", "5151").unwrap().to_string(), "[::1]:5151");
    assert_eq!(Endpoint::from_parts("[::1]", "0").unwrap().to_string(), "[::1]:0");
    assert_eq!(Endpoint::from_parts("localhost", "99999").unwrap_err().code().as_str(), "bad-port");
    let twice = Endpoint::from_parts("a:1", "1").unwrap_err();
    assert_eq!(twice.to_string(), "a:1 is a host and a port, where only a host belongs");
    assert_eq!(
        (twice.code().as_str(), twice.remedy().as_str()),
        ("bad-address", "write a alone; the port goes apart")
    );
}

#[test]
fn a_url_where_only_a_host_belongs_is_told_which_part_of_it_is_the_host() {
    let apart = |text| Endpoint::from_parts(text, "9").unwrap_err();
    for (text, host) in
        [("http://localhost", "localhost"), ("tcp://[::1]:7/", "[::1]"), ("ftp://a.example:21", "a.example")]
    {
        let error = apart(text);
        assert_eq!(error.to_string(), format!("{text} is a URL, where only a host belongs"));
        assert_eq!(error.remedy(), format!("write {host} alone; the port goes apart"));
    }
    assert_eq!(apart("http://localhost/path").remedy(), "leave /path out");
    assert!(!apart("http://me:secret@a.example").to_string().contains("secret"));
    assert_eq!(apart("http://").code().as_str(), "bad-address");
}

#[test]
fn ports_below_1024_are_reserved_but_0_asks_for_any() {
    let reserved = |port: u16| Port::from(port).is_reserved();
    assert!(!reserved(0) && reserved(1) && reserved(1023) && !reserved(1024) && !reserved(65535));
}

#[test]
fn localhost_is_a_name_with_any_case_and_with_names_below_it() {
    for (text, expected) in [
        ("localhost", true),
        ("LocalHost.", true),
        ("a.localhost", true),
        ("localhost.example", false),
        ("xlocalhost", false),
    ] {
        assert_eq!(text.parse::<Host>().unwrap().is_localhost(), expected, "{text}");
    }
}

#[test]
fn the_kind_of_an_address_ends_where_its_registry_entry_ends() {
    for (text, kind) in [
        ("126.255.255.255", "global"),
        ("127.0.0.0", "loopback"),
        ("127.255.255.255", "loopback"),
        ("128.0.0.0", "global"),
        ("10.0.0.0", "private"),
        ("11.0.0.0", "global"),
        ("172.15.255.255", "global"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "global"),
        ("192.168.255.255", "private"),
        ("192.169.0.0", "global"),
        ("100.63.255.255", "global"),
        ("100.64.0.0", "carrier-grade NAT"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("100.128.0.0", "global"),
        ("169.254.1.1", "link-local"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.255", "documentation"),
        ("203.0.114.0", "global"),
        ("224.0.0.0", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.0", "global"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::2", "global"),
        ("fe80::1", "link-local"),
        ("febf::", "link-local"),
        ("fec0::", "global"),
        ("fc00::", "private"),
        ("fdff::", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::", "documentation"),
        ("2001:db9::", "global"),
        ("3fff:fff::", "documentation"),
        ("3fff:1000::", "global"),
        ("::ffff:10.0.0.1", "private"),
    ] {
        assert_eq!(AddressKind::of(text.parse().unwrap()).as_str(), kind, "{text}");
    }
}

proptest! {
    #[test]
    fn every_address_and_port_is_read_back(ip in any::<IpAddr>(), port in any::<u16>()) {
        let endpoint = Endpoint::from((ip, port));
        prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
    }

    #[test]
    fn any_text_is_an_endpoint_that_is_read_back_or_an_error_on_one_line(text in "\\PC{0,40}|[a-f0-9.:%\\[\\]]{0,30}") {
        match text.parse::<Endpoint>() {
            Ok(endpoint) => prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint),
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }
}
