//! What each code means, in plain words: the longer text behind an [`Error`](crate::Error).

mod connecting;
mod idle;
mod judging;
mod listening;
mod local;
mod names;
mod talking;

use std::fmt;

use crate::code::Code;

/// How wide `Display` writes a page, in characters.
const WIDTH: usize = 78;

/// The text for one code. `Display` writes all of it, wrapped at 78 characters.
///
/// A program may write pages for codes of its own; their text is ASCII.
#[derive(Debug)]
pub struct Page {
    /// The code as it is written, such as `no-answer`.
    pub code: &'static str,
    /// What happened, in one line.
    pub title: &'static str,
    /// What that most likely means, in one line.
    pub so: &'static str,
    /// What it means, in a paragraph.
    pub meaning: &'static str,
    /// What causes it, the most frequent first. Never empty.
    pub causes: &'static [&'static str],
    /// How to tell the causes apart. Never empty.
    pub tell: &'static [&'static str],
    /// What to do, the first step first. Never empty.
    pub next: &'static [&'static str],
}

/// The page for a code.
///
/// ```
/// use echoline::Code;
/// use echoline::explain::explain;
///
/// let page = explain(Code::Refused);
/// assert_eq!(page.title, "The host answered that nothing listens on the port.");
/// assert!(page.to_string().starts_with("refused\n"));
/// ```
pub fn explain(code: Code) -> &'static Page {
    match code {
        Code::BadAddress => &names::BAD_ADDRESS,
        Code::BadPort => &names::BAD_PORT,
        Code::NameNotFound => &names::NAME_NOT_FOUND,
        Code::NameLookupFailed => &names::NAME_LOOKUP_FAILED,
        Code::NameServerSilent => &judging::NAME_SERVER_SILENT,
        Code::NameLookupTimedOut => &names::NAME_LOOKUP_TIMED_OUT,
        Code::NoAddressOfFamily => &names::NO_ADDRESS_OF_FAMILY,
        Code::ResolverBusy => &names::RESOLVER_BUSY,
        Code::Refused => &connecting::REFUSED,
        Code::Rejected => &judging::REJECTED,
        Code::NoAnswer => &connecting::NO_ANSWER,
        Code::Dropped => &judging::DROPPED,
        Code::LocalFirewall => &judging::LOCAL_FIREWALL,
        Code::NoRoute => &connecting::NO_ROUTE,
        Code::HostUnreachable => &connecting::HOST_UNREACHABLE,
        Code::NotListening => &listening::NOT_LISTENING,
        Code::LoopbackOnly => &listening::LOOPBACK_ONLY,
        Code::NotAccepting => &listening::NOT_ACCEPTING,
        Code::NoLocalPort => &local::NO_LOCAL_PORT,
        Code::AddressNotAvailable => &local::ADDRESS_NOT_AVAILABLE,
        Code::AddressInUse => &local::ADDRESS_IN_USE,
        Code::PermissionDenied => &local::PERMISSION_DENIED,
        Code::TooManyOpenFiles => &local::TOO_MANY_OPEN_FILES,
        Code::Reset => &talking::RESET,
        Code::TimedOut => &talking::TIMED_OUT,
        Code::ClosedEarly => &talking::CLOSED_EARLY,
        Code::Altered => &talking::ALTERED,
        Code::Added => &talking::ADDED,
        Code::Endless => &talking::ENDLESS,
        Code::NotEcho => &judging::NOT_ECHO,
        Code::DataLost => &judging::DATA_LOST,
        Code::RequestLost => &judging::REQUEST_LOST,
        Code::ReplyLost => &judging::REPLY_LOST,
        Code::NoReply => &talking::NO_REPLY,
        Code::IdleClosed => &idle::IDLE_CLOSED,
        Code::IdleReset => &idle::IDLE_RESET,
        Code::IdleLost => &idle::IDLE_LOST,
        Code::NotUtf8 => &talking::NOT_UTF8,
        Code::LineTooLong => &talking::LINE_TOO_LONG,
        Code::System => &local::SYSTEM,
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.code)?;
        wrapped(f, self.title, "  ", "  ")?;
        wrapped(f, self.meaning, "\n  ", "  ")?;
        for (heading, items) in
            [("What causes it", self.causes), ("How to tell", self.tell), ("What to do", self.next)]
        {
            writeln!(f, "\n{heading}")?;
            for item in items {
                wrapped(f, item, "  - ", "    ")?;
            }
        }
        Ok(())
    }
}

/// Writes `text` as lines of at most [`WIDTH`] characters. The text is ASCII.
fn wrapped(f: &mut fmt::Formatter<'_>, text: &str, first: &str, indent: &str) -> fmt::Result {
    f.write_str(first)?;
    let mut column = indent.len().max(first.trim_start_matches('\n').len());
    let mut at_start = true;
    for word in text.split_whitespace() {
        if !at_start && column + 1 + word.len() > WIDTH {
            write!(f, "\n{indent}{word}")?;
            column = indent.len() + word.len();
        } else {
            let space = if at_start { "" } else { " " };
            write!(f, "{space}{word}")?;
            column += space.len() + word.len();
        }
        at_start = false;
    }
    f.write_str("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_full_page_of_its_own() {
        for code in Code::ALL {
            let page = explain(*code);
            assert_eq!(page.code, code.as_str());
            for list in [page.causes, page.tell, page.next] {
                assert!(!list.is_empty(), "{code}");
                assert!(list.iter().all(|item| item.len() > 10), "{code}");
            }
            for line in [page.title, page.so, page.next[0]] {
                assert!(line.len() <= 100, "{code}: one line is one line: {line}");
            }
        }
    }

    #[test]
    fn a_page_fits_a_narrow_terminal() {
        for code in Code::ALL {
            for line in explain(*code).to_string().lines() {
                assert!(line.len() <= WIDTH && line.is_ascii() && line.trim_end() == line, "{line}");
            }
        }
    }
}
