//! Time of the loss and its gradients for every objective, at 16 pairs of up to 2,048 tokens. In:
//! made-up log-probs. Out: times, from the log-probs to their gradients.
//!
//! The time should be negligible compared with the forward and backward pass of a model.

use std::hint::black_box;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use criterion::Criterion;
use pref_benches::{Inputs, objectives};

/// The allocator of the `pref` command. With the C library's allocator, a time depends on which
/// memory was freed before.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAIRS: usize = 16;
const TOKENS: usize = 2048;

fn losses<B: AutodiffBackend>(criterion: &mut Criterion, backend: &str) {
    let device = B::Device::default();
    let inputs = Inputs::<B>::new(PAIRS, TOKENS, &device);
    let mut group = criterion.benchmark_group(backend);
    for (name, config) in objectives() {
        group.bench_function(&name, |bencher| {
            bencher.iter(|| {
                black_box(inputs.gradients(&config));
                B::sync(&device).expect("the device finishes its work")
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .configure_from_args();
    losses::<Autodiff<Flex>>(&mut criterion, "flex");
    losses::<Autodiff<NdArray>>(&mut criterion, "ndarray");
    criterion.final_summary();
}
