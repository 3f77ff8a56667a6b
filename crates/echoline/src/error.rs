//! The one error of the library: what was tried, on which endpoint, what happened, what to do.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::attempt::Attempt;
use crate::code::Code;
use crate::endpoint::Endpoint;
use crate::escape::escape;
use crate::explain::explain;

/// A failure. `Display` is one sentence without its remedy, fit for a terminal: nothing in it is unescaped.
///
/// ```
/// let error = "128.195.1.256:5151".parse::<echoline::Endpoint>().unwrap_err();
/// assert_eq!(error.to_string(), "256 in 128.195.1.256 is above 255");
/// assert_eq!(error.code().as_str(), "bad-address");
/// ```
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    operation: Operation,
    message: String,
    endpoint: Option<Endpoint>,
    remedy: Option<String>,
    attempts: Vec<Attempt>,
    source: Option<io::Error>,
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

impl Error {
    /// A failure with its one-line sentence, which names the endpoint. What would steer a terminal is escaped.
    pub fn new(code: Code, operation: Operation, message: impl AsRef<str>) -> Self {
        let message = one_line(message.as_ref());
        Self(Box::new(Inner {
            code,
            operation,
            message,
            endpoint: None,
            remedy: None,
            attempts: Vec::new(),
            source: None,
        }))
    }

    /// Adds the endpoint it happened on.
    #[must_use]
    pub fn on(mut self, endpoint: &Endpoint) -> Self {
        self.0.endpoint = Some(endpoint.clone());
        self
    }

    /// Adds what to do next, where more is known than the code says.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl AsRef<str>) -> Self {
        self.0.remedy = Some(one_line(remedy.as_ref()));
        self
    }

    /// Adds every address that was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Adds what the operating system said.
    #[must_use]
    pub fn caused_by(mut self, source: io::Error) -> Self {
        self.0.source = Some(source);
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What was being done.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// What it was done to; `None` if the text for it could not be read.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.0.endpoint.as_ref()
    }

    /// Every try to connect to an address, in the order of their starts; empty if it never came to that.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// What to do next, in one line.
    pub fn remedy(&self) -> &str {
        self.0.remedy.as_deref().unwrap_or_else(|| explain(self.0.code).next[0])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

/// A sentence may quote what somebody wrote.
fn one_line(text: &str) -> String {
    escape(text.as_bytes()).with_plain_backslash().to_string()
}

/// A time as sentences give it: `250 ms`, `5.0 s`.
pub(crate) fn span(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// The end of a wait of `timeout` from `now`. A timeout beyond what the clock can count is as good as a year.
pub(crate) fn deadline(now: Instant, timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + timeout.min(YEAR)
}

/// For code that speaks `std::io`; the kind is that of the operating system's error where there was one.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match (error.code(), &error.0.source) {
            (_, Some(source)) => source.kind(),
            (Code::NoAnswer | Code::TimedOut | Code::NameLookupTimedOut, None) => io::ErrorKind::TimedOut,
            (Code::BadAddress | Code::BadPort, None) => io::ErrorKind::InvalidInput,
            (Code::NotUtf8 | Code::LineTooLong, None) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
