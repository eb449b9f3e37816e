//! An axis. In: the least and the largest value. Out: ticks at round numbers, and places in a picture.

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// The values at both ends.
    low: f64,
    high: f64,
    /// The places of both ends in the picture.
    from: f64,
    to: f64,
    /// The distance between two ticks.
    pub(super) step: f64,
}

impl Axis {
    /// An axis from `low` to `high`, wide enough for all values, with about `n` ticks. Its ends are ticks if `is_round`.
    pub(super) fn new(low: f64, high: f64, n: usize, is_round: bool, [from, to]: [f64; 2]) -> Self {
        let (low, high) = match high > low {
            true => (low, high),
            // A single value is in the middle.
            false if low == 0.0 => (-1.0, 1.0),
            false => (low - low.abs() / 2.0, low + low.abs() / 2.0),
        };
        let step = round_step((high - low) / n.max(1) as f64);
        let (low, high) = match is_round {
            true => (
                (low / step + 1e-9).floor() * step,
                (high / step - 1e-9).ceil() * step,
            ),
            false => (low, high),
        };
        Self {
            low,
            high,
            from,
            to,
            step,
        }
    }

    /// The place of a value in the picture. A value beyond an end is at that end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// Whether a value is on the axis.
    pub(super) fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round numbers on the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step - 1e-6).ceil() as i64;
        let last = (self.high / self.step + 1e-6).floor() as i64;
        (first..=last).map(|k| k as f64 * self.step).collect()
    }
}

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|f| f * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_values_have_their_places() {
        let axis = Axis::new(0.13, 0.87, 4, true, [0.0, 100.0]);
        assert_eq!(axis.ticks(), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(axis.place(0.5), 50.0);
        assert_eq!(axis.place(7.0), 100.0);
        let down = Axis::new(-1.0, 1.0, 4, true, [200.0, 0.0]);
        assert_eq!(down.ticks(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(down.place(0.5), 50.0);
    }

    #[test]
    fn a_single_value_is_in_the_middle() {
        assert_eq!(Axis::new(3.0, 3.0, 4, false, [0.0, 10.0]).place(3.0), 5.0);
        assert_eq!(Axis::new(0.0, 0.0, 4, true, [0.0, 10.0]).place(0.0), 5.0);
    }
}
