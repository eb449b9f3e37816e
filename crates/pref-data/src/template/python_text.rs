//! Values as Python's `str` and `repr` write them. In: a value of a template. Out: text.

use std::borrow::Cow;
use std::fmt::Write as _;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::limits::{MAX_BYTES, refused};

/// The deepest nesting of lists that is written.
const MAX_DEPTH: usize = 100;

/// A value as Python's `str` writes it; None if the engine writes the same.
pub(super) fn text_if_different(value: &Value) -> Result<Option<String>, Error> {
    let mut text = String::new();
    let written = match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => write_repr(&mut text, value, 0),
        ValueKind::Number if !value.is_integer() => write_repr(&mut text, value, 0),
        _ => return Ok(None),
    };
    match written {
        Some(()) => Ok(Some(text)),
        None => Err(refused(
            "a list is too long or nested too deeply to be written",
        )),
    }
}

/// A value as Python's `str` writes it.
pub(super) fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    Ok(match (value.as_str(), text_if_different(value)?) {
        (Some(text), _) => text.into(),
        (None, Some(text)) => text.into(),
        (None, None) => value.to_string().into(),
    })
}

/// A float as Python writes it: the shortest digits that read back as the same number, with an
/// exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || value == 0.0 {
        let text = value.to_string();
        return if text.contains('.') {
            text
        } else {
            text + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Appends a value as Python's `repr` writes it. None if it is too long or nested too deeply.
fn write_repr(out: &mut String, value: &Value, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH || out.len() > MAX_BYTES {
        return None;
    }
    match value.kind() {
        ValueKind::String => write_quoted(out, value.as_str()?),
        ValueKind::Seq | ValueKind::Iterable => {
            let is_tuple = value.is_tuple();
            let [open, close] = if is_tuple { ['(', ')'] } else { ['[', ']'] };
            out.push(open);
            let mut n = 0;
            for item in value.try_iter().ok()? {
                out.push_str(if n > 0 { ", " } else { "" });
                write_repr(out, &item, depth + 1)?;
                n += 1;
            }
            out.push_str(if is_tuple && n == 1 { "," } else { "" });
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter().ok()?.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_repr(out, &key, depth + 1)?;
                out.push_str(": ");
                write_repr(out, &value.get_item(&key).ok()?, depth + 1)?;
            }
            out.push('}');
        }
        ValueKind::Number if !value.is_integer() => {
            out.push_str(&float(f64::try_from(value.clone()).ok()?));
        }
        _ => write!(out, "{value}").ok()?,
    }
    Some(())
}

/// Appends a string in single quotes, or in double quotes if that avoids escapes.
fn write_quoted(out: &mut String, text: &str) {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => {
                let code = c as u32;
                // writing to a `String` cannot fail
                let _ = write!(out, "\\x{code:02x}");
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}
