//! Real numbers, exact as long as they are rational. In: rationals. Out: results of arithmetic.

use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::ball::Ball;
use crate::answers::limits::{MAX_BITS, NoValue};

/// A rational number, or an enclosure of a number.
#[derive(Clone, Debug)]
pub(crate) enum Real {
    Exact(BigRational),
    Near(Ball),
}

impl Real {
    pub(crate) fn zero() -> Self {
        Self::Exact(BigRational::zero())
    }

    pub(crate) fn one() -> Self {
        Self::Exact(BigRational::one())
    }

    pub(crate) fn whole(n: i64) -> Self {
        Self::Exact(BigRational::from_integer(n.into()))
    }

    pub(crate) fn ball(&self) -> Ball {
        match self {
            Real::Exact(number) => Ball::exact(number),
            Real::Near(ball) => ball.clone(),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Real::Exact(number) if number.is_zero())
    }

    /// Negative, zero or positive. An enclosure that is closer to zero than its precision counts as zero: the
    /// expressions that are compared are far too short for a difference that small.
    pub(crate) fn sign(&self) -> Result<Sign, NoValue> {
        match self {
            Real::Exact(number) => Ok(number.numer().sign()),
            Real::Near(ball) => match ball.sign() {
                Some(sign) => Ok(sign),
                None if ball.is_tiny() => Ok(Sign::NoSign),
                None => Err(NoValue::Undecided),
            },
        }
    }

    pub(crate) fn neg(&self) -> Self {
        match self {
            Real::Exact(number) => Real::Exact(-number),
            Real::Near(ball) => Real::Near(ball.neg()),
        }
    }

    pub(crate) fn add(&self, other: &Self) -> Result<Self, NoValue> {
        match (self, other) {
            (Real::Exact(a), Real::Exact(b)) => checked(a + b),
            _ if self.is_zero() => Ok(other.clone()),
            _ if other.is_zero() => Ok(self.clone()),
            _ => Ok(Real::Near(self.ball().add(&other.ball()))),
        }
    }

    pub(crate) fn sub(&self, other: &Self) -> Result<Self, NoValue> {
        self.add(&other.neg())
    }

    pub(crate) fn mul(&self, other: &Self) -> Result<Self, NoValue> {
        match (self, other) {
            (Real::Exact(a), Real::Exact(b)) => checked(a * b),
            _ if self.is_zero() || other.is_zero() => Ok(Self::zero()),
            _ => Ok(Real::Near(self.ball().mul(&other.ball())?)),
        }
    }

    pub(crate) fn recip(&self) -> Result<Self, NoValue> {
        match self {
            Real::Exact(number) if number.is_zero() => Err(NoValue::Undefined),
            Real::Exact(number) => Ok(Real::Exact(number.recip())),
            Real::Near(ball) if ball.is_tiny() => Err(NoValue::Undefined),
            Real::Near(ball) => Ok(Real::Near(ball.recip()?)),
        }
    }

    /// The root of a number that is not negative; exact if it is rational.
    pub(crate) fn root(&self, degree: u32) -> Result<Self, NoValue> {
        if degree == 0 {
            return Err(NoValue::Undefined);
        }
        if degree > 64 {
            return Err(NoValue::TooLarge);
        }
        if let Real::Exact(number) = self {
            if let (Some(top), Some(bottom)) = (
                whole_root(number.numer(), degree),
                whole_root(number.denom(), degree),
            ) {
                return Ok(Real::Exact(BigRational::new_raw(top, bottom)));
            }
        } else if self.sign()? == Sign::NoSign {
            return Ok(Self::zero());
        }
        Ok(Real::Near(self.ball().root(degree)?))
    }

    /// The number to a whole power, exact if it is rational.
    pub(crate) fn power(&self, exponent: i64) -> Result<Self, NoValue> {
        if exponent < 0 {
            return self
                .recip()?
                .power(exponent.checked_neg().ok_or(NoValue::TooLarge)?);
        }
        let bits = match self {
            Real::Exact(number) => number.numer().bits().max(number.denom().bits()) - 1,
            Real::Near(ball) => ball.magnitude(),
        };
        if bits.saturating_mul(exponent.unsigned_abs()) > MAX_BITS {
            return Err(NoValue::TooLarge);
        }
        if exponent > 100_000 {
            return match self {
                Real::Exact(number) if bits == 0 => {
                    let is_even = exponent % 2 == 0;
                    let sign = if is_even {
                        number.abs()
                    } else {
                        number.clone()
                    };
                    Ok(Real::Exact(sign))
                }
                _ => Err(NoValue::TooLarge),
            };
        }
        let (mut result, mut base, mut rest) = (Self::one(), self.clone(), exponent);
        while rest > 0 {
            if rest % 2 == 1 {
                result = result.mul(&base)?;
            }
            rest /= 2;
            if rest > 0 {
                base = base.mul(&base)?;
            }
        }
        Ok(result)
    }

    /// The number as an integer, if it is one and is small.
    pub(crate) fn to_integer(&self) -> Option<i64> {
        match self {
            Real::Exact(number) if number.is_integer() => number.to_integer().to_i64(),
            _ => None,
        }
    }
}

fn checked(number: BigRational) -> Result<Real, NoValue> {
    if number.numer().bits() > MAX_BITS || number.denom().bits() > MAX_BITS {
        return Err(NoValue::TooLarge);
    }
    Ok(Real::Exact(number))
}

/// The root of an integer that is not negative, if it is an integer.
fn whole_root(number: &BigInt, degree: u32) -> Option<BigInt> {
    if number.is_negative() {
        return None;
    }
    let root = number.nth_root(degree);
    (num_traits::pow(root.clone(), degree as usize) == *number).then_some(root)
}
