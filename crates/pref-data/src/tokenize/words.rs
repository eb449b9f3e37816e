//! Where the words of an answer stand in a rendered conversation.
//!
//! In: the conversation as the template renders it, and the same conversation with a mark in the
//! place of the answer. Out: the byte of the answer for every byte of the text. A template may
//! change the white space of an answer or leave out its beginning, such as the thinking before it;
//! one that writes other words is found out.

use std::ops::Range;

/// Stands for an answer; private characters that no text has, and nothing a template looks for.
pub(super) const MARK: &str = "\u{10fffd}\u{10fffc}\u{10fffd}";

/// The words of an answer within a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// Stretches in which text and answer agree byte for byte, in order.
    runs: Vec<Run>,
    /// Byte of the text at which the answer ends.
    end: usize,
    /// Bytes of the answer.
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    text: usize,
    answer: usize,
    len: usize,
}

impl Run {
    /// Leaves what lies from a byte of the text on; false if nothing does.
    fn begin_at(&mut self, start: usize) -> bool {
        let n = start.saturating_sub(self.text).min(self.len);
        *self = Self {
            text: self.text + n,
            answer: self.answer + n,
            len: self.len - n,
        };
        self.len > 0
    }
}

impl Words {
    /// An answer that the text holds as it is.
    pub(super) fn verbatim(range: Range<usize>) -> Self {
        let run = Run {
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

    /// Finds an answer in the region of the text that stands for it, from its end: all of it, or an
    /// end of it that fills the region, white space aside. None if the region holds other words.
    pub(super) fn find(text: &str, region: &Range<usize>, answer: &str) -> Option<Self> {
        let (mut t, mut a) = (region.end, answer.len());
        let mut runs = Vec::new();
        loop {
            let len = common_suffix(&text[..t], &answer[..a]);
            (t, a) = (t - len, a - len);
            if len > 0 {
                let (text, answer) = (t, a);
                runs.push(Run { text, answer, len });
            }
            let rest = (text[..t].trim_end().len(), answer[..a].trim_end().len());
            if rest.1 == 0 {
                break;
            }
            if rest.0 <= region.start {
                // the rest is left out: what is like it before the region is not the answer's
                runs.retain_mut(|run| run.begin_at(region.start));
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

    /// The byte of the answer that stands at a byte of the text: its first written one for what
    /// comes before it, its length for what comes behind it.
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

/// The region of a text that stands where the mark is in the other one. None if the mark is not in
/// it, or more than once.
pub(super) fn region(text: &str, marked: &str) -> Option<Range<usize>> {
    let (before, behind) = marked.split_once(MARK)?;
    if behind.contains(MARK) {
        return None;
    }
    let start = common_prefix(text, before);
    let end = text.len() - common_suffix(&text[start..], behind);
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

    /// The answer's bytes that stand at the bytes of a text.
    #[track_caller]
    fn check(text: &str, marked: &str, answer: &str, expected: Option<&[(&str, &str)]>) {
        let region = region(text, &marked.replace('@', MARK)).unwrap();
        let words = Words::find(text, &region, answer);
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
        // by position: the same words stand in the prompt and behind the answer
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
    fn a_beginning_that_is_left_out_has_no_place() {
        let answer = "<t>hm</t>yes";
        check(
            "<a>yes<e>",
            "<a>@<e>",
            answer,
            Some(&[("<a>", "yes"), ("yes", "yes")]),
        );
        // the template writes the marks of thinking by itself where there is none
        check(
            "<a><t>\nhm\n</t>\nyes<e>",
            "<a><t>\n\n</t>\n@<e>",
            answer,
            Some(&[("hm", "hm</t>yes"), ("yes", "yes")]),
        );
    }

    #[test]
    fn other_words_are_found_out() {
        check("<a>YES NO<e>", "<a>@<e>", "yes no", None);
        check("<a>yes, no<e>", "<a>@<e>", "yes no", None);
        assert_eq!(region("<a>yes", "<a>"), None);
    }
}
