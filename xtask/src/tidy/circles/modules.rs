//! The module tree of a crate. In: its first file. Out: the file that defines what a path names.

use std::collections::BTreeMap;

use super::super::complaint::{Complaint, Text};
use super::syntax::{self, Content, Use};

/// Length of the longest chain of re-exports that is followed. Without a limit, a circle of re-exports would not
/// end.
const MAX_DEPTH: usize = 8;

/// The modules of a crate by their path from the crate's root.
pub(super) struct Modules {
    by_path: BTreeMap<Vec<String>, Module>,
}

struct Module {
    /// The file that holds the module's text.
    file: String,
    content: Content,
}

/// What a path refers to.
enum Target {
    Module(Vec<String>),
    /// Something that this file defines.
    Item(String),
    /// Something of another crate.
    Outside,
}

impl Modules {
    /// Reads `root` and every file that it declares as a module, directly or through others.
    pub(super) fn read(root: &str, texts: &[Text]) -> Result<Self, Complaint> {
        let mut modules = Self {
            by_path: BTreeMap::new(),
        };
        let mut waiting = vec![(Vec::new(), root.to_owned())];
        while let Some((path, file)) = waiting.pop() {
            let Some(text) = texts.iter().find(|text| text.path == file) else {
                continue;
            };
            let parsed = syntax::parse(&text.text).map_err(|error| Complaint {
                path: file.clone(),
                line: Some(error.span().start().line),
                message: format!("not valid Rust: {error}"),
            })?;
            for (inner, content) in parsed {
                let folder = [vec![folder_of_children(&file)], inner.clone()]
                    .concat()
                    .join("/");
                let module: Vec<String> = [path.clone(), inner].concat();
                for name in &content.declared {
                    let child = [&module[..], std::slice::from_ref(name)].concat();
                    let flat = format!("{folder}/{name}.rs");
                    let nested = format!("{folder}/{name}/mod.rs");
                    waiting.extend([flat, nested].map(|file| (child.clone(), file)));
                }
                let file = file.clone();
                modules.by_path.insert(module, Module { file, content });
            }
        }
        Ok(modules)
    }

    /// Every import of one file by another: from, to, and the line in `from`.
    pub(super) fn imports(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.by_path.iter().flat_map(move |(path, module)| {
            let uses = module.content.uses.iter().map(|a| (&a.path, a.line));
            let mentions = module
                .content
                .mentions
                .iter()
                .map(|(path, line)| (path, *line));
            uses.chain(mentions).filter_map(move |(named, line)| {
                let to = self.file(self.resolve(path, named, 0)?)?;
                (module.file != to).then_some((module.file.as_str(), to, line))
            })
        })
    }

    /// The file with the definition; `None` for another crate.
    fn file(&self, target: Target) -> Option<&str> {
        let path = match target {
            Target::Module(path) => path,
            Target::Item(file) => {
                let mut modules = self.by_path.values();
                return modules
                    .find(|module| module.file == file)
                    .map(|m| m.file.as_str());
            }
            Target::Outside => return None,
        };
        Some(&self.by_path.get(&path)?.file)
    }

    /// What `path` refers to in the module `from`. `None` if its first word is unknown there: it can be the
    /// name of another crate or of a type parameter.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Target> {
        let mut module = from.to_vec();
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()),
                _ => break,
            }
            rest = after;
        }
        let is_relative = rest.len() == path.len();
        for (i, name) in rest.iter().enumerate() {
            match self.lookup(&module, name, depth) {
                Some(Target::Module(path)) => module = path,
                Some(found) => return Some(found),
                None if is_relative && i == 0 => return None,
                // The name comes from a macro or from generated code. The file of the module is the best guess.
                None => break,
            }
        }
        Some(Target::Module(module))
    }

    /// What `name` is in a module: a child, a definition, or something that is imported there.
    fn lookup(&self, module: &[String], name: &str, depth: usize) -> Option<Target> {
        let child = [module, &[name.to_owned()]].concat();
        if self.by_path.contains_key(&child) {
            return Some(Target::Module(child));
        }
        let found = self.by_path.get(module)?;
        if found.content.items.contains(name) {
            return Some(Target::Item(found.file.clone()));
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let is_named = |a: &&Use| a.name.as_deref() == Some(name);
        if let Some(import) = found.content.uses.iter().find(is_named) {
            let target = self.resolve_use(module, import, name, depth + 1);
            return target.or(Some(Target::Outside));
        }
        let globs = found.content.uses.iter().filter(|a| a.name.is_none());
        globs
            .filter_map(|glob| self.resolve(module, &glob.path, depth + 1))
            .find_map(|target| match target {
                Target::Module(path) if path != module => self.lookup(&path, name, depth + 1),
                Target::Module(_) | Target::Item(_) | Target::Outside => None,
            })
    }

    /// What an import of `name` refers to. `None` if the path begins with `name`, as in `use burn;`: it
    /// is another crate.
    fn resolve_use(
        &self,
        module: &[String],
        import: &Use,
        name: &str,
        depth: usize,
    ) -> Option<Target> {
        let is_own_name = import.path.first().is_some_and(|first| first == name);
        if is_own_name {
            return None;
        }
        self.resolve(module, &import.path, depth)
    }
}

/// The folder of a file's child modules.
fn folder_of_children(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => file.trim_end_matches(".rs").to_owned(),
    }
}
