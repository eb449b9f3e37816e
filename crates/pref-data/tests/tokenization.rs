//! Token ids equal to those of TRL, ends of sequences, boundaries between prompt and answer,
//! truncation.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::io::Write;

use common::{conversation, plain, tokenizer, turn, workspace};
use pref_data::PaddedLength as _;
use pref_data::{
    Boundary, Example, LongPrompts, Pair, PartRules, TemplateKwargs, Text, TokenizeError,
    TokenizeOptions, Tokenizer, Truncation, tokenize, tokenize_examples,
};
use proptest::prelude::*;

/// The id of `<|im_end|>` in the fixtures' tokenizer.
const EOS: u32 = 2;

#[test]
fn ids_are_those_of_trl() {
    for (trajectory, model) in [("dpo-llama", "llama"), ("ipo-qwen2", "qwen2")] {
        let file = workspace("../shared/reference/trajectories").join(format!("{trajectory}.json"));
        let data = workspace("../shared/gsm8k/pairs.jsonl");
        if !file.exists() || !data.exists() {
            // written directly, because the test harness hides what passing tests print
            let mut stderr = std::io::stderr();
            writeln!(
                stderr,
                "skipped: {} or {} is not there",
                file.display(),
                data.display()
            )
            .unwrap();
            return;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let peer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let row = peer["pairs"][0].as_u64().unwrap() as usize;
        let pairs = pref_data::read_pairs(&data).unwrap();
        let tokenized = tokenize(
            &pairs[row..=row],
            &tokenizer(model),
            &TokenizeOptions::default(),
        );
        let found = tokenized.unwrap().rows.remove(0);
        let ids = |key: &str| -> Vec<u32> {
            serde_json::from_value(peer["first_example"][key].clone()).unwrap()
        };
        assert_eq!(found.prompt, ids("prompt_ids"), "{model}");
        assert_eq!(found.chosen, ids("chosen_ids"), "{model}");
        assert_eq!(found.rejected, ids("rejected_ids"), "{model}");
    }
}

#[test]
fn a_plain_answer_ends_in_one_end_of_sequence() {
    let pairs = [plain("a question:", " yes", " no<|im_end|>")];
    let tokenized = tokenize(&pairs, &tokenizer("llama"), &TokenizeOptions::default()).unwrap();
    let pair = &tokenized.rows[0];
    for response in [&pair.chosen, &pair.rejected] {
        assert_eq!(response.iter().filter(|&&id| id == EOS).count(), 1);
        assert_eq!(response.last(), Some(&EOS));
    }
}

#[test]
fn a_conversation_is_closed_by_its_template() {
    let prompt = vec![turn("system", "Be brief."), turn("user", "Well?")];
    let pair = conversation(prompt, "Yes.", "No.");
    let tokenizer = tokenizer("llama");
    let tokenized = tokenize(&[pair], &tokenizer, &TokenizeOptions::default()).unwrap();
    assert!(tokenized.report.boundary_mismatches.is_empty());
    let pair = &tokenized.rows[0];
    let text = |ids: &[u32]| tokenizer.decode(ids, false).unwrap();
    assert_eq!(
        text(&pair.prompt),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWell?<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(text(&pair.chosen), "Yes.<|im_end|>\n");
    assert_eq!(text(&pair.rejected), "No.<|im_end|>\n");
}

#[test]
fn an_open_last_turn_gets_an_end_of_sequence() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let from = workspace("fixtures/models/llama").join(name);
        std::fs::write(folder.path().join(name), std::fs::read(from).unwrap()).unwrap();
    }
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}\
                    {% if add_generation_prompt %}assistant:{% endif %}";
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let pair = conversation(vec![turn("user", "Well?")], "Yes.", "No.");
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let tokenized = tokenize(&[pair], &tokenizer, &TokenizeOptions::default()).unwrap();
    let text = tokenizer.decode(&tokenized.rows[0].chosen, false).unwrap();
    assert_eq!(text, " Yes.\n<|im_end|>");
}

#[test]
fn answers_tokenized_by_themselves_share_no_token_with_the_prompt() {
    let tokenizer = tokenizer("llama");
    let options = TokenizeOptions {
        boundary: Boundary::Separate,
        ..TokenizeOptions::default()
    };
    let pairs = [
        plain("The answer is ", "four", "five"),
        conversation(vec![turn("user", "Well?")], "Yes.", "No."),
    ];
    let tokenized = tokenize(&pairs, &tokenizer, &options).unwrap();
    assert!(tokenized.report.boundary_mismatches.is_empty());
    let text = |ids: &[u32]| tokenizer.decode(ids, false).unwrap();
    assert_eq!(text(&tokenized.rows[0].chosen), "four<|im_end|>");
    assert_eq!(text(&tokenized.rows[1].rejected), "No.<|im_end|>\n");
    assert_eq!(
        tokenized.rows[0].prompt,
        tokenizer.encode("The answer is ").unwrap()
    );
    // without a token that holds characters of both, both ways give the same ids
    let joint = tokenize(&pairs[1..], &tokenizer, &TokenizeOptions::default()).unwrap();
    assert_eq!(joint.rows[0], tokenized.rows[1]);
}

#[test]
fn a_template_that_changes_the_prompt_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let from = workspace("fixtures/models/llama").join(name);
        std::fs::write(folder.path().join(name), std::fs::read(from).unwrap()).unwrap();
    }
    let template =
        "n = {{ messages | length }}: {% for m in messages %}{{ m.content }}\n{% endfor %}";
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let pair = conversation(vec![turn("user", "Well?")], "Yes.", "No.");
    let tokenize = |boundary| {
        let options = TokenizeOptions {
            boundary,
            ..TokenizeOptions::default()
        };
        tokenize(std::slice::from_ref(&pair), &tokenizer, &options)
    };
    let joint = tokenize(Boundary::Joint).unwrap();
    // the answer begins where the texts differ
    let text = |ids: &[u32]| tokenizer.decode(ids, false).unwrap();
    let whole = [text(&joint.rows[0].prompt), text(&joint.rows[0].chosen)].concat();
    assert_eq!(whole, "n = 2: Well?\nYes.\n<|im_end|>");
    insta::assert_snapshot!(
        [
            joint.report.to_string(),
            tokenize(Boundary::Separate).unwrap_err().to_string(),
        ]
        .join("\n")
    );
}

#[test]
fn single_answers_become_the_tokens_of_pairs() {
    let tokenizer = tokenizer("llama");
    let pair = plain("What is 2 + 2?", " 4", " 5");
    let options = TokenizeOptions {
        max_length: Some(9),
        truncation: Truncation::CutPromptStart,
        ..TokenizeOptions::default()
    };
    let example = |completion: &Text, label| Example {
        prompt: pair.prompt.clone(),
        completion: completion.clone(),
        label: Some(label),
        more: Default::default(),
        tools: Vec::new(),
        template_kwargs: TemplateKwargs::default(),
        place: 7.into(),
        annotation: None,
    };
    let examples = [example(&pair.chosen, true), example(&pair.rejected, false)];
    let single = tokenize_examples(&examples, &tokenizer, &options).unwrap();
    let pairs = tokenize(std::slice::from_ref(&pair), &tokenizer, &options).unwrap();
    assert_eq!(single.rows[0].prompt, pairs.rows[0].prompt);
    assert_eq!(single.rows[0].completion, pairs.rows[0].chosen);
    assert_eq!(single.rows[1].completion, pairs.rows[0].rejected);
    assert_eq!(single.rows[0].label, Some(true));
    assert_eq!(single.rows[1].label, Some(false));
    assert_eq!(
        single.report.cut_prompts.len(),
        2 * pairs.report.cut_prompts.len()
    );
    assert_eq!(pairs.report.cut_prompts.len(), 1);
    let nothing = [example(&Text::Plain(String::new()), true)];
    let options = TokenizeOptions {
        boundary: Boundary::Separate,
        ..options
    };
    // an answer may consist of the end-of-sequence token only
    let tokens = tokenize_examples(&nothing, &tokenizer, &options).unwrap();
    assert_eq!(tokens.rows[0].completion, [EOS]);
}

#[test]
fn a_token_across_the_boundary_is_counted() {
    // the last space of the prompt and the first word of the answer are one token
    let pairs = [
        plain("The answer is ", "four", "five"),
        plain("The answer is", " four", " five"),
    ];
    let pairs = [
        Pair {
            place: 7.into(),
            ..pairs[0].clone()
        },
        Pair {
            place: 8.into(),
            ..pairs[1].clone()
        },
    ];
    let tokenizer = tokenizer("llama");
    let tokenized = tokenize(&pairs, &tokenizer, &TokenizeOptions::default()).unwrap();
    assert_eq!(tokenized.report.boundary_mismatches, [7.into()]);
    assert_eq!(
        tokenized.report.to_string(),
        "2 rows; 1 rows in which prompt and answer share a token (lines 7)"
    );
    // the token belongs to the answer, and no text is lost
    let text = |ids: &[u32]| tokenizer.decode(ids, false).unwrap();
    let [merged, apart] = [&tokenized.rows[0], &tokenized.rows[1]];
    assert_eq!(text(&merged.prompt), "The answer is");
    assert_eq!(text(&merged.chosen), " four<|im_end|>");
    assert_eq!(text(&merged.rejected), " five<|im_end|>");
    assert_eq!(
        (&merged.prompt, &merged.chosen),
        (&apart.prompt, &apart.chosen)
    );
}

/// Three rows whose prompt has four tokens. The answers fit, differ within the limit, or differ only
/// after it.
fn long_rows() -> [Pair; 3] {
    let row = |chosen, rejected, line: usize| Pair {
        place: line.into(),
        ..plain("one two three four", chosen, rejected)
    };
    [
        row(" a", " b", 1),
        row(" a b c d e f", " b", 2),
        row(" a b c d e f", " a b c d e g", 3),
    ]
}

#[test]
fn the_prompt_stays_and_the_end_of_an_answer_is_cut() {
    let tokenizer = tokenizer("llama");
    let run = |max_length, long_prompts| {
        let options = TokenizeOptions {
            max_length: Some(max_length),
            long_prompts,
            ..TokenizeOptions::default()
        };
        tokenize(&long_rows(), &tokenizer, &options)
    };
    let whole = tokenize(&long_rows(), &tokenizer, &TokenizeOptions::default()).unwrap();
    let n = whole.rows[0].prompt.len();
    let limit = n + 4;
    let cut = run(limit, LongPrompts::Drop).unwrap();
    assert_eq!(cut.rows.len(), 2);
    assert_eq!(cut.rows[0], whole.rows[0]);
    assert_eq!(cut.rows[1].prompt, whole.rows[1].prompt);
    assert_eq!(cut.rows[1].chosen, whole.rows[1].chosen[..4]);
    assert_eq!(cut.rows[1].rejected, whole.rows[1].rejected);
    assert_eq!(cut.report.cut_prompts, []);
    assert_eq!(
        cut.report.to_string(),
        "2 rows; 2 rows whose answers were cut at the end (lines 2, 3); 1 rows dropped because the answers are the same once cut (lines 3)"
    );
    let refused = run(limit, LongPrompts::Refuse).unwrap_err().to_string();
    assert!(refused.contains("line 3: chosen and rejected have the same tokens once cut"));
    // a row is dropped if its prompt alone is at least as long as the limit
    let none = run(n, LongPrompts::Drop).unwrap();
    assert_eq!(none.rows, []);
    assert_eq!(
        none.report.to_string(),
        "0 rows; 3 rows dropped because the prompt leaves no room for an answer (lines 1, 2, 3)"
    );
    let cut = run(n, LongPrompts::Cut).unwrap();
    assert_eq!(cut.report.cut_prompts.len(), 3);
    assert!(whole.rows[0].prompt.ends_with(&cut.rows[0].prompt));
}

#[test]
fn a_prompt_without_a_stable_token_is_refused() {
    let pair = plain(" ", "four", "five");
    let error = tokenize(&[pair], &tokenizer("llama"), &TokenizeOptions::default()).unwrap_err();
    assert!(
        matches!(error, TokenizeError::MergedPrompt { .. }),
        "{error}"
    );
}

#[test]
fn pairs_that_cannot_be_tokenized_are_named() {
    let tokenizer = tokenizer("llama");
    let fails = |pair: Pair, max_length: Option<usize>| {
        let options = TokenizeOptions {
            max_length,
            long_prompts: LongPrompts::Refuse,
            ..TokenizeOptions::default()
        };
        tokenize(
            &[Pair {
                place: 3.into(),
                ..pair
            }],
            &tokenizer,
            &options,
        )
        .unwrap_err()
    };
    let conversation = Pair {
        place: 3.into(),
        ..conversation(vec![turn("user", "c")], "a", "b")
    };
    let folder = tempfile::tempdir().unwrap();
    let json = std::fs::read(workspace("fixtures/models/llama/tokenizer.json")).unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), json).unwrap();
    let bare = Tokenizer::from_folder(folder.path()).unwrap();
    let bare = |pair: Pair| tokenize(&[pair], &bare, &TokenizeOptions::default()).unwrap_err();
    let messages = [
        fails(plain("", " a", " b"), None),
        fails(plain("q", " a", " a<|im_end|>"), None),
        fails(plain("q", " a b c d", " a b c e"), Some(3)),
        fails(plain("one two three four", " a", " b"), Some(4)),
        fails(plain("q", " a", " b"), Some(1)),
        bare(plain("q", " a", " b")),
        bare(conversation),
    ]
    .map(|error: TokenizeError| error.to_string());
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn invalid_tokenizers_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let message = || {
        let error = Tokenizer::from_folder(folder.path())
            .unwrap_err()
            .to_string();
        error.replace(&folder.path().display().to_string(), "[folder]")
    };
    let absent = message();
    std::fs::write(&path, "{\"model\": 3}").unwrap();
    let broken = message();
    let json = std::fs::read(workspace("fixtures/models/llama/tokenizer.json")).unwrap();
    std::fs::write(&path, json).unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), "{% for %}").unwrap();
    let template = message();
    let refusing = "{{ raise_exception('roles must alternate') }}";
    std::fs::write(folder.path().join("chat_template.jinja"), refusing).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let refused = tokenizer.apply_chat_template(&[turn("user", "a")], true);
    let refused = refused.unwrap_err().to_string();
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    std::fs::write(folder.path().join("chat_template.jinja"), endless).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    let endless = tokenizer.apply_chat_template(&[turn("user", "a")], true);
    let endless = endless.unwrap_err().to_string();
    insta::assert_snapshot!([absent, broken, template, refused, endless].join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn truncation_leaves_a_prompt_and_both_answers(
        prompt in 1usize..40, chosen in 1usize..40, rejected in 1usize..40,
        max_length in 2usize..60,
        truncation in prop::sample::select(vec![
            Truncation::KeepStart, Truncation::CutPromptStart, Truncation::CutPromptEnd,
        ]),
    ) {
        let words = |n: usize, word: &str| word.repeat(n);
        let pair = plain(&words(prompt, " we"), &words(chosen, " she"), &words(rejected, " he"));
        let tokenizer = tokenizer("llama");
        let run = |max_length| {
            let long_prompts = LongPrompts::Cut;
            let options = TokenizeOptions { max_length, truncation, long_prompts, ..TokenizeOptions::default() };
            tokenize(std::slice::from_ref(&pair), &tokenizer, &options)
        };
        let whole = run(None).unwrap().rows.remove(0);
        let cut = run(Some(max_length)).unwrap();
        let Some(pair) = cut.rows.first() else {
            // the answers are the same only if the difference was cut
            prop_assert_eq!(cut.report.identical_once_cut.len(), 1);
            return Ok(());
        };
        prop_assert!(pair.n_tokens_of_longest() <= max_length);
        prop_assert!(!pair.prompt.is_empty() && !pair.chosen.is_empty() && !pair.rejected.is_empty());
        prop_assert!(whole.chosen.starts_with(&pair.chosen));
        prop_assert!(whole.rejected.starts_with(&pair.rejected));
        if truncation == Truncation::CutPromptEnd {
            prop_assert!(whole.prompt.starts_with(&pair.prompt));
        } else {
            prop_assert!(whole.prompt.ends_with(&pair.prompt));
        }
        let keeps_prompt = truncation == Truncation::KeepStart && whole.prompt.len() < max_length;
        prop_assert!(!keeps_prompt || pair.prompt == whole.prompt);
        let is_cut = whole.chosen != pair.chosen || whole.rejected != pair.rejected;
        prop_assert_eq!(is_cut, !cut.report.cut_responses.is_empty());
        prop_assert_eq!(whole.prompt != pair.prompt, !cut.report.cut_prompts.is_empty());
        if is_cut && !keeps_prompt {
            // an answer is cut only after the prompt is cut to one token
            prop_assert_eq!(pair.prompt.len(), 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_prompt_tokenized_once_gives_the_ids_of_whole_texts(
        words in prop::collection::vec(
            prop_oneof![
                4 => "[a-zA-Z]{1,9}",
                1 => "[0-9]{1,6}",
                1 => "[ \\n\\t.,'!?-]{1,4}",
                1 => "\\PC{1,3}",
                1 => Just("<|im_end|>".to_owned()),
            ],
            1..60,
        ),
        gaps in prop::collection::vec(prop_oneof![6 => Just(" "), 1 => Just(""), 1 => Just("  ")], 60),
        answers in ["\\PC{1,12}", "[ a-z\\n]{1,30}"],
        name in prop::sample::select(vec!["llama", "qwen2", "gemma3"]),
    ) {
        let pieces = words.iter().zip(&gaps);
        let prompt: String = pieces.map(|(word, gap)| format!("{word}{gap}")).collect();
        let tokenizer = tokenizer(name);
        let pair = plain(&prompt, &answers[0], &answers[1]);
        let whole = |answer: &str| {
            let eos = tokenizer.eos_token().unwrap();
            let end = if answer.ends_with(eos) { "" } else { eos };
            tokenizer.encode(&format!("{prompt}{answer}{end}")).unwrap()
        };
        let alone = tokenizer.encode(&prompt).unwrap();
        let (chosen, rejected) = (whole(&answers[0]), whole(&answers[1]));
        let shared = |ids: &[u32]| alone.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let n = shared(&chosen).min(shared(&rejected));
        if let Ok(tokenized) = tokenize(&[pair], &tokenizer, &TokenizeOptions::default()) {
            let found = &tokenized.rows[0];
            prop_assert_eq!(&found.prompt, &alone[..n]);
            prop_assert_eq!(&found.chosen, &chosen[n..]);
            prop_assert_eq!(&found.rejected, &rejected[n..]);
        }
    }
}

#[test]
fn parts_after_a_long_prompt_are_found() {
    let tokenizer = tokenizer("llama");
    let options = TokenizeOptions {
        parts: Some(PartRules::new("reasoning", &PartRules::default_markers()).unwrap()),
        ..TokenizeOptions::default()
    };
    let parts = |prompt: &str| {
        let pair = plain(prompt, "One and one.\n#### 2", "One.\n#### 1");
        let row = tokenize(&[pair], &tokenizer, &options)
            .unwrap()
            .rows
            .remove(0);
        (row.chosen, row.features.map(|side| side.unwrap().parts))
    };
    let long = format!("{}\n", "What is one and one then? ".repeat(12));
    let (tokens, labels) = parts("What is it?\n");
    assert_eq!(parts(&long), (tokens, labels.clone()));
    let chosen = labels[0].as_ref().unwrap();
    assert_eq!(chosen.first().unwrap(), "reasoning");
    assert_eq!(chosen.last().unwrap(), "answer");
}

#[test]
fn a_text_that_would_take_all_memory_is_an_error_of_its_row() {
    let pairs = [
        plain("Well?", " Yes.", " No."),
        plain("Well?", &" yes".repeat(3 << 20), " No."),
    ];
    let error = tokenize(&pairs, &tokenizer("llama"), &TokenizeOptions::default()).unwrap_err();
    assert!(error.row().is_some());
    assert!(
        error
            .to_string()
            .contains("bytes, and at most 8388608 can be tokenized at once"),
        "{error}"
    );
}
