//! The parser of expressions. In: tokens and a position. Out: sums, products and powers.
//!
//! A recursive descent of bounded depth. It stops at the first token that cannot continue the expression, such as a
//! unit, and leaves the rest to its caller.

use crate::answers::expression::{Expression, Function};
use crate::answers::limits::MAX_DEPTH;
use crate::answers::read::token::{Kind, Token};

/// A position in the tokens of an expression.
pub(crate) struct Parser<'a> {
    pub(super) tokens: &'a [Token],
    pub(crate) at: usize,
    depth: usize,
    /// Open `|…|`.
    bars: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(tokens: &'a [Token]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
            bars: 0,
        }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn eats(&mut self, sign: char) -> bool {
        let found = self.peek().is_some_and(|token| token.is_sign(sign));
        self.at += usize::from(found);
        found
    }

    /// Terms with `+`, `-` and `±` between them.
    pub(crate) fn sum(&mut self) -> Option<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut terms = vec![self.signed()?];
        while let Some(token) = self.peek() {
            let is_sign = token.is_sign('+')
                || token.is_sign('-')
                || token.is_command("pm")
                || token.is_command("mp");
            if !is_sign {
                break;
            }
            let start = self.at;
            match self.signed() {
                Some(term) => terms.push(term),
                None => {
                    self.at = start;
                    break;
                }
            }
        }
        self.depth -= 1;
        Some(match terms.len() {
            1 => terms.remove(0),
            _ => Expression::Sum(terms),
        })
    }

    /// A term with the signs before it.
    pub(super) fn signed(&mut self) -> Option<Expression> {
        let is_minus = |token: &Token| {
            token
                .word()
                .is_some_and(|word| matches!(word.as_str(), "minus" | "negative"))
        };
        if self.peek().is_some_and(is_minus) {
            self.at += 1;
            return Some(Expression::Negative(Box::new(self.product()?)));
        }
        let mut signs: Vec<&Token> = Vec::new();
        while let Some(token) = self.peek() {
            let is_sign = token.is_sign('+')
                || token.is_sign('-')
                || token.is_command("pm")
                || token.is_command("mp");
            if !is_sign || signs.len() > 4 {
                break;
            }
            signs.push(token);
            self.at += 1;
            // `+-` stands for `±` at the start of a term.
            if token.is_sign('+')
                && self
                    .tokens
                    .get(self.at)
                    .is_some_and(|next| next.is_sign('/'))
            {
                self.at += 1;
                if self.eats('-') {
                    let term = self.product()?;
                    return Some(Expression::PlusMinus(Box::new(term), false));
                }
                return None;
            }
        }
        let mut term = self.product()?;
        for sign in signs.into_iter().rev() {
            term = match &sign.kind {
                Kind::Sign('-') => Expression::Negative(Box::new(term)),
                Kind::Command(name) if name == "pm" => Expression::PlusMinus(Box::new(term), false),
                Kind::Command(_) => Expression::PlusMinus(Box::new(term), true),
                _ => term,
            };
        }
        Some(term)
    }

    pub(super) fn product(&mut self) -> Option<Expression> {
        let mut found = self.power(None)?;
        loop {
            let start = self.at;
            let divides = self.peek().is_some_and(|token| token.is_sign('/'));
            let multiplies = self.peek().is_some_and(|token| token.is_sign('*'));
            let next = if divides || multiplies {
                self.at += 1;
                let negative = self.eats('-');
                match self.power(None) {
                    Some(next) if negative => Some(Expression::Negative(Box::new(next))),
                    next => next,
                }
            } else {
                self.power(Some(&found))
            };
            let Some(next) = next else {
                self.at = start;
                return Some(found);
            };
            found = match (divides, found) {
                (true, found) => Expression::Quotient(Box::new(found), Box::new(next)),
                (false, Expression::Product(mut parts)) => {
                    parts.push(next);
                    Expression::Product(parts)
                }
                (false, found) => Expression::Product(vec![found, next]),
            };
        }
    }

    /// A factor with its power. `before` is the factor that it is written after without a sign.
    pub(super) fn power(&mut self, before: Option<&Expression>) -> Option<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let base = self.factor(before);
        let found = base.and_then(|base| self.powers_of(base));
        self.depth -= 1;
        found
    }

    pub(super) fn powers_of(&mut self, mut base: Expression) -> Option<Expression> {
        loop {
            if self.peek().is_some_and(|token| token.is_sign('!')) {
                self.at += 1;
                base = Expression::Call(Function::Factorial, Box::new(base));
                continue;
            }
            if self.eats_degree() {
                base = Expression::Call(Function::Degrees, Box::new(base));
                continue;
            }
            if !self.eats('^') {
                return Some(base);
            }
            let exponent = self.argument()?;
            base = Expression::Power(Box::new(base), Box::new(exponent));
        }
    }

    pub(super) fn eats_degree(&mut self) -> bool {
        let rest = &self.tokens[self.at..];
        let is_circle = |token: &Token| token.is_command("circ") || token.is_command("degree");
        let length = match rest {
            [sign, circle, ..] if sign.is_sign('^') && is_circle(circle) => 2,
            [sign, open, circle, close, ..]
                if sign.is_sign('^')
                    && open.is_sign('{')
                    && is_circle(circle)
                    && close.is_sign('}') =>
            {
                4
            }
            [circle, ..] if circle.is_command("degree") => 1,
            _ => return false,
        };
        self.at += length;
        true
    }

    /// What stands in braces, or one token: the argument of `^`, `_`, `\frac` and the like.
    pub(super) fn argument(&mut self) -> Option<Expression> {
        if self.eats('{') {
            return self.closed('}');
        }
        if self.eats('-') {
            return Some(Expression::Negative(Box::new(self.factor(None)?)));
        }
        self.factor(None)
    }

    /// A sum and its closing bracket.
    pub(super) fn closed(&mut self, close: char) -> Option<Expression> {
        let found = self.sum()?;
        self.eats(close).then_some(found)
    }

    pub(super) fn factor(&mut self, before: Option<&Expression>) -> Option<Expression> {
        let token = self.peek()?;
        let start = self.at;
        let found = match &token.kind {
            Kind::Number(value, digits) => {
                // `5 6` is no product.
                if matches!(before, Some(Expression::Number(_))) {
                    return None;
                }
                self.at += 1;
                Some(self.mixed(value.clone(), digits.is_some()))
            }
            Kind::Word(word) => self.word(word, token, before),
            Kind::Sign('(') => {
                self.at += 1;
                self.closed(')')
            }
            Kind::Sign('[') => {
                self.at += 1;
                self.closed(']')
            }
            Kind::Sign('{') => {
                self.at += 1;
                self.closed_choice()
            }
            Kind::Sign('|') if before.is_none() || self.bars == 0 => {
                self.at += 1;
                self.bars += 1;
                let inner = self.closed('|');
                self.bars -= 1;
                inner.map(|inner| Expression::Call(Function::Abs, Box::new(inner)))
            }
            Kind::Command(name) => self.command(name),
            _ => None,
        };
        if found.is_none() {
            self.at = start;
        }
        found
    }

    /// A group in braces, which may be `{n \choose k}` or `{a \over b}`.
    pub(super) fn closed_choice(&mut self) -> Option<Expression> {
        let found = self.sum()?;
        let is_over = self.peek().is_some_and(|token| token.is_command("over"));
        if is_over || self.peek().is_some_and(|token| token.is_command("choose")) {
            self.at += 1;
            let (found, below) = (Box::new(found), Box::new(self.closed('}')?));
            return Some(match is_over {
                true => Expression::Quotient(found, below),
                false => Expression::Binomial(found, below),
            });
        }
        self.eats('}').then_some(found)
    }
}
