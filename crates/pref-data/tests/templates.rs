//! Chat templates against what `transformers` 5.23 renders: loops, namespaces, macros, tools, dates,
//! JSON, white space. `templates.json` holds the templates, the messages and its text or error.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;

use pref_data::{Message, Tokenizer};
use serde_json::Value;

#[test]
fn templates_are_rendered_as_the_peer_renders_them() {
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
