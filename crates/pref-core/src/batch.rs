//! The input of an objective: log-probs of both answers of each pair, and the other data that the
//! method needs. In: tensors of any Burn model. Out: [`PairBatch`], whose shapes are checked.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::error::BatchError;
use crate::segments::Segments;

/// Which of the two answers of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The preferred answer, `y_w`.
    Chosen,
    /// The other answer, `y_l`.
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

/// One answer of every pair of a batch. All tensors are `[pairs, tokens]`. The two sides of a batch
/// may differ in `tokens`.
#[derive(Clone, Debug)]
pub struct Side<B: Backend> {
    /// `log π_θ(y_t | y_<t, x)` in nats. The loss is differentiated with respect to these.
    pub policy: Tensor<B, 2>,
    /// `log π_ref(y_t | y_<t, x)` in nats. They receive no gradient.
    pub reference: Option<Tensor<B, 2>>,
    /// 1 where the token belongs to the answer, 0 for prompt and padding.
    pub mask: Tensor<B, 2>,
    /// 1 where the token differs from the other answer, else 0 (BMC).
    pub varied: Option<Tensor<B, 2>>,
    /// How much each token contributes to the answer being wrong, `s_t ∈ [0, 1]` (cDPO).
    pub importance: Option<Tensor<B, 2>>,
    /// Token weights that the data gives.
    pub given: Option<Tensor<B, 2>>,
    /// `KL(π_ref ‖ π_θ)` of the next-token distributions at each position, in nats (TDPO). The loss
    /// is differentiated with respect to these as well.
    pub kl: Option<Tensor<B, 2>>,
    /// Part of each token, as an index into [`PairBatch::part_labels`] (HiPO).
    pub parts: Option<Tensor<B, 2, Int>>,
    /// Whether it is known that every answer begins in the first column and has no gaps.
    is_left_aligned: bool,
}

impl<B: Backend> Side<B> {
    /// A side that has only policy log-probs and a mask. Set the other fields as the method needs.
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
            is_left_aligned: false,
        }
    }

    /// A side whose answers all begin in the first column: row `i` has `lengths[i]` tokens, then
    /// padding. This is faster than [`Side::new`] with the same mask, because the position of a
    /// token is its column and need not be counted.
    ///
    /// # Shapes
    /// `policy` is `[pairs, tokens]`; `lengths` has one entry per pair, in tokens.
    ///
    /// # Panics
    /// If the number of lengths is not `pairs`, or a length exceeds `tokens`.
    pub fn from_lengths(policy: Tensor<B, 2>, lengths: &[usize]) -> Self {
        let [pairs, tokens] = policy.dims();
        assert_eq!(
            lengths.len(),
            pairs,
            "there must be one length for each row of the policy's log-probs"
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
            is_left_aligned: true,
            ..Self::new(policy, mask)
        }
    }

    /// The same side with the reference's log-probs, `[pairs, tokens]`, in nats.
    #[must_use]
    pub fn with_reference(mut self, reference: Tensor<B, 2>) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Number of tokens of each answer, `[pairs, 1]`.
    pub fn n_tokens(&self) -> Tensor<B, 2> {
        self.mask.clone().sum_dim(1)
    }

    /// Index of each token within its answer, from 0, `[pairs, tokens]`. At masked positions the
    /// value is an arbitrary index of the answer.
    pub fn positions(&self) -> Tensor<B, 2, Int> {
        // in padding the count may be 0; −0.5 is rounded towards 0
        (self.cumulative_counts() - 0.5).int()
    }

    pub(crate) fn is_left_aligned(&self) -> bool {
        self.is_left_aligned
    }

    /// Number of tokens of the answer up to and including each column, `[pairs, tokens]`. In
    /// padding the value is any number from 0 to the answer's length.
    ///
    /// The counts are whole numbers stored as floats, exact up to 2²⁴, because integer arithmetic
    /// is several times slower on a CPU.
    pub(crate) fn cumulative_counts(&self) -> Tensor<B, 2> {
        if !self.is_left_aligned {
            return self.mask.clone().cumsum(1);
        }
        let [_, tokens] = self.mask.dims();
        let columns = Tensor::<B, 1, Int>::arange(1..tokens as i64 + 1, &self.mask.device());
        self.mask.clone() * columns.float().reshape([1, tokens])
    }

    /// `values` with 0 wherever the mask is 0. Padding then affects neither the loss nor its
    /// gradient, even if a model left an infinity there.
    pub(crate) fn zero_where_masked(&self, values: Tensor<B, 2>) -> Tensor<B, 2> {
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

/// A batch of preference pairs: the input of an objective.
#[derive(Clone, Debug)]
pub struct PairBatch<B: Backend> {
    /// The preferred answers.
    pub chosen: Side<B>,
    /// The other answers.
    pub rejected: Side<B>,
    /// Labels of the parts; [`Side::parts`] holds indices into this list.
    pub part_labels: Vec<String>,
    /// Scored segments of each pair, chosen and rejected (2D-DPO). Either one entry per pair or
    /// empty. They are plain data and not tensors, because they are ranked on the CPU.
    pub segments: Vec<(Segments, Segments)>,
}

impl<B: Backend> PairBatch<B> {
    /// A batch of two sides, without part labels and segments.
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

    /// Number of pairs in the batch.
    pub fn n_pairs(&self) -> usize {
        self.chosen.policy.dims()[0]
    }

    /// The side with the answers of this role.
    pub fn side(&self, role: Role) -> &Side<B> {
        match role {
            Role::Chosen => &self.chosen,
            Role::Rejected => &self.rejected,
        }
    }

    /// Refuses answers without a token.
    ///
    /// The masks are copied from the device, which costs time, so the loss never calls this. Call
    /// it once on data that you do not trust.
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
