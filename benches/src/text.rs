//! Made-up text and token ids. In: sizes. Out: a file of pairs, and answers that differ in a known
//! fraction of their tokens.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// Number of word problems in one prompt. With five, prompt and answer together have about 300
/// tokens.
const PROBLEMS: usize = 5;

const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"];
const THINGS: [&str; 6] = ["apples", "pens", "books", "shells", "coins", "stamps"];

/// Writes `n` pairs as JSON Lines. Each pair has several word problems. Pair `i` is the same in
/// every file.
///
/// # Errors
/// If the file cannot be written.
pub fn write_pairs(path: &Path, n: usize) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for seed in 0..n as u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let problems: Vec<[String; 3]> = (0..PROBLEMS).map(|_| problem(&mut rng)).collect();
        let join = |k: usize| {
            let texts: Vec<&str> = problems.iter().map(|texts| texts[k].as_str()).collect();
            texts.join("\n\n")
        };
        let row = json!({"prompt": join(0), "chosen": join(1), "rejected": join(2)});
        writeln!(file, "{row}")?;
    }
    file.flush()
}

/// A word problem, its right solution, and a wrong one.
fn problem(rng: &mut ChaCha8Rng) -> [String; 3] {
    let name = NAMES[rng.random_range(0..NAMES.len())];
    let thing = THINGS[rng.random_range(0..THINGS.len())];
    let (start, more) = (rng.random_range(4..=9), rng.random_range(2..=9));
    let (less, slip) = (rng.random_range(1..=4), rng.random_range(1..=3));
    let solution = |sum: i32| {
        let left = sum - less;
        format!(" {start} + {more} = {sum}\n {sum} - {less} = {left}\nA: {left}")
    };
    [
        format!(
            "Question: {name} has {start} {thing}, finds {more} more and gives {less} away. \
             How many {thing} does {name} have?\nAnswer:"
        ),
        solution(start + more),
        solution(start + more + slip),
    ]
}

/// The folder of the fixtures' tokenizer.
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
