//! A process that has a socket open.

use serde::{Deserialize, Serialize};

use super::mark;

/// A process that has a socket open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HolderProcess {
    /// Its number.
    pub pid: i32,
    /// Its name, as it chose it.
    #[serde(serialize_with = "mark::foreign")]
    pub name: String,
    /// By a signal or a debugger: it does nothing until it goes on.
    #[serde(rename = "stopped")]
    pub is_stopped: bool,
}
