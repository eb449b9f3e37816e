//! Rankings. In: several answers to each prompt. Out: questions, and pairs of the best and the worst answer.

use std::collections::HashMap;

use minijinja::context;
use pref_data::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::compare;
use super::division::Division;
use super::error::WorkError;
use super::flips::Flips;
use super::produced::{Produced, strings};
use super::questions::Questions;
use super::rows::{Prepared, prepare};
use super::scores::{ASPECT_NAMES, Orders, Scores};
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Judgement, Task, Winner};
use crate::templates::{TemplateKind, fenced};

/// What decides which answer is the best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RankBy {
    /// Scores of the segments in five aspects, as in iterative 2D-DPO: helpfulness and correctness by their mean,
    /// safety by its lowest score, completeness and clarity by the last segment; weighted.
    #[default]
    Scores,
    /// A score of each whole answer.
    Rating,
    /// Comparisons of every two answers, in both orders. A win counts 1 and a tie a half.
    Compare,
}

impl RankBy {
    pub(super) fn template(self) -> TemplateKind {
        match self {
            Self::Scores => TemplateKind::Scores,
            Self::Rating => TemplateKind::Rate,
            Self::Compare => TemplateKind::Compare,
        }
    }
}

/// Rankings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// What decides.
    pub by: RankBy,
    /// Weights of the five aspects; they sum to 1.
    pub weights: [f64; ASPECT_NAMES.len()],
    /// The lowest and the highest rating.
    pub scale: [i64; 2],
}

impl Rank {
    /// Weights of 2D-DPO, ratings from 1 to 10.
    pub fn new(by: RankBy) -> Self {
        Self {
            by,
            weights: [0.3, 0.4, 0.1, 0.1, 0.1],
            scale: [1, 10],
        }
    }

    /// The answers to each prompt as one row, `prompt`, `responses` and `segments`.
    pub(super) fn rows(
        &self,
        records: Vec<Record>,
        division: Division,
    ) -> Result<(Vec<Value>, Vec<Prepared>), WorkError> {
        let mut rows: Vec<Value> = Vec::new();
        let mut all: Vec<Prepared> = Vec::new();
        let mut by_prompt: HashMap<u128, usize> = HashMap::new();
        for record in records {
            let key = match &record {
                Record::Pair(pair) => pair.prompt.key(),
                Record::Example(example) => example.prompt.key(),
            };
            let (row, prepared) = prepare(record, division)?;
            let at = *by_prompt.entry(key).or_insert_with(|| {
                rows.push(group(&row));
                all.push(Prepared {
                    sides: Vec::new(),
                    answers: Vec::new(),
                    ..prepared.clone()
                });
                rows.len() - 1
            });
            for (side, segments) in prepared.sides.iter().zip(prepared.answers) {
                // The same answer twice says nothing about its rank.
                if all[at].answers.contains(&segments) {
                    continue;
                }
                push(&mut rows[at]["responses"], row[side].clone());
                push(&mut rows[at]["segments"], json!(segments));
                let number = all[at].answers.len();
                all[at].sides.push(number.to_string());
                all[at].answers.push(segments);
            }
        }
        Ok((rows, all))
    }

    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        let n = row.answers.len();
        if n < 2 {
            return Ok(Vec::new());
        }
        let mut slots = Vec::new();
        match self.by {
            RankBy::Scores => {
                let scores = Scores::new(maker.template, Orders::One, 1)?;
                for (i, answer) in row.answers.iter().enumerate() {
                    let one = Prepared {
                        answers: vec![answer.clone()],
                        ..row.clone()
                    };
                    let questions = scores.slots(maker, &one)?;
                    let named = questions
                        .into_iter()
                        .map(|(name, q)| (format!("{i}/{name}"), q));
                    slots.extend(named);
                }
            }
            RankBy::Rating => {
                let [min, max] = self.scale;
                for (i, answer) in row.answers.iter().enumerate() {
                    let task = Task::Rate { min, max };
                    let request = maker.request(row, vec![answer.clone()], task, |_| {
                        maker.template.messages(
                            context! { min => min, max => max },
                            context! {
                                question => fenced(&row.question),
                                answer => fenced(answer.concat().trim()),
                            },
                        )
                    });
                    slots.push((i.to_string(), request?));
                }
            }
            RankBy::Compare => {
                for (i, j) in ordered_pairs(n) {
                    let answers = vec![row.answers[i].clone(), row.answers[j].clone()];
                    let request = compare::question(maker, row, answers)?;
                    slots.push((format!("{i}-{j}"), request));
                }
            }
        }
        Ok(slots)
    }

    /// The pair of the best and the worst answer.
    pub(super) fn row(&self, row: &Value, outcomes: &[(String, Outcome)]) -> Produced {
        let n = row["responses"].as_array().map_or(0, Vec::len);
        if n < 2 {
            return Produced::Dropped("a single answer");
        }
        let (ratings, matrices) = match self.by {
            RankBy::Scores => match self.by_scores(row, outcomes, n) {
                Some((ratings, matrices)) => (ratings, Some(matrices)),
                None => return Produced::Incomplete,
            },
            RankBy::Rating => match ratings(outcomes, n) {
                Some(ratings) => (ratings, None),
                None => return Produced::Incomplete,
            },
            RankBy::Compare => match points(outcomes, n) {
                Some(points) => (points, None),
                None => return Produced::Incomplete,
            },
        };
        // Of equal answers the first one counts.
        let first = |is_better: fn(f64, f64) -> bool| {
            (1..n).fold(0, |best, i| match is_better(ratings[i], ratings[best]) {
                true => i,
                false => best,
            })
        };
        let (best, worst) = (first(|a, b| a > b), first(|a, b| a < b));
        if ratings[best] == ratings[worst] {
            return Produced::Dropped("all answers are equally good");
        }
        let mut pair = row.clone();
        if let Some(fields) = pair.as_object_mut() {
            for name in ["responses", "segments"] {
                fields.shift_remove(name);
            }
        }
        for (side, i) in [("chosen", best), ("rejected", worst)] {
            pair[side] = row["responses"][i].clone();
            pair[format!("{side}_rating")] = json!((ratings[i] * 1e6).round() / 1e6);
            if let Some(matrices) = &matrices {
                pair[format!("{side}_segments")] = row["segments"][i].clone();
                pair[format!("{side}_scores")] = matrices[i].clone();
            }
        }
        Produced::Row(pair)
    }

    /// The weighted score of each answer, and its matrix.
    fn by_scores(
        &self,
        row: &Value,
        outcomes: &[(String, Outcome)],
        n: usize,
    ) -> Option<(Vec<f64>, Vec<Value>)> {
        let scores = Scores {
            orders: Orders::One,
            samples: 1,
            aspects: ASPECT_NAMES.map(str::to_owned).to_vec(),
        };
        let (mut ratings, mut matrices) = (Vec::new(), Vec::new());
        for i in 0..n {
            let prefix = format!("{i}/");
            let own: Vec<(String, Outcome)> = outcomes
                .iter()
                .filter_map(|(name, outcome)| {
                    let name = name.strip_prefix(&prefix)?;
                    Some((name.to_owned(), outcome.clone()))
                })
                .collect();
            let segments = strings(&row["segments"][i]);
            let one = json!({"completion_segments": segments});
            let mut scored = scores.row(one, &own, &mut Flips::default())?;
            let matrix = scored["completion_scores"].take();
            let of: Vec<[f64; ASPECT_NAMES.len()]> = serde_json::from_value(matrix.clone()).ok()?;
            let last = of.last()?;
            let mean = |a: usize| of.iter().map(|row| row[a]).sum::<f64>() / of.len() as f64;
            let lowest = of.iter().map(|row| row[2]).fold(f64::INFINITY, f64::min);
            let by_aspect = [mean(0), mean(1), lowest, last[3], last[4]];
            ratings.push(
                by_aspect
                    .iter()
                    .zip(&self.weights)
                    .map(|(s, w)| s * w)
                    .sum(),
            );
            matrices.push(matrix);
        }
        Some((ratings, matrices))
    }
}

/// Every two different numbers below `n`, in both orders.
fn ordered_pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)))
}

fn outcome<'a>(outcomes: &'a [(String, Outcome)], name: &str) -> Option<&'a Judgement> {
    match outcomes.iter().find(|(slot, _)| slot == name) {
        Some((_, Outcome::Judged(judgement))) => Some(judgement),
        _ => None,
    }
}

fn ratings(outcomes: &[(String, Outcome)], n: usize) -> Option<Vec<f64>> {
    let rating = |i: usize| match outcome(outcomes, &i.to_string())? {
        Judgement::Rating(rating) => Some(*rating),
        _ => None,
    };
    (0..n).map(rating).collect()
}

fn points(outcomes: &[(String, Outcome)], n: usize) -> Option<Vec<f64>> {
    let mut points = vec![0.0; n];
    for (i, j) in ordered_pairs(n) {
        let Judgement::Winner(winner) = outcome(outcomes, &format!("{i}-{j}"))? else {
            return None;
        };
        match winner {
            Winner::First => points[i] += 1.0,
            Winner::Second => points[j] += 1.0,
            Winner::Tie => {
                points[i] += 0.5;
                points[j] += 0.5;
            }
        }
    }
    Some(points)
}

/// The row of a prompt, without answers.
fn group(row: &Value) -> Value {
    let mut fields = Map::new();
    for name in ["prompt", "tools", "chat_template_kwargs", "answer"] {
        if let Some(value) = row.get(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    fields.insert("responses".to_owned(), json!([]));
    fields.insert("segments".to_owned(), json!([]));
    Value::Object(fields)
}

fn push(list: &mut Value, value: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(value);
    }
}
