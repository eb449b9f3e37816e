//! JSON values inside prose. In: text. Out: the objects and lists in it, outermost first.

use serde_json::Value;

/// Most places at which a value is tried. A reply of thousands of braces is no judgement.
const MAX_STARTS: usize = 200;

/// The JSON objects and lists of objects in a text, in order. What lies inside one of them is not listed again.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_STARTS {
        let Some(next) = text[at..].find(['{', '[']) else {
            break;
        };
        let start = at + next;
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                at = start + values.byte_offset().max(1);
                let is_list = |list: &[Value]| list.first().is_some_and(Value::is_object);
                match &value {
                    Value::Object(_) => found.push(value),
                    Value::Array(list) if is_list(list) => found.push(value),
                    _ => {}
                }
            }
            _ => at = start + 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Value]) {
        assert_eq!(objects(text), expected, "{text}");
    }

    #[test]
    fn objects_are_found_in_prose_and_in_code_blocks() {
        check("", &[]);
        check("no {braces} here [1]", &[]);
        check("Sure!\n```json\n{\"a\": 1}\n```\nDone.", &[json!({"a": 1})]);
        check("{broken {\"a\": {\"b\": 2}} {", &[json!({"a": {"b": 2}})]);
        check(
            "[{\"i\": 1}] {\"a\": 1}",
            &[json!([{"i": 1}]), json!({"a": 1})],
        );
        check(
            "{\"text\": \"a { in a text\"}",
            &[json!({"text": "a { in a text"})],
        );
    }
}
