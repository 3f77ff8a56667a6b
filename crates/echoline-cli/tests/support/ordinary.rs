//! The program as somebody else runs it: neither root nor the owner of its file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use echoline_testing::skip;

use super::ECHOLINE;

/// A copy that everybody may read, run as another user if we are root.
pub(crate) struct Ordinary {
    program: PathBuf,
    _directory: tempfile::TempDir,
}

impl Ordinary {
    /// `None` where this process cannot become another user, as in a container that has only one; says so.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let mut change = Command::new("setpriv");
        change.args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"]).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() && !change.status().is_ok_and(|status| status.success()) {
            skip(test, "setpriv (util-linux), and another user to become");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("echoline");
        // Not by this process: a child that another test starts meanwhile would have the copy open for writing, and
        // the kernel starts no such file (ETXTBSY).
        assert!(Command::new("cp").arg(ECHOLINE).arg(&program).status().unwrap().success());
        for path in [directory.path(), &program] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Some(Self { program, _directory: directory })
    }

    /// As the user `nobody`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.as_user(65_534, &[], arguments)
    }

    /// As this user, by a command that runs another one, such as `prlimit`.
    pub(crate) fn as_user(&self, uid: u32, by: &[&str], arguments: &[&str]) -> Command {
        let mut words = Vec::new();
        if rustix::process::geteuid().is_root() {
            let (user, group) = (format!("--reuid={uid}"), format!("--regid={uid}"));
            words.extend(["setpriv".to_owned(), user, group, "--clear-groups".to_owned()]);
        }
        words.extend(by.iter().map(|&word| word.to_owned()));
        words.push(self.program.to_str().unwrap().to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments).current_dir("/");
        command
    }
}
