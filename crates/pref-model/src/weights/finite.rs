//! NaN and infinity among weights. In: values and their shape. Out: the number of values that are not finite,
//! and the index of the first.

/// Number of values that are counted without a branch, so that the compiler uses SIMD.
const CHUNK: usize = 4096;

/// The values of a tensor that are NaN or infinite.
#[derive(Debug, PartialEq)]
pub(crate) struct NotFinite {
    /// Number of these values.
    pub(crate) n: usize,
    /// Index of the first, one number per axis.
    pub(crate) index: Vec<usize>,
    /// Position of the first among all values.
    pub(crate) at: usize,
}

impl NotFinite {
    /// Counts the values of a tensor that are not finite. `None` if all are finite.
    pub(crate) fn among(values: &[f32], shape: &[usize]) -> Option<Self> {
        let count = |chunk: &[f32]| chunk.iter().map(|v| u32::from(!v.is_finite())).sum::<u32>();
        let n: usize = values.chunks(CHUNK).map(|c| count(c) as usize).sum();
        if n == 0 {
            return None;
        }
        let at = values.iter().position(|v| !v.is_finite())?;
        let mut rest = at;
        let mut index: Vec<usize> = shape
            .iter()
            .rev()
            .map(|&size| {
                let i = rest % size;
                rest /= size;
                i
            })
            .collect();
        index.reverse();
        Some(Self { n, index, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_by_its_index() {
        let mut values = vec![1.0; 2 * 3 * 5000];
        assert_eq!(NotFinite::among(&values, &[2, 3, 5000]), None);
        values[5000 * 4 + 7] = f32::NAN;
        values[5000 * 5 + 1] = f32::NEG_INFINITY;
        let expected = NotFinite {
            n: 2,
            index: vec![1, 1, 7],
            at: 20_007,
        };
        assert_eq!(NotFinite::among(&values, &[2, 3, 5000]), Some(expected));
    }
}
