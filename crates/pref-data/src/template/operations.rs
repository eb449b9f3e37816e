//! Python's operators, with limits on the size of the result. In: two values. Out: a value, or an error if
//! the operator does not accept the values.

use minijinja::Error;
use minijinja::formatting::{self, FormatStyle};
use minijinja::value::{Tuple, Value, ValueKind};

use super::limits::{MAX_BYTES, MAX_ITEMS, check_bytes, check_items, refused};
use super::python_text::text;

/// The operands of an arithmetic operation.
enum Numbers {
    Integer(i128, i128),
    Float(f64, f64),
}

/// Both operands as numbers, integers if both are. None if one is not a number.
fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    let is_integer = |v: &Value| v.is_integer() || v.kind() == ValueKind::Bool;
    let integer = |v: &Value| i128::try_from(v.clone()).ok();
    let float = |v: &Value| match v.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(v.is_true()))),
        ValueKind::Number => f64::try_from(v.clone()).ok(),
        _ => None,
    };
    if is_integer(a) && is_integer(b) {
        return Some(Numbers::Integer(integer(a)?, integer(b)?));
    }
    Some(Numbers::Float(float(a)?, float(b)?))
}

/// An integer result; None means an overflow.
fn integer_value(result: Option<i128>) -> Result<Value, Error> {
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

/// `+`: joins texts or lists, adds numbers.
pub(super) fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        check_bytes(a.len().checked_add(b.len()))?;
        return Ok(Value::from([a, b].concat()));
    }
    if is_list(a) && is_list(b) {
        let items: Vec<Value> = a
            .try_iter()?
            .chain(b.try_iter()?)
            .take(MAX_ITEMS + 1)
            .collect();
        check_items(Some(items.len()))?;
        return Ok(list_like(a, items));
    }
    match numbers(a, b) {
        Some(Numbers::Integer(a, b)) => integer_value(a.checked_add(b)),
        Some(Numbers::Float(a, b)) => Ok(Value::from(a + b)),
        None => Err(unsupported("+", a, b)),
    }
}

/// `~`: joins two values as texts.
pub(super) fn concat(a: &Value, b: &Value) -> Result<String, Error> {
    let (a, b) = (text(a)?, text(b)?);
    check_bytes(a.len().checked_add(b.len()))?;
    Ok([a, b].concat())
}

/// `*`: repeats a text or a list, multiplies numbers.
pub(super) fn multiply(a: &Value, b: &Value) -> Result<Value, Error> {
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
            check_bytes(text.len().checked_mul(times))?;
            return Ok(Value::from(text.repeat(times)));
        }
        let items: Vec<Value> = repeated.try_iter()?.take(MAX_ITEMS + 1).collect();
        check_items(items.len().checked_mul(times))?;
        let all = std::iter::repeat_n(items, times).flatten();
        return Ok(list_like(repeated, all.collect()));
    }
    match numbers(a, b) {
        Some(Numbers::Integer(a, b)) => integer_value(a.checked_mul(b)),
        Some(Numbers::Float(a, b)) => Ok(Value::from(a * b)),
        None => Err(unsupported("*", a, b)),
    }
}

/// `%`: formats if the first operand is a text. The remainder of numbers has the sign of the divisor.
pub(super) fn remainder(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(format) = a.as_str() {
        let items = match b.downcast_object_ref::<Tuple>() {
            Some(tuple) => tuple.to_vec(),
            None => vec![b.clone()],
        };
        return printf(format, &items).map(Value::from);
    }
    match numbers(a, b) {
        Some(Numbers::Integer(_, 0)) => Err(refused("the remainder of a division by zero")),
        Some(Numbers::Integer(a, b)) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            let has_other_sign = rest != 0 && (rest < 0) != (b < 0);
            integer_value(Some(if has_other_sign { rest + b } else { rest }))
        }
        Some(Numbers::Float(_, 0.0)) => Err(refused("the remainder of a division by zero")),
        Some(Numbers::Float(a, b)) => Ok(Value::from(a - b * (a / b).floor())),
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
    check_bytes(widest.max().unwrap_or(0).checked_mul(items.len() + 1))?;
    if format.contains("%(") {
        return formatting::format(FormatStyle::Printf, format, items);
    }
    // the conversion letters, in order
    let mut letters = Vec::new();
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        let flags = |c: char| "#0- +.".contains(c) || c.is_ascii_digit();
        let after = after.trim_start_matches(flags);
        let letter = after.chars().next().unwrap_or('%');
        rest = after.get(letter.len_utf8()..).unwrap_or_default();
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
