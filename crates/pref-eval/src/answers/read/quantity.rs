//! Numbers with units. In: tokens. Out: a quantity.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::One;

use super::expression::{Parser, whole_expression};
use super::token::{Kind, Token};
use super::unit_words::unit;
use crate::answers::answer::{PERCENT, Quantity, Unit};
use crate::answers::expression::{Expression, Function};

/// Most words after a number that are read as its unit.
const MAX_NOUNS: usize = 6;

/// The quantity that all the tokens make up: an expression, with a unit before or after it or without.
pub(super) fn quantity(tokens: &[Token]) -> Option<Quantity> {
    let (negative, rest) = match tokens {
        [sign, rest @ ..] if sign.is_sign('-') => (true, rest),
        _ => (false, tokens),
    };
    if let Some((money, rest)) = money_before(rest) {
        let mut found = quantity_after(rest)?;
        let has_other = !found.unit.dimensions.is_empty();
        // `$5 dollars` names the same unit twice; `$18 per hour` adds to it.
        let same = found.unit.dimensions == money.dimensions;
        if has_other && !same && found.unit.dimensions.contains_key("dollars") {
            return None;
        }
        if !same {
            found.unit.dimensions.extend(money.dimensions);
            found.unit.scale *= money.scale;
        }
        if negative {
            found.value = Expression::Negative(Box::new(found.value));
        }
        return Some(found);
    }
    let mut total = quantity_after(tokens);
    if total.is_none() {
        total = mixed_units(tokens);
    }
    total
}

/// A currency sign or name before a number.
fn money_before(tokens: &[Token]) -> Option<(Unit, &[Token])> {
    let (name, rest) = match tokens {
        [us, dollar, rest @ ..]
            if us.word().is_some_and(|word| word == "us") && dollar.is_sign('$') =>
        {
            ("$".to_owned(), rest)
        }
        [first, rest @ ..] => match &first.kind {
            Kind::Sign(sign @ ('$' | '€' | '£' | '¥' | '₹')) => (sign.to_string(), rest),
            Kind::Word(word) if matches!(word.as_str(), "USD" | "EUR" | "GBP" | "Rs" | "INR") => {
                let dot = usize::from(rest.first().is_some_and(|token| token.is_sign('.')));
                (word.clone(), &rest[dot..])
            }
            _ => return None,
        },
        [] => return None,
    };
    let known = unit(&name)?;
    let unit = Unit {
        scale: known.scale,
        dimensions: BTreeMap::from([(known.dimension, known.power)]),
        nouns: Vec::new(),
    };
    Some((unit, rest))
}

/// An expression with the unit after it.
fn quantity_after(tokens: &[Token]) -> Option<Quantity> {
    let mut parser = Parser::new(tokens);
    let mut value = parser.sum()?;
    let mut rest = &tokens[parser.at..];
    let mut unit = Unit::none();
    // The degree sign is part of the expression, so that it has a value in sines; here it belongs to a unit.
    if let Expression::Call(Function::Degrees, inner) = &value
        && let [letter, ..] = rest
        && let Some(name @ ("c" | "f" | "celsius" | "fahrenheit")) = letter.word().as_deref()
    {
        let name = if name.starts_with('c') {
            "celsius"
        } else {
            "fahrenheit"
        };
        unit.dimensions.insert(name, 1);
        value = inner.as_ref().clone();
        rest = &rest[1..];
    }
    if !rest.is_empty() {
        let found = unit_of(rest)?;
        unit.scale *= found.scale;
        unit.dimensions.extend(found.dimensions);
        unit.nouns = found.nouns;
    }
    Some(Quantity { value, unit })
}

/// Amounts of the same dimension with several units, such as `2 hours 30 minutes`, in the basic unit.
fn mixed_units(tokens: &[Token]) -> Option<Quantity> {
    let mut starts: Vec<usize> = (0..tokens.len())
        .filter(|&i| matches!(tokens[i].kind, Kind::Number(..)))
        .collect();
    if starts.first() != Some(&0) || !(2..=4).contains(&starts.len()) {
        return None;
    }
    starts.push(tokens.len());
    let (mut terms, mut dimensions) = (Vec::new(), None);
    for range in starts.windows(2) {
        let mut part = &tokens[range[0]..range[1]];
        while let [rest @ .., last] = part
            && (last.is_sign(',') || last.word().is_some_and(|word| word == "and"))
        {
            part = rest;
        }
        let found = quantity_after(part)?;
        let is_known = !found.unit.dimensions.is_empty() && found.unit.nouns.is_empty();
        if !is_known
            || dimensions.get_or_insert(found.unit.dimensions.clone()) != &found.unit.dimensions
        {
            return None;
        }
        terms.push(Expression::Product(vec![
            Expression::Number(found.unit.scale),
            found.value,
        ]));
    }
    Some(Quantity {
        value: Expression::Sum(terms),
        unit: Unit {
            scale: BigRational::one(),
            dimensions: dimensions?,
            nouns: Vec::new(),
        },
    })
}

/// The unit that all the tokens make up.
fn unit_of(tokens: &[Token]) -> Option<Unit> {
    let mut found = Unit::none();
    let mut sign = 1;
    let mut factor = 1;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match &token.kind {
            Kind::Sign('/') => sign = -1,
            Kind::Sign('*') | Kind::Sign('.') => {}
            Kind::Sign('%') => add(&mut found, "%", 1)?,
            Kind::Sign(c @ ('$' | '€' | '£' | '¥' | '₹' | '¢')) => {
                add(&mut found, &c.to_string(), sign)?
            }
            Kind::Sign('{' | '}' | '\'') => {}
            Kind::Sign('(' | ')') if token.is_text || tokens.len() <= 3 => {}
            Kind::Command(name) if name == "mu" || name == "Omega" => {
                found.nouns.push(name.clone())
            }
            Kind::Command(name) if name == "degree" || name == "circ" => {}
            Kind::Word(_) => {
                let word = token.word()?;
                match word.as_str() {
                    // At the end it is the inch, elsewhere the preposition.
                    "in" if tokens.len() == 1 => add(&mut found, "inch", 1)?,
                    "per" => sign = -1,
                    "square" | "sq" => factor = 2,
                    "cubic" | "cu" => factor = 3,
                    "squared" | "cubed" => {
                        let (dimension, power) = found.dimensions.pop_last()?;
                        let by = if word == "squared" { 2 } else { 3 };
                        let scale = found.scale.clone();
                        found.scale = num_traits::pow(scale, by);
                        found.dimensions.insert(dimension, power * by as i32);
                    }
                    "not" | "or" | "nor" | "isn" | "wrong" | "incorrect" | "false" => return None,
                    "of" | "in" | "the" | "a" | "an" | "each" | "total" | "and" | "for" | "to"
                    | "on" | "is" | "more" | "left" | "there" | "are" | "units" | "unit" => {}
                    _ => {
                        let (power, length) = unit_power(&tokens[at..]);
                        at += length;
                        if add(&mut found, &word, sign * factor * power).is_none() {
                            if sign < 0 {
                                found.nouns.push("per".to_owned());
                            }
                            found.nouns.push(singular(&word));
                        }
                        (sign, factor) = (1, 1);
                    }
                }
            }
            _ => return None,
        }
        if found.nouns.len() > MAX_NOUNS || found.dimensions.len() > MAX_NOUNS {
            return None;
        }
    }
    let is_temperature = ["celsius", "fahrenheit"]
        .iter()
        .any(|name| found.dimensions.contains_key(name));
    if is_temperature {
        // `20 degrees Celsius`
        found.dimensions.remove("degrees");
    }
    Some(found)
}

/// The unit of a single letter, such as `m`.
pub(crate) fn letter_unit(letter: &str) -> Option<Unit> {
    let mut found = Unit::none();
    add(&mut found, letter, 1)?;
    (letter.chars().count() == 1).then_some(found)
}

/// Multiplies a unit by a power of a known one.
fn add(found: &mut Unit, name: &str, power: i32) -> Option<()> {
    let speed = match name {
        "mph" => Some("mile"),
        "kph" | "kmph" => Some("km"),
        _ => None,
    };
    if let Some(length) = speed {
        add(found, length, power)?;
        return add(found, "hour", -power);
    }
    let known = unit(name)?;
    if known.dimension == PERCENT && power != 1 {
        return None;
    }
    if power.unsigned_abs() > 9 {
        return None;
    }
    let size = num_traits::pow(known.scale, power.unsigned_abs() as usize);
    found.scale *= if power < 0 { size.recip() } else { size };
    *found.dimensions.entry(known.dimension).or_insert(0) += known.power * power;
    found.dimensions.retain(|_, power| *power != 0);
    Some(())
}

/// The power after the name of a unit, and the number of its tokens.
fn unit_power(tokens: &[Token]) -> (i32, usize) {
    let [hat, rest @ ..] = tokens else {
        return (1, 0);
    };
    if !hat.is_sign('^') {
        return (1, 0);
    }
    let value = |tokens: &[Token]| match whole_expression(tokens) {
        Some(Expression::Number(value)) => i32::try_from(value.numer()).ok(),
        Some(Expression::Negative(inner)) => match *inner {
            Expression::Number(value) => i32::try_from(value.numer()).ok().map(|n| -n),
            _ => None,
        },
        _ => None,
    };
    let close = rest.iter().position(|token| token.is_sign('}'));
    match (rest.first(), close) {
        (Some(open), Some(close)) if open.is_sign('{') => {
            (value(&rest[1..close]).unwrap_or(1), close + 2)
        }
        (Some(minus), _) if minus.is_sign('-') && rest.len() > 1 => {
            (value(&rest[..2]).unwrap_or(1), 3)
        }
        (Some(_), _) => (value(&rest[..1]).unwrap_or(1), 2),
        (None, _) => (1, 1),
    }
}

/// The word without the end of a plural.
fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word.to_owned(),
    }
}
