//! The blocks of a Markdown text: code, tables, formulas, headings and list items, which stay
//! whole, and prose, which is divided further. In: text. Out: byte ranges with their kind.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A run of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// What is in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Prose,
    Item,
    /// Code, a table, a formula, a heading.
    Whole,
}

/// Divides a text into blocks that join up to it. Blank lines belong to the block before them.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut at = 0;
    for block in markdown(text) {
        // a formula may reach over what Markdown takes for several blocks
        let start = block.range.start.max(at);
        at = start.max(block.range.end);
        if start < at {
            let range = start..at;
            at = match block.kind {
                Kind::Prose => divide_formulas(text, range, &mut all),
                kind @ (Kind::Item | Kind::Whole) => {
                    all.push(Block { range, kind });
                    at
                }
            };
        }
    }
    all
}

/// The blocks that Markdown knows.
fn markdown(text: &str) -> Vec<Block> {
    let mut starts: Vec<(usize, Kind)> = Vec::new();
    let mut n_items = 0_usize;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    for (event, range) in events {
        let kind = match event {
            Event::Start(Tag::Item) => {
                n_items += 1;
                Kind::Item
            }
            Event::End(TagEnd::Item) => {
                n_items = n_items.saturating_sub(1);
                continue;
            }
            Event::Start(Tag::CodeBlock(_) | Tag::Table(_)) | Event::Rule => Kind::Whole,
            // a line below it makes prose a heading as well, and would keep it whole
            Event::Start(Tag::Heading { .. }) if text[range.clone()].starts_with('#') => {
                Kind::Whole
            }
            // tags such as `<think>` have prose behind them
            Event::Start(Tag::Heading { .. } | Tag::Paragraph | Tag::HtmlBlock) => {
                match starts.last() {
                    Some((_, Kind::Item)) if n_items > 0 => continue,
                    _ if n_items > 0 => Kind::Item,
                    _ => Kind::Prose,
                }
            }
            _ => continue,
        };
        let start = line_start(text, range.start);
        let is_table = matches!(event, Event::Start(Tag::Table(_)));
        match starts.last() {
            // what begins in an item's own line is the item's
            Some((last, _)) if *last >= start => {}
            _ => starts.push((start, kind)),
        }
        if is_table {
            // Markdown takes every line for a row until a blank one
            let is_row = |line: &&str| line.contains('|');
            let rows = text[range.clone()].split_inclusive('\n').take_while(is_row);
            let end = range.start + rows.map(str::len).sum::<usize>();
            if end < range.end {
                starts.push((end, Kind::Prose));
            }
        }
    }
    let mut all: Vec<Block> = Vec::new();
    let ends = starts.iter().skip(1).map(|(start, _)| *start);
    for (i, ((start, kind), end)) in starts.iter().zip(ends.chain([text.len()])).enumerate() {
        let start = if i == 0 { 0 } else { *start };
        let (range, kind) = (start..end, *kind);
        all.push(Block { range, kind });
    }
    if all.is_empty() && !text.is_empty() {
        let (range, kind) = (0..text.len(), Kind::Prose);
        all.push(Block { range, kind });
    }
    all
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |line| line + 1)
}

/// Puts prose and the formulas that begin in it into `all`; gives where the last of them ends.
fn divide_formulas(text: &str, range: Range<usize>, all: &mut Vec<Block>) -> usize {
    let mut prose = range.start;
    let mut at = range.start;
    while at < range.end {
        let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
        let Some(end) = formula_end(text, at..line_end) else {
            at = line_end;
            continue;
        };
        if prose < at {
            let (range, kind) = (prose..at, Kind::Prose);
            all.push(Block { range, kind });
        }
        let (range, kind) = (at..end, Kind::Whole);
        all.push(Block { range, kind });
        (prose, at) = (end, end);
    }
    if prose < range.end {
        let (range, kind) = (prose..range.end, Kind::Prose);
        all.push(Block { range, kind });
    }
    at.max(range.end)
}

/// Where the formula ends that a line opens, its closing line and blank ones behind it included;
/// none for a line that opens none, and for one that nothing closes.
fn formula_end(text: &str, line: Range<usize>) -> Option<usize> {
    let opening = text[line.clone()].trim_start();
    let (n, close) = if opening.starts_with("$$") {
        (2, "$$".to_owned())
    } else if opening.starts_with("\\[") {
        (2, "\\]".to_owned())
    } else {
        let name = opening.strip_prefix("\\begin{")?.split('}').next()?;
        (name.len() + 8, format!("\\end{{{name}}}"))
    };
    let inside = line.end - text[line.start..line.end].trim_start().len() + n;
    let closed = inside + text.get(inside..)?.find(&close)? + close.len();
    let rest = text[closed..]
        .find('\n')
        .map_or(text.len(), |n| closed + n + 1);
    // words behind it make it a part of a sentence
    if text[closed..rest].chars().any(char::is_alphanumeric) {
        return None;
    }
    let mut end = rest;
    while let Some(n) = text[end..]
        .find('\n')
        .filter(|n| text[end..end + n].trim().is_empty())
    {
        end += n + 1;
    }
    Some(end)
}
