//! The part of the page about BVPO. In: outcomes. Out: two tables.

use std::fmt::Write;

use anyhow::Result;

use crate::bvpo::{BASE, BvpoOutcome, Gradients, METHODS};
use crate::claims::Verdict;
use crate::interval::Interval;

const INTRODUCTION: &str = "
## BVPO

The task again, for a decoder that thinks: it has learnt every lesson twice, as a thought `<think>…</think>` with the steps and the answer after it, and as the answer alone after an empty thought. It samples six solutions of both kinds for each problem. Problems whose samples give a pair of both kinds are in both sets. *dpo* trains on the pairs with thoughts, *dpo-empty* on those with empty thoughts, *bvpo* on both, all for one epoch at 3e-4 with an SFT term of 1. Problems are solved with thoughts.

";

/// Adds the part about BVPO, if it was run.
pub(crate) fn write(text: &mut String, outcomes: &[BvpoOutcome]) -> Result<()> {
    let values = |method: &str, value: &dyn Fn(&BvpoOutcome) -> f64| -> Vec<f64> {
        let own = outcomes.iter().filter(|outcome| outcome.method == method);
        own.map(value).collect()
    };
    if values("dpo", &|o| o.sampled).len() < 2 {
        return Ok(());
    }
    text.push_str(INTRODUCTION);
    writeln!(
        text,
        "Means over {} seeds; in brackets, 95 % intervals.\n",
        values("dpo", &|o| o.sampled).len()
    )?;
    text.push_str("| method | solved, sampled | solved, greedy | sampled, minus that of dpo | |\n|---|---|---|---|---|\n");
    let names = std::iter::once(BASE).chain(METHODS.iter().map(|(name, _)| *name));
    for name in names {
        let against = |value: &dyn Fn(&BvpoOutcome) -> f64| {
            let own = outcomes.iter().filter(|outcome| outcome.method == name);
            let differences: Vec<f64> = own
                .filter_map(|own| {
                    let dpo = |o: &&BvpoOutcome| o.method == "dpo" && o.seed == own.seed;
                    Some(value(own) - value(outcomes.iter().find(dpo)?))
                })
                .collect();
            Interval::of(&differences)
        };
        let difference = against(&|o| o.sampled).filter(|_| name != "dpo");
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            percent(Interval::of(&values(name, &|o| o.sampled))),
            percent(Interval::of(&values(name, &|o| o.greedy))),
            difference.map_or(String::new(), points),
            match name {
                BASE | "dpo" => "",
                _ => difference.map_or("", |d| Verdict::of(d).name()),
            }
        )?;
    }
    let gradients: Vec<Gradients> = outcomes
        .iter()
        .filter_map(|outcome| outcome.gradients)
        .collect();
    let of = |value: &dyn Fn(&Gradients) -> f64| {
        Interval::of(&gradients.iter().map(value).collect::<Vec<f64>>())
    };
    text.push_str("\nThe paper's claim is that the mixture has a smaller variance than the gradient of pairs with thoughts alone. `pref train` estimates the moments of both gradients in every step of *bvpo-optimal*; the table has means over steps, then over seeds.\n\n| gradient | variance, as a share of that with thoughts |\n|---|---|\n");
    for (name, value) in [
        (
            "pairs with empty thoughts",
            &(|g: &Gradients| g.empty / g.trace) as &dyn Fn(&Gradients) -> f64,
        ),
        ("mixture, α = 0.5", &|g| g.half / g.trace),
        ("mixture, α of the step", &|g| g.mixture / g.trace),
    ] {
        writeln!(text, "| {name} | {} |", percent(of(value)))?;
    }
    if let (Some(alpha), Some(bias)) = (of(&|g| g.alpha), of(&|g| g.bias / g.trace.sqrt())) {
        writeln!(
            text,
            "\nThe optimal α is {:.2} [{:.2}, {:.2}] on average. The distance of both mean gradients is {:.2} [{:.2}, {:.2}] standard deviations of the gradient with thoughts.",
            alpha.mean, alpha.low, alpha.high, bias.mean, bias.low, bias.high
        )?;
    }
    Ok(())
}

fn percent(value: Option<Interval>) -> String {
    value.map_or(String::new(), |v| {
        let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
        format!("{mean:.1} % [{low:.1}, {high:.1}]")
    })
}

fn points(v: Interval) -> String {
    let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
    format!("{mean:+.1} [{low:+.1}, {high:+.1}]")
}
