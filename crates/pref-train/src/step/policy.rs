//! What training needs from a backend and from a model, in addition to what evaluation needs. In: Burn's
//! automatic differentiation and a [`Policy`]. Out: two traits, which fitting types implement automatically.

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use pref_model::{GradientSums, Kernels, Policy};

/// A backend that training runs on: automatic differentiation over a backend with [`Kernels`]. Every such
/// backend implements this trait automatically.
pub trait TrainBackend: AutodiffBackend<InnerBackend: Kernels> + GradientSums + Kernels {}

impl<B: AutodiffBackend<InnerBackend: Kernels> + GradientSums + Kernels> TrainBackend for B {}

/// A policy that can be trained: a Burn module that is a [`Policy`] on the backend with gradients and on the
/// backend without them. Every such module implements this trait automatically.
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
