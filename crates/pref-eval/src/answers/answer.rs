//! The structure of an answer. In: what the reader found. Out: the types that are compared.

use std::collections::BTreeMap;

use num_rational::BigRational;

use super::expression::Expression;

/// An answer as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Quantity(Quantity),
    /// A name for a value, such as `x = 5`.
    Named(String, Box<Answer>),
    List(List),
    /// A part of the real line, such as an interval or `x > 3`.
    Region(Vec<Part>),
    /// An equation or an inequality that names no value.
    Relation(Comparison, Expression, Expression),
    Matrix(Vec<Vec<Expression>>),
    /// `a : b : c`
    Ratio(Vec<Expression>),
    /// Digits in a base.
    Based(String, u32),
    /// Minutes since midnight, and whether `am` or `pm` was given.
    Time(u32, bool),
    /// Year if it was given, month, day.
    Date(Option<i32>, u32, u32),
    /// Words in lower case without articles.
    Text(String),
}

/// A number with its unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) value: Expression,
    pub(crate) unit: Unit,
}

/// The unit of a number; all fields are empty for a bare number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unit {
    /// How much of the basic units of its dimensions the unit is.
    pub(crate) scale: BigRational,
    /// The power of each dimension, such as length 2 for an area.
    pub(crate) dimensions: BTreeMap<&'static str, i32>,
    /// Words that are no known unit, such as `apples`.
    pub(crate) nouns: Vec<String>,
}

/// The dimension of a percentage.
pub(crate) const PERCENT: &str = "percent";

impl Unit {
    pub(crate) fn none() -> Self {
        Self {
            scale: BigRational::from_integer(1.into()),
            dimensions: BTreeMap::new(),
            nouns: Vec::new(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.dimensions.is_empty() && self.nouns.is_empty()
    }

    pub(crate) fn is_percent(&self) -> bool {
        self.dimensions.contains_key(PERCENT)
    }
}

/// Items with the brackets around them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List {
    pub(crate) brackets: Brackets,
    pub(crate) items: Vec<Answer>,
}

/// The brackets of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brackets {
    /// No brackets: the order is not known to matter.
    None,
    /// `(a, b)`: a tuple or an open interval.
    Round,
    /// `[a, b]`: a list or a closed interval.
    Square,
    /// `⟨a, b⟩`
    Angle,
    /// `{a, b}`: a set.
    Curly,
}

/// A part of the real line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Interval(Interval),
    Points(Vec<Expression>),
    /// All real numbers but these points.
    AllBut(Vec<Expression>),
}

/// The numbers between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: Expression,
    pub(crate) with_low: bool,
    pub(crate) high: Expression,
    pub(crate) with_high: bool,
}

/// The relation between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The relation with both sides exchanged.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Equal | Comparison::Unequal => self,
        }
    }
}
