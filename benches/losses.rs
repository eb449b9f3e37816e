//! Every objective at 16 pairs of up to 2,048 tokens: time of a loss with its gradients.
//!
//! What is timed starts at the log-probs and ends at their gradients. Beside the forward and
//! backward of a model it should vanish; this shows whether it does.

use std::hint::black_box;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use criterion::Criterion;
use pref_benches::{Inputs, objectives};

/// As in the `pref` command. With the C library's allocator a figure hangs on what was freed before.
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
                B::sync(&device).expect("the device computes")
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
