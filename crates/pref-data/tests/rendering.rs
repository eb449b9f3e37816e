//! Answers in rendered conversations, settings of templates, and other kinds of tokenizers.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{conversation, plain, tokenizer, turn, workspace};
use pref_data::{
    Annotation, Message, Pair, PartRules, TemplateKwargs, Text, TokenPair, TokenizeError,
    TokenizeOptions, Tokenizer, tokenize,
};

/// A tokenizer of the fixtures with another template.
fn with_template(name: &str, template: &str) -> (tempfile::TempDir, Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        let from = workspace("fixtures/models").join(name).join(file);
        std::fs::write(folder.path().join(file), std::fs::read(from).unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    (folder, tokenizer)
}

const PLAIN_TURNS: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ CONTENT }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Tokenizes a pair whose chosen answer has these parts. Returns the answer's tokens, grouped by label.
fn labelled(tokenizer: &Tokenizer, parts: &[(&str, &str)]) -> Result<String, TokenizeError> {
    let content: String = parts.iter().map(|(_, text)| *text).collect();
    let mut pair = conversation(vec![turn("user", "Say yes.")], &content, "No.");
    let owned = |(label, text): &(&str, &str)| ((*label).to_owned(), (*text).to_owned());
    let annotation = Annotation {
        parts: Some(parts.iter().map(owned).collect()),
        ..Annotation::default()
    };
    pair.annotations[0] = Some(Box::new(annotation));
    let row = tokenize(&[pair], tokenizer, &TokenizeOptions::default())?
        .rows
        .remove(0);
    let [features, _] = row.features;
    let labels = features.unwrap().parts.unwrap();
    assert_eq!(labels.len(), row.chosen.len());
    let tokens = row
        .chosen
        .iter()
        .map(|&id| tokenizer.decode(&[id], false).unwrap());
    let tokens: Vec<(String, String)> = labels.into_iter().zip(tokens).collect();
    let runs = tokens.chunk_by(|(a, _), (b, _)| a == b).map(|run| {
        let text: String = run.iter().map(|(_, text)| text.as_str()).collect();
        format!("{}: {text:?}", run[0].0)
    });
    Ok(runs.collect::<Vec<_>>().join(", "))
}

#[test]
fn an_answer_is_found_by_its_position() {
    // the template writes the words of the answer again at the end
    let template = PLAIN_TURNS.replace("CONTENT", "m.content")
        + "{% if not add_generation_prompt %}yes yes{% endif %}";
    let (_folder, tokenizer) = with_template("llama", &template);
    assert_eq!(
        labelled(&tokenizer, &[("a", "yes"), ("b", " yes")]).unwrap(),
        "a: \"yes\", b: \" yes<|im_end|>\\nyes yes<|im_end|>\""
    );
}

#[test]
fn a_shortened_answer_keeps_the_labels_of_the_rest() {
    let stripped = PLAIN_TURNS.replace("CONTENT", "m.content.split('</think>')[-1] | trim");
    let (_folder, tokenizer) = with_template("llama", &stripped);
    let parts = [
        ("thinking", "<think>yes no yes</think>\n\n"),
        ("a", "yes"),
        ("b", " no"),
    ];
    assert_eq!(
        labelled(&tokenizer, &parts).unwrap(),
        "a: \"yes\", b: \" no<|im_end|>\\n\""
    );
    // if the template writes other words, the parts cannot be found
    let other = PLAIN_TURNS.replace("CONTENT", "m.content | replace('yes', 'aye')");
    let (_folder, tokenizer) = with_template("llama", &other);
    let error = labelled(&tokenizer, &parts).unwrap_err();
    assert!(
        matches!(error, TokenizeError::RewrittenAnswer { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("line 1: the chat template changes the words of the chosen response")
    );
}

#[test]
fn a_tool_call_without_words_has_one_part() {
    let template = PLAIN_TURNS.replace(
        "CONTENT",
        "m.content ~ (m.tool_calls | string if m.tool_calls else '')",
    );
    let (_folder, tokenizer) = with_template("llama", &template);
    let mut call = turn("assistant", "");
    call.more
        .insert("tool_calls".to_owned(), serde_json::json!([{"name": "f"}]));
    let answer = |turn| Text::Conversation(vec![turn]);
    let prompt = answer(turn("user", "Well?"));
    let pair = Pair::new(prompt, answer(call), answer(turn("assistant", "Yes.")), 1);
    let options = TokenizeOptions {
        parts: Some(PartRules::new("reasoning", &PartRules::default_markers()).unwrap()),
        ..TokenizeOptions::default()
    };
    let row = tokenize(&[pair], &tokenizer, &options)
        .unwrap()
        .rows
        .remove(0);
    let [features, _] = row.features;
    let labels = features.unwrap().parts.unwrap();
    assert!(labels.len() > 5);
    assert_eq!(labels, vec!["reasoning"; row.chosen.len()]);
}

#[test]
fn a_space_belongs_to_the_word_after_it() {
    // byte-level BPE, and a tokenizer whose words begin with `▁`
    for name in ["llama", "llama2"] {
        let tokenizer = tokenizer(name);
        let answer = "Yes it is. No matter what.";
        let mut pair = plain("Well?\n", answer, "No.");
        let annotation = Annotation {
            // the space is at the end of the first sentence
            segments: Some(vec!["Yes it is. ".to_owned(), "No matter what.".to_owned()]),
            scores: Some(vec![[0.0; 5], [4.0; 5]]),
            ..Annotation::default()
        };
        pair.annotations[0] = Some(Box::new(annotation));
        let row = tokenize(&[pair], &tokenizer, &TokenizeOptions::default())
            .unwrap()
            .rows
            .remove(0);
        let [features, _] = row.features;
        let segments = features.unwrap().segments;
        let text = |range: &std::ops::Range<usize>| {
            let ids = &row.chosen[range.clone()];
            tokenizer.decode(ids, true).unwrap().trim().to_owned()
        };
        assert_eq!(
            segments.iter().map(text).collect::<Vec<_>>(),
            ["Yes it is.", "No matter what."],
            "{name}"
        );
    }
}

#[test]
fn settings_of_a_row_replace_those_of_the_run() {
    let template = PLAIN_TURNS.replace("CONTENT", "m.content")
        + "{% if not add_generation_prompt %}{{ thinks }}{% endif %}";
    let (_folder, tokenizer) = with_template("llama", &template);
    let kwargs = |json| serde_json::from_value::<TemplateKwargs>(json).unwrap();
    let mut pairs = [1, 2].map(|_| conversation(vec![turn("user", "Well?")], "Yes.", "No."));
    pairs[1].template_kwargs = kwargs(serde_json::json!({"thinks": "row"}));
    let options = TokenizeOptions {
        template_kwargs: kwargs(serde_json::json!({"thinks": "plan"})),
        ..TokenizeOptions::default()
    };
    let rows = tokenize(&pairs, &tokenizer, &options).unwrap().rows;
    let ends = rows
        .iter()
        .map(|row| tokenizer.decode(&row.rejected, false).unwrap());
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            "No.<|im_end|>\nplan<|im_end|>",
            "No.<|im_end|>\nrow<|im_end|>"
        ]
    );
}

#[test]
fn an_id_beyond_the_embedding_is_an_error_of_its_row() {
    let tokenizer = tokenizer("llama");
    let pairs = [
        plain("Question: two", " It is", " It was"),
        plain("Question: two and two?", " four", " five"),
    ];
    let rows = |embedding_rows| {
        let options = TokenizeOptions {
            embedding_rows,
            ..TokenizeOptions::default()
        };
        tokenize(&pairs, &tokenizer, &options).map(|tokens| tokens.rows)
    };
    let all = rows(None).unwrap();
    let largest = |pair: &TokenPair| {
        let ids = [&pair.prompt, &pair.chosen, &pair.rejected];
        ids.into_iter().flatten().copied().max().unwrap()
    };
    let most = all.iter().map(largest).max().unwrap();
    assert_eq!(rows(Some(most as usize + 1)).unwrap(), all);
    let error = rows(Some(most as usize)).unwrap_err();
    let token = tokenizer.token(most).unwrap();
    let line = 1 + all.iter().position(|pair| largest(pair) == most).unwrap();
    assert_eq!(error.row().unwrap().line, line);
    let says =
        format!("the token `{token}` has the id {most}, and the model's embedding has {most} rows");
    assert!(error.to_string().contains(&says), "{error}");
}

#[test]
fn a_sentencepiece_style_tokenizer_gives_the_ids_and_texts_of_transformers() {
    let path = workspace("fixtures/models/llama2/expected.json");
    let text = std::fs::read_to_string(path).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tokenizer = tokenizer("llama2");
    let ids = |value: &serde_json::Value| -> Vec<u32> {
        serde_json::from_value(value["input_ids"].clone()).unwrap()
    };
    let texts = expected["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 6);
    for text in texts {
        let found = tokenizer.encode(text["text"].as_str().unwrap()).unwrap();
        assert_eq!(found, ids(text));
        assert_eq!(found[0], tokenizer.bos_id().unwrap());
        assert_eq!(
            tokenizer.decode(&found, true).unwrap(),
            text["decoded"].as_str().unwrap()
        );
    }
    let chats = expected["chats"].as_array().unwrap();
    assert_eq!(chats.len(), 2);
    for chat in chats {
        let turns: Vec<Message> = serde_json::from_value(chat["messages"].clone()).unwrap();
        let text = tokenizer.apply_chat_template(&turns, true).unwrap();
        assert_eq!(text, chat["text"].as_str().unwrap());
        assert_eq!(tokenizer.encode_rendered(&text).unwrap(), ids(chat));
        // a pair with this prompt begins with one BOS, not two
        let pair = conversation(turns, "Five.", "Six.");
        let tokens = tokenize(&[pair], &tokenizer, &TokenizeOptions::default()).unwrap();
        assert_eq!(tokens.rows.len(), 1);
        assert_eq!(tokens.rows[0].prompt, ids(chat));
    }
    // a plain prompt begins with the BOS token
    let pair = plain("Hello", " world", " there");
    let tokens = tokenize(&[pair], &tokenizer, &TokenizeOptions::default()).unwrap();
    // the ids of the prompt alone begin with these; its last token may belong to the answer
    let prompt = &tokens.rows[0].prompt;
    assert_eq!(prompt.first(), tokenizer.bos_id().as_ref());
    assert!(tokenizer.encode("Hello").unwrap().starts_with(prompt));
    let [row] = &tokens.rows[..] else {
        panic!("one pair is one row")
    };
    for answer in [&row.chosen, &row.rejected] {
        assert!(!answer.contains(&tokenizer.bos_id().unwrap()));
        assert_eq!(answer.last(), tokenizer.eos_id().as_ref());
    }
}
