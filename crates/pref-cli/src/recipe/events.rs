//! What happens to a number of things. In: random numbers. Out: events, how a careful and a careless solver compute
//! each, and the words for it.
//!
//! Numbers stay small, so that a decoder with half a million weights learns the arithmetic. What is left to learn from
//! preferences is behaviour: a careless solver forgets half of what an event says.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The largest number of things that a problem has.
pub(super) const MOST: i64 = 20;

/// An event and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Finds { n: i64 },
    Loses { n: i64 },
    Gives { each: i64, friends: i64 },
    Buys { bags: i64, each: i64 },
    Drops { n: i64, again: i64 },
    Gets { n: i64, broken: i64 },
}

/// A calculation of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calculation {
    Sum(i64, i64),
    Difference(i64, i64),
    Product(i64, i64),
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Finds,
    Loses,
    Gives,
    Buys,
    Drops,
    Gets,
}

impl Kind {
    /// The kinds of which a careless solver forgets a half.
    pub(super) const TRAPS: [Self; 4] = [Self::Gives, Self::Buys, Self::Drops, Self::Gets];
    /// The others.
    pub(super) const PLAIN: [Self; 2] = [Self::Finds, Self::Loses];

    /// An event of this kind that can happen to `value` things; none if the drawn numbers do not fit.
    pub(super) fn draw(self, value: i64, rng: &mut ChaCha8Rng) -> Option<Event> {
        let (a, b) = (rng.random_range(1..=6), rng.random_range(1..=6));
        let is_product = (2..=4).contains(&a) && (2..=4).contains(&b) && a != b;
        let event = match self {
            Self::Finds => Event::Finds { n: a },
            Self::Loses => Event::Loses { n: a },
            Self::Gives if is_product => Event::Gives {
                each: a,
                friends: b,
            },
            Self::Buys if is_product => Event::Buys { bags: a, each: b },
            Self::Drops if b < a && a < value => Event::Drops { n: a, again: b },
            Self::Gets if b < a && a > 2 => Event::Gets { n: a, broken: b },
            _ => return None,
        };
        let after = result(&event.carefully(value));
        (1..=MOST).contains(&after).then_some(event)
    }
}

impl Event {
    /// The calculations of a careful solver.
    pub(super) fn carefully(self, value: i64) -> Vec<Calculation> {
        use Calculation::{Difference, Product, Sum};
        match self {
            Self::Finds { n } => vec![Sum(value, n)],
            Self::Loses { n } => vec![Difference(value, n)],
            Self::Gives { each, friends } => {
                vec![Product(each, friends), Difference(value, each * friends)]
            }
            Self::Buys { bags, each } => vec![Product(bags, each), Sum(value, bags * each)],
            Self::Drops { n, again } => vec![Difference(value, n), Sum(value - n, again)],
            Self::Gets { n, broken } => vec![Difference(n, broken), Sum(value, n - broken)],
        }
    }

    /// The calculation of a careless solver; none if there is nothing to forget, or if it leads out of the numbers that
    /// occur.
    pub(super) fn carelessly(self, value: i64) -> Option<Vec<Calculation>> {
        use Calculation::{Difference, Sum};
        let calculation = match self {
            Self::Finds { .. } | Self::Loses { .. } => return None,
            Self::Gives { each, .. } => Difference(value, each),
            Self::Buys { bags, .. } => Sum(value, bags),
            Self::Drops { n, .. } => Difference(value, n),
            Self::Gets { n, .. } => Sum(value, n),
        };
        (0..=MOST)
            .contains(&calculation.result())
            .then(|| vec![calculation])
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finds { n } => write!(f, "finds {n}"),
            Self::Loses { n } => write!(f, "loses {n}"),
            Self::Gives { each, friends } => write!(f, "gives {each} to each of {friends} friends"),
            Self::Buys { bags, each } => write!(f, "buys {bags} bags of {each}"),
            Self::Drops { n, again } => write!(f, "drops {n} but picks {again} up again"),
            Self::Gets { n, broken } => write!(f, "gets {n} of which {broken} are broken"),
        }
    }
}

impl Calculation {
    fn result(self) -> i64 {
        match self {
            Self::Sum(a, b) => a + b,
            Self::Difference(a, b) => a - b,
            Self::Product(a, b) => a * b,
        }
    }
}

impl fmt::Display for Calculation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, sign, b) = match self {
            Self::Sum(a, b) => (a, '+', b),
            Self::Difference(a, b) => (a, '-', b),
            Self::Product(a, b) => (a, '*', b),
        };
        write!(f, "{a} {sign} {b} = {}", self.result())
    }
}

/// The result of the last calculation.
pub(super) fn result(calculations: &[Calculation]) -> i64 {
    calculations.last().map_or(0, |last| last.result())
}
