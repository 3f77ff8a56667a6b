//! Every code that this program prints: those of the library, and its own. Each has its page, by its type.

use crate::explain;
use echoline::explain::Page;
use serde::{Serialize, Serializer};
use std::fmt;

/// A code as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Of the network, by the library.
    Library(echoline::Code),
    /// Of this program alone.
    Own(Own),
}

/// Declares the program's own codes once: the variant and its text.
macro_rules! own_codes {
    ($($variant:ident = $text:literal,)*) => {
        /// A code that only this program has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Own {
            $($variant,)*
        }

        impl Own {
            /// In the order in which they are listed.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

own_codes! {
    Ok = "ok",
    Usage = "usage",
    Input = "input",
    Output = "output",
    Server = "server",
    EngineUnavailable = "engine-unavailable",
    UnexpectedReply = "unexpected-reply",
    GeneratorBound = "generator-bound",
    GeneratorCrowded = "generator-crowded",
    GeneratorLate = "generator-late",
    FewSamples = "few-samples",
    Starved = "starved",
    Unsent = "unsent",
    ClockStep = "clock-step",
    LabTopology = "lab-topology",
    LabMissingTool = "lab-missing-tool",
    LabForbidden = "lab-forbidden",
    LabMisuse = "lab-misuse",
    LabCommand = "lab-command",
    LabUnknownName = "lab-unknown-name",
    LabBadChange = "lab-bad-change",
    LabServer = "lab-server",
    LabSystem = "lab-system",
}

impl Code {
    /// All of them: those of the library first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let library = echoline::Code::ALL.iter().map(|code| Self::Library(*code));
        library.chain(Own::ALL.iter().map(|code| Self::Own(*code)))
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Library(code) => code.as_str(),
            Self::Own(code) => code.as_str(),
        }
    }

    /// What it means, what causes it, what to do.
    pub(crate) fn page(self) -> &'static Page {
        match self {
            Self::Library(code) => echoline::explain::explain(code),
            Self::Own(code) => explain::page(code),
        }
    }

    /// The code of this text, if there is one.
    pub(crate) fn find(text: &str) -> Option<Self> {
        Self::all().find(|code| code.as_str() == text)
    }
}

impl From<echoline::Code> for Code {
    fn from(code: echoline::Code) -> Self {
        Self::Library(code)
    }
}

impl From<Own> for Code {
    fn from(code: Own) -> Self {
        Self::Own(code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_for_two_things_and_each_has_a_page_that_bears_its_name() {
        let texts: Vec<_> = Code::all().map(Code::as_str).collect();
        for (at, code) in Code::all().enumerate() {
            assert!(!texts[..at].contains(&code.as_str()), "{code} is there twice");
            assert_eq!(Code::find(code.as_str()), Some(code));
            let page = code.page();
            assert_eq!(page.code, code.as_str());
            for list in [page.causes, page.tell, page.next] {
                assert!(!list.is_empty() && list.iter().all(|item| item.len() > 10), "{code}");
            }
            for line in page.to_string().lines() {
                assert!(line.len() <= 78 && line.is_ascii() && line.trim_end() == line, "{code}: {line}");
            }
            for line in [page.title, page.so, page.next[0]] {
                assert!(line.len() <= 100, "{code}: one line is one line: {line}");
            }
        }
    }
}
