//! Complex numbers. In: their real and imaginary parts. Out: results of arithmetic and of elementary functions.

use num_bigint::Sign;

use super::ball::Ball;
use super::real::Real;
use crate::answers::limits::NoValue;

/// A complex number; most answers are real, with an imaginary part of exactly zero.
#[derive(Clone, Debug)]
pub(crate) struct Complex {
    pub(crate) re: Real,
    pub(crate) im: Real,
}

impl Complex {
    pub(crate) fn real(re: Real) -> Self {
        Self {
            re,
            im: Real::zero(),
        }
    }

    pub(crate) fn whole(n: i64) -> Self {
        Self::real(Real::whole(n))
    }

    pub(crate) fn i() -> Self {
        Self {
            re: Real::zero(),
            im: Real::one(),
        }
    }

    pub(crate) fn is_real(&self) -> Result<bool, NoValue> {
        Ok(self.im.is_zero() || self.im.sign()? == Sign::NoSign)
    }

    pub(crate) fn is_zero(&self) -> Result<bool, NoValue> {
        Ok(self.re.sign()? == Sign::NoSign && self.im.sign()? == Sign::NoSign)
    }

    /// The integer that the number is, if it is a small one.
    pub(crate) fn to_integer(&self) -> Option<i64> {
        self.im.is_zero().then(|| self.re.to_integer())?
    }

    pub(crate) fn neg(&self) -> Self {
        Self {
            re: self.re.neg(),
            im: self.im.neg(),
        }
    }

    pub(crate) fn add(&self, other: &Self) -> Result<Self, NoValue> {
        Ok(Self {
            re: self.re.add(&other.re)?,
            im: self.im.add(&other.im)?,
        })
    }

    pub(crate) fn sub(&self, other: &Self) -> Result<Self, NoValue> {
        self.add(&other.neg())
    }

    pub(crate) fn mul(&self, other: &Self) -> Result<Self, NoValue> {
        let re = self.re.mul(&other.re)?.sub(&self.im.mul(&other.im)?)?;
        let im = self.re.mul(&other.im)?.add(&self.im.mul(&other.re)?)?;
        Ok(Self { re, im })
    }

    pub(crate) fn recip(&self) -> Result<Self, NoValue> {
        if self.im.is_zero() {
            return Ok(Self::real(self.re.recip()?));
        }
        let scale = self.squared_norm()?.recip()?;
        Ok(Self {
            re: self.re.mul(&scale)?,
            im: self.im.neg().mul(&scale)?,
        })
    }

    fn squared_norm(&self) -> Result<Real, NoValue> {
        self.re.mul(&self.re)?.add(&self.im.mul(&self.im)?)
    }

    pub(crate) fn abs(&self) -> Result<Real, NoValue> {
        if self.im.is_zero() {
            let is_negative = self.re.sign()? == Sign::Minus;
            return Ok(if is_negative {
                self.re.neg()
            } else {
                self.re.clone()
            });
        }
        self.squared_norm()?.root(2)
    }

    /// The number to a whole power.
    pub(crate) fn power(&self, exponent: i64) -> Result<Self, NoValue> {
        if self.im.is_zero() {
            return Ok(Self::real(self.re.power(exponent)?));
        }
        if exponent < 0 {
            let exponent = exponent.checked_neg().ok_or(NoValue::TooLarge)?;
            return self.recip()?.power(exponent);
        }
        if exponent > 10_000 {
            return Err(NoValue::TooLarge);
        }
        let (mut result, mut base, mut rest) = (Self::whole(1), self.clone(), exponent);
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

    /// The principal square root.
    pub(crate) fn sqrt(&self) -> Result<Self, NoValue> {
        if self.is_real()? {
            return Ok(match self.re.sign()? {
                Sign::Minus => Self {
                    re: Real::zero(),
                    im: self.re.neg().root(2)?,
                },
                _ => Self::real(self.re.root(2)?),
            });
        }
        let norm = self.abs()?;
        let half = Real::Exact(num_rational::BigRational::new(1.into(), 2.into()));
        let re = norm.add(&self.re)?.mul(&half)?.root(2)?;
        let im = norm.sub(&self.re)?.mul(&half)?.root(2)?;
        let im = if self.im.sign()? == Sign::Minus {
            im.neg()
        } else {
            im
        };
        Ok(Self { re, im })
    }

    pub(crate) fn exp(&self) -> Result<Self, NoValue> {
        let size = match self.re.is_zero() {
            true => Real::one(),
            false => Real::Near(self.re.ball().exp()?),
        };
        if self.im.is_zero() {
            return Ok(Self::real(size));
        }
        let (sin, cos) = self.im.ball().sin_cos()?;
        Ok(Self {
            re: size.mul(&Real::Near(cos))?,
            im: size.mul(&Real::Near(sin))?,
        })
    }

    /// The principal natural logarithm.
    pub(crate) fn ln(&self) -> Result<Self, NoValue> {
        if self.is_zero()? {
            return Err(NoValue::Undefined);
        }
        if self.is_real()? {
            let is_one = self.re.to_integer() == Some(1);
            return Ok(match self.re.sign()? {
                Sign::Minus => Self {
                    re: Real::Near(self.re.neg().ball().ln()?),
                    im: Real::Near(Ball::pi()),
                },
                _ if is_one => Self::whole(0),
                _ => Self::real(Real::Near(self.re.ball().ln()?)),
            });
        }
        Ok(Self {
            re: Real::Near(self.abs()?.ball().ln()?),
            im: self.argument()?,
        })
    }

    fn argument(&self) -> Result<Real, NoValue> {
        // 2 arctan(y / (|z| + x)); the number is not real, so the divisor is positive.
        let divisor = self.abs()?.add(&self.re)?;
        let half = self.im.mul(&divisor.recip()?)?.ball().arctan()?;
        Real::Near(half).mul(&Real::whole(2))
    }
}
