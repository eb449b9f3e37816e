//! Segments cover the text, and sentences end where a reader expects it.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use pref_data::{ItemSentences, Lines, PartMarker, PartRules, Segmenter, Sentences};
use proptest::prelude::*;

fn shown(segmenter: &dyn Segmenter, text: &str) -> String {
    let ranges = segmenter.segment(text);
    let quoted: Vec<String> = ranges
        .into_iter()
        .map(|r| format!("{:?}", &text[r]))
        .collect();
    quoted.join("\n")
}

#[test]
fn sentences_of_prose() {
    insta::assert_snapshot!(shown(
        &Sentences,
        "Dr. Smith met J. R. Jones at 5 p.m. in Berlin. They spoke of e.g. pi = 3.14159, see Fig. 2. \"Is that so?\" he asked. \"Yes!\" Was it? Yes... It cost $3.50 (approx. 3 euro). No. 5 is alive."
    ));
}

#[test]
fn sentences_of_wrapped_lines_and_of_other_scripts() {
    insta::assert_snapshot!(shown(
        &Sentences,
        "A sentence that goes\non over the line. Another\none.\n\nA new paragraph without an end\n今天天气很好。我们去公园吧！好吗？\nЭто предложение. И это тоже. ¿Qué tal? ¡Bien!\n"
    ));
}

#[test]
fn blocks_stay_whole() {
    insta::assert_snapshot!(shown(
        &Sentences,
        "# A heading. With a stop\nProse first. Then code:\n```python\nx = 1. \ny = 2. # Two. Three.\n\nprint(x)\n```\nAnd a list:\n- first. Second sentence.\n  its tail. More.\n- another\n1. numbered. Yes.\n\n| a | b |\n|---|---|\n| 1. | 2. |\nThen $$\nnot a block. Here is $a. b$ within. And \\(x. y\\) too. End.\n$$\na = b. c\n$$\nLast one.\n```\nunclosed. code"
    ));
}

#[test]
fn worked_solutions() {
    let text = "He bought 48/2 = <<48/2=24>>24 clips in May.\nSo he has 48+24 = $<<48+24=72>>72 in all.\n\n#### 72";
    insta::assert_snapshot!(format!(
        "{}\n--\n{}",
        shown(&Sentences, text),
        shown(&Lines, text)
    ));
}

#[test]
fn parts_by_markers() {
    let rules = PartRules::new("reasoning", &PartRules::default_markers()).unwrap();
    let label = |text: &str| {
        let parts = rules.parts(text).into_iter();
        parts
            .map(|p| format!("{} {:?}", p.label, &text[p.range]))
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!(
        [
            label("First 2 + 2 is 4. The answer is 4."),
            label("<think>Hm. Four?</think>\nIt is 4."),
            label("Steps\n#### 4"),
            label("no marker"),
            label(""),
        ]
        .join("\n--\n")
    );
    let wrong = [PartMarker {
        pattern: "(".to_owned(),
        label: "x".to_owned(),
    }];
    assert!(
        PartRules::new("a", &wrong)
            .unwrap_err()
            .to_string()
            .starts_with("`(` is not a regular expression")
    );
}

/// `|` marks where the text is divided.
#[track_caller]
fn divided(segmenter: &dyn Segmenter, marked: &str) {
    let text = marked.replace('|', "");
    let ranges = segmenter.segment(&text);
    let found: Vec<&str> = ranges.into_iter().map(|range| &text[range]).collect();
    assert_eq!(found.join("|"), marked);
}

#[test]
fn formulas_end_at_their_own_end() {
    divided(
        &Sentences,
        "So:\n|\\begin{align}\nx &= \\frac{1}{2}\n\ny &= \\text{a. B}\n\\end{align}\n|One. |Two.",
    );
    divided(
        &Sentences,
        "\\begin{align}\n\\begin{matrix}\na\n\\end{matrix}\n\\end{align}\n|One. |Two.",
    );
    // a formula that is never closed does not include the rest of the text
    divided(&Sentences, "\\begin{align}\nx = 1. \n\n|One. |Two.");
    divided(&Sentences, "One.\n|$$\na = b.\n\n- c. D\n$$\n\n|Two.");
    divided(&Sentences, "\\[\na = b.\n\\]\n|Two.");
}

#[test]
fn text_after_inline_code_is_divided() {
    divided(
        &Sentences,
        "```x``` is code. |It is short.\n\n|Another one. |Yes.",
    );
    divided(&Sentences, "`x. Y` is code. |Call `a.b()? C` then. |Done.");
    divided(
        &Sentences,
        "One.\n\n|    x = 1. Y\n    z = 2. W\n\n|Two. |Three.",
    );
}

#[test]
fn marks_and_names_do_not_end_sentences() {
    divided(
        &Sentences,
        "**1. Title**\n\n|It is so. |**2. Other**\n\n|Yes.",
    );
    divided(
        &Sentences,
        "**It is bold.** |This is not. |_Nor this._ |End.",
    );
    divided(&Sentences, "**Title.**\n\n|Text.");
    divided(
        &Sentences,
        "Ask **Dr. Rodriguez** now. |J.R.R. Tolkien wrote. |See a.html?x=1 there.",
    );
    divided(&Sentences, "« Bonjour. Ça va ? » dit-il. |Oui.");
    divided(&Sentences, "It was 1. |Then 2 came.");
    divided(&Sentences, "<think>\n|One. |Two.\n|</think>\n|Three.");
}

#[test]
fn items_are_divided_on_request() {
    let text = "Look:\n|- One. Two.\n  Three.\n|  - Nested. Yes.\n|- Four.\n\n|End. |Yes.";
    divided(&Sentences, text);
    let text = "Look:\n|- One. |Two.\n|  Three.\n|  - Nested. |Yes.\n|- Four.\n\n|1. One. |Two.\n";
    divided(&ItemSentences, text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn segments_join_up_to_the_text(text in prop_oneof![
        any::<String>(),
        "[a-zA-Z .!?\n`|#$*0-9\u{3002}-]{0,80}",
        "(Dr\\. |```\n|\\| a\n|- x\n|\\$\\$\n|Yes\\. |\"No\\.\" |\n|# h\n){0,20}",
    ]) {
        let rules = PartRules::new("reasoning", &PartRules::default_markers()).unwrap();
        let parts = rules.parts(&text).into_iter().map(|p| p.range).collect();
        for ranges in [Sentences.segment(&text), ItemSentences.segment(&text), Lines.segment(&text), parts] {
            let mut at = 0;
            for range in ranges {
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > at && text.is_char_boundary(range.end));
                at = range.end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
