//! Problems solved by a model. In: rows with prompts and answers. Out: the checked answers, greedy and sampled, in files
//! and in memory.

use std::path::Path;

use anyhow::{Result, ensure};

use super::args::Args;
use crate::solving::{Answer, Drawn, Solving, read_checked};

/// The answers to all problems, in the order of the problems.
pub(super) struct Answers {
    pub(super) greedy: Vec<Answer>,
    /// For each problem its samples; none with `--n 0`.
    pub(super) sampled: Vec<Vec<Answer>>,
}

/// Draws and checks what is missing, and reads the checked answers. `model` is the model as it was named.
pub(super) fn solve(args: &Args, data: &Path, model: &Path, folder: &Path) -> Result<Answers> {
    let sample = args.sample.after("n", args.n.max(1));
    let solving = Solving {
        sample: &sample,
        check: &args.check,
        device: args.device.device,
    };
    let solve = |name: &str, drawn: Drawn, n: usize| -> Result<Vec<Answer>> {
        let [answers, checked] =
            ["", "-checked"].map(|ending| folder.join(format!("{name}{ending}.jsonl")));
        solving.sample(data, model, &answers, u64::from(args.seed), drawn)?;
        solving.check(&answers, &checked)?;
        let all = read_checked(&checked)?;
        ensure!(
            !all.is_empty() && all.len().is_multiple_of(n),
            "{} has {} rows, and there should be {n} of each problem; remove the folder, and run the command again",
            checked.display(),
            all.len()
        );
        Ok(all)
    };
    let greedy = solve("greedy", Drawn::Greedy, 1)?;
    let n = args.n as usize;
    let sampled = match n {
        0 => Vec::new(),
        n => solve("samples", Drawn::Sampled, n)?
            .chunks(n)
            .map(<[Answer]>::to_vec)
            .collect(),
    };
    Ok(Answers { greedy, sampled })
}
