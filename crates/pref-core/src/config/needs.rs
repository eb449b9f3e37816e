//! The data that an objective needs. In: the checked choices of an objective. Out: flags, and their
//! names.

/// What an objective needs besides the policy's log-probs and the masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Log-probs under a reference model.
    pub reference: bool,
    /// Which tokens differ between the two answers.
    pub varied: bool,
    /// The importance of each rejected token.
    pub importance: bool,
    /// A weight for each token, given in the data.
    pub weights: bool,
    /// A part label for each token.
    pub parts: bool,
    /// Segments with a row of scores each.
    pub segments: bool,
    /// The KL divergence of the policy from the reference at each token. It is computed from the
    /// next-token distributions of both models.
    pub kl: bool,
    /// Single answers, each desirable or not, and answers to other prompts.
    pub unpaired: bool,
    /// A second set of pairs, whose reasoning traces are emptied.
    pub traces: bool,
    /// Single answers without a label, all of them wanted.
    pub demonstrations: bool,
    /// A reward model: the objective is computed from its scores, and not from log-probs.
    pub reward_model: bool,
}

impl Needs {
    /// Everything that at least one of the two needs.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            reference: self.reference || other.reference,
            varied: self.varied || other.varied,
            importance: self.importance || other.importance,
            weights: self.weights || other.weights,
            parts: self.parts || other.parts,
            segments: self.segments || other.segments,
            kl: self.kl || other.kl,
            unpaired: self.unpaired || other.unpaired,
            traces: self.traces || other.traces,
            demonstrations: self.demonstrations || other.demonstrations,
            reward_model: self.reward_model || other.reward_model,
        }
    }

    /// Names of the flags that are set, for messages: `reference`, `varied`, …
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("reference", self.reference),
            ("varied", self.varied),
            ("importance", self.importance),
            ("weights", self.weights),
            ("parts", self.parts),
            ("segments", self.segments),
            ("kl", self.kl),
            ("unpaired", self.unpaired),
            ("traces", self.traces),
            ("demonstrations", self.demonstrations),
            ("reward_model", self.reward_model),
        ]
        .into_iter()
        .filter_map(|(name, needed)| needed.then_some(name))
        .collect()
    }
}
