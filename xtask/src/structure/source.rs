//! The files of the workspace, and their tokens.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::TokenStream;

/// Every package below `root`, by the directory of its manifest, sorted.
pub(super) fn packages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = files(root)?
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "Cargo.toml"))
        .filter_map(|file| file.parent().map(Path::to_path_buf))
        .filter(|directory| directory.join("src").is_dir())
        .collect();
    found.sort();
    Ok(found)
}

/// The root files of a package's crates: library, programs, examples and build script.
pub(super) fn roots(package: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in ["src/lib.rs", "src/main.rs", "build.rs"] {
        found.extend(Some(package.join(name)).filter(|file| file.is_file()));
    }
    for directory in [package.join("src/bin"), package.join("examples")].iter().filter(|path| path.is_dir()) {
        let is_root = |file: &PathBuf| {
            let beside = file.parent() == Some(directory);
            is_rust(file) && (beside || file.file_name().is_some_and(|name| name == "main.rs"))
        };
        found.extend(files(directory)?.into_iter().filter(is_root));
    }
    found.sort();
    Ok(found)
}

/// Every Rust file below `root`, sorted.
pub(super) fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = files(root)?;
    found.retain(|file| is_rust(file));
    found.sort();
    Ok(found)
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// Every file below `root`, except hidden ones and those that cargo builds.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let cannot = || format!("cannot list {}", directory.display());
        for entry in fs::read_dir(&directory).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name();
            if name == "target" || name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Links are not followed: they may lead out of the workspace, or back.
            let kind = entry.file_type().with_context(cannot)?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The text of `file`.
pub(super) fn text(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The tokens of `text`, the contents of `file`.
pub(super) fn tokens(file: &Path, text: &str) -> Result<TokenStream> {
    text.parse().map_err(|error| anyhow!("{}: not Rust: {error}", file.display()))
}

/// The path of `file` from `root`.
pub(super) fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}
