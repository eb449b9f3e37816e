//! The forward and backward passes of a step. In: the rows that it draws. Out: their gradients, and what is measured of
//! each row.

use burn::tensor::Tensor;
use pref_data::Sampler;
use pref_model::TrainingPass;

use super::gradients::{NamedGradients, parameter_shapes};
use super::loss_inputs::StepFailure;
use super::mixture::{AlphaEstimate, Groups, MOST_GROUPS, divided};
use super::policy::{TrainBackend, TrainablePolicy};
use super::trainer::{Drawn, Part, Trainer, Work};
use crate::sets::DataSet;

impl<B: TrainBackend, P: TrainablePolicy<B>> Trainer<B, P> {
    /// The next rows of a data set, without the rows that the plan leaves out.
    pub(super) fn drawn(&self, set: DataSet, sampler: &mut Sampler, n: usize) -> Drawn {
        let examples = self.inputs.sets.of(set);
        let mut indices = Vec::new();
        // This ends, because at least one row of the set is not left out.
        while indices.is_empty() {
            indices = examples.drawn_rows(sampler.next_batch(n));
            indices.retain(|i| !self.inputs.skipped.of(set).contains(i));
        }
        Drawn { set, indices }
    }

    /// Adds the gradients of `weight` times the mean loss of the rows. Ranks divide the micro-batches among them, and
    /// each adds its own.
    pub(super) fn add_gradients(
        &self,
        rows: &Drawn,
        weight: f64,
        gradients: &mut NamedGradients<B::InnerBackend>,
        work: &mut Work<B::InnerBackend>,
    ) -> Result<(), StepFailure> {
        let set = rows.set;
        let examples = self.inputs.sets.of(set);
        // Rows of similar length share a micro-batch, which saves padding and does not change the mean.
        let mut indices = rows.indices.clone();
        self.inputs
            .layout
            .sort_by_length(examples.entries(), &mut indices);
        let point = {
            let policy = self.policy().valid();
            let (inputs, objective) = (&self.inputs, &self.objective);
            inputs.reference_point(&policy, objective, set, &indices)?
        };
        for micro in self.inputs.layout.divide(examples.entries(), &indices) {
            let number = work.parts.len();
            work.parts.push((set, micro.to_vec()));
            if !self.inputs.ranks.owns(number) {
                continue;
            }
            let pass = TrainingPass {
                seed: self.plan.seed,
                step: self.position.step as u64,
                micro_batch: number as u64,
            };
            let share = examples.n_units(micro) as f64 / examples.n_units(&indices) as f64;
            let point = point.clone().map(Tensor::from_inner);
            let part = Part {
                policy: &self.policy().in_training(pass),
                set,
                indices: micro,
                share: weight * share,
            };
            let values = self.gradients(&part, point.as_ref(), gradients)?;
            work.measured.push((number, values));
        }
        Ok(())
    }

    /// Replaces the gradients by their sums over all ranks.
    pub(super) fn sum_over_ranks(
        &self,
        gradients: &mut NamedGradients<B::InnerBackend>,
    ) -> Result<(), StepFailure> {
        let ranks = &*self.inputs.ranks;
        if ranks.size() > 1 {
            let shapes = parameter_shapes(self.policy());
            gradients.sum_over(ranks, &shapes, &self.inputs.device)?;
        }
        Ok(())
    }

    /// The gradients of pairs with and without traces, mixed with the optimal `α`. The estimates of this step are added
    /// to `estimate`.
    pub(super) fn mixed_gradients(
        &self,
        sets: [&Drawn; 2],
        estimate: &mut AlphaEstimate,
        work: &mut Work<B::InnerBackend>,
    ) -> Result<NamedGradients<B::InnerBackend>, StepFailure> {
        let n_rows = sets.map(|rows| rows.indices.len());
        let n = n_rows.into_iter().fold(MOST_GROUPS, usize::min);
        let [trace, empty] = sets.map(|rows| divided(&rows.indices, n));
        let mut groups = Groups::new();
        for (trace, empty) in trace.into_iter().zip(empty) {
            let n_of_group = [trace.len(), empty.len()];
            let mut mean = |set: DataSet, indices: Vec<usize>| {
                let mut gradients = NamedGradients::default();
                self.add_gradients(&Drawn { set, indices }, 1.0, &mut gradients, work)?;
                self.sum_over_ranks(&mut gradients)?;
                Ok::<_, StepFailure>(gradients)
            };
            let trace = mean(DataSet::Train, trace)?;
            let empty = mean(DataSet::Empty, empty)?;
            let weights = [0, 1].map(|i| n_of_group[i] as f64 / n_rows[i] as f64);
            groups.add(trace, empty, weights);
        }
        Ok(groups.mixed(estimate))
    }
}
