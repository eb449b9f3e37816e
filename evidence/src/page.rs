//! The page. In: outcomes. Out: `docs/evidence.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::claims::{self, Measure, Verdict};
use crate::interval::Interval;
use crate::methods::{Method, RATES};
use crate::runs::{BASE, Outcome, candidates, seeds, selected};
use crate::setup::RATE_SEED;

const INTRODUCTION: &str = "# Evidence

Which claims of the papers hold for small decoders on a generated task? `cargo xtask reproduce` runs everything on this page again, and writes it.

**Task.** The word problems of the recipe (`cargo xtask train`): two to four events, some of which have two halves. A decoder of 0.5 million weights imitates solvers of whom two thirds are careless, and is then right in about a third of its samples. For every seed, the decoder, its samples and the pairs of right and wrong samples are made anew; all methods of a seed train on the same pairs, for one epoch in batches of 16, with a cosine schedule. 500 problems that no decoder has seen are solved, once greedily and four times by sampling at temperature 1.

**Equal chances.** The learning rates RATES are searched for each method. All are tried on a seed of their own, which is not compared on; those that solve at most 5 points less there than the best are tried on all seeds. On each seed a method then has the rate that solves most samples on the *other* seeds. Other settings are the defaults of each method ([objectives.md](objectives.md)), and not searched. All methods on pairs have an SFT term of 1, except for those named *alone*, because without it the likelihood of right answers falls.

**What the methods need.** *Importance* of tokens (cdpo, cadpo) comes from two adapters trained on right and on wrong samples ([critical-tokens.md](critical-tokens.md)). *Parts* (hipo) are the steps and the final answer. *Scores* (1d-dpo, 2d-dpo) come from a program that checks each step. *Near pairs* (dpo-bc, dpo-bmc) take the right sample that differs least from the wrong one, in place of a rewrite by a language model, so the claims of DPO-BMC are tested on this substitute. BVPO has a part of its own below, because its decoders think before they answer.

**Intervals** are 95 % intervals over seeds (Student's t): they contain the differences between decoders, data and training runs. A claim *holds* if the interval of the difference is above 0, *does not hold* if it is below 0, and is *undecided* otherwise. The intervals of the claims are not corrected for their number: of twenty true zero differences, one is expected outside of its interval.

";

/// Writes the page from what is known so far. `others` are the parts about BVPO and about a real model.
pub(crate) fn write(
    path: &Path,
    outcomes: &[Outcome],
    methods: &[Method],
    others: &str,
) -> Result<()> {
    let text = text(outcomes, methods, others)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let part = path.with_extension("part");
    fs::write(&part, text).with_context(|| part.display().to_string())?;
    fs::rename(&part, path).with_context(|| path.display().to_string())
}

fn text(outcomes: &[Outcome], methods: &[Method], others: &str) -> Result<String> {
    let rates: Vec<String> = RATES.iter().map(|rate| format!("{rate:e}")).collect();
    let mut text = INTRODUCTION.replace("RATES", &rates.join(", "));
    in_short(&mut text, outcomes)?;
    let seeds = seeds(outcomes);
    writeln!(
        text,
        "## Methods\n\nMeans over {} seeds; in brackets, 95 % intervals.\n",
        seeds.len()
    )?;
    text.push_str("| method | learning rate | solved, sampled | solved, greedy | reward accuracy | margin | KL, nats |\n|---|---|---|---|---|---|---|\n");
    let names = std::iter::once(BASE).chain(methods.iter().map(|method| method.name));
    for name in names {
        let own: Vec<&Outcome> = seeds
            .iter()
            .filter_map(|&seed| selected(outcomes, name, seed))
            .collect();
        if own.len() < 2 {
            continue;
        }
        let mean = |value: &dyn Fn(&Outcome) -> Option<f64>| {
            let values: Option<Vec<f64>> = own.iter().map(|outcome| value(outcome)).collect();
            values.and_then(|values| Interval::of(&values))
        };
        let rate = match name == BASE {
            true => String::new(),
            false => rates_of(&own),
        };
        writeln!(
            text,
            "| {name} | {rate} | {} | {} | {} | {} | {} |",
            percent(mean(&|o| Some(o.sampled))),
            percent(mean(&|o| Some(o.greedy))),
            percent(mean(&|o| o.accuracy)),
            number(mean(&|o| o.margin)),
            number(mean(&|o| o.kl)),
        )?;
    }
    text.push_str(
        "\n`adpo-s4` has groups of four tokens, `adpo-a8` eight groups in each answer.\n",
    );
    claims(&mut text, outcomes)?;
    text.push_str(others);
    values(&mut text, outcomes, methods)?;
    Ok(text)
}

/// How many claims hold, and which are decided.
fn in_short(text: &mut String, outcomes: &[Outcome]) -> Result<()> {
    let all = claims::all();
    let with = |wanted: Verdict| -> Vec<String> {
        let decided = all.iter().filter(|claim| {
            let advantage = claim.advantage(outcomes);
            advantage.is_some_and(|advantage| Verdict::of(advantage) == wanted)
        });
        let name = |claim: &claims::Claim| format!("{} − {}", claim.better, claim.worse);
        decided.map(name).collect()
    };
    let (holds, fails) = (with(Verdict::Holds), with(Verdict::DoesNotHold));
    writeln!(
        text,
        "**In short.** Of {} claims, {} hold ({}), {} do not ({}), and the rest is undecided at this number of seeds.\n",
        all.len(),
        holds.len(),
        holds.join(", "),
        fails.len(),
        fails.join(", ")
    )?;
    Ok(())
}

/// The rates of outcomes, each once.
fn rates_of(outcomes: &[&Outcome]) -> String {
    let mut rates: Vec<f64> = outcomes.iter().map(|outcome| outcome.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:e}")).collect();
    rates.join(", ")
}

fn claims(text: &mut String, outcomes: &[Outcome]) -> Result<()> {
    text.push_str("\n## Claims\n\nThe difference is that of the solved samples in points, or of the KL divergence in nats (positive: nearer to the reference).\n\n| source | claim | compared | difference | |\n|---|---|---|---|---|\n");
    for claim in claims::all() {
        let compared = format!("{} − {}", claim.better, claim.worse);
        let (difference, verdict) = match claim.advantage(outcomes) {
            Some(advantage) => {
                let shown = match claim.measure {
                    Measure::Sampled => points(advantage),
                    Measure::Kl => number(Some(advantage)),
                };
                (shown, Verdict::of(advantage).name())
            }
            None => ("not run".to_owned(), "undecided"),
        };
        writeln!(
            text,
            "| {} | {} | {compared} | {difference} | {verdict} |",
            claim.source, claim.text
        )?;
    }
    Ok(())
}

/// All values, so that everyone can compute other statistics.
fn values(text: &mut String, outcomes: &[Outcome], methods: &[Method]) -> Result<()> {
    text.push_str("\n## All values\n\nShare of solved samples, in percent. The first columns are the search of the learning rate on its own seed. The others have the rates that were nearly the best there, from the smallest to the largest.\n\n");
    let seeds = seeds(outcomes);
    let mut header = String::from("| method |");
    for rate in RATES {
        write!(header, " {rate:e} |")?;
    }
    for seed in &seeds {
        write!(header, " seed {seed} |")?;
    }
    writeln!(
        text,
        "{header}\n|{}",
        "---|".repeat(1 + RATES.len() + seeds.len())
    )?;
    for method in methods {
        write!(text, "| {} |", method.name)?;
        let of = |seed: u64, rate: f64| {
            let found = outcomes.iter().find(|outcome| {
                outcome.method == method.name && outcome.seed == seed && rate == outcome.rate
            });
            found.map_or(String::new(), |found| {
                format!("{:.1}", 100.0 * found.sampled)
            })
        };
        for rate in RATES {
            write!(text, " {} |", of(RATE_SEED, rate))?;
        }
        let candidates = candidates(outcomes, method.name);
        for &seed in &seeds {
            let all: Vec<String> = candidates.iter().map(|&rate| of(seed, rate)).collect();
            write!(text, " {} |", all.join(" · "))?;
        }
        text.push('\n');
    }
    Ok(())
}

fn percent(value: Option<Interval>) -> String {
    value.map_or(String::new(), |v| {
        let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
        format!("{mean:.1} [{low:.1}, {high:.1}]")
    })
}

fn points(v: Interval) -> String {
    let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
    format!("{mean:+.1} [{low:+.1}, {high:+.1}]")
}

fn number(value: Option<Interval>) -> String {
    value.map_or(String::new(), |v| {
        format!("{:.2} [{:.2}, {:.2}]", v.mean, v.low, v.high)
    })
}
