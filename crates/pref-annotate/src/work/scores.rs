//! Score matrices of 2D-DPO. In: answers as segments. Out: one question for each aspect and order, and the matrix
//! `[segments, aspects]` from their replies.

use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::WorkError;
use super::flips::Flips;
use super::questions::Questions;
use super::rows::Prepared;
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Judgement, Task};
use crate::templates::{Aspect, Template, TemplateError, fenced, numbered};

/// The aspects that training reads, in the order of a row of scores.
pub const ASPECT_NAMES: [&str; pref_data::ASPECTS] = [
    "helpfulness",
    "correctness",
    "safety",
    "completeness",
    "clarity",
];

/// In which orders the two answers of a pair are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// In both; the scores are averaged.
    #[default]
    Both,
    /// The chosen answer first. Half the cost, and no flip rate.
    One,
}

/// Score matrices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The orders of the two answers.
    pub orders: Orders,
    /// How often each question is asked; the scores are averaged.
    pub samples: u32,
    /// The aspects: those of training, and others.
    pub aspects: Vec<String>,
}

impl Scores {
    /// Scores in the aspects of a template.
    ///
    /// # Errors
    /// [`TemplateError::Aspects`] if the template lacks an aspect that training reads.
    pub fn new(template: &Template, orders: Orders, samples: u32) -> Result<Self, TemplateError> {
        let aspects: Vec<String> = template.aspects.iter().map(|a| a.name.clone()).collect();
        if !ASPECT_NAMES
            .iter()
            .all(|name| aspects.iter().any(|a| a == name))
        {
            return Err(TemplateError::Aspects {
                name: template.source().to_owned(),
                found: match aspects.is_empty() {
                    true => "none".to_owned(),
                    false => aspects.join(", "),
                },
                expected: ASPECT_NAMES.join(", "),
            });
        }
        Ok(Self {
            orders,
            samples: samples.max(1),
            aspects,
        })
    }

    /// The orders in which the answers of a row are shown, each with its name.
    fn orders(&self, n_answers: usize) -> Vec<(&'static str, Vec<usize>)> {
        match (n_answers, self.orders) {
            (1, _) => vec![("a", vec![0])],
            (_, Orders::One) => vec![("ab", vec![0, 1])],
            (_, Orders::Both) => vec![("ab", vec![0, 1]), ("ba", vec![1, 0])],
        }
    }

    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        let mut slots = Vec::new();
        for aspect in &maker.template.aspects {
            for (name, order) in self.orders(row.answers.len()) {
                let request = question(maker, row, aspect, &order)?;
                for sample in 0..self.samples {
                    let slot = format!("{}/{name}/{sample}", aspect.name);
                    slots.push((
                        slot,
                        Request {
                            sample,
                            ..request.clone()
                        },
                    ));
                }
            }
        }
        Ok(slots)
    }

    /// The row with its scores. `flips` counts what the order of the answers changes. None if a judgement is missing.
    pub(super) fn row(
        &self,
        mut row: Value,
        outcomes: &[(String, Outcome)],
        flips: &mut Flips,
    ) -> Option<Value> {
        let sides: &[&str] = match row.get("chosen") {
            Some(_) => &["chosen", "rejected"],
            None => &["completion"],
        };
        let n_segments: Vec<usize> = sides
            .iter()
            .map(|side| {
                row[format!("{side}_segments")]
                    .as_array()
                    .map_or(0, Vec::len)
            })
            .collect();
        let mut means: Vec<Vec<Vec<f64>>> = Vec::new();
        for aspect in &self.aspects {
            let mut orders = Vec::new();
            for (name, order) in self.orders(sides.len()) {
                orders.push(self.mean(aspect, name, &order, outcomes, &n_segments)?);
            }
            if let [ab, ba] = &orders[..] {
                flips.add(aspect, ab, ba);
            }
            means.push(mean_of(&orders));
        }
        let places: Vec<usize> = ASPECT_NAMES
            .iter()
            .filter_map(|name| self.aspects.iter().position(|aspect| aspect == name))
            .collect();
        for (i, side) in sides.iter().enumerate() {
            let matrix: Vec<Vec<f64>> = (0..n_segments[i])
                .map(|segment| {
                    places
                        .iter()
                        .map(|&a| rounded(means[a][i][segment]))
                        .collect()
                })
                .collect();
            row[format!("{side}_scores")] = json!(matrix);
            let others = self.aspects.iter().zip(&means);
            let others = others.filter(|(name, _)| !ASPECT_NAMES.contains(&name.as_str()));
            let others: Map<String, Value> = others
                .map(|(name, means)| {
                    let scores: Vec<f64> = means[i].iter().map(|&s| rounded(s)).collect();
                    (name.clone(), json!(scores))
                })
                .collect();
            if !others.is_empty() {
                row[format!("{side}_other_scores")] = Value::Object(others);
            }
        }
        Some(row)
    }

    /// The mean over the samples of one aspect and order, `[answers, segments]` in the order of the row.
    fn mean(
        &self,
        aspect: &str,
        name: &str,
        order: &[usize],
        outcomes: &[(String, Outcome)],
        n_segments: &[usize],
    ) -> Option<Vec<Vec<f64>>> {
        let mut samples = Vec::new();
        for sample in 0..self.samples {
            let slot = format!("{aspect}/{name}/{sample}");
            let (_, outcome) = outcomes.iter().find(|(name, _)| *name == slot)?;
            let Outcome::Judged(Judgement::Scores(scores)) = outcome else {
                return None;
            };
            let mut in_row_order: Vec<Vec<f64>> = vec![Vec::new(); order.len()];
            for (&at, scores) in order.iter().zip(scores) {
                in_row_order[at].clone_from(scores);
            }
            let is_whole = in_row_order
                .iter()
                .map(Vec::len)
                .eq(n_segments.iter().copied());
            if !is_whole {
                return None;
            }
            samples.push(in_row_order);
        }
        Some(mean_of(&samples))
    }
}

/// The question of one aspect, with the answers in the given order.
fn question(
    maker: &Questions<'_>,
    row: &Prepared,
    aspect: &Aspect,
    order: &[usize],
) -> Result<Request, WorkError> {
    let answers: Vec<Vec<String>> = order.iter().map(|&i| row.answers[i].clone()).collect();
    let task = Task::Scores {
        aspect: aspect.name.clone(),
        scale: aspect.scale.clone(),
        never_decreases: aspect.never_decreases,
        n_segments: answers.iter().map(Vec::len).collect(),
    };
    let scale: Vec<String> = aspect.scale.iter().map(i64::to_string).collect();
    maker.request(row, answers, task, |answers| {
        let shown = |i: usize| {
            answers
                .get(i)
                .map(|answer| numbered(answer))
                .unwrap_or_default()
        };
        maker.template.messages(
            context! {
                aspect => &aspect.name,
                criteria => aspect.criteria.trim(),
                scale => scale.join(", "),
                never_decreases => aspect.never_decreases,
            },
            context! {
                question => fenced(&row.question),
                answer_a => shown(0),
                answer_b => shown(1),
                n_a => answers.first().map_or(0, Vec::len),
                n_b => answers.get(1).map_or(0, Vec::len),
            },
        )
    })
}

/// The element-wise mean of matrices of the same shape.
fn mean_of(all: &[Vec<Vec<f64>>]) -> Vec<Vec<f64>> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let n = all.len() as f64;
    let cell = |i: usize, j: usize| all.iter().map(|one| one[i][j]).sum::<f64>() / n;
    let line = |(i, line): (usize, &Vec<f64>)| (0..line.len()).map(|j| cell(i, j)).collect();
    first.iter().enumerate().map(line).collect()
}

/// A mean with at most six decimals.
fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}
