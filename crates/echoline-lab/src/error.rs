//! What can go wrong with a lab, and what to do about it.

use std::io;

use echoline_diagnosis::{Code, Diagnosis, code};

use crate::topology::TopologyError;

/// Why a lab could not be built, changed or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A program that the lab runs is not installed.
    #[error("`{tool}` is not installed")]
    MissingTool {
        /// The program.
        tool: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The machine does not let this user make namespaces.
    #[error("this machine forbids namespaces: {reason}")]
    Forbidden {
        /// What was tried and what the kernel said, or the setting that forbids it.
        reason: String,
        /// What to do, if that is known.
        remedy: String,
    },
    /// The process has threads, or has not entered.
    #[error("{0}")]
    Misuse(&'static str),
    /// An `ip` or `nft` command failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// As one would type it.
        command: String,
        /// What it printed.
        message: String,
    },
    /// No node, link or record of that name.
    #[error("no {what} of this lab is called `{name}`; there is {known}")]
    Unknown {
        /// `host`, `link` …
        what: &'static str,
        /// The name asked for.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// No lab of that name runs.
    #[error("no lab called `{name}` is running; there is {known}")]
    NotRunning {
        /// The name asked for.
        name: String,
        /// Those that run.
        known: String,
    },
    /// A lab of that name runs already.
    #[error("a lab called {name} runs already (process {process})")]
    Running {
        /// Its name.
        name: String,
        /// Its first process.
        process: i32,
    },
    /// A change that cannot be understood or applied.
    #[error("{0}")]
    BadChange(String),
    /// What a running lab answered to a request: its own failure, told by its code and in words.
    #[error("{message}")]
    Answered {
        /// As [`LabError::code`].
        code: Code,
        /// The sentence.
        message: String,
    },
    /// A server of the topology did not start.
    #[error("the server on {host} did not start: {message}")]
    Server {
        /// The host.
        host: String,
        /// What it said.
        message: String,
    },
    /// A system call failed.
    #[error("{what}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl LabError {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }

    pub(crate) fn no_thread(place: &str, source: io::Error) -> Self {
        Self::io(format!("start a thread that stands on {place}"), source)
    }

    /// One line that [`LabError::answered`] reads.
    pub(crate) fn answer(&self) -> String {
        let mut sentence = self.to_string();
        if let Self::Io { source, .. } = self {
            sentence += &format!(": {source}");
        }
        format!("{} {}", self.code(), sentence.replace('\n', "; "))
    }

    /// The failure that a running lab told in one line. What it says without a code is about the change.
    pub(crate) fn answered(line: &str) -> Self {
        const TOLD: [Code; 4] =
            [code::LAB_UNKNOWN_NAME, code::LAB_COMMAND, code::LAB_SYSTEM, code::LAB_BAD_CHANGE];
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match TOLD.into_iter().find(|code| code.as_str() == word) {
            Some(code) => Self::Answered { code, message: rest.to_owned() },
            None => Self::BadChange(line.to_owned()),
        }
    }

    /// A stable name of the kind of failure.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Topology(_) => code::LAB_TOPOLOGY,
            Self::MissingTool { .. } => code::LAB_MISSING_TOOL,
            Self::Forbidden { .. } => code::LAB_FORBIDDEN,
            Self::Misuse(_) | Self::Running { .. } => code::LAB_MISUSE,
            Self::Command { .. } => code::LAB_COMMAND,
            Self::Unknown { .. } | Self::NotRunning { .. } => code::LAB_UNKNOWN_NAME,
            Self::BadChange(_) => code::LAB_BAD_CHANGE,
            Self::Answered { code, .. } => *code,
            Self::Server { .. } => code::LAB_SERVER,
            Self::Io { .. } => code::LAB_SYSTEM,
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::MissingTool { package, .. } => Some(format!("install it: apt-get install {package}")),
            // Modules are not loaded for those who stand in a user namespace.
            Self::Command { message, .. }
                if message.contains("not supported") || message.contains("No such file") =>
            {
                let modules = "veth bridge nf_tables nft_chain_nat nft_masq nft_ct nft_reject_inet";
                Some(format!("the kernel may lack a module; as root: modprobe -a {modules}"))
            }
            Self::Forbidden { remedy, .. } if !remedy.is_empty() => Some(remedy.clone()),
            Self::Running { name, .. } => Some(format!(
                "end it: echoline lab down --lab {name}; or give yours another name, in a FILE.toml of your own"
            )),
            // What fork and clone say where there may be no more of them.
            Self::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock => {
                Some("look at the limit of processes and threads: ulimit -u".to_owned())
            }
            _ => None,
        }
    }
}

/// The system's words are its source; the rest is in the sentence.
impl From<LabError> for Diagnosis {
    fn from(error: LabError) -> Self {
        let failure = Self::new(error.code(), error.to_string());
        let failure = match error.remedy() {
            Some(remedy) => failure.next(remedy),
            None => failure,
        };
        match error {
            LabError::Io { source, .. } => failure.caused_by(source),
            _ => failure,
        }
    }
}
