//! Functions in expressions. In: tokens after the name of a function. Out: the function of its argument.

use num_rational::BigRational;

use super::names::FUNCTIONS;
use super::parser::Parser;
use crate::answers::expression::{Expression, Function};
use crate::answers::read::token::Kind;

impl Parser<'_> {
    /// A function with its power, base and argument.
    pub(super) fn call(&mut self, function: Function) -> Option<Expression> {
        let mut function = function;
        let mut power = None;
        let mut base = None;
        for _ in 0..2 {
            if self.eats('^') {
                power = Some(self.argument()?);
            } else if matches!(function, Function::Log | Function::Ln) && self.eats('_') {
                base = Some(self.argument()?);
            }
        }
        if power
            == Some(Expression::Negative(Box::new(Expression::Number(
                BigRational::from_integer(1.into()),
            ))))
        {
            let inverse = match function {
                Function::Sin => Some(Function::Arcsin),
                Function::Cos => Some(Function::Arccos),
                Function::Tan => Some(Function::Arctan),
                _ => None,
            };
            if let Some(inverse) = inverse {
                (function, power) = (inverse, None);
            }
        }
        let inner = self.call_argument()?;
        let found = match base {
            Some(base) => Expression::Log(Box::new(base), Box::new(inner)),
            None => Expression::Call(function, Box::new(inner)),
        };
        Some(match power {
            Some(power) => Expression::Power(Box::new(found), Box::new(power)),
            None => found,
        })
    }

    /// The argument of a function: a group, or the factors up to the next sign or function.
    pub(super) fn call_argument(&mut self) -> Option<Expression> {
        let token = self.peek()?;
        if matches!(token.kind, Kind::Sign('(' | '{' | '[' | '|')) {
            return self.factor(None);
        }
        let negative = self.eats('-');
        let mut parts = vec![self.power(None)?];
        while let Some(token) = self.peek() {
            let is_function = match &token.kind {
                Kind::Command(name) => FUNCTIONS.iter().any(|(known, _)| known == name),
                Kind::Word(word) => FUNCTIONS.iter().any(|(known, _)| known == word),
                Kind::Sign('(' | '[') => true,
                _ => false,
            };
            // `\log 2/3` is left as a quotient of the logarithm.
            if is_function {
                break;
            }
            match self.power(parts.last()) {
                Some(part) => parts.push(part),
                None => break,
            }
        }
        let product = match parts.len() {
            1 => parts.remove(0),
            _ => Expression::Product(parts),
        };
        Some(if negative {
            Expression::Negative(Box::new(product))
        } else {
            product
        })
    }
}
