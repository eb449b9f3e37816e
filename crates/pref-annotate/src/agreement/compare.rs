//! Compares a judge with people. In: judged rows, and labelled rows, several for a pair if several people labelled it.
//! Out: agreement by aspect. Every denominator is what people labelled; what the judge lacks stands beside it.

use std::collections::HashMap;

use pref_data::{Annotation, Record};
use serde::Serialize;
use serde_json::{Value, json};

use super::counts::{CLASSES, Counts, Estimate, Measure, estimate};
use super::distribution::{Distribution, class, distributions, scores};
use crate::work::ASPECT_NAMES;

/// Agreement in one aspect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AspectAgreement {
    /// The aspect.
    pub aspect: &'static str,
    /// Labels of people: segments times people.
    pub n_labels: u64,
    /// Labels of segments that the judge did not score.
    pub n_missing: u64,
    /// Cohen's κ between the judge and each person.
    pub kappa: Option<Estimate>,
    /// Cohen's κ with quadratic weights.
    pub weighted_kappa: Option<Estimate>,
    /// Labels that the judge gives too, of all labels that it could give.
    pub accuracy: Option<Estimate>,
    /// Segments with a label that more than half of the people gave.
    pub n_majorities: u64,
    /// Segments with such a label that the judge did not score.
    pub n_majorities_missing: u64,
    /// Majority labels that the judge gives too.
    pub majority: Option<Estimate>,
}

/// Agreement of a judge with people, and what the judge's scores look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Judged rows.
    pub n_judged: u64,
    /// Rows of labels.
    pub n_label_rows: u64,
    /// Labelled pairs or answers.
    pub n_labelled: u64,
    /// Labelled pairs or answers that the judge did not score.
    pub n_not_judged: u64,
    /// Rows of labels whose segments are not those of the judge.
    pub n_other_segments: u64,
    /// Rows of labels without scores.
    pub n_without_scores: u64,
    /// By aspect; empty without labels.
    pub aspects: Vec<AspectAgreement>,
    /// How often the judge gave each score.
    pub distributions: Vec<Distribution>,
}

/// The answers of a row: name, segments, scores of each segment.
type Labelled = Vec<(&'static str, Vec<String>, Vec<Vec<usize>>)>;

fn key(prompt: &Value, answers: &[&Value]) -> String {
    json!([prompt, answers]).to_string()
}

fn key_of_row(row: &Value) -> String {
    match row.get("chosen") {
        Some(chosen) => key(&row["prompt"], &[chosen, &row["rejected"]]),
        None => key(&row["prompt"], &[&row["completion"]]),
    }
}

/// The key, the segments and the labels of a row; the labels are none if an answer has none.
fn labels(record: &Record) -> (String, Option<Labelled>) {
    let side = |name, annotation: Option<&Annotation>| {
        let annotation = annotation?;
        let segments = annotation.segments.clone()?;
        let line = |line: &[f64; pref_data::ASPECTS]| line.iter().map(|&s| class(s)).collect();
        let scores = annotation.scores.as_ref()?.iter().map(line).collect();
        Some((name, segments, scores))
    };
    match record {
        Record::Pair(pair) => {
            let answers = [&json!(pair.chosen), &json!(pair.rejected)];
            let names = ["chosen", "rejected"].into_iter().zip(&pair.annotations);
            let sides = names.map(|(name, annotation)| side(name, annotation.as_deref()));
            (key(&json!(pair.prompt), &answers), sides.collect())
        }
        Record::Example(row) => (
            key(&json!(row.prompt), &[&json!(row.completion)]),
            side("completion", row.annotation.as_deref()).map(|one| vec![one]),
        ),
    }
}

/// The counts of one aspect, by pair.
#[derive(Default)]
struct Tally {
    people: Vec<Counts>,
    majority: Vec<Counts>,
    n_labels: u64,
    n_missing: u64,
    n_majorities: u64,
    n_majorities_missing: u64,
}

/// Compares judged rows, as `pref annotate scores` writes them, with rows that people labelled in the same form.
pub fn agreement(judged: &[Value], labelled: &[Record]) -> Agreement {
    let by_key: HashMap<String, &Value> = judged.iter().map(|row| (key_of_row(row), row)).collect();
    let mut result = Agreement {
        n_judged: judged.len() as u64,
        n_label_rows: labelled.len() as u64,
        distributions: distributions(judged),
        ..Agreement::default()
    };
    // The rows of a pair together, in the order of the first one.
    let mut order: Vec<String> = Vec::new();
    let mut groups: HashMap<String, Vec<Labelled>> = HashMap::new();
    for record in labelled {
        match labels(record) {
            (_, None) => result.n_without_scores += 1,
            (key, Some(sides)) => {
                let group = groups.entry(key.clone()).or_default();
                if group.is_empty() {
                    order.push(key);
                }
                group.push(sides);
            }
        }
    }
    result.n_labelled = order.len() as u64;
    let mut tallies: Vec<Tally> = ASPECT_NAMES.iter().map(|_| Tally::default()).collect();
    for key in &order {
        let row = by_key.get(key).copied();
        result.n_not_judged += u64::from(row.is_none());
        let mut people = groups.remove(key).unwrap_or_default();
        if let Some(row) = row {
            let before = people.len();
            people.retain(|sides| {
                sides
                    .iter()
                    .all(|(side, segments, _)| row[format!("{side}_segments")] == json!(segments))
            });
            result.n_other_segments += (before - people.len()) as u64;
        }
        count(row, &people, &mut tallies);
    }
    if !labelled.is_empty() {
        let finished = ASPECT_NAMES.into_iter().zip(tallies);
        result.aspects = finished
            .map(|(aspect, tally)| tally.finish(aspect))
            .collect();
    }
    result
}

/// Adds one pair, as all people labelled it.
fn count(row: Option<&Value>, people: &[Labelled], tallies: &mut [Tally]) {
    let Some(first) = people.first() else { return };
    for (a, tally) in tallies.iter_mut().enumerate() {
        let (mut by_person, mut by_majority) = (Counts::default(), Counts::default());
        for (i, (side, segments, _)) in first.iter().enumerate() {
            let judge = row.and_then(|row| scores(row, side));
            for segment in 0..segments.len() {
                let judge = judge
                    .as_ref()
                    .and_then(|scores| scores.get(segment))
                    .map(|line| line[a]);
                let mut votes = [0; CLASSES];
                for person in people {
                    let Some(label) = person[i].2.get(segment).map(|line| line[a]) else {
                        continue;
                    };
                    votes[label] += 1;
                    tally.n_labels += 1;
                    match judge {
                        Some(judge) => by_person.add(judge, label),
                        None => tally.n_missing += 1,
                    }
                }
                let n_votes: usize = votes.iter().sum();
                let majority = votes.iter().position(|&n| 2 * n > n_votes);
                if let Some(label) = majority {
                    tally.n_majorities += 1;
                    match judge {
                        Some(judge) => by_majority.add(judge, label),
                        None => tally.n_majorities_missing += 1,
                    }
                }
            }
        }
        tally.people.push(by_person);
        tally.majority.push(by_majority);
    }
}

impl Tally {
    fn finish(self, aspect: &'static str) -> AspectAgreement {
        AspectAgreement {
            aspect,
            n_labels: self.n_labels,
            n_missing: self.n_missing,
            kappa: estimate(&self.people, Measure::Kappa),
            weighted_kappa: estimate(&self.people, Measure::WeightedKappa),
            accuracy: estimate(&self.people, Measure::Accuracy),
            n_majorities: self.n_majorities,
            n_majorities_missing: self.n_majorities_missing,
            majority: estimate(&self.majority, Measure::Accuracy),
        }
    }
}
