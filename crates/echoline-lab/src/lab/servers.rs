//! The servers of a topology: `echoline serve` on the hosts that say so.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::enter::RUN;
use crate::error::LabError;
use crate::place;
use crate::topology::{Node, Topology};

/// Servers that run until they are dropped.
#[derive(Default)]
pub(crate) struct Servers {
    children: Vec<Child>,
}

/// Where the program stands under its own name, for commands that run on hosts.
pub(crate) fn offer(program: &Path) -> Result<(), LabError> {
    let directory = place::bin();
    fs::create_dir_all(&directory).map_err(|e| LabError::io("make a directory for programs", e))?;
    let link = directory.join("echoline");
    if fs::symlink_metadata(&link).is_ok() {
        return Ok(());
    }
    std::os::unix::fs::symlink(program, link).map_err(|e| LabError::io("offer the program to hosts", e))
}

impl Servers {
    /// Starts all of them, then waits until each has said where it listens.
    pub(crate) fn start(topology: &Topology, program: &Path) -> Result<Self, LabError> {
        let mut servers = Self::default();
        let serving = topology.nodes.iter().filter(|node| !node.serve.is_empty());
        let mut starting = Vec::new();
        for node in serving {
            let mut child = place::spawn(&node.name, &mut command(node, program)?)?;
            let stdout = child.stdout.take();
            servers.children.push(child);
            starting.push((node, stdout));
        }
        for (node, stdout) in starting {
            let told = stdout.map(|stdout| wait_for(node, BufReader::new(stdout)));
            if told != Some(true) {
                let log = fs::read_to_string(log_of(node)).unwrap_or_default();
                let message = log.lines().last().unwrap_or("it ended without a word").to_owned();
                return Err(LabError::Server { host: node.name.clone(), message });
            }
        }
        Ok(servers)
    }
}

fn command(node: &Node, program: &Path) -> Result<Command, LabError> {
    let log = File::create(log_of(node)).map_err(|e| LabError::io("make a server's log", e))?;
    let mut command = Command::new(program);
    command.arg("serve").args(&node.serve).arg("--quiet");
    // A group of its own: Ctrl-C is for the command that the user started.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    Ok(command)
}

fn log_of(node: &Node) -> PathBuf {
    Path::new(RUN).join(&node.name).join("serve.log")
}

/// Reads the endpoints until each service has named one; then it listens on all of them.
fn wait_for(node: &Node, endpoints: impl BufRead) -> bool {
    let service = |text: &str| text.split_once('=').map_or("echo", |(name, _)| name).to_owned();
    let mut missing: Vec<_> = node.serve.iter().map(|text| service(text)).collect();
    for line in endpoints.lines() {
        let Ok(line) = line else { return false };
        if let Some(position) = missing.iter().position(|name| *name == service(&line)) {
            missing.swap_remove(position);
        }
        if missing.is_empty() {
            return true;
        }
    }
    false
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that ended already needs no more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
