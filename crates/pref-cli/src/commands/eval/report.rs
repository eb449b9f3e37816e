//! What an evaluation found. In: the answers and values of each model. Out: a JSON object, and tables.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use pref_eval::{
    AnswerClass, Comparison, Difference, Mean, Verdict, bootstrap_mean, compare_answers, holm,
    maj_at_k, paired_difference, pass_at_k, wilson,
};
use serde_json::{Map, Value, json};

use super::pairs::{Divergence, Margin};
use super::problems::Answers;
use crate::numbers::{bracketed, p_value, percent, points};
use crate::solving::Answer;
use crate::win_rates::{Standing, correct};

/// What is known of a model.
pub(super) struct ModelReport {
    model: PathBuf,
    pub(super) answers: Option<Answers>,
    pub(super) margins: Option<Vec<Margin>>,
    pub(super) divergence: Option<Divergence>,
    /// Against the baseline, by the judge.
    pub(super) standing: Option<Standing>,
}

impl ModelReport {
    pub(super) fn new(model: PathBuf) -> Self {
        Self {
            model,
            answers: None,
            margins: None,
            divergence: None,
            standing: None,
        }
    }
}

/// One value of a model, with its interval.
struct Metric {
    /// The name in JSON.
    name: String,
    value: f64,
    low: f64,
    high: f64,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A share, 0 to 1.
    Share,
    Nats,
    Tokens,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Share => percent(value),
            Unit::Nats => format!("{value:.3}"),
            Unit::Tokens => format!("{value:.1}"),
        }
    }

    fn show_difference(self, value: f64) -> String {
        match self {
            Unit::Share => points(value),
            Unit::Nats => format!("{value:+.3}"),
            Unit::Tokens => format!("{value:+.1}"),
        }
    }
}

/// The metrics of a model.
struct Line {
    model: PathBuf,
    metrics: Vec<Metric>,
    /// Values for each question, of which differences are made, by the name of the metric.
    values: Vec<(String, Unit, Vec<f64>)>,
    greedy: Vec<bool>,
    counts: Value,
    standing: Option<Standing>,
}

/// All models.
pub(super) struct Report {
    seed: u64,
    beta: f64,
    ks: Vec<u32>,
    lines: Vec<Line>,
}

impl Report {
    pub(super) fn new(seed: u64, beta: f64, ks: Vec<u32>) -> Self {
        let lines = Vec::new();
        Self {
            seed,
            beta,
            ks,
            lines,
        }
    }

    /// Adds a model. Its rows must be those of the models before it.
    pub(super) fn add(&mut self, model: ModelReport) -> Result<()> {
        let mut line = Line {
            model: model.model,
            metrics: Vec::new(),
            values: Vec::new(),
            greedy: Vec::new(),
            counts: json!({}),
            standing: None,
        };
        if let Some(answers) = &model.answers {
            self.add_answers(&mut line, answers);
        }
        if let Some(margins) = &model.margins {
            self.add_margins(&mut line, margins);
        }
        if let Some(divergence) = &model.divergence {
            self.put(&mut line, "kl", Unit::Nats, divergence.by_problem.clone());
        }
        if let Some(standing) = model.standing {
            line.metrics
                .extend(standing.rates().into_iter().map(|(name, mean)| Metric {
                    name: name.to_owned(),
                    value: mean.mean,
                    low: mean.low,
                    high: mean.high,
                    unit: Unit::Share,
                }));
            line.standing = Some(standing);
        }
        if let Some(first) = self.lines.first() {
            let same = first.values.iter().all(|(name, _, values)| {
                let own = line.values.iter().find(|(own, ..)| own == name);
                own.is_none_or(|(_, _, own)| own.len() == values.len())
            });
            ensure!(
                same && first.greedy.len() == line.greedy.len(),
                "{} was evaluated on another number of rows than {}; the data has changed: choose another --output",
                line.model.display(),
                first.model.display()
            );
        }
        self.lines.push(line);
        Ok(())
    }

    /// Adds a metric that is the mean of a value for each question.
    fn put(&self, line: &mut Line, name: &str, unit: Unit, values: Vec<f64>) {
        let Some(Mean { mean, low, high }) = bootstrap_mean(&values, self.seed) else {
            return;
        };
        line.metrics.push(Metric {
            name: name.to_owned(),
            value: mean,
            low,
            high,
            unit,
        });
        line.values.push((name.to_owned(), unit, values));
    }

    fn add_answers(&self, line: &mut Line, answers: &Answers) {
        let greedy = &answers.greedy;
        line.greedy = greedy.iter().map(|answer| answer.is_right).collect();
        let share = wilson(count(greedy, |answer| answer.is_right), greedy.len());
        line.metrics.push(Metric {
            name: "greedy".to_owned(),
            value: share.share,
            low: share.low,
            high: share.high,
            unit: Unit::Share,
        });
        let tokens = greedy.iter().map(|answer| answer.n_tokens as f64).collect();
        self.put(line, "greedy_tokens", Unit::Tokens, tokens);
        if !answers.sampled.is_empty() {
            let classes: Vec<Vec<AnswerClass>> =
                answers.sampled.iter().map(|all| classes(all)).collect();
            for &k in &self.ks {
                let k = k as usize;
                let pass = |all: &Vec<Answer>| {
                    pass_at_k(all.len(), count(all, |answer| answer.is_right), k)
                };
                let pass: Option<Vec<f64>> = answers.sampled.iter().map(pass).collect();
                if let Some(values) = pass {
                    self.put(line, &format!("pass@{k}"), Unit::Share, values);
                }
            }
            for &k in self.ks.iter().filter(|&&k| k > 1) {
                let majority =
                    |classes: &Vec<AnswerClass>| maj_at_k(classes, k as usize, self.seed);
                let majority: Option<Vec<f64>> = classes.iter().map(majority).collect();
                if let Some(values) = majority {
                    self.put(line, &format!("maj@{k}"), Unit::Share, values);
                }
            }
            let mean = |all: &Vec<Answer>| {
                all.iter().map(|answer| answer.n_tokens as f64).sum::<f64>() / all.len() as f64
            };
            let tokens = answers.sampled.iter().map(mean).collect();
            self.put(line, "sampled_tokens", Unit::Tokens, tokens);
        }
        let counts = |answers: &mut dyn Iterator<Item = &Answer>| {
            let all: Vec<&Answer> = answers.collect();
            let count = |wanted: fn(&Answer) -> bool| all.iter().filter(|a| wanted(a)).count();
            json!({
                "answers": all.len(),
                "right": count(|answer| answer.is_right),
                "unknown": count(|answer| answer.is_unknown),
                "cut": count(|answer| answer.is_cut),
            })
        };
        line.counts = json!({
            "problems": greedy.len(),
            "greedy": counts(&mut greedy.iter()),
            "sampled": counts(&mut answers.sampled.iter().flatten()),
        });
    }

    fn add_margins(&self, line: &mut Line, margins: &[Margin]) {
        let n_right = margins
            .iter()
            .filter(|margin| margin.chosen > margin.rejected)
            .count();
        let share = wilson(n_right, margins.len());
        line.metrics.push(Metric {
            name: "rewards/accuracies".to_owned(),
            value: share.share,
            low: share.low,
            high: share.high,
            unit: Unit::Share,
        });
        let values = |value: &dyn Fn(&Margin) -> f64| margins.iter().map(value).collect();
        let of_margin = |m: &Margin| self.beta * (m.chosen - m.rejected);
        self.put(line, "rewards/margins", Unit::Nats, values(&of_margin));
        self.put(line, "logps/chosen", Unit::Nats, values(&|m| m.chosen_logp));
        self.put(
            line,
            "logps/rejected",
            Unit::Nats,
            values(&|m| m.rejected_logp),
        );
    }

    /// The differences of a model from the first one.
    fn differences(&self, line: &Line) -> Vec<(String, Unit, Difference)> {
        let Some(first) = self.lines.first() else {
            return Vec::new();
        };
        let difference = |(name, unit, values): &(String, Unit, Vec<f64>)| {
            let (_, _, before) = first.values.iter().find(|(own, ..)| own == name)?;
            let both: Vec<(f64, f64)> =
                before.iter().copied().zip(values.iter().copied()).collect();
            Some((name.clone(), *unit, paired_difference(&both, self.seed)?))
        };
        line.values.iter().filter_map(difference).collect()
    }

    /// The greedy answers of each model but the first one beside those of the first one, and p-values that hold for all
    /// of these tests together.
    fn comparisons(&self) -> Vec<Option<(Comparison, f64)>> {
        let compare = |line: &Line| Comparison::new(&self.lines[0].greedy, &line.greedy, self.seed);
        let found: Vec<Option<Comparison>> = self.lines.iter().skip(1).map(compare).collect();
        let p: Vec<f64> = found.iter().map(|c| c.map_or(f64::NAN, |c| c.p)).collect();
        let corrected = holm(&p);
        let with_p = |(found, p): (Option<Comparison>, f64)| found.map(|found| (found, p));
        let mut all = vec![None];
        all.extend(found.into_iter().zip(corrected).map(with_p));
        all
    }

    /// The p-values of the win rates, by model, corrected for the number of models that have one.
    fn judged(&self) -> Vec<Option<f64>> {
        let mut p =
            correct(self.lines.iter().filter_map(|line| line.standing.as_ref())).into_iter();
        let of = |line: &Line| line.standing.as_ref().and_then(|_| p.next());
        self.lines.iter().map(of).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        let judged = self.judged();
        let comparisons = self.comparisons();
        let model = |(i, line): (usize, &Line)| {
            let metrics: Map<String, Value> = line
                .metrics
                .iter()
                .map(|m| {
                    let value = json!({"value": m.value, "low": m.low, "high": m.high});
                    (m.name.clone(), value)
                })
                .collect();
            let mut object =
                json!({"model": line.model, "metrics": metrics, "counts": line.counts});
            if let (Some(standing), Some(p)) = (&line.standing, judged[i]) {
                object["judged"] = standing.counts(p);
            }
            if i > 0 {
                let differences: Map<String, Value> = self
                    .differences(line)
                    .into_iter()
                    .map(|(name, _, difference)| (name, json!(difference)))
                    .collect();
                object["against_first"] = json!(differences);
                if let Some((found, p)) = comparisons[i] {
                    object["against_first"]["greedy"] = json!({
                        "difference": found.difference.difference,
                        "low": found.difference.low,
                        "high": found.difference.high,
                        "gained": found.gained,
                        "lost": found.lost,
                        "mcnemar_p": found.p,
                        "holm_p": p,
                    });
                }
            }
            object
        };
        let models: Vec<Value> = self.lines.iter().enumerate().map(model).collect();
        json!({"seed": self.seed, "models": models})
    }

    pub(super) fn print(&self, as_json: bool) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        if as_json {
            writeln!(stdout, "{}", self.to_json())?;
            return Ok(());
        }
        let comparisons = self.comparisons();
        let judged = self.judged();
        for (i, line) in self.lines.iter().enumerate() {
            writeln!(stdout, "model {}: {}", i + 1, line.model.display())?;
            let differences = self.differences(line);
            for metric in &line.metrics {
                let unit = metric.unit;
                let [value, low, high] =
                    [metric.value, metric.low, metric.high].map(|value| unit.show(value));
                let mut text = format!("  {:<26} {value:>9} [{low}, {high}]", metric.name);
                let difference = differences.iter().find(|(name, ..)| *name == metric.name);
                let difference = match (&comparisons[i], metric.name.as_str()) {
                    (Some((found, _)), "greedy") => Some(found.difference),
                    _ => difference.map(|(.., difference)| *difference),
                };
                if i > 0
                    && let Some(d) = difference
                {
                    let show = |value| unit.show_difference(value);
                    let difference = bracketed(show, [d.difference, d.low, d.high]);
                    text = format!("{text:<62} {difference}");
                }
                if let (Some((found, p)), "greedy") = (&comparisons[i], metric.name.as_str()) {
                    text = format!(
                        "{text}  +{} −{}, p {}",
                        found.gained,
                        found.lost,
                        p_value(*p)
                    );
                }
                writeln!(stdout, "{text}")?;
            }
            if let (Some(standing), Some(p)) = (&line.standing, judged[i]) {
                writeln!(stdout, "  judged: {}", standing.line(p))?;
            }
            for (name, counts) in [
                ("greedy", &line.counts["greedy"]),
                ("sampled", &line.counts["sampled"]),
            ] {
                if counts["answers"].as_u64().unwrap_or(0) > 0 {
                    writeln!(
                        stdout,
                        "  {name}: {} answers, {} right, {} unknown, {} cut at the limit",
                        counts["answers"], counts["right"], counts["unknown"], counts["cut"]
                    )?;
                }
            }
        }
        let intervals = match self.lines.len() {
            1 => "In brackets: 95 % intervals.",
            _ => {
                "In brackets: 95 % intervals. On the right: the difference from model 1 on the same rows; p: McNemar's exact test of the greedy answers, corrected for the number of models (Holm)."
            }
        };
        writeln!(stdout, "{intervals}")?;
        Ok(())
    }
}

fn count(answers: &[Answer], wanted: impl Fn(&Answer) -> bool) -> usize {
    answers.iter().filter(|answer| wanted(answer)).count()
}

/// The classes of equal answers of a problem. An answer that was not found is a class of its own.
fn classes(answers: &[Answer]) -> Vec<AnswerClass> {
    let mut found: Vec<(Option<&str>, AnswerClass)> = Vec::new();
    for answer in answers {
        let text = answer.extracted.as_deref();
        let same = found.iter_mut().find(|(other, class)| match (text, other) {
            (Some(text), Some(other)) => {
                text == *other
                    // Two right answers are equal, because both equal the expected one.
                    || (answer.is_right && class.is_right)
                    || (answer.is_right == class.is_right
                        && compare_answers(other, text) == Verdict::Equal)
            }
            _ => false,
        });
        match same {
            Some((_, class)) => class.n += 1,
            None => {
                let is_right = answer.is_right;
                found.push((text, AnswerClass { n: 1, is_right }));
            }
        }
    }
    found.into_iter().map(|(_, class)| class).collect()
}
