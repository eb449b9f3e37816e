//! The names of data sets and models. In: a text such as `OWNER/NAME@REVISION:PATTERN`. Out: its parts.

use std::path::Path;

/// The parts of `OWNER/NAME[@REVISION][:PATTERN]`. The name of a model has no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HubPath<'a> {
    /// `OWNER/NAME`.
    pub(crate) name: &'a str,
    /// A branch, a tag or a commit.
    pub(crate) revision: Option<&'a str>,
    /// A pattern of file names.
    pub(crate) pattern: Option<&'a str>,
}

impl<'a> HubPath<'a> {
    /// None if the text does not have this form.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (text, pattern) = match text.split_once(':') {
            Some((text, pattern)) => (text, Some(pattern)),
            None => (text, None),
        };
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let (owner, rest) = name.split_once('/')?;
        let is_valid = !owner.is_empty()
            && !rest.is_empty()
            && !rest.contains('/')
            && revision.is_none_or(|revision| !revision.is_empty());
        is_valid.then_some(Self {
            name,
            revision,
            pattern,
        })
    }

    /// Whether the revision is a commit. A commit never changes; a branch or a tag may change.
    pub(crate) fn is_pinned(&self) -> bool {
        let is_commit = |r: &str| r.len() == 40 && r.bytes().all(|b| b.is_ascii_hexdigit());
        self.revision.is_some_and(is_commit)
    }

    /// The revision, or the branch `main`.
    #[cfg(feature = "hub")]
    pub(super) fn revision_or_main(&self) -> &'a str {
        self.revision.unwrap_or("main")
    }
}

/// The text after `hub:`, if the path begins with `hub:`.
pub(crate) fn hub_text(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix("hub:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
        let found = HubPath::parse(text);
        assert_eq!(found.map(|p| (p.name, p.revision, p.pattern)), expected);
    }

    #[test]
    fn names_have_an_owner_and_may_have_a_revision_and_a_pattern() {
        check("me/pairs", Some(("me/pairs", None, None)));
        check("me/pairs@v1", Some(("me/pairs", Some("v1"), None)));
        check(
            "me/pairs@a/b:data/*.json",
            Some(("me/pairs", Some("a/b"), Some("data/*.json"))),
        );
        check("me/pairs:x@y", Some(("me/pairs", None, Some("x@y"))));
    }

    #[test]
    fn other_texts_are_not_names() {
        for text in ["pairs", "/pairs", "me/", "me/a/b", "me/pairs@", "me@v1:a/b"] {
            check(text, None);
        }
    }
}
