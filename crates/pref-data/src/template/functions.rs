//! Functions that templates call: operators, string methods and filters with Python's behaviour and
//! with limits on size. In: values. Out: a value, or an error if the result would be too large.

use std::borrow::Cow;

use minijinja::formatting::{self, FormatStyle};
use minijinja::value::{Tuple, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State};
use minijinja_contrib::pycompat;

use super::python::{MAX_BYTES, text};

/// The most items that a sum or a repetition of lists may have.
const MAX_ITEMS: usize = 1 << 18;

/// Adds the functions, filters and methods to an environment.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__add", add);
    environment.add_function("__concat", concat);
    environment.add_function("__mul", multiply);
    environment.add_function("__rem", remainder);
    environment.add_filter("string", |value: &Value| text(value).map(Cow::into_owned));
    environment.add_filter("replace", |value: &Value, from: &Value, to: &Value| {
        replace(&text(value)?, &text(from)?, &text(to)?, None)
    });
    environment.add_filter("join", |list: &Value, joiner: Option<&Value>| {
        join(list, &text(joiner.unwrap_or(&Value::from("")))?)
    });
    environment.set_unknown_method_callback(method);
}

fn refused(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// An error if a text would have more than [`MAX_BYTES`] bytes; None stands for an overflow.
fn bounded(bytes: Option<usize>) -> Result<(), Error> {
    match bytes {
        Some(bytes) if bytes <= MAX_BYTES => Ok(()),
        _ => Err(refused(format!("a text of more than {MAX_BYTES} bytes"))),
    }
}

/// The operands of an arithmetic operation.
enum Numbers {
    Whole(i128, i128),
    Real(f64, f64),
}

/// Both operands as numbers, integers if both are. None if one is not a number.
fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    let is_whole = |v: &Value| v.is_integer() || v.kind() == ValueKind::Bool;
    let whole = |v: &Value| i128::try_from(v.clone()).ok();
    let real = |v: &Value| match v.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(v.is_true()))),
        ValueKind::Number => f64::try_from(v.clone()).ok(),
        _ => None,
    };
    if is_whole(a) && is_whole(b) {
        return Some(Numbers::Whole(whole(a)?, whole(b)?));
    }
    Some(Numbers::Real(real(a)?, real(b)?))
}

/// An integer result; None stands for an overflow.
fn whole(result: Option<i128>) -> Result<Value, Error> {
    let value = result.ok_or_else(|| refused("a number is too large"))?;
    Ok(i64::try_from(value).map_or_else(|_| Value::from(value), Value::from))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// A tuple of the items if `like` is a tuple, otherwise a list.
fn list_like(like: &Value, items: Vec<Value>) -> Value {
    match like.is_tuple() {
        true => Value::from(Tuple::new(items)),
        false => Value::from(items),
    }
}

fn unsupported(sign: &str, a: &Value, b: &Value) -> Error {
    let (a, b) = (a.kind(), b.kind());
    refused(format!("`{sign}` does not take {a} and {b}"))
}

fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        bounded(a.len().checked_add(b.len()))?;
        return Ok(Value::from([a, b].concat()));
    }
    if is_list(a) && is_list(b) {
        let items: Vec<Value> = a
            .try_iter()?
            .chain(b.try_iter()?)
            .take(MAX_ITEMS + 1)
            .collect();
        if items.len() > MAX_ITEMS {
            return Err(refused(format!("a list of more than {MAX_ITEMS} items")));
        }
        return Ok(list_like(a, items));
    }
    match numbers(a, b) {
        Some(Numbers::Whole(a, b)) => whole(a.checked_add(b)),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a + b)),
        None => Err(unsupported("+", a, b)),
    }
}

fn concat(a: &Value, b: &Value) -> Result<String, Error> {
    let (a, b) = (text(a)?, text(b)?);
    bounded(a.len().checked_add(b.len()))?;
    Ok([a, b].concat())
}

fn multiply(a: &Value, b: &Value) -> Result<Value, Error> {
    for (repeated, times) in [(a, b), (b, a)] {
        if !is_list(repeated) && repeated.as_str().is_none() {
            continue;
        }
        if !times.is_integer() {
            break;
        }
        // as in Python, zero or negative times give an empty result
        let times = i64::try_from(times.clone()).unwrap_or(i64::MAX).max(0);
        let times = usize::try_from(times).unwrap_or(usize::MAX);
        if let Some(text) = repeated.as_str() {
            bounded(text.len().checked_mul(times))?;
            return Ok(Value::from(text.repeat(times)));
        }
        let items: Vec<Value> = repeated.try_iter()?.take(MAX_ITEMS + 1).collect();
        let n = items.len().checked_mul(times);
        if n.is_none_or(|n| n > MAX_ITEMS) {
            return Err(refused(format!("a list of more than {MAX_ITEMS} items")));
        }
        let all = std::iter::repeat_n(items, times).flatten();
        return Ok(list_like(repeated, all.collect()));
    }
    match numbers(a, b) {
        Some(Numbers::Whole(a, b)) => whole(a.checked_mul(b)),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a * b)),
        None => Err(unsupported("*", a, b)),
    }
}

/// `%`: formats if the first operand is a text. The remainder of numbers has the sign of the divisor.
fn remainder(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(format) = a.as_str() {
        let items = match b.downcast_object_ref::<Tuple>() {
            Some(tuple) => tuple.to_vec(),
            None => vec![b.clone()],
        };
        return printf(format, &items).map(Value::from);
    }
    match numbers(a, b) {
        Some(Numbers::Whole(_, 0)) => Err(refused("the remainder of a division by zero")),
        Some(Numbers::Whole(a, b)) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            let has_other_sign = rest != 0 && (rest < 0) != (b < 0);
            whole(Some(if has_other_sign { rest + b } else { rest }))
        }
        Some(Numbers::Real(_, 0.0)) => Err(refused("the remainder of a division by zero")),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a - b * (a / b).floor())),
        None => Err(unsupported("%", a, b)),
    }
}

/// Python's `format % items`. Items for `%s` are converted to text first, because the engine writes
/// some values differently from Python.
fn printf(format: &str, items: &[Value]) -> Result<String, Error> {
    let digits = format.split(|c: char| !c.is_ascii_digit());
    let widest = digits.map(|n| {
        n.parse::<usize>()
            .unwrap_or(usize::from(!n.is_empty()) * MAX_BYTES)
    });
    bounded(widest.max().unwrap_or(0).checked_mul(items.len() + 1))?;
    if format.contains("%(") {
        return formatting::format(FormatStyle::Printf, format, items);
    }
    // the conversion letters, in order
    let mut letters = Vec::new();
    let mut rest = format;
    while let Some((_, behind)) = rest.split_once('%') {
        let flags = |c: char| "#0- +.".contains(c) || c.is_ascii_digit();
        let behind = behind.trim_start_matches(flags);
        let letter = behind.chars().next().unwrap_or('%');
        rest = behind.get(letter.len_utf8()..).unwrap_or_default();
        if letter != '%' {
            letters.push(letter);
        }
    }
    if letters.len() != items.len() {
        let (expected, found) = (letters.len(), items.len());
        return Err(refused(format!(
            "`%` needs {expected} values, found {found}"
        )));
    }
    let as_text = |(item, letter): (&Value, char)| match letter {
        's' => Ok(Value::from(text(item)?.into_owned())),
        _ => Ok(item.clone()),
    };
    let items: Result<Vec<Value>, Error> = items.iter().zip(letters).map(as_text).collect();
    formatting::format(FormatStyle::Printf, format, &items?)
}

fn replace(text: &str, from: &str, to: &str, count: Option<usize>) -> Result<String, Error> {
    let n = text.matches(from).count().min(count.unwrap_or(usize::MAX));
    bounded(
        n.checked_mul(to.len())
            .and_then(|more| more.checked_add(text.len())),
    )?;
    Ok(text.replacen(from, to, n))
}

fn join(list: &Value, joiner: &str) -> Result<String, Error> {
    let mut out = String::new();
    for (i, item) in list.try_iter()?.enumerate() {
        out += if i > 0 { joiner } else { "" };
        out += &text(&item)?;
        bounded(Some(out.len()))?;
    }
    Ok(out)
}

/// Methods of Python that the engine does not have, and methods that need limits.
fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if value.kind() == ValueKind::Map && name == "items" {
        let () = from_args(args)?;
        let pair = |key: Value| {
            Ok(Value::from(Tuple::from([
                key.clone(),
                value.get_item(&key)?,
            ])))
        };
        let pairs: Result<Vec<Value>, Error> = value.try_iter()?.map(pair).collect();
        return Ok(Value::from(pairs?));
    }
    let Some(s) = value.as_str() else {
        return pycompat::unknown_method_callback(state, value, name, args);
    };
    let tuple = |parts: [&str; 3]| Ok(Value::from(Tuple::from(parts.map(Value::from))));
    match name {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(Value::from(s.strip_prefix(prefix).unwrap_or(s)))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(Value::from(s.strip_suffix(suffix).unwrap_or(s)))
        }
        "partition" | "rpartition" => {
            let (at,): (&str,) = from_args(args)?;
            if at.is_empty() {
                return Err(refused("the separator is empty"));
            }
            let is_last = name == "rpartition";
            match if is_last {
                s.rsplit_once(at)
            } else {
                s.split_once(at)
            } {
                Some((before, behind)) => tuple([before, at, behind]),
                None if is_last => tuple(["", "", s]),
                None => tuple([s, "", ""]),
            }
        }
        "rsplit" => {
            let (at, most): (Option<&str>, Option<i64>) = from_args(args)?;
            let most = most
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(usize::MAX);
            rsplit(s, at, most)
        }
        "replace" => {
            let (from, to, count): (&str, &str, Option<i64>) = from_args(args)?;
            let count = count.and_then(|n| usize::try_from(n).ok());
            replace(s, from, to, count).map(Value::from)
        }
        "join" => {
            let (list,): (&Value,) = from_args(args)?;
            join(list, s).map(Value::from)
        }
        _ => pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// Python's `rsplit`: divides a text at most `most` times, beginning at its end.
fn rsplit(s: &str, at: Option<&str>, most: usize) -> Result<Value, Error> {
    let limit = most.saturating_add(1);
    let mut parts: Vec<&str> = match at {
        Some("") => return Err(refused("the separator is empty")),
        Some(at) => s.rsplitn(limit, at).collect(),
        None => {
            let mut parts = Vec::new();
            let mut rest = s.trim_end();
            while !rest.is_empty() && parts.len() < most {
                let word = rest.rsplit(char::is_whitespace).next().unwrap_or(rest);
                parts.push(word);
                rest = rest[..rest.len() - word.len()].trim_end();
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}
