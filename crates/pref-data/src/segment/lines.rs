//! Lines as segments. In: text, such as a worked solution with one step per line. Out: one byte
//! range per line.

use std::ops::Range;

use super::segmenter::Segmenter;

/// One segment for each line, including its line break. Blank lines belong to the line before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines;

impl Segmenter for Lines {
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let range = at..at + line.len();
            at = range.end;
            match all.last_mut() {
                Some(last) if line.trim().is_empty() => last.end = range.end,
                _ => all.push(range),
            }
        }
        all
    }
}
