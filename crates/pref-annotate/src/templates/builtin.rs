//! The templates that come with this crate. In: a kind. Out: the text of its file, and what it may use.

/// The kinds of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateKind {
    /// Scores of segments by aspect.
    Scores,
    /// Rewrites of answers.
    Bridge,
    /// The better of two answers.
    Compare,
    /// Scores of whole answers.
    Rate,
    /// Labels of segments.
    Parts,
    /// Weights of segments.
    Weights,
}

impl TemplateKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Scores,
        Self::Bridge,
        Self::Compare,
        Self::Rate,
        Self::Parts,
        Self::Weights,
    ];

    /// The name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scores => "scores",
            Self::Bridge => "bridge",
            Self::Compare => "compare",
            Self::Rate => "rate",
            Self::Parts => "parts",
            Self::Weights => "weights",
        }
    }

    /// The text of the template that is used by default.
    pub fn text(self) -> &'static str {
        match self {
            Self::Scores => include_str!("../../templates/scores.toml"),
            Self::Bridge => include_str!("../../templates/bridge.toml"),
            Self::Compare => include_str!("../../templates/compare.toml"),
            Self::Rate => include_str!("../../templates/rate.toml"),
            Self::Parts => include_str!("../../templates/parts.toml"),
            Self::Weights => include_str!("../../templates/weights.toml"),
        }
    }

    /// Variables of the instructions, and of the question.
    pub(super) fn variables(self) -> [&'static [&'static str]; 2] {
        match self {
            Self::Scores => [
                &["aspect", "criteria", "scale", "never_decreases"],
                &["question", "answer_a", "answer_b", "n_a", "n_b"],
            ],
            Self::Bridge => [&["variant"], &["question", "answer", "reference"]],
            Self::Compare => [&[], &["question", "answer_a", "answer_b"]],
            Self::Rate => [&["min", "max"], &["question", "answer"]],
            Self::Parts => [&["labels"], &["question", "answer", "n"]],
            Self::Weights => [&["max"], &["question", "answer", "n"]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_of_this_crate_are_valid() {
        for kind in TemplateKind::ALL {
            let template = kind.template();
            assert!(template.is_ok(), "{}: {template:?}", kind.name());
        }
    }
}
