//! The part of the page about a real model. In: outcomes. Out: a table.

use std::fmt::Write;

use anyhow::Result;
use pref_eval::Mean;

use crate::real::{METHODS, RealOutcome, SEEDS, Way, difference, is_right, mean};

/// Adds the part about a real model, if it was run. `model` is its name.
pub(crate) fn write(text: &mut String, model: &str, outcomes: &[RealOutcome]) -> Result<()> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let most = METHODS.len() * Way::ALL.len() * SEEDS as usize;
    writeln!(
        text,
        "\n## A real model\n\n`{model}` on pairs of right and wrong solutions to GSM8K questions, fine-tuned with all weights and with LoRA (rank 16). The learning rates ({:e} and {:e}) and all other settings are fixed, not searched. The held-out pairs are the same for all runs. Rewards are log-ratios to the model before training, also for SimPO, whose loss has no reference; before training all are 0. Values are means over pairs of the mean over seeds; in brackets, 95 % intervals of a bootstrap over pairs. The interval of a difference from DPO is that of the differences pair by pair. {} of {most} runs are done.\n",
        Way::Full.rate(),
        Way::Lora.rate(),
        outcomes.len(),
    )?;
    text.push_str("| method | weights | seeds | reward accuracy | minus that of DPO | log-prob of chosen, change in nats | of rejected | margin, nats |\n|---|---|---|---|---|---|---|---|\n");
    for way in Way::ALL {
        let of = |method: &str| -> Vec<&RealOutcome> {
            let own = |outcome: &&RealOutcome| outcome.method == method && outcome.way == way;
            outcomes.iter().filter(own).collect()
        };
        let dpo = of("dpo");
        for (method, ..) in METHODS {
            let own = of(method);
            if own.is_empty() {
                continue;
            }
            // Only the seeds that both methods have are compared.
            let shared = |list: &[&RealOutcome], other: &[&RealOutcome]| -> Vec<RealOutcome> {
                let has = |outcome: &&&RealOutcome| other.iter().any(|o| o.seed == outcome.seed);
                list.iter()
                    .filter(has)
                    .map(|outcome| (*outcome).clone())
                    .collect()
            };
            let (a, b) = (shared(&own, &dpo), shared(&dpo, &own));
            let (a, b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
            let against = match method {
                "dpo" => String::new(),
                _ => points(difference(&a, &b, is_right)),
            };
            writeln!(
                text,
                "| {method} | {} | {} | {} | {against} | {} | {} | {} |",
                way.name(),
                own.len(),
                percent(mean(&own, is_right)),
                number(mean(&own, |[chosen, _]| chosen)),
                number(mean(&own, |[_, rejected]| rejected)),
                number(mean(&own, |[chosen, rejected]| chosen - rejected)),
            )?;
        }
    }
    Ok(())
}

fn percent(value: Option<Mean>) -> String {
    value.map_or(String::new(), |v| {
        let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
        format!("{mean:.1} [{low:.1}, {high:.1}]")
    })
}

fn points(value: Option<Mean>) -> String {
    value.map_or(String::new(), |v| {
        let [mean, low, high] = [v.mean, v.low, v.high].map(|value| 100.0 * value);
        format!("{mean:+.1} [{low:+.1}, {high:+.1}]")
    })
}

fn number(value: Option<Mean>) -> String {
    value.map_or(String::new(), |v| {
        format!("{:.2} [{:.2}, {:.2}]", v.mean, v.low, v.high)
    })
}
