//! Running `ip` and `nft`, and saying so.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::enter;
use crate::error::LabError;
use crate::place;
use crate::plan::{Place, Plan};
use crate::preflight;

/// Told each command as it is applied, in the form in which a person would type it.
pub type Explain = Box<dyn Fn(&str) + Send + Sync>;

/// The tools of this machine.
pub(crate) struct Tools {
    ip: std::path::PathBuf,
    nft: std::path::PathBuf,
    explain: Option<Explain>,
    /// What was applied since the last change began.
    applied: Mutex<Vec<String>>,
}

impl Tools {
    pub(crate) fn new(explain: Option<Explain>) -> Result<Self, LabError> {
        let find = |tool, package| preflight::find(tool).ok_or(LabError::MissingTool { tool, package });
        Ok(Self {
            ip: find("ip", "iproute2")?,
            nft: find("nft", "nftables")?,
            explain,
            applied: Mutex::default(),
        })
    }

    fn tell(&self, line: &str) {
        if let Some(explain) = &self.explain {
            explain(line);
        }
        self.applied().push(line.to_owned());
    }

    fn applied(&self) -> MutexGuard<'_, Vec<String>> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every command since the last call, as a person would type it.
    pub(crate) fn take_applied(&self) -> Vec<String> {
        std::mem::take(&mut self.applied())
    }

    /// Builds everything: first the cables, then every namespace at once.
    pub(crate) fn apply(&self, plan: &Plan) -> Result<(), LabError> {
        for line in &plan.cables {
            self.tell(&format!("ip {line}"));
        }
        self.batch(&plan.cables, "ip")?;
        for place in &plan.places {
            self.explain_place(place);
        }
        thread::scope(|scope| {
            let furnish = |place| {
                let spawned = thread::Builder::new().spawn_scoped(scope, move || self.furnish(place));
                spawned.map_err(|e| LabError::no_thread(&place.name, e))
            };
            let places: Vec<_> = plan.places.iter().map(furnish).collect();
            let ended = places.into_iter().map(|place| match place?.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }

    fn explain_place(&self, place: &Place) {
        let name = &place.name;
        for (setting, value) in &place.settings {
            self.tell(&format!("ip netns exec {name} sysctl -w {}={value}", setting.replace('/', ".")));
        }
        for line in &place.ip {
            self.tell(&format!("ip -n {name} {line}"));
        }
        if !place.nft.is_empty() {
            self.tell(&format!("ip netns exec {name} nft -f - <<'END'\n{}END", place.nft));
        }
    }

    fn furnish(&self, wanted: &Place) -> Result<(), LabError> {
        let name = &wanted.name;
        place::on(name, || {
            for (setting, value) in &wanted.settings {
                set(setting, value)?;
            }
            self.batch(&wanted.ip, &format!("ip -n {name}"))?;
            if wanted.nft.is_empty() {
                return Ok(());
            }
            self.ruleset(name, &wanted.nft)
        })?
    }

    /// Runs `ip` lines in a namespace of the lab.
    pub(crate) fn ip(&self, name: &str, lines: &[String]) -> Result<(), LabError> {
        for line in lines {
            self.tell(&format!("ip -n {name} {line}"));
        }
        place::on(name, || self.batch(lines, &format!("ip -n {name}")))?
    }

    /// Loads nftables text in a namespace of the lab.
    pub(crate) fn nft(&self, name: &str, text: &str) -> Result<(), LabError> {
        if text.contains("{\n") {
            self.tell(&format!("ip netns exec {name} nft -f - <<'END'\n{text}END"));
        } else {
            text.lines().for_each(|line| self.tell(&format!("ip netns exec {name} nft '{line}'")));
        }
        place::on(name, || self.ruleset(name, text))?
    }

    fn ruleset(&self, name: &str, text: &str) -> Result<(), LabError> {
        let mut nft = Command::new(&self.nft);
        feed(nft.args(["-f", "-"]), text).map_err(|message| LabError::Command {
            command: format!("ip netns exec {name} nft -f -"),
            message,
        })
    }

    /// Runs lines as `ip -batch`; `typed` is how a person would begin each.
    fn batch(&self, lines: &[String], typed: &str) -> Result<(), LabError> {
        let mut ip = Command::new(&self.ip);
        feed(ip.args(["-batch", "-"]), &(lines.join("\n") + "\n")).map_err(|message| {
            // ip ends at the first line that fails with "Command failed -:LINE".
            let line = message.rsplit("-:").next().and_then(|n| n.trim().parse::<usize>().ok());
            let line = line.and_then(|n| lines.get(n.wrapping_sub(1))).map_or("-batch -", String::as_str);
            let message = message.lines().next().unwrap_or_default().to_owned();
            LabError::Command { command: format!("{typed} {line}"), message }
        })
    }
}

/// Writes a kernel setting of the calling thread's namespace; one that this kernel does not have needs no change.
fn set(setting: &str, value: &str) -> Result<(), LabError> {
    match fs::write(format!("/proc/sys/{setting}"), value) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(LabError::io(format!("set {} to {value}", setting.replace('/', ".")), error)),
        Ok(()) => Ok(()),
    }
}

/// Runs a command on this text; what it prints on stderr is the error.
fn feed(command: &mut Command, text: &str) -> Result<(), String> {
    enter::forget_stage(command);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ended early says why itself.
        let _ = stdin.write_all(text.as_bytes());
    }
    let mut told = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut told);
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(told.trim().to_owned()) }
}
