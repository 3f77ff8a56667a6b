//! What the machine must have and allow, told before anything is built.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::LabError;

/// Where tools stand that an ordinary user's PATH may not have.
pub(crate) const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The tools, and the Debian packages that have them.
const TOOLS: [(&str, &str); 2] = [("ip", "iproute2"), ("nft", "nftables")];

/// Checks what can be checked without trying.
pub(crate) fn check() -> Result<(), LabError> {
    for (tool, package) in TOOLS {
        if find(tool).is_none() {
            return Err(LabError::MissingTool { tool, package });
        }
    }
    if let Some(remedy) = forbidden_by(Path::new("/proc/sys")) {
        return Err(LabError::Forbidden {
            reason: "a setting of the kernel switches them off".into(),
            remedy,
        });
    }
    Ok(())
}

/// Whether a lab can be built here, as far as can be said without building one.
///
/// # Errors
/// What is missing or forbidden, with its remedy.
pub fn preflight() -> Result<(), LabError> {
    check()
}

/// PATH, or where there is none, what a login gives.
pub(crate) fn own_path() -> OsString {
    let own = env::var_os("PATH").filter(|path| !path.is_empty());
    own.unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// The file of a tool, from PATH or where systems keep their tools.
pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    let path = own_path();
    let system = SYSTEM_DIRECTORIES.iter().map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|directory| directory.join(tool)).find(|file| file.is_file())
}

/// A refusal of the kernel, with what most likely causes it on this machine.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn forbidden(step: &str, source: io::Error) -> LabError {
    let remedy = forbidden_by(Path::new("/proc/sys")).unwrap_or_else(|| by_errno(&source));
    LabError::Forbidden { reason: format!("{step}: {source}"), remedy }
}

/// The setting that forbids user namespaces, and how to change it.
fn forbidden_by(settings: &Path) -> Option<String> {
    let read = |name: &str| {
        let text = fs::read_to_string(settings.join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    if read("user/max_user_namespaces") == Some(0) {
        return Some("allow user namespaces: sysctl -w user.max_user_namespaces=10000".into());
    }
    if rustix::process::geteuid().is_root() {
        // The others bind ordinary users only.
        return None;
    }
    if read("kernel/unprivileged_userns_clone") == Some(0) {
        return Some("allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1".into());
    }
    if read("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "AppArmor restricts user namespaces (Ubuntu 24.04 and later): \
             sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root"
                .into(),
        );
    }
    None
}

fn by_errno(error: &io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC) => {
            "all user namespaces of this user are taken: end other labs or containers, \
             or raise user.max_user_namespaces with sysctl"
        }
        Some(rustix::io::Errno::PERM) => {
            "a container's seccomp profile or a chroot denies it: in Docker, \
             docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
        }
        Some(rustix::io::Errno::INVAL) => {
            "the kernel lacks a kind of namespace (CONFIG_USER_NS, CONFIG_NET_NS, CONFIG_PID_NS)"
        }
        _ => "",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_nobody_has_is_not_found_and_ip_is() {
        assert!(find("no-such-tool-at-all").is_none());
        assert!(find("sh").is_some());
    }

    #[test]
    fn a_setting_that_forbids_namespaces_is_named_with_its_remedy() {
        let settings = env::temp_dir().join(format!("echoline-lab-{}", std::process::id()));
        fs::create_dir_all(settings.join("user")).expect("a directory");
        fs::write(settings.join("user/max_user_namespaces"), "0\n").expect("a file");
        let remedy = forbidden_by(&settings);
        fs::remove_dir_all(&settings).expect("ours to remove");
        assert!(remedy.expect("forbidden").contains("user.max_user_namespaces"));
    }
}
