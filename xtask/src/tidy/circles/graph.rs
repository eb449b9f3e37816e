//! Which file imports which. In: the modules of a crate. Out: groups of files that import each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::Modules;

/// Which file imports which, and the first line that does so.
pub(super) struct Graph<'a> {
    imports: BTreeMap<&'a str, BTreeMap<&'a str, usize>>,
}

/// One file that imports another.
#[derive(Clone, Copy)]
pub(super) struct Import<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// Line in `from`, counted from 1.
    pub(super) line: usize,
}

/// Files that import each other, directly or through others of the group.
pub(super) struct Circle<'a> {
    /// A shortest circle within the group; the last import leads back to the first file.
    pub(super) shortest: Vec<Import<'a>>,
    /// The files of the group that are not in `shortest`.
    pub(super) others: Vec<&'a str>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(modules: &'a Modules) -> Self {
        let mut imports: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (from, to, line) in modules.imports() {
            let first = imports.entry(from).or_default().entry(to).or_insert(line);
            *first = line.min(*first);
        }
        Self { imports }
    }

    /// The groups of at least two files that import each other.
    pub(super) fn circles(&self) -> impl Iterator<Item = Circle<'a>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> = self
            .imports
            .keys()
            .map(|&file| (file, self.reached(file)))
            .collect();
        let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|set| set.contains(to));
        let mut groups: BTreeSet<Vec<&str>> = BTreeSet::new();
        for &file in self.imports.keys().filter(|file| reaches(file, file)) {
            let group = reached[file].iter().copied();
            groups.insert(group.filter(|other| reaches(other, file)).collect());
        }
        groups.into_iter().filter_map(|group| {
            let shortest = group
                .iter()
                .filter_map(|file| self.shortest_circle(file))
                .min_by_key(Vec::len)?;
            let is_in = |file: &&str| shortest.iter().any(|import| import.from == *file);
            let others = group.iter().copied().filter(|file| !is_in(file)).collect();
            Some(Circle { shortest, others })
        })
    }

    /// The files that `start` imports, directly or through others.
    fn reached(&self, start: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![start];
        while let Some(file) = waiting.pop() {
            let next = self.imports.get(file).into_iter().flat_map(BTreeMap::keys);
            waiting.extend(next.filter(|file| found.insert(**file)));
        }
        found
    }

    /// A shortest way from `start` back to itself, by breadth-first search.
    fn shortest_circle(&self, start: &'a str) -> Option<Vec<Import<'a>>> {
        let mut came_by: BTreeMap<&str, Import<'_>> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(from) = waiting.pop_front() {
            for (&to, &line) in self.imports.get(from)? {
                if came_by.contains_key(to) {
                    continue;
                }
                came_by.insert(to, Import { from, to, line });
                if to == start {
                    let mut circle = vec![came_by[start]];
                    while circle[0].from != start {
                        circle.insert(0, came_by[circle[0].from]);
                    }
                    return Some(circle);
                }
                if self.imports.contains_key(to) {
                    waiting.push_back(to);
                }
            }
        }
        None
    }
}
