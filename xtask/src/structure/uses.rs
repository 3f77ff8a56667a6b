//! Imports out of the trees of `use`.

use proc_macro2::TokenTree;

use super::syntax::{braces, is_ident, is_punct, plain};

/// One path of a `use`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Import {
    /// The path as written; its first part is empty if it begins with `::`
    pub(super) path: Vec<String>,
    pub(super) brings: Brings,
    /// The line of its last part
    pub(super) line: usize,
}

/// What an import brings into its module.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Brings {
    Name(String),
    /// No name: `as _`
    Nothing,
    Everything,
}

/// The imports of a tree: the tokens between `use` and its semicolon.
pub(super) fn imports(tree: &[TokenTree]) -> Vec<Import> {
    let mut found = Vec::new();
    branch(tree, &[], &mut found);
    found
}

fn branch(mut tree: &[TokenTree], stem: &[String], found: &mut Vec<Import>) {
    let mut path = stem.to_vec();
    let mut line = tree.first().map_or(0, |token| token.span().start().line);
    if is_punct(tree.first(), ':') {
        path.push(String::new());
    }
    loop {
        match tree {
            [] => break,
            [first, ..] if is_punct(Some(first), ':') || is_punct(Some(first), '$') => tree = &tree[1..],
            [first, ..] if is_punct(Some(first), '*') => {
                found.push(Import { path, brings: Brings::Everything, line });
                return;
            }
            [first, ..] if braces(first).is_some() => {
                let inside: Vec<TokenTree> =
                    braces(first).map(|group| group.stream().into_iter().collect()).unwrap_or_default();
                for part in inside.split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty()) {
                    branch(part, &path, found);
                }
                return;
            }
            [word, TokenTree::Ident(name)] if is_ident(word, "as") => {
                let brings =
                    if *name == "_" { Brings::Nothing } else { Brings::Name(plain(&name.to_string())) };
                found.push(Import { path: without_self(path), brings, line });
                return;
            }
            [TokenTree::Ident(part), rest @ ..] => {
                line = part.span().start().line;
                path.push(plain(&part.to_string()));
                tree = rest;
            }
            _ => break,
        }
    }
    let path = without_self(path);
    if let Some(name) = path.last() {
        found.push(Import { brings: Brings::Name(name.clone()), path, line });
    }
}

/// `a::{self}` means `a`.
fn without_self(mut path: Vec<String>) -> Vec<String> {
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    path
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::*;

    fn read(tree: &str) -> Vec<(String, Brings)> {
        let tokens: Vec<TokenTree> = tree.parse::<TokenStream>().unwrap().into_iter().collect();
        imports(&tokens).into_iter().map(|import| (import.path.join("::"), import.brings)).collect()
    }

    #[test]
    fn each_leaf_of_a_tree_is_an_import_with_its_whole_path() {
        let name = |name: &str| Brings::Name(name.to_owned());
        assert_eq!(
            read("crate::a::{self, b, c::{D as E, f as _}, g::*}"),
            [
                ("crate::a".to_owned(), name("a")),
                ("crate::a::b".to_owned(), name("b")),
                ("crate::a::c::D".to_owned(), name("E")),
                ("crate::a::c::f".to_owned(), Brings::Nothing),
                ("crate::a::g".to_owned(), Brings::Everything),
            ]
        );
        assert_eq!(read("::serde"), [("::serde".to_owned(), name("serde"))]);
        assert_eq!(read("$crate::a"), [("crate::a".to_owned(), name("a"))]);
    }
}
