//! The length of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use proc_macro2::TokenTree;

use super::modules::Tree;
use super::source;
use super::syntax::{self, Kind};
use crate::run;

/// The most lines of a file, without its test modules.
const MAX_LINES: usize = 500;

/// Fails and lists every file that is too long.
pub(crate) fn check() -> Result<()> {
    let too_long = too_long(&run::root())?;
    ensure!(
        too_long.is_empty(),
        "a file has at most {MAX_LINES} lines before its tests; split these into modules:\n{}",
        too_long.join("\n")
    );
    Ok(())
}

fn too_long(root: &Path) -> Result<Vec<String>> {
    let tests = test_files(root)?;
    let mut found = Vec::new();
    for file in source::rust_files(root)? {
        let name = source::shown(root, &file);
        if tests.contains(&file) || Path::new(&name).components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let lines = lines_of_code(&file, &source::text(&file)?)?;
        if lines > MAX_LINES {
            found.push(format!("  {name}: {lines} lines"));
        }
    }
    Ok(found)
}

/// The files of modules that are compiled for tests only.
fn test_files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for package in source::packages(root)? {
        for file in source::roots(&package)? {
            found.extend(Tree::read(&file)?.test_files);
        }
    }
    Ok(found)
}

fn lines_of_code(file: &Path, text: &str) -> Result<usize> {
    let tokens: Vec<TokenTree> = source::tokens(file, text)?.into_iter().collect();
    let of_tests = |item: &syntax::Item<'_>| {
        let (first, last) = item.lines();
        if item.attributes.test && matches!(item.kind, Kind::Module { .. }) { last - first + 1 } else { 0 }
    };
    Ok(text.lines().count() - syntax::items(&tokens).iter().map(of_tests).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::scratch::scratch;

    #[test]
    fn a_file_is_too_long_at_one_line_over_the_limit_its_tests_not_counted() {
        let code = |lines: usize| "const _: u8 = 0;\n".repeat(lines);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code(MAX_LINES));
        let directory = scratch(
            "one",
            &[
                ("lib.rs", &format!("mod fits;\nmod long;\n#[cfg(test)]\nmod checks;\n{tests}")),
                ("fits.rs", &(code(MAX_LINES) + &tests)),
                ("long.rs", &(code(MAX_LINES + 1) + &tests)),
                ("checks.rs", &code(MAX_LINES + 1)),
                ("../tests/whole.rs", &code(MAX_LINES + 1)),
                // Tests in the middle hide nothing.
                ("bin/parted.rs", &(tests + &code(MAX_LINES + 1))),
            ],
        );
        assert_eq!(
            too_long(directory.path()).unwrap(),
            ["  one/src/bin/parted.rs: 501 lines", "  one/src/long.rs: 501 lines"]
        );
    }
}
