//! Numbers in expressions. In: tokens. Out: mixed numbers and numbers in words.

use num_rational::BigRational;

use super::parser::Parser;
use crate::answers::expression::Expression;
use crate::answers::read::number::{denominator_word, scale_word, small_word};
use crate::answers::read::token::{Kind, Token};

impl Parser<'_> {
    /// A number, with the fraction of a mixed number and with words such as `million` after it.
    pub(super) fn mixed(&mut self, value: BigRational, whole: bool) -> Expression {
        if whole && let Some(fraction) = self.fraction_part() {
            return Expression::Number(value + fraction);
        }
        let mut value = value;
        while let Some(scale) = self
            .peek()
            .and_then(Token::word)
            .and_then(|word| scale_word(&word))
        {
            value *= BigRational::from_integer(scale.into());
            self.at += 1;
        }
        Expression::Number(value)
    }

    /// The fraction of a mixed number: `1/2` after a space, or `\frac{1}{2}`.
    pub(super) fn fraction_part(&mut self) -> Option<BigRational> {
        let rest = &self.tokens[self.at..];
        let plain = |token: &Token| match &token.kind {
            Kind::Number(value, Some(_)) => Some(value.clone()),
            _ => None,
        };
        let (top, bottom, length) = match rest {
            [top, slash, bottom, ..] if top.spaced && slash.is_sign('/') => {
                (plain(top)?, plain(bottom)?, 3)
            }
            [frac, a, b, c, d, e, f, ..]
                if frac.is_command("frac")
                    && a.is_sign('{')
                    && c.is_sign('}')
                    && d.is_sign('{')
                    && f.is_sign('}') =>
            {
                (plain(b)?, plain(e)?, 7)
            }
            [frac, top, bottom, ..] if frac.is_command("frac") => (plain(top)?, plain(bottom)?, 3),
            _ => return None,
        };
        let zero = BigRational::from_integer(0.into());
        if top >= bottom || bottom == zero {
            return None;
        }
        self.at += length;
        Some(top / bottom)
    }

    /// Numbers in words, such as `twenty-one`, `three hundred` or `two thirds`.
    pub(super) fn number_words(&mut self, first: &str) -> Option<Expression> {
        small_word(first).or_else(|| denominator_word(first).filter(|n| *n == 2))?;
        let (mut total, mut current) = (0_i64, 0_i64);
        let start = self.at;
        while let Some(token) = self.peek() {
            let is_joint = self.at > start
                && (token.is_sign('-') || token.word().is_some_and(|word| word == "and"));
            let next = match is_joint {
                true => self.tokens.get(self.at + 1),
                false => Some(token),
            };
            let Some(word) = next.and_then(Token::word) else {
                break;
            };
            if let Some(value) = small_word(&word) {
                // `one two` is no number; `twenty one` and `hundred one` are.
                let fits = current % 100 == 0 || (current % 10 == 0 && value < 10);
                if !fits {
                    break;
                }
                current = current.checked_add(value)?;
            } else if let Some(scale) = scale_word(&word) {
                current = current.max(1).checked_mul(scale)?;
                if scale > 100 {
                    total = total.checked_add(current)?;
                    current = 0;
                }
            } else if let Some(bottom) = denominator_word(&word) {
                self.at += 1 + usize::from(is_joint);
                let top = total.checked_add(current)?.max(1);
                let top = BigRational::from_integer(top.into());
                let bottom = BigRational::from_integer(bottom.into());
                return Some(Expression::Number(top / bottom));
            } else {
                break;
            }
            self.at += 1 + usize::from(is_joint);
        }
        let total = total.checked_add(current)?;
        Some(Expression::Number(BigRational::from_integer(total.into())))
    }
}
