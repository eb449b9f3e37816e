//! Where the models of a run come from. In: a plan. Out: the policy, its fingerprint and its reference.

use std::path::Path;

use burn::module::AutodiffModule;
use pref_model::{Decoder, Policy};

use super::identity::{Fingerprint, parameter_fingerprint, weight_fingerprint};
use crate::autodiff_lock::lock_autodiff;
use crate::error::TrainError;
use crate::plan::Plan;
use crate::step::{TrainBackend, TrainablePolicy};

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
        Ok(Decoder::load_ignoring(
            &model.path,
            &model.ignore_config,
            device,
        )?)
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

/// A policy that the caller gives. A separate reference is a copy of it with the weights of `reference-path`.
pub(super) struct GivenPolicy<P>(pub(super) P);

impl<B: TrainBackend, P: TrainablePolicy<B>> Models<B> for GivenPolicy<P> {
    type Policy = P;

    fn policy(&self, _: &Plan, _: &B::Device) -> Result<P, TrainError> {
        Ok(self.0.clone())
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
