//! Expressions from tokens. In: tokens. Out: an expression, and what stands after it.

mod calls;
mod names;
mod numbers;
mod parser;

use super::token::Token;
use crate::answers::expression::Expression;
pub(super) use parser::Parser;

/// The expression that all the tokens make up.
pub(super) fn whole_expression(tokens: &[Token]) -> Option<Expression> {
    let mut parser = Parser::new(tokens);
    let found = parser.sum()?;
    (parser.at == tokens.len()).then_some(found)
}
