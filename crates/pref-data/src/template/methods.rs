//! Methods of Python's strings and dictionaries, with limits on the size of the result. In: a value, the
//! name of a method, its arguments. Out: a value.

use minijinja::value::{Tuple, Value, ValueKind, from_args};
use minijinja::{Error, State};
use minijinja_contrib::pycompat;

use super::limits::{check_bytes, refused};
use super::python_text::text;

/// Python's `replace`: replaces at most `count` occurrences, from the start.
pub(super) fn replace(
    text: &str,
    from: &str,
    to: &str,
    count: Option<usize>,
) -> Result<String, Error> {
    let n = text.matches(from).count().min(count.unwrap_or(usize::MAX));
    check_bytes(
        n.checked_mul(to.len())
            .and_then(|more| more.checked_add(text.len())),
    )?;
    Ok(text.replacen(from, to, n))
}

/// Python's `join`.
pub(super) fn join(list: &Value, joiner: &str) -> Result<String, Error> {
    let mut out = String::new();
    for (i, item) in list.try_iter()?.enumerate() {
        out += if i > 0 { joiner } else { "" };
        out += &text(&item)?;
        check_bytes(Some(out.len()))?;
    }
    Ok(out)
}

/// Methods of Python that the engine does not have, and methods that need limits.
pub(super) fn method(
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
                Some((before, after)) => tuple([before, at, after]),
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
