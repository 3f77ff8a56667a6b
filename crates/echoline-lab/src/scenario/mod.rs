//! Scenarios: a topology, what changes, who does what, and what is then seen.

mod file;
mod play;
mod process;
mod shipped;

use std::time::Duration;

use crate::change::Change;
use crate::topology::Topology;

pub use self::shipped::{SHIPPED_SCENARIOS, ShippedScenario};

/// A story on a topology, with what must be seen at each step.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Short name, as `nat-forward`.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// Where it plays.
    pub topology: Topology,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens, and the line of the file that says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// What happens.
    pub act: Act,
    /// What is then seen.
    pub expect: Expect,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The lab changes.
    Change(Change),
    /// A shell command runs on a host until it ends.
    Run {
        /// The host.
        on: String,
        /// For `sh -c`.
        command: String,
        /// Its standard input.
        input: String,
    },
    /// A shell command begins on a host and goes on in the background.
    Start {
        /// What later steps call it.
        name: String,
        /// The host.
        on: String,
        /// For `sh -c`.
        command: String,
    },
    /// Something is written to the standard input of a command in the background.
    Send {
        /// Its name.
        to: String,
        /// What is written.
        text: String,
    },
    /// The standard input of a command in the background ends, and then the command.
    End {
        /// Its name.
        name: String,
    },
}

/// What a step must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The exit code, where the command ends in this step.
    pub exit: i32,
    /// All of standard output.
    pub prints: Option<String>,
    /// Parts of standard output. In the background: waited for.
    pub shows: Vec<String>,
    /// What standard output must not have.
    pub lacks: Vec<String>,
    /// Parts of standard error.
    pub says: Vec<String>,
    /// How long nothing new may come on standard output.
    pub silent: Duration,
    /// How long the step may take.
    pub within: Duration,
}

/// How a scenario ended.
#[derive(Debug)]
pub struct Played {
    /// How long it took, with building and taking down.
    pub took: Duration,
    /// `None` if all was seen; else which step, what was wanted and what came.
    pub difference: Option<String>,
}
