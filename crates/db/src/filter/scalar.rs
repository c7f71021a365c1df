//! Single values in one order, so that a sorted list of them answers equality and ranges.
//!
//! Types are exact: `true` is not 1 and "1" is not 1. Integers and floats are both numbers: 1 and 1.0 are equal, and an
//! integer beyond 2^53 is compared with a float exactly, not after rounding. Among different types the order has no meaning.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::FilterProblem;
use crate::Value;

/// A value without parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// Microseconds since 1970.
    Time(i64),
    Bytes(Cow<'a, [u8]>),
}

/// A number, the same whichever way it was written: a float with an integer's value is the integer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    /// Finite, and no `i64`.
    Float(f64),
}

impl<'a> Scalar<'a> {
    /// Errors: a list, an object, a float that is not finite.
    pub(crate) fn new(value: &'a Value) -> Result<Scalar<'a>, FilterProblem> {
        Ok(match value {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Int(value) => Scalar::from(*value),
            Value::Float(value) if value.is_finite() => Scalar::from(*value),
            Value::Float(value) => return Err(FilterProblem::NotFinite(*value)),
            Value::Text(value) => Scalar::Text(Cow::Borrowed(value)),
            Value::Time(micros) => Scalar::Time(*micros),
            Value::Bytes(bytes) => Scalar::Bytes(Cow::Borrowed(bytes)),
            Value::List(_) | Value::Object(_) => {
                return Err(FilterProblem::Needed {
                    needed: "a single value",
                    got: kind(value).to_owned(),
                });
            }
        })
    }

    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Scalar::Null => Scalar::Null,
            Scalar::Bool(value) => Scalar::Bool(value),
            Scalar::Number(value) => Scalar::Number(value),
            Scalar::Text(value) => Scalar::Text(Cow::Owned(value.into_owned())),
            Scalar::Time(micros) => Scalar::Time(micros),
            Scalar::Bytes(bytes) => Scalar::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }

    /// Whether less and greater mean something among values of this type.
    pub(crate) fn has_order(&self) -> bool {
        matches!(self, Scalar::Number(_) | Scalar::Text(_) | Scalar::Time(_))
    }

    /// The place of its type in the order.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Scalar::Null => 0,
            Scalar::Bool(_) => 1,
            Scalar::Number(_) => 2,
            Scalar::Text(_) => 3,
            Scalar::Time(_) => 4,
            Scalar::Bytes(_) => 5,
        }
    }

    /// Bytes that it holds beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Scalar::Text(text) => text.len(),
            Scalar::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// For messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Bool(_) => "a boolean",
            Scalar::Number(_) => "a number",
            Scalar::Text(_) => "a text",
            Scalar::Time(_) => "a time",
            Scalar::Bytes(_) => "bytes",
        }
    }
}

impl From<i64> for Scalar<'_> {
    fn from(value: i64) -> Self {
        Scalar::Number(Number::Int(value))
    }
}

/// Of a finite float.
impl From<f64> for Scalar<'_> {
    fn from(value: f64) -> Self {
        Scalar::Number(Number::from(value))
    }
}

impl From<&Scalar<'_>> for Value {
    fn from(scalar: &Scalar<'_>) -> Value {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Number(Number::Int(value)) => Value::Int(*value),
            Scalar::Number(Number::Float(value)) => Value::Float(*value),
            Scalar::Text(text) => Value::Text(text.clone().into_owned()),
            Scalar::Time(micros) => Value::Time(*micros),
            Scalar::Bytes(bytes) => Value::Bytes(bytes.clone().into_owned()),
        }
    }
}

/// What a value is, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::Time(_) => "a time",
        Value::Bytes(_) => "bytes",
    }
}

/// Of a finite float.
impl From<f64> for Number {
    fn from(value: f64) -> Self {
        // 2^63 is the first float that is no i64; -2^63 is one.
        let limit = -(i64::MIN as f64);
        if value.fract() == 0.0 && (-limit..limit).contains(&value) {
            Number::Int(value as i64)
        } else {
            Number::Float(value)
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            (Number::Float(a), Number::Float(b)) => a.total_cmp(b),
            (Number::Int(a), Number::Float(b)) => int_to_float(*a, *b),
            (Number::Float(a), Number::Int(b)) => int_to_float(*b, *a).reverse(),
        }
    }
}

/// Compares with a float that equals no `i64`: its floor, cut to the range of integers, is below it or cut.
fn int_to_float(int: i64, float: f64) -> Ordering {
    if float >= -(i64::MIN as f64) || (float > i64::MIN as f64 && int <= float.floor() as i64) {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Number::Int(value) => value.hash(state),
            Number::Float(value) => value.to_bits().hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::fast::FixedState;
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = Value> {
        let edges = [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1];
        let near = prop::sample::select(edges.to_vec());
        prop_oneof![
            near.clone().prop_map(Value::Int),
            near.prop_map(|i| Value::Float(i as f64)),
            any::<i64>().prop_map(Value::Int),
            (-3..3i64).prop_map(Value::Int),
            (-6..6i32).prop_map(|halves| Value::Float(f64::from(halves) / 2.0)),
            any::<f64>()
                .prop_filter("finite", |x| x.is_finite())
                .prop_map(Value::Float),
        ]
    }

    /// Compares as integers in units of 2^-1074, written as sign, exponent and mantissa: no float arithmetic.
    fn naive(a: &Value, b: &Value) -> Ordering {
        let parts = |value: &Value| match value {
            Value::Int(i) => (i128::from(*i), 0),
            Value::Float(x) => {
                let bits = x.to_bits();
                let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
                let (mantissa, power) = match exponent {
                    0 => (fraction, -1074),
                    e => (fraction | 1 << 52, e as i32 - 1075),
                };
                let sign = if *x < 0.0 { -1 } else { 1 };
                (sign * i128::from(mantissa), power)
            }
            other => panic!("{other:?}"),
        };
        let ((mut a, mut a_power), (mut b, mut b_power)) = (parts(a), parts(b));
        let norm = |m: &mut i128, power: &mut i32| {
            while *m != 0 && *m % 2 == 0 {
                (*m, *power) = (*m / 2, *power + 1);
            }
        };
        norm(&mut a, &mut a_power);
        norm(&mut b, &mut b_power);
        if a.signum() != b.signum() || a == 0 {
            return a.signum().cmp(&b.signum());
        }
        // The highest bit first; then they lie close enough to be brought to one power.
        let top = |m: i128, power: i32| (127 - m.unsigned_abs().leading_zeros() as i32) + power;
        let by_top = top(a, a_power).cmp(&top(b, b_power));
        if by_top != Ordering::Equal {
            return if a > 0 { by_top } else { by_top.reverse() };
        }
        let low = a_power.min(b_power);
        (a << (a_power - low)).cmp(&(b << (b_power - low)))
    }

    proptest! {
        #[test]
        fn numbers_compare_exactly(a in number(), b in number()) {
            let (x, y) = (Scalar::new(&a).unwrap(), Scalar::new(&b).unwrap());
            prop_assert_eq!(x.cmp(&y), naive(&a, &b));
            prop_assert_eq!(x == y, naive(&a, &b) == Ordering::Equal);
            let hash = |scalar| FixedState::with_seed(0).hash_one(scalar);
            prop_assert!(x != y || hash(&x) == hash(&y));
        }
    }

    #[test]
    fn types_do_not_mix() {
        let [one, truth, text] = [Value::Int(1), Value::Bool(true), Value::from("1")];
        let scalar = |value| Scalar::new(value).unwrap();
        assert_ne!(scalar(&one), scalar(&truth));
        assert_ne!(scalar(&one), scalar(&text));
        assert_eq!(scalar(&one), scalar(&Value::Float(1.0)));
        assert_eq!(scalar(&Value::Int(0)), scalar(&Value::Float(-0.0)));
        assert_eq!(
            Scalar::new(&Value::Float(f64::INFINITY)),
            Err(FilterProblem::NotFinite(f64::INFINITY))
        );
        assert!(Scalar::new(&Value::List(vec![])).is_err());
    }
}
