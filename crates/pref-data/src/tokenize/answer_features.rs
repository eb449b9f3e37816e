//! Finds the features of an answer's tokens. In: the rendered text, the positions of the answer's
//! tokens in it, and the row's annotation. Out: features of each token.

use super::answer_text::AnswerText;
use super::error::TokenizeError;
use super::options::TokenizeOptions;
use super::rendering::{Rendering, WithAnswer};
use crate::text::{Annotation, Text};
use crate::tokens::TokenFeatures;

/// The features of an answer's tokens. `letters` holds, for each token of the answer, the byte of
/// the rendered text at which the token's first letter is.
pub(super) fn answer_features(
    rendering: &Rendering<'_>,
    whole: &WithAnswer,
    (name, answer, annotation): (&'static str, &Text, Option<&Annotation>),
    letters: &[usize],
    options: &TokenizeOptions,
) -> Result<TokenFeatures, TokenizeError> {
    let (rules, keeps_empty) = (options.parts.as_ref(), options.unscored_segments);
    let unscored;
    let annotation = match annotation {
        Some(given) if options.unscored_segments => {
            unscored = given.with_scores();
            Some(&unscored)
        }
        annotation => annotation,
    };
    let content = answer.to_string();
    let (found, region) = match &whole.plain_answer {
        Some(range) => (Some(AnswerText::verbatim(range.clone())), range.clone()),
        None => {
            let region = rendering.answer_region(answer, whole);
            let found = AnswerText::find(&whole.text, &region, &content);
            (found, region)
        }
    };
    let features = match found {
        Some(found) => {
            let starts: Vec<usize> = letters.iter().map(|&at| found.answer_byte(at)).collect();
            TokenFeatures::new(name, &content, &starts, annotation, rules, keeps_empty)
        }
        None if annotation.is_some_and(Annotation::has_pieces) => {
            return Err(TokenizeError::RewrittenAnswer {
                place: rendering.place.clone(),
                side: name,
            });
        }
        None => {
            // the template writes other words: the rules are applied to these words
            let starts = letters.iter().map(|&at| at.clamp(region.start, region.end));
            let starts: Vec<usize> = starts.map(|at| at - region.start).collect();
            TokenFeatures::new(
                name,
                &whole.text[region],
                &starts,
                annotation,
                rules,
                keeps_empty,
            )
        }
    };
    features.map_err(|source| TokenizeError::Annotation {
        place: rendering.place.clone(),
        source,
    })
}
