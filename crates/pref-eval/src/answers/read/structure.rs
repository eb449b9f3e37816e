//! The structure of an answer. In: its text. Out: lists, relations, regions and quantities; a text otherwise.

use super::date::date_or_time;
use super::expression::whole_expression;
use super::forms::{based, matrix, outward_interval, ratio};
use super::number::Commas;
use super::pieces::{bracket, enclosed, split_at};
use super::quantity::quantity;
use super::region::{between, both, comparison, infinity, of_inequality};
use super::token::{Kind, Token, tokens};
use super::words::plain_words;
use crate::answers::answer::{Answer, Brackets, Comparison, Interval, List, Part, Quantity, Unit};
use crate::answers::expression::Expression;
use crate::answers::limits::{MAX_BYTES, MAX_DEPTH, MAX_ITEMS};

/// Reads a cleaned answer.
pub(crate) fn read(text: &str, commas: Commas) -> Answer {
    if text.len() > MAX_BYTES {
        return Answer::Text(plain_words(text));
    }
    if let Some(found) = date_or_time(text) {
        return found;
    }
    let tokens = tokens(text, commas);
    mathematics(&tokens, 0).unwrap_or_else(|| as_text(text, &tokens))
}

/// A list of texts, or a text.
fn as_text(text: &str, tokens: &[Token]) -> Answer {
    let is_list = tokens.iter().all(|token| {
        matches!(token.kind, Kind::Word(_)) || token.is_sign(',') || token.is_sign(';')
    });
    if is_list
        && tokens
            .iter()
            .any(|token| token.is_sign(',') || is_word(token, &["and"]))
    {
        let mut items = Vec::new();
        for (_, part) in split_at(tokens, |token| {
            token.is_sign(',') || token.is_sign(';') || is_word(token, &["and"])
        }) {
            let words: Vec<String> = part.iter().filter_map(Token::word).collect();
            if !words.is_empty() {
                items.push(Answer::Text(plain_words(&words.join(" "))));
            }
        }
        if items.len() > 1 && items.len() <= MAX_ITEMS {
            return Answer::List(List {
                brackets: Brackets::None,
                items,
            });
        }
    }
    let text = text_of(text);
    Answer::Text(plain_words(&text))
}

/// The text without the names of commands such as `\text`.
fn text_of(text: &str) -> String {
    text.replace(['{', '}'], " ")
}

fn is_word(token: &Token, words: &[&str]) -> bool {
    token
        .word()
        .is_some_and(|word| words.contains(&word.as_str()))
}

/// The structure of tokens, or none if they are words.
fn mathematics(tokens: &[Token], depth: usize) -> Option<Answer> {
    if depth > MAX_DEPTH || tokens.is_empty() {
        return None;
    }
    let tokens = without_filler(tokens);
    if tokens
        .iter()
        .all(|token| matches!(token.kind, Kind::Word(_)) || token.is_sign('-'))
        && let Some(value @ Expression::Number(_)) = whole_expression(tokens)
    {
        // `three hundred and five` is no list.
        let unit = Unit::none();
        return Some(Answer::Quantity(Quantity { value, unit }));
    }
    outward_interval(tokens)
        .or_else(|| alternatives(tokens, depth))
        .or_else(|| items(tokens, depth))
        .or_else(|| relation(tokens, depth))
        .or_else(|| union(tokens, depth))
        .or_else(|| brackets(tokens, depth))
        .or_else(|| matrix(tokens))
        .or_else(|| based(tokens))
        .or_else(|| ratio(tokens))
        .or_else(|| {
            quantity(tokens)
                .filter(is_more_than_words(tokens))
                .map(both_signs)
        })
}

/// A quantity; two of them if it has a `±`.
fn both_signs(found: Quantity) -> Answer {
    if !found.value.has_two_signs() {
        return Answer::Quantity(found);
    }
    let with = |lower| {
        Answer::Quantity(Quantity {
            value: found.value.with_signs(lower),
            unit: found.unit.clone(),
        })
    };
    bare_list(vec![with(false), with(true)])
}

/// A single word is a text, even if it could be a product of letters.
fn is_more_than_words(tokens: &[Token]) -> impl Fn(&Quantity) -> bool {
    let is_word = matches!(tokens, [only] if only.is_text && matches!(&only.kind, Kind::Word(word) if word.len() > 1 || word.chars().all(char::is_uppercase)));
    move |found| {
        // `a red ball` is no multiple of `a`.
        let is_words = is_word || !found.unit.nouns.is_empty();
        !is_words || found.value.variables().is_empty()
    }
}

/// The tokens without words such as "approximately" before the answer.
fn without_filler(mut tokens: &[Token]) -> &[Token] {
    const FILLERS: [&str; 8] = [
        "approximately",
        "about",
        "roughly",
        "exactly",
        "equals",
        "is",
        "around",
        "approx",
    ];
    while let [first, rest @ ..] = tokens {
        let is_filler = is_word(first, &FILLERS)
            || first.is_sign('≈')
            || first.is_sign('=')
            || first.is_command("therefore")
            || first.is_command("approx");
        if !is_filler || rest.is_empty() {
            break;
        }
        tokens = rest;
    }
    tokens
}

/// `a or b`: a list, or the union of the regions of two inequalities.
fn alternatives(tokens: &[Token], depth: usize) -> Option<Answer> {
    let parts = split_at(tokens, |token| {
        is_word(token, &["or"]) || token.is_command("lor")
    });
    let parts = nonempty(parts)?;
    let items = all(&parts, depth)?;
    let regions: Option<Vec<Part>> = items
        .iter()
        .map(|item| match item {
            Answer::Region(parts) => Some(parts.clone()),
            _ => None,
        })
        .collect::<Option<Vec<Vec<Part>>>>()
        .map(|regions| regions.concat());
    Some(match regions {
        Some(parts) => Answer::Region(parts),
        None => bare_list(items),
    })
}

/// `a, b and c`
fn items(tokens: &[Token], depth: usize) -> Option<Answer> {
    let parts = split_at(tokens, |token| {
        token.is_sign(',')
            || token.is_sign(';')
            || is_word(token, &["and"])
            || token.is_command("land")
    });
    let parts = nonempty(parts)?;
    let items = all(&parts, depth)?;
    if let [Answer::Region(first), Answer::Region(second)] = items.as_slice()
        && let Some(part) = both(first, second)
    {
        return Some(Answer::Region(vec![part]));
    }
    if items
        .iter()
        .any(|item| matches!(item, Answer::Quantity(q) if !q.unit.is_none()))
        && let Some(total) = quantity(tokens)
    {
        // `2 hours, 30 minutes`
        return Some(Answer::Quantity(total));
    }
    Some(bare_list(items))
}

fn bare_list(mut items: Vec<Answer>) -> Answer {
    match items.len() {
        1 => items.remove(0),
        _ => Answer::List(List {
            brackets: Brackets::None,
            items,
        }),
    }
}

/// The parts that are not empty, if there was a separator.
fn nonempty<'a>(parts: Vec<(Option<&'a Token>, &'a [Token])>) -> Option<Vec<&'a [Token]>> {
    if parts.len() < 2 {
        return None;
    }
    let parts: Vec<&[Token]> = parts
        .into_iter()
        .map(|(_, part)| part)
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty() && parts.len() <= MAX_ITEMS).then_some(parts)
}

fn all(parts: &[&[Token]], depth: usize) -> Option<Vec<Answer>> {
    let read = |part: &&[Token]| mathematics(part, depth + 1).or_else(|| word_item(part));
    let items: Vec<Answer> = parts.iter().map(read).collect::<Option<_>>()?;
    let has_mathematics = items.iter().any(|item| !matches!(item, Answer::Text(_)));
    has_mathematics.then_some(items)
}

/// A word in a list of numbers, such as `undefined`.
fn word_item(part: &[Token]) -> Option<Answer> {
    let words: Vec<String> = part.iter().map(Token::word).collect::<Option<_>>()?;
    (words.len() <= 3).then(|| Answer::Text(plain_words(&words.join(" "))))
}

/// Equations, inequalities and `x ∈ A`.
fn relation(tokens: &[Token], depth: usize) -> Option<Answer> {
    if let [(_, left), (_, right)] = split_at(tokens, |token| token.is_command("in")).as_slice() {
        let is_name = matches!(whole_expression(left), Some(Expression::Variable(_)));
        return if is_name {
            mathematics(right, depth + 1)
        } else {
            None
        };
    }
    let parts = split_at(tokens, |token| comparison(token).is_some());
    if parts.len() < 2 {
        return None;
    }
    let relations: Vec<Comparison> = parts
        .iter()
        .filter_map(|(sign, _)| comparison((*sign)?))
        .collect();
    let sides: Vec<&[Token]> = parts.iter().map(|(_, side)| *side).collect();
    match (sides.as_slice(), relations.as_slice()) {
        (_, relations)
            if relations
                .iter()
                .all(|relation| *relation == Comparison::Equal) =>
        {
            equation(&sides, depth)
        }
        ([low, middle, high], [first, second]) => {
            let (_, part) = between([low, middle, high], [*first, *second])?;
            Some(Answer::Region(vec![part]))
        }
        ([left, right], [relation]) => {
            let (left, right) = (whole_expression(left)?, whole_expression(right)?);
            Some(match of_inequality(*relation, &left, &right) {
                Some((_, part)) => Answer::Region(vec![part]),
                None => Answer::Relation(*relation, left, right),
            })
        }
        _ => None,
    }
}

/// `x = 5`, `f(x) = x^2`, `Area = 3 \cdot 4 = 12`, or an equation that names no value.
fn equation(sides: &[&[Token]], depth: usize) -> Option<Answer> {
    let (first, rest) = sides.split_first()?;
    let last = rest.last()?;
    if let Some(name) = name_of(first) {
        // `y = 2x + 1` names a value; `y = x` may be turned around.
        return Some(Answer::Named(name, Box::new(mathematics(last, depth + 1)?)));
    }
    let left = whole_expression(first);
    if let (Some(left), Some(right), 1) = (&left, whole_expression(last), rest.len()) {
        if let Expression::Variable(name) = &right {
            let value = mathematics(first, depth + 1)?;
            return Some(Answer::Named(name.clone(), Box::new(value)));
        }
        if !left.variables().is_empty() || !right.variables().is_empty() {
            return Some(Answer::Relation(Comparison::Equal, left.clone(), right));
        }
    }
    // A calculation, or a tuple of names; the result comes last.
    mathematics(last, depth + 1)
}

/// The name on the left of an equation: a variable, a function of variables, or words.
fn name_of(tokens: &[Token]) -> Option<String> {
    let words: Option<Vec<String>> = tokens.iter().map(Token::word).collect();
    if let Some(words) = words.filter(|words| words.iter().any(|word| word.len() > 1)) {
        return Some(words.join(" "));
    }
    if let [letter, open, inner @ .., close] = tokens
        && matches!(&letter.kind, Kind::Word(word) if word.chars().count() == 1)
        && open.is_sign('(')
        && close.is_sign(')')
        && !inner.is_empty()
        && inner.iter().all(|token| {
            matches!(&token.kind, Kind::Word(word) if word.len() == 1) || token.is_sign(',')
        })
    {
        // Its own name, so that `f(x) = …` and `y = …` are compared by their values.
        return letter.word().map(|name| format!("{name}()"));
    }
    match whole_expression(tokens)? {
        Expression::Variable(name) => Some(name),
        _ => None,
    }
}

/// `A ∪ B`, `A \setminus B`
fn union(tokens: &[Token], depth: usize) -> Option<Answer> {
    let is_union = |token: &Token| token.is_command("cup") || is_word(token, &["u", "union"]);
    let parts = split_at(tokens, is_union);
    if parts.len() > 1 && parts.len() <= MAX_ITEMS {
        let mut regions = Vec::new();
        for (_, part) in parts {
            regions.extend(region(mathematics(part, depth + 1)?)?);
        }
        return Some(Answer::Region(regions));
    }
    let is_without = |token: &Token| token.is_command("setminus") || token.is_command("backslash");
    if let [(_, all), (_, points)] = split_at(tokens, is_without).as_slice() {
        let is_line = mathematics(all, depth + 1)? == Answer::Region(vec![real_line()]);
        let Answer::List(List { items, .. }) = mathematics(points, depth + 1)? else {
            return None;
        };
        let points: Option<Vec<Expression>> = items.into_iter().map(expression).collect();
        return is_line.then_some(Answer::Region(vec![Part::AllBut(points?)]));
    }
    let is_line = match tokens {
        [letter, open, r, close] => {
            letter.is_command("mathbb")
                && open.is_sign('{')
                && is_word(r, &["r"])
                && close.is_sign('}')
        }
        [letter, r] => letter.is_command("mathbb") && is_word(r, &["r"]),
        [first, .., last] => {
            is_word(first, &["all"]) && is_word(last, &["numbers", "reals"]) && tokens.len() <= 3
        }
        _ => false,
    };
    is_line.then(|| Answer::Region(vec![real_line()]))
}

fn real_line() -> Part {
    Part::Interval(Interval {
        low: infinity(true),
        with_low: false,
        high: infinity(false),
        with_high: false,
    })
}

/// A list with two numbers, or a set of numbers, as a part of the real line.
pub(crate) fn region(answer: Answer) -> Option<Vec<Part>> {
    match answer {
        Answer::Region(parts) => Some(parts),
        Answer::List(List { brackets, items }) => {
            let with_bounds = match brackets {
                Brackets::Round => false,
                Brackets::Square => true,
                Brackets::Curly => {
                    let points: Option<Vec<Expression>> =
                        items.into_iter().map(expression).collect();
                    return Some(vec![Part::Points(points?)]);
                }
                Brackets::None | Brackets::Angle => return None,
            };
            let [low, high] = <[Answer; 2]>::try_from(items).ok()?;
            Some(vec![Part::Interval(Interval {
                low: expression(low)?,
                with_low: with_bounds,
                high: expression(high)?,
                with_high: with_bounds,
            })])
        }
        _ => None,
    }
}

fn expression(answer: Answer) -> Option<Expression> {
    match answer {
        Answer::Quantity(found) if found.unit.is_none() => Some(found.value),
        _ => None,
    }
}

/// Tuples, sets and intervals in their brackets.
fn brackets(tokens: &[Token], depth: usize) -> Option<Answer> {
    if let [only] = tokens
        && only.is_command("emptyset")
    {
        return Some(Answer::Region(Vec::new()));
    }
    let (open, inner, close) = enclosed(tokens)?;
    let (open, close) = (bracket(open)?, bracket(close)?);
    if inner.is_empty() {
        return (open == '{').then(|| Answer::Region(Vec::new()));
    }
    let parts: Vec<&[Token]> = split_at(inner, |token| token.is_sign(',') || token.is_sign(';'))
        .into_iter()
        .map(|(_, part)| part)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > MAX_ITEMS {
        return None;
    }
    if open == '{'
        && close == '}'
        && let Some(found) = set_of_all(inner, depth)
    {
        return Some(found);
    }
    let brackets = match (open, close) {
        ('(', ')') => Brackets::Round,
        ('[', ']') => Brackets::Square,
        ('⟨', '⟩') => Brackets::Angle,
        ('{', '}') => Brackets::Curly,
        _ => {
            // A half-open interval.
            let [low, high] = parts.as_slice() else {
                return None;
            };
            let with_low = match open {
                '[' => true,
                '(' => false,
                _ => return None,
            };
            return Some(Answer::Region(vec![Part::Interval(Interval {
                low: whole_expression(low)?,
                with_low,
                high: whole_expression(high)?,
                with_high: close == ']',
            })]));
        }
    };
    if parts.len() == 1 {
        // `(5)` and `{5}` are 5, `(2)(3)` is a product, and `(B)` is a letter.
        return mathematics(inner, depth + 1).map(|item| match (brackets, item) {
            (_, item @ Answer::List(_)) | (Brackets::Round, item) => item,
            (_, item @ (Answer::Region(_) | Answer::Named(..))) => item,
            (_, item) => Answer::List(List {
                brackets,
                items: vec![item],
            }),
        });
    }
    let items = parts
        .iter()
        .map(|part| mathematics(part, depth + 1).or_else(|| word_item(part)))
        .collect::<Option<_>>()?;
    Some(Answer::List(List { brackets, items }))
}

/// `\{x \mid x > 3\}`
fn set_of_all(inner: &[Token], depth: usize) -> Option<Answer> {
    let parts = split_at(inner, |token| token.is_sign('|') || token.is_sign(':'));
    let [(_, name), (_, condition)] = parts.as_slice() else {
        return None;
    };
    let name = split_at(name, |token| token.is_command("in"))[0].1;
    matches!(whole_expression(name), Some(Expression::Variable(_))).then_some(())?;
    match mathematics(condition, depth + 1)? {
        found @ Answer::Region(_) => Some(found),
        _ => None,
    }
}
