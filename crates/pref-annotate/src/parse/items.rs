//! Lists of numbered items. In: a JSON list or object. Out: each item once and in order, or a complaint.

use serde_json::Value;

use super::number::{Amount, amount_of};
use crate::complaint::Complaint;

/// The values of numbered items, in the order of the reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Items(Vec<(usize, Value)>);

/// Names of the field that has an item's number.
const INDEX: [&str; 4] = ["index", "id", "number", "sentence"];

impl Items {
    pub(crate) fn push(&mut self, index: usize, value: Value) {
        self.0.push((index, value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items of a list of objects with an index and a value, or of an object whose keys are the indices.
    pub(crate) fn of_value(list: &Value, names: &[&str]) -> Result<Self, Complaint> {
        let mut items = Self::default();
        match list {
            Value::Array(list) => {
                for (at, item) in list.iter().enumerate() {
                    let missing = |what: &str| {
                        Complaint(format!("entry {} of a list has no `{what}`", at + 1))
                    };
                    let get = |names: &[&str]| names.iter().find_map(|name| item.get(name));
                    let index = get(&INDEX).and_then(index_of);
                    let index = index.ok_or_else(|| missing("index"))?;
                    let value = get(names).ok_or_else(|| missing(names[0]))?;
                    items.push(index, value.clone());
                }
            }
            Value::Object(fields) => {
                for (key, value) in fields {
                    let index = index_of(&Value::String(key.clone())).ok_or_else(|| {
                        Complaint(format!("`{key}` is not the number of an item"))
                    })?;
                    let inner = names.iter().find_map(|name| value.get(name));
                    items.push(index, inner.unwrap_or(value).clone());
                }
            }
            other => return Err(Complaint(format!("found {other}; expected a list"))),
        }
        Ok(items)
    }

    /// The values of items 1 to `n`, each of which must be there exactly once.
    pub(crate) fn in_order(&self, n: usize) -> Result<Vec<Value>, Complaint> {
        let mut values: Vec<Option<&Value>> = vec![None; n];
        for (index, value) in &self.0 {
            let place = index.checked_sub(1).and_then(|at| values.get_mut(at));
            match place {
                None => {
                    return Err(Complaint(format!(
                        "item {index} does not exist; there are {n} items, numbered from 1"
                    )));
                }
                Some(Some(_)) => return Err(Complaint(format!("item {index} occurs twice"))),
                Some(empty) => *empty = Some(value),
            }
        }
        let missing: Vec<usize> = (1..=n).filter(|i| values[i - 1].is_none()).collect();
        if !missing.is_empty() {
            return Err(Complaint(format!(
                "items {missing:?} are missing; there are {n} items"
            )));
        }
        Ok(values.into_iter().flatten().cloned().collect())
    }
}

/// The number of an item: `1`, `"1"`, `"<1>"`, `"1."`, `"A1"`.
fn index_of(value: &Value) -> Option<usize> {
    let value = match value {
        Value::String(text) => {
            let text = text
                .trim()
                .trim_start_matches(|c: char| "<[(#aAbB ".contains(c));
            let text = text.trim_end_matches(|c: char| ">]).:/ ".contains(c));
            Value::String(text.to_owned())
        }
        other => other.clone(),
    };
    match amount_of(&value, i64::MAX) {
        Some(Amount::One(number)) if number.fract() == 0.0 && (0.0..1e6).contains(&number) => {
            Some(number as usize)
        }
        _ => None,
    }
}
