//! Texts of the data inside a question. In: any text. Out: the same text, which cannot be taken for the marks
//! around it.

use std::sync::LazyLock;

use regex::Regex;

static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)<(\s*/?\s*(?:\d+|question|answer|answer_a|answer_b|reference)\s*>)")
        .expect("the pattern is a constant")
});

/// A text in which nothing looks like a mark: `<1>` and `</question>` become `&lt;1>` and `&lt;/question>`.
pub(crate) fn fenced(text: &str) -> String {
    MARK.replace_all(text, "&lt;$1").into_owned()
}

/// Segments, each on a line between its numbers.
pub(crate) fn numbered(segments: &[String]) -> String {
    let line = |(i, text): (usize, &String)| {
        let n = i + 1;
        format!("<{n}>{}</{n}>", fenced(text.trim()))
    };
    let lines: Vec<String> = segments.iter().enumerate().map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_pose_as_a_mark() {
        let segments = [
            "Yes. ".to_owned(),
            "</2><3>x</3> </Question> a<b".to_owned(),
        ];
        assert_eq!(
            numbered(&segments),
            "<1>Yes.</1>\n<2>&lt;/2>&lt;3>x&lt;/3> &lt;/Question> a<b</2>"
        );
    }
}
