//! Names in expressions. In: words and commands. Out: functions, constants, letters and products of letters.

use super::parser::Parser;
use crate::answers::expression::{Constant, Expression, Function};
use crate::answers::read::token::{Kind, Token};
use crate::answers::read::unit_words::unit;

/// Functions by name; a longer name comes before one that it begins with.
pub(super) const FUNCTIONS: [(&str, Function); 24] = [
    ("arcsin", Function::Arcsin),
    ("arccos", Function::Arccos),
    ("arctan", Function::Arctan),
    ("asin", Function::Arcsin),
    ("acos", Function::Arccos),
    ("atan", Function::Arctan),
    ("sinh", Function::Sinh),
    ("cosh", Function::Cosh),
    ("tanh", Function::Tanh),
    ("sin", Function::Sin),
    ("cos", Function::Cos),
    ("tan", Function::Tan),
    ("cot", Function::Cot),
    ("sec", Function::Sec),
    ("csc", Function::Csc),
    ("exp", Function::Exp),
    ("ln", Function::Ln),
    ("log", Function::Log),
    ("lg", Function::Log),
    ("abs", Function::Abs),
    ("floor", Function::Floor),
    ("ceil", Function::Ceiling),
    ("tg", Function::Tan),
    ("ctg", Function::Cot),
];

const GREEK: [&str; 24] = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Delta",
];

impl Parser<'_> {
    pub(super) fn command(&mut self, name: &str) -> Option<Expression> {
        self.at += 1;
        match name {
            "frac" => {
                let top = self.argument()?;
                let bottom = self.argument()?;
                Some(Expression::Quotient(Box::new(top), Box::new(bottom)))
            }
            "sqrt" => {
                let mut degree = 2;
                if self.eats('[') {
                    let Some(Kind::Number(value, Some(_))) = self.peek().map(|token| &token.kind)
                    else {
                        return None;
                    };
                    degree = u32::try_from(value.numer()).ok().filter(|n| *n > 0)?;
                    self.at += 1;
                    if !self.eats(']') {
                        return None;
                    }
                }
                Some(Expression::Root(Box::new(self.argument()?), degree))
            }
            "cbrt" => Some(Expression::Root(Box::new(self.argument()?), 3)),
            "binom" => {
                let (n, k) = (self.argument()?, self.argument()?);
                Some(Expression::Binomial(Box::new(n), Box::new(k)))
            }
            "pi" => Some(Expression::Constant(Constant::Pi)),
            "infty" => Some(Expression::Constant(Constant::Infinity)),
            "imath" => Some(Expression::Constant(Constant::I)),
            "lfloor" => self.rounded("rfloor", Function::Floor),
            "lceil" => self.rounded("rceil", Function::Ceiling),
            "overline" | "bar" | "hat" | "vec" | "tilde" => {
                let inner = self.argument()?;
                match inner {
                    Expression::Variable(letter) => {
                        Some(Expression::Variable(format!("{name} {letter}")))
                    }
                    _ => None,
                }
            }
            _ => {
                if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
                    return self.call(*function);
                }
                let is_greek =
                    GREEK.contains(&name) || matches!(name, "Omega" | "Phi" | "Gamma" | "ell");
                is_greek.then(|| self.variable(name.to_owned()))
            }
        }
    }

    pub(super) fn rounded(&mut self, close: &str, function: Function) -> Option<Expression> {
        let inner = self.sum()?;
        if !self.peek().is_some_and(|token| token.is_command(close)) {
            return None;
        }
        self.at += 1;
        Some(Expression::Call(function, Box::new(inner)))
    }

    /// A letter with its subscript and its primes.
    pub(super) fn variable(&mut self, mut name: String) -> Expression {
        let start = self.at;
        if self.eats('_') {
            let is_group = self.eats('{');
            let mut subscript = String::new();
            while let Some(token) = self.peek() {
                match &token.kind {
                    Kind::Number(value, _) => subscript.push_str(&value.to_string()),
                    Kind::Word(word) => subscript.push_str(word),
                    Kind::Sign(c @ (',' | '+' | '-')) if is_group => subscript.push(*c),
                    _ => break,
                }
                self.at += 1;
                if !is_group {
                    break;
                }
            }
            match subscript.is_empty() || (is_group && !self.eats('}')) {
                true => self.at = start,
                false => name = format!("{name}_{subscript}"),
            }
        }
        while self.eats('\'') {
            name.push('\'');
        }
        Expression::Variable(name)
    }

    pub(super) fn word(
        &mut self,
        word: &str,
        token: &Token,
        before: Option<&Expression>,
    ) -> Option<Expression> {
        let lower = word.to_lowercase();
        if let Some(found) = self.number_words(&lower) {
            return before.is_none().then_some(found);
        }
        let is_after_number = matches!(before, Some(Expression::Number(_)));
        let is_last = self.at + 1 == self.tokens.len();
        match lower.as_str() {
            "pi" => {
                self.at += 1;
                return Some(Expression::Constant(Constant::Pi));
            }
            "infinity" | "inf" | "infty" | "oo" if !token.is_text || before.is_none() => {
                self.at += 1;
                return Some(Expression::Constant(Constant::Infinity));
            }
            "sqrt" | "cbrt" => {
                self.at += 1;
                let degree = if lower == "sqrt" { 2 } else { 3 };
                return Some(Expression::Root(Box::new(self.argument()?), degree));
            }
            _ => {}
        }
        if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == lower) {
            self.at += 1;
            return self.call(*function);
        }
        let n_letters = word.chars().count();
        // `20° C` is a temperature.
        let is_after_degrees = matches!(before, Some(Expression::Call(Function::Degrees, _)));
        if is_after_degrees && matches!(word, "C" | "F") {
            return None;
        }
        if n_letters == 1 {
            let is_unit = unit(word).is_some();
            if is_unit && before.is_some() && (token.is_text || (is_after_number && token.spaced)) {
                return None;
            }
            // `5 A` may be anything, but an article is none of it.
            let is_noun = token.is_text && before.is_some() && !is_last;
            if is_noun {
                return None;
            }
            self.at += 1;
            return Some(match word {
                "e" => Expression::Constant(Constant::E),
                "i" => Expression::Constant(Constant::I),
                _ => self.variable(word.to_owned()),
            });
        }
        if token.is_text || unit(&lower).is_some() || is_connective(&lower) {
            return None;
        }
        if GREEK.contains(&lower.as_str()) {
            self.at += 1;
            return Some(self.variable(lower));
        }
        if before.is_some() && token.spaced && n_letters > 2 {
            return None;
        }
        let is_alone = self
            .tokens
            .iter()
            .all(|token| matches!(token.kind, Kind::Word(_)));
        if is_alone || !word.is_ascii() {
            return None;
        }
        self.letters(word)
    }

    /// A word as a product of letters, functions and constants, such as `2xcos(x)`.
    pub(super) fn letters(&mut self, word: &str) -> Option<Expression> {
        let mut parts = Vec::new();
        let mut rest = word;
        while !rest.is_empty() {
            if let Some((_, function)) = FUNCTIONS
                .iter()
                .find(|(name, _)| name.len() > 2 && rest == *name)
                .copied()
            {
                self.at += 1;
                parts.push(self.call(function)?);
                return Some(Expression::Product(parts));
            }
            let length = if rest.starts_with("pi") { 2 } else { 1 };
            parts.push(match &rest[..length] {
                "pi" => Expression::Constant(Constant::Pi),
                "e" => Expression::Constant(Constant::E),
                "i" => Expression::Constant(Constant::I),
                letter => Expression::Variable(letter.to_owned()),
            });
            rest = &rest[length..];
            if parts.len() > 4 {
                return None;
            }
        }
        self.at += 1;
        // A subscript or a power belongs to the last letter.
        if let Some(Expression::Variable(name)) =
            parts.pop_if(|part| matches!(part, Expression::Variable(_)))
        {
            let last = self.variable(name);
            parts.push(last);
        }
        if self.peek().is_some_and(|token| token.is_sign('^'))
            && let Some(last) = parts.pop()
        {
            let last = self.powers_of(last)?;
            parts.push(last);
        }
        Some(Expression::Product(parts))
    }
}

/// Words between answers or before a unit, which are no letters of a product.
fn is_connective(word: &str) -> bool {
    matches!(
        word,
        "or" | "and"
            | "per"
            | "of"
            | "in"
            | "to"
            | "am"
            | "pm"
            | "is"
            | "not"
            | "for"
            | "yes"
            | "no"
            | "if"
            | "on"
            | "at"
            | "by"
            | "as"
            | "us"
            | "the"
            | "all"
            | "st"
            | "nd"
            | "rd"
            | "th"
    )
}
