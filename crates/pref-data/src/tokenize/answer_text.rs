//! Finds the words of an answer in a rendered conversation.
//!
//! In: the conversation as the template renders it, and the same conversation with a marker in place
//! of the answer. Out: for every byte of the rendered text, the corresponding byte of the answer. The
//! template may change the white space of the answer, or leave out its beginning, such as the
//! reasoning. If it writes other words, there is no result.

use std::ops::Range;

/// A marker in place of an answer: private-use characters, which neither texts nor templates contain.
pub(super) const MARKER: &str = "\u{10fffd}\u{10fffc}\u{10fffd}";

/// The positions of an answer's bytes in a rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnswerText {
    /// Ranges in which text and answer are equal, in order.
    runs: Vec<EqualRun>,
    /// The byte of the text at which the answer ends.
    end: usize,
    /// The length of the answer in bytes.
    len: usize,
}

/// A range in which text and answer are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EqualRun {
    /// First byte in the text.
    text: usize,
    /// First byte in the answer.
    answer: usize,
    /// Length in bytes.
    len: usize,
}

impl EqualRun {
    /// Removes the part before byte `start` of the text. Returns whether anything is left.
    fn trim_start_to(&mut self, start: usize) -> bool {
        let n = start.saturating_sub(self.text).min(self.len);
        *self = Self {
            text: self.text + n,
            answer: self.answer + n,
            len: self.len - n,
        };
        self.len > 0
    }
}

impl AnswerText {
    /// An answer that is in this range of the text, unchanged.
    pub(super) fn verbatim(range: Range<usize>) -> Self {
        let run = EqualRun {
            text: range.start,
            answer: 0,
            len: range.len(),
        };
        Self {
            runs: vec![run],
            end: range.end,
            len: range.len(),
        }
    }

    /// Finds an answer in a region of the text. The region must contain the whole answer, or
    /// consist of the end of the answer; white space may differ. None if the region holds other
    /// words.
    ///
    /// Text and answer are compared from their ends.
    pub(super) fn find(text: &str, region: &Range<usize>, answer: &str) -> Option<Self> {
        let (mut t, mut a) = (region.end, answer.len());
        let mut runs = Vec::new();
        loop {
            let len = common_suffix(&text[..t], &answer[..a]);
            (t, a) = (t - len, a - len);
            if len > 0 {
                let (text, answer) = (t, a);
                runs.push(EqualRun { text, answer, len });
            }
            let rest = (text[..t].trim_end().len(), answer[..a].trim_end().len());
            if rest.1 == 0 {
                break;
            }
            if rest.0 <= region.start {
                // the template leaves out the rest of the answer; equal text before the region is not
                // part of it
                runs.retain_mut(|run| run.trim_start_to(region.start));
                break;
            }
            if rest == (t, a) {
                return None;
            }
            (t, a) = rest;
        }
        runs.reverse();
        Some(Self {
            runs,
            end: region.end,
            len: answer.len(),
        })
    }

    /// The byte of the answer that corresponds to byte `at` of the text. For a byte before the
    /// answer, it is the first byte of the answer that the template writes. For a byte after the
    /// answer, it is the length of the answer.
    pub(super) fn answer_byte(&self, at: usize) -> usize {
        if at >= self.end {
            return self.len;
        }
        let next = self.runs.partition_point(|run| run.text <= at);
        match next.checked_sub(1).map(|i| self.runs[i]) {
            None => self.runs.first().map_or(self.len, |run| run.answer),
            Some(run) => run.answer + (at - run.text).min(run.len),
        }
    }
}

/// The range of a text that corresponds to the marker in the marked text. None unless the marked text
/// contains the marker exactly once.
pub(super) fn region_of_marker(text: &str, marked: &str) -> Option<Range<usize>> {
    let (before, after) = marked.split_once(MARKER)?;
    if after.contains(MARKER) {
        return None;
    }
    let start = common_prefix(text, before);
    let end = text.len() - common_suffix(&text[start..], after);
    Some(start..end)
}

fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b);
    a.floor_char_boundary(same.count())
}

fn common_suffix(a: &str, b: &str) -> usize {
    let same = a.bytes().rev().zip(b.bytes().rev());
    let n = same.take_while(|(a, b)| a == b).count();
    a.len() - a.ceil_char_boundary(a.len() - n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected`: pieces of the text, each with the rest of the answer from the same place on.
    #[track_caller]
    fn check(text: &str, marked: &str, answer: &str, expected: Option<&[(&str, &str)]>) {
        let region = region_of_marker(text, &marked.replace('@', MARKER)).unwrap();
        let words = AnswerText::find(text, &region, answer);
        assert_eq!(words.is_some(), expected.is_some(), "{words:?}");
        for (in_text, in_answer) in expected.into_iter().flatten() {
            let at = text.rfind(in_text).unwrap();
            let found = words.as_ref().unwrap().answer_byte(at);
            assert_eq!(&answer[found..], *in_answer, "{in_text}");
        }
    }

    #[test]
    fn an_answer_that_is_written_as_it_is_keeps_its_bytes() {
        check(
            "<a>yes no<e>",
            "<a>@<e>",
            "yes no",
            Some(&[("yes", "yes no"), ("no", "no"), ("<e>", "")]),
        );
        // the position decides: the same words are in the prompt and after the answer
        check(
            "4<a>4<e>4",
            "4<a>@<e>4",
            "4",
            Some(&[("<a>", "4"), ("<e>4", "")]),
        );
    }

    #[test]
    fn white_space_may_differ() {
        check(
            "<a>yes no<e>",
            "<a>@<e>",
            "  yes no\n",
            Some(&[("yes", "yes no\n"), ("no", "no\n"), ("<e>", "")]),
        );
        check(
            "<a>t\n\nyes\n<e>",
            "<a>@\n<e>",
            "t yes",
            Some(&[("yes", "yes")]),
        );
    }

    #[test]
    fn a_beginning_that_the_template_omits_is_skipped() {
        let answer = "<t>hm</t>yes";
        check(
            "<a>yes<e>",
            "<a>@<e>",
            answer,
            Some(&[("<a>", "yes"), ("yes", "yes")]),
        );
        // the template writes the tags of the reasoning even if there is none
        check(
            "<a><t>\nhm\n</t>\nyes<e>",
            "<a><t>\n\n</t>\n@<e>",
            answer,
            Some(&[("hm", "hm</t>yes"), ("yes", "yes")]),
        );
    }

    #[test]
    fn rewritten_answers_are_not_found() {
        check("<a>YES NO<e>", "<a>@<e>", "yes no", None);
        check("<a>yes, no<e>", "<a>@<e>", "yes no", None);
        assert_eq!(region_of_marker("<a>yes", "<a>"), None);
    }
}
