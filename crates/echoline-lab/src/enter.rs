//! Entering: how an ordinary process comes to stand in namespaces of its own.
//!
//! A process cannot move itself into a new pid namespace, so `enter` runs the same program again, with the same
//! arguments, twice: the caller waits *outside*; *init* is pid 1 of the namespace and reaps; the program proper
//! goes on *inside*, from `enter`. When outside ends, by whatever signal, the kernel kills init; when init ends,
//! it kills everything inside; with the last process the namespaces, mounts and interfaces go.

use std::env;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, exit};

use nix::sys::signal::kill;
use nix::unistd::Pid;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;

use crate::attend::Attendance;
use crate::error::LabError;
use crate::preflight;
use crate::sys;

/// Says to a new run of the program which part it plays. Its children do not inherit it.
const STAGE: &str = "ECHOLINE_LAB_STAGE";
/// The lab's own files, on a file system that nobody outside sees.
pub(crate) const RUN: &str = "/run/lab";

/// Proof that this process stands in namespaces of its own.
#[derive(Debug)]
pub struct Inside(());

/// Enters namespaces of this process's own; returns inside only, and the outer process exits with the status of
/// the inner one.
///
/// Call it before any thread starts; in a test binary that means `harness = false` and first in `main`. The
/// program runs twice up to this call. No privilege is needed; with root the same path is taken.
///
/// # Errors
/// Tools that are missing, namespaces that the machine forbids, a process that already has threads.
pub fn enter() -> Result<Inside, LabError> {
    match env::var(STAGE).as_deref() {
        Err(_) => exit(outside()?),
        Ok(stage) => match stage.split_once(':') {
            Some(("init", lifeline)) => exit(init(lifeline)?),
            _ => Attendance::end().map(|()| Inside(())),
        },
    }
}

/// Whether this process stands inside already.
#[must_use]
pub fn is_inside() -> bool {
    env::var(STAGE).is_ok_and(|stage| stage == "inside")
}

/// Takes what tells the stages apart out of a command's environment.
pub(crate) fn forget_stage(command: &mut Command) {
    command.env_remove(STAGE);
}

/// Whether this process, read from `/proc/PID/environ`, is the init of a lab.
pub(crate) fn is_init(environment: &[u8]) -> bool {
    let marker = format!("{STAGE}=init:");
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(marker.as_bytes()))
}

fn outside() -> Result<i32, LabError> {
    preflight::check()?;
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(LabError::Misuse("a lab is entered before any thread starts"));
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let program = env::current_exe().map_err(|e| LabError::io("find this program's own file", e))?;
    let every = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC;
    sys::unshare(every).map_err(|e| preflight::forbidden("unshare", e.into()))?;
    // A user without privilege may map only itself, and only once groups cannot be dropped (user_namespaces(7)).
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ] {
        fs::write(file, text).map_err(|e| preflight::forbidden("map this user into a user namespace", e))?;
    }
    let (lifeline, held) = rustix::pipe::pipe().map_err(|e| LabError::io("make a pipe", e))?;
    rustix::io::fcntl_setfd(&held, rustix::io::FdFlags::CLOEXEC)
        .map_err(|e| LabError::io("make a pipe", e))?;
    let mut command = again(&program, &format!("init:{}", lifeline.as_raw_fd()));
    let attendance = Attendance::begin()?;
    let child = command.spawn().map_err(|e| preflight::forbidden("start pid 1 of the lab", e))?;
    drop(lifeline);
    // Init has ended if it cannot be told any more.
    let to_init = |signal| {
        let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
    };
    Ok(code_of(attendance.until_the_end_of(child.id(), to_init)?))
}

/// This program with these arguments, to play another part.
fn again(program: &Path, stage: &str) -> Command {
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(STAGE, stage);
    command
}

fn init(lifeline: &str) -> Result<i32, LabError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| LabError::io("ask to end with the outer process", e))?;
    // Anywhere else, what is meant for everything inside would go to everything.
    let lifeline = lifeline.parse().ok().filter(|_| rustix::process::getpid().is_init());
    let lifeline = lifeline.ok_or(LabError::Misuse("the lab's stage is set by the lab only"))?;
    if closed(lifeline) {
        // It ended before the kernel knew that we wanted to hear of it.
        return Ok(137);
    }
    let program = env::current_exe();
    mount_own_file_systems()?;
    // In a /proc that could not be mounted anew, our own link is missing: then the name must do.
    let program = program.or_else(|_| env::args_os().next().map(Into::into).ok_or(io::ErrorKind::NotFound));
    let program = program.map_err(|e: io::ErrorKind| LabError::io("find this program's own file", e))?;
    let attendance = Attendance::begin()?;
    let child = again(&program, "inside").spawn().map_err(|e| LabError::io("start the lab", e))?;
    // As from a terminal: to everything inside, which is all that pid 1 of a namespace can signal.
    let to_all = |signal| {
        let _ = kill(Pid::from_raw(-1), signal);
    };
    Ok(code_of(attendance.until_the_end_of(child.id(), to_all)?))
}

/// Whether nobody holds the other end of the pipe any more.
fn closed(fd: RawFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let lifeline = sys::own(fd);
    let mut fds = [PollFd::new(&lifeline, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(poll(&mut fds, Some(&now)), Ok(0))
}

/// Private mounts: /run for named namespaces and the lab's files, /proc for the new pid namespace.
fn mount_own_file_systems() -> Result<(), LabError> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|e| preflight::forbidden("make mounts private", e.into()))?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", "/run", "tmpfs", quiet, Some(c"mode=755"))
        .map_err(|e| preflight::forbidden("mount a private /run", e.into()))?;
    if fs::canonicalize("/var/run").is_ok_and(|path| path != Path::new("/run")) {
        rustix::mount::mount_bind("/run", "/var/run")
            .map_err(|e| preflight::forbidden("mount a private /var/run", e.into()))?;
    }
    fs::create_dir_all(RUN).map_err(|e| LabError::io(format!("make {RUN}"), e))?;
    // Containers that hide parts of /proc do not allow a new one; the old one serves, less exactly.
    let _ = rustix::mount::mount("proc", "/proc", "proc", quiet | MountFlags::NOEXEC, None);
    Ok(())
}

/// The exit code that a shell would report.
pub(crate) fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
