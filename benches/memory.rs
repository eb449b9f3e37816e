//! Every objective at 4 pairs of 1,024 to 8,192 tokens: bytes allocated at the peak of a loss with
//! its gradients, a token. A loss whose memory is linear in the tokens has the same figure in each
//! column.

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
        "{:<18}{:>9}{:>9}{:>9}{:>9}   bytes a token, flex",
        "", 1024, 2048, 4096, 8192
    );
    for (name, config) in objectives() {
        let figures = TOKENS.map(|tokens| {
            let inputs = Inputs::<Autodiff<Flex>>::new(PAIRS, tokens, &Default::default());
            // buffers that live for ever are not the loss's
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
