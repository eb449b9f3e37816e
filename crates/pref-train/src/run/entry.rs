//! Where a run begins: on one process, or on several that train together. In: a [`Plan`], and the model if it is
//! one of your own. Out: the outcome, or the error that all processes learn of.

use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use super::models::{GivenPolicy, ModelFolders, Models, RewardModels};
use super::outcome::Outcome;
use super::train::run as run_loop;
use crate::error::{TrainError, error_chain};
use crate::plan::Plan;
use crate::ranks::{Alone, Ranks};
use crate::step::{RunObjective, TrainBackend, TrainablePolicy};
use crate::tracker::{Silent, Tracker};

/// Trains the model in `model.path` of a plan, until the plan is finished or `stop` is set. An objective on
/// scores trains a [`RewardModel`](pref_model::RewardModel), which starts from a reward model or from a language
/// model.
///
/// With `resume`, the run in the plan's folder continues from its newest checkpoint that is complete and
/// undamaged. Its inputs (weights, tokenizer, template, rows) must be the same as at its start; their paths
/// may change. These settings may change as well: the learning rate, the rows to leave out (`data.skip`),
/// what is logged and saved, and the number of steps or epochs, which can only grow.
///
/// `tracker` receives messages and progress. `stop` is read after every step and every batch of an
/// evaluation or of the reference.
///
/// # Errors
/// [`TrainError`]. Files that were written before the error stay, so the run can be resumed from an earlier
/// checkpoint.
pub fn train<B: TrainBackend>(
    plan: &Plan,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let ranks: Rc<dyn Ranks> = Rc::new(Alone);
    train_together::<B>(plan, resume, device, tracker, stop, &ranks)
}

/// [`train`] on several processes, which call it at the same time. Each computes a part of the forward passes of
/// every step, of evaluations and of the reference. They sum their gradients, and all take the same step.
///
/// Rank 0 writes the files of the run and calls `tracker`; the plan is that of rank 0. All ranks have to see the
/// run's folder and read the same inputs. If `stop` is set on a rank, all ranks stop. A run of several processes is
/// resumed with as many.
///
/// # Errors
/// The errors of [`train`]; [`TrainError::Ranks`] if another rank failed, [`TrainError::RankInputs`] if the ranks
/// read different inputs, and [`TrainError::OtherProcesses`] if a resumed run had another number of processes.
pub fn train_together<B: TrainBackend>(
    plan: &Plan,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
    ranks: &Rc<dyn Ranks>,
) -> Result<Outcome, TrainError> {
    match RunObjective::<B>::new(&plan.objective) {
        RunObjective::Scores(scores) => {
            let models = RewardModels(scores);
            run::<B, RewardModels>(plan, models, resume, device, tracker, stop, ranks)
        }
        RunObjective::Pairs(_) | RunObjective::Answers(_) | RunObjective::Wanted(_) => {
            run::<B, ModelFolders>(plan, ModelFolders, resume, device, tracker, stop, ranks)
        }
    }
}

/// Trains a policy of your own, as [`train`] trains the model in `model.path`.
///
/// In this case `model.path` of the plan is the folder of the tokenizer. To resume, give the same `policy` as
/// at the start of the run: its parameters are compared with the parameters at the start, and then get the
/// values of the checkpoint.
///
/// # Errors
/// The errors of [`train`], [`TrainError::NoSharedPrompts`] if the plan asks for shared prompts and the
/// policy does not support them, and [`TrainError::NeedsRewardModel`] for an objective on scores.
pub fn train_policy<B: TrainBackend, P: TrainablePolicy<B>>(
    plan: &Plan,
    policy: P,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let ranks: Rc<dyn Ranks> = Rc::new(Alone);
    train_policy_together(plan, policy, resume, device, tracker, stop, &ranks)
}

/// [`train_policy`] on several processes, as [`train_together`] is [`train`] on several processes. `policy` has
/// the same parameters on all ranks.
///
/// # Errors
/// The errors of [`train_policy`] and of [`train_together`].
pub fn train_policy_together<B: TrainBackend, P: TrainablePolicy<B>>(
    plan: &Plan,
    policy: P,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
    ranks: &Rc<dyn Ranks>,
) -> Result<Outcome, TrainError> {
    if plan.objective.needs().reward_model {
        let method = plan.objective.method().name();
        return Err(TrainError::NeedsRewardModel { method });
    }
    let models = GivenPolicy(policy);
    run::<B, GivenPolicy<P>>(plan, models, resume, device, tracker, stop, ranks)
}

/// Trains, and tells the other ranks if this one fails.
fn run<B: TrainBackend, M: Models<B>>(
    plan: &Plan,
    models: M,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
    ranks: &Rc<dyn Ranks>,
) -> Result<Outcome, TrainError> {
    let mut silent = Silent;
    let tracker = match ranks.is_first() {
        true => tracker,
        false => &mut silent,
    };
    let outcome = run_loop::<B, M>(plan, models, resume, device, tracker, stop, ranks);
    if let Err(error) = &outcome {
        ranks.fail(&error_chain(error));
    }
    outcome
}
