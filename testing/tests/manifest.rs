//! Cargo inherits nothing from another workspace: what has to be as in the root's manifest stands
//! here twice, and is held equal.

use std::collections::BTreeSet;

const ROOT: &str = include_str!("../../Cargo.toml");
const OURS: &str = include_str!("../Cargo.toml");

/// The settings under `[header]`, without comments.
fn section<'a>(manifest: &'a str, header: &str) -> BTreeSet<&'a str> {
    let header = format!("[{header}]");
    let inside = manifest.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let settings = inside.take_while(|line| !line.starts_with('['));
    settings.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn package_settings_lints_and_the_dev_profile_are_those_of_the_root() {
    for header in ["workspace.package", "workspace.lints.rust", "workspace.lints.clippy", "profile.dev"] {
        let root = section(ROOT, header);
        assert!(!root.is_empty(), "the root's manifest has no [{header}]");
        assert_eq!(section(OURS, header), root, "[{header}] of testing/Cargo.toml and of Cargo.toml");
    }
}
