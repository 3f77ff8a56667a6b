//! Commands with a name: what is run is printed first, and a failure repeats it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The top directory of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Where our program is, once it is built optimised.
pub(crate) fn ours() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    target.join("release/echoline")
}

/// Builds our program, optimised; returns where it is.
pub(crate) fn build_ours() -> Result<PathBuf> {
    shown(cargo().args(["build", "--release", "--quiet", "-p", "echoline-cli"]))?;
    Ok(ours())
}

/// Where the servers on tokio are, once they are built.
pub(crate) fn peers() -> PathBuf {
    root().join("peers/target/release")
}

/// Builds the servers on tokio, optimised; returns where they are.
pub(crate) fn build_peers() -> Result<PathBuf> {
    let sources = root().join("peers");
    let mut cargo = cargo();
    cargo
        .args(["build", "--release", "--quiet", "--locked", "--manifest-path"])
        .arg(sources.join("Cargo.toml"));
    // Given by path, so that a CARGO_TARGET_DIR of the outer build does not move it.
    shown(cargo.arg("--target-dir").arg(sources.join("target")))?;
    Ok(peers())
}

/// The cargo that runs us, so that a toolchain chosen with `cargo +NAME` stays chosen.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs `command` with its output shown and fails unless it succeeds.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let line = spell(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to stdout.
pub(crate) fn captured(command: &mut Command) -> Result<String> {
    let line = spell(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` wrote bytes that are not UTF-8"))
}

/// Runs one named step and prints how long it took.
pub(crate) fn step(name: &str, body: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("== {name}");
    let start = Instant::now();
    let result = body();
    let verdict = if result.is_ok() { "ok" } else { "FAILED" };
    eprintln!("== {name}: {verdict} in {:.1} s", start.elapsed().as_secs_f64());
    result.with_context(|| format!("step {name}"))
}

fn spell(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
