//! The modules of a crate: their items, imports and paths.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use proc_macro2::{Delimiter, TokenTree};

use super::source;
use super::syntax::{self, Attributes, Item, Kind, is_ident, is_punct, plain};
use super::uses::{self, Import};

/// The module tree of one crate; the root is module 0.
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
    /// The files of modules that are compiled for tests only
    pub(super) test_files: BTreeSet<PathBuf>,
}

/// One module; variants under different `cfg` conditions are one.
#[derive(Default)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) parent: Option<usize>,
    pub(super) children: HashMap<String, usize>,
    /// The names of its own items
    pub(super) defined: HashSet<String>,
    pub(super) imports: Vec<Import>,
    /// Every path in its code, imports included
    pub(super) mentions: Vec<Mention>,
}

/// A path in the code.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

/// The code that is being read.
struct Place<'a> {
    module: usize,
    file: &'a Path,
    /// The directory of its child modules
    directory: PathBuf,
    test: bool,
}

impl Tree {
    /// Reads the crate whose root is `file`.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let mut tree = Self { modules: vec![Module::default()], test_files: BTreeSet::new() };
        let directory = file.parent().unwrap_or(file).to_path_buf();
        tree.file(&Place { module: 0, file, directory, test: false })?;
        Ok(tree)
    }

    /// The module's path from the root, without `crate`.
    pub(super) fn path(&self, module: usize) -> String {
        let mut names: Vec<&str> =
            self.line(module).map(|module| self.modules[module].name.as_str()).collect();
        names.pop();
        names.reverse();
        names.join("::")
    }

    /// The module and its ancestors, up to the root.
    pub(super) fn line(&self, module: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(module), |module| self.modules[*module].parent)
    }

    fn file(&mut self, place: &Place<'_>) -> Result<()> {
        if place.test {
            self.test_files.insert(place.file.to_path_buf());
        }
        let tokens: Vec<TokenTree> =
            source::tokens(place.file, &source::text(place.file)?)?.into_iter().collect();
        self.body(place, &tokens)
    }

    fn body(&mut self, place: &Place<'_>, tokens: &[TokenTree]) -> Result<()> {
        for item in syntax::items(tokens) {
            self.item(place, &item)?;
        }
        Ok(())
    }

    fn item(&mut self, place: &Place<'_>, item: &Item<'_>) -> Result<()> {
        let test = place.test || item.attributes.test;
        if let Kind::Module { name, body } = &item.kind {
            let module = self.child(place.module, name);
            let Some(body) = body else {
                let (file, directory) = child_file(place, name, &item.attributes)?;
                return self.file(&Place { module, file: &file, directory, test });
            };
            let directory = place.directory.join(name);
            let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
            return self.body(&Place { module, file: place.file, directory, test }, &tokens);
        }
        // Imports of tests are no arrows.
        if test {
            return Ok(());
        }
        match &item.kind {
            Kind::Use(tree) => {
                let imports = uses::imports(tree);
                for import in &imports {
                    self.mention(place, import.path.clone(), import.line);
                }
                self.modules[place.module].imports.extend(imports);
            }
            kind => {
                if let Kind::Named(name) = kind {
                    self.modules[place.module].defined.insert(name.clone());
                }
                self.code(place, item.tokens);
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: usize, name: &str) -> usize {
        let new = self.modules.len();
        let index = *self.modules[parent].children.entry(name.to_owned()).or_insert(new);
        if index == new {
            let name = name.to_owned();
            self.modules.push(Module { name, parent: Some(parent), ..Module::default() });
        }
        index
    }

    fn mention(&mut self, place: &Place<'_>, path: Vec<String>, line: usize) {
        self.modules[place.module].mentions.push(Mention { path, file: place.file.to_path_buf(), line });
    }

    /// Every path in code: in bodies, types, attributes and the arguments of macros.
    fn code(&mut self, place: &Place<'_>, mut tokens: &[TokenTree]) {
        while let [first, rest @ ..] = tokens {
            let length = match first {
                TokenTree::Punct(_) if syntax::attributes(tokens).0.test => syntax::annotated_length(tokens),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    self.attribute(place, rest.first());
                    1
                }
                // A range, or a field or a method: the token after a single dot starts no path.
                TokenTree::Punct(punct) if punct.as_char() == '.' => 2,
                TokenTree::Ident(word) if *word == "use" && !is_punct(rest.first(), '<') => {
                    let length = rest.iter().take_while(|token| !is_punct(Some(token), ';')).count();
                    for import in uses::imports(&rest[..length]) {
                        self.mention(place, import.path, import.line);
                    }
                    1 + length
                }
                TokenTree::Ident(first) => {
                    let line = first.span().start().line;
                    let (path, length) = path(tokens);
                    if path.len() > 1 {
                        self.mention(place, path, line);
                    }
                    length
                }
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    self.code(place, &inside);
                    1
                }
                _ => 1,
            };
            tokens = tokens.get(length..).unwrap_or_default();
        }
    }

    /// The paths that an attribute holds as strings, as `#[serde(with = "crate::time")]` does.
    fn attribute(&mut self, place: &Place<'_>, group: Option<&TokenTree>) {
        let Some(TokenTree::Group(group)) = group else { return };
        let inside: Vec<TokenTree> = group.stream().into_iter().collect();
        if group.delimiter() == Delimiter::Bracket && inside.first().is_some_and(|name| is_ident(name, "doc"))
        {
            return;
        }
        for token in &inside {
            match token {
                TokenTree::Group(_) => self.attribute(place, Some(token)),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let path: Vec<String> = text.trim_matches('"').split("::").map(plain).collect();
                    let is_name = |part: &String| part.chars().all(|c| c.is_alphanumeric() || c == '_');
                    if path.len() > 1 && path.iter().all(is_name) {
                        self.mention(place, path, literal.span().start().line);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The path at the start of `tokens`, and the number of its tokens.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(TokenTree::Ident(part)) = tokens.get(at) {
        path.push(plain(&part.to_string()));
        if !(is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':')) {
            return (path, at + 1);
        }
        at += 3;
    }
    (path, at)
}

/// The file of `mod name;`, and the directory of its child modules.
fn child_file(place: &Place<'_>, name: &str, attributes: &Attributes) -> Result<(PathBuf, PathBuf)> {
    if let Some(path) = &attributes.path {
        let file = place.file.parent().unwrap_or(place.file).join(path);
        let directory = file.parent().unwrap_or(&file).to_path_buf();
        if file.is_file() {
            return Ok((file, directory));
        }
    }
    let directory = place.directory.join(name);
    for file in [place.directory.join(format!("{name}.rs")), directory.join("mod.rs")] {
        if file.is_file() {
            return Ok((file, directory));
        }
    }
    bail!("{}: `mod {name};` has no file", place.file.display())
}
