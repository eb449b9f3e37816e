//! The value of an expression. In: an expression, and values for its variables. Out: a complex number or an
//! infinity.

use std::cell::Cell;
use std::collections::BTreeMap;

use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::One;

use super::expression::{Constant, Expression, Function};
use super::limits::{MAX_FACTORIAL, NoValue};
use super::numeric::{Ball, Complex, Real};

/// A value of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Finite(Complex),
    /// `+∞`, or `-∞` if the flag is set.
    Infinite(bool),
}

/// How expressions are evaluated.
pub(crate) struct Evaluation<'a> {
    pub(crate) variables: BTreeMap<&'a str, BigRational>,
    /// Whether a logarithm without a base is natural; otherwise it is to base 10.
    pub(crate) natural_log: bool,
    /// Units of work that are left.
    pub(crate) work: &'a Cell<u32>,
    /// Set when a root or a logarithm of a negative number was taken.
    pub(crate) left_reals: Cell<bool>,
}

impl<'a> Evaluation<'a> {
    /// Evaluates expressions without variables.
    pub(crate) fn of_constants(work: &'a Cell<u32>) -> Self {
        Self {
            variables: BTreeMap::new(),
            natural_log: false,
            work,
            left_reals: Cell::new(false),
        }
    }

    fn spend(&self, units: u32) -> Result<(), NoValue> {
        let left = self.work.get().checked_sub(units);
        self.work.set(left.unwrap_or(0));
        left.map(drop).ok_or(NoValue::TooLarge)
    }

    /// The value of an expression, which may be an infinity.
    pub(crate) fn value(&self, expression: &Expression) -> Result<Value, NoValue> {
        match expression {
            Expression::Constant(Constant::Infinity) => Ok(Value::Infinite(false)),
            Expression::Negative(inner) => Ok(match self.value(inner)? {
                Value::Infinite(negative) => Value::Infinite(!negative),
                Value::Finite(number) => Value::Finite(number.neg()),
            }),
            _ => self.number(expression).map(Value::Finite),
        }
    }

    /// The value of an expression, which must be finite.
    pub(crate) fn number(&self, expression: &Expression) -> Result<Complex, NoValue> {
        self.spend(1)?;
        match expression {
            Expression::Number(number) => Ok(Complex::real(Real::Exact(number.clone()))),
            Expression::Constant(constant) => self.constant(*constant),
            Expression::Variable(name) => {
                let value = self
                    .variables
                    .get(name.as_str())
                    .ok_or(NoValue::Undefined)?;
                Ok(Complex::real(Real::Exact(value.clone())))
            }
            Expression::Sum(parts) => parts
                .iter()
                .try_fold(Complex::whole(0), |sum, part| sum.add(&self.number(part)?)),
            Expression::Product(parts) => {
                parts.iter().try_fold(Complex::whole(1), |product, part| {
                    product.mul(&self.number(part)?)
                })
            }
            Expression::Negative(inner) => Ok(self.number(inner)?.neg()),
            Expression::Quotient(top, bottom) => {
                self.number(top)?.mul(&self.number(bottom)?.recip()?)
            }
            Expression::Power(base, exponent) => self.power(base, exponent),
            Expression::Root(inner, degree) => self.root(&self.number(inner)?, *degree),
            Expression::Call(function, inner) => self.call(*function, self.number(inner)?),
            Expression::Log(base, inner) => {
                let (base, inner) = (self.number(base)?, self.number(inner)?);
                self.log(&base, &inner)
            }
            Expression::Binomial(n, k) => {
                let n = self.number(n)?.to_integer().ok_or(NoValue::Undefined)?;
                let k = self.number(k)?.to_integer().ok_or(NoValue::Undefined)?;
                self.binomial(n, k)
            }
            // Two signs are two answers, which the reader takes apart.
            Expression::PlusMinus(..) => Err(NoValue::Undefined),
        }
    }

    fn constant(&self, constant: Constant) -> Result<Complex, NoValue> {
        match constant {
            Constant::Pi => Ok(Complex::real(Real::Near(Ball::pi()))),
            Constant::E => Ok(Complex::real(Real::Near(Real::one().ball().exp()?))),
            Constant::I => Ok(Complex::i()),
            Constant::Infinity => Err(NoValue::Undefined),
        }
    }

    fn power(&self, base: &Expression, exponent: &Expression) -> Result<Complex, NoValue> {
        let exponent = self.number(exponent)?;
        if matches!(base, Expression::Constant(Constant::E)) {
            self.spend(200)?;
            return exponent.exp();
        }
        let base = self.number(base)?;
        if let Some(whole) = exponent.to_integer() {
            self.spend(whole.unsigned_abs().min(64) as u32)?;
            return base.power(whole);
        }
        if base.is_zero()? {
            let is_positive = exponent.re.sign()? == Sign::Plus;
            return match is_positive {
                true => Ok(Complex::whole(0)),
                false => Err(NoValue::Undefined),
            };
        }
        if let Real::Exact(fraction) = &exponent.re
            && exponent.im.is_zero()
            && let (Ok(top), Ok(degree)) = (
                i64::try_from(fraction.numer()),
                u32::try_from(fraction.denom()),
            )
            && degree <= 64
            && base.is_real()?
            && (base.re.sign()? == Sign::Plus || degree % 2 == 1)
        {
            return self.root(&base, degree)?.power(top);
        }
        self.spend(400)?;
        if base.is_real()? && base.re.sign()? == Sign::Minus {
            self.left_reals.set(true);
        }
        base.ln()?.mul(&exponent)?.exp()
    }

    /// The real root of a real number if there is one, otherwise the principal square root.
    fn root(&self, number: &Complex, degree: u32) -> Result<Complex, NoValue> {
        self.spend(40)?;
        let is_negative = !number.is_real()? || number.re.sign()? == Sign::Minus;
        if !is_negative {
            return Ok(Complex::real(number.re.root(degree)?));
        }
        if number.is_real()? && degree % 2 == 1 {
            return Ok(Complex::real(number.re.neg().root(degree)?.neg()));
        }
        self.left_reals.set(true);
        match degree {
            2 => number.sqrt(),
            _ => Err(NoValue::Undefined),
        }
    }

    fn log(&self, base: &Complex, number: &Complex) -> Result<Complex, NoValue> {
        self.spend(400)?;
        if number.is_real()? && number.re.sign()? == Sign::Minus {
            self.left_reals.set(true);
        }
        number.ln()?.mul(&base.ln()?.recip()?)
    }

    fn binomial(&self, n: i64, k: i64) -> Result<Complex, NoValue> {
        if n < 0 || n as u64 > MAX_FACTORIAL {
            return Err(NoValue::TooLarge);
        }
        if k < 0 || k > n {
            return Ok(Complex::whole(0));
        }
        let mut result = BigInt::one();
        for i in 0..k.min(n - k) {
            self.spend(1)?;
            result = result * (n - i) / (i + 1);
        }
        Ok(Complex::real(Real::Exact(result.into())))
    }

    fn call(&self, function: Function, x: Complex) -> Result<Complex, NoValue> {
        match function {
            Function::Abs => return Ok(Complex::real(x.abs()?)),
            Function::Exp => {
                self.spend(200)?;
                return x.exp();
            }
            Function::Ln => return self.natural(&x),
            Function::Log => {
                return match self.natural_log {
                    true => self.natural(&x),
                    false => self.log(&Complex::whole(10), &x),
                };
            }
            _ => {}
        }
        if !x.is_real()? {
            return Err(NoValue::Undefined);
        }
        self.spend(100)?;
        self.real_call(function, &x.re).map(Complex::real)
    }

    fn natural(&self, x: &Complex) -> Result<Complex, NoValue> {
        self.spend(200)?;
        if x.is_real()? && x.re.sign()? == Sign::Minus {
            self.left_reals.set(true);
        }
        x.ln()
    }

    fn real_call(&self, function: Function, x: &Real) -> Result<Real, NoValue> {
        let sin_cos = || -> Result<(Real, Real), NoValue> {
            let (sin, cos) = x.ball().sin_cos()?;
            Ok((Real::Near(sin), Real::Near(cos)))
        };
        let exponentials = || -> Result<(Real, Real), NoValue> {
            let grown = Real::Near(x.ball().exp()?);
            let shrunk = grown.recip()?;
            Ok((grown.sub(&shrunk)?, grown.add(&shrunk)?))
        };
        let half = Real::Exact(BigRational::new(1.into(), 2.into()));
        match function {
            Function::Sin => Ok(sin_cos()?.0),
            Function::Cos => Ok(sin_cos()?.1),
            Function::Tan => sin_cos().and_then(|(sin, cos)| sin.mul(&cos.recip()?)),
            Function::Cot => sin_cos().and_then(|(sin, cos)| cos.mul(&sin.recip()?)),
            Function::Sec => sin_cos()?.1.recip(),
            Function::Csc => sin_cos()?.0.recip(),
            Function::Arctan => Ok(Real::Near(x.ball().arctan()?)),
            Function::Arcsin => arcsin(x),
            Function::Arccos => Real::Near(Ball::pi()).mul(&half)?.sub(&arcsin(x)?),
            Function::Sinh => exponentials()?.0.mul(&half),
            Function::Cosh => exponentials()?.1.mul(&half),
            Function::Tanh => exponentials().and_then(|(sin, cos)| sin.mul(&cos.recip()?)),
            Function::Floor => whole_part(x).map(Real::Exact),
            Function::Ceiling => Ok(Real::Exact(-whole_part(&x.neg())?)),
            Function::Factorial => self.factorial(x),
            Function::Degrees => {
                let radians = Real::Near(Ball::pi()).mul(x)?;
                radians.mul(&Real::Exact(BigRational::new(1.into(), 180.into())))
            }
            // `call` computes these for complex numbers.
            Function::Abs | Function::Exp | Function::Ln | Function::Log => Err(NoValue::Undefined),
        }
    }

    fn factorial(&self, x: &Real) -> Result<Real, NoValue> {
        let n = x.to_integer().ok_or(NoValue::Undefined)?;
        let n = u64::try_from(n).map_err(|_| NoValue::Undefined)?;
        if n > MAX_FACTORIAL {
            return Err(NoValue::TooLarge);
        }
        self.spend(n as u32)?;
        let product = (1..=n).fold(BigInt::one(), |product, k| product * k);
        Ok(Real::Exact(product.into()))
    }
}

fn arcsin(x: &Real) -> Result<Real, NoValue> {
    // arcsin x = arctan(x / √(1 - x²)); at ±1 the divisor is zero.
    let rest = Real::one().sub(&x.mul(x)?)?;
    match rest.sign()? {
        Sign::Minus => Err(NoValue::Undefined),
        Sign::NoSign => {
            let half = BigRational::new(1.into(), 2.into());
            let quarter_turn = Real::Near(Ball::pi()).mul(&Real::Exact(half))?;
            let is_negative = x.sign()? == Sign::Minus;
            Ok(if is_negative {
                quarter_turn.neg()
            } else {
                quarter_turn
            })
        }
        Sign::Plus => {
            let tangent = x.mul(&rest.root(2)?.recip()?)?;
            Ok(Real::Near(tangent.ball().arctan()?))
        }
    }
}

/// The largest integer that is not larger.
fn whole_part(x: &Real) -> Result<BigRational, NoValue> {
    match x {
        Real::Exact(number) => Ok(number.floor()),
        Real::Near(_) => Err(NoValue::Undecided),
    }
}
