//! The programs that are tested, built as they are shipped.

use std::path::PathBuf;

use anyhow::Result;
use xtask_tools::run;

/// Where our program is, once it is built.
pub(crate) fn ours() -> PathBuf {
    run::target().join("release/echoline")
}

/// Builds our program; returns where it is.
pub(crate) fn build_ours() -> Result<PathBuf> {
    run::shown(run::cargo().args(["build", "--release", "--quiet", "-p", "echoline-cli"]))?;
    Ok(ours())
}

/// Where the sources of the peers are.
pub(crate) fn peer_sources() -> PathBuf {
    run::root().join("testing/peers")
}

/// Where the peers in Rust are, once they are built.
pub(crate) fn peers() -> PathBuf {
    run::testing_target().join("release")
}

/// Builds the peers in Rust; returns where they are.
pub(crate) fn build_peers() -> Result<PathBuf> {
    run::shown(run::testing("build").args(["--release", "--quiet", "--locked", "-p", "echoline-peers"]))?;
    Ok(peers())
}
