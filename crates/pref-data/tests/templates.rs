//! Chat templates compared with `transformers` 5.23: loops, namespaces, macros, tools, dates, JSON, white
//! space. `templates.json` holds templates, messages, and the text or error of `transformers`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;

use pref_data::{ChatTemplate, Message, Tokenizer};
use serde_json::Value;

#[test]
fn templates_are_rendered_as_transformers_renders_them() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(tests).unwrap()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/llama");
    let mut n = 0;
    for (name, template) in all["templates"].as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["tokenizer.json", "config.json"] {
            std::fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
        }
        let config = r#"{"bos_token": "<s>", "eos_token": "</s>"}"#;
        std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        let source = template.as_str().unwrap();
        std::fs::write(folder.path().join("chat_template.jinja"), source).unwrap();
        let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
        let cases = all["cases"].as_array().unwrap().iter();
        for case in cases.filter(|case| case["template"] == **name) {
            let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
            let tools: Vec<Value> = serde_json::from_value(case["tools"].clone()).unwrap();
            let found = tokenizer.render(&messages, &tools, case["generation"] == true);
            match case["error"].as_str() {
                Some(error) => {
                    let message = found.unwrap_err().to_string();
                    assert!(message.contains(error), "{name}: {message}");
                }
                None => assert_eq!(found.unwrap(), case["expected"], "{name}"),
            }
            n += 1;
        }
    }
    assert!(n >= 70, "{n}");
}

/// `expressions.json` holds templates without messages, and what `transformers` 5.23 renders.
#[test]
fn values_are_written_as_python_writes_them() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expressions.json");
    let all: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(tests).unwrap()).unwrap();
    let mut n = 0;
    for case in &all {
        let source = case["template"].as_str().unwrap();
        let template = ChatTemplate::new(source, None, None).unwrap();
        match template.render(&[], &[], false) {
            Ok(text) => assert_eq!(text, case["text"], "{source}"),
            Err(error) => panic!("{source}: {error}"),
        }
        n += 1;
    }
    assert!(n >= 100, "{n}");
}

#[test]
fn repetition_is_limited() {
    let bounded = [
        "{{ [1] * 100000 * 100000 }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ [[1] * 100000] * 100000 }}",
        "{{ ([1] * 200000) | join('a' * 1000000) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
        "{{ '%999999999d' % 3 }}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x * 2 %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{{ [1] * 9999999999999999999999 }}",
    ];
    for source in bounded {
        let template = ChatTemplate::new(source, None, None).unwrap();
        let error = template.render(&[], &[], false).unwrap_err().to_string();
        assert!(error.len() < 500, "{error}");
    }
}
