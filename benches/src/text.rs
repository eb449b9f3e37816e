//! Made-up text and token ids. In: sizes. Out: a file of pairs, and answers that differ in a known
//! fraction of their tokens.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use pref_data::arithmetic_pairs;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// Word problems in one prompt. With five, prompt and answer together have about 300 tokens.
const PROBLEMS: usize = 5;

/// Writes `n` pairs as JSON Lines. The prompt of each pair has several word problems.
///
/// # Errors
/// If the file cannot be written.
pub fn write_pairs(path: &Path, n: usize) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for seed in 0..n as u64 {
        let problems = arithmetic_pairs(PROBLEMS, seed);
        let join = |of: &dyn Fn(&pref_data::Pair) -> String| {
            let texts: Vec<String> = problems.iter().map(of).collect();
            texts.join("\n\n")
        };
        let row = json!({
            "prompt": join(&|pair| pair.prompt.to_string()),
            "chosen": join(&|pair| pair.chosen.to_string()),
            "rejected": join(&|pair| pair.rejected.to_string()),
        });
        writeln!(file, "{row}")?;
    }
    file.flush()
}

/// The folder of a tokenizer in `fixtures/`.
pub fn tokenizer_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models/llama")
}

/// Two lists of token ids below 30,000. The first has `n` ids. In the second, about `share` of them
/// are replaced, left out, or followed by an additional one; `share` is from 0 to 1.
pub fn answers_that_differ(n: usize, share: f64) -> [Vec<u32>; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let chosen: Vec<u32> = (0..n).map(|_| rng.random_range(0..30_000)).collect();
    let mut rejected = Vec::with_capacity(n);
    for &id in &chosen {
        if rng.random_bool(1.0 - share) {
            rejected.push(id);
            continue;
        }
        let other = rng.random_range(0..30_000);
        match rng.random_range(0..3) {
            0 => rejected.push(other),
            1 => rejected.extend([id, other]),
            _ => {}
        }
    }
    [chosen, rejected]
}
