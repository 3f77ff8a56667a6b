//! Standing in a namespace of the lab: for a thread, and for the commands that it starts.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::enter::{self, RUN};
use crate::error::LabError;
use crate::preflight;
use crate::sys;
use crate::topology::{Node, Topology, WIRES};

/// Runs `job` on a thread of its own that stands in a network namespace of the lab.
pub(crate) fn on<T: Send>(place: &str, job: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    thread::scope(|scope| {
        let standing = thread::Builder::new().spawn_scoped(scope, || {
            step_into(place)?;
            Ok(job())
        });
        let standing = standing.map_err(|e| LabError::no_thread(place, e))?;
        standing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn step_into(place: &str) -> Result<(), LabError> {
    let file = format!("/run/netns/{place}");
    let namespace =
        File::open(&file).map_err(|e| LabError::io(format!("open the namespace of {place}"), e))?;
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|e| LabError::io(format!("enter the namespace of {place}"), e))
}

/// Starts a command as if on this host: its network, its host name, its names.
pub(crate) fn spawn(host: &str, command: &mut Command) -> Result<Child, LabError> {
    thread::scope(|scope| {
        let standing = thread::Builder::new().spawn_scoped(scope, || spawn_here(host, command));
        let standing = standing.map_err(|e| LabError::no_thread(host, e))?;
        standing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The same on the calling thread, which stays on the host.
pub(crate) fn spawn_here(host: &str, command: &mut Command) -> Result<Child, LabError> {
    step_into(host)?;
    take_files(host)?;
    enter::forget_stage(command);
    command.env("ECHOLINE_LAB_HOST", host).env("PATH", path());
    // The child inherits the namespaces of the thread that makes it.
    let child = command.spawn();
    child.map_err(|e| LabError::io(format!("run {} on {host}", command.get_program().display()), e))
}

/// PATH with the lab's own programs first, and where systems keep theirs last: `ip` is often found there only.
fn path() -> OsString {
    let own = preflight::own_path();
    let parts = [bin()].into_iter().chain(std::env::split_paths(&own));
    let all = parts.chain(preflight::SYSTEM_DIRECTORIES.iter().map(PathBuf::from));
    std::env::join_paths(all).unwrap_or(own)
}

/// The directory of the lab's own programs, first on the PATH of each host.
pub(crate) fn bin() -> PathBuf {
    Path::new(RUN).join("bin")
}

/// Gives the calling thread the host's name and its files under /etc.
fn take_files(host: &str) -> Result<(), LabError> {
    sys::unshare(UnshareFlags::FS | UnshareFlags::NEWNS | UnshareFlags::NEWUTS)
        .map_err(|e| LabError::io("make a mount namespace", e))?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|e| LabError::io("make mounts private", e))?;
    rustix::system::sethostname(host.as_bytes()).map_err(|e| LabError::io("set the host name", e))?;
    let from = directory(host);
    for name in ["resolv.conf", "hosts", "nsswitch.conf"] {
        let Some(target) = target_of(&Path::new("/etc").join(name))? else {
            if name == "resolv.conf" {
                return Err(LabError::Misuse(
                    "this machine has no /etc/resolv.conf over which to put the lab's: make an empty one",
                ));
            }
            continue;
        };
        rustix::mount::mount_bind(from.join(name), &target)
            .map_err(|e| LabError::io(format!("put the lab's {name} over {}", target.display()), e))?;
    }
    Ok(())
}

/// The file that a name under /etc stands for; made if it would lie on our own /run, `None` if there is none.
fn target_of(path: &Path) -> Result<Option<PathBuf>, LabError> {
    if let Ok(found) = fs::canonicalize(path) {
        return Ok(Some(found));
    }
    let Ok(link) = fs::read_link(path) else { return Ok(None) };
    let target = path.parent().unwrap_or(Path::new("/")).join(link);
    let told = || format!("make {}", target.display());
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|e| LabError::io(told(), e))?;
    }
    File::create(&target).map_err(|e| LabError::io(told(), e))?;
    fs::canonicalize(&target).map(Some).map_err(|e| LabError::io(told(), e))
}

fn directory(host: &str) -> PathBuf {
    Path::new(RUN).join(host)
}

/// Writes the files of every node.
pub(crate) fn write_files(topology: &Topology) -> Result<(), LabError> {
    let switch = nsswitch_conf(&fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default());
    for node in &topology.nodes {
        let directory = directory(&node.name);
        fs::create_dir_all(&directory)
            .map_err(|e| LabError::io(format!("make {}", directory.display()), e))?;
        let name = &node.name;
        for (file, text) in [
            ("resolv.conf", resolv_conf(topology, node)),
            ("hosts", format!("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")),
            ("nsswitch.conf", switch.clone()),
        ] {
            let path = directory.join(file);
            fs::write(&path, text).map_err(|e| LabError::io(format!("write {}", path.display()), e))?;
        }
    }
    Ok(())
}

/// As on this machine, but for the names of hosts nothing except files and the lab's own name server may answer.
fn nsswitch_conf(own: &str) -> String {
    let others = own.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).map(|line| format!("{line}\n")).collect()
}

/// The name server's addresses of the families that the host has; the resolver reads three (resolv.conf(5)).
fn resolv_conf(topology: &Topology, node: &Node) -> String {
    let mut text = String::from("search lab.test\noptions timeout:2 attempts:2\n");
    let servers = topology.name_servers();
    let usable =
        servers.iter().filter(|server| node.addresses().any(|own| own.is_ipv4() == server.is_ipv4()));
    for server in usable.take(3) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

/// Lets go of every namespace of the lab; each ends with its last process and socket.
pub(crate) fn forget(topology: &Topology) {
    let nodes = topology.nodes.iter().map(|node| node.name.as_str());
    for name in nodes.chain([WIRES]) {
        // What is gone already needs no more.
        let file = format!("/run/netns/{name}");
        let _ = rustix::mount::unmount(&file, UnmountFlags::DETACH);
        let _ = fs::remove_file(&file);
    }
    // Its files, and whatever commands left beside them: this memory is the machine's.
    for entry in fs::read_dir(RUN).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}
