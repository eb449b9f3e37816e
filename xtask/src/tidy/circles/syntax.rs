//! Names in a source file. In: its text. Out: what each of its modules defines, imports and mentions.
//!
//! The file is parsed by `syn`, which keeps the arguments of macros as plain tokens. Paths in these
//! tokens are found by their shape: words with `::` between them.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

/// The content of one module, without its tests.
#[derive(Default)]
pub(super) struct Content {
    /// Names of the module's own definitions.
    pub(super) items: BTreeSet<String>,
    /// Child modules that have files of their own.
    pub(super) declared: Vec<String>,
    pub(super) uses: Vec<Use>,
    /// Paths of at least two words outside of `use`, each with its line.
    pub(super) mentions: Vec<(Vec<String>, usize)>,
}

/// One name that a `use` imports.
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// The name in this module; `None` for `*`.
    pub(super) name: Option<String>,
    pub(super) line: usize,
}

/// The modules of a file by their path from the file's own module, which is `[]`.
pub(super) fn parse(text: &str) -> syn::Result<BTreeMap<Vec<String>, Content>> {
    let file = syn::parse_file(text)?;
    let mut reader = Reader {
        path: Vec::new(),
        found: BTreeMap::new(),
    };
    reader.module(&file.items);
    Ok(reader.found)
}

struct Reader {
    /// The module that is being read.
    path: Vec<String>,
    found: BTreeMap<Vec<String>, Content>,
}

impl Reader {
    fn module(&mut self, items: &[Item]) {
        let names = items.iter().filter(|item| !is_test(attributes(item)));
        let names = names.filter_map(name).collect();
        self.content().items = names;
        for item in items {
            self.visit_item(item);
        }
    }

    fn content(&mut self) -> &mut Content {
        self.found.entry(self.path.clone()).or_default()
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.content().mentions.push((path, line));
        }
    }

    /// Finds paths among the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut n_colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if n_colons != 2 {
                        self.mention(std::mem::take(&mut path), line);
                        line = word.span().start().line;
                    }
                    path.push(word.to_string());
                    n_colons = 0;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => {
                    let is_second = n_colons == 1;
                    let is_first = n_colons == 0 && sign.spacing() == Spacing::Joint;
                    n_colons = if is_first || is_second {
                        n_colons + 1
                    } else {
                        0
                    };
                }
                TokenTree::Group(group) => {
                    self.mention(std::mem::take(&mut path), line);
                    n_colons = 0;
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.mention(std::mem::take(&mut path), line);
                    n_colons = 0;
                }
            }
        }
        self.mention(path, line);
    }

    /// Finds paths in the quoted values of an attribute, such as serde's `default = "crate::a::f"`.
    fn quoted(&mut self, tokens: TokenStream) {
        for token in tokens {
            if let TokenTree::Literal(literal) = token {
                let line = literal.span().start().line;
                let text = literal.to_string();
                let path = syn::parse_str::<syn::Path>(text.trim_matches('"'));
                if let Ok(path) = path {
                    self.mention(words(&path), line);
                }
            }
        }
    }

    /// Adds the names that a `use` imports from `prefix`.
    fn uses(&mut self, tree: &UseTree, prefix: &[String], line: usize) {
        let below = |word: String| [prefix, &[word]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => {
                return self.uses(&path.tree, &below(path.ident.to_string()), line);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.uses(tree, prefix, tree.span().start().line);
                }
                return;
            }
            UseTree::Name(name) if name.ident == "self" => {
                (prefix.to_vec(), prefix.last().cloned())
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                (below(name.clone()), Some(name))
            }
            UseTree::Rename(new) if new.ident == "self" => {
                (prefix.to_vec(), Some(new.rename.to_string()))
            }
            UseTree::Rename(new) => (below(new.ident.to_string()), Some(new.rename.to_string())),
            UseTree::Glob(_) => (prefix.to_vec(), None),
        };
        self.content().uses.push(Use { path, name, line });
    }
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        let name = item.ident.to_string();
        match &item.content {
            Some((_, items)) => {
                self.path.push(name);
                self.module(items);
                self.path.pop();
            }
            None => self.content().declared.push(name),
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.uses(&item.tree, &[], item.span().start().line);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(words(path), path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            self.quoted(list.tokens.clone());
        }
    }

    /// `pub(in crate::a)` limits visibility. It is not an import.
    fn visit_vis_restricted(&mut self, _: &syn::VisRestricted) {}
}

fn words(path: &syn::Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}

/// Whether code is compiled for tests alone.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else {
            return attribute.path().is_ident("test");
        };
        let condition = list.tokens.to_string();
        let mut words = condition.split(|c: char| !c.is_alphanumeric() && c != '_');
        list.path.is_ident("cfg") && words.any(|word| word == "test") && !condition.contains("not")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item defines.
fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
