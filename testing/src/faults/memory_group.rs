//! A memory cgroup for one server: what it may use, and how often the kernel killed for it (cgroups(7)).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::attack::wait_until;
use super::here;

const PREFIX: &str = "echoline-faults-";

/// Where groups stand, and how the files of each version are called.
struct Version {
    top: &'static str,
    limit: &'static str,
    /// Its line `oom_kill N`.
    events: &'static str,
    most: &'static str,
    /// What else its processes may use, or may use in all, on disks.
    swap: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        top: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        events: "memory.oom_control",
        most: "memory.max_usage_in_bytes",
        swap: "memory.memsw.limit_in_bytes",
    },
    Version {
        top: "/sys/fs/cgroup",
        limit: "memory.max",
        events: "memory.events",
        most: "memory.peak",
        swap: "memory.swap.max",
    },
];

pub(crate) struct Group {
    path: PathBuf,
    version: &'static Version,
}

impl Group {
    /// Of a run that writes to `scratch`: one at a time.
    pub(crate) fn new(limit: u64, scratch: &Path) -> Result<Self> {
        let mut reasons = Vec::new();
        for version in &VERSIONS {
            match Self::of(version, limit, scratch) {
                Ok(group) => return Ok(group),
                Err(error) => reasons.push(format!("{error:#}")),
            }
        }
        bail!("{}", reasons.join("; "))
    }

    fn of(version: &'static Version, limit: u64, scratch: &Path) -> Result<Self> {
        let path = path(version, scratch);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let group = Self { path, version };
        let file = group.path.join(version.limit);
        if !file.exists() {
            bail!("{} does not govern memory", version.top);
        }
        fs::write(&file, limit.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
        group.stay_in_memory(limit)?;
        Ok(group)
    }

    /// What may go to a disk instead is not short of memory.
    fn stay_in_memory(&self, limit: u64) -> Result<()> {
        // The older version counts both together.
        let swap = if self.version.swap.contains("memsw") { limit } else { 0 };
        let kept = fs::write(self.path.join(self.version.swap), swap.to_string());
        if let (Err(error), true) = (kept, here::swaps()) {
            bail!("this machine swaps, and {} cannot be written: {error}", self.version.swap);
        }
        Ok(())
    }

    /// The words that start a command inside.
    pub(crate) fn enter_words(&self) -> Vec<String> {
        let procs = self.path.join("cgroup.procs").display().to_string();
        ["sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", &procs].map(str::to_owned).to_vec()
    }

    /// Processes that the kernel killed because the group had no more.
    pub(crate) fn killed(&self) -> Result<u64> {
        let text = self.read(self.version.events)?;
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.with_context(|| format!("{} counts no kills", self.version.events))
    }

    /// The most memory that the group has had, the kernel's part included, in words.
    pub(crate) fn most(&self) -> Result<String> {
        if !self.path.join(self.version.most).exists() {
            return Ok(format!("no {} here (Linux 5.19 and later)", self.version.most));
        }
        let most: u64 = self.read(self.version.most)?.trim().parse()?;
        Ok(format!("most {} MiB", most >> 20))
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.path.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The directory's name is another for each run.
fn path(version: &Version, scratch: &Path) -> PathBuf {
    let run = scratch.file_name().unwrap_or_default().to_string_lossy();
    Path::new(version.top).join(format!("{PREFIX}{}", run.trim_start_matches('.')))
}

/// Its processes have ended; the kernel lets go of them a moment later.
fn remove(path: &Path) {
    let _ = wait_until(Duration::from_secs(2), || Ok(!path.exists() || fs::remove_dir(path).is_ok()));
}

/// Removes what the run that wrote to `scratch` has left because it was interrupted.
pub(super) fn sweep(scratch: &Path) {
    VERSIONS.iter().for_each(|version| remove(&path(version, scratch)));
}
