//! Judgements in lines, such as `A1: 3`. In: text. Out: lists of items.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::items::Items;
use super::number::ascii_digits;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?i)^[\s>*_#|-]*(?:answer\s+)?([ab])?[\s*_.]*[<\[(]?(\d{1,4})[>\])]?[\s*_]*[:=|][\s*_]*(?:(?:score|rating|label|weight)\s*[:=]?\s*)?[\s*_]*([^\s:|*,;]+)";
    Regex::new(pattern).expect("the pattern is a constant")
});

/// The items of lines such as `A1: 3`, `B2: **4** because …` or, with a single list, `1: reasoning`. None if no
/// line is like that.
pub(crate) fn labelled_lines(text: &str, n_lists: usize) -> Option<Vec<Items>> {
    let mut lists = vec![Items::default(); n_lists];
    for line in text.lines() {
        let line = ascii_digits(line);
        let Some(found) = LINE.captures(&line) else {
            continue;
        };
        let side = match found.get(1).map(|side| side.as_str().to_lowercase()) {
            Some(side) if side == "b" => 1,
            Some(_) => 0,
            None if n_lists == 1 => 0,
            None => continue,
        };
        let (Some(index), Some(value)) = (found.get(2), found.get(3)) else {
            continue;
        };
        if let (Some(list), Ok(index)) = (lists.get_mut(side), index.as_str().parse()) {
            list.push(index, Value::String(value.as_str().to_owned()));
        }
    }
    lists.iter().any(|list| !list.is_empty()).then_some(lists)
}
