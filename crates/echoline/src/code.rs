//! The codes of this library's errors.

use std::io;

use echoline_diagnosis::Code;
use rustix::io::Errno;

pub use echoline_diagnosis::code::{
    ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, BAD_ADDRESS, BAD_PORT, HOST_UNREACHABLE, LINE_TOO_LONG,
    NAME_LOOKUP_FAILED, NAME_LOOKUP_TIMED_OUT, NAME_NOT_FOUND, NO_ADDRESS_OF_FAMILY, NO_ANSWER,
    NO_LOCAL_PORT, NO_ROUTE, NOT_UTF8, PERMISSION_DENIED, REFUSED, RESET, RESOLVER_BUSY, SYSTEM, TIMED_OUT,
    TOO_MANY_OPEN_FILES,
};

/// The code for what connect(2), or `SO_ERROR` after it, returned: for programs that connect on
/// their own.
///
/// Linux says EADDRNOTAVAIL for want of a local port, and for want of an address to send from, too;
/// the error alone does not tell which, and is taken for the first.
pub fn of_connect(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => REFUSED,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            RESET
        }
        io::ErrorKind::TimedOut => NO_ANSWER,
        // EINVAL is what a blackhole route returns.
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown | io::ErrorKind::InvalidInput => {
            NO_ROUTE
        }
        io::ErrorKind::HostUnreachable => HOST_UNREACHABLE,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => NO_LOCAL_PORT,
        io::ErrorKind::PermissionDenied => PERMISSION_DENIED,
        _ if is_out_of_files(error) => TOO_MANY_OPEN_FILES,
        // No IPv6 in this kernel.
        _ if Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT) => NO_ROUTE,
        _ => SYSTEM,
    }
}

/// Whether this process has no file descriptor left, or, where there is such a limit, the whole
/// machine.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => true,
        #[cfg(unix)]
        Some(Errno::NFILE) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connect_returns_decides_the_code() {
        for (errno, code) in [
            (Errno::CONNREFUSED, REFUSED),
            (Errno::TIMEDOUT, NO_ANSWER),
            (Errno::NETUNREACH, NO_ROUTE),
            (Errno::NETDOWN, NO_ROUTE),
            (Errno::INVAL, NO_ROUTE),
            (Errno::AFNOSUPPORT, NO_ROUTE),
            (Errno::HOSTUNREACH, HOST_UNREACHABLE),
            (Errno::ADDRNOTAVAIL, NO_LOCAL_PORT),
            (Errno::ADDRINUSE, NO_LOCAL_PORT),
            (Errno::ACCESS, PERMISSION_DENIED),
            (Errno::PERM, PERMISSION_DENIED),
            (Errno::CONNRESET, RESET),
            (Errno::PIPE, RESET),
            (Errno::MFILE, TOO_MANY_OPEN_FILES),
            (Errno::NOBUFS, SYSTEM),
        ] {
            assert_eq!(of_connect(&errno.into()), code, "{errno:?}");
        }
    }
}
