//! What an objective is given: log-probs of both answers of each pair, and whatever else the
//! method needs. In: tensors of the user's own model. Out: [`PairBatch`], checked shapes.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::error::BatchError;
use crate::segments::Segments;

/// Which answer of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The preferred answer, `y_w`.
    Chosen,
    /// The other one, `y_l`.
    Rejected,
}

impl Role {
    /// `"chosen"` or `"rejected"`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Chosen => "chosen",
            Role::Rejected => "rejected",
        }
    }
}

/// One answer of every pair. All tensors are `[pairs, tokens]`; `tokens` may differ between the
/// two sides of a batch.
#[derive(Clone, Debug)]
pub struct Side<B: Backend> {
    /// `log π_θ(y_t | y_<t, x)` in nats. Gradients flow from here.
    pub policy: Tensor<B, 2>,
    /// `log π_ref(y_t | y_<t, x)` in nats, without gradient.
    pub reference: Option<Tensor<B, 2>>,
    /// 1 where the token belongs to the answer, 0 for the prompt and for padding.
    pub mask: Tensor<B, 2>,
    /// 1 where the token differs from the other answer (BMC's token diff).
    pub varied: Option<Tensor<B, 2>>,
    /// How much the token matters to the answer's failure, `s_t ∈ [0, 1]` (cDPO).
    pub importance: Option<Tensor<B, 2>>,
    /// Weights that came with the data.
    pub given: Option<Tensor<B, 2>>,
    /// `KL(π_ref ‖ π_θ)` of the next-token distributions at each position, nats (TDPO).
    /// Gradients flow from here too.
    pub kl: Option<Tensor<B, 2>>,
    /// Index into [`PairBatch::part_labels`] of each token's part (HiPO).
    pub parts: Option<Tensor<B, 2, Int>>,
    /// Whether every answer is known to begin in the first column, without a gap.
    starts_first: bool,
}

impl<B: Backend> Side<B> {
    /// A side of log-probs alone; add the rest through the fields.
    ///
    /// # Shapes
    /// Both `[pairs, tokens]`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(policy: Tensor<B, 2>, mask: Tensor<B, 2>) -> Self {
        assert_eq!(
            policy.dims(),
            mask.dims(),
            "policy log-probs and mask must both be [pairs, tokens]"
        );
        Self {
            policy,
            reference: None,
            mask,
            varied: None,
            importance: None,
            given: None,
            kl: None,
            parts: None,
            starts_first: false,
        }
    }

    /// A side whose answers all begin in the first column: row `i` has `lengths[i]` tokens, and
    /// what follows is padding. Cheaper than [`Side::new`] with the same mask, since no token's
    /// position has to be counted.
    ///
    /// # Shapes
    /// `[pairs, tokens]`, one length a pair.
    ///
    /// # Panics
    /// If there is not one length a row, or a length is beyond `tokens`.
    pub fn from_lengths(policy: Tensor<B, 2>, lengths: &[usize]) -> Self {
        let [pairs, tokens] = policy.dims();
        assert_eq!(
            lengths.len(),
            pairs,
            "one length a row of the policy's log-probs"
        );
        assert!(
            lengths.iter().all(|&n| n <= tokens),
            "lengths {lengths:?} do not fit {tokens} columns"
        );
        let mut mask = vec![0.0_f32; pairs * tokens];
        for (row, &n) in mask.chunks_mut(tokens.max(1)).zip(lengths) {
            row[..n].fill(1.0);
        }
        let mask = Tensor::from_data(TensorData::new(mask, [pairs, tokens]), &policy.device());
        Self {
            starts_first: true,
            ..Self::new(policy, mask)
        }
    }

    /// The same side with the reference's log-probs, `[pairs, tokens]`.
    #[must_use]
    pub fn with_reference(mut self, reference: Tensor<B, 2>) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Tokens of each answer, `[pairs, 1]`.
    pub fn n_tokens(&self) -> Tensor<B, 2> {
        self.mask.clone().sum_dim(1)
    }

    /// Index of each token within its answer, from 0, `[pairs, tokens]`; at masked positions, any
    /// index of the answer.
    pub fn positions(&self) -> Tensor<B, 2, Int> {
        (self.counted() - 0.5).int() // −0.5 is cut to 0
    }

    pub(crate) fn starts_first(&self) -> bool {
        self.starts_first
    }

    /// How many tokens of its answer there are up to each column, that one included,
    /// `[pairs, tokens]`; anything up to that in padding. Whole numbers as floats, exact up to 2²⁴,
    /// because integer arithmetic is several times slower on a CPU.
    pub(crate) fn counted(&self) -> Tensor<B, 2> {
        if !self.starts_first {
            return self.mask.clone().cumsum(1);
        }
        let [_, tokens] = self.mask.dims();
        let columns = Tensor::<B, 1, Int>::arange(1..tokens as i64 + 1, &self.mask.device());
        self.mask.clone() * columns.float().reshape([1, tokens])
    }

    /// `values` where the mask is 1, else 0, so that whatever a model left in the padding, even
    /// an infinity, touches neither loss nor gradient.
    pub(crate) fn masked(&self, values: Tensor<B, 2>) -> Tensor<B, 2> {
        values.mask_fill(self.mask.clone().equal_elem(0.0), 0.0)
    }

    fn assert_shapes(&self, role: Role) {
        let dims = self.policy.dims();
        let others = [
            ("mask", Some(self.mask.dims())),
            ("reference", self.reference.as_ref().map(Tensor::dims)),
            ("varied", self.varied.as_ref().map(Tensor::dims)),
            ("importance", self.importance.as_ref().map(Tensor::dims)),
            ("given", self.given.as_ref().map(Tensor::dims)),
            ("kl", self.kl.as_ref().map(Tensor::dims)),
            ("parts", self.parts.as_ref().map(Tensor::dims)),
        ];
        for (name, found) in others {
            if let Some(found) = found {
                assert_eq!(
                    found,
                    dims,
                    "{} {name} must have the policy's shape [pairs, tokens]",
                    role.name()
                );
            }
        }
    }
}

/// A batch of preference pairs, ready for an objective.
#[derive(Clone, Debug)]
pub struct PairBatch<B: Backend> {
    /// The preferred answers.
    pub chosen: Side<B>,
    /// The others.
    pub rejected: Side<B>,
    /// Names of the parts that [`Side::parts`] counts in.
    pub part_labels: Vec<String>,
    /// Scored segments, one entry a pair: chosen, rejected (2D-DPO). Plain data, because ranking
    /// them is no work for a device.
    pub segments: Vec<(Segments, Segments)>,
}

impl<B: Backend> PairBatch<B> {
    /// A batch of two sides.
    ///
    /// # Panics
    /// If the sides hold different numbers of pairs, or a tensor does not have its side's shape.
    pub fn new(chosen: Side<B>, rejected: Side<B>) -> Self {
        let batch = Self {
            chosen,
            rejected,
            part_labels: Vec::new(),
            segments: Vec::new(),
        };
        batch.assert_shapes();
        batch
    }

    /// Pairs in the batch.
    pub fn n_pairs(&self) -> usize {
        self.chosen.policy.dims()[0]
    }

    /// The side of that role.
    pub fn side(&self, role: Role) -> &Side<B> {
        match role {
            Role::Chosen => &self.chosen,
            Role::Rejected => &self.rejected,
        }
    }

    /// Reads the masks back and refuses answers without a token, which have no log-prob to speak
    /// of. It costs a copy from the device, so the loss never calls it; call it once on data you
    /// do not trust.
    ///
    /// # Errors
    /// [`BatchError::EmptyAnswer`] names the first pair and side without a token.
    pub fn check(&self) -> Result<(), BatchError> {
        for role in [Role::Chosen, Role::Rejected] {
            let counts: TensorData = self.side(role).n_tokens().into_data();
            let empty = counts.iter::<f64>().position(|n| n == 0.0);
            if let Some(pair) = empty {
                return Err(BatchError::EmptyAnswer {
                    pair,
                    side: role.name(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn assert_shapes(&self) {
        self.chosen.assert_shapes(Role::Chosen);
        self.rejected.assert_shapes(Role::Rejected);
        assert_eq!(
            self.chosen.policy.dims()[0],
            self.rejected.policy.dims()[0],
            "chosen and rejected must hold the same number of pairs"
        );
    }
}
