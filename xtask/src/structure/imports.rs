//! The order of imports: `std`, external crates, this crate, with a blank line between the groups.
//!
//! Re-exports (`pub use`) stand before or after the imports, with blank lines as their author likes.
//! The order applies inside functions, too. `cargo fmt` sorts within a group.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use proc_macro2::TokenTree;

use super::syntax::{self, Kind, is_ident, is_punct};
use super::{source, uses};
use crate::run;

/// Fails and lists every import out of order. With `fix`, moves them first.
pub(crate) fn check(fix: bool) -> Result<()> {
    let root = run::root();
    let mut wrong = Vec::new();
    let mut changed = Vec::new();
    for file in source::rust_files(&root)? {
        let text = source::text(&file)?;
        let findings = findings(&file, &text)?;
        let name = source::shown(&root, &file);
        if fix && !findings.moves.is_empty() {
            fs::write(&file, moved(&text, &findings.moves))
                .with_context(|| format!("cannot write {}", file.display()))?;
            eprintln!("{name}: put in order");
            changed.push(file);
        } else {
            wrong.extend(
                findings.moves.iter().map(|change| format!("  {name}:{}: {}", change.line, change.what)),
            );
        }
        wrong.extend(
            findings
                .late
                .iter()
                .map(|late| format!("  {name}:{}: {} (move it by hand)", late.line, late.text)),
        );
    }
    sort(&changed)?;
    ensure!(
        wrong.is_empty(),
        "imports out of order; the order is std, external crates, this crate, with a blank line between \
         (`cargo xtask ci imports --fix` moves them):\n{}",
        wrong.join("\n")
    );
    Ok(())
}

/// Sorts within the groups of files that have changed.
fn sort(files: &[PathBuf]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    run::captured(Command::new("rustfmt").args(["--edition", "2024"]).args(files)).map(drop)
}

/// The imports of a file that are out of order.
struct Findings {
    moves: Vec<Change>,
    late: Vec<Late>,
}

/// Lines and their replacement.
struct Change {
    lines: Range<usize>,
    by: Vec<String>,
    /// The first line that differs, counted from 1
    line: usize,
    what: String,
}

/// An import after other code and after imports of a later group.
struct Late {
    line: usize,
    text: String,
}

/// The groups in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Std,
    External,
    Ours,
    /// `pub use`
    Shared,
}

/// One `use` with the attributes and comments directly above it.
struct Import {
    group: Group,
    /// Counted from 0
    lines: Range<usize>,
    /// Its tokens among those of its block
    tokens: Range<usize>,
}

fn findings(file: &Path, text: &str) -> Result<Findings> {
    let lines: Vec<&str> = text.lines().collect();
    let tokens: Vec<TokenTree> = source::tokens(file, text)?.into_iter().collect();
    let mut found = Findings { moves: Vec::new(), late: Vec::new() };
    block(&tokens, &[], &lines, &mut found);
    Ok(found)
}

/// Checks the imports of one block and of the blocks inside it.
fn block(tokens: &[TokenTree], around: &[String], lines: &[&str], found: &mut Findings) {
    let mut own = own_names(tokens);
    own.extend_from_slice(around);
    let imports = imports(tokens, &own, lines);
    let mut last = Group::Std;
    // A detached comment between two imports must not move: it separates them.
    let adjoin = |one: &Import, next: &Import| {
        let between = lines.get(one.lines.end..next.lines.start);
        one.tokens.end == next.tokens.start
            && between.is_some_and(|lines| lines.iter().all(|line| line.trim().is_empty()))
    };
    for adjacent in imports.chunk_by(adjoin) {
        for late in adjacent.iter().filter(|import| import.group < last) {
            let line = late.lines.end;
            found.late.push(Late { line, text: lines[line - 1].trim().to_owned() });
        }
        last = adjacent
            .iter()
            .map(|import| import.group)
            .filter(|group| *group != Group::Shared)
            .fold(last, Ord::max);
        found.moves.extend(change(adjacent, lines));
    }
    let mut rules_of_a_macro = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => rules_of_a_macro |= *word == "macro_rules",
            TokenTree::Group(_) if rules_of_a_macro => rules_of_a_macro = false,
            TokenTree::Group(group) => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                block(&inside, &own, lines, found);
            }
            _ => {}
        }
    }
}

/// Names at the start of a path that stand for something in this crate: child modules and imports.
fn own_names(tokens: &[TokenTree]) -> Vec<String> {
    let mut found = Vec::new();
    for item in syntax::items(tokens) {
        match item.kind {
            Kind::Module { name, .. } => found.push(name),
            Kind::Use(tree) => {
                let ours = |path: &[String]| matches!(path[0].as_str(), "crate" | "self" | "super");
                let imports = uses::imports(tree).into_iter().filter(|import| ours(&import.path));
                found.extend(imports.filter_map(|import| import.path.last().cloned()));
            }
            _ => {}
        }
    }
    found
}

/// The imports directly in `tokens`, unless they share a line with other code.
fn imports(tokens: &[TokenTree], own: &[String], lines: &[&str]) -> Vec<Import> {
    let mut found: Vec<Import> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !is_ident(token, "use") || is_punct(tokens.get(at + 1), '<') {
            continue;
        }
        let Some(length) = tokens[at..].iter().position(|token| is_punct(Some(token), ';')) else { continue };
        let (start, shared) = beginning(tokens, at);
        let before = start.checked_sub(1).and_then(|before| tokens.get(before));
        let is_statement = match before {
            None => true,
            // An item in braces, or an attribute of the file.
            Some(TokenTree::Group(_)) => true,
            Some(before) => is_punct(Some(before), ';'),
        };
        let end = at + length;
        let (from, to) = (tokens[start].span().start(), tokens[end].span().end());
        let alone = lines[from.line - 1].chars().take(from.column).all(char::is_whitespace)
            && lines[to.line - 1].chars().skip(to.column).collect::<String>().trim().split("//").next()
                == Some("");
        if !is_statement || !alone {
            continue;
        }
        let first =
            uses::imports(&tokens[at + 1..end]).into_iter().next().map_or_else(Vec::new, |one| one.path);
        let group = if shared { Group::Shared } else { group(&first, own) };
        let comments = lines[..from.line - 1].iter().rev().take_while(|line| is_comment(line)).count();
        found.push(Import { group, lines: from.line - 1 - comments..to.line, tokens: start..end + 1 });
    }
    found
}

/// The first token of the item with its `use` at `at`, and whether the item is a re-export.
fn beginning(tokens: &[TokenTree], at: usize) -> (usize, bool) {
    let mut start = at;
    let is_pub = |at: usize| tokens.get(at).is_some_and(|token| is_ident(token, "pub"));
    if start >= 1 && is_pub(start - 1) {
        start -= 1;
    } else if start >= 2 && is_pub(start - 2) && matches!(tokens[start - 1], TokenTree::Group(_)) {
        start -= 2;
    }
    let shared = start < at;
    while start >= 2
        && is_punct(tokens.get(start - 2), '#')
        && matches!(tokens[start - 1], TokenTree::Group(_))
    {
        start -= 2;
    }
    (start, shared)
}

fn group(path: &[String], own: &[String]) -> Group {
    let Some(first) = path.first() else { return Group::External };
    match first.as_str() {
        "std" | "core" | "alloc" => Group::Std,
        "crate" | "self" | "super" => Group::Ours,
        // The variants of an enum.
        name if name.starts_with(char::is_uppercase) => Group::Ours,
        _ if own.contains(first) => Group::Ours,
        _ => Group::External,
    }
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") && !line.starts_with("//!")
}

/// The change that puts adjacent imports in order; none if they are.
fn change(adjacent: &[Import], lines: &[&str]) -> Option<Change> {
    let all = adjacent.first()?.lines.start..adjacent.last()?.lines.end;
    let mut order = [Group::Std, Group::External, Group::Ours, Group::Shared];
    if adjacent[0].group == Group::Shared {
        order.rotate_right(1);
    }
    let mut by: Vec<String> = Vec::new();
    for group in order {
        for (at, import) in adjacent.iter().filter(|import| import.group == group).enumerate() {
            let is_apart = import.lines.start.checked_sub(1).is_some_and(|before| lines[before].is_empty());
            if !by.is_empty() && (at == 0 || group == Group::Shared && is_apart) {
                by.push(String::new());
            }
            by.extend(lines[import.lines.clone()].iter().map(|line| (*line).to_owned()));
        }
    }
    let now = &lines[all.clone()];
    let differs =
        (0..by.len().max(now.len())).find(|at| now.get(*at).copied() != by.get(*at).map(String::as_str))?;
    let what = match (by.get(differs).map(|line| line.trim()), now.get(differs)) {
        (Some(""), _) => "a blank line is missing before the next group".to_owned(),
        (_, Some(&"")) => "a blank line stands within a group".to_owned(),
        (expected, _) => format!("expected `{}` here", expected.unwrap_or_default()),
    };
    Some(Change { line: all.start + differs + 1, what, lines: all, by })
}

/// `text` with all changes.
fn moved(text: &str, changes: &[Change]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_by_key(|change| change.lines.start);
    let mut result: Vec<&str> = Vec::new();
    let mut at = 0;
    for change in changes {
        result.extend(&lines[at..change.lines.start]);
        result.extend(change.by.iter().map(String::as_str));
        at = change.lines.end;
    }
    result.extend(&lines[at..]);
    result.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> Findings {
        findings(Path::new("x.rs"), text).unwrap()
    }

    /// What is wrong in `text`, and what it is when it is put in order.
    fn fixed(text: &str) -> (Vec<String>, String) {
        let found = look(text);
        let after = moved(text, &found.moves);
        assert!(look(&after).moves.is_empty(), "not in order yet:\n{after}");
        (found.moves.into_iter().map(|change| format!("{}: {}", change.line, change.what)).collect(), after)
    }

    #[test]
    fn groups_in_order_with_a_blank_line_between_them_pass() {
        for text in [
            "//! Text.\n\nuse std::a;\nuse core::b;\n\nuse serde::c;\n\nuse crate::d;\nuse super::e;\n",
            "mod a;\n\npub use a::A;\n\nuse std::b;\n\nuse crate::c;\n",
            "mod a;\n\nuse std::b;\n\nuse crate::c;\n\npub(crate) use a::A;\n",
            "mod support;\n\nuse std::b;\n\nuse support::c;\nuse crate::d;\n",
            "mod a;\n\npub use serde::b;\n\npub use a::A;\npub(crate) use a::B;\n\nuse std::c;\n",
            "fn f() {\n    use Kind::*;\n    use super::g;\n}\n",
            "macro_rules! m {\n    () => {\n        use crate::a;\n        use std::b;\n    };\n}\n",
            "fn f<'a>() -> impl Fn() + use<'a> {\n    g\n}\n",
        ] {
            let (wrong, after) = fixed(text);
            assert!(wrong.is_empty(), "{wrong:?} in\n{text}");
            assert_eq!(after, text);
        }
    }

    #[test]
    fn imports_out_of_order_are_named_and_moved_with_what_stands_above_them() {
        let text = "//! Text.\n\n// Ours.\nuse crate::a;\nuse serde::{\n    b,\n    c,\n}; // Theirs.\n#[cfg(unix)]\nuse \
                    std::d;\n\nfn f() {}\n";
        let (wrong, after) = fixed(text);
        assert_eq!(wrong, ["3: expected `#[cfg(unix)]` here"]);
        assert_eq!(
            after,
            "//! Text.\n\n#[cfg(unix)]\nuse std::d;\n\nuse serde::{\n    b,\n    c,\n}; // Theirs.\n\n// \
             Ours.\nuse crate::a;\n\nfn f() {}\n"
        );
    }

    #[test]
    fn blank_lines_are_put_between_groups_and_taken_out_of_them() {
        let (wrong, after) = fixed("use std::a;\nuse serde::b;\n\nuse libc::c;\n");
        assert_eq!(wrong, ["2: a blank line is missing before the next group"]);
        assert_eq!(after, "use std::a;\n\nuse serde::b;\nuse libc::c;\n");
        assert_eq!(fixed("use std::a;\n\nuse std::b;\n").0, ["2: a blank line stands within a group"]);
    }

    #[test]
    fn modules_and_functions_are_looked_into_and_macros_too() {
        for (before, after) in [
            ("mod m {\n    ", "\n}\n"),
            ("fn f() {\n    ", "\n    g();\n}\n"),
            ("proptest! {\n    fn f() {\n        ", "\n    }\n}\n"),
        ] {
            let (wrong, _) = fixed(&format!("{before}use super::a;\n    use std::b;{after}"));
            assert_eq!(wrong.len(), 1, "{before}");
        }
    }

    #[test]
    fn a_re_export_within_the_imports_goes_behind_them() {
        let text = "mod a;\n\nuse std::b;\n\npub use a::A;\n\nuse crate::c;\n";
        assert_eq!(fixed(text).1, "mod a;\n\nuse std::b;\n\nuse crate::c;\n\npub use a::A;\n");
    }

    #[test]
    fn a_comment_that_stands_alone_stays_where_it_is() {
        let text = "use crate::a;\n\n// Alone.\n\nuse std::b;\n";
        let (wrong, after) = fixed(text);
        assert!(wrong.is_empty());
        assert_eq!(after, text);
        assert_eq!(look(text).late.iter().map(|late| late.line).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn an_import_behind_code_and_a_later_group_is_named() {
        let late = look("use crate::a;\n\nmod b;\n\nuse std::c;\n").late;
        assert_eq!(
            late.into_iter().map(|late| (late.line, late.text)).collect::<Vec<_>>(),
            [(5, "use std::c;".to_owned())]
        );
    }
}
