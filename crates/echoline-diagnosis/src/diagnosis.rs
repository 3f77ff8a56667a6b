//! What went wrong, as one value from where it arises to where it is printed.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::attempt::Attempt;
use crate::code::{self, Code};
use crate::exit::ExitStatus;
use crate::text::Text;

/// What happened, how sure that is, the evidence and what to do next.
///
/// Every failure of the library and of the program is one of these; so is the verdict of a check,
/// whose code can be `ok`. It is a plain value: text, JSON and redaction are renderings of it.
///
/// `Display` writes the sentence alone. `{:#}` adds the chain of its sources, separated by colons,
/// unless the sentence says all that they say: a refused connection is `ECONNREFUSED` already.
/// Neither contains anything unescaped.
///
/// ```
/// use echoline_diagnosis::{Diagnosis, code};
///
/// let error = std::io::Error::other("the disk is full");
/// let failure = Diagnosis::new(code::OUTPUT, "cannot write the report").caused_by(error);
/// assert_eq!(failure.to_string(), "cannot write the report");
/// assert_eq!(format!("{failure:#}"), "cannot write the report: the disk is full");
/// ```
#[derive(Clone)]
pub struct Diagnosis(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    certainty: Certainty,
    operation: Option<Operation>,
    endpoint: Option<Target>,
    sentence: Text,
    attempts: Vec<Attempt>,
    evidence: Vec<Evidence>,
    next: Vec<Text>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// The sentence leaves open what the source says.
    is_source_told: bool,
}

/// How sure a diagnosis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// What was seen has no other explanation.
    Certain,
    /// Other explanations remain, and they are rarer.
    Likely,
    /// Two or more explanations fit equally well.
    CannotTell,
}

/// What was being done when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reading an endpoint, a host or a port from text.
    Parse,
    /// Finding the addresses of a name.
    Resolve,
    /// Opening a connection.
    Connect,
    /// Opening a listener.
    Listen,
    /// Taking the next connection from a listener.
    Accept,
    /// Writing to a connection.
    Send,
    /// Reading from a connection.
    Receive,
    /// Ending the output of a connection.
    Finish,
    /// Setting or asking for a property of a socket.
    Configure,
}

/// The host and the port on which something was tried, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// A name or an address; an IPv6 address without brackets, with its zone if it has one.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One piece of evidence, with a word that says what kind it is: `held`, `have`, `so`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The kind, in one short word.
    pub about: &'static str,
    /// What was seen.
    pub text: Text,
}

impl Diagnosis {
    /// A certain failure: its code, and one sentence that says what was tried, on what, and what
    /// happened.
    pub fn new(code: Code, sentence: impl Into<Text>) -> Self {
        Self(Box::new(Inner {
            code,
            certainty: Certainty::Certain,
            operation: None,
            endpoint: None,
            sentence: sentence.into(),
            attempts: Vec::new(),
            evidence: Vec::new(),
            next: Vec::new(),
            source: None,
            is_source_told: false,
        }))
    }

    /// Says how sure it is.
    #[must_use]
    pub fn with_certainty(mut self, certainty: Certainty) -> Self {
        self.0.certainty = certainty;
        self
    }

    /// Adds what was being done.
    #[must_use]
    pub fn during(mut self, operation: Operation) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Adds the endpoint it happened on.
    #[must_use]
    pub fn on(mut self, endpoint: impl Into<Target>) -> Self {
        self.0.endpoint = Some(endpoint.into());
        self
    }

    /// Replaces the sentence.
    #[must_use]
    pub fn with_sentence(mut self, sentence: impl Into<Text>) -> Self {
        self.0.sentence = sentence.into();
        self
    }

    /// Adds words at the end of the sentence.
    #[must_use]
    pub fn and(mut self, more: impl Into<Text>) -> Self {
        self.0.sentence.push(more);
        self
    }

    /// Adds every address that was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Adds a piece of evidence behind those that are there.
    #[must_use]
    pub fn evidence(mut self, about: &'static str, text: impl Into<Text>) -> Self {
        self.0.evidence.push(Evidence { about, text: text.into() });
        self
    }

    /// Adds a next step behind those that are there.
    #[must_use]
    pub fn next(mut self, step: impl Into<Text>) -> Self {
        self.0.next.push(step.into());
        self
    }

    /// Replaces the next steps.
    #[must_use]
    pub fn with_next(mut self, steps: Vec<Text>) -> Self {
        self.0.next = steps;
        self
    }

    /// Adds the error that explains the sentence, such as the operating system's. Do not repeat it
    /// there: [`whole`](Self::whole) joins the two.
    #[must_use]
    pub fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        let mut caused = self.with_source(source);
        caused.0.is_source_told = true;
        caused
    }

    /// Adds the error behind it for programs alone: the sentence says all that it says.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self.0.is_source_told = false;
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// How sure it is.
    pub fn certainty(&self) -> Certainty {
        self.0.certainty
    }

    /// What was being done; `None` if that is not an operation on a socket.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// What it was done to; `None` if there is no endpoint, or its text could not be read.
    pub fn endpoint(&self) -> Option<&Target> {
        self.0.endpoint.as_ref()
    }

    /// The sentence, without its cause.
    pub fn sentence(&self) -> &Text {
        &self.0.sentence
    }

    /// The sentence and the chain of its sources where they say more, as `{:#}` writes them.
    pub fn whole(&self) -> Text {
        let mut whole = self.0.sentence.clone();
        if let Some(source) = self.source().filter(|_| self.0.is_source_told) {
            whole.push(": ");
            whole.push(chain(source));
        }
        whole
    }

    /// Every try to connect to an address, in the order of their starts; empty if there was none.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The evidence beside the attempts, in the order in which a person wants it.
    pub fn all_evidence(&self) -> &[Evidence] {
        &self.0.evidence
    }

    /// What to do, best first, as far as more is known than the page of the code says.
    pub fn steps(&self) -> &[Text] {
        &self.0.next
    }

    /// The best next step, in one line: of this diagnosis, or else of its code's page.
    pub fn remedy(&self) -> String {
        match self.0.next.first() {
            Some(step) => step.to_string(),
            None => self.0.code.page().next.swap_remove(0),
        }
    }

    /// How a command exits that ends with it. Arguments and this machine's own listeners are ours,
    /// whatever the code; otherwise the code decides ([`Code::exit`]).
    pub fn exit(&self) -> ExitStatus {
        use Operation::{Accept, Configure, Listen, Parse};
        match self.0.operation {
            Some(Parse | Listen | Accept | Configure) => ExitStatus::Usage,
            _ => self.0.code.exit(),
        }
    }

    /// The same diagnosis with each of its texts replaced by what `change` makes of it: for a
    /// rendering that hides names and addresses. The cause becomes part of the sentence.
    #[must_use]
    pub fn map_texts(&self, mut change: impl FnMut(&Text) -> Text) -> Self {
        let mut mapped = self.clone();
        mapped.0.sentence = change(&self.whole());
        mapped.0.source = None;
        for evidence in &mut mapped.0.evidence {
            evidence.text = change(&evidence.text);
        }
        for step in &mut mapped.0.next {
            *step = change(step);
        }
        mapped
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.whole().fmt(f) } else { self.0.sentence.fmt(f) }
    }
}

impl fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnosis")
            .field("code", &self.0.code)
            .field("certainty", &self.0.certainty)
            .field("operation", &self.0.operation)
            .field("endpoint", &self.0.endpoint)
            .field("sentence", &self.0.sentence.to_string())
            .field("attempts", &self.0.attempts)
            .field("evidence", &self.0.evidence)
            .field("next", &self.0.next)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for Diagnosis {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// An error and the chain of its sources, separated by colons.
pub fn chain(error: &(dyn Error + 'static)) -> Text {
    let mut whole = Text::from(error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        whole.push(": ");
        whole.push(cause.to_string());
        source = cause.source();
    }
    whole
}

/// For code that speaks `std::io`; the kind is that of the operating system's error if there was
/// one.
impl From<Diagnosis> for io::Error {
    fn from(diagnosis: Diagnosis) -> Self {
        let of_system = diagnosis.source().and_then(|source| source.downcast_ref::<Self>());
        let kind = match (of_system, diagnosis.code()) {
            (Some(source), _) => source.kind(),
            (None, code::NO_ANSWER | code::TIMED_OUT | code::NAME_LOOKUP_TIMED_OUT) => {
                io::ErrorKind::TimedOut
            }
            (None, code::BAD_ADDRESS | code::BAD_PORT) => io::ErrorKind::InvalidInput,
            (None, code::NOT_UTF8 | code::LINE_TOO_LONG) => io::ErrorKind::InvalidData,
            (None, _) => io::ErrorKind::Other,
        };
        Self::new(kind, diagnosis)
    }
}

impl Certainty {
    /// The certainty as one word: `certain`, `likely`, `cannot-tell`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::CannotTell => "cannot-tell",
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Certainty {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Certainty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let all = [Self::Certain, Self::Likely, Self::CannotTell];
        let found = all.into_iter().find(|certainty| certainty.as_str() == text);
        found.ok_or_else(|| serde::de::Error::custom("no such certainty"))
    }
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operation {
    /// The operation as one lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Finish => "finish",
            Self::Configure => "configure",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
            _ => address.ip().to_string(),
        };
        Self { host, port: address.port() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_printed_once_and_the_chain_leads_to_it() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let outer = Diagnosis::new(code::SERVER, "the server did not start")
            .caused_by(Diagnosis::new(code::SYSTEM, "no listener").caused_by(refused));
        assert_eq!(format!("{outer:#}"), "the server did not start: no listener: connection refused");
        let inner = outer.source().unwrap().downcast_ref::<Diagnosis>().unwrap();
        assert!(inner.source().unwrap().downcast_ref::<io::Error>().is_some());
    }

    #[test]
    fn an_io_error_keeps_the_kind_that_the_system_gave() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Diagnosis::new(code::NO_ANSWER, "x").caused_by(denied);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
        let error = Diagnosis::new(code::NO_ANSWER, "x");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_listener_of_this_machine_is_our_fault_and_a_connection_is_what_its_code_says() {
        let denied = |during| Diagnosis::new(code::PERMISSION_DENIED, "x").during(during).exit();
        assert_eq!(denied(Operation::Listen), ExitStatus::Usage);
        assert_eq!(denied(Operation::Connect), ExitStatus::Refused);
    }

    #[test]
    fn an_ipv6_host_gets_brackets_beside_its_port() {
        let target = |host: &str| Target { host: host.to_owned(), port: 80 }.to_string();
        assert_eq!(target("fe80::1%eth0"), "[fe80::1%eth0]:80");
        assert_eq!(target("example.org"), "example.org:80");
    }
}
