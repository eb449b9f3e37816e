//! Trains a Burn model that Pref does not know: `own_policy model.path=FOLDER data.train=FILE …`.
use std::{env, error::Error, ops::Range, sync::atomic::AtomicBool};

use burn::backend::{Autodiff, Flex};
use burn::prelude::{Backend, Int, Module, Tensor};
use burn::{module::Param, tensor::Distribution, tensor::module::embedding};
use pref_model::Policy;
use pref_train::{Outcome, Plan, Settings, Silent, train_policy};

/// Predicts the next token from the mean embedding of the tokens so far.
#[derive(Module, Debug)]
struct MeanModel<B: Backend> {
    embed: Param<Tensor<B, 2>>, // [vocab, hidden]
    head: Param<Tensor<B, 2>>,  // [hidden, vocab]
}

impl<B: Backend> Policy<B> for MeanModel<B> {
    fn hidden(&self, tokens: Tensor<B, 2, Int>, _: &[Range<usize>]) -> Tensor<B, 3> {
        let [rows, n] = tokens.dims();
        let x = embedding(self.embed.val(), tokens); // [rows, n, hidden]
        let sees = Tensor::<B, 2>::ones([n, n], &x.device()).tril(0);
        let mean = sees.clone() / sees.sum_dim(1); // over a token and those before it
        mean.unsqueeze::<3>().expand([rows, n, n]).matmul(x).tanh()
    }

    fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        hidden.matmul(self.head.val())
    }

    fn vocab_size(&self) -> usize {
        self.head.dims()[1]
    }

    fn max_positions(&self) -> usize {
        4096
    }
}

pub(crate) fn run(settings: Settings, seed: u64, resume: bool) -> Result<Outcome, Box<dyn Error>> {
    type B = Autodiff<Flex>;
    let device = Default::default();
    B::seed(&device, seed);
    let random = |shape| Tensor::random(shape, Distribution::Normal(0.0, 0.1), &device);
    let policy = MeanModel::<B> {
        embed: Param::from_tensor(random([1024, 32])),
        head: Param::from_tensor(random([32, 1024])),
    };
    let (plan, stop) = (Plan::from_settings(settings)?, AtomicBool::new(false));
    let outcome = train_policy(&plan, policy, resume, &device, &mut Silent, &stop)?;
    Ok(outcome)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = Settings::default();
    for pair in env::args().skip(1) {
        settings.set(&pair)?;
    }
    run(settings, 7, false).map(drop)
}
