//! Values as Python writes them, with `str` or as JSON. In: a value of a template. Out: text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::ser::Formatter;

/// The deepest nesting of lists that is written.
const MAX_DEPTH: usize = 100;

/// The most bytes that one text or written list may have.
pub(super) const MAX_BYTES: usize = 1 << 24;

/// A value as Python's `str` writes it; None if the engine writes the same.
pub(super) fn text_unlike(value: &Value) -> Result<Option<String>, Error> {
    let mut text = String::new();
    let written = match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => write_repr(&mut text, value, 0),
        ValueKind::Number if !value.is_integer() => write_repr(&mut text, value, 0),
        _ => return Ok(None),
    };
    match written {
        Some(()) => Ok(Some(text)),
        None => Err(Error::new(
            ErrorKind::InvalidOperation,
            "a list is too long or nested too deeply to be written",
        )),
    }
}

/// A value as Python's `str` writes it.
pub(super) fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    Ok(match (value.as_str(), text_unlike(value)?) {
        (Some(text), _) => text.into(),
        (None, Some(text)) => text.into(),
        (None, None) => value.to_string().into(),
    })
}

/// A float as Python writes it: the shortest digits that read back as the same number, with an
/// exponent below 1e-4 and from 1e16 on.
fn float(value: f64) -> String {
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

/// The filter `tojson` of `transformers`: `json.dumps(value, ensure_ascii=False)`, which has a space
/// after `:` and `,` and does not escape HTML. Takes the arguments of `json.dumps`.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let sort_keys: Option<bool> = options.get("sort_keys")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    options.assert_all_used()?;
    let failed = |e: serde_json::Error| Error::new(ErrorKind::BadSerialization, e.to_string());
    let mut json = serde_json::to_value(value).map_err(failed)?;
    if sort_keys == Some(true) {
        json.sort_all_objects();
    }
    // with an indent Python has no space after the comma, because a line break follows
    let separators = match separators.as_deref() {
        Some([item, key]) => [item.clone(), key.clone()],
        Some(_) => {
            let message = "tojson: expected two separators, between items and after a key";
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        None => [if indent.is_some() { "," } else { ", " }, ": "].map(str::to_owned),
    };
    let format = Python {
        separators,
        indent: indent.map(|n| " ".repeat(n.min(64))),
        depth: 0,
        is_empty: false,
        ensure_ascii: ensure_ascii == Some(true),
    };
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, format);
    serde::Serialize::serialize(&json, &mut serializer).map_err(failed)?;
    String::from_utf8(out).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))
}

/// JSON as Python's `json.dumps` writes it.
struct Python {
    /// The separator between items, and the one between a key and its value.
    separators: [String; 2],
    indent: Option<String>,
    depth: usize,
    /// Whether the innermost list or object has no item yet.
    is_empty: bool,
    ensure_ascii: bool,
}

impl Python {
    fn open<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if !self.is_empty {
            self.break_line(writer)?;
        }
        self.is_empty = false;
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.is_empty = false;
        if !first {
            writer.write_all(self.separators[0].as_bytes())?;
        }
        self.break_line(writer)
    }

    fn break_line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        let Some(indent) = &self.indent else {
            return Ok(());
        };
        writer.write_all(b"\n")?;
        writer.write_all(indent.repeat(self.depth).as_bytes())
    }
}

impl Formatter for Python {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.separators[1].as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.ensure_ascii || fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        for unit in fragment.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => writer.write_all(&[byte])?,
                _ => write!(writer, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }
}
