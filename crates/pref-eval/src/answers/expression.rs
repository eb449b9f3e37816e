//! Expressions as trees. In: what the parser found. Out: the types, and the names of their variables.

use std::collections::BTreeSet;

use num_rational::BigRational;

/// A mathematical expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(BigRational),
    Constant(Constant),
    /// A letter with its subscript, such as `x` or `x_1`.
    Variable(String),
    Sum(Vec<Expression>),
    Product(Vec<Expression>),
    Negative(Box<Expression>),
    Quotient(Box<Expression>, Box<Expression>),
    Power(Box<Expression>, Box<Expression>),
    /// The root of a degree.
    Root(Box<Expression>, u32),
    Call(Function, Box<Expression>),
    /// A logarithm to a base.
    Log(Box<Expression>, Box<Expression>),
    Binomial(Box<Expression>, Box<Expression>),
    /// `±a`, or `∓a` if the flag is set.
    PlusMinus(Box<Expression>, bool),
}

/// Numbers with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Pi,
    E,
    I,
    Infinity,
}

/// Functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    Exp,
    Ln,
    /// A logarithm without a base: to base 10 or `e`, by the reading.
    Log,
    Abs,
    Floor,
    Ceiling,
    Factorial,
    /// The argument is a number of degrees.
    Degrees,
}

impl Expression {
    /// The parts of the expression, one level down.
    pub(crate) fn parts(&self) -> Vec<&Expression> {
        match self {
            Expression::Number(_) | Expression::Constant(_) | Expression::Variable(_) => Vec::new(),
            Expression::Sum(parts) | Expression::Product(parts) => parts.iter().collect(),
            Expression::Negative(a)
            | Expression::Root(a, _)
            | Expression::Call(_, a)
            | Expression::PlusMinus(a, _) => vec![a],
            Expression::Quotient(a, b)
            | Expression::Power(a, b)
            | Expression::Log(a, b)
            | Expression::Binomial(a, b) => vec![a, b],
        }
    }

    /// The names of the variables, in the order of the alphabet.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.each(&mut |part| {
            if let Expression::Variable(name) = part {
                names.insert(name.as_str());
            }
        });
        names
    }

    /// Whether the expression has a `±`.
    pub(crate) fn has_two_signs(&self) -> bool {
        let mut found = false;
        self.each(&mut |part| found |= matches!(part, Expression::PlusMinus(..)));
        found
    }

    /// The expression with the upper signs of `±` and `∓`, or with the lower ones.
    pub(crate) fn with_signs(&self, lower: bool) -> Expression {
        let with = |part: &Expression| Box::new(part.with_signs(lower));
        let all = |parts: &[Expression]| parts.iter().map(|part| part.with_signs(lower)).collect();
        match self {
            Expression::Number(_) | Expression::Constant(_) | Expression::Variable(_) => {
                self.clone()
            }
            Expression::Sum(parts) => Expression::Sum(all(parts)),
            Expression::Product(parts) => Expression::Product(all(parts)),
            Expression::Negative(a) => Expression::Negative(with(a)),
            Expression::Root(a, degree) => Expression::Root(with(a), *degree),
            Expression::Call(function, a) => Expression::Call(*function, with(a)),
            Expression::Quotient(a, b) => Expression::Quotient(with(a), with(b)),
            Expression::Power(a, b) => Expression::Power(with(a), with(b)),
            Expression::Log(a, b) => Expression::Log(with(a), with(b)),
            Expression::Binomial(a, b) => Expression::Binomial(with(a), with(b)),
            Expression::PlusMinus(a, reversed) => match lower != *reversed {
                true => Expression::Negative(with(a)),
                false => *with(a),
            },
        }
    }

    fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Expression)) {
        let mut open = vec![self];
        while let Some(part) = open.pop() {
            visit(part);
            open.extend(part.parts());
        }
    }
}
