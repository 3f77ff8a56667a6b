//! What the standard libraries of languages call it, beside the words of the system.

use super::Group;
use crate::code::{
    ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, BAD_ADDRESS, BAD_PORT, CLOSED_EARLY, Code, HOST_UNREACHABLE,
    LINE_TOO_LONG, LOCAL_FIREWALL, NAME_LOOKUP_FAILED, NAME_NOT_FOUND, NAME_SERVER_SILENT, NO_ANSWER,
    NO_LOCAL_PORT, NO_ROUTE, NOT_UTF8, PERMISSION_DENIED, REFUSED, REJECTED, RESET, TIMED_OUT,
    UNEXPECTED_REPLY,
};

/// A lookup failed, and the language does not say how.
const NO_NAME: &[Code] = &[NAME_NOT_FOUND, NAME_LOOKUP_FAILED];
/// A time is over, and the language does not say which.
const TIMEOUT: &[Code] = &[NO_ANSWER, TIMED_OUT];
/// What is sent goes nowhere.
const GONE: &[Code] = &[RESET, CLOSED_EARLY];

pub(super) const GROUPS: &[Group] = &[
    Group {
        what: "an exception of Python",
        names: &[
            ("ConnectionRefusedError", &[REFUSED]),
            ("ConnectionResetError", &[RESET]),
            ("ConnectionAbortedError", &[RESET]),
            ("BrokenPipeError", GONE),
            ("TimeoutError", TIMEOUT),
            ("socket.timeout", TIMEOUT),
            ("socket.gaierror", NO_NAME),
            ("gaierror", NO_NAME),
            ("socket.herror", NO_NAME),
            ("PermissionError", &[PERMISSION_DENIED, LOCAL_FIREWALL]),
            ("UnicodeDecodeError", &[NOT_UTF8]),
            ("RemoteDisconnected", &[CLOSED_EARLY]),
            ("IncompleteRead", &[CLOSED_EARLY]),
            ("IncompleteReadError", &[CLOSED_EARLY]),
            ("LimitOverrunError", &[LINE_TOO_LONG]),
        ],
    },
    Group {
        what: "an error text of Python",
        names: &[
            ("codec can't decode byte", &[NOT_UTF8]),
            ("Remote end closed connection without response", &[CLOSED_EARLY]),
            ("getaddrinfo failed", NO_NAME),
            ("label empty or too long", &[BAD_ADDRESS]),
        ],
    },
    Group {
        what: "an exception of Python's requests and urllib3",
        names: &[
            ("ConnectTimeout", &[NO_ANSWER]),
            ("ConnectTimeoutError", &[NO_ANSWER]),
            ("ReadTimeout", &[TIMED_OUT]),
            ("ReadTimeoutError", &[TIMED_OUT]),
            ("NameResolutionError", NO_NAME),
            ("NewConnectionError", &[REFUSED, HOST_UNREACHABLE, NO_ROUTE, NAME_NOT_FOUND]),
        ],
    },
    Group {
        what: "an exception of Java",
        names: &[
            ("java.net.ConnectException", &[REFUSED, NO_ANSWER]),
            ("ConnectException", &[REFUSED, NO_ANSWER]),
            ("UnknownHostException", NO_NAME),
            ("UnresolvedAddressException", NO_NAME),
            ("NoRouteToHostException", &[HOST_UNREACHABLE, REJECTED]),
            ("PortUnreachableException", &[REFUSED, REJECTED]),
            ("SocketTimeoutException", TIMEOUT),
            ("BindException", &[ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, PERMISSION_DENIED]),
            ("HttpConnectTimeoutException", &[NO_ANSWER]),
            ("HttpTimeoutException", &[TIMED_OUT, NO_ANSWER]),
            ("EOFException", &[CLOSED_EARLY]),
            ("MalformedInputException", &[NOT_UTF8]),
        ],
    },
    Group {
        what: "an error text of Java",
        names: &[
            ("Connect timed out", &[NO_ANSWER]),
            ("Read timed out", &[TIMED_OUT]),
            ("Connection reset", &[RESET]),
            ("HTTP/1.1 header parser received no bytes", &[CLOSED_EARLY]),
        ],
    },
    Group {
        what: "an exception of Netty",
        names: &[
            ("ConnectTimeoutException", &[NO_ANSWER]),
            ("ReadTimeoutException", &[TIMED_OUT]),
            ("TooLongFrameException", &[LINE_TOO_LONG]),
        ],
    },
    Group {
        what: "an error code of Node.js",
        names: &[
            ("ENOTFOUND", &[NAME_NOT_FOUND]),
            ("ENODATA", &[NAME_NOT_FOUND]),
            ("ESERVFAIL", &[NAME_LOOKUP_FAILED]),
            ("EREFUSED", &[NAME_LOOKUP_FAILED]),
            ("ETIMEOUT", &[NAME_SERVER_SILENT]),
            ("queryA ECONNREFUSED", &[NAME_SERVER_SILENT]),
            ("ERR_SOCKET_BAD_PORT", &[BAD_PORT]),
            ("ERR_SOCKET_CONNECTION_TIMEOUT", &[NO_ANSWER]),
            ("ERR_STREAM_PREMATURE_CLOSE", &[CLOSED_EARLY]),
            ("UND_ERR_CONNECT_TIMEOUT", &[NO_ANSWER]),
            ("UND_ERR_HEADERS_TIMEOUT", &[TIMED_OUT]),
            ("UND_ERR_BODY_TIMEOUT", &[TIMED_OUT]),
            ("UND_ERR_SOCKET", &[CLOSED_EARLY, RESET]),
        ],
    },
    Group {
        what: "an error text of Node.js",
        names: &[
            ("socket hang up", &[CLOSED_EARLY, RESET]),
            ("other side closed", &[CLOSED_EARLY]),
            // axios gives it the code ECONNABORTED.
            ("timeout of ... exceeded", TIMEOUT),
        ],
    },
    Group {
        what: "an error text of Go",
        names: &[
            ("i/o timeout", TIMEOUT),
            ("no such host", &[NAME_NOT_FOUND]),
            ("server misbehaving", &[NAME_LOOKUP_FAILED]),
            // The connection that fails here is that to the name server.
            ("lookup ... read udp", &[NAME_SERVER_SILENT]),
            ("lookup ... dial udp", &[NAME_SERVER_SILENT]),
            ("dial tcp: lookup", NO_NAME),
            ("context deadline exceeded", TIMEOUT),
            ("Client.Timeout exceeded", TIMEOUT),
            ("canceled while waiting for connection", &[NO_ANSWER]),
            ("TLS handshake timeout", &[TIMED_OUT]),
            ("unexpected EOF", &[CLOSED_EARLY]),
            ("missing port in address", &[BAD_PORT]),
            ("unknown port", &[BAD_PORT]),
            ("too many colons in address", &[BAD_ADDRESS]),
            ("bufio.Scanner: token too long", &[LINE_TOO_LONG]),
            ("server gave HTTP response to HTTPS client", &[UNEXPECTED_REPLY]),
            ("first record does not look like a TLS handshake", &[UNEXPECTED_REPLY]),
            ("malformed HTTP response", &[UNEXPECTED_REPLY]),
        ],
    },
    Group {
        what: "an error kind of Rust",
        names: &[
            ("ConnectionRefused", &[REFUSED]),
            ("ConnectionReset", &[RESET]),
            ("ConnectionAborted", &[RESET]),
            ("NotConnected", &[RESET]),
            ("BrokenPipe", GONE),
            ("TimedOut", TIMEOUT),
            ("WouldBlock", &[TIMED_OUT]),
            ("AddrInUse", &[ADDRESS_IN_USE, NO_LOCAL_PORT]),
            ("AddrNotAvailable", &[ADDRESS_NOT_AVAILABLE, NO_LOCAL_PORT]),
            ("NetworkDown", &[NO_ROUTE]),
            ("NetworkUnreachable", &[NO_ROUTE]),
            ("HostUnreachable", &[HOST_UNREACHABLE, REJECTED]),
            ("PermissionDenied", &[PERMISSION_DENIED, LOCAL_FIREWALL]),
            ("UnexpectedEof", &[CLOSED_EARLY]),
        ],
    },
    Group {
        what: "an error text of Rust",
        names: &[
            ("failed to lookup address information", NO_NAME),
            ("failed to fill whole buffer", &[CLOSED_EARLY]),
            ("stream did not contain valid UTF-8", &[NOT_UTF8]),
            ("invalid port value", &[BAD_PORT]),
            ("invalid socket address", &[BAD_ADDRESS]),
            ("invalid IP address syntax", &[BAD_ADDRESS]),
        ],
    },
];
