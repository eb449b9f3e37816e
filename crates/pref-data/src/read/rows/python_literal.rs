//! Parses lists and dictionaries as Python prints them, which many tables have in their cells. In:
//! a text such as `[{'role': 'user', 'content': 'Hi'}]`. Out: the same value as JSON.
//!
//! Arrays of NumPy are read too. NumPy prints their elements without commas, and may put them into
//! `array(…, dtype=object)`.

use serde_json::{Map, Number, Value};

/// Reads a value in Python's notation.
///
/// # Errors
/// A message: what was expected, and at which character.
pub(super) fn python_literal(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.skip_space();
    match parser.rest().is_empty() {
        true => Ok(value),
        false => Err(parser.expected("the end")),
    }
}

/// The deepest nesting of lists that is accepted.
const MAX_DEPTH: usize = 64;

struct Parser<'a> {
    text: &'a str,
    /// Index of the next byte.
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn expected(&self, what: &str) -> String {
        let n = self.text[..self.at].chars().count();
        match self.peek() {
            Some(found) => format!("expected {what} at character {}, found {found:?}", n + 1),
            None => format!("expected {what} after {n} characters, found the end"),
        }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Skips white space, then skips `word` if it comes next. Returns whether it came next.
    fn take(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(self.expected("a list that is nested less deeply"));
        }
        for (word, value) in [
            ("None", Value::Null),
            ("True", Value::Bool(true)),
            ("False", Value::Bool(false)),
        ] {
            if self.take(word) {
                return Ok(value);
            }
        }
        if self.take("array(") {
            let value = self.value(depth + 1)?;
            if self.take(",") && !self.take("dtype=object") {
                return Err(self.expected("`dtype=object`"));
            }
            return self.close(")", value);
        }
        for (open, end) in [("[", "]"), ("(", ")")] {
            if self.take(open) {
                return Ok(Value::Array(self.list(end, depth)?));
            }
        }
        if self.take("{") {
            return self.dictionary(depth);
        }
        match self.peek() {
            Some('\'' | '"') => Ok(Value::String(self.string()?)),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => Err(self.expected("a value")),
        }
    }

    fn close(&mut self, end: &str, value: Value) -> Result<Value, String> {
        match self.take(end) {
            true => Ok(value),
            false => Err(self.expected(&format!("`{end}`"))),
        }
    }

    fn list(&mut self, end: &str, depth: usize) -> Result<Vec<Value>, String> {
        let mut values = Vec::new();
        while !self.take(end) {
            values.push(self.value(depth + 1)?);
            // NumPy separates elements by white space only
            self.take(",");
        }
        Ok(values)
    }

    fn dictionary(&mut self, depth: usize) -> Result<Value, String> {
        let mut fields = Map::new();
        while !self.take("}") {
            let key = self.string()?;
            if !self.take(":") {
                return Err(self.expected("`:`"));
            }
            fields.insert(key, self.value(depth + 1)?);
            if !self.take(",") {
                return self.close("}", Value::Object(fields));
            }
        }
        Ok(Value::Object(fields))
    }

    fn string(&mut self) -> Result<String, String> {
        self.skip_space();
        let quote = match self.peek() {
            Some(quote @ ('\'' | '"')) => quote,
            _ => return Err(self.expected("a string")),
        };
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.expected(&format!("`{quote}`")));
            };
            if c == '\\' {
                text.push(self.escape()?);
                continue;
            }
            self.at += c.len_utf8();
            if c == quote {
                return Ok(text);
            }
            text.push(c);
        }
    }

    /// The character that an escape sequence stands for.
    fn escape(&mut self) -> Result<char, String> {
        let mut ahead = self.rest().chars().skip(1);
        let letter = ahead.next();
        let n_digits = match letter {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        let plain = match letter {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('v') => '\x0b',
            Some(c @ ('\\' | '\'' | '"')) => c,
            _ if n_digits > 0 => {
                let digits: String = ahead.take(n_digits).collect();
                let code = u32::from_str_radix(&digits, 16).ok();
                let is_whole = digits.len() == n_digits;
                match code.filter(|_| is_whole).and_then(char::from_u32) {
                    Some(c) => c,
                    None => return Err(self.expected("a character code")),
                }
            }
            _ => return Err(self.expected("an escape sequence of Python")),
        };
        self.at += 2 + n_digits;
        Ok(plain)
    }

    fn number(&mut self) -> Result<Value, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let rest = self.rest();
        let n = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let integer = rest[..n].parse::<i64>().ok().map(Number::from);
        let number = integer.or_else(|| Number::from_f64(rest[..n].parse().ok()?));
        match number {
            Some(number) => {
                self.at += n;
                Ok(Value::Number(number))
            }
            None => Err(self.expected("a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Value, &str>) {
        assert_eq!(python_literal(text), expected.map_err(str::to_owned));
    }

    #[test]
    fn python_literals_are_read() {
        check(
            r#"[{'role': 'user', 'content': "it's"}, {'role': None, 'n': [1, -2.5, True]}]"#,
            Ok(json!([{"role": "user", "content": "it's"}, {"role": null, "n": [1, -2.5, true]}])),
        );
        check(
            r"'a\n\'b\' \\ \x41é\U0001f418'",
            Ok(json!("a\n'b' \\ Aé🐘")),
        );
        check("('a',)", Ok(json!(["a"])));
        check("{}", Ok(json!({})));
    }

    #[test]
    fn arrays_of_numpy_have_no_commas() {
        check("[{'a': 1}\n {'a': 2}]", Ok(json!([{"a": 1}, {"a": 2}])));
        check("array([{'a': 1}], dtype=object)", Ok(json!([{"a": 1}])));
    }

    #[test]
    fn errors_name_the_character() {
        check(
            "['a'",
            Err("expected a value after 4 characters, found the end"),
        );
        check("['a' b]", Err("expected a value at character 6, found 'b'"));
        check("{'a' 1}", Err("expected `:` at character 6, found '1'"));
        check(
            "'\\ud83d'",
            Err("expected a character code at character 2, found '\\\\'"),
        );
        check("nan", Err("expected a value at character 1, found 'n'"));
        check("1 2", Err("expected the end at character 3, found '2'"));
        check(
            &"[".repeat(100),
            Err("expected a list that is nested less deeply at character 66, found '['"),
        );
    }
}
