//! Peak memory of the loss and its gradients for every objective, at 4 pairs of 1,024 to 8,192
//! tokens. In: made-up log-probs. Out: bytes per token. If memory is linear in the tokens, the
//! values of a row approach a constant.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use burn::backend::{Autodiff, Flex};
use peak_alloc::PeakAlloc;
use pref_benches::{Inputs, objectives};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const PAIRS: usize = 4;
const TOKENS: [usize; 4] = [1024, 2048, 4096, 8192];

fn main() {
    println!(
        "{:<18}{:>9}{:>9}{:>9}{:>9}   bytes per token, flex",
        "", 1024, 2048, 4096, 8192
    );
    for (name, config) in objectives() {
        let figures = TOKENS.map(|tokens| {
            let inputs = Inputs::<Autodiff<Flex>>::new(PAIRS, tokens, &Default::default());
            // the first run allocates buffers that stay; they are not counted
            drop(inputs.gradients(&config));
            let before = ALLOCATOR.current_usage();
            ALLOCATOR.reset_peak_usage();
            drop(inputs.gradients(&config));
            let peak = ALLOCATOR.peak_usage() - before;
            format!("{:>9.1}", peak as f64 / (2 * PAIRS * tokens) as f64)
        });
        println!("{name:<18}{}", figures.concat());
    }
}
