//! Settings that a run can choose itself. In: `auto` or a value. Out: the same, typed.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A setting that is `auto` or a value. The run replaces `auto` by what it chooses at its start, and records it
/// in its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// The run chooses.
    #[default]
    Auto,
    /// The value, chosen by the user or by the run.
    Set(T),
}

impl<T: Copy> Auto<T> {
    /// The value, or `choice` if it is not set.
    pub(crate) fn or(self, choice: T) -> T {
        match self {
            Auto::Set(value) => value,
            Auto::Auto => choice,
        }
    }

    /// The value; `choose` gives it if it is not set.
    pub(crate) fn or_choose(&mut self, choose: impl FnOnce() -> T) -> T {
        match *self {
            Auto::Set(value) => value,
            Auto::Auto => {
                let value = choose();
                *self = Auto::Set(value);
                value
            }
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Auto::Auto => serializer.serialize_str("auto"),
            Auto::Set(value) => value.serialize(serializer),
        }
    }
}

/// A value that can be automatic.
pub trait AutoValue: Copy {
    /// What an error expects.
    const EXPECTED: &str;

    /// The value of a number in a file, if it can be one.
    fn of_number(_number: u64) -> Option<Self> {
        None
    }

    /// The value of `true` or `false` in a file, if it can be one.
    fn of_bool(_value: bool) -> Option<Self> {
        None
    }
}

impl AutoValue for usize {
    const EXPECTED: &str = "\"auto\" or a number of tokens";

    fn of_number(number: u64) -> Option<Self> {
        usize::try_from(number).ok()
    }
}

impl AutoValue for bool {
    const EXPECTED: &str = "\"auto\", true or false";

    fn of_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl<'de, T: AutoValue> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AutoVisitor(PhantomData))
    }
}

struct AutoVisitor<T>(PhantomData<T>);

impl<T: AutoValue> Visitor<'_> for AutoVisitor<T> {
    type Value = Auto<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "auto" => Ok(Auto::Auto),
            text => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        let unexpected = || E::invalid_type(serde::de::Unexpected::Bool(value), &self);
        T::of_bool(value).map(Auto::Set).ok_or_else(unexpected)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let unexpected = || E::invalid_type(serde::de::Unexpected::Unsigned(number), &self);
        T::of_number(number).map(Auto::Set).ok_or_else(unexpected)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(
                serde::de::Unexpected::Signed(number),
                &self,
            )),
        }
    }
}
