//! The stable codes of failures.

use std::fmt;
use std::io;
use std::str::FromStr;

use rustix::io::Errno;

/// Declares the codes once: the variant, its text, its meaning.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What went wrong, as a stable word for scripts. [`explain`](crate::explain::explain) tells more.
        ///
        /// The text of a code never changes its meaning; new codes may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code there is, in the order of the book: names, connecting, listening, talking, silence.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as it is written, such as `no-answer`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    /// A host is neither a name nor the address of one host.
    BadAddress = "bad-address",
    /// A port is missing, no number, above 65535, or 0 where a connection was to be opened.
    BadPort = "bad-port",
    /// The name does not exist, or has no address at all.
    NameNotFound = "name-not-found",
    /// The name could not be looked up: no answer from a name server, or a broken one.
    NameLookupFailed = "name-lookup-failed",
    /// No configured name server answers.
    NameServerSilent = "name-server-silent",
    /// The lookup took longer than allowed.
    NameLookupTimedOut = "name-lookup-timed-out",
    /// The host has addresses, but none of the family (IPv4, IPv6) that was asked for.
    NoAddressOfFamily = "no-address-of-family",
    /// Too many lookups of this program are stuck already.
    ResolverBusy = "resolver-busy",
    /// The host answered that nothing listens on the port.
    Refused = "refused",
    /// A firewall, or a router by its rules, answered that the request may not pass.
    Rejected = "rejected",
    /// Nothing came back to the connection request.
    NoAnswer = "no-answer",
    /// Nothing came back, and the host is known to be up: a firewall drops.
    Dropped = "dropped",
    /// This machine's own rules kept the request in.
    LocalFirewall = "local-firewall",
    /// This machine, or a router, knows no way to the network.
    NoRoute = "no-route",
    /// The last router, or this machine, could not find the host.
    HostUnreachable = "host-unreachable",
    /// No program of this machine listens there.
    NotListening = "not-listening",
    /// A program listens, for this machine alone.
    LoopbackOnly = "loopback-only",
    /// A program listens and takes no connections: it is stopped or stuck, or its queue is full.
    NotAccepting = "not-accepting",
    /// No local port is free for one more connection.
    NoLocalPort = "no-local-port",
    /// The address belongs to no interface of this machine.
    AddressNotAvailable = "address-not-available",
    /// Another socket holds the address and port.
    AddressInUse = "address-in-use",
    /// This machine's rules forbid it to this user.
    PermissionDenied = "permission-denied",
    /// This process, or the machine, has no file descriptor left.
    TooManyOpenFiles = "too-many-open-files",
    /// The other side, or something between, broke the connection off.
    Reset = "reset",
    /// An established connection stayed silent longer than allowed.
    TimedOut = "timed-out",
    /// The other side finished before everything expected had come.
    ClosedEarly = "closed-early",
    /// What came back is not what was sent.
    Altered = "altered",
    /// More came back than was sent.
    Added = "added",
    /// More came back than was sent, and it does not end.
    Endless = "endless",
    /// What answers there is another program.
    NotEcho = "not-echo",
    /// The connection stands, but what is sent on it does not arrive.
    DataLost = "data-lost",
    /// The connection stands, but the other end's service never got what was sent.
    RequestLost = "request-lost",
    /// The other end's service got what was sent; its reply did not come back.
    ReplyLost = "reply-lost",
    /// The connection stands, but nothing came back on it.
    NoReply = "no-reply",
    /// The other side ends a connection in order once it was silent for a time.
    IdleClosed = "idle-closed",
    /// A connection that was silent for a time is reset.
    IdleReset = "idle-reset",
    /// A connection that was silent for a time is dead, and nobody says so.
    IdleLost = "idle-lost",
    /// The received line is no UTF-8 text.
    NotUtf8 = "not-utf8",
    /// The received line is longer than the limit.
    LineTooLong = "line-too-long",
    /// The operating system refused for a reason without a code of its own.
    System = "system",
}

impl Code {
    /// The code for what connect(2), or `SO_ERROR` after it, returned: for programs that connect on their own.
    ///
    /// Linux says EADDRNOTAVAIL for want of a local port, and for want of an address to send from, too; the error alone
    /// does not tell which, and is taken for the first.
    pub fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::Reset
            }
            io::ErrorKind::TimedOut => Self::NoAnswer,
            // EINVAL is what a blackhole route returns.
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown | io::ErrorKind::InvalidInput => {
                Self::NoRoute
            }
            io::ErrorKind::HostUnreachable => Self::HostUnreachable,
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::NoLocalPort,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            _ if is_out_of_files(error) => Self::TooManyOpenFiles,
            // No IPv6 in this kernel.
            _ if Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT) => Self::NoRoute,
            _ => Self::System,
        }
    }
}

/// Whether this process has no file descriptor left, or, where there is such a limit, the whole machine.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => true,
        #[cfg(unix)]
        Some(Errno::NFILE) => true,
        _ => false,
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// The text is none of [`Code::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such code")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_text_and_is_lower_case_with_hyphens() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
        assert_eq!("Refused".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn what_connect_returns_decides_the_code() {
        for (errno, code) in [
            (Errno::CONNREFUSED, Code::Refused),
            (Errno::TIMEDOUT, Code::NoAnswer),
            (Errno::NETUNREACH, Code::NoRoute),
            (Errno::NETDOWN, Code::NoRoute),
            (Errno::INVAL, Code::NoRoute),
            (Errno::AFNOSUPPORT, Code::NoRoute),
            (Errno::HOSTUNREACH, Code::HostUnreachable),
            (Errno::ADDRNOTAVAIL, Code::NoLocalPort),
            (Errno::ADDRINUSE, Code::NoLocalPort),
            (Errno::ACCESS, Code::PermissionDenied),
            (Errno::PERM, Code::PermissionDenied),
            (Errno::CONNRESET, Code::Reset),
            (Errno::PIPE, Code::Reset),
            (Errno::MFILE, Code::TooManyOpenFiles),
            (Errno::NOBUFS, Code::System),
        ] {
            assert_eq!(Code::of_connect(&errno.into()), code, "{errno:?}");
        }
    }
}
