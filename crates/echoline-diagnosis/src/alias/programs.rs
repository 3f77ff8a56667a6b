//! What programs print in their own words: curl, browsers, ssh, nc, wget, databases, proxies.

use super::Group;
use crate::code::{
    ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, BAD_ADDRESS, BAD_PORT, CLOSED_EARLY, Code, HOST_UNREACHABLE,
    IDLE_CLOSED, LOCAL_FIREWALL, NAME_LOOKUP_FAILED, NAME_LOOKUP_TIMED_OUT, NAME_NOT_FOUND,
    NAME_SERVER_SILENT, NO_ANSWER, NO_ROUTE, NOT_ACCEPTING, REFUSED, REJECTED, RESET, TIMED_OUT,
    UNEXPECTED_REPLY,
};

const NO_NAME: &[Code] = &[NAME_NOT_FOUND, NAME_LOOKUP_FAILED];
const TIMEOUT: &[Code] = &[NO_ANSWER, TIMED_OUT];
/// No connection, and the program does not say why.
const UNCONNECTED: &[Code] = &[REFUSED, HOST_UNREACHABLE, NO_ROUTE];

pub(super) const GROUPS: &[Group] = &[
    Group {
        what: "an error of curl",
        names: &[
            ("curl: (3)", &[BAD_ADDRESS, BAD_PORT]),
            ("curl: (5)", NO_NAME),
            ("curl: (6)", NO_NAME),
            ("curl: (7)", UNCONNECTED),
            ("curl: (8)", &[UNEXPECTED_REPLY]),
            ("curl: (18)", &[CLOSED_EARLY]),
            ("curl: (28)", TIMEOUT),
            ("curl: (45)", &[ADDRESS_NOT_AVAILABLE]),
            ("curl: (52)", &[CLOSED_EARLY]),
            ("curl: (55)", &[RESET, CLOSED_EARLY]),
            ("curl: (56)", &[RESET, TIMED_OUT]),
            ("CURLE_COULDNT_RESOLVE_HOST", NO_NAME),
            ("CURLE_COULDNT_RESOLVE_PROXY", NO_NAME),
            ("CURLE_COULDNT_CONNECT", UNCONNECTED),
            ("CURLE_PARTIAL_FILE", &[CLOSED_EARLY]),
            ("CURLE_OPERATION_TIMEDOUT", TIMEOUT),
            ("CURLE_GOT_NOTHING", &[CLOSED_EARLY]),
            ("CURLE_SEND_ERROR", &[RESET, CLOSED_EARLY]),
            ("CURLE_RECV_ERROR", &[RESET, TIMED_OUT]),
            ("Could not resolve host", NO_NAME),
            ("Could not resolve proxy", NO_NAME),
            ("Couldn't connect to server", UNCONNECTED),
            ("Connection timed out after", &[NO_ANSWER]),
            ("Failed to connect ... Timeout was reached", &[NO_ANSWER]),
            ("Operation timed out after", &[TIMED_OUT]),
            ("Resolving timed out after", &[NAME_LOOKUP_TIMED_OUT]),
            ("Empty reply from server", &[CLOSED_EARLY]),
            ("transfer closed with", &[CLOSED_EARLY]),
            ("Received HTTP/0.9 when not allowed", &[UNEXPECTED_REPLY]),
        ],
    },
    Group {
        what: "an error page of Chrome and Edge",
        names: &[
            ("ERR_CONNECTION_REFUSED", &[REFUSED]),
            ("ERR_CONNECTION_RESET", &[RESET]),
            ("ERR_CONNECTION_CLOSED", &[CLOSED_EARLY]),
            // What was sent was never acknowledged.
            ("ERR_CONNECTION_ABORTED", &[TIMED_OUT]),
            ("ERR_CONNECTION_TIMED_OUT", &[NO_ANSWER]),
            ("ERR_TIMED_OUT", &[TIMED_OUT, NO_ANSWER]),
            ("ERR_NAME_NOT_RESOLVED", NO_NAME),
            ("ERR_NAME_RESOLUTION_FAILED", &[NAME_LOOKUP_FAILED]),
            ("ERR_DNS_TIMED_OUT", &[NAME_SERVER_SILENT]),
            ("ERR_DNS_SERVER_FAILED", &[NAME_LOOKUP_FAILED]),
            ("DNS_PROBE_FINISHED_NXDOMAIN", &[NAME_NOT_FOUND]),
            ("DNS_PROBE_FINISHED_NO_INTERNET", &[NAME_SERVER_SILENT, NO_ROUTE]),
            ("DNS_PROBE_FINISHED_BAD_CONFIG", &[NAME_LOOKUP_FAILED]),
            ("ERR_INTERNET_DISCONNECTED", &[NO_ROUTE]),
            ("ERR_ADDRESS_UNREACHABLE", &[HOST_UNREACHABLE, NO_ROUTE]),
            ("ERR_ADDRESS_INVALID", &[BAD_ADDRESS, BAD_PORT]),
            ("ERR_ADDRESS_IN_USE", &[ADDRESS_IN_USE]),
            ("ERR_NETWORK_ACCESS_DENIED", &[LOCAL_FIREWALL]),
            ("ERR_EMPTY_RESPONSE", &[CLOSED_EARLY]),
            ("ERR_CONTENT_LENGTH_MISMATCH", &[CLOSED_EARLY]),
            ("ERR_INCOMPLETE_CHUNKED_ENCODING", &[CLOSED_EARLY]),
            ("ERR_INVALID_HTTP_RESPONSE", &[UNEXPECTED_REPLY]),
            ("ERR_SSL_PROTOCOL_ERROR", &[UNEXPECTED_REPLY]),
            ("refused to connect", &[REFUSED]),
            ("took too long to respond", &[NO_ANSWER]),
            ("unexpectedly closed the connection", &[CLOSED_EARLY]),
        ],
    },
    Group {
        what: "an error of Firefox",
        names: &[
            ("NS_ERROR_CONNECTION_REFUSED", &[REFUSED]),
            ("NS_ERROR_UNKNOWN_HOST", NO_NAME),
            ("NS_ERROR_NET_TIMEOUT", TIMEOUT),
            ("NS_ERROR_NET_RESET", &[RESET]),
            ("NS_ERROR_NET_INTERRUPT", &[CLOSED_EARLY, RESET]),
            ("NS_ERROR_NET_EMPTY_RESPONSE", &[CLOSED_EARLY]),
            ("NS_ERROR_OFFLINE", &[NO_ROUTE]),
            ("PR_CONNECT_RESET_ERROR", &[RESET]),
            ("PR_END_OF_FILE_ERROR", &[CLOSED_EARLY]),
            ("The connection was reset", &[RESET]),
        ],
    },
    Group {
        what: "what ssh prints",
        names: &[
            ("Could not resolve hostname", NO_NAME),
            ("Connection closed by remote host", &[CLOSED_EARLY]),
            ("Connection closed by ... port", &[CLOSED_EARLY]),
            ("Connection reset by ... port", &[RESET]),
            ("timed out during banner exchange", &[TIMED_OUT, NOT_ACCEPTING]),
            ("Timeout, server ... not responding", &[TIMED_OUT]),
            // The way to the server is fine: these are about the account and the key.
            ("Permission denied (publickey", &[]),
            ("Permission denied (password", &[]),
            ("Permission denied (keyboard-interactive", &[]),
            ("Permission denied, please try again", &[]),
            ("Host key verification failed", &[]),
        ],
    },
    Group {
        what: "what nc, telnet, ping and wget print",
        names: &[
            ("forward host lookup failed", NO_NAME),
            ("port number invalid", &[BAD_PORT]),
            ("Connection closed by foreign host", &[CLOSED_EARLY]),
            ("Destination Host Unreachable", &[HOST_UNREACHABLE]),
            ("Destination Net Unreachable", &[NO_ROUTE]),
            ("Destination Host Prohibited", &[REJECTED]),
            ("Packet filtered", &[REJECTED]),
            ("communication administratively prohibited", &[REJECTED]),
            ("unable to resolve host address", NO_NAME),
            ("No data received", &[CLOSED_EARLY]),
        ],
    },
    Group {
        what: "what dig, host and nslookup print",
        names: &[
            ("NXDOMAIN", &[NAME_NOT_FOUND]),
            ("SERVFAIL", &[NAME_LOOKUP_FAILED]),
            ("no servers could be reached", &[NAME_SERVER_SILENT]),
            ("communications error to", &[NAME_SERVER_SILENT]),
        ],
    },
    Group {
        what: "what database clients print",
        names: &[
            ("could not translate host name", NO_NAME),
            ("server closed the connection unexpectedly", &[CLOSED_EARLY]),
            ("timeout expired", &[NO_ANSWER]),
            ("Can't connect to MySQL server", UNCONNECTED),
            ("MySQL server has gone away", &[IDLE_CLOSED, RESET]),
        ],
    },
    Group {
        what: "what nginx writes to its log",
        names: &[
            ("upstream prematurely closed connection", &[CLOSED_EARLY]),
            ("upstream timed out ... while connecting", &[NO_ANSWER]),
            ("upstream timed out ... while reading", &[TIMED_OUT]),
        ],
    },
    Group {
        what: "what OpenSSL says",
        names: &[
            ("wrong version number", &[UNEXPECTED_REPLY]),
            ("unexpected eof while reading", &[CLOSED_EARLY]),
        ],
    },
    Group {
        what: "what many programs print",
        names: &[
            ("timed out", TIMEOUT),
            ("timeout", TIMEOUT),
            ("refused the connection", &[REFUSED]),
            ("connection was refused", &[REFUSED]),
            ("unable to look up", NO_NAME),
            ("unknown host", &[NAME_NOT_FOUND]),
            ("host not found", &[NAME_NOT_FOUND]),
            ("host name lookup failure", &[NAME_LOOKUP_FAILED]),
            ("bad hostname", NO_NAME),
            ("EOF", &[CLOSED_EARLY]),
        ],
    },
];
