//! What training asks of a backend and of a model, besides what evaluation asks of them.

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use pref_model::{Kernels, Policy};

/// A backend that training runs on: automatic differentiation over a backend with [`Kernels`]. Every
/// such backend is one without further code.
pub trait TrainBackend: AutodiffBackend<InnerBackend: Kernels> + Kernels {}

impl<B: AutodiffBackend<InnerBackend: Kernels> + Kernels> TrainBackend for B {}

/// A policy that can be trained: a Burn module with gradients, which is a [`Policy`] with and without
/// them. Every such module is one without further code.
pub trait TrainablePolicy<B: TrainBackend>:
    Policy<B> + AutodiffModule<B, InnerModule: Policy<B::InnerBackend>>
{
}

impl<B, P> TrainablePolicy<B> for P
where
    B: TrainBackend,
    P: Policy<B> + AutodiffModule<B, InnerModule: Policy<B::InnerBackend>>,
{
}
