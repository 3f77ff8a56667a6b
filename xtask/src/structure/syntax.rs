//! The items of a file and their attributes, as far as the gates need them.

use proc_macro2::{Delimiter, Group, TokenTree};

/// One item of a module.
pub(super) struct Item<'a> {
    pub(super) attributes: Attributes,
    pub(super) kind: Kind<'a>,
    /// The whole item: attributes, visibility and body
    pub(super) tokens: &'a [TokenTree],
}

/// What an item is.
pub(super) enum Kind<'a> {
    /// `use`, and the tree after it without the semicolon
    Use(&'a [TokenTree]),
    /// `mod name;` or `mod name { body }`
    Module { name: String, body: Option<&'a Group> },
    /// Any other item with a name
    Named(String),
    /// Anything else
    Other,
}

/// The attributes of an item that matter here.
#[derive(Default)]
pub(super) struct Attributes {
    /// The item is compiled for tests only
    pub(super) test: bool,
    /// The file that `#[path]` names
    pub(super) path: Option<String>,
}

impl Item<'_> {
    /// Its first and its last line, counted from 1
    pub(super) fn lines(&self) -> (usize, usize) {
        let first = self.tokens.first().map_or(0, |token| token.span().start().line);
        let last = self.tokens.last().map_or(0, |token| token.span().end().line);
        (first, last)
    }
}

/// The items of a file, or of a module's body.
pub(super) fn items(tokens: &[TokenTree]) -> Vec<Item<'_>> {
    let mut rest = tokens;
    let mut found = Vec::new();
    while !rest.is_empty() {
        // `#![...]` belongs to the module, not to the next item.
        if is_punct(rest.first(), '#') && is_punct(rest.get(1), '!') {
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        let length = item_length(rest);
        let (tokens, after) = rest.split_at(length);
        found.push(item(tokens));
        rest = after;
    }
    found
}

fn item(tokens: &[TokenTree]) -> Item<'_> {
    let (attributes, rest) = attributes(tokens);
    Item { attributes, kind: kind(after_visibility(rest)), tokens }
}

fn kind(tokens: &[TokenTree]) -> Kind<'_> {
    let [first, after @ ..] = tokens else { return Kind::Other };
    if is_ident(first, "use") {
        let end = after.len() - usize::from(is_punct(after.last(), ';'));
        return Kind::Use(&after[..end]);
    }
    if let ([TokenTree::Ident(name), rest @ ..], true) = (after, is_ident(first, "mod")) {
        let body = rest.iter().find_map(braces);
        return Kind::Module { name: plain(&name.to_string()), body };
    }
    // The name follows the keywords.
    let mut words = tokens.iter().skip_while(|token| is_word_before_a_name(token));
    match (tokens.first().is_some_and(is_word_before_a_name), words.next()) {
        (true, Some(TokenTree::Ident(name))) => Kind::Named(plain(&name.to_string())),
        // `macro_rules! name`
        (false, Some(TokenTree::Ident(word))) if *word == "macro_rules" => match words.nth(1) {
            Some(TokenTree::Ident(name)) => Kind::Named(name.to_string()),
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

fn is_word_before_a_name(token: &TokenTree) -> bool {
    const WORDS: [&str; 12] = [
        "fn", "struct", "enum", "trait", "type", "const", "static", "mut", "unsafe", "async", "extern",
        "crate",
    ];
    match token {
        TokenTree::Ident(ident) => WORDS.iter().any(|word| ident == word),
        // The name of a calling convention, as in `extern "C" fn`.
        TokenTree::Literal(_) => true,
        _ => false,
    }
}

/// The number of tokens of the first item.
fn item_length(tokens: &[TokenTree]) -> usize {
    let before = tokens.len() - attributes(tokens).1.len();
    let rest = &tokens[before..];
    let item = after_visibility(rest);
    let word = |at: usize, words: &[&str]| {
        item.get(at).is_some_and(|token| words.iter().any(|w| is_ident(token, w)))
    };
    // In these items, braces are part of a list or a value.
    let to_semicolon = word(0, &["use", "static", "type"])
        || word(0, &["const"]) && !word(1, &["fn", "unsafe", "async", "extern"]);
    let end = rest
        .iter()
        .position(|token| is_punct(Some(token), ';') || (!to_semicolon && braces(token).is_some()));
    before + end.map_or(rest.len(), |end| end + 1)
}

/// The number of tokens of the attributes at the start and of what they apply to: an item, a
/// statement, a field or a variant.
pub(super) fn annotated_length(tokens: &[TokenTree]) -> usize {
    let before = tokens.len() - attributes(tokens).1.len();
    let rest = &tokens[before..];
    if after_visibility(rest)
        .first()
        .is_some_and(|token| is_word_before_a_name(token) || is_ident(token, "impl"))
    {
        return item_length(tokens);
    }
    let end = rest.iter().position(|token| {
        is_punct(Some(token), ';') || is_punct(Some(token), ',') || braces(token).is_some()
    });
    before + end.map_or(rest.len(), |end| end + 1)
}

/// `tokens` without the `pub` or `pub(...)` at their start.
fn after_visibility(tokens: &[TokenTree]) -> &[TokenTree] {
    match tokens {
        [word, group, rest @ ..] if is_ident(word, "pub") && is_parenthesis(group) => rest,
        [word, rest @ ..] if is_ident(word, "pub") => rest,
        _ => tokens,
    }
}

/// The attributes at the start of `tokens`, and the tokens after them.
pub(super) fn attributes(mut tokens: &[TokenTree]) -> (Attributes, &[TokenTree]) {
    let mut found = Attributes::default();
    while let [hash, TokenTree::Group(group), rest @ ..] = tokens {
        if !is_punct(Some(hash), '#') || group.delimiter() != Delimiter::Bracket {
            break;
        }
        let inside: Vec<TokenTree> = group.stream().into_iter().collect();
        match &inside[..] {
            [name, TokenTree::Group(condition)] if is_ident(name, "cfg") => {
                let condition: Vec<TokenTree> = condition.stream().into_iter().collect();
                found.test |= needs_test(&condition);
            }
            [name] if is_ident(name, "test") => found.test = true,
            [name, equals, TokenTree::Literal(path)]
                if is_ident(name, "path") && is_punct(Some(equals), '=') =>
            {
                found.path = Some(path.to_string().trim_matches('"').to_owned());
            }
            _ => {}
        }
        tokens = rest;
    }
    (found, tokens)
}

/// Whether a condition of `cfg` can only hold in tests.
fn needs_test(condition: &[TokenTree]) -> bool {
    let all = |group: &Group| group.stream().into_iter().collect::<Vec<_>>();
    let each = |tokens: &[TokenTree]| -> Vec<bool> {
        tokens
            .split(|token| is_punct(Some(token), ','))
            .filter(|part| !part.is_empty())
            .map(needs_test)
            .collect()
    };
    match condition {
        [name] => is_ident(name, "test"),
        [name, TokenTree::Group(group)] if is_ident(name, "all") => each(&all(group)).contains(&true),
        [name, TokenTree::Group(group)] if is_ident(name, "any") => !each(&all(group)).contains(&false),
        _ => false,
    }
}

pub(super) fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

pub(super) fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// `token` as a group in braces.
pub(super) fn braces(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    }
}

fn is_parenthesis(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

/// A name without the `r#` of a raw identifier.
pub(super) fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;

    use super::*;

    fn tokens(text: &str) -> Vec<TokenTree> {
        text.parse::<TokenStream>().unwrap().into_iter().collect()
    }

    #[test]
    fn an_item_ends_at_its_semicolon_or_its_braces() {
        let text = "#![allow(x)] use a::{b, c}; const A: S = S { x: 1 }; const fn f<const N: usize>() {} \
                    struct T<const N: usize> { x: [u8; N] } pub(crate) struct U(u8); mod m { fn g() {} } mod n; \
                    impl T<1> {} unsafe extern \"C\" fn h() {} macro_rules! r { () => {} } static B: &[u8] = &{ [] };";
        let tokens = tokens(text);
        let names: Vec<String> = items(&tokens)
            .iter()
            .map(|item| match &item.kind {
                Kind::Use(tree) => format!("use {}", tree.len()),
                Kind::Module { name, body } => format!("mod {name} {}", body.is_some()),
                Kind::Named(name) => name.clone(),
                Kind::Other => "other".to_owned(),
            })
            .collect();
        assert_eq!(names, ["use 4", "A", "f", "T", "U", "mod m true", "mod n false", "other", "h", "r", "B"]);
    }

    #[test]
    fn code_is_for_tests_only_if_no_other_build_contains_it() {
        for (condition, expected) in [
            ("#[cfg(test)] fn f() {}", true),
            ("#[test] fn f() {}", true),
            ("#[cfg(all(unix, test))] fn f() {}", true),
            ("#[inline] #[cfg(any(test, all(test, unix)))] fn f() {}", true),
            ("#[cfg(any(test, feature = \"fuzzing\"))] fn f() {}", false),
            ("#[cfg(not(test))] fn f() {}", false),
            ("#[cfg(unix)] fn f() {}", false),
        ] {
            assert_eq!(attributes(&tokens(condition)).0.test, expected, "{condition}");
        }
    }

    #[test]
    fn attributes_apply_to_an_item_a_statement_or_a_field() {
        for (text, rest) in [
            ("#[cfg(test)] fn f<A, B>() {} x", 1),
            ("#[cfg(test)] let a = b; x y", 2),
            ("#[cfg(test)] a: u8, x y z", 3),
            ("#[cfg(test)] a: u8", 0),
        ] {
            let tokens = tokens(text);
            assert_eq!(tokens.len() - annotated_length(&tokens), rest, "{text}");
        }
    }
}
