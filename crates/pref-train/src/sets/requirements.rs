//! Checks that a pair has what the objective needs. In: a pair as token ids. Out: nothing, or an error that
//! names a missing field and how to produce it.

use pref_core::{Needs, Segments};
use pref_data::{TokenFeatures, TokenPair};

use crate::error::TrainError;

/// The names of the answers of a pair in the fields of a row.
const SIDES: [&str; 2] = ["chosen", "rejected"];

/// Refuses a pair that lacks a field that the objective needs, or whose segments are impossible.
pub(super) fn check_pair(pair: &TokenPair, needs: Needs) -> Result<(), TrainError> {
    let nothing = TokenFeatures::default();
    for (index, side) in SIDES.into_iter().enumerate() {
        let features = pair.features[index].as_deref().unwrap_or(&nothing);
        for (is_absent, field, remedy) in [
            (
                needs.segments && features.segments.is_empty(),
                "segments",
                "`pref segment` divides the responses; give each segment a row of five scores",
            ),
            (
                needs.parts && features.parts.is_none(),
                "parts",
                "give each row its parts, or set data.parts to markers that divide the responses",
            ),
            (
                needs.weights && features.weights.is_none(),
                "weights",
                "give each row a weight for each token",
            ),
            (
                needs.importance && index == 1 && features.importance.is_none(),
                "importance",
                "give each row the importance of each rejected token, 0 to 1",
            ),
        ] {
            if is_absent {
                return Err(TrainError::MissingField {
                    place: pair.place.clone(),
                    field: format!("{side}_{field}"),
                    remedy,
                });
            }
        }
        if needs.segments {
            scored_segments(pair, index)?;
        }
    }
    Ok(())
}

/// The scored segments of the chosen (0) or rejected (1) answer of a pair.
///
/// # Errors
/// [`TrainError::Segments`] if the segments do not fit the answer.
///
/// # Panics
/// If the answer has no features.
pub(crate) fn scored_segments(pair: &TokenPair, index: usize) -> Result<Segments, TrainError> {
    let features = pair.features[index].as_deref();
    let features = features.expect("a pair with segments has features");
    let n_tokens = [&pair.chosen, &pair.rejected][index].len();
    let (ranges, scores) = (features.segments.clone(), features.scores.clone());
    Segments::new(n_tokens, ranges, scores).map_err(|source| TrainError::Segments {
        place: pair.place.clone(),
        side: SIDES[index],
        source,
    })
}
