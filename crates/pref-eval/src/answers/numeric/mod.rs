//! Numbers of answers. In: rationals and functions. Out: exact values, or enclosures of about 180 digits.

mod ball;
mod complex;
mod real;

pub(crate) use ball::Ball;
pub(crate) use complex::Complex;
pub(crate) use real::Real;
