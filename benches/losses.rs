//! Objectives and batch shapes in, time of a loss with its gradients out, on both CPU backends.
//!
//! What is timed starts at the log-probs and ends at their gradients. Beside the forward and
//! backward of a model it should vanish; this shows whether it does.

use std::hint::black_box;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use criterion::{BenchmarkId, Criterion, Throughput};
use pref_core::ObjectiveConfig;

/// Cheap, reference-free, and one granule for every few tokens.
const METHODS: [&str; 3] = ["dpo", "simpo", "adpo"];

/// Pairs and tokens of a batch.
const SHAPES: [(usize, usize); 2] = [(8, 256), (8, 2048)];

fn losses<B: AutodiffBackend>(criterion: &mut Criterion, backend: &str) {
    let device = B::Device::default();
    let mut group = criterion.benchmark_group(format!("loss-and-gradient/{backend}"));
    for method in METHODS {
        let config = ObjectiveConfig::preset(method).expect("the presets are known");
        let config = config.pairwise().expect("the methods compare pairs");
        let objective = config.build::<B>();
        for (pairs, tokens) in SHAPES {
            let batch = pref_benches::pairs::<B>(pairs, tokens, &device);
            group.throughput(Throughput::Elements((2 * pairs * tokens) as u64));
            let id = BenchmarkId::new(method, format!("{pairs}x{tokens}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let output = objective.loss(&batch).expect("the batch has a reference");
                    let gradients = output.loss.backward();
                    let chosen = batch.chosen.policy.grad(&gradients);
                    // Reading a value waits for the device.
                    black_box(chosen.expect("the policy is a leaf").into_data())
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    losses::<Autodiff<Flex>>(&mut criterion, "flex");
    losses::<Autodiff<NdArray>>(&mut criterion, "ndarray");
    criterion.final_summary();
}
