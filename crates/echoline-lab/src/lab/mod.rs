//! A lab that runs.

mod apply;
mod place;

use std::process::{Child, Command};

pub use self::apply::Explain;
use self::apply::Tools;
use crate::enter::Inside;
use crate::error::LabError;
use crate::plan;
use crate::topology::Topology;

/// A small internet that runs until it is dropped, or the process ends.
pub struct Lab {
    topology: Topology,
    tools: Tools,
}

impl Lab {
    /// Builds a topology in the namespaces of this process; `explain` is told each command.
    ///
    /// # Errors
    /// Tools that are missing and commands that fail, with what they said.
    pub fn build(_inside: &Inside, topology: &Topology, explain: Option<Explain>) -> Result<Self, LabError> {
        let lab = Self { topology: topology.clone(), tools: Tools::new(explain)? };
        lab.tools.apply(&plan::plan(topology))?;
        place::write_files(topology)?;
        Ok(lab)
    }

    /// The topology that was built.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Runs a job on a fresh thread of a host. Sockets that it makes stay that host's, wherever they are used.
    ///
    /// Names resolve as outside the lab: glibc reads its configuration once a process. Use [`Lab::spawn`] for them.
    ///
    /// # Errors
    /// No such host.
    pub fn on<T: Send>(&self, host: &str, job: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        self.known(host)?;
        place::on(host, job)
    }

    /// Starts a command on a host: its network, its host name, its names.
    ///
    /// # Errors
    /// No such host; a command that cannot be started.
    pub fn spawn(&self, host: &str, command: &mut Command) -> Result<Child, LabError> {
        self.known(host)?;
        place::spawn(host, command)
    }

    fn known(&self, host: &str) -> Result<(), LabError> {
        if self.topology.node(host).is_some() {
            return Ok(());
        }
        let known: Vec<_> = self.topology.nodes.iter().map(|node| node.name.as_str()).collect();
        Err(LabError::Unknown { what: "host", name: host.into(), known: known.join(", ") })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        place::forget(&self.topology);
    }
}
