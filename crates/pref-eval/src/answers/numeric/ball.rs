//! Real numbers with an error bound. In: exact numbers. Out: enclosures and their elementary functions.
//!
//! A ball is a centre and a radius, both multiples of `2^-PRECISION`. Every operation returns a ball that
//! contains the exact result for all numbers of its arguments.

use std::sync::OnceLock;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::answers::limits::{MAX_BITS, NoValue};

/// Binary digits after the point: about 180 decimal digits.
pub(crate) const PRECISION: u64 = 600;
/// Digits that series compute beyond `PRECISION`, so that their rounding errors stay below the last digit.
const GUARD: u64 = 40;

/// The numbers between `(mid - radius) / 2^PRECISION` and `(mid + radius) / 2^PRECISION`.
#[derive(Clone, Debug)]
pub(crate) struct Ball {
    mid: BigInt,
    radius: BigInt,
}

impl Ball {
    pub(crate) fn exact(number: &BigRational) -> Self {
        let mid = (number.numer() << PRECISION).div_floor(number.denom());
        Self {
            mid,
            radius: BigInt::one(),
        }
    }

    pub(crate) fn pi() -> Self {
        static PI: OnceLock<BigInt> = OnceLock::new();
        // Machin: π = 16 arctan(1/5) - 4 arctan(1/239).
        let mid = PI.get_or_init(|| {
            let sum = arctan_of_inverse(5) * 16 - arctan_of_inverse(239) * 4;
            sum >> GUARD
        });
        Self {
            mid: mid.clone(),
            radius: BigInt::from(2),
        }
    }

    fn checked(mid: BigInt, radius: BigInt) -> Result<Self, NoValue> {
        if mid.bits() > MAX_BITS || radius.bits() > MAX_BITS {
            return Err(NoValue::TooLarge);
        }
        Ok(Self { mid, radius })
    }

    /// The sign of every number of the ball, or none if the ball contains zero.
    pub(crate) fn sign(&self) -> Option<Sign> {
        (self.mid.abs() > self.radius).then(|| self.mid.sign())
    }

    /// Whether all numbers of the ball are closer to zero than `2^-400`.
    pub(crate) fn is_tiny(&self) -> bool {
        (self.mid.abs() + &self.radius).bits() <= PRECISION - 400
    }

    /// Binary digits of the largest whole part, or 0 below 1.
    pub(crate) fn magnitude(&self) -> u64 {
        (self.mid.abs() + &self.radius)
            .bits()
            .saturating_sub(PRECISION)
    }

    pub(crate) fn neg(&self) -> Self {
        Self {
            mid: -&self.mid,
            radius: self.radius.clone(),
        }
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self {
            mid: &self.mid + &other.mid,
            radius: &self.radius + &other.radius,
        }
    }

    pub(crate) fn mul(&self, other: &Self) -> Result<Self, NoValue> {
        let spread = self.mid.abs() * &other.radius
            + other.mid.abs() * &self.radius
            + &self.radius * &other.radius;
        Self::checked(
            (&self.mid * &other.mid) >> PRECISION,
            (spread >> PRECISION) + 2,
        )
    }

    pub(crate) fn recip(&self) -> Result<Self, NoValue> {
        let least = self.mid.abs() - &self.radius;
        if !least.is_positive() {
            return Err(NoValue::Undecided);
        }
        let one = BigInt::one() << (2 * PRECISION);
        // |1/m - 1/x| = |x - m| / |m x|
        let radius = (&one * &self.radius).div_ceil(&(self.mid.abs() * &least)) + 2;
        Self::checked(one.div_floor(&self.mid), radius)
    }

    /// The root of a positive ball.
    pub(crate) fn root(&self, degree: u32) -> Result<Self, NoValue> {
        let low = &self.mid - &self.radius;
        if low.is_negative() || degree == 0 || degree > 64 {
            return Err(NoValue::Undecided);
        }
        let shift = PRECISION * u64::from(degree - 1);
        let low = (low << shift).nth_root(degree);
        let high = ((&self.mid + &self.radius) << shift).nth_root(degree) + 1;
        Ok(Self::between(&low, &high))
    }

    fn between(low: &BigInt, high: &BigInt) -> Self {
        let mid: BigInt = (low + high) >> 1;
        let radius = (high - &mid).max(&mid - low);
        Self { mid, radius }
    }

    /// `e^x`.
    pub(crate) fn exp(&self) -> Result<Self, NoValue> {
        // e^4096 has 5,900 bits.
        if self.magnitude() > 12 || self.radius.bits() > PRECISION - 8 {
            return Err(NoValue::TooLarge);
        }
        // x = k ln 2 + r with 0 ≤ r < 1
        let ln_2 = ln_2();
        let k = self.mid.div_floor(&ln_2.mid);
        let shift = k.to_i64().ok_or(NoValue::TooLarge)?;
        let rest = &self.mid - &k * &ln_2.mid;
        let error = &self.radius + k.abs() * &ln_2.radius;
        let value = exp_series(&(rest << GUARD)) >> GUARD;
        // |e^(x+d) - e^x| ≤ 2 |d| e^x for |d| ≤ 1
        let radius = ((&error * 2 * (&value + 2)) >> PRECISION) + 4;
        if shift >= 0 {
            Self::checked(value << shift, radius << shift)
        } else {
            Self::checked(value >> -shift, (radius >> -shift) + 2)
        }
    }

    /// The natural logarithm of a positive ball.
    pub(crate) fn ln(&self) -> Result<Self, NoValue> {
        let least = &self.mid - &self.radius;
        if !least.is_positive() {
            return Err(NoValue::Undecided);
        }
        // mid = m · 2^shift with 1 ≤ m < 2
        let shift = self.mid.bits() as i64 - 1 - PRECISION as i64;
        let one = BigInt::one() << (PRECISION + GUARD);
        let wide: BigInt = &self.mid << GUARD;
        let m = match shift >= 0 {
            true => wide >> shift,
            false => wide << -shift,
        };
        // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most 1/3
        let t = ((&m - &one) << (PRECISION + GUARD)) / (&m + &one);
        let square = (&t * &t) >> (PRECISION + GUARD);
        let (mut power, mut sum, mut n) = (t.clone(), t, 3_u32);
        while !power.is_zero() {
            power = (power * &square) >> (PRECISION + GUARD);
            sum += &power / n;
            n += 2;
        }
        let ln_2 = ln_2();
        let mid = ((sum * 2) >> GUARD) + &ln_2.mid * shift;
        let radius = (&self.radius << PRECISION).div_ceil(&least) + ln_2.radius * shift.abs() + 4;
        Self::checked(mid, radius)
    }

    /// Sine and cosine.
    pub(crate) fn sin_cos(&self) -> Result<(Self, Self), NoValue> {
        if self.magnitude() > 200 || self.radius.bits() > PRECISION {
            return Err(NoValue::TooLarge);
        }
        // x = k π/2 + r
        let pi = Self::pi();
        let doubled: BigInt = &self.mid * 2 + (&pi.mid >> 1);
        let k = doubled.div_floor(&pi.mid);
        let rest = &self.mid - ((&k * &pi.mid) >> 1);
        let radius: BigInt = &self.radius + k.abs() * &pi.radius + 4;
        let (sin, cos) = sin_cos_series(&(rest << GUARD));
        let ball = |mid: BigInt| Self {
            mid: mid >> GUARD,
            radius: radius.clone(),
        };
        let (sin, cos) = (ball(sin), ball(cos));
        let turns = k.mod_floor(&BigInt::from(4)).to_u8();
        Ok(match turns {
            Some(0) => (sin, cos),
            Some(1) => (cos, sin.neg()),
            Some(2) => (sin.neg(), cos.neg()),
            _ => (cos.neg(), sin),
        })
    }

    /// The arctangent, between `-π/2` and `π/2`.
    pub(crate) fn arctan(&self) -> Result<Self, NoValue> {
        if self.magnitude() > 100 {
            return Err(NoValue::TooLarge);
        }
        // arctan x = 2 arctan(x / (1 + √(1 + x²))), three times, so that the series converges fast
        let one = BigInt::one() << (PRECISION + GUARD);
        let mut x: BigInt = &self.mid << GUARD;
        for _ in 0..3 {
            let hypotenuse = (&one * &one + &x * &x).sqrt();
            x = (x << (PRECISION + GUARD)) / (&one + hypotenuse);
        }
        let square = (&x * &x) >> (PRECISION + GUARD);
        let (mut power, mut sum, mut n) = (x.clone(), x, 3_i64);
        while !power.is_zero() && power != -BigInt::one() {
            power = -((power * &square) >> (PRECISION + GUARD));
            sum += &power / n;
            n += 2;
        }
        Self::checked((sum * 8) >> GUARD, &self.radius + 4)
    }
}

fn ln_2() -> Ball {
    static LN_2: OnceLock<BigInt> = OnceLock::new();
    // ln 2 = 2 artanh(1/3)
    let mid = LN_2.get_or_init(|| {
        let mut power: BigInt = (BigInt::one() << (PRECISION + GUARD)) / 3;
        let (mut sum, mut n) = (power.clone(), 3_u32);
        while !power.is_zero() {
            power /= 9;
            sum += &power / n;
            n += 2;
        }
        (sum * 2) >> GUARD
    });
    Ball {
        mid: mid.clone(),
        radius: BigInt::from(2),
    }
}

/// `arctan(1/n) · 2^(PRECISION + GUARD)`.
fn arctan_of_inverse(n: i64) -> BigInt {
    let mut power = (BigInt::one() << (PRECISION + GUARD)) / n;
    let (mut sum, mut k) = (power.clone(), 3_i64);
    while !power.is_zero() {
        power = -(power / (n * n));
        sum += &power / k;
        k += 2;
    }
    sum
}

/// `e^x` for `0 ≤ x < 1`; both have `PRECISION + GUARD` binary digits after the point.
fn exp_series(x: &BigInt) -> BigInt {
    let mut term = BigInt::one() << (PRECISION + GUARD);
    let (mut sum, mut n) = (term.clone(), 1_u32);
    while !term.is_zero() {
        term = ((term * x) >> (PRECISION + GUARD)) / n;
        sum += &term;
        n += 1;
    }
    sum
}

/// Sine and cosine for `|x| < 1`, as in [`exp_series`].
fn sin_cos_series(x: &BigInt) -> (BigInt, BigInt) {
    let mut term = BigInt::one() << (PRECISION + GUARD);
    let (mut sin, mut cos) = (BigInt::zero(), term.clone());
    for n in 1_u32..400 {
        term = ((term * x) >> (PRECISION + GUARD)) / n;
        if term.is_zero() || term == -BigInt::one() {
            break;
        }
        match n % 4 {
            1 => sin += &term,
            2 => cos -= &term,
            3 => sin -= &term,
            _ => cos += &term,
        }
    }
    (sin, cos)
}
