//! Comparisons of two answers. In: pairs. Out: questions in one order or both, and how far the chosen answer is preferred.

use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::WorkError;
use super::flips::Flips;
use super::questions::Questions;
use super::rows::Prepared;
use super::scores::Orders;
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Judgement, Task, Winner};
use crate::templates::fenced;

/// Comparisons of the two answers of a pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// The orders of the two answers.
    pub orders: Orders,
    /// How often each question is asked; the judgements are averaged.
    pub samples: u32,
}

impl Compare {
    /// The orders of the answers, each with its name.
    fn orders(&self) -> &'static [(&'static str, [usize; 2])] {
        match self.orders {
            Orders::One => &[("ab", [0, 1])],
            Orders::Both => &[("ab", [0, 1]), ("ba", [1, 0])],
        }
    }

    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        let [_, _] = &row.answers[..] else {
            return Err(WorkError::Row {
                place: row.place.clone(),
                message:
                    "a single answer cannot be compared; give pairs with `chosen` and `rejected`"
                        .to_owned(),
            });
        };
        let mut slots = Vec::new();
        for (name, order) in self.orders() {
            let answers = order.map(|i| row.answers[i].clone()).to_vec();
            let request = question(maker, row, answers)?;
            for sample in 0..self.samples.max(1) {
                let request = Request {
                    sample,
                    ..request.clone()
                };
                slots.push((format!("{name}/{sample}"), request));
            }
        }
        Ok(slots)
    }

    /// The row with `preference`, how far the chosen answer is preferred: 1 if it wins, 0 if it loses, a half for a
    /// tie, and the mean of all judgements. `flips` counts what the order changes. None if a judgement is missing.
    pub(super) fn row(
        &self,
        mut row: Value,
        outcomes: &[(String, Outcome)],
        flips: &mut Flips,
    ) -> Option<Value> {
        let mut preferences = Vec::new();
        for (name, order) in self.orders() {
            let first = self.mean(name, outcomes)?;
            preferences.push(match order {
                [0, _] => first,
                _ => 1.0 - first,
            });
        }
        if let [ab, ba] = preferences[..] {
            let scores = |chosen: f64| [vec![chosen], vec![1.0 - chosen]];
            flips.add("preference", &scores(ab), &scores(ba));
        }
        let mean = preferences.iter().sum::<f64>() / preferences.len() as f64;
        row["preference"] = json!(mean);
        Some(row)
    }

    /// How far the answer that is shown first is preferred, over the samples of an order.
    fn mean(&self, name: &str, outcomes: &[(String, Outcome)]) -> Option<f64> {
        let n = self.samples.max(1);
        let mut sum = 0.0;
        for sample in 0..n {
            let slot = format!("{name}/{sample}");
            let (_, outcome) = outcomes.iter().find(|(name, _)| *name == slot)?;
            let Outcome::Judged(Judgement::Winner(winner)) = outcome else {
                return None;
            };
            sum += match winner {
                Winner::First => 1.0,
                Winner::Second => 0.0,
                Winner::Tie => 0.5,
            };
        }
        Some(sum / f64::from(n))
    }
}

/// Which of two answers is better, in the order in which they are given.
pub(super) fn question(
    maker: &Questions<'_>,
    row: &Prepared,
    answers: Vec<Vec<String>>,
) -> Result<Request, WorkError> {
    maker.request(row, answers, Task::Compare, |answers| {
        let text = |i: usize| fenced(answers[i].concat().trim());
        maker.template.messages(
            context! {},
            context! {
                question => fenced(&row.question),
                answer_a => text(0),
                answer_b => text(1),
            },
        )
    })
}
