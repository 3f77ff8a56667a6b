//! Paths resolved to modules. Re-exports are followed to the module that defines the item.

use super::modules::Tree;
use super::uses::Brings;

/// Longer chains of re-exports count as endless.
const MAX_STEPS: usize = 32;

/// The module that defines the target of `path`, as seen in `module`; none outside the crate.
pub(super) fn resolve(tree: &Tree, module: usize, path: &[String]) -> Option<usize> {
    follow(tree, module, path, 0)
}

fn follow(tree: &Tree, module: usize, path: &[String], steps: usize) -> Option<usize> {
    if steps > MAX_STEPS {
        return None;
    }
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => 0,
        "self" => module,
        "super" => tree.modules[module].parent?,
        // An unknown name is another crate, or part of the language.
        _ => match named(tree, module, first, rest.is_empty(), steps)? {
            Named::Module(next) => next,
            Named::Item(defines) => return Some(defines),
        },
    };
    while let Some((name, after)) = rest.split_first() {
        rest = after;
        at = match name.as_str() {
            "super" => tree.modules[at].parent?,
            _ => match named(tree, at, name, rest.is_empty(), steps) {
                Some(Named::Module(next)) => next,
                Some(Named::Item(defines)) => return Some(defines),
                // An item made by a macro, or one of another crate.
                None => return Some(at),
            },
        };
    }
    Some(at)
}

enum Named {
    Module(usize),
    /// The module that defines the item
    Item(usize),
}

/// The meaning of `name` in `module`. If a module and an item share the name, the module is meant
/// where the path goes on.
fn named(tree: &Tree, module: usize, name: &str, is_last: bool, steps: usize) -> Option<Named> {
    let here = &tree.modules[module];
    let child = here.children.get(name).copied().map(Named::Module);
    if !is_last && child.is_some() {
        return child;
    }
    if here.defined.contains(name) {
        return Some(Named::Item(module));
    }
    for import in &here.imports {
        let brings = matches!(&import.brings, Brings::Name(brought) if brought == name);
        // `use name;` imports a crate.
        if brings && (import.path.len() > 1 || import.path[0] != name) {
            let defines = follow(tree, module, &import.path, steps + 1)?;
            let is_module = tree.modules[defines].name == *import.path.last()?;
            return Some(if is_module && !is_last { Named::Module(defines) } else { Named::Item(defines) });
        }
    }
    if child.is_some() {
        return child;
    }
    here.imports.iter().filter(|import| import.brings == Brings::Everything).find_map(|import| {
        let from = follow(tree, module, &import.path, steps + 1).filter(|from| *from != module)?;
        named(tree, from, name, is_last, steps + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::scratch::scratch;

    #[test]
    fn a_path_leads_to_the_module_that_defines_its_target() {
        let directory = scratch(
            "one",
            &[
                ("lib.rs", "mod a;\nmod b;\npub use b::*;\nuse std::fs;\n"),
                (
                    "a.rs",
                    "use crate::b as other;\nuse other::run as go;\nuse Endless as E;\nuse crate::a::E as Endless;\n",
                ),
                (
                    "b/mod.rs",
                    "mod run;\nmod both { pub struct Inner; }\npub use run::{Deep, run};\npub fn both() {}\n",
                ),
                ("b/run.rs", "pub fn run() {}\npub struct Deep;\n"),
            ],
        );
        let tree = Tree::read(&directory.path().join("one/src/lib.rs")).unwrap();
        let find = |path: &str| (0..tree.modules.len()).find(|module| tree.path(*module) == path).unwrap();
        for (from, path, target) in [
            ("a", "crate", Some("")),
            ("a", "crate::b", Some("b")),
            ("a", "super::b::Deep", Some("b::run")),
            ("a", "super::super::b", None),
            ("b::run", "super::super::a", Some("a")),
            ("b", "self::run::Deep", Some("b::run")),
            ("b", "run::Deep::new", Some("b::run")),
            // A function and a module of one name.
            ("a", "crate::b::both", Some("b")),
            ("a", "crate::b::both::Inner", Some("b::both")),
            ("a", "crate::b::run", Some("b::run")),
            // Through an alias, through a glob, and to what a macro makes.
            ("a", "other::Deep", Some("b::run")),
            ("a", "go", Some("b::run")),
            ("a", "crate::Deep", Some("b::run")),
            ("a", "crate::both::Inner", Some("b::both")),
            ("a", "crate::b::MADE", Some("b")),
            // Other crates.
            ("a", "std::fs", None),
            ("a", "serde::Serialize", None),
            ("a", "Vec::new", None),
            // A name that stands for itself: the search ends.
            ("a", "E", Some("a")),
        ] {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            let found = resolve(&tree, find(from), &path).map(|module| tree.path(module));
            assert_eq!(found.as_deref(), target, "{} in {from}", path.join("::"));
        }
    }
}
