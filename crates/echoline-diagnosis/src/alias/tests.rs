use proptest::prelude::*;

use super::*;
use crate::code::{
    ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, BAD_PORT, CLOSED_EARLY, HOST_UNREACHABLE, LOCAL_FIREWALL,
    NAME_LOOKUP_FAILED, NAME_NOT_FOUND, NAME_SERVER_SILENT, NO_ADDRESS_OF_FAMILY, NO_ANSWER, NO_LOCAL_PORT,
    NO_ROUTE, NOT_UTF8, OUTPUT, PERMISSION_DENIED, REFUSED, REJECTED, RESET, SYSTEM, TIMED_OUT,
    TOO_MANY_OPEN_FILES, UNEXPECTED_REPLY,
};

fn codes(text: &str) -> Vec<Code> {
    find(text).unwrap_or_else(|| panic!("nothing found in {text}")).codes
}

/// Copied from terminals and logs. Most come from a run of the program against a closed port, a
/// missing name, a full or silent host and the like, in a namespace.
const PASTED: &[(&str, &[Code])] = &[
    // Python
    ("ConnectionRefusedError: [Errno 111] Connection refused", &[REFUSED]),
    ("urllib.error.URLError: <urlopen error [Errno 111] Connection refused>", &[REFUSED]),
    ("socket.gaierror: [Errno -2] Name or service not known", &[NAME_NOT_FOUND]),
    ("socket.gaierror: [Errno -3] Temporary failure in name resolution", &[NAME_LOOKUP_FAILED]),
    ("socket.gaierror: [Errno 8] nodename nor servname provided, or not known", &[NAME_NOT_FOUND]),
    ("socket.gaierror: [Errno -9] Address family for hostname not supported", &[NO_ADDRESS_OF_FAMILY]),
    ("OSError: [Errno 101] Network is unreachable", &[NO_ROUTE]),
    ("OSError: [Errno 113] No route to host", &[HOST_UNREACHABLE, REJECTED]),
    ("OSError: [Errno 98] Address already in use", &[ADDRESS_IN_USE, NO_LOCAL_PORT]),
    ("OSError: [Errno 99] Cannot assign requested address", &[ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT]),
    ("PermissionError: [Errno 13] Permission denied", &[PERMISSION_DENIED, LOCAL_FIREWALL]),
    ("BrokenPipeError: [Errno 32] Broken pipe", &[RESET, CLOSED_EARLY]),
    ("ConnectionResetError: [Errno 104] Connection reset by peer", &[RESET]),
    ("TimeoutError: timed out", &[NO_ANSWER, TIMED_OUT]),
    (
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        &[NOT_UTF8],
    ),
    (
        "ConnectionRefusedError: [WinError 10061] No connection could be made because the target \
         machine actively refused it",
        &[REFUSED],
    ),
    // Java
    ("java.net.ConnectException: Connection refused", &[REFUSED]),
    ("java.net.UnknownHostException: no-such.invalid", &[NAME_NOT_FOUND, NAME_LOOKUP_FAILED]),
    ("java.net.SocketException: Network is unreachable", &[NO_ROUTE]),
    ("java.net.SocketTimeoutException: Connect timed out", &[NO_ANSWER]),
    ("java.net.SocketTimeoutException: Read timed out", &[TIMED_OUT]),
    ("java.net.BindException: Cannot assign requested address", &[ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT]),
    ("java.net.SocketException: Connection reset", &[RESET]),
    // Node.js
    ("Error: connect ECONNREFUSED 127.0.0.1:9", &[REFUSED]),
    ("Error: connect ENETUNREACH 203.0.113.9:9 - Local (0.0.0.0:0)", &[NO_ROUTE]),
    ("Error: listen EADDRINUSE: address already in use :::5556", &[ADDRESS_IN_USE, NO_LOCAL_PORT]),
    (
        "Error: listen EADDRNOTAVAIL: address not available 203.0.113.77:5557",
        &[ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT],
    ),
    ("Error: getaddrinfo EAI_AGAIN no-such.invalid", &[NAME_LOOKUP_FAILED]),
    ("Error: getaddrinfo ENOTFOUND nx.example", &[NAME_NOT_FOUND]),
    (
        "RangeError [ERR_SOCKET_BAD_PORT]: Port should be >= 0 and < 65536. Received type number (70000).",
        &[BAD_PORT],
    ),
    ("Error: connect ETIMEDOUT 10.9.9.9:80", &[NO_ANSWER, TIMED_OUT]),
    ("Error: read ETIMEDOUT", &[TIMED_OUT, NO_ANSWER]),
    // Go
    ("dial tcp 127.0.0.1:9: connect: connection refused", &[REFUSED]),
    ("dial tcp 10.9.9.9:80: i/o timeout", &[NO_ANSWER, TIMED_OUT]),
    ("read tcp 10.0.0.1:4711->10.9.9.9:80: i/o timeout", &[TIMED_OUT, NO_ANSWER]),
    ("dial tcp: lookup nx.example on 127.0.0.53:53: no such host", &[NAME_NOT_FOUND]),
    (
        "dial tcp: lookup db on 10.0.0.2:53: read udp 10.0.0.1:4711->10.0.0.2:53: i/o timeout",
        &[NAME_SERVER_SILENT],
    ),
    (
        "dial tcp: lookup db on 10.0.0.2:53: read udp 10.0.0.1:4711->10.0.0.2:53: read: connection refused",
        &[NAME_SERVER_SILENT],
    ),
    ("accept tcp [::]:80: accept4: too many open files", &[TOO_MANY_OPEN_FILES]),
    // Rust
    (r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#, &[REFUSED]),
    ("Connection refused (os error 61)", &[REFUSED]),
    // curl
    (
        "curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server",
        &[REFUSED, HOST_UNREACHABLE, NO_ROUTE],
    ),
    ("curl: (7) Failed to connect to 127.0.0.1 port 9: Connection refused", &[REFUSED]),
    ("curl: (6) Could not resolve host: no-such.invalid", &[NAME_NOT_FOUND, NAME_LOOKUP_FAILED]),
    ("curl: (28) Connection timed out after 1000 milliseconds", &[NO_ANSWER]),
    ("curl: (28) Failed to connect to 127.0.0.1 port 7777 after 1000 ms: Timeout was reached", &[NO_ANSWER]),
    ("curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received", &[TIMED_OUT]),
    ("curl: (56) Recv failure: Connection reset by peer", &[RESET]),
    ("curl: (52) Empty reply from server", &[CLOSED_EARLY]),
    // ssh, nc, wget and others
    ("ssh: connect to host 127.0.0.1 port 7777: Connection timed out", &[NO_ANSWER, TIMED_OUT]),
    ("ssh: Could not resolve hostname nx.example: Name or service not known", &[NAME_NOT_FOUND]),
    ("kex_exchange_identification: read: Connection reset by peer", &[RESET]),
    ("kex_exchange_identification: Connection closed by remote host", &[CLOSED_EARLY]),
    ("Connection closed by 127.0.0.1 port 6001", &[CLOSED_EARLY]),
    ("git@example.com: Permission denied (publickey).", &[]),
    ("nc: connect to 127.0.0.1 port 7777 (tcp) timed out: Operation now in progress", &[NO_ANSWER]),
    (
        "wget: unable to resolve host address \u{2018}nx.example\u{2019}",
        &[NAME_NOT_FOUND, NAME_LOOKUP_FAILED],
    ),
    ("From 192.168.77.1 icmp_seq=1 Destination Host Unreachable", &[HOST_UNREACHABLE]),
    ("psql: error: connection to server at \"127.0.0.1\", port 9 failed: Connection refused", &[REFUSED]),
    ("bash: line 1: /dev/tcp/127.0.0.1/9: Connection refused", &[REFUSED]),
    (
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
        &[TIMED_OUT],
    ),
    ("net::ERR_CONNECTION_TIMED_OUT (-118)", &[NO_ANSWER]),
    ("This site can\u{2019}t be reached 127.0.0.1 refused to connect.", &[REFUSED]),
    ("SSL routines::wrong version number", &[UNEXPECTED_REPLY]),
];

#[test]
fn a_pasted_line_finds_what_it_names() {
    for (line, expected) in PASTED {
        assert_eq!(codes(line), *expected, "{line}");
        assert_eq!(codes(&line.to_uppercase()), *expected, "{line}");
    }
}

#[test]
fn every_name_finds_its_own_codes_alone_and_in_any_dress() {
    for alias in all() {
        for text in [&alias.name, &alias.name.to_lowercase(), &format!("  [\"{}\"]: ", alias.name)] {
            let found = find(text).unwrap();
            let same = |code| alias.codes.contains(code);
            assert_eq!(found.codes.len(), alias.codes.len(), "{text}: {found:?}");
            assert!(found.codes.iter().all(same), "{text}: {found:?}");
        }
    }
}

#[test]
fn no_name_stands_twice_and_each_can_be_copied_into_a_shell() {
    let mut seen = Vec::new();
    for alias in all() {
        let words = words(&alias.name);
        assert!(!seen.contains(&words), "{} is there twice", alias.name);
        seen.push(words);
        assert!(!alias.name.contains(['"', '$', '`', '\\', '!']) && alias.name.is_ascii(), "{}", alias.name);
        assert!(!alias.what.is_empty() && alias.what.is_ascii(), "{}", alias.name);
        for (at, code) in alias.codes.iter().enumerate() {
            assert!(!alias.codes[..at].contains(code), "{}: {code} twice", alias.name);
            assert!(Code::all().any(|known| known == *code), "{}: {code}", alias.name);
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
}

#[test]
fn a_number_counts_where_it_is_called_an_error() {
    for (text, name, what, code) in [
        ("111", "error 111", "ECONNREFUSED on Linux", REFUSED),
        ("[Errno 61]", "error 61", "ECONNREFUSED on macOS", REFUSED),
        ("errno=32", "error 32", "EPIPE on Unix systems", RESET),
        ("failed (os error 13)", "error 13", "EACCES on Unix systems", PERMISSION_DENIED),
        ("10061", "error 10061", "WSAECONNREFUSED on Windows", REFUSED),
        ("SocketException: error code 10054", "error 10054", "WSAECONNRESET on Windows", RESET),
        ("WinError 11001", "error 11001", "WSAHOST_NOT_FOUND on Windows", NAME_NOT_FOUND),
        ("[Errno -3]", "error -3", "getaddrinfo's EAI_AGAIN on Linux", NAME_LOOKUP_FAILED),
        ("Errno 28", "error 28", "ENOSPC on Unix systems", OUTPUT),
    ] {
        let found = find(text).unwrap();
        assert_eq!((found.name.as_str(), found.what.as_str(), found.codes[0]), (name, what, code), "{text}");
    }
    for text in ["", "7", "line 111", "exit code 111", "port 10061", "error 111", "errno 4711", "-2147483649"]
    {
        assert_eq!(find(text), None, "{text}");
    }
}

#[test]
fn what_the_program_was_doing_orders_the_codes() {
    assert_eq!(codes("EADDRNOTAVAIL"), [ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT]);
    assert_eq!(codes("connect: EADDRNOTAVAIL"), [NO_LOCAL_PORT, ADDRESS_NOT_AVAILABLE]);
    assert_eq!(codes("connect: Invalid argument"), [NO_ROUTE, SYSTEM]);
    assert_eq!(codes("ENETRESET"), [RESET, TIMED_OUT]);
}

#[test]
fn a_word_inside_another_is_not_found() {
    for text in ["ECONNREFUSEDX", "MYECONNREFUSED", "a reset", "eofs", "connection is refused", "connection"]
    {
        assert_eq!(find(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_searched_without_a_panic(text in ".{0,300}") {
        let _ = find(&text);
    }

    #[test]
    fn words_around_a_name_do_not_hide_it(before in "[0-9a-z :./]{0,40}", after in "[ :.][0-9 :./]{0,20}") {
        let found = find(&format!("{before} ECONNREFUSED{after}"));
        prop_assert!(found.is_some());
    }
}
