//! Values of single tokens. In: the plan of a finished run. Out: for some held-out pairs, the reward, the weight and the
//! share of the gradient of each token, before and after training.

use std::path::Path;
use std::rc::Rc;

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use pref_core::{ObjectiveConfig, ObjectiveKind, PairBatch, PairwiseConfig, Role};
use pref_data::{BatchLayout, DiffAlgorithm, TokenDiff, Tokenizer};
use pref_model::{Decoder, Policy};
use serde::{Deserialize, Serialize};

use super::division::Division;
use super::folder::Folder;
use super::models::{ModelFolders, Models};
use super::pins;
use super::start::{Start, start_of};
use crate::autodiff_lock::lock_autodiff;
use crate::batch::{HeadValues, TokenValues, responses};
use crate::error::TrainError;
use crate::plan::{Plan, ReferenceKind};
use crate::ranks::{Alone, Ranks};
use crate::reference::Reference;
use crate::sets::{DataSet, RowBatch, skipped_rows};
use crate::step::{LossInputs, RunObjective, TrainBackend, attach};
use crate::tracker::Tracker;

/// A held-out pair by token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairTokens {
    /// The prompt as text, without special tokens.
    pub prompt: String,
    /// The tokens of the chosen answer.
    pub chosen: Vec<AnswerToken>,
    /// The tokens of the rejected answer.
    pub rejected: Vec<AnswerToken>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerToken {
    /// The id.
    pub id: u32,
    /// The token as text.
    pub text: String,
    /// Whether the token differs from the other answer of the pair: as the objective sees it, or by a Levenshtein
    /// alignment if the objective does not compare tokens.
    pub varied: bool,
    /// Before training.
    pub before: TokenState,
    /// After training.
    pub after: TokenState,
}

/// Values of a token under one state of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenState {
    /// Log-prob under the policy, nats.
    pub log_prob: f32,
    /// Log-prob under the reference, nats. `None` if the objective uses no reference.
    pub reference: Option<f32>,
    /// `β log(π / π_ref)`, or `β log π` without a reference. `β` is that of the objective, or 1 if it has none.
    pub reward: f64,
    /// The weight that the objective gives the log-prob of the token. `None` if it weighs all tokens the same.
    pub weight: Option<f32>,
    /// `−∂L/∂ log π` divided by the sum of the absolute values over both answers, -1 to 1. `L` is the loss of the pair;
    /// its divergence of whole distributions (tdpo) is taken as a constant.
    pub gradient: f64,
}

/// The scale `β` of an objective's rewards, and whether they are relative to a reference.
pub fn reward_scale(objective: &ObjectiveConfig) -> (Option<f64>, bool) {
    let value = objective.to_value();
    let beta = value["beta"].as_f64();
    let inner = || value["inner"]["beta"].as_f64();
    (beta.or_else(inner), objective.needs().reference)
}

/// Computes the values of each token of the first `n` held-out pairs of a finished run, with the models that the plan
/// names and with the model in the run's folder. All rows of the plan are read again.
///
/// The result is empty if the objective does not compare the log-probs of pairs, or if no pair is held out. The
/// reference is that of the start of the run.
///
/// # Errors
/// [`TrainError`] if a model or a row cannot be read.
pub fn token_values<B: TrainBackend>(
    plan: &Plan,
    n: usize,
    device: &B::Device,
    tracker: &mut dyn Tracker,
) -> Result<Vec<PairTokens>, TrainError> {
    let RunObjective::Pairs(_) = RunObjective::<B>::new(&plan.objective) else {
        return Ok(Vec::new());
    };
    if plan.data.eval.is_none() && plan.data.eval_fraction == 0.0 {
        return Ok(Vec::new());
    }
    plan.check()?;
    let mut plan = plan.clone();
    let tokenizer = pins::load_tokenizer(&mut plan, tracker)?;
    let ranks: Rc<dyn Ranks> = Rc::new(Alone);
    let folder = Folder::new(&plan.output.folder, false);
    let start = Start {
        plan: &plan,
        tokenizer: &tokenizer,
        folder: &folder,
        previous: None,
        ranks: &ranks,
    };
    let policy: Decoder<B> = Models::<B>::policy(&ModelFolders, &plan, device)?;
    let max_length = start.max_length(policy.max_positions())?;
    let sets = start.sets(policy.vocab_size(), max_length, tracker)?;
    let skipped = skipped_rows(&plan.data, &sets)?;
    let mut train = plan.train.clone();
    let division = Division::choose::<B, _>(&mut train, &policy, sets.of(DataSet::Train));
    let is_shown = |i: &usize| !skipped.of(DataSet::Eval).contains(i);
    let shown: Vec<usize> = (0..sets.of(DataSet::Eval).len())
        .filter(is_shown)
        .take(n)
        .collect();
    let reference = match plan.model.reference {
        ReferenceKind::None => Reference::None,
        ReferenceKind::AdapterOff => {
            let base = policy.without_adapters().ok_or(TrainError::NoAdapter)?;
            Reference::Model(Box::new(base.valid()))
        }
        ReferenceKind::FrozenCopy | ReferenceKind::Precomputed => {
            Reference::Model(Box::new(match &plan.model.reference_path {
                Some(path) => Models::<B>::reference(&ModelFolders, &plan, path, device)?,
                None => start_of(&plan, &policy).valid(),
            }))
        }
    };
    let before = policy.valid();
    let view = View::<B> {
        objective: RunObjective::new(&plan.objective),
        weights: weighing(&plan.objective).cloned(),
        scale: reward_scale(&plan.objective),
        inputs: LossInputs {
            sets,
            skipped,
            reference,
            layout: BatchLayout {
                pairs: 1,
                tokens: 0,
                shares_prompts: false,
                ..start.layout(before.vocab_size(), max_length, &division)
            },
            vocab_chunk: division.vocab_chunk,
            needs_kl: plan.objective.needs().kl,
            logs_entropy: false,
            alpha: 1.0,
            device: device.clone(),
            ranks: Rc::clone(&ranks),
        },
        tokenizer: &tokenizer,
    };
    tracker.begin("tokens", 2 * shown.len());
    let mut compute = |policy: &Decoder<B::InnerBackend>| {
        let states = shown.iter().map(|&index| {
            tracker.advance(1);
            view.states(policy, index)
        });
        states.collect::<Result<Vec<_>, TrainError>>()
    };
    let states_before = compute(&before)?;
    drop(before);
    let after = trained::<B>(&plan, &folder.model(), device)?;
    let states_after = compute(&after)?;
    tracker.end();
    let states = states_before.into_iter().zip(states_after);
    let pairs = shown.iter().zip(states);
    pairs
        .map(|(&index, states)| view.pair(index, states))
        .collect()
}

/// The trained model: a whole one, or the base model with the trained adapter.
fn trained<B: TrainBackend>(
    plan: &Plan,
    model: &Path,
    device: &B::Device,
) -> Result<Decoder<B::InnerBackend>, TrainError> {
    let ignored = &plan.model.ignore_config;
    match plan.train.lora {
        None => Ok(Decoder::load_ignoring(model, ignored, device)?),
        Some(_) => {
            let base = Decoder::load_ignoring(&plan.model.path, ignored, device)?;
            Ok(base.load_lora(model)?)
        }
    }
}

/// The objective whose token weights are shown: of a sum the first one, whose metrics are logged as well.
fn weighing(objective: &ObjectiveConfig) -> Option<&PairwiseConfig> {
    match objective.kind() {
        ObjectiveKind::Pairwise(config) => Some(config),
        ObjectiveKind::Bvpo(bvpo) => Some(&bvpo.inner),
        ObjectiveKind::Sum(terms) => terms.first().map(|term| &term.objective),
        ObjectiveKind::Kto(_)
        | ObjectiveKind::Sft(_)
        | ObjectiveKind::BradleyTerry(_)
        | ObjectiveKind::Segments(_) => None,
    }
}

/// What the values of a pair are computed from.
struct View<'a, B: TrainBackend> {
    objective: RunObjective<B>,
    weights: Option<PairwiseConfig>,
    scale: (Option<f64>, bool),
    inputs: LossInputs<B::InnerBackend, Decoder<B::InnerBackend>>,
    tokenizer: &'a Tokenizer,
}

/// The tokens of the chosen and of the rejected answer.
type States = [Vec<TokenState>; 2];

impl<B: TrainBackend> View<'_, B> {
    /// The values of the tokens of a pair under a policy.
    fn states(
        &self,
        policy: &Decoder<B::InnerBackend>,
        index: usize,
    ) -> Result<States, TrainError> {
        let inputs = &self.inputs;
        let examples = inputs.sets.of(DataSet::Eval);
        let rows = examples.rows(&[index]);
        let answers = rows.answers_of_loss(inputs.layout);
        let batch = &answers.batch;
        let tokens = responses::<B::InnerBackend>(batch, &inputs.device);
        let distributions = inputs.distributions(batch);
        let log_probs = tokens.log_probs(policy);
        let reference =
            inputs.reference_log_probs(DataSet::Eval, &[index], &answers, distributions.as_ref());
        let kl = distributions.map(|d| inputs.divergence(policy, batch, &d));
        let host = |tensor: &Tensor<B::InnerBackend, 2>| values_of(tensor);
        let (of_policy, of_reference) = (host(&log_probs), reference.as_ref().map(host));

        let _lock = lock_autodiff();
        let leaf = Tensor::<B, 2>::from_inner(log_probs).require_grad();
        let values = TokenValues {
            policy: leaf.clone(),
            reference: reference.map(Tensor::from_inner),
            kl: kl.map(Tensor::from_inner),
            of_head: HeadValues::none(),
        };
        let mut pairs = values.pairs(batch);
        let (RunObjective::Pairs(objective), RowBatch::Pairs(rows)) = (&self.objective, &rows)
        else {
            unreachable!("the objective compares pairs, and its rows are pairs")
        };
        attach(examples, rows, &mut pairs);
        let loss = objective.loss(&pairs)?.loss;
        let gradient = leaf.grad(&loss.backward()).map(|grad| values_of(&grad));
        let weights = self.token_weights(&pairs)?;

        let widths = leaf.dims()[1];
        let lengths = batch.answers.iter().map(|answer| answer.tokens.len());
        let lengths: Vec<usize> = lengths.collect();
        let all = || {
            lengths
                .iter()
                .enumerate()
                .flat_map(|(a, n)| (0..*n).map(move |t| (a, t)))
        };
        let gradient = |a: usize, t: usize| -> f64 {
            gradient
                .as_ref()
                .map_or(0.0, |grad| -f64::from(grad[a * widths + t]))
        };
        let total: f64 = all().map(|(a, t)| gradient(a, t).abs()).sum();
        let (beta, _) = self.scale;
        let state = |a: usize, t: usize| {
            let place = a * widths + t;
            let reference = of_reference.as_ref().map(|values| values[place]);
            let ratio = f64::from(of_policy[place]) - reference.map_or(0.0, f64::from);
            TokenState {
                log_prob: of_policy[place],
                reference,
                reward: beta.unwrap_or(1.0) * ratio,
                weight: weights[a].as_ref().map(|values| values[t]),
                gradient: if total > 0.0 {
                    gradient(a, t) / total
                } else {
                    0.0
                },
            }
        };
        Ok([0, 1].map(|a| (0..lengths[a]).map(|t| state(a, t)).collect()))
    }

    /// The weights of the tokens of both answers. `None` if all tokens have the same weight.
    fn token_weights(&self, pairs: &PairBatch<B>) -> Result<[Option<Vec<f32>>; 2], TrainError> {
        let mut both = [None, None];
        if let Some(config) = &self.weights {
            let objective = config.build::<B>();
            for (weights, role) in both.iter_mut().zip([Role::Chosen, Role::Rejected]) {
                let found = objective.token_weights(pairs, role)?;
                *weights = found.map(|weights| values_of(&weights.policy));
            }
        }
        Ok(both)
    }

    /// A pair with the values of its tokens.
    fn pair(
        &self,
        index: usize,
        (before, after): (States, States),
    ) -> Result<PairTokens, TrainError> {
        let rows = self.inputs.sets.of(DataSet::Eval).rows(&[index]);
        let RowBatch::Pairs(rows) = rows else {
            unreachable!("the objective compares pairs, and its rows are pairs")
        };
        let row = &rows[0];
        let pair = &row.pair;
        let diff = match &row.varied {
            Some(diff) => diff.clone(),
            None => TokenDiff::new(&pair.chosen, &pair.rejected, DiffAlgorithm::Levenshtein),
        };
        let [chosen_before, rejected_before] = before;
        let [chosen_after, rejected_after] = after;
        Ok(PairTokens {
            prompt: self.tokenizer.decode(&pair.prompt, true)?,
            chosen: self.answer(&pair.chosen, &diff.chosen, &chosen_before, &chosen_after)?,
            rejected: self.answer(
                &pair.rejected,
                &diff.rejected,
                &rejected_before,
                &rejected_after,
            )?,
        })
    }

    fn answer(
        &self,
        ids: &[u32],
        varied: &[bool],
        before: &[TokenState],
        after: &[TokenState],
    ) -> Result<Vec<AnswerToken>, TrainError> {
        let tokens = ids.iter().enumerate().map(|(t, &id)| {
            Ok(AnswerToken {
                id,
                text: self.text(ids, t)?,
                varied: varied[t],
                before: before[t],
                after: after[t],
            })
        });
        tokens.collect()
    }

    /// The text that the token `t` adds to the tokens before it. A token that is a part of a character has the sign
    /// for that, or no text.
    fn text(&self, ids: &[u32], t: usize) -> Result<String, TrainError> {
        // A tokenizer may drop the space at the beginning of a text.
        let from = t.saturating_sub(1);
        let shorter = self.tokenizer.decode(&ids[from..t], false)?;
        let longer = self.tokenizer.decode(&ids[from..=t], false)?;
        match longer.strip_prefix(&shorter) {
            Some(text) => Ok(text.to_owned()),
            None => Ok(self.tokenizer.decode(&ids[t..=t], false)?),
        }
    }
}

/// The values of a tensor on the host.
fn values_of<A: burn::tensor::backend::Backend>(tensor: &Tensor<A, 2>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}
