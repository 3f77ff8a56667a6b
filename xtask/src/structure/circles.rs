//! No circles between the modules of a crate.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};

use super::graph::{self, Circle};
use super::modules::Tree;
use super::source;
use crate::run;

/// A circle that stays.
struct Accepted {
    /// The directory of its package
    package: &'static str,
    /// Exactly the modules that reach one another, sorted
    members: &'static [&'static str],
    /// Why it stays
    #[expect(dead_code, reason = "for the reader of the table")]
    reason: &'static str,
}

/// The circles that ARCHITECTURE.md names.
const ACCEPTED: &[Accepted] = &[];

/// Fails and spells each circle as a path of imports.
pub(crate) fn check() -> Result<()> {
    let complaints = complaints(&run::root(), ACCEPTED)?;
    ensure!(complaints.is_empty(), "circular imports between modules:\n{}", complaints.join("\n"));
    Ok(())
}

fn complaints(root: &Path, accepted: &[Accepted]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut met = vec![false; accepted.len()];
    for package in source::packages(root)? {
        let name = source::shown(root, &package);
        for file in source::roots(&package)? {
            for circle in graph::circles(&Tree::read(&file)?) {
                match accepted
                    .iter()
                    .position(|accepted| accepted.package == name && circle.members == accepted.members)
                {
                    Some(index) => met[index] = true,
                    None => found.push(spell(root, &name, &circle)),
                }
            }
        }
    }
    for (accepted, _) in accepted.iter().zip(met).filter(|(_, met)| !met) {
        found.push(format!(
            "  {}: the circle of {} no longer exists: remove it from xtask/src/structure/circles.rs and from \
             ARCHITECTURE.md",
            accepted.package,
            accepted.members.join(", ")
        ));
    }
    Ok(found)
}

fn spell(root: &Path, package: &str, circle: &Circle) -> String {
    let mut text = format!("  {package}: ");
    for step in &circle.steps {
        let _ = write!(text, "{} -> ", step.from);
    }
    text += circle.steps.first().map_or("", |step| &step.from);
    for step in &circle.steps {
        let file = source::shown(root, &step.import.file);
        let path = step.import.path.join("::");
        let _ = write!(text, "\n    {} -> {}: {file}:{}: {path}", step.from, step.to, step.import.line);
    }
    if circle.members.len() > circle.steps.len() {
        let _ = write!(text, "\n    all of its modules: {}", circle.members.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::scratch::scratch;

    /// The complaints about a package of these files.
    fn found(files: &[(&str, &str)], accepted: &[Accepted]) -> Vec<String> {
        let directory = scratch("one", files);
        complaints(directory.path(), accepted).unwrap()
    }

    const MUTUAL: [(&str, &str); 3] = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "\nuse crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\nfn f() {\n    drop(super::a::A);\n}\n"),
    ];

    #[test]
    fn a_circle_is_spelled_as_a_path_with_the_place_of_each_import() {
        assert_eq!(
            found(&MUTUAL, &[]),
            [
                "  one: a -> b -> a\n    a -> b: one/src/a.rs:2: crate::b::B\n    b -> a: one/src/b.rs:3: super::a::A"
            ]
        );
    }

    #[test]
    fn a_module_stands_for_all_that_is_in_it() {
        let found = found(
            &[
                ("lib.rs", "mod a;\nmod b { pub mod deep { use crate::a::A; } pub struct B; }\n"),
                ("a/mod.rs", "mod inner;\npub struct A;\n"),
                ("a/inner.rs", "use crate::b::B;\n"),
            ],
            &[],
        );
        let expected = "  one: a -> b -> a\n    a -> b: one/src/a/inner.rs:1: crate::b::B\n    b -> a: \
                        one/src/lib.rs:2: crate::a::A";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_circle_of_three_below_the_root_is_found_once() {
        let found = found(
            &[
                ("lib.rs", "mod m;\n"),
                ("m/mod.rs", "mod a;\nmod b;\nmod c;\n"),
                ("m/a.rs", "use super::b;\n"),
                ("m/b.rs", "use super::c::{self, C};\n"),
                ("m/c.rs", "pub struct C;\nuse super::a as other;\n"),
            ],
            &[],
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("  one: m::a -> m::b -> m::c -> m::a\n"), "{found:?}");
    }

    #[test]
    fn the_shortest_path_is_shown_and_the_other_modules_are_listed() {
        let found = found(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
                ("a.rs", "use crate::b;\n"),
                ("b.rs", "use crate::c;\n"),
                ("c.rs", "use crate::{a, b};\n"),
            ],
            &[],
        );
        assert!(found[0].starts_with("  one: b -> c -> b\n"), "{found:?}");
        assert!(found[0].ends_with("all of its modules: a, b, c"), "{found:?}");
    }

    #[test]
    fn an_item_that_is_exported_again_belongs_to_the_module_that_defines_it() {
        let found = found(
            &[
                ("lib.rs", "mod a;\npub mod b;\npub use b::*;\nuse b::run::run as go;\n"),
                ("a.rs", "use crate::{Deep, go};\npub struct A;\n"),
                ("b/mod.rs", "mod run;\npub use run::run;\npub use run::Deep;\nuse crate::a::A;\n"),
                ("b/run.rs", "pub fn run() {}\npub struct Deep;\n"),
            ],
            &[],
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("a -> b: one/src/a.rs:1: crate::Deep"), "{found:?}");
    }

    #[test]
    fn a_path_counts_in_code_in_attributes_and_in_the_arguments_of_macros() {
        for code in [
            "fn f() { crate::b::g(); }",
            "fn f() { println!(\"{}\", crate::b::X); }",
            "fn f() { use crate::b; }",
            "struct S { #[arg(value_parser = crate::b::parse)] x: u8 }",
            "struct S { #[serde(with = \"crate::b::time\")] x: u8 }",
            "macro_rules! m { () => { $crate::b::X } }",
            "const C: u8 = { <u8 as crate::b::Trait>::C };",
            "fn f() { g(0..crate::b::X) }",
            "fn f(x: &impl super::b::Trait) -> impl Fn() + use<'_> { || () }",
        ] {
            let found =
                found(&[("lib.rs", "mod a;\nmod b;\n"), ("a.rs", code), ("b.rs", "use crate::a;\n")], &[]);
            assert_eq!(found.len(), 1, "{code}");
        }
    }

    #[test]
    fn imports_of_tests_text_and_imports_within_a_module_are_no_arrows() {
        for code in [
            "#[cfg(test)]\nuse crate::b;",
            "#[cfg(test)] mod tests { use crate::b; }",
            "#[cfg(test)] mod tests;",
            "#[test] fn t() { crate::b::g(); }",
            "fn f() { #[cfg(test)] crate::b::g(); }",
            "// crate::b::g\n/// crate::b::g\nfn f() {}",
            "fn f() { g(\"crate::b::g\"); }",
            "fn f(s: S) { s.b::<u8>(); }",
            "use b::g;",
            "mod inner { use super::A; pub struct I; }\nuse inner::I;\npub struct A;",
            "use crate::{Root, a};",
        ] {
            let found = found(
                &[
                    ("lib.rs", "mod a;\nmod b;\nuse a::A;\npub struct Root;\n"),
                    ("a.rs", code),
                    ("a/tests.rs", "use crate::b;\n"),
                    ("b.rs", "use crate::a;\n"),
                ],
                &[],
            );
            assert!(found.is_empty(), "{code}: {found:?}");
        }
    }

    #[test]
    fn a_circle_in_the_table_passes_until_it_changes_or_no_longer_exists() {
        let accepted = |members| [Accepted { package: "one", members, reason: "" }];
        assert!(found(&MUTUAL, &accepted(&["a", "b"])).is_empty());
        assert_eq!(
            found(&MUTUAL, &accepted(&["a", "b", "c"])).len(),
            2,
            "another circle, and one that no longer exists"
        );
        let gone = found(&[("lib.rs", "mod a;\n"), ("a.rs", "")], &accepted(&["a", "b"]));
        assert!(gone[0].contains("the circle of a, b no longer exists"), "{gone:?}");
    }

    #[test]
    fn a_module_without_a_file_is_an_error_that_names_it() {
        let directory = scratch("one", &[("lib.rs", "mod absent;\n")]);
        let error = complaints(directory.path(), &[]).unwrap_err().to_string();
        assert!(error.ends_with("one/src/lib.rs: `mod absent;` has no file"), "{error}");
    }
}
