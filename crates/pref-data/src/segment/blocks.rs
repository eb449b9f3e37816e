//! The blocks of a Markdown-like text: code, tables, formulas, headings and list items, which stay
//! whole, and prose, which is divided further. In: text. Out: byte ranges with their kind.

use std::ops::Range;

/// A run of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) range: Range<usize>,
    pub(super) is_prose: bool,
}

/// What a line is, seen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Blank,
    /// Opens or closes code: the fence's character and its length.
    Fence(u8, usize),
    /// Opens a formula that ends with a line that holds this.
    Formula(&'static str),
    Table,
    Heading,
    Item,
    Prose,
}

impl Line {
    /// Whether a line ends the code or the formula that this one opens.
    fn is_closed_by(self, line: &str) -> bool {
        match self {
            Line::Fence(mark, length) => match kind(line) {
                Line::Fence(m, n) => m == mark && n >= length && line.trim().len() == n,
                _ => false,
            },
            Line::Formula(end) => line.trim_end().ends_with(end),
            Line::Blank | Line::Table | Line::Heading | Line::Item | Line::Prose => false,
        }
    }
}

/// Divides a text into blocks that join up to it. Blank lines belong to the block before them.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut at = 0;
    let mut kind_before = Line::Blank;
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let start = at;
        at += line.len();
        let kind = kind(line);
        if matches!(kind, Line::Fence(..) | Line::Formula(_)) {
            // to the closing line, or to the end of a text that was cut short
            for inner in lines.by_ref() {
                at += inner.len();
                if kind.is_closed_by(inner) {
                    break;
                }
            }
        }
        let continues = match kind {
            Line::Blank => true,
            Line::Table => kind_before == Line::Table,
            Line::Prose => kind_before == Line::Prose,
            Line::Fence(..) | Line::Formula(_) | Line::Heading | Line::Item => false,
        };
        // an indented line goes on with the list item above it
        let is_tail =
            kind == Line::Prose && kind_before == Line::Item && line.starts_with([' ', '\t']);
        match all.last_mut() {
            Some(last) if continues || is_tail => last.range.end = at,
            _ => all.push(Block {
                range: start..at,
                is_prose: matches!(kind, Line::Prose | Line::Blank),
            }),
        }
        if !is_tail {
            // a blank line ends a table and a paragraph
            kind_before = kind;
        }
    }
    all
}

fn kind(line: &str) -> Line {
    let text = line.trim();
    let Some(&first) = text.as_bytes().first() else {
        return Line::Blank;
    };
    let run = text.bytes().take_while(|&b| b == first).count();
    match first {
        b'`' | b'~' if run >= 3 => Line::Fence(first, run),
        b'$' if text == "$$" || (text.starts_with("$$") && !text[2..].contains("$$")) => {
            Line::Formula("$$")
        }
        b'\\' if text.starts_with("\\[") && !text.contains("\\]") => Line::Formula("\\]"),
        b'\\' if text.starts_with("\\begin{") && !text.contains("\\end{") => Line::Formula("}"),
        b'|' => Line::Table,
        b'#' if run <= 6 && text.as_bytes().get(run) == Some(&b' ') => Line::Heading,
        b'-' | b'*' | b'+' if text.as_bytes().get(1) == Some(&b' ') => Line::Item,
        b'0'..=b'9' if is_numbered(text) => Line::Item,
        _ => Line::Prose,
    }
}

/// `12. text` or `3) text`.
fn is_numbered(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.len() - rest.len() <= 3 && (rest.starts_with(". ") || rest.starts_with(") "))
}
