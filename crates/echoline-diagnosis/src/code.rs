//! The stable codes: what went wrong as one word, for scripts and for `explain`.

use std::fmt;
use std::str::FromStr;

use crate::exit::ExitStatus;
use crate::newer;
use crate::page::Page;

/// A stable word for what happened, such as `no-answer`.
///
/// The text of a code never changes its meaning; new codes may come. Compare a code with the
/// constants of [`code`](crate::code), or match on them:
///
/// ```
/// use echoline_diagnosis::{Code, code};
///
/// let found: Code = "no-answer".parse()?;
/// let hint = match found {
///     code::REFUSED | code::NO_ANSWER => "look at the server",
///     _ => "look at this machine",
/// };
/// assert_eq!(hint, "look at the server");
/// # Ok::<(), echoline_diagnosis::UnknownCode>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

/// Declares each code once: its constant, its text and how a command that ends with it exits. Its
/// page is the file of that name, so a code without one does not compile.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal => $exit:ident,)*) => {
        $($(#[$doc])* pub const $name: Code = Code($text);)*

        const TABLE: &[Entry] = &[
            $(Entry {
                code: $name,
                exit: ExitStatus::$exit,
                page: include_str!(concat!("pages/", $text, ".txt")),
            },)*
        ];
    };
}

/// Of a code that a newer version wrote into a document.
const NEWER: Entry = Entry { code: Code("newer"), exit: ExitStatus::Refused, page: newer::PAGE };

struct Entry {
    code: Code,
    exit: ExitStatus,
    page: &'static str,
}

codes! {
    /// A host is neither a name nor the address of one host.
    BAD_ADDRESS = "bad-address" => Usage,
    /// A port is missing, no number, above 65535, or 0 where a connection was to be opened.
    BAD_PORT = "bad-port" => Usage,
    /// The name does not exist, or has no address at all.
    NAME_NOT_FOUND = "name-not-found" => Refused,
    /// The name could not be looked up: no answer from a name server, or a broken one.
    NAME_LOOKUP_FAILED = "name-lookup-failed" => Refused,
    /// No configured name server answers.
    NAME_SERVER_SILENT = "name-server-silent" => Refused,
    /// The lookup took longer than allowed.
    NAME_LOOKUP_TIMED_OUT = "name-lookup-timed-out" => Refused,
    /// The host has addresses, but none of the family (IPv4, IPv6) that was asked for.
    NO_ADDRESS_OF_FAMILY = "no-address-of-family" => Refused,
    /// Too many lookups of this program are stuck already.
    RESOLVER_BUSY = "resolver-busy" => Usage,
    /// The host answered that nothing listens on the port.
    REFUSED = "refused" => Refused,
    /// A firewall, or a router by its rules, answered that the request may not pass.
    REJECTED = "rejected" => Refused,
    /// Nothing came back to the connection request.
    NO_ANSWER = "no-answer" => Refused,
    /// Nothing came back, and the host is known to be up: a firewall drops.
    DROPPED = "dropped" => Refused,
    /// This machine's own rules kept the request in.
    LOCAL_FIREWALL = "local-firewall" => Refused,
    /// This machine, or a router, knows no way to the network.
    NO_ROUTE = "no-route" => Refused,
    /// The last router, or this machine, could not find the host.
    HOST_UNREACHABLE = "host-unreachable" => Refused,
    /// No program of this machine listens there.
    NOT_LISTENING = "not-listening" => Refused,
    /// A program listens, for this machine alone.
    LOOPBACK_ONLY = "loopback-only" => Refused,
    /// A program listens and takes no connections: it is stopped or stuck, or its queue is full.
    NOT_ACCEPTING = "not-accepting" => Refused,
    /// No local port is free for one more connection.
    NO_LOCAL_PORT = "no-local-port" => Usage,
    /// The address belongs to no interface of this machine.
    ADDRESS_NOT_AVAILABLE = "address-not-available" => Usage,
    /// Another socket holds the address and port.
    ADDRESS_IN_USE = "address-in-use" => Usage,
    /// This machine's rules forbid it to this user.
    PERMISSION_DENIED = "permission-denied" => Refused,
    /// This process, or the machine, has no file descriptor left.
    TOO_MANY_OPEN_FILES = "too-many-open-files" => Usage,
    /// The other side, or something between, broke the connection off.
    RESET = "reset" => Refused,
    /// An established connection stayed silent longer than allowed.
    TIMED_OUT = "timed-out" => Refused,
    /// The other side finished before everything expected had come.
    CLOSED_EARLY = "closed-early" => Refused,
    /// What came back is not what was sent.
    ALTERED = "altered" => Refused,
    /// More came back than was sent.
    ADDED = "added" => Refused,
    /// More came back than was sent, and it does not end.
    ENDLESS = "endless" => Refused,
    /// What answers there is another program.
    NOT_ECHO = "not-echo" => Refused,
    /// The connection stands, but what is sent on it does not arrive.
    DATA_LOST = "data-lost" => Refused,
    /// The connection stands, but the other end's service never got what was sent.
    REQUEST_LOST = "request-lost" => Refused,
    /// The other end's service got what was sent; its reply did not come back.
    REPLY_LOST = "reply-lost" => Refused,
    /// The connection stands, but nothing came back on it.
    NO_REPLY = "no-reply" => Refused,
    /// The other side ends a connection in order once it was silent for a time.
    IDLE_CLOSED = "idle-closed" => Refused,
    /// A connection that was silent for a time is reset.
    IDLE_RESET = "idle-reset" => Refused,
    /// A connection that was silent for a time is dead, and nobody says so.
    IDLE_LOST = "idle-lost" => Refused,
    /// The received line is no UTF-8 text.
    NOT_UTF8 = "not-utf8" => Refused,
    /// The received line is longer than the limit.
    LINE_TOO_LONG = "line-too-long" => Refused,
    /// The operating system refused for a reason without a code of its own.
    SYSTEM = "system" => Usage,
    /// What was expected happened.
    OK = "ok" => Success,
    /// The command line asks for something that cannot be done.
    USAGE = "usage" => Usage,
    /// Standard input cannot be read.
    INPUT = "input" => Usage,
    /// A result cannot be written.
    OUTPUT = "output" => Usage,
    /// A server could not start, or ended by itself.
    SERVER = "server" => Usage,
    /// The requested engine does not work on this machine.
    ENGINE_UNAVAILABLE = "engine-unavailable" => Usage,
    /// The other side answered something that the protocol does not have.
    UNEXPECTED_REPLY = "unexpected-reply" => Refused,
    /// The load generator, not the server, set the pace.
    GENERATOR_BOUND = "generator-bound" => Success,
    /// The load generator shared its processors with others.
    GENERATOR_CROWDED = "generator-crowded" => Success,
    /// The load generator sent lines later than planned.
    GENERATOR_LATE = "generator-late" => Success,
    /// There were too few samples for a percentile.
    FEW_SAMPLES = "few-samples" => Success,
    /// Some connections got much less service than others.
    STARVED = "starved" => Success,
    /// Not every planned line was sent.
    UNSENT = "unsent" => Success,
    /// The clock jumped during the measurement.
    CLOCK_STEP = "clock-step" => Success,
    /// A topology or scenario file is wrong.
    LAB_TOPOLOGY = "lab-topology" => Usage,
    /// A program that the lab runs is not installed.
    LAB_MISSING_TOOL = "lab-missing-tool" => Usage,
    /// The machine does not let this user make namespaces.
    LAB_FORBIDDEN = "lab-forbidden" => Usage,
    /// The lab was asked for something in the wrong order or twice.
    LAB_MISUSE = "lab-misuse" => Usage,
    /// A command that builds the lab failed.
    LAB_COMMAND = "lab-command" => Usage,
    /// The lab has no host, link or record of that name.
    LAB_UNKNOWN_NAME = "lab-unknown-name" => Usage,
    /// A change of the lab cannot be understood or applied.
    LAB_BAD_CHANGE = "lab-bad-change" => Usage,
    /// A server of the lab did not start.
    LAB_SERVER = "lab-server" => Usage,
    /// A system call of the lab failed.
    LAB_SYSTEM = "lab-system" => Usage,
}

impl Code {
    /// Every code, in the order in which `explain` lists them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| entry.code)
    }

    /// The code as it is written, such as `no-answer`.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What the code means, what causes it and what to do.
    pub fn page(self) -> Page {
        Page::parse(self.0, self.entry().page)
    }

    /// How a command exits that ends with this code, unless the failed operation says otherwise
    /// ([`Diagnosis::exit`](crate::Diagnosis::exit)). A warning does not change the exit code.
    pub fn exit(self) -> ExitStatus {
        self.entry().exit
    }

    fn entry(self) -> &'static Entry {
        TABLE.iter().find(|entry| entry.code == self).unwrap_or(&NEWER)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::all().find(|code| code.0 == text).ok_or(UnknownCode)
    }
}

/// No code has this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such code")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(feature = "serde")]
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// A document of a newer version may hold codes that this one does not know. They are read as they
/// are, as long as they look like codes.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let known = text.parse().ok().or_else(|| newer::kept(&text).map(Self));
        known.ok_or_else(|| serde::de::Error::custom(UnknownCode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_text_and_is_lower_case_with_hyphens() {
        for code in Code::all() {
            assert_eq!(code.as_str().parse(), Ok(code));
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(code.as_str().bytes().all(allowed), "{code}");
        }
        assert_eq!("Refused".parse::<Code>(), Err(UnknownCode));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_code_of_a_newer_version_is_read_from_a_document_and_from_nowhere_else() {
        use serde::Deserialize;
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};

        let read = |text: &'static str| {
            let document: StrDeserializer<'_, Error> = text.into_deserializer();
            Code::deserialize(document)
        };
        assert_eq!(read("refused"), Ok(REFUSED));
        let newer = read("not-yet-known").unwrap();
        assert_eq!((newer.as_str(), newer.exit()), ("not-yet-known", ExitStatus::Refused));
        assert!(newer.page().to_string().contains("newer version"));
        assert!(read("No code").is_err() && "not-yet-known".parse::<Code>().is_err());
    }

    #[test]
    fn no_code_stands_for_two_things() {
        let texts: Vec<_> = Code::all().map(Code::as_str).collect();
        for (at, text) in texts.iter().enumerate() {
            assert!(!texts[..at].contains(text), "{text} is there twice");
        }
    }

    #[test]
    fn no_page_is_without_a_code() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pages");
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            let code = path.file_stem().unwrap().to_str().unwrap();
            assert!(code.parse::<Code>().is_ok(), "{} is the page of no code", path.display());
        }
    }
}
