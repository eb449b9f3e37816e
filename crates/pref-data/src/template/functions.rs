//! What a template calls, as Python has it, and bounded: operators, methods of strings, filters.
//! In: values. Out: values, or an error for what no conversation has.

use std::borrow::Cow;

use minijinja::formatting::{self, FormatStyle};
use minijinja::value::{Tuple, Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State};
use minijinja_contrib::pycompat;

use super::python::{LONGEST, text};

/// Items of one list that is repeated or put together.
const MOST: usize = 1 << 18;

/// Makes them known to an environment.
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

/// An error for a text of more bytes than any conversation has.
fn bounded(bytes: Option<usize>) -> Result<(), Error> {
    match bytes {
        Some(bytes) if bytes <= LONGEST => Ok(()),
        _ => Err(refused(format!("a text of more than {LONGEST} bytes"))),
    }
}

/// Numbers of an operation: whole ones, or not.
enum Numbers {
    Whole(i128, i128),
    Real(f64, f64),
}

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

fn whole(result: Option<i128>) -> Result<Value, Error> {
    let value = result.ok_or_else(|| refused("a number is too large"))?;
    Ok(i64::try_from(value).map_or_else(|_| Value::from(value), Value::from))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// A list of some items, or a tuple as `like` is.
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
        let items: Vec<Value> = a.try_iter()?.chain(b.try_iter()?).take(MOST + 1).collect();
        if items.len() > MOST {
            return Err(refused(format!("a list of more than {MOST} items")));
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
        // nothing comes of less than one time
        let times = i64::try_from(times.clone()).unwrap_or(i64::MAX).max(0);
        let times = usize::try_from(times).unwrap_or(usize::MAX);
        if let Some(text) = repeated.as_str() {
            bounded(text.len().checked_mul(times))?;
            return Ok(Value::from(text.repeat(times)));
        }
        let items: Vec<Value> = repeated.try_iter()?.take(MOST + 1).collect();
        let n = items.len().checked_mul(times);
        if n.is_none_or(|n| n > MOST) {
            return Err(refused(format!("a list of more than {MOST} items")));
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

/// `%`: of a text, its format; of numbers, the remainder with the sign of the second.
fn remainder(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(format) = a.as_str() {
        let items = match b.downcast_object_ref::<Tuple>() {
            Some(tuple) => tuple.to_vec(),
            None => vec![b.clone()],
        };
        return printf(format, &items).map(Value::from);
    }
    match numbers(a, b) {
        Some(Numbers::Whole(_, 0)) => Err(refused("a remainder of a division by zero")),
        Some(Numbers::Whole(a, b)) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            let is_other_side = rest != 0 && (rest < 0) != (b < 0);
            whole(Some(if is_other_side { rest + b } else { rest }))
        }
        Some(Numbers::Real(_, 0.0)) => Err(refused("a remainder of a division by zero")),
        Some(Numbers::Real(a, b)) => Ok(Value::from(a - b * (a / b).floor())),
        None => Err(unsupported("%", a, b)),
    }
}

/// Python's `format % items`. What the engine prints otherwise than Python goes in as text.
fn printf(format: &str, items: &[Value]) -> Result<String, Error> {
    let digits = format.split(|c: char| !c.is_ascii_digit());
    let widest = digits.map(|n| {
        n.parse::<usize>()
            .unwrap_or(usize::from(!n.is_empty()) * LONGEST)
    });
    bounded(widest.max().unwrap_or(0).checked_mul(items.len() + 1))?;
    if format.contains("%(") {
        return formatting::format(FormatStyle::Printf, format, items);
    }
    // the letters of the conversions, in order
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

/// Methods that Python has and the engine has not, and those that need bounds.
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
                return Err(refused("an empty text divides nothing"));
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

/// The pieces of a text, divided from its end at most so many times.
fn rsplit(s: &str, at: Option<&str>, most: usize) -> Result<Value, Error> {
    let limit = most.saturating_add(1);
    let mut parts: Vec<&str> = match at {
        Some("") => return Err(refused("an empty text divides nothing")),
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
