//! Packages that a test writes.

use std::fs;

use tempfile::TempDir;

/// A directory with one package in it, which has these files in its `src`.
pub(super) fn scratch(package: &str, files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let package = directory.path().join(package);
    for (name, text) in
        files.iter().map(|(name, text)| (format!("src/{name}"), *text)).chain([("Cargo.toml".to_owned(), "")])
    {
        let file = package.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}
