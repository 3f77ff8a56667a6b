//! The error numbers of operating systems, and what strerror says of them.

use super::Alias;
use crate::code::{
    ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, CLOSED_EARLY, Code, HOST_UNREACHABLE, LOCAL_FIREWALL, NO_ANSWER,
    NO_LOCAL_PORT, NO_ROUTE, OUTPUT, PERMISSION_DENIED, REFUSED, REJECTED, RESET, SYSTEM, TIMED_OUT,
    TOO_MANY_OPEN_FILES,
};

/// An error number, by its name on Unix; Windows puts `WSA` before it.
pub(super) struct Errno {
    pub(super) name: &'static str,
    pub(super) linux: u16,
    /// The BSDs have the same.
    pub(super) macos: u16,
    pub(super) windows: Option<u16>,
    /// What glibc, musl, macOS and libuv say of it.
    texts: &'static [&'static str],
    windows_text: Option<&'static str>,
    pub(super) codes: &'static [Code],
}

/// From connect(2), bind(2), send(2), ip(7), errno(3) and the list of Windows Sockets error codes;
/// what connect returns has the code that this project's own library gives it.
pub(super) const ERRNOS: &[Errno] = &[
    Errno {
        name: "ECONNREFUSED",
        linux: 111,
        macos: 61,
        windows: Some(10061),
        texts: &["Connection refused"],
        windows_text: Some("No connection could be made because the target machine actively refused it"),
        codes: &[REFUSED],
    },
    Errno {
        name: "ECONNRESET",
        linux: 104,
        macos: 54,
        windows: Some(10054),
        texts: &["Connection reset by peer"],
        windows_text: Some("An existing connection was forcibly closed by the remote host"),
        codes: &[RESET],
    },
    Errno {
        name: "ECONNABORTED",
        linux: 103,
        macos: 53,
        windows: Some(10053),
        texts: &["Software caused connection abort", "Connection aborted"],
        windows_text: Some("An established connection was aborted by the software in your host machine"),
        codes: &[RESET],
    },
    Errno {
        name: "ENETRESET",
        linux: 102,
        macos: 52,
        windows: Some(10052),
        texts: &["Network dropped connection on reset", "Connection reset by network"],
        windows_text: Some("The connection has been broken due to keep-alive activity detecting a failure"),
        codes: &[RESET, TIMED_OUT],
    },
    Errno {
        name: "EPIPE",
        linux: 32,
        macos: 32,
        windows: None,
        texts: &["Broken pipe"],
        windows_text: None,
        codes: &[RESET, CLOSED_EARLY],
    },
    Errno {
        name: "ENOTCONN",
        linux: 107,
        macos: 57,
        windows: Some(10057),
        texts: &["Transport endpoint is not connected", "Socket is not connected", "Socket not connected"],
        windows_text: Some(
            "A request to send or receive data was disallowed because the socket is not connected",
        ),
        codes: &[RESET],
    },
    Errno {
        name: "ETIMEDOUT",
        linux: 110,
        macos: 60,
        windows: Some(10060),
        texts: &["Connection timed out", "Operation timed out"],
        windows_text: Some(
            "A connection attempt failed because the connected party did not properly respond",
        ),
        codes: &[NO_ANSWER, TIMED_OUT],
    },
    Errno {
        name: "EHOSTUNREACH",
        linux: 113,
        macos: 65,
        windows: Some(10065),
        texts: &["No route to host", "Host is unreachable"],
        windows_text: Some("A socket operation was attempted to an unreachable host"),
        codes: &[HOST_UNREACHABLE, REJECTED],
    },
    Errno {
        name: "EHOSTDOWN",
        linux: 112,
        macos: 64,
        windows: Some(10064),
        texts: &["Host is down"],
        windows_text: Some("A socket operation failed because the destination host was down"),
        codes: &[HOST_UNREACHABLE],
    },
    Errno {
        name: "ENETUNREACH",
        linux: 101,
        macos: 51,
        windows: Some(10051),
        texts: &["Network is unreachable", "Network unreachable"],
        windows_text: Some("A socket operation was attempted to an unreachable network"),
        codes: &[NO_ROUTE],
    },
    Errno {
        name: "ENETDOWN",
        linux: 100,
        macos: 50,
        windows: Some(10050),
        texts: &["Network is down"],
        windows_text: Some("A socket operation encountered a dead network"),
        codes: &[NO_ROUTE],
    },
    Errno {
        name: "EADDRINUSE",
        linux: 98,
        macos: 48,
        windows: Some(10048),
        texts: &["Address already in use", "Address in use"],
        windows_text: Some(
            "Only one usage of each socket address (protocol/network address/port) is normally permitted",
        ),
        codes: &[ADDRESS_IN_USE, NO_LOCAL_PORT],
    },
    Errno {
        name: "EADDRNOTAVAIL",
        linux: 99,
        macos: 49,
        windows: Some(10049),
        texts: &[
            "Cannot assign requested address",
            "Can't assign requested address",
            "Address not available",
        ],
        windows_text: Some("The requested address is not valid in its context"),
        codes: &[ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT],
    },
    Errno {
        name: "EAFNOSUPPORT",
        linux: 97,
        macos: 47,
        windows: Some(10047),
        texts: &[
            "Address family not supported by protocol",
            "Address family not supported by protocol family",
        ],
        windows_text: Some("An address incompatible with the requested protocol was used"),
        codes: &[NO_ROUTE, ADDRESS_NOT_AVAILABLE],
    },
    Errno {
        name: "EACCES",
        linux: 13,
        macos: 13,
        windows: Some(10013),
        texts: &["Permission denied"],
        windows_text: Some(
            "An attempt was made to access a socket in a way forbidden by its access permissions",
        ),
        codes: &[PERMISSION_DENIED, LOCAL_FIREWALL],
    },
    Errno {
        name: "EPERM",
        linux: 1,
        macos: 1,
        windows: None,
        texts: &["Operation not permitted"],
        windows_text: None,
        codes: &[PERMISSION_DENIED, LOCAL_FIREWALL],
    },
    Errno {
        name: "EMFILE",
        linux: 24,
        macos: 24,
        windows: Some(10024),
        texts: &["Too many open files", "No file descriptors available"],
        windows_text: Some("Too many open sockets"),
        codes: &[TOO_MANY_OPEN_FILES],
    },
    Errno {
        name: "ENFILE",
        linux: 23,
        macos: 23,
        windows: None,
        texts: &["Too many open files in system"],
        windows_text: None,
        codes: &[TOO_MANY_OPEN_FILES],
    },
    Errno {
        name: "ENOBUFS",
        linux: 105,
        macos: 55,
        windows: Some(10055),
        texts: &["No buffer space available"],
        windows_text: Some("The system lacked sufficient buffer space or because a queue was full"),
        codes: &[SYSTEM, NO_LOCAL_PORT],
    },
    Errno {
        name: "ENOMEM",
        linux: 12,
        macos: 12,
        windows: None,
        texts: &["Cannot allocate memory", "Out of memory"],
        windows_text: None,
        codes: &[SYSTEM],
    },
    Errno {
        name: "EINVAL",
        linux: 22,
        macos: 22,
        windows: Some(10022),
        texts: &["Invalid argument"],
        windows_text: Some("An invalid argument was supplied"),
        // A route of the kind blackhole.
        codes: &[SYSTEM, NO_ROUTE],
    },
    Errno {
        name: "EAGAIN",
        linux: 11,
        macos: 35,
        windows: None,
        // A blocking socket whose timeout is over.
        texts: &["Resource temporarily unavailable"],
        windows_text: None,
        codes: &[TIMED_OUT, SYSTEM],
    },
    Errno {
        name: "EWOULDBLOCK",
        linux: 11,
        macos: 35,
        // There it is no error, but how a connection begins.
        windows: None,
        texts: &[],
        windows_text: None,
        codes: &[TIMED_OUT],
    },
    Errno {
        name: "EINPROGRESS",
        linux: 115,
        macos: 36,
        windows: None,
        // What connect returns when the timeout of the socket is over, socket(7).
        texts: &["Operation now in progress", "Operation in progress"],
        windows_text: None,
        codes: &[NO_ANSWER],
    },
    Errno {
        name: "ENOSPC",
        linux: 28,
        macos: 28,
        windows: None,
        texts: &["No space left on device"],
        windows_text: None,
        codes: &[OUTPUT],
    },
];

impl Errno {
    /// Its name, its texts, and those of Windows.
    pub(super) fn names(&self) -> Vec<Alias> {
        let Self { name, linux, macos, codes, .. } = *self;
        let unix = if linux == macos {
            format!("error {linux} of Unix systems")
        } else {
            format!("an error of Unix systems, number {linux} on Linux and {macos} on macOS")
        };
        let mut names = vec![Alias::new(name, unix, codes)];
        let texts = self.texts.iter();
        names.extend(texts.map(|text| Alias::new(*text, format!("how Unix systems write {name}"), codes)));
        let winsock = self.windows.map(|number| (format!("WSA{name}"), number));
        if let Some((name, number)) = winsock {
            let text = self.windows_text.iter();
            names.extend(text.map(|text| Alias::new(*text, format!("how Windows writes {name}"), codes)));
            names.push(Alias::new(name, format!("error {number} of Windows Sockets"), codes));
        }
        names
    }
}
