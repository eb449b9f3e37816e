//! Where the models of a run come from. In: a plan. Out: the policy, its fingerprint and its reference.

use std::path::Path;

use burn::module::AutodiffModule;
use pref_data::Tokenizer;
use pref_model::{Decoder, FreshHead, Policy, RewardModel};

use super::adapter::with_adapter;
use super::identity::{Fingerprint, parameter_fingerprint, weight_fingerprint};
use crate::autodiff_lock::lock_autodiff;
use crate::error::TrainError;
use crate::plan::Plan;
use crate::step::{ScoreObjective, TrainBackend, TrainablePolicy};

/// The source of the models of a run.
pub(super) trait Models<B: TrainBackend> {
    /// The type of the policy.
    type Policy: TrainablePolicy<B>;

    /// The policy before training.
    fn policy(&self, plan: &Plan, device: &B::Device) -> Result<Self::Policy, TrainError>;

    /// The fingerprint of the policy before training.
    fn fingerprint(&self, plan: &Plan, policy: &Self::Policy) -> Result<Fingerprint, TrainError>;

    /// The reference model that is stored in the folder `path`.
    fn reference(
        &self,
        plan: &Plan,
        path: &Path,
        device: &B::Device,
    ) -> Result<<Self::Policy as AutodiffModule<B>>::InnerModule, TrainError>;
}

/// Decoders from the model folders that the plan names.
pub(super) struct ModelFolders;

impl<B: TrainBackend> Models<B> for ModelFolders {
    type Policy = Decoder<B>;

    fn policy(&self, plan: &Plan, device: &B::Device) -> Result<Self::Policy, TrainError> {
        let _lock = lock_autodiff();
        let model = &plan.model;
        let decoder = Decoder::load_ignoring(&model.path, &model.ignore_config, device)?;
        match &plan.train.lora {
            Some(lora) => with_adapter(decoder, lora, plan),
            None => Ok(decoder),
        }
    }

    fn fingerprint(&self, plan: &Plan, _: &Self::Policy) -> Result<Fingerprint, TrainError> {
        weight_fingerprint(&plan.model.path)
    }

    fn reference(
        &self,
        plan: &Plan,
        path: &Path,
        device: &B::Device,
    ) -> Result<Decoder<B::InnerBackend>, TrainError> {
        Ok(Decoder::load_ignoring(
            path,
            &plan.model.ignore_config,
            device,
        )?)
    }
}

/// Reward models: their folders, or the folders of language models, whose heads are replaced.
pub(super) struct RewardModels(pub(super) ScoreObjective);

impl<B: TrainBackend> Models<B> for RewardModels {
    type Policy = RewardModel<B>;

    fn policy(&self, plan: &Plan, device: &B::Device) -> Result<Self::Policy, TrainError> {
        let tokenizer = Tokenizer::from_folder(&plan.model.path)?;
        let fresh = FreshHead {
            labels: self.0.labels(),
            pad_id: tokenizer.pad_id().or(tokenizer.eos_id()),
            seed: plan.train.seed,
        };
        let _lock = lock_autodiff();
        let model = &plan.model;
        let model = RewardModel::load_or_start(&model.path, &model.ignore_config, fresh, device)?;
        Ok(match plan.train.head_only {
            true => model.with_frozen_decoder(),
            false => model,
        })
    }

    fn fingerprint(&self, plan: &Plan, _: &Self::Policy) -> Result<Fingerprint, TrainError> {
        weight_fingerprint(&plan.model.path)
    }

    /// No objective of a reward model has a reference.
    fn reference(
        &self,
        plan: &Plan,
        path: &Path,
        device: &B::Device,
    ) -> Result<RewardModel<B::InnerBackend>, TrainError> {
        Ok(RewardModel::load(path, &plan.model.ignore_config, device)?)
    }
}

/// A policy that the caller gives. A separate reference is a copy of it with the weights of `reference-path`.
pub(super) struct GivenPolicy<P>(pub(super) P);

impl<B: TrainBackend, P: TrainablePolicy<B>> Models<B> for GivenPolicy<P> {
    type Policy = P;

    fn policy(&self, plan: &Plan, _: &B::Device) -> Result<P, TrainError> {
        match &plan.train.lora {
            Some(_) => Err(TrainError::LoraOfGivenPolicy),
            None => Ok(self.0.clone()),
        }
    }

    fn fingerprint(&self, _: &Plan, policy: &P) -> Result<Fingerprint, TrainError> {
        Ok(parameter_fingerprint(policy))
    }

    fn reference(
        &self,
        _: &Plan,
        path: &Path,
        _: &B::Device,
    ) -> Result<P::InnerModule, TrainError> {
        Ok(self.0.reference().valid().restore(path)?)
    }
}
