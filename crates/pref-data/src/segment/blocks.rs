//! The blocks of a Markdown text. In: text. Out: byte ranges with a kind: paragraphs, list items, and
//! blocks that are never divided (code, tables, formulas, headings).

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Consecutive lines of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A paragraph.
    Prose,
    /// A list item.
    Item,
    /// Code, a table, a formula or a heading.
    Whole,
}

/// Divides a text into blocks, in order and without gaps. Blank lines belong to the block before
/// them.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut at = 0;
    for block in markdown(text) {
        // one formula may span several Markdown blocks, so the next block may begin inside it
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

/// The blocks that the Markdown parser finds. It does not know formulas.
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
            // only headings with `#` count: a line of `---` below a paragraph would make the
            // paragraph a heading too
            Event::Start(Tag::Heading { .. }) if text[range.clone()].starts_with('#') => {
                Kind::Whole
            }
            // an HTML block counts as prose: text follows a tag such as `<think>`
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
            // a block that begins on the first line of an item is part of that item
            Some((last, _)) if *last >= start => {}
            _ => starts.push((start, kind)),
        }
        if is_table {
            // to the parser every line up to a blank one is a table row; here a row has a `|`
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

/// Divides a paragraph into prose and formulas, and adds them to `all`. Returns the byte where the
/// last one ends: a formula may end after the paragraph.
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

/// If a formula begins on this line: the byte where it ends, including the rest of its last line and
/// blank lines after it. None if no formula begins here, or if it is never closed.
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
    // words after the formula on the same line: it is part of a sentence
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
