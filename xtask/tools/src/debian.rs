//! Programs that are not ours: which Debian package brings each, and who needs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run;

/// A Debian package that some of our commands need.
#[derive(Debug, PartialEq)]
pub struct Package {
    /// As apt knows it.
    pub name: &'static str,
    /// The program that proves the package present, or a file by its whole path.
    pub program: &'static str,
    /// What cannot run without it.
    pub needed_by: &'static str,
}

/// What the tests need.
pub const FOR_TESTS: &[Package] = &[
    Package { name: "bsdutils", program: "script", needed_by: "the first command on a terminal" },
    Package { name: "dnsmasq-base", program: "dnsmasq", needed_by: "dnsmasq as a lab's name server" },
    Package { name: "iproute2", program: "ip", needed_by: "tests in network namespaces" },
    Package { name: "miniupnpd-nftables", program: "miniupnpd", needed_by: "a home router that maps ports" },
    Package { name: "ncat", program: "ncat", needed_by: "ncat at both ends" },
    Package { name: "netcat-openbsd", program: "nc.openbsd", needed_by: "OpenBSD nc against our server" },
    Package { name: "nftables", program: "nft", needed_by: "firewall and NAT tests" },
    Package { name: "python3", program: "python3", needed_by: "Python clients and servers" },
    Package { name: "socat", program: "socat", needed_by: "socat at both ends" },
    Package { name: "strace", program: "strace", needed_by: "faults of system calls" },
    Package { name: "tcpdump", program: "tcpdump", needed_by: "tcpdump reads our captures" },
];

/// Where `program` is, if it is installed. `sbin` counts: an ordinary user's PATH often lacks it.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Those of `packages` whose program is not here.
pub fn missing<'a>(packages: &[&'a Package]) -> Vec<&'a Package> {
    packages.iter().copied().filter(|package| !package.is_there()).collect()
}

impl Package {
    fn is_there(&self) -> bool {
        let path = Path::new(self.program);
        if path.is_absolute() { path.is_file() } else { find(self.program).is_some() }
    }
}

/// The line that installs `packages`, for a person to paste.
pub fn install_line(packages: &[&Package]) -> String {
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {}", names.join(" "))
}

/// Installs what is missing of `packages`, or says how and what will not run without it.
pub fn provide(packages: &[&Package], install: bool) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    if install {
        return install_all(&missing);
    }
    eprintln!("Not installed here:");
    for package in &missing {
        eprintln!("  {:<16} for {}", package.name, package.needed_by);
    }
    eprintln!("On Debian or Ubuntu: {}", install_line(&missing));
    Ok(())
}

fn install_all(packages: &[&Package]) -> Result<()> {
    let line = install_line(packages);
    if find("apt-get").is_none() {
        bail!(
            "--install knows apt-get only, and this machine has none; install these yourself: {}",
            packages.iter().map(|package| package.program).collect::<Vec<_>>().join(", ")
        );
    }
    if !rustix::process::geteuid().is_root() {
        bail!("--install needs root; run this and try again without --install:\n  {line}");
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run::shown(apt().args(["update", "-q"])).context("apt-get could not refresh its lists")?;
    run::shown(
        apt()
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(packages.iter().map(|package| package.name)),
    )?;
    let still: Vec<_> = missing(packages).iter().map(|package| package.program).collect();
    if !still.is_empty() {
        bail!("installed, and still not found: {}", still.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Package = Package { name: "none", program: "no-such-program-here", needed_by: "this test" };
    const SHELL: Package = Package { name: "dash", program: "sh", needed_by: "this test" };

    #[test]
    fn only_what_is_absent_is_missing() {
        assert_eq!(missing(&[&SHELL, &ABSENT]), [&ABSENT]);
    }

    #[test]
    fn the_line_to_paste_names_every_package_once() {
        assert!(install_line(&[&SHELL, &ABSENT]).ends_with("--no-install-recommends dash none"));
    }
}
